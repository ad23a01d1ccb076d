//! The Management API, `/api/v2/`. A file for each resource lists its operations once, by `routes!`: the router, the OpenAPI document and
//! the scopes that `auth` enforces all come from that list.

mod actions;
mod auth;
mod client_credentials;
mod client_grants;
mod clients;
mod connections;
mod device_credentials;
mod document;
mod error;
mod extract;
mod followers;
mod grants;
mod keys;
mod limits;
mod log_streams;
mod logs;
mod organization_grants;
mod organizations;
mod page;
mod rate_limit;
mod refresh_tokens;
mod resource_servers;
mod roles;
mod schema;
mod sessions;
mod tenants;
mod user_access;
mod users;

use std::sync::Arc;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, Uri};
use axum::middleware::from_fn_with_state;
use axum::routing::{any, get};
use utoipa_axum::router::OpenApiRouter;

use crate::AppState;
pub(crate) use auth::ApiCaller;
pub(crate) use error::{ApiError, unexpected};
pub(crate) use extract::{ApiJson, ApiOptionalJson, ApiPath, ApiQuery};
pub(crate) use followers::Followers;
pub(crate) use page::{Fields, FieldsQuery, Page, PageQuery, PartQuery, PositionQuery};
pub(crate) use rate_limit::RateLimits;

/// Where it is.
pub(crate) const BASE: &str = "/api/v2";

/// The operations of every resource.
fn operations() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(actions::routes())
        .merge(client_credentials::routes())
        .merge(client_grants::routes())
        .merge(clients::routes())
        .merge(connections::routes())
        .merge(device_credentials::routes())
        .merge(grants::routes())
        .merge(keys::routes())
        .merge(log_streams::routes())
        .merge(logs::routes())
        .merge(organization_grants::routes())
        .merge(organizations::routes())
        .merge(refresh_tokens::routes())
        .merge(resource_servers::routes())
        .merge(roles::routes())
        .merge(sessions::routes())
        .merge(tenants::routes())
        .merge(user_access::routes())
        .merge(users::routes())
}

/// The OpenAPI 3.1 document of what this server serves.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    document::finished(document::begun().nest(BASE, operations()).into_openapi())
}

/// The routes below [`BASE`], with what guards them.
pub(crate) fn router(state: &AppState) -> Router<AppState> {
    let (routes, api) = document::begun().nest(BASE, operations()).split_for_parts();
    let api = document::finished(api);
    let guard = auth::Guard { state: state.clone(), operations: Arc::new(auth::Operations::of(&api)) };
    let text: Arc<str> = serde_json::to_string(&api).unwrap_or_default().into();
    routes
        .route(&format!("{BASE}/{{*rest}}"), any(unsupported))
        .route_layer(from_fn_with_state(guard, auth::guard))
        .route(
            &format!("{BASE}/openapi.json"),
            get(move || {
                let text = text.to_string();
                async move { ([(CONTENT_TYPE, "application/json")], text) }
            }),
        )
}

/// What this server does not have is answered as to a token that may not: tools then leave it out and go on, where any other answer ends
/// them (`reference/management-api.md` section 4.2).
async fn unsupported(method: Method, uri: Uri) -> ApiError {
    let rest = uri.path().strip_prefix(BASE).unwrap_or_default();
    let resource = rest.split('/').find(|part| !part.is_empty()).unwrap_or_default();
    let is_name = resource.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    let resource = if is_name { resource.replace('-', "_") } else { "unknown".to_owned() };
    let verb = match method {
        Method::GET | Method::HEAD => "read",
        Method::POST => "create",
        Method::DELETE => "delete",
        _ => "update",
    };
    ApiError::insufficient_scope([format!("{verb}:{resource}")])
}
