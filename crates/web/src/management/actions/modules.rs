//! `/actions/modules`: code that Actions share.

use axum::Json;
use axum::http::StatusCode;
use idp::manage::{self, ModuleChange, module_version_id};
use model::{ActionId, ActionModule, ActionModuleId, ActionModuleVersion, Dependency, TriggerVersion};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::shown::SecretView;
use super::{ActionsPage, ActionsPageQuery, DependencyBody, SecretBody, all, shown};
use crate::AppState;
use crate::management::schema::list;
use crate::management::{ApiCaller, ApiError, ApiJson, ApiPath};

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, update, delete))
        .routes(routes!(actions))
        .routes(routes!(rollback))
        .routes(routes!(versions, publish))
        .routes(routes!(version))
}

/// A new module.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewModule {
    /// As in `require('actions:NAME')`: 1 to 128 of the characters A-Z a-z 0-9 - _. It does not change.
    name: String,
    /// At most 65,536 characters.
    code: String,
    /// For `actions.secrets` in its code; at most 30.
    secrets: Option<Vec<SecretBody>>,
    /// The npm packages that its author names, at most 10.
    dependencies: Option<Vec<DependencyBody>>,
    /// `v1`.
    api_version: Option<String>,
    /// Make its first version.
    #[serde(default)]
    publish: bool,
}

/// What changes of a module's draft; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ModuleUpdate {
    /// At most 65,536 characters.
    code: Option<String>,
    /// All secrets that there are to be. One without a value keeps the one that is stored.
    secrets: Option<Vec<SecretBody>>,
    /// The npm packages that its author names, at most 10.
    dependencies: Option<Vec<DependencyBody>>,
}

/// Which version becomes the newest.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RollbackBody {
    module_version_id: String,
}

/// A module: its draft, and its newest version.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ActionModule)]
struct ModuleView {
    id: ActionModuleId,
    name: String,
    code: String,
    dependencies: Vec<Dependency>,
    secrets: Vec<SecretView>,
    actions_using_module_total: usize,
    /// Whether the newest version is what the draft says.
    all_changes_published: bool,
    /// 0: there is none.
    latest_version_number: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    latest_version: Option<ModuleVersionView>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
}

/// A version of a module.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ActionModuleVersion)]
struct ModuleVersionView {
    id: String,
    module_id: ActionModuleId,
    /// From 1.
    version_number: i64,
    code: String,
    dependencies: Vec<Dependency>,
    secrets: Vec<SecretView>,
    #[schema(format = DateTime)]
    created_at: String,
}

/// An Action that requires a module.
#[derive(Debug, Serialize, ToSchema)]
struct ActionOfModule {
    action_id: ActionId,
    action_name: String,
    module_version_id: String,
    module_version_number: i64,
    supported_triggers: Vec<TriggerVersion>,
}

list!(
    /// Modules.
    ModuleList, "Modules.", ModuleView, "modules", [ActionsPage]
);
list!(
    /// Versions of a module.
    ModuleVersionList, "Versions of a module.", ModuleVersionView, "versions", [ActionsPage]
);
list!(
    /// Actions that require a module.
    ActionsOfModule, "Actions that require a module.", ActionOfModule, "actions", [ActionsPage]
);

/// List the modules
#[utoipa::path(
    get, path = "/actions/modules", operation_id = "list_action_modules", tag = "actions", params(ActionsPageQuery),
    security(("token" = ["read:actions"])),
    responses((status = 200, description = "A page of `modules`, by name, with `total`.", body = ModuleList))
)]
async fn list(caller: ApiCaller, page: ActionsPage) -> Result<Json<Value>, ApiError> {
    let listed = page.of(manage::action_modules(caller.idp(), caller.tenant()).await?);
    let actions = match listed.rows.is_empty() {
        true => Vec::new(),
        false => manage::actions(caller.idp(), caller.tenant()).await?,
    };
    let shown = listed.map(|module| shown_module(&module, manage::count_uses(&module.id, &actions)));
    Ok(page.answer("modules", shown))
}

