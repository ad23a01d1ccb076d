//! APIs and connections as their people see them: with the settings that have no effect.

use std::fmt::Write;

use model::{
    ClientId, ConnectionId, ConnectionProfile, ManagedConnection, ManagedResourceServer,
    ResourceServerProfile,
};

use crate::row::{Record, to_json};
use crate::statement::Statement;
use crate::user_search::as_jsonb;
use crate::{StorageError, TenantTx};

/// Which connections. Without anything: all.
#[derive(Debug, Clone, Copy, Default)]
pub struct ConnectionFilter<'a> {
    /// Of one of these strategies.
    pub strategies: &'a [String],
    /// Of this name.
    pub name: Option<&'a str>,
    /// Enabled for this client.
    pub client: Option<&'a ClientId>,
}

impl ConnectionFilter<'_> {
    /// The list of `what` of the connections that are filtered for. It ends with a condition.
    fn select(&self, what: &str, is_postgres: bool, statement: &mut Statement) -> String {
        let mut sql = format!("SELECT {what} FROM connections WHERE tenant_id = $1");
        if let Some(name) = self.name {
            let _ = write!(sql, " AND name = {}", statement.push(name.into()));
        }
        if !self.strategies.is_empty() {
            let strategy = match is_postgres {
                true => format!("({} ->> 'strategy')", as_jsonb("data")),
                false => "json_extract(data, '$.strategy')".to_owned(),
            };
            let wanted: Vec<_> =
                self.strategies.iter().map(|wanted| statement.push(wanted.as_str().into())).collect();
            let _ = write!(sql, " AND {strategy} IN ({})", wanted.join(", "));
        }
        if let Some(client) = self.client {
            let client = statement.push(client.as_str().into());
            let _ = match is_postgres {
                true => write!(sql, " AND jsonb_exists({} -> 'enabled_clients', {client})", as_jsonb("data")),
                false => write!(
                    sql,
                    " AND EXISTS (SELECT 1 FROM json_each(data, '$.enabled_clients') AS e WHERE e.value = {client})"
                ),
            };
        }
        sql
    }
}

impl TenantTx {
    /// The API of that id or audience, with what has no effect.
    pub async fn managed_resource_server(
        &mut self,
        id: &str,
    ) -> Result<Option<ManagedResourceServer>, StorageError> {
        for sql in [
            "SELECT identifier, id, data, profile FROM resource_servers WHERE tenant_id = $1 AND identifier = $2",
            "SELECT identifier, id, data, profile FROM resource_servers WHERE tenant_id = $1 AND id = $2",
        ] {
            let query = self.sql(sql).bind(id);
            if let Some(row) = self.row("resource_servers", "identifier", query).await? {
                return managed_resource_server(&row).map(Some);
            }
        }
        Ok(None)
    }

    /// APIs by audience: at most `limit`, without the first `offset`.
    pub async fn managed_resource_servers(
        &mut self,
        offset: i64,
        limit: i64,
    ) -> Result<Vec<ManagedResourceServer>, StorageError> {
        let query = self
            .sql(
                "SELECT identifier, id, data, profile FROM resource_servers WHERE tenant_id = $1
                 ORDER BY identifier LIMIT $2 OFFSET $3",
            )
            .bind(limit.max(0))
            .bind(offset.max(0));
        let rows = self.rows("resource_servers", "identifier", query).await?;
        rows.iter().map(managed_resource_server).collect()
    }

    /// Gives the API, which is there, the settings that have no effect, and its id unless it has one.
    pub async fn put_resource_server_profile(
        &mut self,
        identifier: &str,
        id: &str,
        profile: &ResourceServerProfile,
    ) -> Result<(), StorageError> {
        let query = self
            .sql(
                "UPDATE resource_servers SET id = COALESCE(id, $3), profile = $4
                 WHERE tenant_id = $1 AND identifier = $2",
            )
            .bind(identifier)
            .bind(id)
            .bind(to_json(profile)?);
        self.write(query)
    }

