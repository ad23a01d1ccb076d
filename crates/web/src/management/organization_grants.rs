//! `/organizations/{id}/client-grants`: the client grants that count in the name of an organization.

use axum::Json;
use axum::http::StatusCode;
use idp::manage;
use model::OrganizationId;
use serde::Deserialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::client_grants::ClientGrant;
use super::schema::list;
use super::{ApiCaller, ApiError, ApiJson, ApiPath, ApiQuery, Page, PageQuery};
use crate::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list, add)).routes(routes!(remove))
}

list!(
    /// Client grants of an organization.
    OrganizationClientGrants, "Client grants.", ClientGrant, "client_grants", [Rows, Totals]
);

/// A client grant by its id.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OrganizationClientGrantBody {
    /// As `cgr_...`.
    grant_id: String,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// For this API.
    audience: Option<String>,
    /// Of this client.
    client_id: Option<String>,
}

/// List an organization's client grants
#[utoipa::path(
    get, path = "/organizations/{id}/client-grants", tag = "organizations",
    operation_id = "client_grants_of_organization",
    params(("id" = String, Path, description = "Its id."), PageQuery, ListQuery),
    security(("token" = ["read:organization_client_grants"])),
    responses(
        (status = 200, description = "The client grants, in the order in which they were made.", body = OrganizationClientGrants),
        (status = 404, description = "There is no such organization.")
    )
)]
async fn list(
    caller: ApiCaller,
    ApiPath(id): ApiPath<OrganizationId>,
    page: Page,
    ApiQuery(query): ApiQuery<ListQuery>,
) -> Result<Json<Value>, ApiError> {
    let (audience, client) = (query.audience.as_deref(), query.client_id.as_deref());
    let grants =
        manage::organization_client_grants(caller.idp(), caller.context(), &id, audience, client).await?;
    Ok(page.answer("client_grants", page.span().of(grants)))
}

/// Add a client grant to an organization
#[utoipa::path(
    post, path = "/organizations/{id}/client-grants", tag = "organizations",
    request_body = OrganizationClientGrantBody, operation_id = "add_client_grant_to_organization",
    params(("id" = String, Path, description = "Its id.")),
    security(("token" = ["create:organization_client_grants"])),
    responses(
        (status = 201, description = "The client grant.", body = ClientGrant),
        (status = 404, description = "There is no such organization or client grant."),
        (status = 409, description = "The organization has it.")
    )
)]
async fn add(
    caller: ApiCaller,
    ApiPath(id): ApiPath<OrganizationId>,
    ApiJson(body): ApiJson<OrganizationClientGrantBody>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let grant =
        manage::add_organization_client_grant(caller.idp(), caller.context(), &id, &body.grant_id).await?;
    Ok((StatusCode::CREATED, Json(Value::Object(grant))))
}

/// Remove a client grant from an organization
#[utoipa::path(
    delete, path = "/organizations/{id}/client-grants/{grant_id}", tag = "organizations",
    operation_id = "remove_client_grant_from_organization",
    params(
        ("id" = String, Path, description = "The organization's id."),
        ("grant_id" = String, Path, description = "The client grant's id.")
    ),
    security(("token" = ["delete:organization_client_grants"])),
    responses(
        (status = 204, description = "The organization has not got it any more."),
        (status = 404, description = "There is no such organization, or it had not got it.")
    )
)]
async fn remove(
    caller: ApiCaller,
    ApiPath((id, grant)): ApiPath<(OrganizationId, String)>,
) -> Result<StatusCode, ApiError> {
    manage::remove_organization_client_grant(caller.idp(), caller.context(), &id, &grant).await?;
    Ok(StatusCode::NO_CONTENT)
}
