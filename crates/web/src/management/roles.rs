//! `/roles`: what users may do, under a name.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use idp::manage::{self, PermissionView, RoleChanges};
use model::{Role, RoleId, UserId};
use serde::Deserialize;
use serde_json::{Value, json};
use storage::PermissionHolder;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::schema::list;
use super::user_access::{PageQuery, PermissionsBody, named};
use super::users::{Member, SelectedMember};
use super::{ApiCaller, ApiError, ApiJson, ApiPath, ApiQuery, Checkpoint, Fields, Page};
use crate::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, update, delete))
        .routes(routes!(permissions, add_permissions, remove_permissions))
        .routes(routes!(users, assign_users))
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
    /// What is in the name, in whatever case.
    name_filter: Option<String>,
    /// `tenant` is the only kind that there is.
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// A new role.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewRole {
    /// What Actions see: 1 to 255 bytes that no other role has.
    name: String,
    /// For people.
    description: Option<String>,
}

/// Users by their ids.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UsersBody {
    /// 1 to 200.
    users: Vec<String>,
}

/// By number, or by position where `from` or `take` is there.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct MembersQuery {
    /// The first page is 0.
    page: Option<i64>,
    /// At most 100.
    per_page: Option<i64>,
    /// Whether the answer is an object with `total`.
    include_totals: Option<bool>,
    /// The `next` of the answer before.
    from: Option<String>,
    /// 1 to 100; absent: 50.
    take: Option<i64>,
    /// Names of the fields that are shown, with commas between them.
    fields: Option<String>,
    /// `false`: those are the ones that are left out.
    include_fields: Option<bool>,
}

/// Which part of a list, in either way.
pub(super) enum Part {
    Numbered(Page),
    Positioned(Checkpoint),
}

impl MembersQuery {
    pub(super) fn fields(&self) -> Fields {
        Fields::new(self.fields.as_deref(), self.include_fields)
    }

    pub(super) fn part(
        &self,
        state: &AppState,
        caller: &ApiCaller,
        list: &'static str,
    ) -> Result<Part, ApiError> {
        if self.from.is_none() && self.take.is_none() {
            return Page::new(self.page, self.per_page, self.include_totals, 50).map(Part::Numbered);
        }
        if self.page.is_some() || self.per_page.is_some() {
            let text = "Query validation error: page and per_page do not go with from and take";
            return Err(ApiError::invalid_query(text));
        }
        Checkpoint::new(state, caller, list, self.from.as_deref(), self.take).map(Part::Positioned)
    }
}

impl Part {
    /// The key of the row before the first one, or nothing.
    pub(super) fn after(&self) -> &str {
        match self {
            Self::Numbered(_) => "",
            Self::Positioned(checkpoint) => checkpoint.after.as_deref().unwrap_or_default(),
        }
    }

    /// How many rows are passed over, and how many are read.
    pub(super) fn rows(&self) -> (i64, i64) {
        match self {
            Self::Numbered(page) => (page.offset(), page.limit()),
            Self::Positioned(checkpoint) => (0, checkpoint.take),
        }
    }

    pub(super) fn has_total(&self) -> bool {
        matches!(self, Self::Numbered(page) if page.has_total())
    }

    pub(super) fn answer(
        &self,
        (state, caller): (&AppState, &ApiCaller),
        name: &str,
        total: Option<i64>,
        rows: Vec<Value>,
        last_key: Option<&str>,
    ) -> Result<Value, ApiError> {
        match self {
            Self::Numbered(page) => Ok(page.answer(name, total.unwrap_or_default(), rows)),
            Self::Positioned(checkpoint) => checkpoint.answer(state, caller, rows, last_key),
        }
    }
}

list!(
    /// Roles.
    RoleList, "Roles, by name.", Role, "roles", [Rows, Totals]
);

list!(
    /// Permissions.
    PermissionList, "Permissions, by API and name.", PermissionView, "permissions", [Rows, Totals]
);

list!(
    /// Who has a role.
    RoleMemberList, "Who has the role by themselves, by id.", SelectedMember, "users", [Rows, Totals, Next]
);

