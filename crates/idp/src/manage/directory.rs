//! Organizations, groups and roles, and who is in them.

use model::{
    Group, GroupId, GroupScope, Organization, OrganizationId, Role, RoleId, TenantId, UserId, random_token,
};
use serde_json::{Map, Value, json};
use storage::{StorageError, TenantTx};

use super::object::{as_object, from_object};
use super::{ManageError, validate};
use crate::{Idp, ServerError, organizations};

/// What of an organization is not changed.
const ORGANIZATION_FIXED: [&str; 1] = ["id"];

/// Makes an organization. Without a display name, it has its name.
///
/// # Errors
/// [`ManageError::Invalid`] for a name that is taken or breaks a rule.
pub async fn create_organization(
    idp: &Idp,
    tenant: &TenantId,
    name: &str,
    display_name: Option<&str>,
) -> Result<Organization, ManageError> {
    let organization = Organization {
        id: OrganizationId::new(format!("{}{}", organizations::PREFIX, random_token(&*idp.random, 16))),
        name: name.to_owned(),
        display_name: display_name.unwrap_or(name).to_owned(),
        metadata: Default::default(),
    };
    store_organization(idp, tenant, &organization).await?;
    Ok(organization)
}

/// Changes an organization by a partial object; the organization after it.
///
/// # Errors
/// [`ManageError::Invalid`] for an unknown organization or name, a wrong type, or a rule that is broken.
pub async fn update_organization(
    idp: &Idp,
    tenant: &TenantId,
    id: &OrganizationId,
    patch: &Map<String, Value>,
) -> Result<Organization, ManageError> {
    let known = idp.storage.begin_read(tenant).await?.organization(id).await?;
    let known = known.ok_or_else(|| no_organization(id))?;
    let mut object = as_object(&known)?;
    for (name, value) in patch {
        if ORGANIZATION_FIXED.contains(&name.as_str()) {
            return Err(ManageError::invalid(format!("{name} cannot be changed")));
        }
        if !object.contains_key(name) {
            return Err(ManageError::invalid(format!("unknown setting: {name}")));
        }
        let default = match name.as_str() {
            "metadata" => json!({}),
            "display_name" => json!(patch.get("name").and_then(Value::as_str).unwrap_or(&known.name)),
            _ => Value::Null,
        };
        object.insert(name.clone(), if value.is_null() { default } else { value.clone() });
    }
    let changed = from_object(&object)?;
    store_organization(idp, tenant, &changed).await?;
    Ok(changed)
}

async fn store_organization(
    idp: &Idp,
    tenant: &TenantId,
    organization: &Organization,
) -> Result<(), ManageError> {
    validate::organization(organization)?;
    let mut tx = idp.storage.begin(tenant).await?;
    taken(tx.put_organization(organization).await, "an organization", &organization.name)?;
    Ok(tx.commit().await?)
}

fn taken(stored: Result<(), StorageError>, what: &str, name: &str) -> Result<(), ManageError> {
    match stored {
        Err(error) if error.is_conflict() => {
            Err(ManageError::invalid(format!("there is {what} {name} already")))
        }
        stored => Ok(stored?),
    }
}

/// Removes an organization with its members and groups. What was granted in its name ends with the next exchange.
///
/// # Errors
/// [`ManageError::Invalid`] for an unknown one.
pub async fn delete_organization(
    idp: &Idp,
    tenant: &TenantId,
    id: &OrganizationId,
) -> Result<(), ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    if !tx.delete_organization(id).await? {
        return Err(no_organization(id));
    }
    Ok(tx.commit().await?)
}

/// Makes users members of an organization, with these roles in it.
///
/// # Errors
/// [`ManageError::Invalid`] for an unknown organization, user or role. Nothing is changed then.
pub async fn add_organization_members(
    idp: &Idp,
    tenant: &TenantId,
    id: &OrganizationId,
    users: &[UserId],
    roles: &[String],
) -> Result<(), ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    if tx.organization(id).await?.is_none() {
        return Err(no_organization(id));
    }
    let roles = roles_by_name(&mut tx, roles).await?;
    for user in users {
        existing_user(&mut tx, user).await?;
        tx.add_organization_member(id, user, idp.now()).await?;
        for role in &roles {
            tx.add_organization_role(id, user, &role.id).await?;
        }
    }
    Ok(tx.commit().await?)
}

/// Ends a user's membership in an organization, or takes roles in it from them when some are named.
///
/// # Errors
/// [`ManageError::Invalid`] for a user who is no member, or an unknown role.
pub async fn remove_organization_member(
    idp: &Idp,
    tenant: &TenantId,
    id: &OrganizationId,
    user: &UserId,
    roles: &[String],
) -> Result<(), ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    // A login or an exchange of the user that is being committed is over, or sees it.
    tx.lock_user(user).await?;
    for role in roles_by_name(&mut tx, roles).await? {
        tx.remove_organization_role(id, user, &role.id).await?;
    }
    if roles.is_empty() && !tx.remove_organization_member(id, user).await? {
        return Err(ManageError::invalid(format!("{user} is no member of {id}")));
    }
    Ok(tx.commit().await?)
}

