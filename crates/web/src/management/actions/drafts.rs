//! `/actions/actions`: what authors work on.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::StatusCode;
use idp::manage::{self, ActionChange, Listed, NewUsedModule, TestRun};
use model::{ActionId, AllowedHosts};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::shown::{ActionView, VersionView};
use super::{
    ActionsPage, ActionsPageQuery, DependencyBody, MAX_CODE_BODY_BYTES, SecretBody, TriggerBody, all, shown,
};
use crate::AppState;
use crate::management::extract::present;
use crate::management::schema::list;
use crate::management::{ApiCaller, ApiError, ApiJson, ApiPath, ApiQuery};

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, update, delete))
        .routes(routes!(deploy))
        .routes(routes!(test))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Only Actions for this trigger.
    #[serde(rename = "triggerId")]
    trigger_id: Option<String>,
    /// Only the Action of this name.
    #[serde(rename = "actionName")]
    action_name: Option<String>,
    /// Only Actions that have a version that runs, or only those that have none.
    deployed: Option<bool>,
    /// Only Actions of integrations, of which there are none.
    installed: Option<bool>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct DeleteQuery {
    /// Unbind it first.
    force: Option<bool>,
}

/// A new Action.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewAction {
    /// Unique in the tenant; 1 to 128 bytes.
    name: String,
    /// Exactly one.
    supported_triggers: Vec<TriggerBody>,
    /// The script, at most 100 kB; of a component, base64 of its bytes.
    code: Option<String>,
    /// The npm packages that its author names, at most 10.
    dependencies: Option<Vec<DependencyBody>>,
    /// A script's is as `node22`; a component's is `wasm-component-v1`. Empty: as if it were absent.
    runtime: Option<String>,
    /// At most 30, with names of 128 and values of 4,096 characters.
    secrets: Option<Vec<SecretBody>>,
    /// At most 3.
    modules: Option<Vec<ModuleBody>>,
    /// Deploy it when it is built.
    #[serde(default)]
    deploy: bool,
    /// The name of the script's file, as `action.ts`: it says which language it is in. Not part of the dialect.
    file_name: Option<String>,
    /// The files that the script requires, by their path from its folder. Not part of the dialect.
    files: Option<BTreeMap<String, String>>,
    /// The hosts that its requests may go to; `null` for any. Not part of the dialect.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Vec<String>>)]
    allowed_hosts: Option<Option<Vec<String>>>,
}

/// What changes of an Action's draft; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ActionUpdate {
    /// Unique in the tenant; 1 to 128 bytes.
    name: Option<String>,
    /// Exactly one.
    supported_triggers: Option<Vec<TriggerBody>>,
    /// The script, at most 100 kB; of a component, base64 of its bytes.
    code: Option<String>,
    /// The npm packages that its author names, at most 10.
    dependencies: Option<Vec<DependencyBody>>,
    /// A script's is as `node22`; a component's is `wasm-component-v1`. Empty: as if it were absent.
    runtime: Option<String>,
    /// All secrets that there are to be. One without a value keeps the one that is stored.
    secrets: Option<Vec<SecretBody>>,
    /// All modules that it is to require, at most 3.
    modules: Option<Vec<ModuleBody>>,
    /// The name of the script's file, as `action.ts`: it says which language it is in. Not part of the dialect.
    file_name: Option<String>,
    /// The files that the script requires, by their path from its folder. Not part of the dialect.
    files: Option<BTreeMap<String, String>>,
    /// The hosts that its requests may go to; `null` for any. Not part of the dialect.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Vec<String>>)]
    allowed_hosts: Option<Option<Vec<String>>>,
}

/// A module that the Action requires, pinned to a version.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ModuleBody {
    module_id: String,
    /// Without it, the newest version.
    module_version_id: Option<String>,
    /// Ignored: what an answer said of the module may be sent back.
    #[serde(default, rename = "module_name")]
    _module_name: Option<String>,
    #[serde(default, rename = "module_version_number")]
    _module_version_number: Option<i64>,
}

/// A made-up login.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TestBody {
    payload: TestPayload,
}