    /// Removes the API with all client grants for it, and what users have agreed to. `false`: there is none.
    pub async fn delete_resource_server(&mut self, identifier: &str) -> Result<bool, StorageError> {
        self.delete_client_grants_for(identifier).await?;
        let consents =
            self.sql("DELETE FROM consents WHERE tenant_id = $1 AND audience = $2").bind(identifier);
        self.write(consents)?;
        let query = self
            .sql("DELETE FROM resource_servers WHERE tenant_id = $1 AND identifier = $2")
            .bind(identifier);
        Ok(self.run(query).await? > 0)
    }

    /// Connections by name, with what has no effect: at most `limit` after the one of the name `after`, which need not be
    /// there any more, and without the first `offset` of those.
    pub async fn managed_connections(
        &mut self,
        filter: ConnectionFilter<'_>,
        after: &str,
        offset: i64,
        limit: i64,
    ) -> Result<Vec<ManagedConnection>, StorageError> {
        let mut statement = self.sql_of_parts();
        let mut sql = filter.select("id, data, profile", self.is_postgres(), &mut statement);
        let [after, limit, offset] = [after.into(), limit.max(0).into(), offset.max(0).into()];
        let [after, limit, offset] = [after, limit, offset].map(|value| statement.push(value));
        let _ = write!(sql, " AND name > {after} ORDER BY name LIMIT {limit} OFFSET {offset}");
        statement.sql = sql.into();
        self.rows("connections", "id", statement).await?.iter().map(managed_connection).collect()
    }

    /// How many connections there are.
    pub async fn count_connections(&mut self, filter: ConnectionFilter<'_>) -> Result<i64, StorageError> {
        let mut statement = self.sql_of_parts();
        statement.sql = filter.select("COUNT(*) AS found", self.is_postgres(), &mut statement).into();
        self.count(statement).await
    }

    /// The connection of that id, with what has no effect.
    pub async fn managed_connection(
        &mut self,
        id: &ConnectionId,
    ) -> Result<Option<ManagedConnection>, StorageError> {
        let query = self
            .sql("SELECT id, data, profile FROM connections WHERE tenant_id = $1 AND id = $2")
            .bind(id.as_str());
        self.row("connections", "id", query).await?.as_ref().map(managed_connection).transpose()
    }

    /// Gives the connection, which is there, the settings that have no effect.
    pub async fn put_connection_profile(
        &mut self,
        id: &ConnectionId,
        profile: &ConnectionProfile,
    ) -> Result<(), StorageError> {
        let query = self
            .sql("UPDATE connections SET profile = $3 WHERE tenant_id = $1 AND id = $2")
            .bind(id.as_str())
            .bind(to_json(profile)?);
        self.write(query)
    }

    /// Whether the connection has users.
    pub async fn connection_has_users(&mut self, id: &ConnectionId) -> Result<bool, StorageError> {
        let query = self
            .sql("SELECT id FROM users WHERE tenant_id = $1 AND connection_id = $2 LIMIT 1")
            .bind(id.as_str());
        Ok(self.row("users", "id", query).await?.is_some())
    }

    /// Removes the connection, which has no users. `false`: there is none.
    pub async fn delete_connection(&mut self, id: &ConnectionId) -> Result<bool, StorageError> {
        let query = self.sql("DELETE FROM connections WHERE tenant_id = $1 AND id = $2").bind(id.as_str());
        Ok(self.run(query).await? > 0)
    }
}

fn managed_resource_server(row: &Record) -> Result<ManagedResourceServer, StorageError> {
    let id = match row.opt_text("id")? {
        Some(id) => id,
        None => row.text("identifier")?,
    };
    Ok(ManagedResourceServer { id, server: row.json("data")?, profile: row.json("profile")? })
}

fn managed_connection(row: &Record) -> Result<ManagedConnection, StorageError> {
    Ok(ManagedConnection { connection: row.json("data")?, profile: row.json("profile")? })
}
