//! `/device-credentials`: refresh tokens, as older tools know them.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use idp::manage::{self, DeviceCredentialView};
use model::{ClientId, RefreshTokenId, UserId};
use serde::Deserialize;
use serde_json::Value;
use storage::TokenFilter;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::schema::{answer, list};
use super::{ApiCaller, ApiError, ApiPath, ApiQuery, Fields, Page};
use crate::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(delete))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// The first page is 0.
    page: Option<i64>,
    /// At most 100.
    per_page: Option<i64>,
    /// Whether the answer is an object with `total`.
    include_totals: Option<bool>,
    /// Names of the fields that are shown, with commas between them.
    fields: Option<String>,
    /// `false`: those are the ones that are left out.
    include_fields: Option<bool>,
    /// Those of this user.
    user_id: Option<String>,
    /// Those of this client.
    client_id: Option<String>,
    /// `refresh_token`, `rotating_refresh_token`, or `public_key`, of which there are none. Absent: `refresh_token`.
    #[serde(rename = "type")]
    #[param(inline)]
    kind: Option<Kind>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum Kind {
    RefreshToken,
    RotatingRefreshToken,
    PublicKey,
}

answer!(
    /// As `fields` says.
    SelectedDeviceCredential, "A device credential, with the fields that were asked for.", [DeviceCredentialView], []
);

list!(
    /// Device credentials.
    DeviceCredentialList, "Device credentials, by user and client.", SelectedDeviceCredential, "device_credentials",
    [Rows, Totals]
);

/// List device credentials
#[utoipa::path(
    get, path = "/device-credentials", tag = "device-credentials", params(ListQuery),
    operation_id = "list_device_credentials",
    security(("token" = ["read:device_credentials"])),
    responses((
        status = 200, description = "The living refresh tokens, by user and client.", body = DeviceCredentialList
    ))
)]
async fn list(
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiQuery(query): ApiQuery<ListQuery>,
) -> Result<Json<Value>, ApiError> {
    const NAME: &str = "device_credentials";
    let page = Page::new(query.page, query.per_page, query.include_totals, 50)?;
    let fields = Fields::new(query.fields.as_deref(), query.include_fields);
    let rotating = match query.kind.unwrap_or(Kind::RefreshToken) {
        Kind::RefreshToken => false,
        Kind::RotatingRefreshToken => true,
        Kind::PublicKey => return Ok(Json(page.answer(NAME, 0, Vec::new()))),
    };
    let (user, client) = (query.user_id.map(UserId::new), query.client_id.map(ClientId::new));
    let filter = TokenFilter {
        user: user.as_ref(),
        client: client.as_ref(),
        audience: None,
        rotating: Some(rotating),
    };
    let part = (page.offset(), page.limit());
    let tenant = &caller.context().tenant.id;
    let (tokens, total) =
        manage::list_device_credentials(&state.idp, tenant, filter, part, page.has_total()).await?;
    let rows = tokens.into_iter().map(|token| fields.shown(&DeviceCredentialView::from(token))).collect();
    Ok(Json(page.answer(NAME, total.unwrap_or_default(), rows)))
}

/// Delete a device credential
///
/// The refresh token ends, with what was made from it.
#[utoipa::path(
    delete, path = "/device-credentials/{id}", tag = "device-credentials", operation_id = "delete_device_credential",
    params(("id" = String, Path, description = "The id of the refresh token.")),
    security(("token" = ["delete:device_credentials"])),
    responses((status = 204, description = "It has ended."), (status = 404, description = "There is none."))
)]
async fn delete(
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiPath(id): ApiPath<String>,
) -> Result<StatusCode, ApiError> {
    let id = RefreshTokenId::new(id);
    manage::delete_refresh_token(&state.idp, &caller.context().tenant.id, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
