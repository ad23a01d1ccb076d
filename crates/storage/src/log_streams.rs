//! Where tenants' logs are sent, and how far that has come. A node that sends something takes `due_at` forward before, so
//! that no other one sends the same; what it writes afterwards counts only while that holds.

use model::{LogStream, LogStreamStatus, TenantId, Timestamp};

use crate::row::{Record, to_json};
use crate::statement::Statement;
use crate::{DatabaseKind, LogCursor, Storage, StorageError, TenantTx};

macro_rules! fields {
    () => {
        "id, name, status, settings, sealed_secrets, cursor_written_by, cursor_id, failures, failing_since, last_error,
         created_at, updated_at"
    };
}

/// Whether the stream `s` has something to send.
macro_rules! has_more {
    (sqlite) => {
        "s.status = 'active' AND EXISTS (SELECT 1 FROM logs l WHERE l.tenant_id = s.tenant_id
             AND l.written_by = s.cursor_written_by AND l.id > s.cursor_id)"
    };
    (postgres) => {
        "s.status = 'active' AND EXISTS (SELECT 1 FROM logs l WHERE l.tenant_id = s.tenant_id
             AND (l.written_by, l.id) > (s.cursor_written_by, s.cursor_id)
             AND l.written_by < CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS TEXT) AS BIGINT))"
    };
}

macro_rules! claim {
    ($has_more:expr) => {
        concat!(
            "UPDATE log_streams SET due_at = $3 WHERE tenant_id = $1 AND due_at <= $2 AND id IN (
                 SELECT s.id FROM log_streams s WHERE s.tenant_id = $1 AND s.due_at <= $2 AND ",
            $has_more,
            " ORDER BY s.due_at LIMIT 4) RETURNING ",
            fields!()
        )
    };
}

macro_rules! due {
    ($has_more:expr) => {
        concat!(
            "SELECT MIN(s.tenant_id) AS tenant_id FROM log_streams s WHERE s.due_at <= $1 AND ",
            $has_more,
            " GROUP BY s.tenant_id || '' ORDER BY MIN(s.due_at) LIMIT $2"
        )
    };
}

/// A stream that the caller alone sends, until its lease ends.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimedLogStream {
    /// Which.
    pub stream: LogStream,
    /// What has been sent.
    pub cursor: LogCursor,
    /// Until when nobody else does.
    pub lease_end: Timestamp,
}

impl Storage {
    /// The tenants that have something to send, the longest waiting first; at most `limit`.
    pub async fn tenants_with_due_log_streams(
        &self,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<TenantId>, StorageError> {
        let sql = match self.kind() {
            DatabaseKind::Sqlite => due!(has_more!(sqlite)),
            DatabaseKind::Postgres => due!(has_more!(postgres)),
        };
        let rows = self.read(Statement::new(sql).bind(now.as_ms()).bind(limit)).await?;
        rows.into_iter()
            .map(|row| Record { table: "log_streams", id_column: "tenant_id", row })
            .map(|row| row.text("tenant_id").map(TenantId::new))
            .collect()
    }
}

impl TenantTx {
    /// Stores a new stream, which begins after the cursor. `false`: there is one of that name.
    pub async fn insert_log_stream(
        &mut self,
        stream: &LogStream,
        cursor: LogCursor,
    ) -> Result<bool, StorageError> {
        let query = self
            .sql(
                "INSERT INTO log_streams (tenant_id, id, name, status, settings, sealed_secrets, cursor_written_by,
                     cursor_id, due_at, created_at, updated_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $9) ON CONFLICT DO NOTHING",
            )
            .bind(stream.id.as_str())
            .bind(stream.name.as_str())
            .bind(stream.status.as_str())
            .bind(to_json(&stream.settings)?)
            .bind(stream.sealed_secrets.clone())
            .bind(cursor.written_by)
            .bind(cursor.id)
            .bind(stream.created_at.as_ms());
        Ok(self.run(query).await? > 0)
    }

    /// Changes what may be changed of a stream: name, status, settings and secrets. What failed before is forgotten when it
    /// goes on.
    pub async fn update_log_stream(&mut self, stream: &LogStream) -> Result<bool, StorageError> {
        let query = self
            .sql(
                "UPDATE log_streams SET name = $3, settings = $5, sealed_secrets = $6, updated_at = $7,
                     due_at = CASE WHEN status = $4 THEN due_at ELSE $7 END,
                     failures = CASE WHEN status = $4 THEN failures ELSE 0 END,
                     failing_since = CASE WHEN status = $4 THEN failing_since END,
                     last_error = CASE WHEN status = $4 THEN last_error END,
                     status = $4
                 WHERE tenant_id = $1 AND id = $2",
            )
            .bind(stream.id.as_str())
            .bind(stream.name.as_str())
            .bind(stream.status.as_str())
            .bind(to_json(&stream.settings)?)
            .bind(stream.sealed_secrets.clone())
            .bind(stream.updated_at.as_ms());
        Ok(self.run(query).await? > 0)
    }