/// Create a module
#[utoipa::path(
    post, path = "/actions/modules", operation_id = "create_action_module", tag = "actions", request_body = NewModule,
    security(("token" = ["create:actions"])),
    responses((status = 201, description = "The module.", body = ModuleView), (status = 409, description = "There is one of that name."))
)]
async fn create(
    caller: ApiCaller,
    ApiJson(new): ApiJson<NewModule>,
) -> Result<(StatusCode, Json<ModuleView>), ApiError> {
    if new.api_version.as_ref().is_some_and(|version| version != "v1") {
        return Err(ApiError::invalid_body("api_version must be v1"));
    }
    let change =
        ModuleChange { code: Some(new.code), dependencies: all(new.dependencies), secrets: all(new.secrets) };
    let module =
        manage::create_action_module(caller.idp(), caller.tenant(), &new.name, change, new.publish).await?;
    Ok((StatusCode::CREATED, Json(shown_module(&module, 0))))
}

/// Get a module
#[utoipa::path(
    get, path = "/actions/modules/{id}", operation_id = "get_action_module", tag = "actions",
    params(("id" = String, Path, description = "Its id.")),
    security(("token" = ["read:actions"])),
    responses((status = 200, description = "The module.", body = ModuleView), (status = 404, description = "There is none."))
)]
async fn get(caller: ApiCaller, ApiPath(id): ApiPath<ActionModuleId>) -> Result<Json<ModuleView>, ApiError> {
    let module = manage::action_module(caller.idp(), caller.tenant(), &id).await?;
    with_uses(&caller, &module).await
}

/// Change the draft of a module
#[utoipa::path(
    patch, path = "/actions/modules/{id}", operation_id = "update_action_module", tag = "actions", request_body = ModuleUpdate,
    params(("id" = String, Path, description = "Its id.")),
    security(("token" = ["update:actions"])),
    responses((status = 200, description = "The module. Its versions are as before.", body = ModuleView), (status = 404, description = "There is none."))
)]
async fn update(
    caller: ApiCaller,
    ApiPath(id): ApiPath<ActionModuleId>,
    ApiJson(update): ApiJson<ModuleUpdate>,
) -> Result<Json<ModuleView>, ApiError> {
    let change = ModuleChange {
        code: update.code,
        dependencies: all(update.dependencies),
        secrets: all(update.secrets),
    };
    let module = manage::update_action_module(caller.idp(), caller.tenant(), &id, change).await?;
    with_uses(&caller, &module).await
}

/// Delete a module with its versions
#[utoipa::path(
    delete, path = "/actions/modules/{id}", operation_id = "delete_action_module", tag = "actions",
    params(("id" = String, Path, description = "Its id.")),
    security(("token" = ["delete:actions"])),
    responses(
        (status = 204, description = "It is gone."),
        (status = 404, description = "There is none."),
        (status = 412, description = "An Action requires it.")
    )
)]
async fn delete(caller: ApiCaller, ApiPath(id): ApiPath<ActionModuleId>) -> Result<StatusCode, ApiError> {
    manage::delete_action_module(caller.idp(), caller.tenant(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List the Actions that require a module
#[utoipa::path(
    get, path = "/actions/modules/{id}/actions", operation_id = "list_actions_of_module", tag = "actions",
    params(("id" = String, Path, description = "The module's id."), ActionsPageQuery),
    security(("token" = ["read:actions"])),
    responses((status = 200, description = "A page of `actions`, by name, with `total`.", body = ActionsOfModule), (status = 404, description = "There is no such module."))
)]
async fn actions(
    caller: ApiCaller,
    ApiPath(id): ApiPath<ActionModuleId>,
    page: ActionsPage,
) -> Result<Json<Value>, ApiError> {
    let listed = page.of(manage::actions_of_module(caller.idp(), caller.tenant(), &id).await?);
    let shown = listed.map(|used| ActionOfModule {
        action_id: used.action.id,
        action_name: used.action.name,
        module_version_id: module_version_id(&id, used.number),
        module_version_number: used.number,
        supported_triggers: used.action.draft.settings.supported_triggers,
    });
    Ok(page.answer("actions", shown))
}

/// Make an old version of a module its newest
#[utoipa::path(
    post, path = "/actions/modules/{id}/rollback", operation_id = "rollback_action_module", tag = "actions", request_body = RollbackBody,
    params(("id" = String, Path, description = "The module's id.")),
    security(("token" = ["create:actions"])),
    responses((status = 200, description = "The module.", body = ModuleView), (status = 404, description = "There is none, or no such version."))
)]
async fn rollback(
    caller: ApiCaller,
    ApiPath(id): ApiPath<ActionModuleId>,
    ApiJson(body): ApiJson<RollbackBody>,
) -> Result<Json<ModuleView>, ApiError> {
    let module =
        manage::rollback_action_module(caller.idp(), caller.tenant(), &id, &body.module_version_id).await?;
    with_uses(&caller, &module).await
}