/// Makes a group.
///
/// # Errors
/// [`ManageError::Invalid`] for a name that is taken or breaks a rule, or an unknown organization or connection.
pub async fn create_group(
    idp: &Idp,
    tenant: &TenantId,
    name: &str,
    external_id: Option<&str>,
    scope: GroupScope,
) -> Result<Group, ManageError> {
    let now = idp.now();
    let group = Group {
        id: GroupId::new(format!("grp_{}", random_token(&*idp.random, 16))),
        name: name.to_owned(),
        external_id: external_id.map(str::to_owned),
        scope,
        created_at: now,
        updated_at: now,
    };
    validate::group(&group)?;
    let mut tx = idp.storage.begin(tenant).await?;
    match &group.scope {
        GroupScope::Tenant => {}
        GroupScope::Organization { organization_id } => {
            tx.organization(organization_id).await?.ok_or_else(|| no_organization(organization_id))?;
        }
        GroupScope::Connection { connection_id } => {
            let found = tx.connection(connection_id).await?;
            found.ok_or_else(|| ManageError::invalid(format!("there is no connection {connection_id}")))?;
        }
    }
    taken(tx.put_group(&group).await, "a group", name)?;
    tx.commit().await?;
    Ok(group)
}

/// Removes a group.
///
/// # Errors
/// [`ManageError::Invalid`] for an unknown one.
pub async fn delete_group(idp: &Idp, tenant: &TenantId, id: &GroupId) -> Result<(), ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    if !tx.delete_group(id).await? {
        return Err(no_group(id));
    }
    Ok(tx.commit().await?)
}

/// Puts users into a group, and gives it roles.
///
/// # Errors
/// [`ManageError::Invalid`] for an unknown group, user or role. Nothing is changed then.
pub async fn add_to_group(
    idp: &Idp,
    tenant: &TenantId,
    id: &GroupId,
    users: &[UserId],
    roles: &[String],
) -> Result<(), ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    if tx.group(id).await?.is_none() {
        return Err(no_group(id));
    }
    for user in users {
        existing_user(&mut tx, user).await?;
        tx.add_group_member(id, user, idp.now()).await?;
    }
    for role in roles_by_name(&mut tx, roles).await? {
        tx.add_group_role(id, &role.id).await?;
    }
    Ok(tx.commit().await?)
}

/// Takes users out of a group, and roles from it.
///
/// # Errors
/// [`ManageError::Invalid`] for an unknown group or role. Who is not in it stays out.
pub async fn remove_from_group(
    idp: &Idp,
    tenant: &TenantId,
    id: &GroupId,
    users: &[UserId],
    roles: &[String],
) -> Result<(), ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    if tx.group(id).await?.is_none() {
        return Err(no_group(id));
    }
    for user in users {
        tx.remove_group_member(id, user).await?;
    }
    for role in roles_by_name(&mut tx, roles).await? {
        tx.remove_group_role(id, &role.id).await?;
    }
    Ok(tx.commit().await?)
}

/// Makes a role.
///
/// # Errors
/// [`ManageError::Invalid`] for a name that is taken or breaks a rule.
pub async fn create_role(idp: &Idp, tenant: &TenantId, name: &str) -> Result<Role, ManageError> {
    validate::name("a role", name)?;
    let role =
        Role { id: RoleId::new(format!("rol_{}", random_token(&*idp.random, 16))), name: name.to_owned() };
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    if tx.role_by_name(name).await?.is_some() {
        return Err(ManageError::invalid(format!("there is a role {name} already")));
    }
    tx.put_role(&role).await?;
    tx.commit().await?;
    Ok(role)
}

/// Gives a user roles.
///
/// # Errors
/// [`ManageError::Invalid`] for an unknown user or role. Nothing is changed then.
pub async fn assign_roles(
    idp: &Idp,
    tenant: &TenantId,
    user: &UserId,
    roles: &[String],
) -> Result<(), ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    existing_user(&mut tx, user).await?;
    for role in roles_by_name(&mut tx, roles).await? {
        tx.assign_role(user, &role.id).await?;
    }
    Ok(tx.commit().await?)
}

/// Takes roles from a user.
///
/// # Errors
/// [`ManageError::Invalid`] for an unknown user or role. What they have not got, they have not got after it.
pub async fn remove_roles(
    idp: &Idp,
    tenant: &TenantId,
    user: &UserId,
    roles: &[String],
) -> Result<(), ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    existing_user(&mut tx, user).await?;
    for role in roles_by_name(&mut tx, roles).await? {
        tx.unassign_role(user, &role.id).await?;
    }
    Ok(tx.commit().await?)
}

async fn roles_by_name(tx: &mut TenantTx, names: &[String]) -> Result<Vec<Role>, ManageError> {
    let mut roles = Vec::with_capacity(names.len());
    for name in names {
        let role = tx.role_by_name(name).await?;
        roles.push(role.ok_or_else(|| ManageError::invalid(format!("there is no role {name}")))?);
    }
    Ok(roles)
}

async fn existing_user(tx: &mut TenantTx, user: &UserId) -> Result<(), ManageError> {
    match tx.user(user).await? {
        Some(_) => Ok(()),
        None => Err(ManageError::invalid(format!("there is no user {user}"))),
    }
}

fn no_organization(id: &OrganizationId) -> ManageError {
    ManageError::invalid(format!("there is no organization {id}"))
}

fn no_group(id: &GroupId) -> ManageError {
    ManageError::invalid(format!("there is no group {id}"))
}

/// A group as commands show it.
///
/// # Errors
/// [`ServerError`] when it cannot be written as JSON.
pub fn group_as_json(group: &Group) -> Result<Map<String, Value>, ServerError> {
    let mut object = as_object(group)?;
    object.insert("created_at".to_owned(), json!(group.created_at.to_iso()));
    object.insert("updated_at".to_owned(), json!(group.updated_at.to_iso()));
    Ok(object)
}
