//! The tenant's log.

use model::{ClientId, LogEntry, Timestamp, UserId};
use serde_json::Value;

use crate::row::to_json;
use crate::{StorageError, TenantTx};

/// An entry of the log, as it is read back.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredLog {
    /// Later entries have higher ones.
    pub log_id: i64,
    /// The code of what happened (`model::LogType::code`).
    pub code: String,
    /// When.
    pub date: Timestamp,
    /// The client, when one is known.
    pub client_id: Option<ClientId>,
    /// The user, when one is known.
    pub user_id: Option<UserId>,
    /// The caller's address.
    pub ip: Option<String>,
    /// For people.
    pub description: String,
    /// For tools.
    pub details: Value,
}

impl TenantTx {
    /// Appends to the log.
    pub async fn insert_log(&mut self, entry: &LogEntry) -> Result<(), StorageError> {
        let query = self
            .sql(
                "INSERT INTO logs (tenant_id, code, date, client_id, user_id, ip, description, details)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            )
            .bind(entry.log_type.code())
            .bind(entry.date.as_ms())
            .bind(entry.client_id.as_ref().map(|id| id.as_str().to_owned()))
            .bind(entry.user_id.as_ref().map(|id| id.as_str().to_owned()))
            .bind(entry.ip.clone())
            .bind(entry.description.as_str())
            .bind(to_json(&entry.details)?);
        self.write(query)
    }

    /// The last entries, newest first.
    pub async fn logs(&mut self, limit: i64) -> Result<Vec<StoredLog>, StorageError> {
        let query = self
            .sql(
                "SELECT id, code, date, client_id, user_id, ip, description, details FROM logs
                 WHERE tenant_id = $1 ORDER BY id DESC LIMIT $2",
            )
            .bind(limit.max(0));
        let rows = self.rows("logs", "id", query).await?;
        rows.iter()
            .map(|row| {
                Ok(StoredLog {
                    log_id: row.int("id")?,
                    code: row.text("code")?,
                    date: row.time("date")?,
                    client_id: row.opt_text("client_id")?.map(ClientId::new),
                    user_id: row.opt_text("user_id")?.map(UserId::new),
                    ip: row.opt_text("ip")?,
                    description: row.text("description")?,
                    details: row.json("details")?,
                })
            })
            .collect()
    }
}
