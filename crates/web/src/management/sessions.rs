//! `/sessions`: browsers that are logged in.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use idp::manage::{self, SessionView};
use model::SessionId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{ApiCaller, ApiError, ApiJson, ApiPath};
use crate::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(get, update, delete)).routes(routes!(revoke))
}

/// What changes of a session.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SessionChanges {
    /// Replaces all of it: at most 25 pairs of 255 characters. `null` and `{}` clear it.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required = true)]
    session_metadata: Option<BTreeMap<String, String>>,
}

/// There is nothing to say of what has ended.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Ended {}

impl IntoResponse for Ended {
    fn into_response(self) -> Response {
        (StatusCode::ACCEPTED, Json(self)).into_response()
    }
}

/// Get a session
#[utoipa::path(
    get, path = "/sessions/{id}", tag = "sessions", operation_id = "get_session",
    params(("id" = String, Path, description = "The `sid` of ID tokens.")),
    security(("token" = ["read:sessions"])),
    responses((status = 200, description = "The session.", body = SessionView), (status = 404, description = "There is none, or it has ended."))
)]
async fn get(caller: ApiCaller, ApiPath(id): ApiPath<SessionId>) -> Result<Json<SessionView>, ApiError> {
    let session = manage::get_session(caller.idp(), caller.tenant(), &id).await?;
    Ok(Json(SessionView::from(&session)))
}

/// Update a session
#[utoipa::path(
    patch, path = "/sessions/{id}", tag = "sessions", request_body = SessionChanges, operation_id = "update_session",
    params(("id" = String, Path, description = "The `sid` of ID tokens.")),
    security(("token" = ["update:sessions"])),
    responses((status = 200, description = "The session.", body = SessionView), (status = 404, description = "There is none, or it has ended."))
)]
async fn update(
    caller: ApiCaller,
    ApiPath(id): ApiPath<SessionId>,
    ApiJson(changes): ApiJson<SessionChanges>,
) -> Result<Json<SessionView>, ApiError> {
    let metadata = changes.session_metadata.unwrap_or_default();
    let session = manage::set_session_metadata(caller.idp(), caller.tenant(), &id, &metadata).await?;
    Ok(Json(SessionView::from(&session)))
}

/// Delete a session
///
/// With the refresh tokens that are bound to it; others go on.
#[utoipa::path(
    delete, path = "/sessions/{id}", tag = "sessions", operation_id = "delete_session",
    params(("id" = String, Path, description = "The `sid` of ID tokens.")),
    security(("token" = ["delete:sessions"])),
    responses((status = 202, description = "It has ended.", body = Ended), (status = 404, description = "There is none."))
)]
async fn delete(caller: ApiCaller, ApiPath(id): ApiPath<SessionId>) -> Result<Ended, ApiError> {
    manage::delete_session(caller.idp(), caller.tenant(), &id).await?;
    Ok(Ended {})
}

/// Revoke a session
///
/// With all its refresh tokens, and what was made from those.
#[utoipa::path(
    post, path = "/sessions/{id}/revoke", tag = "sessions", operation_id = "revoke_session",
    params(("id" = String, Path, description = "The `sid` of ID tokens.")),
    security(("token" = ["delete:sessions", "delete:refresh_tokens"])),
    responses((status = 202, description = "It has ended.", body = Ended), (status = 404, description = "There is none."))
)]
async fn revoke(caller: ApiCaller, ApiPath(id): ApiPath<SessionId>) -> Result<Ended, ApiError> {
    manage::revoke_session(caller.idp(), caller.tenant(), &id).await?;
    Ok(Ended {})
}
