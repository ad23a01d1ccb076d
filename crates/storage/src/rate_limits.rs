//! Counters of what may be done so often in a time.

use model::Timestamp;

use crate::{StorageError, TenantTx};

/// A counter is forgotten when its window has been over for certain.
pub(crate) const LONGEST_WINDOW_SECS: i64 = 24 * 3600;

impl TenantTx {
    /// Counts a hit; how many there were in the current fixed window, this one included. A window is a second to a day.
    pub async fn hit_rate_limit(
        &mut self,
        key: &str,
        window_secs: i64,
        now: Timestamp,
    ) -> Result<i64, StorageError> {
        let window = window_secs.clamp(1, LONGEST_WINDOW_SECS) * 1000;
        // A node whose clock is behind counts in the window that another has begun.
        let query = self
            .sql(
                "INSERT INTO rate_limits (tenant_id, key, window_start, hits) VALUES ($1, $2, $3, 1)
                 ON CONFLICT (tenant_id, key) DO UPDATE SET
                     hits = CASE WHEN rate_limits.window_start >= excluded.window_start
                         THEN rate_limits.hits + 1 ELSE 1 END,
                     window_start = CASE WHEN rate_limits.window_start >= excluded.window_start
                         THEN rate_limits.window_start ELSE excluded.window_start END
                 RETURNING key, hits",
            )
            .bind(key)
            .bind(now.as_ms() - now.as_ms() % window);
        self.row("rate_limits", "key", query).await?.ok_or(StorageError::NoRow)?.int("hits")
    }

    /// Forgets the hits.
    pub async fn clear_rate_limit(&mut self, key: &str) -> Result<(), StorageError> {
        let query = self.sql("DELETE FROM rate_limits WHERE tenant_id = $1 AND key = $2").bind(key);
        self.write(query)
    }
}
