//! Access tokens that are kept, by their hash: opaque ones, and those in JWT form that are introspected.

use model::{ClientId, RefreshTokenId, SessionId, StoredAccessToken, UserId};

use crate::row::to_json;
use crate::{StorageError, TenantTx};

impl TenantTx {
    /// Stores a new access token.
    pub async fn insert_access_token(
        &mut self,
        hash: &str,
        token: &StoredAccessToken,
    ) -> Result<(), StorageError> {
        let query = self
            .sql(
                "INSERT INTO access_tokens (tenant_id, hash, client_id, user_id, session_id, refresh_token_id, scope,
                     custom_claims, expires_at, dpop_jkt) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            )
            .bind(hash)
            .bind(token.client_id.as_str())
            .bind(token.user_id.as_str())
            .bind(token.session_id.as_ref().map(|id| id.as_str().to_owned()))
            .bind(token.refresh_token_id.as_ref().map(|id| id.as_str().to_owned()))
            .bind(to_json(&token.scope)?)
            .bind(to_json(&token.custom_claims)?)
            .bind(token.expires_at.as_ms())
            .bind(token.dpop_jkt.clone());
        self.write(query)
    }

    /// Forgets the access token that the code's exchange issued.
    pub async fn delete_access_token_of_code(&mut self, code: &str) -> Result<(), StorageError> {
        let query = self
            .sql(
                "DELETE FROM access_tokens WHERE tenant_id = $1 AND hash =
                     (SELECT c.issued_access_token FROM codes c WHERE c.tenant_id = $1 AND c.hash = $2)",
            )
            .bind(code);
        self.write(query)
    }

    /// The access token of that hash, expired or not.
    pub async fn access_token(&mut self, hash: &str) -> Result<Option<StoredAccessToken>, StorageError> {
        let query = self
            .sql(
                "SELECT hash, client_id, user_id, session_id, refresh_token_id, scope, custom_claims, expires_at,
                     dpop_jkt FROM access_tokens WHERE tenant_id = $1 AND hash = $2",
            )
            .bind(hash);
        let Some(row) = self.row("access_tokens", "hash", query).await? else { return Ok(None) };
        Ok(Some(StoredAccessToken {
            client_id: ClientId::new(row.text("client_id")?),
            user_id: UserId::new(row.text("user_id")?),
            session_id: row.opt_text("session_id")?.map(SessionId::new),
            refresh_token_id: row.opt_text("refresh_token_id")?.map(RefreshTokenId::new),
            scope: row.json("scope")?,
            custom_claims: row.json("custom_claims")?,
            dpop_jkt: row.opt_text("dpop_jkt")?,
            expires_at: row.time("expires_at")?,
        }))
    }
}