/// What the Action is told.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TestPayload {
    /// The event. Its tenant and its secrets are the real ones.
    #[schema(value_type = Object)]
    event: Value,
}

/// What a draft did with a made-up event.
#[derive(Debug, Serialize, ToSchema)]
struct TestAnswer {
    payload: TestRun,
}

list!(
    /// Actions.
    ActionList, "Actions.", ActionView, "actions", [ActionsPage]
);

impl From<ActionUpdate> for ActionChange {
    fn from(body: ActionUpdate) -> Self {
        let module = |body: ModuleBody| NewUsedModule {
            module_id: body.module_id,
            module_version_id: body.module_version_id,
        };
        Self {
            name: body.name,
            supported_triggers: all(body.supported_triggers),
            code: body.code,
            file_name: body.file_name,
            files: body.files,
            runtime: body.runtime.filter(|runtime| !runtime.is_empty()),
            dependencies: all(body.dependencies),
            secrets: all(body.secrets),
            modules: body.modules.map(|list| list.into_iter().map(module).collect()),
            allowed_hosts: body
                .allowed_hosts
                .map(|hosts| hosts.map_or(AllowedHosts::Any, AllowedHosts::Only)),
        }
    }
}

/// List the Actions
#[utoipa::path(
    get, path = "/actions/actions", operation_id = "list_actions", tag = "actions",
    params(ListQuery, ActionsPageQuery),
    security(("token" = ["read:actions"])),
    responses((status = 200, description = "A page of `actions`, by name, with `total`.", body = ActionList))
)]
async fn list(
    caller: ApiCaller,
    ApiQuery(query): ApiQuery<ListQuery>,
    page: ActionsPage<20>,
) -> Result<Json<Value>, ApiError> {
    let mut actions = manage::actions(caller.idp(), caller.tenant()).await?;
    actions.retain(|action| {
        let mut triggers = action.draft.settings.supported_triggers.iter();
        query.trigger_id.as_ref().is_none_or(|id| triggers.any(|trigger| trigger.id == *id))
            && query.action_name.as_ref().is_none_or(|name| action.name == *name)
            && query.deployed.is_none_or(|deployed| action.deployed.is_some() == deployed)
            && query.installed != Some(true)
    });
    let listed = page.of(actions);
    let mut rows = Vec::with_capacity(listed.rows.len());
    for action in &listed.rows {
        rows.push(shown::action(caller.idp(), action).await?);
    }
    Ok(page.answer("actions", Listed { rows, total: listed.total, last_key: None }))
}

/// Create an Action
#[utoipa::path(
    post, path = "/actions/actions", operation_id = "create_action", tag = "actions", request_body = NewAction,
    security(("token" = ["create:actions"])),
    responses(
        (
            status = 201, body = ActionView,
            description = "The Action. It was built at once: `status` is `built`, or `failed` with `errors`."
        ),
        (status = 409, description = "There is one of that name.")
    )
)]
async fn create(
    caller: ApiCaller,
    ApiJson(new): ApiJson<NewAction, MAX_CODE_BODY_BYTES>,
) -> Result<(StatusCode, Json<ActionView>), ApiError> {
    let NewAction { deploy, .. } = new;
    let update = ActionUpdate {
        name: Some(new.name),
        supported_triggers: Some(new.supported_triggers),
        code: new.code,
        dependencies: new.dependencies,
        runtime: new.runtime,
        secrets: new.secrets,
        modules: new.modules,
        file_name: new.file_name,
        files: new.files,
        allowed_hosts: new.allowed_hosts,
    };
    let mut action = manage::create_action(caller.idp(), caller.tenant(), update.into()).await?;
    if deploy && action.draft.digest.is_some() {
        manage::deploy_draft(caller.idp(), caller.tenant(), &action.id).await?;
        action = manage::action(caller.idp(), caller.tenant(), &action.id).await?;
    }
    Ok((StatusCode::CREATED, Json(shown::action(caller.idp(), &action).await?)))
}

