//! Groups: who is in them, and which roles they give.

use model::{Group, GroupId, GroupScope, TenantId, UserId, random_token};
use serde_json::{Map, Value, json};

use super::object::as_object;
use super::organizations::{no_organization, taken};
use super::roles::Roles;
use super::users::existing_user;
use super::{ManageError, validate};
use crate::{Idp, ServerError};

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
            tx.organization(organization_id).await?.ok_or_else(no_organization)?;
        }
        GroupScope::Connection { connection_id } => {
            let found = tx.connection(connection_id).await?;
            found.ok_or_else(|| ManageError::invalid(format!("there is no connection {connection_id}")))?;
        }
    }
    taken(tx.put_group(&group).await, format!("there is a group {name} already"))?;
    tx.commit().await?;
    Ok(group)
}

/// Removes a group.
///
/// # Errors
/// [`ManageError::Invalid`] for an unknown one.
pub async fn delete_group(idp: &Idp, tenant: &TenantId, id: &GroupId) -> Result<(), ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
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
    roles: Roles<'_>,
) -> Result<(), ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    if tx.group(id).await?.is_none() {
        return Err(no_group(id));
    }
    for user in users {
        existing_user(&mut tx, user).await?;
        tx.add_group_member(id, user, idp.now()).await?;
    }
    for role in roles.find(&mut tx).await? {
        tx.add_group_role(id, &role).await?;
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
    roles: Roles<'_>,
) -> Result<(), ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    if tx.group(id).await?.is_none() {
        return Err(no_group(id));
    }
    for user in users {
        tx.remove_group_member(id, user).await?;
    }
    for role in roles.find(&mut tx).await? {
        tx.remove_group_role(id, &role).await?;
    }
    Ok(tx.commit().await?)
}

fn no_group(id: &GroupId) -> ManageError {
    ManageError::not_found("inexistent_group", format!("there is no group {id}"))
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