/// List the versions of a module
#[utoipa::path(
    get, path = "/actions/modules/{id}/versions", operation_id = "list_action_module_versions", tag = "actions",
    params(("id" = String, Path, description = "The module's id."), ActionsPageQuery),
    security(("token" = ["read:actions"])),
    responses((status = 200, description = "A page of `versions`, newest first, with `total`.", body = ModuleVersionList), (status = 404, description = "There is no such module."))
)]
async fn versions(
    caller: ApiCaller,
    ApiPath(id): ApiPath<ActionModuleId>,
    page: ActionsPage,
) -> Result<Json<Value>, ApiError> {
    let versions = manage::action_module_versions(caller.idp(), caller.tenant(), &id).await?;
    Ok(page.answer("versions", page.of(versions).map(|version| shown_version(&version))))
}

/// Publish the draft of a module as its next version
#[utoipa::path(
    post, path = "/actions/modules/{id}/versions", operation_id = "create_action_module_version", tag = "actions",
    params(("id" = String, Path, description = "The module's id.")),
    security(("token" = ["create:actions"])),
    responses(
        (status = 201, description = "The version.", body = ModuleVersionView),
        (status = 404, description = "There is no such module."),
        (status = 412, description = "It has 50 versions, and Actions require each of them.")
    )
)]
async fn publish(
    caller: ApiCaller,
    ApiPath(id): ApiPath<ActionModuleId>,
) -> Result<(StatusCode, Json<ModuleVersionView>), ApiError> {
    let version = manage::publish_action_module(caller.idp(), caller.tenant(), &id).await?;
    Ok((StatusCode::CREATED, Json(shown_version(&version))))
}

/// Get a version of a module
#[utoipa::path(
    get, path = "/actions/modules/{id}/versions/{versionId}", operation_id = "get_action_module_version", tag = "actions",
    params(("id" = String, Path, description = "The module's id."), ("versionId" = String, Path, description = "The version's id.")),
    security(("token" = ["read:actions"])),
    responses((status = 200, description = "The version.", body = ModuleVersionView), (status = 404, description = "There is none."))
)]
async fn version(
    caller: ApiCaller,
    ApiPath((id, version)): ApiPath<(ActionModuleId, String)>,
) -> Result<Json<ModuleVersionView>, ApiError> {
    let version = manage::action_module_version(caller.idp(), caller.tenant(), &id, &version).await?;
    Ok(Json(shown_version(&version)))
}

async fn with_uses(caller: &ApiCaller, module: &ActionModule) -> Result<Json<ModuleView>, ApiError> {
    let uses = manage::actions_of_module(caller.idp(), caller.tenant(), &module.id).await?;
    Ok(Json(shown_module(module, uses.len())))
}

fn shown_module(module: &ActionModule, uses: usize) -> ModuleView {
    let ActionModule { draft, latest, .. } = module;
    ModuleView {
        id: module.id.clone(),
        name: module.name.clone(),
        code: draft.code.clone(),
        dependencies: draft.dependencies.clone(),
        secrets: shown::secrets(&draft.secrets),
        actions_using_module_total: uses,
        all_changes_published: latest.as_ref().is_some_and(|latest| latest.content == *draft),
        latest_version_number: latest.as_ref().map_or(0, |latest| latest.number),
        latest_version: latest.as_ref().map(shown_version),
        created_at: module.created_at.to_iso(),
        updated_at: module.updated_at.to_iso(),
    }
}

fn shown_version(version: &ActionModuleVersion) -> ModuleVersionView {
    let content = &version.content;
    ModuleVersionView {
        id: module_version_id(&version.module_id, version.number),
        module_id: version.module_id.clone(),
        version_number: version.number,
        code: content.code.clone(),
        dependencies: content.dependencies.clone(),
        secrets: shown::secrets(&content.secrets),
        created_at: version.created_at.to_iso(),
    }
}
