//! `/actions/actions/{actionId}/versions`: what was deployed.

use axum::Json;
use idp::manage::{self, Listed};
use model::ActionId;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::shown::VersionView;
use super::{ActionsPage, ActionsPageQuery, shown};
use crate::AppState;
use crate::management::schema::list;
use crate::management::{ApiCaller, ApiError, ApiOptionalJson, ApiPath};

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get)).routes(routes!(deploy))
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
    params(("actionId" = String, Path, description = "The Action's id."), ActionsPageQuery),
    security(("token" = ["read:actions"])),
    responses((status = 200, description = "A page of `versions`, newest first, with `total`.", body = VersionList), (status = 404, description = "There is no such Action."))
)]
async fn list(
    caller: ApiCaller,
    ApiPath(id): ApiPath<ActionId>,
    page: ActionsPage,
) -> Result<Json<Value>, ApiError> {
    let (action, versions) = manage::action_versions(caller.idp(), caller.tenant(), &id).await?;
    let deployed = action.deployed.as_ref().map(|version| version.number);
    let listed = page.of(versions);
    let mut rows = Vec::with_capacity(listed.rows.len());
    for version in &listed.rows {
        let deployed = deployed == Some(version.number);
        rows.push(shown::version(caller.idp(), &action, version, deployed).await?);
    }
    Ok(page.answer("versions", Listed { rows, total: listed.total, last_key: None }))
}

/// Get a version of an Action
#[utoipa::path(
    get, path = "/actions/actions/{actionId}/versions/{id}", operation_id = "get_action_version", tag = "actions",
    params(("actionId" = String, Path, description = "The Action's id."), ("id" = String, Path, description = "The version's id.")),
    security(("token" = ["read:actions"])),
    responses((status = 200, description = "The version.", body = VersionView), (status = 404, description = "There is none."))
)]
async fn get(
    caller: ApiCaller,
    ApiPath((id, version)): ApiPath<(ActionId, String)>,
) -> Result<Json<VersionView>, ApiError> {
    let (action, version) = manage::action_version(caller.idp(), caller.tenant(), &id, &version).await?;
    let deployed = action.deployed.as_ref().is_some_and(|deployed| deployed.number == version.number);
    Ok(Json(shown::version(caller.idp(), &action, &version, deployed).await?))
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
    caller: ApiCaller,
    ApiPath((id, version)): ApiPath<(ActionId, String)>,
    ApiOptionalJson(body): ApiOptionalJson<DeployBody>,
) -> Result<Json<VersionView>, ApiError> {
    let update_draft = body.unwrap_or_default().update_draft;
    let (action, version) =
        manage::deploy_version(caller.idp(), caller.tenant(), &id, &version, update_draft).await?;
    Ok(Json(shown::version(caller.idp(), &action, &version, true).await?))
}
