//! `/users/{id}/...`: what a user may do, and where they are logged in.

use axum::Json;
use axum::http::StatusCode;
use idp::manage::{self, LogView, MAX_NAMED, RefreshTokenView, Roles, SessionView};
use model::{Organization, Permission, RoleId, SessionId, UserId};
use serde::Deserialize;
use serde_json::Value;
use storage::PermissionHolder;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::logs::LogPageQuery;
use super::roles::{PermissionList, RoleList};
use super::schema::list;
use super::sessions::Ended;
use super::{ApiCaller, ApiError, ApiJson, ApiPath, ApiQuery, Fields, Page, PageQuery, PositionQuery};
use crate::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(roles, assign_roles, remove_roles))
        .routes(routes!(permissions, assign_permissions, remove_permissions))
        .routes(routes!(organizations))
        .routes(routes!(sessions, delete_sessions))
        .routes(routes!(refresh_tokens, delete_refresh_tokens))
        .routes(routes!(revoke_access))
        .routes(routes!(delete_authenticators))
        .routes(routes!(logs))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct TotalQuery {
    /// Whether the answer has `total`.
    include_totals: Option<bool>,
}

/// Roles by their ids.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RolesBody {
    /// 1 to 200.
    pub(super) roles: Vec<String>,
}

/// Permissions: scopes of APIs.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PermissionsBody {
    /// 1 to 200.
    permissions: Vec<PermissionBody>,
}

/// A scope of an API.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PermissionBody {
    /// The API's identifier.
    resource_server_identifier: String,
    /// The scope.
    permission_name: String,
}

impl PermissionsBody {
    pub(super) fn permissions(self) -> Result<Vec<Permission>, ApiError> {
        named("permissions", self.permissions, |body| Permission {
            resource_server_identifier: body.resource_server_identifier,
            permission_name: body.permission_name,
        })
    }
}

/// What a body names. An empty list is refused, and one that is too long.
pub(super) fn named<B, T>(what: &str, list: Vec<B>, form: impl FnMut(B) -> T) -> Result<Vec<T>, ApiError> {
    if list.is_empty() || list.len() > MAX_NAMED {
        let text = format!("Payload validation error: '{what} must have 1 to {MAX_NAMED} items'.");
        return Err(ApiError::invalid_body(text));
    }
    Ok(list.into_iter().map(form).collect())
}

list!(
    /// Organizations of a user.
    OrganizationList, "Organizations.", Organization, "organizations", [Rows, Totals]
);

list!(
    /// Sessions of a user.
    SessionList, "Sessions, newest first.", SessionView, "sessions", [NextAndTotal]
);

list!(
    /// Refresh tokens of a user.
    RefreshTokenList, "Refresh tokens, newest first.", RefreshTokenView, "tokens", [NextAndTotal]
);

list!(
    /// What happened to a user.
    LogList, "Entries of the log.", LogView, "logs", [Rows, TotalsAndLength]
);

/// List a user's roles
#[utoipa::path(
    get, path = "/users/{id}/roles", tag = "users", operation_id = "roles_of_user",
    params(("id" = String, Path, description = "Its `user_id`."), PageQuery),
    security(("token" = ["read:users", "read:roles"]), ("token" = ["read:role_members"])),
    responses((status = 200, description = "The roles, by name.", body = RoleList), (status = 404, description = "There is no such user."))
)]
async fn roles(caller: ApiCaller, ApiPath(id): ApiPath<UserId>, page: Page) -> Result<Json<Value>, ApiError> {
    let roles = manage::roles_of_user(caller.idp(), caller.tenant(), &id).await?;
    Ok(page.answer("roles", page.span().of(roles)))
}

/// Assign roles to a user
#[utoipa::path(
    post, path = "/users/{id}/roles", tag = "users", request_body = RolesBody, operation_id = "assign_roles_to_user",
    params(("id" = String, Path, description = "Its `user_id`.")),
    security(("token" = ["update:users"]), ("token" = ["create:role_members"])),
    responses((status = 204, description = "The user has them."), (status = 404, description = "There is no such user or role."))
)]
async fn assign_roles(
    caller: ApiCaller,
    ApiPath(id): ApiPath<UserId>,
    ApiJson(body): ApiJson<RolesBody>,
) -> Result<StatusCode, ApiError> {
    let roles = named("roles", body.roles, RoleId::new)?;
    manage::assign_roles(caller.idp(), caller.tenant(), &id, Roles::Ids(&roles)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Remove roles from a user
#[utoipa::path(
    delete, path = "/users/{id}/roles", tag = "users", request_body = RolesBody, operation_id = "remove_roles_from_user",
    params(("id" = String, Path, description = "Its `user_id`.")),
    security(("token" = ["update:users"]), ("token" = ["delete:role_members"])),
    responses((status = 204, description = "The user has none of them."), (status = 404, description = "There is no such user or role."))
)]
async fn remove_roles(
    caller: ApiCaller,
    ApiPath(id): ApiPath<UserId>,
    ApiJson(body): ApiJson<RolesBody>,
) -> Result<StatusCode, ApiError> {
    let roles = named("roles", body.roles, RoleId::new)?;
    manage::remove_roles(caller.idp(), caller.tenant(), &id, Roles::Ids(&roles)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List a user's permissions
///
/// Those that they have by themselves, and by their roles.
#[utoipa::path(
    get, path = "/users/{id}/permissions", tag = "users", operation_id = "permissions_of_user",
    params(("id" = String, Path, description = "Its `user_id`."), PageQuery),
    security(("token" = ["read:users"])),
    responses((status = 200, description = "The permissions, by API and name.", body = PermissionList), (status = 404, description = "There is no such user."))
)]
async fn permissions(
    caller: ApiCaller,
    ApiPath(id): ApiPath<UserId>,
    page: Page,
) -> Result<Json<Value>, ApiError> {
    let listed = manage::permissions_of_user(caller.idp(), caller.tenant(), &id, page.span()).await?;
    Ok(page.answer("permissions", listed))
}

