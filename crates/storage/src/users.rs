//! Connections and their users.

use model::{Connection, ConnectionId, Timestamp, User, UserId};
use serde_json::{Map, Value};

use crate::row::{Record, ms, to_json};
use crate::{StorageError, TenantTx};

/// With names that no other table's columns have: a look-up of a token finds its user, too.
macro_rules! user_columns {
    () => {
        "u.id AS u_id, u.password_hash AS u_password_hash, u.user_metadata AS u_user_metadata,
         u.app_metadata AS u_app_metadata, u.logins_count AS u_logins_count, u.last_login AS u_last_login,
         u.last_ip AS u_last_ip, u.updated_at AS u_updated_at, u.data AS u_data"
    };
}
pub(crate) use user_columns;

impl TenantTx {
    /// The connection of that id.
    pub async fn connection(&mut self, id: &ConnectionId) -> Result<Option<Connection>, StorageError> {
        let query =
            self.sql("SELECT id, data FROM connections WHERE tenant_id = $1 AND id = $2").bind(id.as_str());
        self.row("connections", "id", query).await?.map(|row| row.json("data")).transpose()
    }

    /// The connection of that name.
    pub async fn connection_by_name(&mut self, name: &str) -> Result<Option<Connection>, StorageError> {
        let query =
            self.sql("SELECT id, data FROM connections WHERE tenant_id = $1 AND name = $2").bind(name);
        self.row("connections", "id", query).await?.map(|row| row.json("data")).transpose()
    }

    /// All connections, by name.
    pub async fn connections(&mut self) -> Result<Vec<Connection>, StorageError> {
        let query = self.sql("SELECT id, data FROM connections WHERE tenant_id = $1 ORDER BY name");
        self.rows("connections", "id", query).await?.iter().map(|row| row.json("data")).collect()
    }

    /// Makes or replaces the connection.
    pub async fn put_connection(&mut self, connection: &Connection) -> Result<(), StorageError> {
        let query = self
            .sql(
                "INSERT INTO connections (tenant_id, id, name, data) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (tenant_id, id) DO UPDATE SET name = excluded.name, data = excluded.data",
            )
            .bind(connection.id.as_str())
            .bind(connection.name.as_str())
            .bind(to_json(connection)?);
        self.write(query)
    }

    /// The user of that id.
    pub async fn user(&mut self, id: &UserId) -> Result<Option<User>, StorageError> {
        let query = self
            .sql(concat!("SELECT ", user_columns!(), " FROM users u WHERE u.tenant_id = $1 AND u.id = $2"))
            .bind(id.as_str());
        self.row("users", "u_id", query).await?.as_ref().map(user).transpose()
    }

    /// The connection's user with that email address or username, in lower case and without spaces around. When one
    /// user's username is another's address, the address decides.
    pub async fn user_by_login(
        &mut self,
        connection: &ConnectionId,
        identifier: &str,
    ) -> Result<Option<User>, StorageError> {
        let query = self
            .sql(concat!(
                "SELECT ",
                user_columns!(),
                " FROM users u WHERE u.tenant_id = $1 AND u.connection_id = $2
                      AND (u.email_lower = $3 OR u.username_lower = $3)
                  ORDER BY CASE WHEN u.email_lower = $3 THEN 0 ELSE 1 END LIMIT 1"
            ))
            .bind(connection.as_str())
            .bind(comparable(identifier));
        self.row("users", "u_id", query).await?.as_ref().map(user).transpose()
    }

