//! `/organizations`: customers of the tenant, in whose name its users log in.

use axum::Json;
use axum::http::StatusCode;
use idp::manage::{
    self, NewOrganization, NewOrganizationConnection, OrganizationChanges, OrganizationConnectionChanges,
    OrganizationConnectionView, Roles,
};
use model::{ConnectionId, Organization, OrganizationId, RoleId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::roles::RoleList;
use super::schema::{answer, list};
use super::user_access::{RolesBody, named};
use super::users::{Member, SelectedMember};
use super::{
    ApiCaller, ApiError, ApiJson, ApiPath, Fields, FieldsQuery, Page, PageQuery, PartQuery, PositionQuery,
};
use crate::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(by_name))
        .routes(routes!(get, update, delete))
        .routes(routes!(members, add_members, remove_members))
        .routes(routes!(member_roles, add_member_roles, remove_member_roles))
        .routes(routes!(connections, add_connection))
        .routes(routes!(connection, update_connection, remove_connection))
}

/// Users by their ids.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MembersBody {
    /// 1 to 200.
    members: Vec<String>,
}

/// An organization that was made, with its connections.
#[derive(Debug, Serialize, ToSchema)]
struct CreatedOrganization {
    #[serde(flatten)]
    organization: Organization,
    /// Those that it has from the beginning.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    enabled_connections: Vec<OrganizationConnectionView>,
}

answer!(
    /// As `fields` says.
    SelectedOrganization, "An organization, with the fields that were asked for.", [Organization], []
);

list!(
    /// Organizations.
    SelectedOrganizationList, "Organizations, by name.", SelectedOrganization, "organizations", [Rows, Totals, Next]
);

list!(
    /// Members.
    MemberList, "Members, by id.", SelectedMember, "members", [Rows, Totals, Next]
);

list!(
    /// Connections.
    OrganizationConnectionList, "Connections, by id.", OrganizationConnectionView, "enabled_connections",
    [Rows, Totals]
);

/// List organizations
#[utoipa::path(
    get, path = "/organizations", tag = "organizations", params(PageQuery, PositionQuery, FieldsQuery),
    operation_id = "list_organizations",
    security(("token" = ["read:organizations"])),
    responses((status = 200, description = "The organizations, by name.", body = SelectedOrganizationList))
)]
async fn list(caller: ApiCaller, part: PartQuery, fields: Fields) -> Result<Json<Value>, ApiError> {
    let part = part.part_in_one_way(&caller, "organizations")?;
    let listed = manage::list_organizations(caller.idp(), caller.tenant(), part.span()).await?;
    part.answer(&caller, listed.map(|organization| fields.shown(&organization)))
}

/// Create an organization
#[utoipa::path(
    post, path = "/organizations", tag = "organizations", request_body = NewOrganization,
    operation_id = "create_organization",
    security(("token" = ["create:organizations"])),
    responses((status = 201, description = "The organization.", body = CreatedOrganization), (status = 409, description = "There is one of that name."))
)]
async fn create(
    caller: ApiCaller,
    ApiJson(new): ApiJson<NewOrganization>,
) -> Result<(StatusCode, Json<CreatedOrganization>), ApiError> {
    let organization = manage::create_organization(caller.idp(), caller.tenant(), new).await?;
    let enabled_connections =
        manage::organization_connections(caller.idp(), caller.tenant(), &organization.id).await?;
    Ok((StatusCode::CREATED, Json(CreatedOrganization { organization, enabled_connections })))
}

/// Get an organization by its name
#[utoipa::path(
    get, path = "/organizations/name/{name}", tag = "organizations", operation_id = "organization_by_name",
    params(("name" = String, Path, description = "Its name.")),
    security(("token" = ["read:organizations"])),
    responses((status = 200, description = "The organization.", body = Organization), (status = 404, description = "There is none."))
)]
async fn by_name(caller: ApiCaller, ApiPath(name): ApiPath<String>) -> Result<Json<Organization>, ApiError> {
    Ok(Json(manage::organization_by_name(caller.idp(), caller.tenant(), &name).await?))
}

