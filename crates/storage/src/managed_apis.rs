//! APIs, client grants and connections as their people see them: with the settings that have no effect.

use model::{
    ClientGrant, ClientGrantProfile, ClientId, ConnectionId, ConnectionProfile, ManagedClientGrant,
    ManagedConnection, ManagedResourceServer, ResourceServerProfile,
};

use crate::row::{Record, to_json};
use crate::{StorageError, TenantTx};

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

    /// Removes the API with all client grants for it. `false`: there is none.
    pub async fn delete_resource_server(&mut self, identifier: &str) -> Result<bool, StorageError> {
        let grants =
            self.sql("DELETE FROM client_grants WHERE tenant_id = $1 AND audience = $2").bind(identifier);
        self.write(grants)?;
        let query = self
            .sql("DELETE FROM resource_servers WHERE tenant_id = $1 AND identifier = $2")
            .bind(identifier);
        Ok(self.run(query).await? > 0)
    }

    /// The client grant of that id, with what has no effect.
    pub async fn managed_client_grant(
        &mut self,
        id: &str,
    ) -> Result<Option<ManagedClientGrant>, StorageError> {
        let query = self
            .sql(
                "SELECT client_id, audience, scope, id, profile FROM client_grants
                 WHERE tenant_id = $1 AND id = $2",
            )
            .bind(id);
        self.row("client_grants", "client_id", query).await?.as_ref().map(managed_client_grant).transpose()
    }

    /// All client grants, by id, which is in the order in which they were made; or those of a client, or for an API.
    pub async fn managed_client_grants(
        &mut self,
        client: Option<&ClientId>,
        audience: Option<&str>,
    ) -> Result<Vec<ManagedClientGrant>, StorageError> {
        let query = match (client, audience) {
            (Some(client), _) => self
                .sql(
                    "SELECT client_id, audience, scope, id, profile FROM client_grants
                     WHERE tenant_id = $1 AND client_id = $2",
                )
                .bind(client.as_str()),
            (None, Some(audience)) => self
                .sql(
                    "SELECT client_id, audience, scope, id, profile FROM client_grants
                     WHERE tenant_id = $1 AND audience = $2",
                )
                .bind(audience),
            (None, None) => self.sql(
                "SELECT client_id, audience, scope, id, profile FROM client_grants WHERE tenant_id = $1",
            ),
        };
        let rows = self.rows("client_grants", "client_id", query).await?;
        let mut grants: Vec<_> = rows.iter().map(managed_client_grant).collect::<Result<_, _>>()?;
        // Here, so that SQLite finds a few by what they are of, and not all by their order.
        grants.sort_by(|a, b| a.id.cmp(&b.id));
        let fits = |grant: &ManagedClientGrant| audience.is_none_or(|wanted| grant.grant.audience == wanted);
        Ok(grants.into_iter().filter(fits).collect())
    }

    /// Gives the client grant, which is there, the settings that have no effect, and its id unless it has one.
    pub async fn put_client_grant_profile(
        &mut self,
        grant: &ClientGrant,
        id: &str,
        profile: &ClientGrantProfile,
    ) -> Result<(), StorageError> {
        let query = self
            .sql(
                "UPDATE client_grants SET id = COALESCE(id, $4), profile = $5
                 WHERE tenant_id = $1 AND client_id = $2 AND audience = $3",
            )
            .bind(grant.client_id.as_str())
            .bind(grant.audience.as_str())
            .bind(id)
            .bind(to_json(profile)?);
        self.write(query)
    }

    /// Removes the client grant. `false`: there is none.
    pub async fn delete_client_grant(&mut self, id: &str) -> Result<bool, StorageError> {
        let query = self.sql("DELETE FROM client_grants WHERE tenant_id = $1 AND id = $2").bind(id);
        Ok(self.run(query).await? > 0)
    }

    /// All connections, by name, with what has no effect.
    pub async fn managed_connections(&mut self) -> Result<Vec<ManagedConnection>, StorageError> {
        let query = self.sql("SELECT id, data, profile FROM connections WHERE tenant_id = $1 ORDER BY name");
        self.rows("connections", "id", query).await?.iter().map(managed_connection).collect()
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

fn managed_client_grant(row: &Record) -> Result<ManagedClientGrant, StorageError> {
    Ok(ManagedClientGrant {
        id: row.opt_text("id")?.unwrap_or_default(),
        grant: ClientGrant {
            client_id: ClientId::new(row.text("client_id")?),
            audience: row.text("audience")?,
            scope: row.json("scope")?,
        },
        profile: row.json("profile")?,
    })
}

fn managed_connection(row: &Record) -> Result<ManagedConnection, StorageError> {
    Ok(ManagedConnection { connection: row.json("data")?, profile: row.json("profile")? })
}