/// List roles
#[utoipa::path(
    get, path = "/roles", tag = "roles", params(ListQuery), operation_id = "list_roles",
    security(("token" = ["read:roles"])),
    responses((status = 200, description = "The roles, by name.", body = RoleList))
)]
async fn list(
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiQuery(query): ApiQuery<ListQuery>,
) -> Result<Json<Value>, ApiError> {
    let page = Page::new(query.page, query.per_page, query.include_totals, 50)?;
    if query.kind.as_ref().is_some_and(|kind| kind != "tenant") {
        return Err(ApiError::invalid_query("Query validation error: type must be tenant"));
    }
    let filter = query.name_filter.as_deref().unwrap_or_default();
    let part = (page.offset(), page.limit());
    let tenant = &caller.context().tenant.id;
    let (roles, total) = manage::list_roles(&state.idp, tenant, filter, part, page.has_total()).await?;
    let rows = roles.iter().map(|role| json!(role)).collect();
    Ok(Json(page.answer("roles", total.unwrap_or_default(), rows)))
}

/// Create a role
#[utoipa::path(
    post, path = "/roles", tag = "roles", request_body = NewRole, operation_id = "create_role",
    security(("token" = ["create:roles"])),
    responses((status = 200, description = "The role.", body = Role), (status = 409, description = "There is one of that name."))
)]
async fn create(
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiJson(new): ApiJson<NewRole>,
) -> Result<Json<Role>, ApiError> {
    let (tenant, description) = (&caller.context().tenant.id, new.description.as_deref());
    Ok(Json(manage::create_role(&state.idp, tenant, &new.name, description).await?))
}

/// Get a role
#[utoipa::path(
    get, path = "/roles/{id}", tag = "roles", operation_id = "get_role",
    params(("id" = String, Path, description = "Its id.")),
    security(("token" = ["read:roles"])),
    responses((status = 200, description = "The role.", body = Role), (status = 404, description = "There is none."))
)]
async fn get(
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiPath(id): ApiPath<String>,
) -> Result<Json<Role>, ApiError> {
    Ok(Json(manage::get_role(&state.idp, &caller.context().tenant.id, &RoleId::new(id)).await?))
}

/// Update a role
#[utoipa::path(
    patch, path = "/roles/{id}", tag = "roles", request_body = RoleChanges, operation_id = "update_role",
    params(("id" = String, Path, description = "Its id.")),
    security(("token" = ["update:roles"])),
    responses(
        (status = 200, description = "The role.", body = Role),
        (status = 404, description = "There is none."),
        (status = 409, description = "There is another one of that name.")
    )
)]
async fn update(
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiPath(id): ApiPath<String>,
    ApiJson(changes): ApiJson<RoleChanges>,
) -> Result<Json<Role>, ApiError> {
    let (tenant, id) = (&caller.context().tenant.id, RoleId::new(id));
    Ok(Json(manage::update_role(&state.idp, tenant, &id, changes).await?))
}

/// Delete a role
#[utoipa::path(
    delete, path = "/roles/{id}", tag = "roles", operation_id = "delete_role",
    params(("id" = String, Path, description = "Its id.")),
    security(("token" = ["delete:roles"])),
    responses((status = 200, description = "Nobody has it any more."), (status = 404, description = "There was none."))
)]
async fn delete(
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiPath(id): ApiPath<String>,
) -> Result<StatusCode, ApiError> {
    manage::delete_role(&state.idp, &caller.context().tenant.id, &RoleId::new(id)).await?;
    Ok(StatusCode::OK)
}

