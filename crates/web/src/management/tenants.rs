//! `/tenants/settings`.

use axum::Json;
use idp::manage::{self, TenantSettings};
use model::TenantProfile;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::schema::{answer, body};
use super::{ApiCaller, ApiError, ApiJson, Fields, FieldsQuery};
use crate::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(get, update))
}

body!(
    /// What is changed of a tenant.
    TenantChange, "What is to change of the tenant. `null` puts the default back.",
    [TenantSettings, TenantProfile, InMinutes], []
);

answer!(
    /// What is shown of a tenant.
    Tenant, "The tenant's settings.", [TenantSettings, TenantProfile, Written], [
        "friendly_name", "default_audience", "default_directory", "enabled_locales", "sandbox_version",
        "sandbox_versions_available", "allowed_logout_urls", "session_lifetime", "idle_session_lifetime",
        "ephemeral_session_lifetime", "idle_ephemeral_session_lifetime", "session_cookie", "sessions", "oidc_logout",
        "flags", "include_session_metadata_in_tenant_logs", "pushed_authorization_requests_supported",
        "allow_organization_name_in_authentication_api", "factors"
    ]
);
answer!(
    /// As `fields` says.
    SelectedTenant, "The tenant's settings that were asked for.", [TenantSettings, TenantProfile, Written], []
);

/// What the server writes.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes what is shown")]
struct Written {
    /// The versions of Node that Actions may name.
    sandbox_versions_available: Vec<String>,
}

/// What is sent in minutes and shown in hours.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes what is sent")]
struct InMinutes {
    session_lifetime_in_minutes: Option<f64>,
    idle_session_lifetime_in_minutes: Option<f64>,
    ephemeral_session_lifetime_in_minutes: Option<f64>,
    idle_ephemeral_session_lifetime_in_minutes: Option<f64>,
}

/// Get the tenant's settings
#[utoipa::path(
    get, path = "/tenants/settings", operation_id = "get_tenant_settings", tag = "tenants", params(FieldsQuery),
    security(("token" = ["read:tenant_settings"])),
    responses((status = 200, description = "The settings; lifetimes are in hours.", body = SelectedTenant))
)]
async fn get(caller: ApiCaller, fields: Fields) -> Result<Json<Value>, ApiError> {
    let settings = manage::get_tenant(caller.idp(), caller.tenant()).await?;
    Ok(Json(Value::Object(fields.select(settings))))
}

/// Update the tenant's settings
#[utoipa::path(
    patch, path = "/tenants/settings", operation_id = "update_tenant_settings", tag = "tenants",
    request_body = TenantChange, security(("token" = ["update:tenant_settings"])),
    responses((status = 200, description = "The settings; lifetimes are in hours.", body = Tenant))
)]
async fn update(
    caller: ApiCaller,
    ApiJson(sent): ApiJson<Map<String, Value>>,
) -> Result<Json<Value>, ApiError> {
    let settings = manage::update_tenant(caller.idp(), caller.tenant(), &sent).await?;
    Ok(Json(Value::Object(settings)))
}
