//! Roles, who has them, and permissions.

use model::{ManagedResourceServer, Permission, Role, RoleId, TenantId, UserId, random_token};
use serde::{Deserialize, Deserializer, Serialize};
use storage::{PermissionHolder, TenantTx};
use utoipa::ToSchema;

use super::limits::ROLE_DESCRIPTION_CHARS;
use super::organizations::taken;
use super::users::{UserView, existing_user, listed_by_id, no_user};
use super::{Listed, ManageError, Span, validate};
use crate::Idp;

/// Roles, permissions or users that are named in one call.
pub const MAX_NAMED: usize = 200;
/// Permissions of one role, or of one user by themselves.
const MAX_PERMISSIONS: i64 = 1000;

/// Which roles are meant.
#[derive(Debug, Clone, Copy)]
pub enum Roles<'a> {
    /// By their names.
    Named(&'a [String]),
    /// By their ids.
    Ids(&'a [RoleId]),
}

impl Roles<'_> {
    /// Their ids, when there are all of them.
    pub(super) async fn find(self, tx: &mut TenantTx) -> Result<Vec<RoleId>, ManageError> {
        let mut found = Vec::new();
        match self {
            Self::Named(names) => {
                for name in names {
                    let role = tx.role_by_name(name).await?;
                    let unknown =
                        || ManageError::not_found("inexistent_role", format!("there is no role {name}"));
                    found.push(role.ok_or_else(unknown)?.id);
                }
            }
            Self::Ids(ids) => {
                for id in ids {
                    found.push(tx.role(id).await?.ok_or_else(no_role)?.id);
                }
            }
        }
        Ok(found)
    }
}

/// What changes of a role. What is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleChanges {
    /// 1 to 255 bytes that no other role has.
    pub name: Option<String>,
    /// `null` removes it.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub description: Option<Option<String>>,
}

fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// A permission with what it is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = NamedPermission)]
pub struct PermissionView {
    /// Which.
    #[serde(flatten)]
    pub permission: Permission,
    /// What the API is called.
    pub resource_server_name: String,
    /// What the API says of its scope.
    pub description: String,
    /// For a user: where it comes from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<PermissionSource>,
}

/// Where a user has a permission from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PermissionSource {
    /// The role; empty: the user has it by themselves.
    pub source_id: String,
    /// The role's name.
    pub source_name: String,
    /// Whether it is a role.
    pub source_type: PermissionSourceType,
}

/// By what a user has a permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum PermissionSourceType {
    /// By themselves.
    Direct,
    /// By a role.
    Role,
}

/// Makes a role.
///
/// # Errors
/// [`ManageError::Invalid`] for a bad value, [`ManageError::Conflict`] for a name that is taken.
pub async fn create_role(
    idp: &Idp,
    tenant: &TenantId,
    name: &str,
    description: Option<&str>,
) -> Result<Role, ManageError> {
    let role = Role {
        id: RoleId::new(format!("rol_{}", random_token(&*idp.random, 16))),
        name: name.to_owned(),
        description: description.map(str::to_owned),
    };
    let mut tx = idp.storage.begin(tenant).await?;
    store(&mut tx, &role).await?;
    tx.commit().await?;
    Ok(role)
}

/// Changes a role; the role after it.
///
/// # Errors
/// [`ManageError::NotFound`], [`ManageError::Invalid`] for a bad value, [`ManageError::Conflict`] for a name that is
/// taken.
pub async fn update_role(
    idp: &Idp,
    tenant: &TenantId,
    id: &RoleId,
    changes: RoleChanges,
) -> Result<Role, ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    let known = tx.role(id).await?.ok_or_else(no_role)?;
    let role = Role {
        id: known.id,
        name: changes.name.unwrap_or(known.name),
        description: changes.description.unwrap_or(known.description),
    };
    store(&mut tx, &role).await?;
    tx.commit().await?;
    Ok(role)
}

async fn store(tx: &mut TenantTx, role: &Role) -> Result<(), ManageError> {
    validate::name("a role", &role.name)?;
    if role.description.as_ref().is_some_and(|text| text.chars().count() > ROLE_DESCRIPTION_CHARS) {
        return Err(ManageError::invalid(format!(
            "a role's description has at most {ROLE_DESCRIPTION_CHARS} characters"
        )));
    }
    taken(tx.put_role(role).await, format!("The role {} already exists.", role.name))
}

/// One role.
///
/// # Errors
/// [`ManageError::NotFound`].
pub async fn get_role(idp: &Idp, tenant: &TenantId, id: &RoleId) -> Result<Role, ManageError> {
    idp.storage.begin_read(tenant).await?.role(id).await?.ok_or_else(no_role)
}

