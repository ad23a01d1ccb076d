//! Running a draft on an event that its author made up.

use std::sync::Arc;
use std::time::Instant;

use action_api::{Command, ConsoleLine, Handler, Operations, RunError, RunReport};
use model::{ActionId, BoundModule, ConnectionId, OrganizationId, TenantId, Timestamp, UserId};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::executions::shown_error;
use super::{ActionCommand, ActionError, COMPONENT_RUNTIME, PrintedLine, build, existing, secrets};
use crate::decision::{Decision, Suspension};
use crate::lookups::{Lookups, Subject};
use crate::manage::ManageError;
use crate::{ActionRun, Idp};

/// What came of it, as the dialect answers; what was printed, and the decision, are there besides.
#[derive(Debug, Serialize, ToSchema)]
pub struct TestRun {
    stats: TestStats,
    #[schema(value_type = Vec<PrintedLine>)]
    logs: Vec<ConsoleLine>,
    #[schema(value_type = Vec<ActionCommand>)]
    commands: Vec<Command>,
    decision: TestDecision,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error: Option<TestError>,
}

/// What the run took. The names are the dialect's, but for the last two.
#[derive(Debug, Serialize, ToSchema)]
struct TestStats {
    total_request_duration_ms: f64,
    total_runtime_execution_duration_ms: f64,
    runtime_processing_duration_ms: f64,
    action_duration_ms: f64,
    /// It waited for what it asked for.
    runtime_external_call_duration_ms: f64,
    boot_duration_ms: f64,
    /// Always 0: there is no network between the server and the Action.
    network_duration_ms: u64,
    fuel: u64,
    memory_bytes: u64,
}

/// What would have become of the login.
#[derive(Debug, Default, Serialize, ToSchema)]
struct TestDecision {
    outcome: TestOutcome,
    /// Why it would have been denied.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<String>,
    /// Where the browser would have been sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    url: Option<String>,
    /// The form that would have been shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    form_id: Option<String>,
    /// What of it would have had no effect.
    warnings: Vec<String>,
}

/// What comes after the Action.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum TestOutcome {
    #[default]
    Allow,
    Deny,
    Redirect,
    Form,
    Factor,
}

/// What was thrown, or went wrong.
#[derive(Debug, Serialize, ToSchema)]
struct TestError {
    name: String,
    message: String,
    /// Of an exception.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    stack: Option<String>,
}

impl TestRun {
    fn of(report: RunReport, decision: TestDecision, total_us: u64) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "microseconds of a run")]
        let ms = |us: u64| us as f64 / 1000.0;
        let stats = TestStats {
            total_request_duration_ms: ms(total_us),
            total_runtime_execution_duration_ms: ms(report.elapsed_us),
            runtime_processing_duration_ms: ms(report.cpu_us),
            action_duration_ms: ms(report.elapsed_us),
            runtime_external_call_duration_ms: ms(report.elapsed_us.saturating_sub(report.cpu_us)),
            boot_duration_ms: ms(total_us.saturating_sub(report.elapsed_us)),
            network_duration_ms: 0,
            fuel: report.fuel,
            memory_bytes: report.memory_bytes,
        };
        Self {
            stats,
            logs: report.console,
            commands: report.commands,
            decision,
            error: report.error.map(TestError::from),
        }
    }
}

impl From<RunError> for TestError {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Exception { exception } => {
                Self { name: exception.name, message: exception.message, stack: Some(exception.stack) }
            }
            other => {
                let ActionError { id, msg, .. } = shown_error(&other);
                Self { name: id, message: msg, stack: None }
            }
        }
    }
}

