//! Authorization codes, by their hash.

use model::{AuthorizationCode, ClientId, RefreshTokenId, SessionId, Timestamp, UserId};

use crate::row::to_json;
use crate::{StorageError, TenantTx};

impl TenantTx {
    /// Stores a new code.
    pub async fn insert_code(&mut self, hash: &str, code: &AuthorizationCode) -> Result<(), StorageError> {
        let query = self
            .sql(
                "INSERT INTO codes (tenant_id, hash, client_id, user_id, session_id, request, auth_time,
                     id_token_claims, access_token_claims, created_at, expires_at, issued_refresh_token)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            )
            .bind(hash)
            .bind(code.client_id.as_str())
            .bind(code.user_id.as_str())
            .bind(code.session_id.as_str())
            .bind(to_json(&code.request)?)
            .bind(code.auth_time.as_ms())
            .bind(to_json(&code.id_token_claims)?)
            .bind(to_json(&code.access_token_claims)?)
            .bind(code.created_at.as_ms())
            .bind(code.expires_at.as_ms())
            .bind(code.issued_refresh_token.as_ref().map(|id| id.as_str().to_owned()));
        self.run(query).await.map(drop)
    }

    /// The code and when it was spent. Spent codes are found, so that a replay is known as one.
    pub async fn code(
        &mut self,
        hash: &str,
    ) -> Result<Option<(AuthorizationCode, Option<Timestamp>)>, StorageError> {
        let query = self
            .sql(
                "SELECT hash, client_id, user_id, session_id, request, auth_time, id_token_claims,
                     access_token_claims, created_at, expires_at, used_at, issued_refresh_token
                 FROM codes WHERE tenant_id = $1 AND hash = $2",
            )
            .bind(hash);
        let Some(row) = self.row("codes", "hash", query).await? else { return Ok(None) };
        let code = AuthorizationCode {
            client_id: ClientId::new(row.text("client_id")?),
            user_id: UserId::new(row.text("user_id")?),
            session_id: SessionId::new(row.text("session_id")?),
            request: row.json("request")?,
            auth_time: row.time("auth_time")?,
            id_token_claims: row.json("id_token_claims")?,
            access_token_claims: row.json("access_token_claims")?,
            created_at: row.time("created_at")?,
            expires_at: row.time("expires_at")?,
            issued_refresh_token: row.opt_text("issued_refresh_token")?.map(RefreshTokenId::new),
        };
        Ok(Some((code, row.opt_time("used_at")?)))
    }

    /// Spends the code: `true` for one caller. Does not look at its expiry, so that `false` always means a replay.
    pub async fn spend_code(&mut self, hash: &str, now: Timestamp) -> Result<bool, StorageError> {
        let query = self
            .sql("UPDATE codes SET used_at = $3 WHERE tenant_id = $1 AND hash = $2 AND used_at IS NULL")
            .bind(hash)
            .bind(now.as_ms());
        Ok(self.run(query).await? > 0)
    }

    /// Notes the refresh token that the code's exchange issued.
    pub async fn set_code_refresh_token(
        &mut self,
        hash: &str,
        id: &RefreshTokenId,
    ) -> Result<(), StorageError> {
        let query = self
            .sql("UPDATE codes SET issued_refresh_token = $3 WHERE tenant_id = $1 AND hash = $2")
            .bind(hash)
            .bind(id.as_str());
        self.run(query).await.map(drop)
    }

    /// Notes the hash of the opaque access token that the code's exchange issued.
    pub async fn set_code_access_token(
        &mut self,
        hash: &str,
        access_token: &str,
    ) -> Result<(), StorageError> {
        let query = self
            .sql("UPDATE codes SET issued_access_token = $3 WHERE tenant_id = $1 AND hash = $2")
            .bind(hash)
            .bind(access_token);
        self.run(query).await.map(drop)
    }
}
