//! The `jti` of JWTs that may be used once: DPoP proofs and client assertions.

use model::Timestamp;

use crate::{StorageError, TenantTx};

impl TenantTx {
    /// Spends the id of a JWT: `true` for one caller. It is kept until `expires_at`, which must not come before the JWT
    /// is refused for its age.
    pub async fn spend_jwt_id(&mut self, hash: &str, expires_at: Timestamp) -> Result<bool, StorageError> {
        let query = self
            .sql(
                "INSERT INTO spent_jwt_ids (tenant_id, hash, expires_at) VALUES ($1, $2, $3)
                 ON CONFLICT (tenant_id, hash) DO NOTHING",
            )
            .bind(hash)
            .bind(expires_at.as_ms());
        Ok(self.run(query).await? > 0)
    }
}
