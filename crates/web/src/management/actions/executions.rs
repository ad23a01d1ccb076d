//! `/actions/executions`: what Actions did, with what they printed.

use axum::Json;
use idp::manage::{self, ActionCommand, ActionError, PrintedLine, Span};
use idp::management_api::seal_position;
use model::{ActionId, ExecutionStatus, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use storage::StoredExecution;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::AppState;
use crate::management::{ApiCaller, ApiError, ApiPath, ApiQuery, PositionQuery};

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get))
}

/// The list, for its positions.
const LIST: &str = "runs";
/// Runs that are looked at for one page: of other Actions there may be many.
const LOOKED_AT: i64 = 1000;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Only runs of the Action of this name.
    action_name: Option<String>,
}

/// One run. The dialect has its name, error and times; the rest is ours.
#[derive(Debug, Serialize, ToSchema)]
struct ActionRun {
    action_name: String,
    action_id: ActionId,
    /// From 1.
    action_version: i64,
    /// Why it failed; `null`: it did not.
    #[schema(required = true)]
    error: Option<ActionError>,
    #[schema(format = DateTime)]
    started_at: String,
    #[schema(format = DateTime)]
    ended_at: String,
    /// What it printed.
    #[schema(value_type = Vec<PrintedLine>)]
    logs: Value,
    /// What it asked for, in order.
    #[schema(value_type = Vec<ActionCommand>)]
    commands: Value,
    stats: RunStats,
}

/// What a run took.
#[derive(Debug, Serialize, ToSchema)]
struct RunStats {
    /// Microseconds of real time.
    #[schema(value_type = u64)]
    elapsed_us: Value,
    /// Microseconds of processor time.
    #[schema(value_type = u64)]
    cpu_us: Value,
    #[schema(value_type = u64)]
    fuel: Value,
    #[schema(value_type = u64)]
    memory_bytes: Value,
}

/// A run in a list of runs of all executions.
#[derive(Debug, Serialize, ToSchema)]
struct ListedRun {
    id: String,
    /// `null`: an older version of the program stored it.
    #[schema(required = true)]
    execution_id: Option<String>,
    trigger_id: &'static str,
    #[serde(flatten)]
    run: ActionRun,
}

/// Runs, oldest first.
#[derive(Debug, Serialize, ToSchema)]
struct RunList {
    runs: Vec<ListedRun>,
    /// For `from` of the query: what comes after them.
    next: String,
}

/// What the Actions of a trigger did at one time.
#[derive(Debug, Serialize, ToSchema)]
struct ActionExecution {
    id: String,
    trigger_id: &'static str,
    #[schema(value_type = ExecutionStatus)]
    status: Option<ExecutionStatus>,
    results: Vec<ActionRun>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Option<String>,
}

/// List the runs of Actions, oldest first
///
/// For tools that follow what Actions print: without `from`, the newest ones. Not part of the dialect.
#[utoipa::path(
    get, path = "/actions/executions", operation_id = "list_executions", tag = "actions",
    params(ListQuery, PositionQuery),
    security(("token" = ["read:actions"])),
    responses((status = 200, description = "`runs`, and `next` for what comes after them.", body = RunList))
)]
async fn list(
    caller: ApiCaller,
    ApiQuery(query): ApiQuery<ListQuery>,
    ApiQuery(position): ApiQuery<PositionQuery>,
) -> Result<Json<RunList>, ApiError> {
    let part = position.part(&caller, LIST)?;
    let Span { after, limit, .. } = part.span();
    let after = after.map(|key| key.parse::<i64>().unwrap_or(i64::MAX));
    let read = if query.action_name.is_some() { LOOKED_AT } else { limit };
    let runs = manage::executions(caller.idp(), caller.tenant(), after, read).await?;
    let is_wanted = |run: &&StoredExecution| {
        query.action_name.as_ref().is_none_or(|name| run.execution.action_name == *name)
    };
    let last = runs.last().map(|run| run.id);
    let mut wanted: Vec<&StoredExecution> = runs.iter().filter(is_wanted).collect();
    let take = usize::try_from(limit).unwrap_or_default();
    let more = wanted.len() > take;
    let wanted: Vec<_> = match after {
        Some(_) => wanted.into_iter().take(take).collect(),
        None => wanted.split_off(wanted.len().saturating_sub(take)),
    };
    // What was read and not wanted need not be read again.
    let last = if more && after.is_some() { wanted.last().map(|run| run.id) } else { last };
    let next = last.or(after).unwrap_or(0).to_string();
    let next = seal_position(caller.idp(), caller.context(), LIST, &next)?;
    let shown = |run: &StoredExecution| {
        let execution = run.execution.execution_id.as_ref().unwrap_or(&run.transaction_id);
        ListedRun {
            id: format!("{execution}/{}", run.execution.action_id),
            execution_id: run.execution.execution_id.clone(),
            trigger_id: manage::POST_LOGIN,
            run: result(run),
        }
    };
    Ok(Json(RunList { runs: wanted.into_iter().map(shown).collect(), next }))
}

/// Get an execution of a trigger
#[utoipa::path(
    get, path = "/actions/executions/{id}", operation_id = "get_execution", tag = "actions",
    params(("id" = String, Path, description = "As the tenant's log names it in `details.actions.executions`.")),
    security(("token" = ["read:actions"])),
    responses((status = 200, description = "What each Action of it did.", body = ActionExecution), (status = 404, description = "There is none, or its record is removed."))
)]
async fn get(caller: ApiCaller, ApiPath(id): ApiPath<String>) -> Result<Json<ActionExecution>, ApiError> {
    let runs = manage::execution(caller.idp(), caller.tenant(), &id).await?;
    let created_at = runs.first().map(|run| run.execution.created_at.to_iso());
    let updated_at = runs.last().map(|run| ended_at(run).to_iso());
    let status = runs.last().map(|run| run.execution.status);
    let results = runs.iter().map(result).collect();
    let trigger_id = manage::POST_LOGIN;
    Ok(Json(ActionExecution { id, trigger_id, status, results, created_at, updated_at }))
}

fn ended_at(run: &StoredExecution) -> Timestamp {
    let ms = run.execution.report["elapsed_us"].as_i64().unwrap_or(0) / 1000;
    Timestamp::from_ms(run.execution.created_at.as_ms().saturating_add(ms))
}

fn result(run: &StoredExecution) -> ActionRun {
    let execution = &run.execution;
    let of_report = |name: &str| execution.report[name].clone();
    ActionRun {
        action_name: execution.action_name.clone(),
        action_id: execution.action_id.clone(),
        action_version: execution.version,
        error: manage::run_error(&execution.report),
        started_at: execution.created_at.to_iso(),
        ended_at: ended_at(run).to_iso(),
        logs: of_report("console"),
        commands: of_report("commands"),
        stats: RunStats {
            elapsed_us: of_report("elapsed_us"),
            cpu_us: of_report("cpu_us"),
            fuel: of_report("fuel"),
            memory_bytes: of_report("memory_bytes"),
        },
    }
}
