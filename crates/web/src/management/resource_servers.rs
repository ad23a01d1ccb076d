//! `/resource-servers`: the tenant's APIs.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use idp::{manage, management_api};
use model::ResourceServer;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{ApiCaller, ApiError, ApiJson, ApiPath, ApiQuery, Fields, Page};
use crate::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(get))
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
}

/// A new API.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewResourceServer {
    /// The audience of its tokens. It does not change.
    identifier: String,
    /// What pages call it.
    name: Option<String>,
    /// The scopes that it knows.
    #[serde(default)]
    scopes: Vec<Scope>,
}

/// A scope of an API.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Scope {
    value: String,
}

/// List the tenant's APIs
#[utoipa::path(
    get, path = "/resource-servers", tag = "resource-servers", params(ListQuery),
    security(("token" = ["read:resource_servers"])),
    responses((status = 200, description = "The APIs, the Management API first."))
)]
async fn list(
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiQuery(query): ApiQuery<ListQuery>,
) -> Result<Json<Value>, ApiError> {
    let page = Page::new(query.page, query.per_page, query.include_totals, 50)?;
    let fields = Fields::new(query.fields.as_deref(), query.include_fields);
    let (servers, total) =
        manage::list_resource_servers(&state.idp, caller.context(), page.offset(), page.limit()).await?;
    let rows = servers.iter().map(|server| Value::Object(fields.select(shown(server)))).collect();
    Ok(Json(page.answer("resource_servers", total, rows)))
}

/// Create an API
#[utoipa::path(
    post, path = "/resource-servers", tag = "resource-servers", request_body = NewResourceServer,
    security(("token" = ["create:resource_servers"])),
    responses((status = 201, description = "The API."), (status = 409, description = "There is one of that identifier."))
)]
async fn create(
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiJson(new): ApiJson<NewResourceServer>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let server = ResourceServer {
        name: new.name.unwrap_or_else(|| new.identifier.clone()),
        identifier: new.identifier,
        scopes: new.scopes.into_iter().map(|scope| scope.value).collect(),
        token_lifetime_secs: management_api::TOKEN_LIFETIME_SECS,
        allow_offline_access: false,
        allow_online_access: false,
        allow_online_access_with_ephemeral_sessions: false,
        token_dialect: model::TokenDialect::default(),
        proof_of_possession: None,
    };
    manage::create_resource_server(&state.idp, caller.context(), &server).await?;
    Ok((StatusCode::CREATED, Json(Value::Object(shown(&server)))))
}

/// Get an API
#[utoipa::path(
    get, path = "/resource-servers/{id}", tag = "resource-servers",
    params(("id" = String, Path, description = "Its identifier.")),
    security(("token" = ["read:resource_servers"])),
    responses((status = 200, description = "The API."), (status = 404, description = "There is none."))
)]
async fn get(
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiPath(id): ApiPath<String>,
) -> Result<Json<Value>, ApiError> {
    let server = manage::resource_server(&state.idp, caller.context(), &id).await?;
    Ok(Json(Value::Object(shown(&server))))
}

fn shown(server: &ResourceServer) -> Map<String, Value> {
    let scopes: Vec<_> = server.scopes.iter().map(|scope| json!({ "value": scope })).collect();
    let mut object = Map::new();
    object.insert("identifier".to_owned(), json!(server.identifier));
    object.insert("name".to_owned(), json!(server.name));
    object.insert("is_system".to_owned(), json!(server.name == management_api::NAME));
    object.insert("scopes".to_owned(), json!(scopes));
    object.insert("token_lifetime".to_owned(), json!(server.token_lifetime_secs));
    object
}
