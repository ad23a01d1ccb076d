//! The post-login trigger: runs the bound Actions in order and folds their commands into one [`Decision`].

use std::collections::BTreeMap;
use std::sync::Arc;

use action_api::{Handler, Operations, RunError, RunReport};
use model::{
    ActionBinding, ActionId, BoundModule, Client, Execution, ExecutionStatus, LogEntry, LogType,
    Organization, RefreshToken, RequestOrigin, Session, TenantId, Timestamp, User, UserId, random_uuid,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use storage::{StorageError, TenantTx};
use tracing::Instrument;

use crate::decision::{Decision, Suspension, merge_metadata};
use crate::event::{EventSource, Flow, post_login_event, with_changes};
use crate::lookups::{Lookups, Subject};
use crate::{ActionRun, Idp, RequestContext, ServerError, manage, measure, mfa};

/// A profile is advised to stay below this many bytes; a larger one is flagged in the log.
const LARGE_PROFILE_BYTES: usize = 10 << 10;

/// The decision of a login, and the record of how it came about.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub decision: Decision,
    /// The browser has to leave before it goes on, and where it goes on then.
    pub suspension: Option<(Suspension, Resume)>,
    /// An Action asked for what needs the user's browser, in a flow that has none.
    pub needs_interaction: bool,
    /// The name of this execution of the trigger, where an Action ran.
    pub execution_id: Option<String>,
    pub executions: Vec<Execution>,
    failure: Option<Failure>,
}

/// The run that failed.
#[derive(Debug)]
struct Failure {
    binding: ActionBinding,
    error: RunError,
}

/// Where a suspended login goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Resume {
    /// In the same Action, with `onContinuePostLogin`.
    Within(ActionId),
    /// With the Action after this one.
    After(ActionId),
    /// All Actions have run.
    AtTheEnd,
}

/// Where the trigger starts.
pub(crate) struct Start {
    /// `None`: at its first Action.
    pub resume: Option<Resume>,
    /// What the Actions before have decided.
    pub decision: Decision,
}

impl Start {
    pub(crate) fn at_the_beginning() -> Self {
        Self { resume: None, decision: Decision::default() }
    }
}

/// Runs the bound Actions on the event. No transaction may be open. A failed Action fails the login: its reason is in
/// `decision.denied`, and nothing that any Action of this login asked for is applied.
///
/// # Errors
/// [`ServerError`] when the bindings cannot be read or a secret cannot be opened; a failed run is no error here.
pub(crate) async fn run(
    idp: &Idp,
    ctx: &RequestContext,
    source: &EventSource<'_>,
    start: Start,
) -> Result<Outcome, ServerError> {
    let bindings = idp.settings.bindings(&ctx.tenant).await?;
    let mut outcome = Outcome::of(start.decision);
    let (due, mut handler) = match due(&bindings, start.resume.as_ref()) {
        Some(due) => due,
        None => {
            outcome.decision = Decision::failed("An Action of this login was removed meanwhile.".to_owned());
            return Ok(outcome);
        }
    };
    if due.is_empty() {
        return Ok(outcome);
    }
    let execution_id = random_uuid(&*idp.random);
    outcome.execution_id = Some(execution_id.clone());
    let mut event = post_login_event(source);
    event["user"]["enrolledFactors"] = mfa::enrolled_factors(idp, ctx, source.user).await?;
    let mut limits = idp.limits;
    let lookups: Arc<dyn Operations> = Arc::new(lookups(idp, source));
    for binding in due {
        let secrets = secrets(idp, ctx, binding)?;
        let mut own_event = with_changes(&event, &outcome.decision);
        own_event["secrets"] = json!(secrets);
        if let Some(secrets) = module_secrets(idp, &ctx.tenant.id, &binding.modules)? {
            own_event[MODULE_SECRETS] = secrets;
        }
        let now = idp.now();
        let mut seed = [0; 32];
        idp.random.fill(&mut seed);
        let run = ActionRun {
            digest: binding.digest.clone(),
            handler,
            event: own_event,
            secrets,
            now,
            seed,
            limits,
            allowed_hosts: binding.allowed_hosts.clone(),
            operations: Arc::clone(&lookups),
        };
        let span = tracing::trace_span!(
            target: "postern::trace", "action.run", tenant = %ctx.tenant.id, action = %binding.name,
            version = binding.version, fuel = tracing::field::Empty, outcome = tracing::field::Empty
        );
        let report = idp.actions.run(run).instrument(span.clone()).await;
        span.record("fuel", report.fuel);
        span.record("outcome", report.error.as_ref().map_or("success", RunError::class));
        measure::run(&ctx.tenant.id, binding, &report);
        handler = Handler::Execute;
        limits.wall_clock_ms = limits.wall_clock_ms.saturating_sub(report.elapsed_us / 1000);
        let mut execution = execution(&execution_id, binding, &report, now)?;
        let taken_in = outcome.decision.take_in(&binding.name, &report, now);
        execution.status = match &taken_in {
            Ok(Some(_)) if outcome.decision.denied.is_none() => ExecutionStatus::Suspended,
            Ok(_) => ExecutionStatus::Final,
            Err(_) => ExecutionStatus::Partial,
        };
        outcome.executions.push(execution);
        match taken_in {
            Ok(Some(suspension)) if outcome.decision.denied.is_none() => {
                let id = binding.action_id.clone();
                let resume = match suspension {
                    Suspension::Redirect(_) | Suspension::Form(_) => Resume::Within(id),
                    Suspension::Factors(_) => Resume::After(id),
                };
                outcome.suspension = Some((suspension, resume));
                break;
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(action = %binding.name, version = binding.version, blame = ?error.blame(), %error, "Action failed");
                outcome.failure = Some(Failure { binding: binding.clone(), error });
            }
        }
        if outcome.decision.denied.is_some() {
            break;
        }
    }
    Ok(outcome)
}

