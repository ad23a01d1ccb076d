//! Session transfer tokens, by their hash.

use model::{
    ClientId, ConnectionId, OrganizationId, RefreshTokenId, SessionTransferToken, Timestamp, UserId,
};

use crate::row::to_json;
use crate::{StorageError, TenantTx};

impl TenantTx {
    /// Stores a new session transfer token.
    pub async fn insert_session_transfer_token(
        &mut self,
        hash: &str,
        token: &SessionTransferToken,
    ) -> Result<(), StorageError> {
        let query = self
            .sql(
                "INSERT INTO session_transfer_tokens (tenant_id, hash, client_id, user_id, refresh_token_id,
                     connection_id, scope, request, auth_time, created_at, expires_at, organization_id)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            )
            .bind(hash)
            .bind(token.client_id.as_str())
            .bind(token.user_id.as_str())
            .bind(token.refresh_token_id.as_str())
            .bind(token.connection_id.as_str())
            .bind(to_json(&token.scope)?)
            .bind(to_json(&token.request)?)
            .bind(token.auth_time.as_ms())
            .bind(token.created_at.as_ms())
            .bind(token.expires_at.as_ms())
            .bind(token.organization_id.as_ref().map(|id| id.as_str().to_owned()));
        self.write(query)
    }

    /// Spends the session transfer token: one caller gets it, once. The caller looks at its expiry.
    pub async fn spend_session_transfer_token(
        &mut self,
        hash: &str,
        now: Timestamp,
    ) -> Result<Option<SessionTransferToken>, StorageError> {
        let query = self
            .sql(
                "UPDATE session_transfer_tokens SET used_at = $3
                 WHERE tenant_id = $1 AND hash = $2 AND used_at IS NULL
                 RETURNING hash, client_id, user_id, refresh_token_id, connection_id, scope, request, auth_time,
                     created_at, expires_at, organization_id",
            )
            .bind(hash)
            .bind(now.as_ms());
        let Some(row) = self.row("session_transfer_tokens", "hash", query).await? else { return Ok(None) };
        Ok(Some(SessionTransferToken {
            client_id: ClientId::new(row.text("client_id")?),
            user_id: UserId::new(row.text("user_id")?),
            refresh_token_id: RefreshTokenId::new(row.text("refresh_token_id")?),
            connection_id: ConnectionId::new(row.text("connection_id")?),
            organization_id: row.opt_text("organization_id")?.map(OrganizationId::new),
            scope: row.json("scope")?,
            request: row.json("request")?,
            auth_time: row.time("auth_time")?,
            created_at: row.time("created_at")?,
            expires_at: row.time("expires_at")?,
        }))
    }
}
