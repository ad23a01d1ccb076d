//! The records of what Actions did.

use std::collections::BTreeMap;

use action_api::RunError;
use model::TenantId;
use serde::Serialize;
use serde_json::Value;
use storage::StoredExecution;
use utoipa::ToSchema;

use crate::Idp;
use crate::manage::ManageError;

/// Why an Action did not build, or did not run to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ActionError {
    /// Which kind of mistake.
    pub id: String,
    /// For its author.
    pub msg: String,
    /// Always `null`.
    #[schema(required = true)]
    pub url: Option<String>,
}

/// What an Action printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PrintedLine {
    /// The method of `console`, as `log`.
    pub level: String,
    /// As it was printed.
    pub text: String,
}

/// What an Action asked for: the command, and its arguments by their names.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ActionCommand {
    /// As `idToken.setCustomClaim`.
    pub command: String,
    /// What it was called with.
    #[serde(flatten)]
    pub arguments: BTreeMap<String, Value>,
}

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

/// The error of a stored run, as an execution shows it; `None` where it did not fail. What failed on our side is told to the
/// operator's log alone.
#[must_use]
pub fn run_error(report: &Value) -> Option<ActionError> {
    serde_json::from_value::<Option<RunError>>(report["error"].clone()).ok()?.as_ref().map(shown_error)
}

pub(super) fn shown_error(error: &RunError) -> ActionError {
    let msg = match error {
        RunError::Host { .. } | RunError::Diverged { .. } => {
            "The server could not run the Action.".to_owned()
        }
        other => other.to_string(),
    };
    ActionError { id: error.class().to_owned(), msg, url: None }
}