    /// Removes a stream. `false`: there was none.
    pub async fn delete_log_stream(&mut self, id: &str) -> Result<bool, StorageError> {
        let query = self.sql("DELETE FROM log_streams WHERE tenant_id = $1 AND id = $2").bind(id);
        Ok(self.run(query).await? > 0)
    }

    /// One stream.
    pub async fn log_stream(&mut self, id: &str) -> Result<Option<LogStream>, StorageError> {
        let query = self
            .sql(concat!("SELECT ", fields!(), " FROM log_streams WHERE tenant_id = $1 AND id = $2"))
            .bind(id);
        let row = self.row("log_streams", "id", query).await?;
        row.map(|row| stream(&row)).transpose()
    }

    /// The stream of that name.
    pub async fn log_stream_by_name(&mut self, name: &str) -> Result<Option<LogStream>, StorageError> {
        let query = self
            .sql(concat!("SELECT ", fields!(), " FROM log_streams WHERE tenant_id = $1 AND name = $2"))
            .bind(name);
        let row = self.row("log_streams", "id", query).await?;
        row.map(|row| stream(&row)).transpose()
    }

    /// All streams, the oldest first.
    pub async fn log_streams(&mut self) -> Result<Vec<LogStream>, StorageError> {
        let query = self.sql(concat!(
            "SELECT ",
            fields!(),
            " FROM log_streams WHERE tenant_id = $1 ORDER BY created_at, id"
        ));
        self.rows("log_streams", "id", query).await?.iter().map(stream).collect()
    }

    /// Takes streams that have something to send for the caller alone, at most four, until `lease_end`.
    pub async fn claim_log_streams(
        &mut self,
        now: Timestamp,
        lease_end: Timestamp,
    ) -> Result<Vec<ClaimedLogStream>, StorageError> {
        let query = if self.is_postgres() {
            self.sql(claim!(has_more!(postgres)))
        } else {
            self.sql(claim!(has_more!(sqlite)))
        };
        let query = query.bind(now.as_ms()).bind(lease_end.as_ms());
        self.rows("log_streams", "id", query)
            .await?
            .iter()
            .map(|row| {
                let cursor =
                    LogCursor { written_by: row.int("cursor_written_by")?, id: row.int("cursor_id")? };
                Ok(ClaimedLogStream { stream: stream(row)?, cursor, lease_end })
            })
            .collect()
    }

    /// Everything up to the cursor has been sent; whoever comes next goes on. Nothing happens when the claim has passed to
    /// somebody else.
    pub async fn advance_log_stream(
        &mut self,
        claimed: &ClaimedLogStream,
        cursor: LogCursor,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let query = self
            .sql(
                "UPDATE log_streams SET cursor_written_by = $4, cursor_id = $5, due_at = $6, failures = 0,
                     failing_since = NULL, last_error = NULL
                 WHERE tenant_id = $1 AND id = $2 AND due_at = $3",
            )
            .bind(claimed.stream.id.as_str())
            .bind(claimed.lease_end.as_ms())
            .bind(cursor.written_by)
            .bind(cursor.id)
            .bind(now.as_ms());
        self.write(query)
    }

    /// Sending has failed for this reason: it is due again later, or the stream is suspended, as `stream.status` says.
    /// `false`: the claim has passed to somebody else.
    pub async fn put_off_log_stream(
        &mut self,
        claimed: &ClaimedLogStream,
        status: LogStreamStatus,
        reason: &str,
        failing_since: Timestamp,
        due_at: Timestamp,
    ) -> Result<bool, StorageError> {
        let query = self
            .sql(
                "UPDATE log_streams SET status = $4, last_error = $5, failing_since = $6, due_at = $7,
                     failures = failures + 1
                 WHERE tenant_id = $1 AND id = $2 AND due_at = $3 AND status = 'active'",
            )
            .bind(claimed.stream.id.as_str())
            .bind(claimed.lease_end.as_ms())
            .bind(status.as_str())
            .bind(reason)
            .bind(failing_since.as_ms())
            .bind(due_at.as_ms());
        Ok(self.run(query).await? > 0)
    }
}

fn stream(row: &Record) -> Result<LogStream, StorageError> {
    Ok(LogStream {
        id: row.text("id")?,
        name: row.text("name")?,
        status: match row.text("status")?.as_str() {
            "active" => LogStreamStatus::Active,
            "paused" => LogStreamStatus::Paused,
            "suspended" => LogStreamStatus::Suspended,
            other => return Err(row.wrong("status", format!("{other:?} is no status"))),
        },
        settings: row.json("settings")?,
        sealed_secrets: row.opt_text("sealed_secrets")?,
        failures: row.int("failures")?,
        failing_since: row.opt_time("failing_since")?,
        last_error: row.opt_text("last_error")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}
