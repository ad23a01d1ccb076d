//! `/users/{id}/...`: what a user may do, and where they are logged in.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use idp::manage::{self, LogPage, LogSearchError, LogView, MAX_NAMED, RefreshTokenView, Roles, SessionView};
use model::{Organization, Permission, RoleId, SessionId, UserId};
use serde::Deserialize;
use serde_json::{Value, json};
use storage::PermissionHolder;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::roles::{PermissionList, RoleList};
use super::schema::list;
use super::sessions::{Ended, SessionsQuery};
use super::{ApiCaller, ApiError, ApiJson, ApiPath, ApiQuery, Checkpoint, Page};
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
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// The first page is 0.
    pub(super) page: Option<i64>,
    /// At most 100.
    pub(super) per_page: Option<i64>,
    /// Whether the answer is an object with `total`.
    pub(super) include_totals: Option<bool>,
}

impl PageQuery {
    pub(super) fn page(&self) -> Result<Page, ApiError> {
        Page::new(self.page, self.per_page, self.include_totals, 50)
    }
}

/// Roles by their ids.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RolesBody {
    /// 1 to 200.
    roles: Vec<String>,
}

impl RolesBody {
    pub(super) fn ids(self) -> Result<Vec<RoleId>, ApiError> {
        named("roles", &self.roles)?;
        Ok(self.roles.into_iter().map(RoleId::new).collect())
    }
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
        named("permissions", &self.permissions)?;
        let permission = |body: PermissionBody| Permission {
            resource_server_identifier: body.resource_server_identifier,
            permission_name: body.permission_name,
        };
        Ok(self.permissions.into_iter().map(permission).collect())
    }
}