/// The roles whose names have this text in them, by name.
///
/// # Errors
/// [`ManageError::Server`].
pub async fn list_roles(
    idp: &Idp,
    tenant: &TenantId,
    name_has: &str,
    span: Span<'_>,
) -> Result<Listed<Role>, ManageError> {
    let mut tx = idp.storage.begin_read(tenant).await?;
    let rows = tx.roles(name_has, span.limit, span.offset).await?;
    let total = if span.counted { tx.count_roles(name_has).await? } else { 0 };
    Ok(Listed { rows, total, last_key: None })
}

/// Removes a role, and takes it from all who have it.
///
/// # Errors
/// [`ManageError::NotFound`].
pub async fn delete_role(idp: &Idp, tenant: &TenantId, id: &RoleId) -> Result<(), ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    if !tx.delete_role(id).await? {
        return Err(no_role());
    }
    Ok(tx.commit().await?)
}

/// The roles that a user has by themselves, by name.
///
/// # Errors
/// [`ManageError::NotFound`].
pub async fn roles_of_user(idp: &Idp, tenant: &TenantId, user: &UserId) -> Result<Vec<Role>, ManageError> {
    let mut tx = idp.storage.begin_read(tenant).await?;
    existing_user(&mut tx, user).await?;
    Ok(tx.roles_of(user).await?)
}

/// Gives a user roles.
///
/// # Errors
/// [`ManageError::NotFound`] for an unknown user or role. Nothing is changed then.
pub async fn assign_roles(
    idp: &Idp,
    tenant: &TenantId,
    user: &UserId,
    roles: Roles<'_>,
) -> Result<(), ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    existing_user(&mut tx, user).await?;
    for role in roles.find(&mut tx).await? {
        tx.assign_role(user, &role).await?;
    }
    Ok(tx.commit().await?)
}

/// Takes roles from a user.
///
/// # Errors
/// [`ManageError::NotFound`] for an unknown user or role. What they have not got, they have not got after it.
pub async fn remove_roles(
    idp: &Idp,
    tenant: &TenantId,
    user: &UserId,
    roles: Roles<'_>,
) -> Result<(), ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    existing_user(&mut tx, user).await?;
    for role in roles.find(&mut tx).await? {
        tx.unassign_role(user, &role).await?;
    }
    Ok(tx.commit().await?)
}

/// Gives users a role.
///
/// # Errors
/// [`ManageError::NotFound`] for an unknown user or role. Nothing is changed then.
pub async fn assign_role_to(
    idp: &Idp,
    tenant: &TenantId,
    role: &RoleId,
    users: &[UserId],
) -> Result<(), ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    tx.role(role).await?.ok_or_else(no_role)?;
    for user in users {
        existing_user(&mut tx, user).await?;
        tx.assign_role(user, role).await?;
    }
    Ok(tx.commit().await?)
}

/// Who has a role by themselves, by id.
///
/// # Errors
/// [`ManageError::NotFound`].
pub async fn users_with_role(
    idp: &Idp,
    tenant: &TenantId,
    role: &RoleId,
    span: Span<'_>,
) -> Result<Listed<UserView>, ManageError> {
    let mut tx = idp.storage.begin_read(tenant).await?;
    tx.role(role).await?.ok_or_else(no_role)?;
    let after = span.after.unwrap_or_default();
    let users = tx.users_with_role(role, after, span.limit, span.offset).await?;
    let total = if span.counted { tx.count_users_with_role(role).await? } else { 0 };
    listed_by_id(&mut tx, users, total).await
}

/// Gives permissions to a role or a user.
///
/// # Errors
/// [`ManageError::NotFound`] for an unknown role, user, API or scope of it; [`ManageError::Invalid`] for too many.
/// Nothing is changed then.
pub async fn add_permissions(
    idp: &Idp,
    tenant: &TenantId,
    holder: PermissionHolder<'_>,
    permissions: &[Permission],
) -> Result<(), ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    // No scope goes away meanwhile.
    tx.lock_settings().await?;
    existing_holder(&mut tx, holder).await?;
    for permission in permissions {
        let api = tx.resource_server(&permission.resource_server_identifier).await?;
        if !api.is_some_and(|api| api.scopes.contains(&permission.permission_name)) {
            return Err(ManageError::not_found(
                "inexistent_permission",
                format!(
                    "No permission found for {} in the API {}",
                    permission.permission_name, permission.resource_server_identifier
                ),
            ));
        }
        tx.add_permission(holder, permission).await?;
    }
    if tx.count_permissions_of(holder).await? > MAX_PERMISSIONS {
        return Err(ManageError::invalid(format!("at most {MAX_PERMISSIONS} permissions")));
    }
    Ok(tx.commit().await?)
}

