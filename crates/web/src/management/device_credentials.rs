//! `/device-credentials`: refresh tokens, as older tools know them.

use axum::Json;
use axum::http::StatusCode;
use idp::manage::{self, DeviceCredentialView, Listed};
use model::{ClientId, RefreshTokenId, UserId};
use serde::Deserialize;
use serde_json::Value;
use storage::TokenFilter;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::schema::{answer, list};
use super::{ApiCaller, ApiError, ApiPath, ApiQuery, Fields, FieldsQuery, Page, PageQuery};
use crate::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(delete))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
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
    get, path = "/device-credentials", tag = "device-credentials", operation_id = "list_device_credentials",
    params(PageQuery, FieldsQuery, ListQuery),
    security(("token" = ["read:device_credentials"])),
    responses((
        status = 200, description = "The living refresh tokens, by user and client.", body = DeviceCredentialList
    ))
)]
async fn list(
    caller: ApiCaller,
    page: Page,
    fields: Fields,
    ApiQuery(query): ApiQuery<ListQuery>,
) -> Result<Json<Value>, ApiError> {
    let rotating = match query.kind.unwrap_or(Kind::RefreshToken) {
        Kind::RefreshToken => Some(false),
        Kind::RotatingRefreshToken => Some(true),
        Kind::PublicKey => None,
    };
    let (user, client) = (query.user_id.map(UserId::new), query.client_id.map(ClientId::new));
    let filter = TokenFilter { user: user.as_ref(), client: client.as_ref(), audience: None, rotating };
    let listed = match rotating {
        Some(_) => {
            manage::list_device_credentials(caller.idp(), caller.tenant(), filter, page.span()).await?
        }
        None => Listed::default(),
    };
    let shown = listed.map(|token| fields.shown(&DeviceCredentialView::from(token)));
    Ok(page.answer("device_credentials", shown))
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
async fn delete(caller: ApiCaller, ApiPath(id): ApiPath<RefreshTokenId>) -> Result<StatusCode, ApiError> {
    manage::delete_refresh_token(caller.idp(), caller.tenant(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
