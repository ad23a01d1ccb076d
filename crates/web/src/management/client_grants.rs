//! `/client-grants`: what clients may have for APIs, by themselves and for users.

use axum::Json;
use axum::http::StatusCode;
use idp::manage::{self, ClientGrantFilter, ClientGrantSettings};
use model::{ClientGrantProfile, ClientId, DefaultFor, SubjectType};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::schema::{answer, body, list};
use super::{ApiCaller, ApiError, ApiJson, ApiPath, ApiQuery, PageQuery, PartQuery, PositionQuery};
use crate::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(get, update, delete))
}

body!(
    /// What a client grant is made of.
    NewClientGrant, "A new client grant.", [ClientGrantSettings, ClientGrantProfile], ["audience"]
);
body!(
    /// What is changed of a client grant.
    ClientGrantChange, "What is to change of a client grant.", [ClientGrantSettings, ClientGrantProfile], []
);

answer!(
    /// What is shown of a client grant.
    ClientGrant, "A client grant.", [ClientGrantSettings, ClientGrantProfile, Written],
    ["id", "audience", "scope", "subject_type"]
);
list!(
    /// Client grants.
    ClientGrantList, "Client grants.", ClientGrant, "client_grants", [Rows, Totals, Next]
);

/// What the server writes.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes what is shown")]
struct Written {
    /// As `cgr_...`.
    id: String,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// For this API.
    audience: Option<String>,
    /// Of this client.
    client_id: Option<String>,
    /// `client`: for clients by themselves; `user`: for users.
    subject_type: Option<SubjectType>,
    /// Those that count in the name of any organization, or those that do not.
    allow_any_organization: Option<bool>,
    /// Those that are the default of these clients.
    default_for: Option<DefaultFor>,
}

/// List client grants
#[utoipa::path(
    get, path = "/client-grants", operation_id = "list_client_grants", tag = "client-grants",
    params(PageQuery, PositionQuery, ListQuery),
    security(("token" = ["read:client_grants"])),
    responses((status = 200, description = "The client grants, in the order in which they were made.", body = ClientGrantList))
)]
async fn list(
    caller: ApiCaller,
    part: PartQuery,
    ApiQuery(query): ApiQuery<ListQuery>,
) -> Result<Json<Value>, ApiError> {
    let filter = ClientGrantFilter {
        client_id: query.client_id.map(ClientId::new),
        audience: query.audience,
        subject_type: query.subject_type,
        allow_any_organization: query.allow_any_organization,
        default_for: query.default_for,
    };
    let part = part.part(&caller, "client_grants")?;
    let listed = manage::list_client_grants(caller.idp(), caller.context(), &filter, part.span()).await?;
    part.answer(&caller, listed)
}

/// Create a client grant
#[utoipa::path(
    post, path = "/client-grants", operation_id = "create_client_grant", tag = "client-grants",
    request_body = NewClientGrant, security(("token" = ["create:client_grants"])),
    responses(
        (status = 201, description = "The client grant.", body = ClientGrant), (status = 404, description = "No such client or API."),
        (status = 409, description = "The client has one of that kind for the API.")
    )
)]
async fn create(
    caller: ApiCaller,
    ApiJson(sent): ApiJson<Map<String, Value>>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let grant = manage::create_client_grant(caller.idp(), caller.context(), &sent).await?;
    Ok((StatusCode::CREATED, Json(Value::Object(grant))))
}

/// Get a client grant
#[utoipa::path(
    get, path = "/client-grants/{id}", operation_id = "get_client_grant", tag = "client-grants",
    params(("id" = String, Path, description = "Its id.")), security(("token" = ["read:client_grants"])),
    responses((status = 200, description = "The client grant.", body = ClientGrant), (status = 404, description = "There is none."))
)]
async fn get(caller: ApiCaller, ApiPath(id): ApiPath<String>) -> Result<Json<Value>, ApiError> {
    Ok(Json(Value::Object(manage::client_grant(caller.idp(), caller.context(), &id).await?)))
}

/// Update a client grant
#[utoipa::path(
    patch, path = "/client-grants/{id}", operation_id = "update_client_grant", tag = "client-grants",
    params(("id" = String, Path, description = "Its id.")), request_body = ClientGrantChange,
    security(("token" = ["update:client_grants"])),
    responses((status = 200, description = "The client grant.", body = ClientGrant), (status = 404, description = "There is none."))
)]
async fn update(
    caller: ApiCaller,
    ApiPath(id): ApiPath<String>,
    ApiJson(sent): ApiJson<Map<String, Value>>,
) -> Result<Json<Value>, ApiError> {
    let grant = manage::update_client_grant(caller.idp(), caller.context(), &id, &sent).await?;
    Ok(Json(Value::Object(grant)))
}

/// Delete a client grant
#[utoipa::path(
    delete, path = "/client-grants/{id}", operation_id = "delete_client_grant", tag = "client-grants",
    params(("id" = String, Path, description = "Its id.")), security(("token" = ["delete:client_grants"])),
    responses((status = 204, description = "It is gone."), (status = 404, description = "There is none."))
)]
async fn delete(caller: ApiCaller, ApiPath(id): ApiPath<String>) -> Result<StatusCode, ApiError> {
    manage::delete_client_grant(caller.idp(), caller.context(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