/// List a role's permissions
#[utoipa::path(
    get, path = "/roles/{id}/permissions", tag = "roles", operation_id = "permissions_of_role",
    params(("id" = String, Path, description = "Its id."), PageQuery),
    security(("token" = ["read:roles"])),
    responses((status = 200, description = "The permissions, by API and name.", body = PermissionList), (status = 404, description = "There is no such role."))
)]
async fn permissions(
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiPath(id): ApiPath<String>,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<Json<Value>, ApiError> {
    let (page, role) = (query.page()?, RoleId::new(id));
    let part = (page.offset(), page.limit());
    let tenant = &caller.context().tenant.id;
    let (permissions, total) =
        manage::permissions_of_role(&state.idp, tenant, &role, part, page.has_total()).await?;
    let rows = permissions.iter().map(|permission| json!(permission)).collect();
    Ok(Json(page.answer("permissions", total.unwrap_or_default(), rows)))
}

/// Add permissions to a role
#[utoipa::path(
    post, path = "/roles/{id}/permissions", tag = "roles", request_body = PermissionsBody,
    operation_id = "add_permissions_to_role",
    params(("id" = String, Path, description = "Its id.")),
    security(("token" = ["update:roles"])),
    responses((status = 201, description = "The role has them."), (status = 404, description = "There is no such role, API or scope."))
)]
async fn add_permissions(
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiPath(id): ApiPath<String>,
    ApiJson(body): ApiJson<PermissionsBody>,
) -> Result<StatusCode, ApiError> {
    let (role, permissions) = (RoleId::new(id), body.permissions()?);
    let holder = PermissionHolder::Role(&role);
    manage::add_permissions(&state.idp, &caller.context().tenant.id, holder, &permissions).await?;
    Ok(StatusCode::CREATED)
}

/// Remove permissions from a role
#[utoipa::path(
    delete, path = "/roles/{id}/permissions", tag = "roles", request_body = PermissionsBody,
    operation_id = "remove_permissions_from_role",
    params(("id" = String, Path, description = "Its id.")),
    security(("token" = ["update:roles"])),
    responses((status = 200, description = "The role has none of them."), (status = 404, description = "There is no such role."))
)]
async fn remove_permissions(
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiPath(id): ApiPath<String>,
    ApiJson(body): ApiJson<PermissionsBody>,
) -> Result<StatusCode, ApiError> {
    let (role, permissions) = (RoleId::new(id), body.permissions()?);
    let holder = PermissionHolder::Role(&role);
    manage::remove_permissions(&state.idp, &caller.context().tenant.id, holder, &permissions).await?;
    Ok(StatusCode::OK)
}

/// List who has a role
#[utoipa::path(
    get, path = "/roles/{id}/users", tag = "roles", operation_id = "users_with_role",
    params(("id" = String, Path, description = "Its id."), MembersQuery),
    security(("token" = ["read:users", "read:roles"]), ("token" = ["read:role_members"])),
    responses((status = 200, description = "Who has it by themselves, by id.", body = RoleMemberList), (status = 404, description = "There is no such role."))
)]
async fn users(
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiPath(id): ApiPath<String>,
    ApiQuery(query): ApiQuery<MembersQuery>,
) -> Result<Json<Value>, ApiError> {
    let part = query.part(&state, &caller, "users")?;
    let (tenant, role) = (&caller.context().tenant.id, RoleId::new(id));
    let (users, total) =
        manage::users_with_role(&state.idp, tenant, &role, part.after(), part.rows(), part.has_total())
            .await?;
    let fields = query.fields();
    let rows = users.iter().map(|user| fields.shown(&Member::from(user))).collect();
    let last = users.last().map(|user| user.user_id.as_str());
    Ok(Json(part.answer((&state, &caller), "users", total, rows, last)?))
}

/// Assign users to a role
#[utoipa::path(
    post, path = "/roles/{id}/users", tag = "roles", request_body = UsersBody, operation_id = "assign_users_to_role",
    params(("id" = String, Path, description = "Its id.")),
    security(("token" = ["update:roles"]), ("token" = ["create:role_members"])),
    responses((status = 200, description = "They have it."), (status = 404, description = "There is no such role or user."))
)]
async fn assign_users(
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiPath(id): ApiPath<String>,
    ApiJson(body): ApiJson<UsersBody>,
) -> Result<StatusCode, ApiError> {
    named("users", &body.users)?;
    let users: Vec<_> = body.users.into_iter().map(UserId::new).collect();
    manage::assign_role_to(&state.idp, &caller.context().tenant.id, &RoleId::new(id), &users).await?;
    Ok(StatusCode::OK)
}
