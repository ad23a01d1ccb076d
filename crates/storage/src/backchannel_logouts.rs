//! Which client is still to be told of the end of which session. Rows come in with the revocation that ends the session
//! (`revocations.rs`).

use model::{BackchannelLogout, ClientId, SessionId, TenantId, Timestamp, UserId};

use crate::row::Record;
use crate::statement::Statement;
use crate::{Storage, StorageError, TenantTx};

impl Storage {
    /// The tenants that have something due, the longest waiting first; at most `limit`.
    pub async fn tenants_with_due_logouts(
        &self,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<TenantId>, StorageError> {
        // Grouped by no index: what is due is found by its time.
        let sql = "SELECT MIN(tenant_id) AS tenant_id FROM backchannel_logouts
             WHERE due_at <= $1 AND finished = 0 GROUP BY tenant_id || '' ORDER BY MIN(due_at) LIMIT $2";
        let rows = self.read(Statement::new(sql).bind(now.as_ms()).bind(limit)).await?;
        rows.into_iter()
            .map(|row| Record { table: "backchannel_logouts", id_column: "tenant_id", row })
            .map(|row| row.text("tenant_id").map(TenantId::new))
            .collect()
    }
}

impl TenantTx {
    /// Takes what is due for the caller alone, at most eight; it is due again at `lease_end`, unless the caller says
    /// otherwise before.
    pub async fn claim_backchannel_logouts(
        &mut self,
        now: Timestamp,
        lease_end: Timestamp,
    ) -> Result<Vec<BackchannelLogout>, StorageError> {
        // The outer condition on `due_at` is looked at again when another node was faster. The number is no parameter, so
        // that PostgreSQL can plan for it.
        let query = self
            .sql(
                "UPDATE backchannel_logouts SET due_at = $3, attempts = attempts + 1
                 WHERE tenant_id = $1 AND due_at <= $2 AND (session_id, client_id) IN (
                     SELECT b.session_id, b.client_id FROM backchannel_logouts b
                     WHERE b.tenant_id = $1 AND b.due_at <= $2 AND b.finished = 0 ORDER BY b.due_at LIMIT 8)
                 RETURNING session_id, client_id, user_id, issuer, created_at, attempts",
            )
            .bind(now.as_ms())
            .bind(lease_end.as_ms());
        let rows = self.rows("backchannel_logouts", "session_id", query).await?;
        rows.iter()
            .map(|row| {
                Ok(BackchannelLogout {
                    session_id: SessionId::new(row.text("session_id")?),
                    client_id: ClientId::new(row.text("client_id")?),
                    user_id: UserId::new(row.text("user_id")?),
                    issuer: row.text("issuer")?,
                    created_at: row.time("created_at")?,
                    attempts: row.int("attempts")?,
                })
            })
            .collect()
    }

    /// Puts off what the caller has claimed. Nothing happens when the claim has passed to somebody else.
    pub async fn put_off_backchannel_logout(
        &mut self,
        logout: &BackchannelLogout,
        due_at: Timestamp,
    ) -> Result<(), StorageError> {
        let query = self
            .sql(
                "UPDATE backchannel_logouts SET due_at = $5
                 WHERE tenant_id = $1 AND session_id = $2 AND client_id = $3 AND attempts = $4 AND finished = 0",
            )
            .bind(logout.session_id.as_str().to_owned())
            .bind(logout.client_id.as_str().to_owned())
            .bind(logout.attempts)
            .bind(due_at.as_ms());
        self.write(query)
    }

    /// Finishes what the caller has claimed. The row stays until `remove_at` at least (`housekeeping.rs`), so that the
    /// client is not told again.
    /// `false`: the claim has passed to somebody else.
    pub async fn finish_backchannel_logout(
        &mut self,
        logout: &BackchannelLogout,
        remove_at: Timestamp,
    ) -> Result<bool, StorageError> {
        let query = self
            .sql(
                "UPDATE backchannel_logouts SET due_at = $5, finished = 1
                 WHERE tenant_id = $1 AND session_id = $2 AND client_id = $3 AND attempts = $4 AND finished = 0",
            )
            .bind(logout.session_id.as_str().to_owned())
            .bind(logout.client_id.as_str().to_owned())
            .bind(logout.attempts)
            .bind(remove_at.as_ms());
        Ok(self.run(query).await? > 0)
    }
}