/// What the Actions of this login may look up: about its user alone.
fn lookups(idp: &Idp, source: &EventSource<'_>) -> Lookups {
    let subject = Subject {
        tenant: source.ctx.tenant.id.clone(),
        user: source.user.user_id.clone(),
        connection: source.connection.id.clone(),
        organization: source.organization.map(|organization| organization.id.clone()),
    };
    Lookups { storage: idp.storage.clone(), subject }
}

/// The Actions that are to run, and the handler of the first of them; `None`: the one where the login goes on is not
/// bound any more.
fn due<'a>(bindings: &'a [ActionBinding], resume: Option<&Resume>) -> Option<(&'a [ActionBinding], Handler)> {
    let place = |id: &ActionId| bindings.iter().position(|binding| binding.action_id == *id);
    let (from, handler) = match resume {
        None => (0, Handler::Execute),
        Some(Resume::Within(id)) => (place(id)?, Handler::Continue),
        Some(Resume::After(id)) => (place(id)? + 1, Handler::Execute),
        Some(Resume::AtTheEnd) => (bindings.len(), Handler::Execute),
    };
    Some((bindings.get(from..)?, handler))
}

/// Runs the trigger for a refresh-token exchange.
///
/// # Errors
/// As [`run`].
#[expect(clippy::too_many_arguments, reason = "one call, each argument a different part of the event")]
pub(crate) async fn run_for_refresh(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    user: &User,
    (refresh_token, session): (&RefreshToken, Option<&Session>),
    organization: Option<&Organization>,
    audience: Option<&str>,
    requested_scope: &[String],
    body: &Map<String, Value>,
) -> Result<Outcome, ServerError> {
    if idp.settings.bindings(&ctx.tenant).await?.is_empty() {
        return Ok(Outcome::default());
    }
    let connection = idp.settings.connection(&ctx.tenant, &user.connection_id).await?;
    let connection = connection.ok_or_else(|| no_connection(&user.user_id))?;
    let roles = idp.storage.begin_read(&ctx.tenant.id).await?.roles_of(&user.user_id).await?;
    run(
        idp,
        ctx,
        &EventSource {
            ctx,
            client,
            user,
            connection: &connection,
            roles: &roles,
            organization,
            logins_count: user.logins_count,
            audience,
            flow: Flow::Refresh { refresh_token, session, requested_scope, body },
        },
        Start::at_the_beginning(),
    )
    .await
}

/// A user whose connection is gone: the database is inconsistent.
pub(crate) fn no_connection(user: &UserId) -> ServerError {
    ServerError::Inconsistent(format!("user {user} has no connection"))
}

impl Outcome {
    /// What was decided before, when no Action runs in this part.
    pub(crate) fn of(decision: Decision) -> Self {
        Self { decision, ..Self::default() }
    }

