//! The records of what Actions did.

use model::{ActionId, Execution, ExecutionStatus};

use crate::row::{Record, to_json};
use crate::{StorageError, TenantTx};

/// The record of a run, as it is read back.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredExecution {
    /// Later runs have higher ones.
    pub id: i64,
    /// The login that it was part of.
    pub transaction_id: String,
    /// The run.
    pub execution: Execution,
}

impl TenantTx {
    /// Records a run in the login of that transaction.
    pub async fn insert_execution(
        &mut self,
        transaction_id: &str,
        execution: &Execution,
    ) -> Result<(), StorageError> {
        let query = self
            .sql(
                "INSERT INTO executions (tenant_id, transaction_id, action_id, action_name, version, report, created_at,
                     execution_id, status) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            )
            .bind(transaction_id)
            .bind(execution.action_id.as_str())
            .bind(execution.action_name.as_str())
            .bind(execution.version)
            .bind(to_json(&execution.report)?)
            .bind(execution.created_at.as_ms())
            .bind(execution.execution_id.clone())
            .bind(to_json(&execution.status)?);
        self.write(query)
    }

    /// The last runs with their transactions, newest first.
    pub async fn executions(&mut self, limit: i64) -> Result<Vec<StoredExecution>, StorageError> {
        let query = self
            .sql(
                "SELECT id, transaction_id, action_id, action_name, version, report, created_at, execution_id, status
                 FROM executions WHERE tenant_id = $1 ORDER BY id DESC LIMIT $2",
            )
            .bind(limit.max(0));
        self.rows("executions", "transaction_id", query).await?.iter().map(stored).collect()
    }

    /// The runs after that one, oldest first.
    pub async fn executions_after(
        &mut self,
        id: i64,
        limit: i64,
    ) -> Result<Vec<StoredExecution>, StorageError> {
        let query = self
            .sql(
                "SELECT id, transaction_id, action_id, action_name, version, report, created_at, execution_id, status
                 FROM executions WHERE tenant_id = $1 AND id > $2 ORDER BY id LIMIT $3",
            )
            .bind(id)
            .bind(limit.max(0));
        self.rows("executions", "transaction_id", query).await?.iter().map(stored).collect()
    }

    /// The runs of one execution of a trigger, in their order.
    pub async fn execution(&mut self, execution_id: &str) -> Result<Vec<StoredExecution>, StorageError> {
        let query = self
            .sql(
                "SELECT id, transaction_id, action_id, action_name, version, report, created_at, execution_id, status
                 FROM executions WHERE tenant_id = $1 AND execution_id = $2 ORDER BY id",
            )
            .bind(execution_id);
        self.rows("executions", "transaction_id", query).await?.iter().map(stored).collect()
    }
}

fn stored(row: &Record) -> Result<StoredExecution, StorageError> {
    let status = match row.opt_text("status")? {
        Some(_) => row.json("status")?,
        None => ExecutionStatus::default(),
    };
    Ok(StoredExecution {
        id: row.int("id")?,
        transaction_id: row.text("transaction_id")?,
        execution: Execution {
            action_id: ActionId::new(row.text("action_id")?),
            action_name: row.text("action_name")?,
            version: row.int("version")?,
            execution_id: row.opt_text("execution_id")?,
            status,
            report: row.json("report")?,
            created_at: row.time("created_at")?,
        },
    })
}