/// Assign permissions to a user
#[utoipa::path(
    post, path = "/users/{id}/permissions", tag = "users", request_body = PermissionsBody,
    operation_id = "assign_permissions_to_user",
    params(("id" = String, Path, description = "Its `user_id`.")),
    security(("token" = ["update:users"])),
    responses((status = 201, description = "The user has them."), (status = 404, description = "There is no such user, API or scope."))
)]
async fn assign_permissions(
    caller: ApiCaller,
    ApiPath(id): ApiPath<UserId>,
    ApiJson(body): ApiJson<PermissionsBody>,
) -> Result<StatusCode, ApiError> {
    let (holder, permissions) = (PermissionHolder::User(&id), body.permissions()?);
    manage::add_permissions(caller.idp(), caller.tenant(), holder, &permissions).await?;
    Ok(StatusCode::CREATED)
}

/// Remove permissions from a user
#[utoipa::path(
    delete, path = "/users/{id}/permissions", tag = "users", request_body = PermissionsBody,
    operation_id = "remove_permissions_from_user",
    params(("id" = String, Path, description = "Its `user_id`.")),
    security(("token" = ["update:users"])),
    responses((status = 204, description = "The user has none of them by themselves."), (status = 404, description = "There is no such user."))
)]
async fn remove_permissions(
    caller: ApiCaller,
    ApiPath(id): ApiPath<UserId>,
    ApiJson(body): ApiJson<PermissionsBody>,
) -> Result<StatusCode, ApiError> {
    let (holder, permissions) = (PermissionHolder::User(&id), body.permissions()?);
    manage::remove_permissions(caller.idp(), caller.tenant(), holder, &permissions).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List a user's organizations
#[utoipa::path(
    get, path = "/users/{id}/organizations", tag = "users", operation_id = "organizations_of_user",
    params(("id" = String, Path, description = "Its `user_id`."), PageQuery),
    security(("token" = ["read:organizations"])),
    responses((status = 200, description = "The organizations.", body = OrganizationList), (status = 404, description = "There is no such user."))
)]
async fn organizations(
    caller: ApiCaller,
    ApiPath(id): ApiPath<UserId>,
    page: Page,
) -> Result<Json<Value>, ApiError> {
    let listed = manage::organizations_of_user(caller.idp(), caller.tenant(), &id, page.span()).await?;
    Ok(page.answer("organizations", listed))
}

/// List a user's sessions
#[utoipa::path(
    get, path = "/users/{id}/sessions", tag = "sessions", operation_id = "sessions_of_user",
    params(("id" = String, Path, description = "Its `user_id`."), PositionQuery, TotalQuery),
    security(("token" = ["read:sessions"])),
    responses((status = 200, description = "The living sessions, newest first.", body = SessionList), (status = 404, description = "There is no such user."))
)]
async fn sessions(
    caller: ApiCaller,
    ApiPath(id): ApiPath<UserId>,
    ApiQuery(position): ApiQuery<PositionQuery>,
    ApiQuery(totals): ApiQuery<TotalQuery>,
) -> Result<Json<Value>, ApiError> {
    let part = position.part(&caller, "sessions")?.counted(totals.include_totals);
    let listed = manage::sessions_of_user(caller.idp(), caller.tenant(), &id, part.span()).await?;
    part.answer(&caller, listed.map(|session| SessionView::from(&session)))
}

/// Delete a user's sessions
///
/// With the refresh tokens that are bound to them; others go on.
#[utoipa::path(
    delete, path = "/users/{id}/sessions", tag = "sessions", operation_id = "delete_sessions_of_user",
    params(("id" = String, Path, description = "Its `user_id`.")),
    security(("token" = ["delete:sessions"])),
    responses((status = 202, description = "They have ended.", body = Ended), (status = 404, description = "There is no such user."))
)]
async fn delete_sessions(caller: ApiCaller, ApiPath(id): ApiPath<UserId>) -> Result<Ended, ApiError> {
    manage::delete_sessions_of_user(caller.idp(), caller.tenant(), &id).await?;
    Ok(Ended {})
}