/// Runs the draft in the sandbox with its secrets, under the limits of a login. Requests that it sends are really sent.
///
/// # Errors
/// [`ManageError::NotFound`]; [`ManageError::Invalid`] when the draft is not built, or the event is no object.
pub async fn test_action(
    idp: &Idp,
    tenant: &TenantId,
    id: &ActionId,
    mut event: Value,
) -> Result<TestRun, ManageError> {
    if !event.is_object() {
        return Err(ManageError::invalid("payload.event must be an object"));
    }
    let mut tx = idp.storage.begin_read(tenant).await?;
    let action = existing(&mut tx, id).await?;
    let mut modules = Vec::new();
    for used in &action.draft.settings.modules {
        let version = tx.action_module_version(&used.id, used.number).await?;
        if let Some(sealed_secrets) = version.and_then(|version| version.content.sealed_secrets) {
            modules.push(BoundModule { id: used.id.clone(), name: used.name.clone(), sealed_secrets });
        }
    }
    drop(tx);
    let began = Instant::now();
    let draft = &action.draft;
    let Some(stored) = &draft.digest else {
        return Err(ManageError::invalid("A draft must be in the 'built' state to be tested."));
    };
    // An image of another version of the engine would not run, and of a draft no login builds it again.
    let digest = if draft.settings.runtime == COMPONENT_RUNTIME {
        stored.clone()
    } else {
        match build::build(idp, tenant, &draft.source, &draft.settings.runtime).await? {
            Ok(artifact) => {
                let mut tx = idp.storage.begin(tenant).await?;
                build::store(&mut tx, &artifact).await?;
                tx.commit().await?;
                artifact.digest
            }
            Err(message) => return Err(ManageError::invalid(message.msg)),
        }
    };
    let values = secrets::open_secrets(idp, tenant, &action.name, draft.sealed_secrets.as_deref())?;
    let subject = subject(tenant, &event);
    // Whose cache and whose place in the queue it is, is not the author's to say.
    event["tenant"] = json!({ "id": tenant });
    event["secrets"] = json!(values);
    if let Some(secrets) = crate::post_login::module_secrets(idp, tenant, &modules)? {
        event[crate::post_login::MODULE_SECRETS] = secrets;
    }
    let operations: Arc<dyn Operations> = Arc::new(Lookups { storage: idp.storage.clone(), subject });
    let started_at = idp.now();
    let mut seed = [0; 32];
    idp.random.fill(&mut seed);
    let report = idp
        .actions
        .run(ActionRun {
            digest,
            handler: Handler::Execute,
            event,
            secrets: values,
            now: started_at,
            seed,
            limits: idp.limits,
            allowed_hosts: action.allowed_hosts.clone(),
            operations,
        })
        .await;
    let decision = decision(&action.name, &report, started_at);
    let total_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    Ok(TestRun::of(report, decision, total_us))
}

/// Whose groups and roles it sees: those of the user that the event names.
fn subject(tenant: &TenantId, event: &Value) -> Subject {
    let text = |pointer| event.pointer(pointer).and_then(Value::as_str);
    Subject {
        tenant: tenant.clone(),
        user: UserId::new(text("/user/user_id").unwrap_or_default()),
        connection: ConnectionId::new(text("/connection/id").unwrap_or_default()),
        organization: text("/organization/id").map(OrganizationId::new),
    }
}

fn decision(name: &str, report: &RunReport, now: Timestamp) -> TestDecision {
    let mut decision = Decision::default();
    let suspension = decision.take_in(name, report, now);
    let warnings = decision.warnings;
    let none = TestDecision { warnings, ..TestDecision::default() };
    match (decision.denied, suspension) {
        (Some(reason), _) => TestDecision { outcome: TestOutcome::Deny, reason: Some(reason), ..none },
        (None, Ok(Some(Suspension::Redirect(url)))) => {
            TestDecision { outcome: TestOutcome::Redirect, url: Some(url), ..none }
        }
        (None, Ok(Some(Suspension::Form(id)))) => {
            TestDecision { outcome: TestOutcome::Form, form_id: Some(id), ..none }
        }
        (None, Ok(Some(Suspension::Factors(_)))) => TestDecision { outcome: TestOutcome::Factor, ..none },
        (None, _) => none,
    }
}
