//! `/resource-servers`: the tenant's APIs.

use axum::Json;
use axum::http::StatusCode;
use idp::manage::{self, ManageError, ResourceServerSettings, UnstoredResourceServerSettings};
use model::ResourceServerProfile;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::schema::{answer, body, list};
use super::{ApiCaller, ApiError, ApiJson, ApiPath, ApiQuery, Fields, FieldsQuery, Page, PageQuery};
use crate::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(get, update, delete))
}

body!(
    /// What an API is made of.
    NewResourceServer, "A new API. What is not sent has a default.",
    [ResourceServerSettings, ResourceServerProfile, UnstoredResourceServerSettings], ["identifier"]
);
body!(
    /// What is changed of an API.
    ResourceServerChange, "What is to change of an API. `null` puts the default back.",
    [ResourceServerSettings, ResourceServerProfile, UnstoredResourceServerSettings], []
);

answer!(
    /// What is shown of an API.
    ResourceServer, "An API.", [ResourceServerSettings, ResourceServerProfile, Written], [
        "id", "is_system", "identifier", "name", "scopes", "allow_offline_access", "allow_online_access",
        "allow_online_access_with_ephemeral_sessions", "token_lifetime", "token_lifetime_for_web", "signing_alg",
        "skip_consent_for_verifiable_first_party_clients", "enforce_policies", "subject_type_authorization"
    ]
);
answer!(
    /// As `fields` says.
    SelectedResourceServer, "An API, with the fields that were asked for.",
    [ResourceServerSettings, ResourceServerProfile, Written], []
);
list!(
    /// APIs.
    ResourceServerList, "APIs.", SelectedResourceServer, "resource_servers", [Rows, Totals]
);

/// What the server writes.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes what is shown")]
struct Written {
    /// 24 hexadecimal digits.
    id: String,
    /// Whether it is the Management API.
    is_system: bool,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Only these, at most 100.
    #[serde(default)]
    identifiers: Vec<String>,
}

/// List the tenant's APIs
#[utoipa::path(
    get, path = "/resource-servers", operation_id = "list_resource_servers", tag = "resource-servers",
    params(PageQuery, FieldsQuery, ListQuery), security(("token" = ["read:resource_servers"])),
    responses((status = 200, description = "The APIs, the Management API first.", body = ResourceServerList))
)]
async fn list(
    caller: ApiCaller,
    page: Page,
    fields: Fields,
    ApiQuery(query): ApiQuery<ListQuery>,
) -> Result<Json<Value>, ApiError> {
    let (idp, context) = (caller.idp(), caller.context());
    let listed = if query.identifiers.is_empty() {
        manage::list_resource_servers(idp, context, page.span()).await?
    } else {
        let mut found = Vec::new();
        for identifier in query.identifiers.iter().take(100) {
            match manage::resource_server(idp, context, identifier).await {
                Ok(server) => found.push(server),
                Err(ManageError::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        page.span().of(found)
    };
    Ok(page.answer("resource_servers", listed.map(|server| fields.select(server))))
}

/// Create an API
#[utoipa::path(
    post, path = "/resource-servers", operation_id = "create_resource_server", tag = "resource-servers",
    request_body = NewResourceServer, security(("token" = ["create:resource_servers"])),
    responses((status = 201, description = "The API.", body = ResourceServer), (status = 409, description = "There is one of that identifier."))
)]
async fn create(
    caller: ApiCaller,
    ApiJson(sent): ApiJson<Map<String, Value>>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let server = manage::create_resource_server(caller.idp(), caller.context(), &sent).await?;
    Ok((StatusCode::CREATED, Json(Value::Object(server))))
}

/// Get an API
#[utoipa::path(
    get, path = "/resource-servers/{id}", operation_id = "get_resource_server", tag = "resource-servers",
    params(("id" = String, Path, description = "Its id or identifier."), FieldsQuery),
    security(("token" = ["read:resource_servers"])),
    responses((status = 200, description = "The API.", body = SelectedResourceServer), (status = 404, description = "There is none."))
)]
async fn get(
    caller: ApiCaller,
    ApiPath(id): ApiPath<String>,
    fields: Fields,
) -> Result<Json<Value>, ApiError> {
    let (idp, context) = (caller.idp(), caller.context());
    let server = match manage::resource_server(idp, context, &id).await {
        // Terraform's data source encodes an identifier twice.
        Err(ManageError::NotFound { .. }) if id.contains('%') => {
            manage::resource_server(idp, context, &decoded(&id)).await?
        }
        found => found?,
    };
    Ok(Json(Value::Object(fields.select(server))))
}

/// The text without its percent-encoding, and with all else that a form would have encoded.
fn decoded(text: &str) -> String {
    let name = text.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    form_urlencoded::parse(name.as_bytes()).map(|(name, _)| name.into_owned()).collect()
}

/// Update an API
#[utoipa::path(
    patch, path = "/resource-servers/{id}", operation_id = "update_resource_server", tag = "resource-servers",
    params(("id" = String, Path, description = "Its id or identifier.")), request_body = ResourceServerChange,
    security(("token" = ["update:resource_servers"])),
    responses(
        (status = 200, description = "The API.", body = ResourceServer), (status = 403, description = "It is the Management API."),
        (status = 404, description = "There is none.")
    )
)]
async fn update(
    caller: ApiCaller,
    ApiPath(id): ApiPath<String>,
    ApiJson(sent): ApiJson<Map<String, Value>>,
) -> Result<Json<Value>, ApiError> {
    let server = manage::update_resource_server(caller.idp(), caller.context(), &id, &sent).await?;
    Ok(Json(Value::Object(server)))
}

/// Delete an API
#[utoipa::path(
    delete, path = "/resource-servers/{id}", operation_id = "delete_resource_server", tag = "resource-servers",
    params(("id" = String, Path, description = "Its id or identifier.")),
    security(("token" = ["delete:resource_servers"])),
    responses(
        (status = 204, description = "It is gone, and the client grants for it."),
        (status = 403, description = "It is the Management API."), (status = 404, description = "There is none."),
        (status = 409, description = "A client or the tenant needs it.")
    )
)]
async fn delete(caller: ApiCaller, ApiPath(id): ApiPath<String>) -> Result<StatusCode, ApiError> {
    manage::delete_resource_server(caller.idp(), caller.context(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