/// List a user's refresh tokens
#[utoipa::path(
    get, path = "/users/{id}/refresh-tokens", tag = "refresh-tokens", operation_id = "refresh_tokens_of_user",
    params(("id" = String, Path, description = "Its `user_id`."), PositionQuery, TotalQuery),
    security(("token" = ["read:refresh_tokens"])),
    responses(
        (status = 200, description = "The living refresh tokens, newest first, online ones aside.", body = RefreshTokenList),
        (status = 404, description = "There is no such user.")
    )
)]
async fn refresh_tokens(
    caller: ApiCaller,
    ApiPath(id): ApiPath<UserId>,
    ApiQuery(position): ApiQuery<PositionQuery>,
    ApiQuery(totals): ApiQuery<TotalQuery>,
) -> Result<Json<Value>, ApiError> {
    manage::get_user(caller.idp(), caller.tenant(), &id).await?;
    let part = position.part(&caller, "tokens")?.counted(totals.include_totals);
    let listed =
        manage::refresh_tokens_of_user(caller.idp(), caller.tenant(), &id, None, part.span()).await?;
    part.answer(&caller, listed.map(|token| RefreshTokenView::from(&token)))
}

/// Delete a user's refresh tokens
///
/// But for the online ones, which are their sessions'.
#[utoipa::path(
    delete, path = "/users/{id}/refresh-tokens", tag = "refresh-tokens", operation_id = "delete_refresh_tokens_of_user",
    params(("id" = String, Path, description = "Its `user_id`.")),
    security(("token" = ["delete:refresh_tokens"])),
    responses((status = 202, description = "They have ended.", body = Ended), (status = 404, description = "There is no such user."))
)]
async fn delete_refresh_tokens(caller: ApiCaller, ApiPath(id): ApiPath<UserId>) -> Result<Ended, ApiError> {
    manage::get_user(caller.idp(), caller.tenant(), &id).await?;
    let all = manage::RefreshTokenSelector::User(id);
    manage::revoke_refresh_tokens(caller.idp(), caller.tenant(), &all).await?;
    Ok(Ended {})
}

/// What ends of a user's access.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RevokeAccessBody {
    /// This session of the user; absent: all of them.
    session_id: Option<String>,
    /// Refresh tokens that are not bound to a session go on.
    #[serde(default)]
    preserve_refresh_tokens: bool,
}

/// Revoke a user's access
///
/// Ends one session or all, with the refresh tokens.
#[utoipa::path(
    post, path = "/users/{id}/revoke-access", tag = "users", request_body = RevokeAccessBody, operation_id = "revoke_access",
    params(("id" = String, Path, description = "Its `user_id`.")),
    security(("token" = ["delete:sessions", "delete:refresh_tokens"])),
    responses((status = 202, description = "It has ended.", body = Ended), (status = 404, description = "There is no such user, or they have no such session."))
)]
async fn revoke_access(
    caller: ApiCaller,
    ApiPath(id): ApiPath<UserId>,
    ApiJson(body): ApiJson<RevokeAccessBody>,
) -> Result<Ended, ApiError> {
    let session = body.session_id.map(SessionId::new);
    let preserve = body.preserve_refresh_tokens;
    manage::revoke_access(caller.idp(), caller.tenant(), &id, session.as_ref(), preserve).await?;
    Ok(Ended {})
}

/// Delete a user's second factors
///
/// They enrol anew at the next login that asks for one.
#[utoipa::path(
    delete, path = "/users/{id}/authenticators", tag = "users", operation_id = "delete_authenticators_of_user",
    params(("id" = String, Path, description = "Its `user_id`.")),
    security(("token" = ["update:users"])),
    responses((status = 204, description = "The user has none."), (status = 404, description = "There is no such user."))
)]
async fn delete_authenticators(
    caller: ApiCaller,
    ApiPath(id): ApiPath<UserId>,
) -> Result<StatusCode, ApiError> {
    manage::get_user(caller.idp(), caller.tenant(), &id).await?;
    manage::remove_factors(caller.idp(), caller.tenant(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List what happened to a user
///
/// Entries of the tenant's log.
#[utoipa::path(
    get, path = "/users/{id}/logs", tag = "users", operation_id = "logs_of_user",
    params(("id" = String, Path, description = "Its `user_id`."), LogPageQuery),
    security(("token" = ["read:logs"]), ("token" = ["read:logs_users"])),
    responses((status = 200, description = "The entries.", body = LogList), (status = 404, description = "There is no such user."))
)]
async fn logs(
    caller: ApiCaller,
    ApiPath(id): ApiPath<UserId>,
    ApiQuery(page): ApiQuery<LogPageQuery>,
) -> Result<Json<Value>, ApiError> {
    let page = page.page()?;
    manage::get_user(caller.idp(), caller.tenant(), &id).await?;
    let escaped = id.as_str().replace('\\', "\\\\").replace('"', "\\\"");
    page.answer(&caller, Some(&format!("user_id:\"{escaped}\"")), &Fields::default()).await
}
