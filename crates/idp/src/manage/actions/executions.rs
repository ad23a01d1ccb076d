//! The records of what Actions did.

use action_api::RunError;
use model::TenantId;
use serde_json::{Value, json};
use storage::StoredExecution;

use crate::Idp;
use crate::manage::ManageError;

/// The runs of one execution of a trigger, in their order. There is at least one.
///
/// # Errors
/// [`ManageError::NotFound`]
pub async fn execution(idp: &Idp, tenant: &TenantId, id: &str) -> Result<Vec<StoredExecution>, ManageError> {
    let runs = idp.storage.begin_read(tenant).await?.execution(id).await?;
    if runs.is_empty() {
        let message = "That execution does not exist.".to_owned();
        return Err(ManageError::NotFound { error_code: None, message });
    }
    Ok(runs)
}

/// Up to `take` runs after the one with that number, oldest first; without a number, the newest ones.
///
/// # Errors
/// [`ManageError::Server`]
pub async fn executions(
    idp: &Idp,
    tenant: &TenantId,
    after: Option<i64>,
    take: i64,
) -> Result<Vec<StoredExecution>, ManageError> {
    let mut tx = idp.storage.begin_read(tenant).await?;
    match after {
        Some(after) => Ok(tx.executions_after(after, take).await?),
        None => {
            let mut newest = tx.executions(take).await?;
            newest.reverse();
            Ok(newest)
        }
    }
}

/// The error of a stored run, as an execution shows it; `null` where it did not fail. What failed on our side is told to the
/// operator's log alone.
#[must_use]
pub fn run_error(report: &Value) -> Value {
    let Ok(Some(error)) = serde_json::from_value::<Option<RunError>>(report["error"].clone()) else {
        return Value::Null;
    };
    let msg = match &error {
        RunError::Host { .. } | RunError::Diverged { .. } => {
            "The server could not run the Action.".to_owned()
        }
        other => other.to_string(),
    };
    json!({ "id": error.class(), "msg": msg, "url": null })
}
