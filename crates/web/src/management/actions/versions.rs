//! `/actions/actions/{actionId}/versions`: what was deployed.

use axum::Json;
use axum::extract::State;
use idp::manage;
use model::ActionId;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::shown::VersionView;
use super::{page, rows_of, shown};
use crate::AppState;
use crate::management::schema::list;
use crate::management::{ApiCaller, ApiError, ApiOptionalJson, ApiPath, ApiQuery};

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get)).routes(routes!(deploy))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// The first page is 0.
    page: Option<i64>,
    /// At most 100.
    per_page: Option<i64>,
}

/// How an old version is deployed.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DeployBody {
    /// The draft becomes that version, too.
    #[serde(default)]
    update_draft: bool,
}

list!(
    /// Versions of an Action.
    VersionList, "Versions of an Action.", VersionView, "versions", [ActionsPage]
);

/// List the versions of an Action
#[utoipa::path(
    get, path = "/actions/actions/{actionId}/versions", operation_id = "list_action_versions", tag = "actions",
    params(("actionId" = String, Path, description = "The Action's id."), ListQuery),
    security(("token" = ["read:actions"])),
    responses((status = 200, description = "A page of `versions`, newest first, with `total`.", body = VersionList), (status = 404, description = "There is no such Action."))
)]
async fn list(
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiPath(id): ApiPath<String>,
    ApiQuery(query): ApiQuery<ListQuery>,
) -> Result<Json<Value>, ApiError> {
    let page = page(query.page, query.per_page, 50)?;
    let (action, versions) =
        manage::action_versions(&state.idp, &caller.context().tenant.id, &ActionId::new(id)).await?;
    let deployed = action.deployed.as_ref().map(|version| version.number);
    let (versions, total) = rows_of(&page, versions);
    let mut rows = Vec::with_capacity(versions.len());
    for version in &versions {
        let deployed = deployed == Some(version.number);
        rows.push(json!(shown::version(&state.idp, &action, version, deployed).await?));
    }
    Ok(Json(page.actions_answer("versions", total, rows)))
}

/// Get a version of an Action
#[utoipa::path(
    get, path = "/actions/actions/{actionId}/versions/{id}", operation_id = "get_action_version", tag = "actions",
    params(("actionId" = String, Path, description = "The Action's id."), ("id" = String, Path, description = "The version's id.")),
    security(("token" = ["read:actions"])),
    responses((status = 200, description = "The version.", body = VersionView), (status = 404, description = "There is none."))
)]
async fn get(
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiPath((id, version)): ApiPath<(String, String)>,
) -> Result<Json<VersionView>, ApiError> {
    let tenant = &caller.context().tenant.id;
    let (action, version) = manage::action_version(&state.idp, tenant, &ActionId::new(id), &version).await?;
    let deployed = action.deployed.as_ref().is_some_and(|deployed| deployed.number == version.number);
    Ok(Json(shown::version(&state.idp, &action, &version, deployed).await?))
}

/// Deploy an old version of an Action again
#[utoipa::path(
    post, path = "/actions/actions/{actionId}/versions/{id}/deploy", operation_id = "deploy_action_version", tag = "actions",
    request_body = Option<DeployBody>,
    params(("actionId" = String, Path, description = "The Action's id."), ("id" = String, Path, description = "The version's id.")),
    security(("token" = ["create:actions"])),
    responses(
        (status = 200, description = "The new version, with code and secrets of the old one.", body = VersionView),
        (status = 404, description = "There is none."),
        (status = 412, description = "A module that it requires is gone.")
    )
)]
async fn deploy(
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiPath((id, version)): ApiPath<(String, String)>,
    ApiOptionalJson(body): ApiOptionalJson<DeployBody>,
) -> Result<Json<VersionView>, ApiError> {
    let tenant = &caller.context().tenant.id;
    let update_draft = body.unwrap_or_default().update_draft;
    let (action, version) =
        manage::deploy_version(&state.idp, tenant, &ActionId::new(id), &version, update_draft).await?;
    Ok(Json(shown::version(&state.idp, &action, &version, true).await?))
}