/// Takes permissions from a role or a user. What they have not got, they have not got after it.
///
/// # Errors
/// [`ManageError::NotFound`] for an unknown role or user.
pub async fn remove_permissions(
    idp: &Idp,
    tenant: &TenantId,
    holder: PermissionHolder<'_>,
    permissions: &[Permission],
) -> Result<(), ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    existing_holder(&mut tx, holder).await?;
    for permission in permissions {
        tx.remove_permission(holder, permission).await?;
    }
    Ok(tx.commit().await?)
}

/// The permissions of a role, by API and name.
///
/// # Errors
/// [`ManageError::NotFound`].
pub async fn permissions_of_role(
    idp: &Idp,
    tenant: &TenantId,
    role: &RoleId,
    span: Span<'_>,
) -> Result<Listed<PermissionView>, ManageError> {
    let mut tx = idp.storage.begin_read(tenant).await?;
    tx.role(role).await?.ok_or_else(no_role)?;
    let holder = PermissionHolder::Role(role);
    let permissions = tx.permissions_of(holder, span.limit, span.offset).await?;
    let total = if span.counted { tx.count_permissions_of(holder).await? } else { 0 };
    let permissions = permissions.into_iter().map(|permission| (permission, Vec::new())).collect();
    Ok(Listed { rows: permission_views(&mut tx, permissions).await?, total, last_key: None })
}

/// The permissions that a user has by themselves and by the roles that they have by themselves, by API and name, counted.
///
/// # Errors
/// [`ManageError::NotFound`].
pub async fn permissions_of_user(
    idp: &Idp,
    tenant: &TenantId,
    user: &UserId,
    span: Span<'_>,
) -> Result<Listed<PermissionView>, ManageError> {
    let mut tx = idp.storage.begin_read(tenant).await?;
    existing_user(&mut tx, user).await?;
    let direct = PermissionSource {
        source_id: String::new(),
        source_name: String::new(),
        source_type: PermissionSourceType::Direct,
    };
    let mut all: Vec<(Permission, PermissionSource)> = Vec::new();
    for permission in tx.permissions_of(PermissionHolder::User(user), MAX_PERMISSIONS, 0).await? {
        all.push((permission, direct.clone()));
    }
    for role in tx.roles_of(user).await? {
        let source = PermissionSource {
            source_id: role.id.as_str().to_owned(),
            source_name: role.name,
            source_type: PermissionSourceType::Role,
        };
        for permission in tx.permissions_of(PermissionHolder::Role(&role.id), MAX_PERMISSIONS, 0).await? {
            all.push((permission, source.clone()));
        }
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    let mut merged: Vec<(Permission, Vec<PermissionSource>)> = Vec::new();
    for (permission, source) in all {
        match merged.last_mut() {
            Some((known, sources)) if *known == permission => sources.push(source),
            _ => merged.push((permission, vec![source])),
        }
    }
    let Listed { rows, total, last_key } = span.of(merged);
    Ok(Listed { rows: permission_views(&mut tx, rows).await?, total, last_key })
}

async fn permission_views(
    tx: &mut TenantTx,
    permissions: Vec<(Permission, Vec<PermissionSource>)>,
) -> Result<Vec<PermissionView>, ManageError> {
    let mut api: Option<ManagedResourceServer> = None;
    let mut views = Vec::with_capacity(permissions.len());
    for (permission, sources) in permissions {
        // They come by API.
        let identifier = &permission.resource_server_identifier;
        if api.as_ref().is_none_or(|api| api.server.identifier != *identifier) {
            api = tx.managed_resource_server(identifier).await?;
        }
        let resource_server_name = api.as_ref().map(|api| api.server.name.clone()).unwrap_or_default();
        let descriptions = api.as_ref().and_then(|api| api.profile.scope_descriptions.as_ref());
        let description = descriptions.and_then(|all| all.get(&permission.permission_name).cloned());
        views.push(PermissionView {
            permission,
            resource_server_name,
            description: description.unwrap_or_default(),
            sources,
        });
    }
    Ok(views)
}

async fn existing_holder(tx: &mut TenantTx, holder: PermissionHolder<'_>) -> Result<(), ManageError> {
    match holder {
        PermissionHolder::Role(id) => tx.role(id).await?.map(drop).ok_or_else(no_role),
        PermissionHolder::User(id) => tx.user(id).await?.map(drop).ok_or_else(no_user),
    }
}

/// What the Management API says of an unknown role.
pub(super) fn no_role() -> ManageError {
    ManageError::not_found("inexistent_role", "The role does not exist.")
}