/// Refuses an empty list, and one that is too long.
pub(super) fn named<T>(what: &str, list: &[T]) -> Result<(), ApiError> {
    if list.is_empty() || list.len() > MAX_NAMED {
        let text = format!("Payload validation error: '{what} must have 1 to {MAX_NAMED} items'.");
        return Err(ApiError::invalid_body(text));
    }
    Ok(())
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
async fn roles(
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiPath(id): ApiPath<String>,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<Json<Value>, ApiError> {
    let page = query.page()?;
    let roles = manage::roles_of_user(&state.idp, &caller.context().tenant.id, &UserId::new(id)).await?;
    Ok(Json(part_of(&page, "roles", &roles)))
}

/// A list that is short by its nature, and so read whole.
pub(super) fn part_of<T: serde::Serialize>(page: &Page, name: &str, all: &[T]) -> Value {
    let total = i64::try_from(all.len()).unwrap_or(i64::MAX);
    let skip = usize::try_from(page.offset()).unwrap_or(usize::MAX);
    let take = usize::try_from(page.limit()).unwrap_or(0);
    let rows = all.iter().skip(skip).take(take).map(|item| json!(item)).collect();
    page.answer(name, total, rows)
}

/// Assign roles to a user
#[utoipa::path(
    post, path = "/users/{id}/roles", tag = "users", request_body = RolesBody, operation_id = "assign_roles_to_user",
    params(("id" = String, Path, description = "Its `user_id`.")),
    security(("token" = ["update:users"]), ("token" = ["create:role_members"])),
    responses((status = 204, description = "The user has them."), (status = 404, description = "There is no such user or role."))
)]
async fn assign_roles(
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiPath(id): ApiPath<String>,
    ApiJson(body): ApiJson<RolesBody>,
) -> Result<StatusCode, ApiError> {
    let (user, roles) = (UserId::new(id), body.ids()?);
    manage::assign_roles(&state.idp, &caller.context().tenant.id, &user, Roles::Ids(&roles)).await?;
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
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiPath(id): ApiPath<String>,
    ApiJson(body): ApiJson<RolesBody>,
) -> Result<StatusCode, ApiError> {
    let (user, roles) = (UserId::new(id), body.ids()?);
    manage::remove_roles(&state.idp, &caller.context().tenant.id, &user, Roles::Ids(&roles)).await?;
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
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiPath(id): ApiPath<String>,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<Json<Value>, ApiError> {
    let page = query.page()?;
    let part = (page.offset(), page.limit());
    let (permissions, total) =
        manage::permissions_of_user(&state.idp, &caller.context().tenant.id, &UserId::new(id), part).await?;
    let rows = permissions.iter().map(|permission| json!(permission)).collect();
    Ok(Json(page.answer("permissions", total, rows)))
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
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiPath(id): ApiPath<String>,
    ApiJson(body): ApiJson<PermissionsBody>,
) -> Result<StatusCode, ApiError> {
    let (user, permissions) = (UserId::new(id), body.permissions()?);
    let holder = PermissionHolder::User(&user);
    manage::add_permissions(&state.idp, &caller.context().tenant.id, holder, &permissions).await?;
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
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiPath(id): ApiPath<String>,
    ApiJson(body): ApiJson<PermissionsBody>,
) -> Result<StatusCode, ApiError> {
    let (user, permissions) = (UserId::new(id), body.permissions()?);
    let holder = PermissionHolder::User(&user);
    manage::remove_permissions(&state.idp, &caller.context().tenant.id, holder, &permissions).await?;
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
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiPath(id): ApiPath<String>,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<Json<Value>, ApiError> {
    let (page, user) = (query.page()?, UserId::new(id));
    let part = (page.offset(), page.limit());
    let tenant = &caller.context().tenant.id;
    let (organizations, total) =
        manage::organizations_of_user(&state.idp, tenant, &user, part, page.has_total()).await?;
    let rows = organizations.iter().map(|organization| json!(organization)).collect();
    Ok(Json(page.answer("organizations", total.unwrap_or_default(), rows)))
}

/// List a user's sessions
#[utoipa::path(
    get, path = "/users/{id}/sessions", tag = "sessions", operation_id = "sessions_of_user",
    params(("id" = String, Path, description = "Its `user_id`."), SessionsQuery),
    security(("token" = ["read:sessions"])),
    responses((status = 200, description = "The living sessions, newest first.", body = SessionList), (status = 404, description = "There is no such user."))
)]
async fn sessions(
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiPath(id): ApiPath<String>,
    ApiQuery(query): ApiQuery<SessionsQuery>,
) -> Result<Json<Value>, ApiError> {
    let checkpoint = Checkpoint::new(&state, &caller, "sessions", query.from.as_deref(), query.take)?;
    let (sessions, total) = manage::sessions_of_user(
        &state.idp,
        &caller.context().tenant.id,
        &UserId::new(id),
        checkpoint.after.as_deref(),
        checkpoint.take,
        query.include_totals.unwrap_or(false),
    )
    .await?;
    let last = sessions.last().map(manage::session_key);
    let rows = sessions.iter().map(|session| json!(SessionView::from(session))).collect();
    let mut answer = checkpoint.answer(&state, &caller, rows, last.as_deref())?;
    if let Some(total) = total {
        answer["total"] = json!(total);
    }
    Ok(Json(answer))
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
async fn delete_sessions(
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiPath(id): ApiPath<String>,
) -> Result<(StatusCode, Json<Ended>), ApiError> {
    manage::delete_sessions_of_user(&state.idp, &caller.context().tenant.id, &UserId::new(id)).await?;
    Ok((StatusCode::ACCEPTED, Json(Ended {})))
}

/// List a user's refresh tokens
#[utoipa::path(
    get, path = "/users/{id}/refresh-tokens", tag = "refresh-tokens", operation_id = "refresh_tokens_of_user",
    params(("id" = String, Path, description = "Its `user_id`."), SessionsQuery),
    security(("token" = ["read:refresh_tokens"])),
    responses(
        (status = 200, description = "The living refresh tokens, newest first, online ones aside.", body = RefreshTokenList),
        (status = 404, description = "There is no such user.")
    )
)]
async fn refresh_tokens(
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiPath(id): ApiPath<String>,
    ApiQuery(query): ApiQuery<SessionsQuery>,
) -> Result<Json<Value>, ApiError> {
    let user = UserId::new(id);
    let tenant = &caller.context().tenant.id;
    manage::get_user(&state.idp, tenant, &user).await?;
    let checkpoint = Checkpoint::new(&state, &caller, "tokens", query.from.as_deref(), query.take)?;
    let (tokens, total) = manage::refresh_tokens_of_user(
        &state.idp,
        tenant,
        &user,
        None,
        checkpoint.after.as_deref(),
        checkpoint.take,
        query.include_totals.unwrap_or(false),
    )
    .await?;
    let last = tokens.last().map(manage::refresh_token_key);
    let rows = tokens.iter().map(|token| json!(RefreshTokenView::from(token))).collect();
    let mut answer = checkpoint.answer(&state, &caller, rows, last.as_deref())?;
    if let Some(total) = total {
        answer["total"] = json!(total);
    }
    Ok(Json(answer))
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
async fn delete_refresh_tokens(
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiPath(id): ApiPath<String>,
) -> Result<(StatusCode, Json<Ended>), ApiError> {
    let user = UserId::new(id);
    let tenant = &caller.context().tenant.id;
    manage::get_user(&state.idp, tenant, &user).await?;
    let all = manage::RefreshTokenSelector::User(user);
    manage::revoke_refresh_tokens(&state.idp, tenant, &all).await?;
    Ok((StatusCode::ACCEPTED, Json(Ended {})))
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
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiPath(id): ApiPath<String>,
    ApiJson(body): ApiJson<RevokeAccessBody>,
) -> Result<(StatusCode, Json<Ended>), ApiError> {
    let session = body.session_id.map(SessionId::new);
    let (tenant, user) = (&caller.context().tenant.id, UserId::new(id));
    let preserve = body.preserve_refresh_tokens;
    manage::revoke_access(&state.idp, tenant, &user, session.as_ref(), preserve).await?;
    Ok((StatusCode::ACCEPTED, Json(Ended {})))
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
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiPath(id): ApiPath<String>,
) -> Result<StatusCode, ApiError> {
    let user = UserId::new(id);
    let tenant = &caller.context().tenant.id;
    manage::get_user(&state.idp, tenant, &user).await?;
    manage::remove_factors(&state.idp, tenant, &user).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct LogsQuery {
    /// The first page is 0. Pages reach 1,000 entries.
    page: Option<i64>,
    /// At most 100.
    per_page: Option<i64>,
    /// Whether the answer is an object with `total`, which is no more than 1,000.
    include_totals: Option<bool>,
    /// `date:-1`, the newest first, or `date:1`.
    sort: Option<String>,
}

/// List what happened to a user
///
/// Entries of the tenant's log.
#[utoipa::path(
    get, path = "/users/{id}/logs", tag = "users", operation_id = "logs_of_user",
    params(("id" = String, Path, description = "Its `user_id`."), LogsQuery),
    security(("token" = ["read:logs"]), ("token" = ["read:logs_users"])),
    responses((status = 200, description = "The entries.", body = LogList), (status = 404, description = "There is no such user."))
)]
async fn logs(
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiPath(id): ApiPath<String>,
    ApiQuery(query): ApiQuery<LogsQuery>,
) -> Result<Json<Value>, ApiError> {
    let page = Page::new(query.page, query.per_page, query.include_totals, 50)?;
    let ascending = match query.sort.as_deref() {
        None | Some("date:-1") => false,
        Some("date:1") => true,
        Some(_) => {
            return Err(ApiError::invalid_query("Query validation error: sort must be date:1 or date:-1"));
        }
    };
    let (tenant, user) = (&caller.context().tenant.id, UserId::new(id));
    manage::get_user(&state.idp, tenant, &user).await?;
    let escaped = user.as_str().replace('\\', "\\\\").replace('"', "\\\"");
    let query = format!("user_id:\"{escaped}\"");
    let part = LogPage {
        query: Some(&query),
        ascending,
        offset: page.offset(),
        limit: page.limit(),
        counted: page.has_total(),
    };
    let (logs, total) =
        manage::search_logs(&state.idp, tenant, &part).await.map_err(|error| match error {
            LogSearchError::Query(text) => ApiError::invalid_query(text),
            LogSearchError::Server(error) => error.into(),
        })?;
    let rows = logs.into_iter().map(|log| json!(LogView::from(log))).collect();
    Ok(Json(page.answer_with_length("logs", total.unwrap_or_default(), rows)))
}