/// Get an organization
#[utoipa::path(
    get, path = "/organizations/{id}", tag = "organizations", operation_id = "get_organization",
    params(("id" = String, Path, description = "Its id.")),
    security(("token" = ["read:organizations"])),
    responses((status = 200, description = "The organization.", body = Organization), (status = 404, description = "There is none."))
)]
async fn get(
    caller: ApiCaller,
    ApiPath(id): ApiPath<OrganizationId>,
) -> Result<Json<Organization>, ApiError> {
    Ok(Json(manage::get_organization(caller.idp(), caller.tenant(), &id).await?))
}

/// Update an organization
#[utoipa::path(
    patch, path = "/organizations/{id}", tag = "organizations", request_body = OrganizationChanges,
    operation_id = "update_organization",
    params(("id" = String, Path, description = "Its id.")),
    security(("token" = ["update:organizations"])),
    responses(
        (status = 200, description = "The organization.", body = Organization),
        (status = 404, description = "There is none."),
        (status = 409, description = "There is another one of that name.")
    )
)]
async fn update(
    caller: ApiCaller,
    ApiPath(id): ApiPath<OrganizationId>,
    ApiJson(changes): ApiJson<OrganizationChanges>,
) -> Result<Json<Organization>, ApiError> {
    Ok(Json(manage::update_organization(caller.idp(), caller.tenant(), &id, changes).await?))
}

/// Delete an organization
///
/// What was granted in its name ends with the next exchange.
#[utoipa::path(
    delete, path = "/organizations/{id}", tag = "organizations", operation_id = "delete_organization",
    params(("id" = String, Path, description = "Its id.")),
    security(("token" = ["delete:organizations"])),
    responses((status = 204, description = "There is none any more."), (status = 404, description = "There was none."))
)]
async fn delete(caller: ApiCaller, ApiPath(id): ApiPath<OrganizationId>) -> Result<StatusCode, ApiError> {
    manage::delete_organization(caller.idp(), caller.tenant(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List an organization's members
#[utoipa::path(
    get, path = "/organizations/{id}/members", tag = "organizations", operation_id = "members_of_organization",
    params(("id" = String, Path, description = "Its id."), PageQuery, PositionQuery, FieldsQuery),
    security(("token" = ["read:organization_members"])),
    responses((status = 200, description = "The members, by id.", body = MemberList), (status = 404, description = "There is no such organization."))
)]
async fn members(
    caller: ApiCaller,
    ApiPath(id): ApiPath<OrganizationId>,
    part: PartQuery,
    fields: Fields,
) -> Result<Json<Value>, ApiError> {
    let part = part.part_in_one_way(&caller, "members")?;
    let listed = manage::organization_members(caller.idp(), caller.tenant(), &id, part.span()).await?;
    part.answer(&caller, listed.map(|user| fields.shown(&Member::from(&user))))
}

/// Add members to an organization
#[utoipa::path(
    post, path = "/organizations/{id}/members", tag = "organizations", request_body = MembersBody,
    operation_id = "add_members_to_organization",
    params(("id" = String, Path, description = "Its id.")),
    security(("token" = ["create:organization_members"])),
    responses((status = 204, description = "They are members."), (status = 404, description = "There is no such organization or user."))
)]
async fn add_members(
    caller: ApiCaller,
    ApiPath(id): ApiPath<OrganizationId>,
    ApiJson(body): ApiJson<MembersBody>,
) -> Result<StatusCode, ApiError> {
    let users = named("members", body.members, UserId::new)?;
    manage::add_organization_members(caller.idp(), caller.tenant(), &id, &users, Roles::Ids(&[])).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Remove members from an organization
#[utoipa::path(
    delete, path = "/organizations/{id}/members", tag = "organizations", request_body = MembersBody,
    operation_id = "remove_members_from_organization",
    params(("id" = String, Path, description = "Its id.")),
    security(("token" = ["delete:organization_members"])),
    responses((status = 204, description = "They are no members."), (status = 404, description = "There is no such organization."))
)]
async fn remove_members(
    caller: ApiCaller,
    ApiPath(id): ApiPath<OrganizationId>,
    ApiJson(body): ApiJson<MembersBody>,
) -> Result<StatusCode, ApiError> {
    let users = named("members", body.members, UserId::new)?;
    manage::remove_organization_members(caller.idp(), caller.tenant(), &id, &users).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List a member's roles in an organization
#[utoipa::path(
    get, path = "/organizations/{id}/members/{user_id}/roles", tag = "organizations", operation_id = "roles_of_member",
    params(
        ("id" = String, Path, description = "The organization's id."),
        ("user_id" = String, Path, description = "The member's `user_id`."),
        PageQuery
    ),
    security(("token" = ["read:organization_member_roles"])),
    responses((status = 200, description = "The roles, by name.", body = RoleList), (status = 404, description = "There is no such organization or member."))
)]
async fn member_roles(
    caller: ApiCaller,
    ApiPath((id, user)): ApiPath<(OrganizationId, UserId)>,
    page: Page,
) -> Result<Json<Value>, ApiError> {
    let roles = manage::organization_roles(caller.idp(), caller.tenant(), &id, &user).await?;
    Ok(page.answer("roles", page.span().of(roles)))
}

