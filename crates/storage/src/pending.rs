//! Logins under way. Each is found by its handle, in the browser that began it only.

use model::{PendingAuthorization, PendingAuthorizationId, Timestamp};

use crate::row::{Record, to_json};
use crate::{StorageError, TenantTx};

impl TenantTx {
    /// Stores a login that begins.
    pub async fn insert_pending(
        &mut self,
        pending: &PendingAuthorization,
        handle_hash: &str,
        browser_hash: &str,
    ) -> Result<(), StorageError> {
        let query = self
            .sql(
                "INSERT INTO pending_authorizations (tenant_id, id, handle_hash, browser_hash, request, created_at,
                     expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            )
            .bind(pending.id.as_str())
            .bind(handle_hash)
            .bind(browser_hash)
            .bind(to_json(&pending.request)?)
            .bind(pending.created_at.as_ms())
            .bind(pending.expires_at.as_ms());
        self.write(query)
    }

    /// Stores a login whose browser leaves for an Action, under a new handle: one that has just been taken for completion, or
    /// one that needed no page so far.
    pub async fn suspend_pending(
        &mut self,
        pending: &PendingAuthorization,
        handle_hash: &str,
        browser_hash: &str,
    ) -> Result<(), StorageError> {
        let query = self
            .sql(
                "INSERT INTO pending_authorizations (tenant_id, id, handle_hash, browser_hash, request, suspended,
                     created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
                 ON CONFLICT (tenant_id, id) DO UPDATE SET handle_hash = excluded.handle_hash,
                     browser_hash = excluded.browser_hash, suspended = excluded.suspended,
                     expires_at = excluded.expires_at, spent_at = NULL
                 WHERE pending_authorizations.spent_at IS NOT NULL",
            )
            .bind(pending.id.as_str())
            .bind(handle_hash)
            .bind(browser_hash)
            .bind(to_json(&pending.request)?)
            .bind(to_json(&pending.suspended)?)
            .bind(pending.created_at.as_ms())
            .bind(pending.expires_at.as_ms());
        self.write(query)
    }

    /// The browser's login of that handle, unless it is completed or has expired.
    pub async fn pending(
        &mut self,
        handle_hash: &str,
        browser_hash: &str,
        now: Timestamp,
    ) -> Result<Option<PendingAuthorization>, StorageError> {
        let query = self
            .sql(
                "SELECT id, request, suspended, created_at, expires_at FROM pending_authorizations
                 WHERE tenant_id = $1 AND handle_hash = $2 AND browser_hash = $3
                     AND spent_at IS NULL AND expires_at > $4",
            )
            .bind(handle_hash)
            .bind(browser_hash)
            .bind(now.as_ms());
        self.row("pending_authorizations", "id", query).await?.as_ref().map(pending).transpose()
    }

    /// Takes the browser's login of that handle for completion: one caller gets it, once, before it expires.
    pub async fn spend_pending(
        &mut self,
        handle_hash: &str,
        browser_hash: &str,
        now: Timestamp,
    ) -> Result<Option<PendingAuthorization>, StorageError> {
        let query = self
            .sql(
                "UPDATE pending_authorizations SET spent_at = $4
                 WHERE tenant_id = $1 AND handle_hash = $2 AND browser_hash = $3
                     AND spent_at IS NULL AND expires_at > $4
                 RETURNING id, request, suspended, created_at, expires_at",
            )
            .bind(handle_hash)
            .bind(browser_hash)
            .bind(now.as_ms());
        self.row("pending_authorizations", "id", query).await?.as_ref().map(pending).transpose()
    }
}

fn pending(row: &Record) -> Result<PendingAuthorization, StorageError> {
    Ok(PendingAuthorization {
        id: PendingAuthorizationId::new(row.text("id")?),
        request: row.json("request")?,
        suspended: row.opt_text("suspended")?.is_some().then(|| row.json("suspended")).transpose()?,
        created_at: row.time("created_at")?,
        expires_at: row.time("expires_at")?,
    })
}