    /// Writes what the Actions decided about the user, the record of their runs, and their warnings. The session and
    /// the tokens are the caller's.
    ///
    /// # Errors
    /// [`StorageError`]; the caller's transaction is then lost as a whole.
    pub(crate) async fn commit(
        &self,
        tx: &mut TenantTx,
        transaction_id: &str,
        user_id: &UserId,
        log: &LogEntry,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        if self.decision.changes_metadata()
            && let Some(mut user) = tx.user(user_id).await?
        {
            merge_metadata(&mut user.user_metadata, &self.decision.user_metadata);
            merge_metadata(&mut user.app_metadata, &self.decision.app_metadata);
            let bytes = json!([user.user_metadata, user.app_metadata]).to_string().len();
            if bytes > LARGE_PROFILE_BYTES {
                let description = format!(
                    "The user's metadata are {bytes} bytes, more than the {LARGE_PROFILE_BYTES} that are advised"
                );
                tx.insert_log(&LogEntry { log_type: LogType::Warning, description, ..log.clone() }).await?;
            }
            tx.set_user_metadata(user_id, &user.user_metadata, &user.app_metadata, now).await?;
        }
        for execution in &self.executions {
            tx.insert_execution(transaction_id, execution).await?;
        }
        for warning in self.decision.warning_entries(log) {
            tx.insert_log(&warning).await?;
        }
        if let Some(Failure { binding, error }) = &self.failure {
            tx.insert_log(&LogEntry {
                log_type: LogType::ActionExecutionFailed,
                description: format!("Action {} failed: {error}", binding.name),
                details: json!({
                    "execution_id": self.execution_id,
                    "trigger_id": "post-login",
                    "action_id": binding.action_id,
                    "action_name": binding.name,
                    "version_id": binding.version,
                    "binding_id": manage::binding_id("post-login", &binding.action_id),
                    "error_class": error.class(),
                    "action_error": action_error(error),
                }),
                ..log.clone()
            })
            .await?;
        }
        Ok(())
    }

    /// What the `details` of a log entry show: the name of the execution, under which its record is found, and the runs.
    pub(crate) fn for_log(&self) -> Value {
        let runs: Value = self
            .executions
            .iter()
            .map(|run| {
                json!({
                    "action_name": run.action_name,
                    "version": run.version,
                    "fuel": run.report["fuel"],
                    "elapsed_us": run.report["elapsed_us"],
                    "memory_bytes": run.report["memory_bytes"],
                    "commands": run.report["commands"],
                    "error": run.report["error"],
                })
            })
            .collect();
        json!({ "executions": self.execution_id.as_slice(), "runs": runs })
    }
}

/// A log entry about this client and user, to be completed.
pub(crate) fn log_entry(
    log_type: LogType,
    client: Option<&Client>,
    user_id: Option<&UserId>,
    origin: &RequestOrigin,
    now: Timestamp,
) -> LogEntry {
    let mut entry = LogEntry {
        user_id: user_id.cloned(),
        ip: Some(origin.ip.clone()),
        user_agent: origin.user_agent.clone(),
        hostname: Some(origin.hostname.clone()),
        ..LogEntry::new(log_type, now)
    };
    entry.more.location = origin.geoip.as_deref().cloned();
    match client {
        Some(client) => entry.with_client(client),
        None => entry,
    }
}

/// The error as the tenant's log shows it.
fn action_error(error: &RunError) -> Value {
    // The same word as in the record of the run.
    let kind = serde_json::to_value(error).map(|error| error["kind"].clone()).unwrap_or_default();
    match error {
        RunError::Exception { exception } => {
            json!({ "name": exception.name, "message": exception.message, "stack": exception.stack,
                "code": kind })
        }
        _ => json!({ "message": error.to_string(), "code": kind }),
    }
}

fn secrets(
    idp: &Idp,
    ctx: &RequestContext,
    binding: &ActionBinding,
) -> Result<BTreeMap<String, String>, ServerError> {
    crate::manage::open_secrets(idp, &ctx.tenant.id, &binding.name, binding.sealed_secrets.as_deref())
}

/// Where the event of a script carries the secrets of its `actions:` modules. It takes them out before its handler sees the
/// event.
pub const MODULE_SECRETS: &str = "moduleSecrets";

/// By the name of the module. `None`: no module has any.
pub(crate) fn module_secrets(
    idp: &Idp,
    tenant: &TenantId,
    modules: &[BoundModule],
) -> Result<Option<Value>, ServerError> {
    if modules.is_empty() {
        return Ok(None);
    }
    let mut all = Map::new();
    for module in modules {
        let sealed = Some(module.sealed_secrets.as_str());
        let secrets = crate::manage::open_module_secrets(idp, tenant, &module.id, sealed)?;
        all.insert(module.name.clone(), json!(secrets));
    }
    Ok(Some(Value::Object(all)))
}

fn execution(
    execution_id: &str,
    binding: &ActionBinding,
    report: &RunReport,
    now: Timestamp,
) -> Result<Execution, ServerError> {
    Ok(Execution {
        action_id: binding.action_id.clone(),
        action_name: binding.name.clone(),
        version: binding.version,
        execution_id: Some(execution_id.to_owned()),
        status: ExecutionStatus::Final,
        report: serde_json::to_value(report)
            .map_err(|error| ServerError::Inconsistent(format!("run report: {error}")))?,
        created_at: now,
    })
}
