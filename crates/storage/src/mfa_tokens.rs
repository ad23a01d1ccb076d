//! Logins without a browser that wait for a second factor, by the hash of their `mfa_token`.

use model::{ClientId, MfaToken, Timestamp, UserId};

use crate::row::to_json;
use crate::{StorageError, TenantTx};

impl TenantTx {
    /// Stores a login that waits.
    pub async fn insert_mfa_token(&mut self, hash: &str, token: &MfaToken) -> Result<(), StorageError> {
        let query = self
            .sql(
                "INSERT INTO mfa_tokens (tenant_id, hash, client_id, user_id, login, created_at, expires_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7)",
            )
            .bind(hash)
            .bind(token.client_id.as_str())
            .bind(token.user_id.as_str())
            .bind(to_json(&token.login)?)
            .bind(token.created_at.as_ms())
            .bind(token.expires_at.as_ms());
        self.write(query)
    }

    /// The login of that token, expired or not, unless it was completed.
    pub async fn mfa_token(&mut self, hash: &str) -> Result<Option<MfaToken>, StorageError> {
        let query = self
            .sql(
                "SELECT hash, client_id, user_id, login, created_at, expires_at FROM mfa_tokens
                 WHERE tenant_id = $1 AND hash = $2 AND spent_at IS NULL",
            )
            .bind(hash);
        let Some(row) = self.row("mfa_tokens", "hash", query).await? else { return Ok(None) };
        Ok(Some(MfaToken {
            client_id: ClientId::new(row.text("client_id")?),
            user_id: UserId::new(row.text("user_id")?),
            login: row.json("login")?,
            created_at: row.time("created_at")?,
            expires_at: row.time("expires_at")?,
        }))
    }

    /// Takes the login for completion: `true` for one caller, before it expires.
    pub async fn spend_mfa_token(&mut self, hash: &str, now: Timestamp) -> Result<bool, StorageError> {
        let query = self
            .sql(
                "UPDATE mfa_tokens SET spent_at = $3
                 WHERE tenant_id = $1 AND hash = $2 AND spent_at IS NULL AND expires_at > $3",
            )
            .bind(hash)
            .bind(now.as_ms());
        Ok(self.run(query).await? > 0)
    }
}
