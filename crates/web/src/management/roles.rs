//! `/roles`: what users may do, under a name.

use axum::Json;
use axum::http::StatusCode;
use idp::manage::{self, PermissionView, RoleChanges};
use model::{Role, RoleId, UserId};
use serde::Deserialize;
use serde_json::Value;
use storage::PermissionHolder;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::schema::list;
use super::user_access::{PermissionsBody, named};
use super::users::{Member, SelectedMember};
use super::{
    ApiCaller, ApiError, ApiJson, ApiPath, ApiQuery, Fields, FieldsQuery, Page, PageQuery, PartQuery,
    PositionQuery,
};
use crate::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, update, delete))
        .routes(routes!(permissions, add_permissions, remove_permissions))
        .routes(routes!(users, assign_users))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
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
    get, path = "/roles", tag = "roles", params(PageQuery, ListQuery), operation_id = "list_roles",
    security(("token" = ["read:roles"])),
    responses((status = 200, description = "The roles, by name.", body = RoleList))
)]
async fn list(
    caller: ApiCaller,
    page: Page,
    ApiQuery(query): ApiQuery<ListQuery>,
) -> Result<Json<Value>, ApiError> {
    if query.kind.as_ref().is_some_and(|kind| kind != "tenant") {
        return Err(ApiError::invalid_query("Query validation error: type must be tenant"));
    }
    let filter = query.name_filter.as_deref().unwrap_or_default();
    let listed = manage::list_roles(caller.idp(), caller.tenant(), filter, page.span()).await?;
    Ok(page.answer("roles", listed))
}

/// Create a role
#[utoipa::path(
    post, path = "/roles", tag = "roles", request_body = NewRole, operation_id = "create_role",
    security(("token" = ["create:roles"])),
    responses((status = 200, description = "The role.", body = Role), (status = 409, description = "There is one of that name."))
)]
async fn create(caller: ApiCaller, ApiJson(new): ApiJson<NewRole>) -> Result<Json<Role>, ApiError> {
    let (tenant, description) = (caller.tenant(), new.description.as_deref());
    Ok(Json(manage::create_role(caller.idp(), tenant, &new.name, description).await?))
}

/// Get a role
#[utoipa::path(
    get, path = "/roles/{id}", tag = "roles", operation_id = "get_role",
    params(("id" = String, Path, description = "Its id.")),
    security(("token" = ["read:roles"])),
    responses((status = 200, description = "The role.", body = Role), (status = 404, description = "There is none."))
)]
async fn get(caller: ApiCaller, ApiPath(id): ApiPath<RoleId>) -> Result<Json<Role>, ApiError> {
    Ok(Json(manage::get_role(caller.idp(), caller.tenant(), &id).await?))
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
    caller: ApiCaller,
    ApiPath(id): ApiPath<RoleId>,
    ApiJson(changes): ApiJson<RoleChanges>,
) -> Result<Json<Role>, ApiError> {
    Ok(Json(manage::update_role(caller.idp(), caller.tenant(), &id, changes).await?))
}

/// Delete a role
#[utoipa::path(
    delete, path = "/roles/{id}", tag = "roles", operation_id = "delete_role",
    params(("id" = String, Path, description = "Its id.")),
    security(("token" = ["delete:roles"])),
    responses((status = 200, description = "Nobody has it any more."), (status = 404, description = "There was none."))
)]
async fn delete(caller: ApiCaller, ApiPath(id): ApiPath<RoleId>) -> Result<StatusCode, ApiError> {
    manage::delete_role(caller.idp(), caller.tenant(), &id).await?;
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
    caller: ApiCaller,
    ApiPath(id): ApiPath<RoleId>,
    page: Page,
) -> Result<Json<Value>, ApiError> {
    let listed = manage::permissions_of_role(caller.idp(), caller.tenant(), &id, page.span()).await?;
    Ok(page.answer("permissions", listed))
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
    caller: ApiCaller,
    ApiPath(id): ApiPath<RoleId>,
    ApiJson(body): ApiJson<PermissionsBody>,
) -> Result<StatusCode, ApiError> {
    let (holder, permissions) = (PermissionHolder::Role(&id), body.permissions()?);
    manage::add_permissions(caller.idp(), caller.tenant(), holder, &permissions).await?;
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
    caller: ApiCaller,
    ApiPath(id): ApiPath<RoleId>,
    ApiJson(body): ApiJson<PermissionsBody>,
) -> Result<StatusCode, ApiError> {
    let (holder, permissions) = (PermissionHolder::Role(&id), body.permissions()?);
    manage::remove_permissions(caller.idp(), caller.tenant(), holder, &permissions).await?;
    Ok(StatusCode::OK)
}

/// List who has a role
#[utoipa::path(
    get, path = "/roles/{id}/users", tag = "roles", operation_id = "users_with_role",
    params(("id" = String, Path, description = "Its id."), PageQuery, PositionQuery, FieldsQuery),
    security(("token" = ["read:users", "read:roles"]), ("token" = ["read:role_members"])),
    responses((status = 200, description = "Who has it by themselves, by id.", body = RoleMemberList), (status = 404, description = "There is no such role."))
)]
async fn users(
    caller: ApiCaller,
    ApiPath(id): ApiPath<RoleId>,
    part: PartQuery,
    fields: Fields,
) -> Result<Json<Value>, ApiError> {
    let part = part.part_in_one_way(&caller, "users")?;
    let listed = manage::users_with_role(caller.idp(), caller.tenant(), &id, part.span()).await?;
    part.answer(&caller, listed.map(|user| fields.shown(&Member::from(&user))))
}

/// Assign users to a role
#[utoipa::path(
    post, path = "/roles/{id}/users", tag = "roles", request_body = UsersBody, operation_id = "assign_users_to_role",
    params(("id" = String, Path, description = "Its id.")),
    security(("token" = ["update:roles"]), ("token" = ["create:role_members"])),
    responses((status = 200, description = "They have it."), (status = 404, description = "There is no such role or user."))
)]
async fn assign_users(
    caller: ApiCaller,
    ApiPath(id): ApiPath<RoleId>,
    ApiJson(body): ApiJson<UsersBody>,
) -> Result<StatusCode, ApiError> {
    let users = named("users", body.users, UserId::new)?;
    manage::assign_role_to(caller.idp(), caller.tenant(), &id, &users).await?;
    Ok(StatusCode::OK)
}