/// Assign roles in an organization to a member
#[utoipa::path(
    post, path = "/organizations/{id}/members/{user_id}/roles", tag = "organizations", request_body = RolesBody,
    operation_id = "assign_roles_to_member",
    params(
        ("id" = String, Path, description = "The organization's id."),
        ("user_id" = String, Path, description = "The member's `user_id`.")
    ),
    security(("token" = ["create:organization_member_roles"])),
    responses((status = 204, description = "The member has them."), (status = 404, description = "There is no such organization, member or role."))
)]
async fn add_member_roles(
    caller: ApiCaller,
    ApiPath((id, user)): ApiPath<(OrganizationId, UserId)>,
    ApiJson(body): ApiJson<RolesBody>,
) -> Result<StatusCode, ApiError> {
    let roles = named("roles", body.roles, RoleId::new)?;
    manage::add_organization_roles(caller.idp(), caller.tenant(), &id, &user, Roles::Ids(&roles)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Remove roles in an organization from a member
#[utoipa::path(
    delete, path = "/organizations/{id}/members/{user_id}/roles", tag = "organizations", request_body = RolesBody,
    operation_id = "remove_roles_from_member",
    params(
        ("id" = String, Path, description = "The organization's id."),
        ("user_id" = String, Path, description = "The member's `user_id`.")
    ),
    security(("token" = ["delete:organization_member_roles"])),
    responses((status = 204, description = "The member has none of them."), (status = 404, description = "There is no such organization, member or role."))
)]
async fn remove_member_roles(
    caller: ApiCaller,
    ApiPath((id, user)): ApiPath<(OrganizationId, UserId)>,
    ApiJson(body): ApiJson<RolesBody>,
) -> Result<StatusCode, ApiError> {
    let roles = named("roles", body.roles, RoleId::new)?;
    manage::remove_organization_roles(caller.idp(), caller.tenant(), &id, &user, Roles::Ids(&roles)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List an organization's connections
#[utoipa::path(
    get, path = "/organizations/{id}/enabled_connections", tag = "organizations",
    operation_id = "connections_of_organization",
    params(("id" = String, Path, description = "Its id."), PageQuery),
    security(("token" = ["read:organization_connections"])),
    responses((status = 200, description = "The connections, by id.", body = OrganizationConnectionList), (status = 404, description = "There is no such organization."))
)]
async fn connections(
    caller: ApiCaller,
    ApiPath(id): ApiPath<OrganizationId>,
    page: Page,
) -> Result<Json<Value>, ApiError> {
    let known = manage::organization_connections(caller.idp(), caller.tenant(), &id).await?;
    Ok(page.answer("enabled_connections", page.span().of(known)))
}