    /// Makes or replaces the user. An address or username that another user of the connection has is a conflict
    /// ([`StorageError::is_conflict`]).
    pub async fn put_user(&mut self, user: &User) -> Result<(), StorageError> {
        // What has a column is not in the JSON, too: it would be stale.
        let rest = User {
            password_hash: None,
            user_metadata: Map::new(),
            app_metadata: Map::new(),
            logins_count: 0,
            last_login: None,
            last_ip: None,
            ..user.clone()
        };
        let query = self
            .sql(
                "INSERT INTO users (tenant_id, id, connection_id, email_lower, username_lower, password_hash,
                     user_metadata, app_metadata, logins_count, last_login, last_ip, updated_at, data)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
                 ON CONFLICT (tenant_id, id) DO UPDATE SET connection_id = excluded.connection_id,
                     email_lower = excluded.email_lower, username_lower = excluded.username_lower,
                     password_hash = excluded.password_hash, user_metadata = excluded.user_metadata,
                     app_metadata = excluded.app_metadata, logins_count = excluded.logins_count,
                     last_login = excluded.last_login, last_ip = excluded.last_ip,
                     updated_at = excluded.updated_at, data = excluded.data",
            )
            .bind(user.user_id.as_str())
            .bind(user.connection_id.as_str())
            .bind(user.email.as_deref().map(comparable))
            .bind(user.username.as_deref().map(comparable))
            .bind(user.password_hash.clone())
            .bind(to_json(&user.user_metadata)?)
            .bind(to_json(&user.app_metadata)?)
            .bind(user.logins_count)
            .bind(ms(user.last_login))
            .bind(user.last_ip.clone())
            .bind(user.updated_at.as_ms())
            .bind(to_json(&rest)?);
        self.run(query).await.map(drop)
    }

    /// Counts a login.
    pub async fn record_login(
        &mut self,
        user: &UserId,
        now: Timestamp,
        ip: &str,
    ) -> Result<(), StorageError> {
        let query = self
            .sql(
                "UPDATE users SET logins_count = logins_count + 1, last_login = $3, last_ip = $4
                 WHERE tenant_id = $1 AND id = $2",
            )
            .bind(user.as_str())
            .bind(now.as_ms())
            .bind(ip);
        self.write(query)
    }

    /// Replaces both kinds of metadata.
    pub async fn set_user_metadata(
        &mut self,
        user: &UserId,
        user_metadata: &Map<String, Value>,
        app_metadata: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let query = self
            .sql(
                "UPDATE users SET user_metadata = $3, app_metadata = $4, updated_at = $5
                 WHERE tenant_id = $1 AND id = $2",
            )
            .bind(user.as_str())
            .bind(to_json(user_metadata)?)
            .bind(to_json(app_metadata)?)
            .bind(now.as_ms());
        self.write(query)
    }

    /// Removes the user with their roles, memberships, factors and history. `false`: there is none.
    pub async fn delete_user(&mut self, user: &UserId) -> Result<bool, StorageError> {
        for sql in [
            "DELETE FROM user_roles WHERE tenant_id = $1 AND user_id = $2",
            "DELETE FROM organization_member_roles WHERE tenant_id = $1 AND user_id = $2",
            "DELETE FROM organization_members WHERE tenant_id = $1 AND user_id = $2",
            "DELETE FROM group_members WHERE tenant_id = $1 AND user_id = $2",
            "DELETE FROM authenticators WHERE tenant_id = $1 AND user_id = $2",
            "DELETE FROM login_histories WHERE tenant_id = $1 AND user_id = $2",
        ] {
            let query = self.sql(sql).bind(user.as_str());
            self.run(query).await?;
        }
        let query = self.sql("DELETE FROM users WHERE tenant_id = $1 AND id = $2").bind(user.as_str());
        Ok(self.run(query).await? > 0)
    }

    /// Replaces the hash of the user's password.
    pub async fn set_password_hash(&mut self, user: &UserId, hash: &str) -> Result<(), StorageError> {
        let query = self
            .sql("UPDATE users SET password_hash = $3 WHERE tenant_id = $1 AND id = $2")
            .bind(user.as_str())
            .bind(hash);
        self.write(query)
    }
}

pub(crate) fn comparable(identifier: &str) -> String {
    identifier.trim().to_lowercase()
}

pub(crate) fn user(row: &Record) -> Result<User, StorageError> {
    let rest: User = row.json("u_data")?;
    Ok(User {
        password_hash: row.opt_text("u_password_hash")?,
        user_metadata: row.json("u_user_metadata")?,
        app_metadata: row.json("u_app_metadata")?,
        logins_count: row.int("u_logins_count")?,
        last_login: row.opt_time("u_last_login")?,
        last_ip: row.opt_text("u_last_ip")?,
        updated_at: row.time("u_updated_at")?,
        ..rest
    })
}

/// The user in a row that may have none.
pub(crate) fn user_if_any(row: &Record) -> Result<Option<User>, StorageError> {
    match row.opt_text("u_id")? {
        Some(_) => user(row).map(Some),
        None => Ok(None),
    }
}