/// Get an Action
#[utoipa::path(
    get, path = "/actions/actions/{id}", operation_id = "get_action", tag = "actions",
    params(("id" = String, Path, description = "Its id.")),
    security(("token" = ["read:actions"])),
    responses((status = 200, description = "The Action.", body = ActionView), (status = 404, description = "There is none."))
)]
async fn get(caller: ApiCaller, ApiPath(id): ApiPath<ActionId>) -> Result<Json<ActionView>, ApiError> {
    let action = manage::action(caller.idp(), caller.tenant(), &id).await?;
    Ok(Json(shown::action(caller.idp(), &action).await?))
}

/// Change the draft of an Action
#[utoipa::path(
    patch, path = "/actions/actions/{id}", operation_id = "update_action", tag = "actions", request_body = ActionUpdate,
    params(("id" = String, Path, description = "Its id.")),
    security(("token" = ["update:actions"])),
    responses(
        (
            status = 200, body = ActionView,
            description = "The Action. It was built at once: `status` is `built`, or `failed` with `errors`. What runs is as before."
        ),
        (status = 404, description = "There is none."),
        (status = 409, description = "There is another one of that name, or somebody else changed it at the same time.")
    )
)]
async fn update(
    caller: ApiCaller,
    ApiPath(id): ApiPath<ActionId>,
    ApiJson(update): ApiJson<ActionUpdate, MAX_CODE_BODY_BYTES>,
) -> Result<Json<ActionView>, ApiError> {
    let action = manage::update_action(caller.idp(), caller.tenant(), &id, update.into()).await?;
    Ok(Json(shown::action(caller.idp(), &action).await?))
}

/// Delete an Action with its versions
#[utoipa::path(
    delete, path = "/actions/actions/{id}", operation_id = "delete_action", tag = "actions",
    params(("id" = String, Path, description = "Its id."), DeleteQuery),
    security(("token" = ["delete:actions"])),
    responses(
        (status = 204, description = "It is gone."),
        (status = 404, description = "There is none."),
        (status = 409, description = "It is bound to a trigger, and `force` is not true.")
    )
)]
async fn delete(
    caller: ApiCaller,
    ApiPath(id): ApiPath<ActionId>,
    ApiQuery(query): ApiQuery<DeleteQuery>,
) -> Result<StatusCode, ApiError> {
    let force = query.force.unwrap_or(false);
    manage::delete_action(caller.idp(), caller.tenant(), &id, force).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Deploy the draft of an Action as its next version
#[utoipa::path(
    post, path = "/actions/actions/{id}/deploy", operation_id = "deploy_action", tag = "actions",
    params(("id" = String, Path, description = "Its id.")),
    security(("token" = ["create:actions"])),
    responses(
        (
            status = 200, body = VersionView,
            description = "The version. It runs from the next login on, where the Action is bound."
        ),
        (status = 400, description = "The draft is not built."),
        (status = 404, description = "There is none.")
    )
)]
async fn deploy(caller: ApiCaller, ApiPath(id): ApiPath<ActionId>) -> Result<Json<VersionView>, ApiError> {
    let (action, version) = manage::deploy_draft(caller.idp(), caller.tenant(), &id).await?;
    Ok(Json(shown::version(caller.idp(), &action, &version, true).await?))
}

/// Run the draft of an Action on a made-up event
#[utoipa::path(
    post, path = "/actions/actions/{id}/test", operation_id = "test_action", tag = "actions", request_body = TestBody,
    params(("id" = String, Path, description = "Its id.")),
    security(("token" = ["create:actions"])),
    responses(
        (
            status = 200, body = TestAnswer,
            description = "What it did, also when it threw. Requests that it sends are really sent; nothing else is changed."
        ),
        (status = 400, description = "The draft is not built."),
        (status = 404, description = "There is none.")
    )
)]
async fn test(
    caller: ApiCaller,
    ApiPath(id): ApiPath<ActionId>,
    ApiJson(body): ApiJson<TestBody>,
) -> Result<Json<TestAnswer>, ApiError> {
    let event = body.payload.event;
    let run = manage::test_action(caller.idp(), caller.tenant(), &id, event).await?;
    Ok(Json(TestAnswer { payload: run }))
}
