//! `/tenants/settings`.

use axum::Json;
use axum::extract::State;
use idp::manage::{self, TenantSettings};
use model::TenantProfile;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::schema::{answer, body};
use super::{ApiCaller, ApiError, ApiJson, ApiQuery, Fields};
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

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct FieldsQuery {
    /// Names of the fields that are shown, with commas between them.
    fields: Option<String>,
    /// `false`: those are the ones that are left out.
    include_fields: Option<bool>,
}

/// Get the tenant's settings
#[utoipa::path(
    get, path = "/tenants/settings", operation_id = "get_tenant_settings", tag = "tenants", params(FieldsQuery),
    security(("token" = ["read:tenant_settings"])),
    responses((status = 200, description = "The settings; lifetimes are in hours.", body = SelectedTenant))
)]
async fn get(
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiQuery(query): ApiQuery<FieldsQuery>,
) -> Result<Json<Value>, ApiError> {
    let fields = Fields::new(query.fields.as_deref(), query.include_fields);
    let settings = manage::get_tenant(&state.idp, &caller.context().tenant.id).await?;
    Ok(Json(Value::Object(fields.select(settings))))
}

/// Update the tenant's settings
#[utoipa::path(
    patch, path = "/tenants/settings", operation_id = "update_tenant_settings", tag = "tenants",
    request_body = TenantChange, security(("token" = ["update:tenant_settings"])),
    responses((status = 200, description = "The settings; lifetimes are in hours.", body = Tenant))
)]
async fn update(
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiJson(sent): ApiJson<Map<String, Value>>,
) -> Result<Json<Value>, ApiError> {
    let settings = manage::update_tenant(&state.idp, &caller.context().tenant.id, &sent).await?;
    Ok(Json(Value::Object(settings)))
}