/// Add a connection to an organization
#[utoipa::path(
    post, path = "/organizations/{id}/enabled_connections", tag = "organizations",
    request_body = NewOrganizationConnection, operation_id = "add_connection_to_organization",
    params(("id" = String, Path, description = "Its id.")),
    security(("token" = ["create:organization_connections"])),
    responses(
        (status = 201, description = "The connection.", body = OrganizationConnectionView),
        (status = 404, description = "There is no such organization or connection."),
        (status = 409, description = "The organization has it.")
    )
)]
async fn add_connection(
    caller: ApiCaller,
    ApiPath(id): ApiPath<OrganizationId>,
    ApiJson(new): ApiJson<NewOrganizationConnection>,
) -> Result<(StatusCode, Json<OrganizationConnectionView>), ApiError> {
    let added = manage::add_organization_connection(caller.idp(), caller.tenant(), &id, new).await?;
    Ok((StatusCode::CREATED, Json(added)))
}

/// Get a connection of an organization
#[utoipa::path(
    get, path = "/organizations/{id}/enabled_connections/{connection_id}", tag = "organizations",
    operation_id = "get_connection_of_organization",
    params(
        ("id" = String, Path, description = "The organization's id."),
        ("connection_id" = String, Path, description = "The connection's id.")
    ),
    security(("token" = ["read:organization_connections"])),
    responses((status = 200, description = "The connection.", body = OrganizationConnectionView), (status = 404, description = "There is no such organization, or it has not got it."))
)]
async fn connection(
    caller: ApiCaller,
    ApiPath((id, connection)): ApiPath<(OrganizationId, ConnectionId)>,
) -> Result<Json<OrganizationConnectionView>, ApiError> {
    Ok(Json(manage::organization_connection(caller.idp(), caller.tenant(), &id, &connection).await?))
}

/// Update a connection of an organization
#[utoipa::path(
    patch, path = "/organizations/{id}/enabled_connections/{connection_id}", tag = "organizations",
    request_body = OrganizationConnectionChanges, operation_id = "update_connection_of_organization",
    params(
        ("id" = String, Path, description = "The organization's id."),
        ("connection_id" = String, Path, description = "The connection's id.")
    ),
    security(("token" = ["update:organization_connections"])),
    responses((status = 200, description = "The connection.", body = OrganizationConnectionView), (status = 404, description = "There is no such organization, or it has not got it."))
)]
async fn update_connection(
    caller: ApiCaller,
    ApiPath((id, connection)): ApiPath<(OrganizationId, ConnectionId)>,
    ApiJson(changes): ApiJson<OrganizationConnectionChanges>,
) -> Result<Json<OrganizationConnectionView>, ApiError> {
    let changed =
        manage::update_organization_connection(caller.idp(), caller.tenant(), &id, &connection, changes)
            .await?;
    Ok(Json(changed))
}

/// Remove a connection from an organization
#[utoipa::path(
    delete, path = "/organizations/{id}/enabled_connections/{connection_id}", tag = "organizations",
    operation_id = "remove_connection_from_organization",
    params(
        ("id" = String, Path, description = "The organization's id."),
        ("connection_id" = String, Path, description = "The connection's id.")
    ),
    security(("token" = ["delete:organization_connections"])),
    responses((status = 204, description = "It has not got it any more."), (status = 404, description = "There is no such organization, or it had not got it."))
)]
async fn remove_connection(
    caller: ApiCaller,
    ApiPath((id, connection)): ApiPath<(OrganizationId, ConnectionId)>,
) -> Result<StatusCode, ApiError> {
    manage::remove_organization_connection(caller.idp(), caller.tenant(), &id, &connection).await?;
    Ok(StatusCode::NO_CONTENT)
}
