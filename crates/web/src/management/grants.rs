//! `/grants`: what users have granted clients.

use axum::Json;
use axum::http::StatusCode;
use idp::manage::{self, GrantView};
use model::{ClientId, UserId};
use serde::Deserialize;
use serde_json::Value;
use storage::TokenFilter;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::schema::list;
use super::{ApiCaller, ApiError, ApiPath, ApiQuery, Page, PageQuery};
use crate::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list, delete_of_user)).routes(routes!(delete))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Those of this user.
    user_id: Option<String>,
    /// Those to this client.
    client_id: Option<String>,
    /// Those for this API.
    audience: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct OfUserQuery {
    /// Whose.
    user_id: String,
}

list!(
    /// Grants.
    GrantList, "Grants, by user and client.", GrantView, "grants", [Rows, Totals]
);

/// List grants
///
/// A grant is a user's consent, or, where users are not asked, what lives of the refresh tokens of one user, client and API.
#[utoipa::path(
    get, path = "/grants", tag = "grants", params(PageQuery, ListQuery), operation_id = "list_grants",
    security(("token" = ["read:grants"])),
    responses((status = 200, description = "The grants, by user and client.", body = GrantList))
)]
async fn list(
    caller: ApiCaller,
    page: Page,
    ApiQuery(query): ApiQuery<ListQuery>,
) -> Result<Json<Value>, ApiError> {
    let context = caller.context();
    let (user, client) = (query.user_id.map(UserId::new), query.client_id.map(ClientId::new));
    let filter = TokenFilter {
        user: user.as_ref(),
        client: client.as_ref(),
        audience: query.audience.as_deref().map(|audience| manage::granted_audience(audience, context)),
        rotating: None,
    };
    let listed = manage::list_grants(caller.idp(), caller.tenant(), filter, page.span()).await?;
    Ok(page.answer("grants", listed.map(|grant| GrantView::new(grant, context))))
}

/// Delete a grant
///
/// The refresh tokens of its user, client and API end, with what was made from them, and the user is asked again.
#[utoipa::path(
    delete, path = "/grants/{id}", tag = "grants", operation_id = "delete_grant",
    params(("id" = String, Path, description = "Its id.")),
    security(("token" = ["delete:grants"])),
    responses((status = 204, description = "There is none any more."), (status = 404, description = "There was none."))
)]
async fn delete(caller: ApiCaller, ApiPath(id): ApiPath<String>) -> Result<StatusCode, ApiError> {
    manage::delete_grant(caller.idp(), caller.tenant(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Delete all grants of a user
#[utoipa::path(
    delete, path = "/grants", tag = "grants", params(OfUserQuery), operation_id = "delete_grants_of_user",
    security(("token" = ["delete:grants"])),
    responses((status = 204, description = "There are none any more."))
)]
async fn delete_of_user(
    caller: ApiCaller,
    ApiQuery(query): ApiQuery<OfUserQuery>,
) -> Result<StatusCode, ApiError> {
    let user = UserId::new(query.user_id);
    manage::delete_grants_of_user(caller.idp(), caller.tenant(), &user).await?;
    Ok(StatusCode::NO_CONTENT)
}
