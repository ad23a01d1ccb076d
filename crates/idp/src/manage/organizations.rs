//! Organizations, their members, and the roles that these have in them.

use std::collections::BTreeMap;

use model::{
    ConnectionId, Organization, OrganizationBranding, OrganizationConnection, OrganizationId, Role, TenantId,
    UserId, random_token,
};
use serde::{Deserialize, Deserializer, Serialize};
use storage::{StorageError, TenantTx};
use url::Url;
use utoipa::ToSchema;

use super::roles::Roles;
use super::users::{UserView, existing_user, listed_by_id};
use super::{Listed, ManageError, Span, validate};
use crate::{Idp, organizations};

/// An organization to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOrganization {
    /// What programs call it: 1 to 50 of `a-z 0-9 - _`.
    pub name: String,
    /// What people call it; absent: its name.
    pub display_name: Option<String>,
    /// What pages in its name may look like.
    pub branding: Option<OrganizationBranding>,
    /// At most 25 pairs of 255 characters.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    /// The connections that it has from the beginning.
    #[serde(default)]
    pub enabled_connections: Vec<NewOrganizationConnection>,
}

/// A connection that an organization gets. Its users log in by it whether it has it or not: it is kept for tools.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOrganizationConnection {
    /// Which.
    pub connection_id: String,
    /// Whoever logs in by it is a member from then on.
    #[serde(default)]
    pub assign_membership_on_login: bool,
    /// Pages offer it. Absent: they do.
    pub show_as_button: Option<bool>,
    /// Users may sign up at it.
    #[serde(default)]
    pub is_signup_enabled: bool,
}

impl From<NewOrganizationConnection> for OrganizationConnection {
    fn from(new: NewOrganizationConnection) -> Self {
        Self {
            connection_id: ConnectionId::new(new.connection_id),
            assign_membership_on_login: new.assign_membership_on_login,
            show_as_button: new.show_as_button.unwrap_or(true),
            is_signup_enabled: new.is_signup_enabled,
        }
    }
}

/// What changes of an organization. What is absent stays; `null` puts the default back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are those of `model::Organization`")]
pub struct OrganizationChanges {
    pub name: Option<String>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub display_name: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<OrganizationBranding>)]
    pub branding: Option<Option<OrganizationBranding>>,
    /// Replaces all of it.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    pub metadata: Option<Option<BTreeMap<String, String>>>,
}

fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// What changes of a connection of an organization. What is absent stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are those of `model::OrganizationConnection`")]
pub struct OrganizationConnectionChanges {
    pub assign_membership_on_login: Option<bool>,
    pub show_as_button: Option<bool>,
    pub is_signup_enabled: Option<bool>,
}

/// A connection of an organization with what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = NamedOrganizationConnection)]
pub struct OrganizationConnectionView {
    /// Which, and how.
    #[serde(flatten)]
    pub settings: OrganizationConnection,
    /// The connection itself.
    pub connection: NamedConnection,
}

/// What a connection is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct NamedConnection {
    /// Its name.
    pub name: String,
    /// `auth0` for a database.
    pub strategy: String,
}

/// Makes an organization.
///
/// # Errors
/// [`ManageError::Invalid`] for a bad value, [`ManageError::Conflict`] for a name that is taken,
/// [`ManageError::NotFound`] for an unknown connection.
pub async fn create_organization(
    idp: &Idp,
    tenant: &TenantId,
    new: NewOrganization,
) -> Result<Organization, ManageError> {
    let organization = Organization {
        id: OrganizationId::new(format!("{}{}", organizations::PREFIX, random_token(&*idp.random, 16))),
        display_name: new.display_name.unwrap_or_else(|| new.name.clone()),
        name: new.name,
        branding: new.branding,
        metadata: new.metadata,
    };
    let mut tx = idp.storage.begin(tenant).await?;
    store(&mut tx, &organization).await?;
    for connection in new.enabled_connections {
        let connection = connection.into();
        existing_connection(&mut tx, &connection).await?;
        tx.put_organization_connection(&organization.id, &connection).await?;
    }
    tx.commit().await?;
    Ok(organization)
}

/// Changes an organization; the organization after it.
///
/// # Errors
/// As [`create_organization`], and [`ManageError::NotFound`] for an unknown one.
pub async fn update_organization(
    idp: &Idp,
    tenant: &TenantId,
    id: &OrganizationId,
    changes: OrganizationChanges,
) -> Result<Organization, ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    let known = tx.organization(id).await?.ok_or_else(no_organization)?;
    let name = changes.name.unwrap_or(known.name);
    let organization = Organization {
        id: known.id,
        display_name: match changes.display_name {
            None => known.display_name,
            Some(display_name) => display_name.unwrap_or_else(|| name.clone()),
        },
        name,
        branding: changes.branding.unwrap_or(known.branding),
        metadata: match changes.metadata {
            None => known.metadata,
            Some(metadata) => metadata.unwrap_or_default(),
        },
    };
    store(&mut tx, &organization).await?;
    tx.commit().await?;
    Ok(organization)
}

async fn store(tx: &mut TenantTx, organization: &Organization) -> Result<(), ManageError> {
    validate::organization(organization)?;
    if let Some(branding) = &organization.branding {
        let is_https = |url: &String| Url::parse(url).is_ok_and(|url| url.scheme() == "https");
        if !branding.logo_url.as_ref().is_none_or(is_https) {
            return Err(ManageError::invalid("branding.logo_url is an https address"));
        }
        let is_color = |text: &String| {
            text.strip_prefix('#')
                .is_some_and(|digits| digits.len() == 6 && digits.bytes().all(|c| c.is_ascii_hexdigit()))
        };
        if let Some(colors) = &branding.colors
            && !(is_color(&colors.primary) && is_color(&colors.page_background))
        {
            return Err(ManageError::invalid("branding.colors are written as #rrggbb"));
        }
    }
    let already = "An organization with this name already exists.";
    taken(tx.put_organization(organization).await, already)
}

/// Tells a name that somebody else has.
pub(super) fn taken(stored: Result<(), StorageError>, message: impl Into<String>) -> Result<(), ManageError> {
    match stored {
        Err(error) if error.is_conflict() => Err(ManageError::Conflict(message.into())),
        stored => Ok(stored?),
    }
}

/// One organization.
///
/// # Errors
/// [`ManageError::NotFound`].
pub async fn get_organization(
    idp: &Idp,
    tenant: &TenantId,
    id: &OrganizationId,
) -> Result<Organization, ManageError> {
    idp.storage.begin_read(tenant).await?.organization(id).await?.ok_or_else(no_organization)
}

/// The organization of that name.
///
/// # Errors
/// [`ManageError::NotFound`].
pub async fn organization_by_name(
    idp: &Idp,
    tenant: &TenantId,
    name: &str,
) -> Result<Organization, ManageError> {
    idp.storage.begin_read(tenant).await?.organization_by_name(name).await?.ok_or_else(no_organization)
}

/// The organizations by name.
///
/// # Errors
/// [`ManageError::Server`].
pub async fn list_organizations(
    idp: &Idp,
    tenant: &TenantId,
    span: Span<'_>,
) -> Result<Listed<Organization>, ManageError> {
    let mut tx = idp.storage.begin_read(tenant).await?;
    let rows = tx.organizations(span.after.unwrap_or_default(), span.limit, span.offset).await?;
    let total = if span.counted { tx.count_organizations().await? } else { 0 };
    let last_key = rows.last().map(|last| last.name.clone());
    Ok(Listed { rows, total, last_key })
}

/// The organizations that a user is a member of.
///
/// # Errors
/// [`ManageError::NotFound`] for an unknown user.
pub async fn organizations_of_user(
    idp: &Idp,
    tenant: &TenantId,
    user: &UserId,
    span: Span<'_>,
) -> Result<Listed<Organization>, ManageError> {
    let mut tx = idp.storage.begin_read(tenant).await?;
    existing_user(&mut tx, user).await?;
    let rows = tx.organizations_of(user, span.limit, span.offset).await?;
    let total = if span.counted { tx.count_organizations_of(user).await? } else { 0 };
    Ok(Listed { rows, total, last_key: None })
}

/// Removes an organization with its members and groups. What was granted in its name ends with the next exchange.
///
/// # Errors
/// [`ManageError::NotFound`].
pub async fn delete_organization(
    idp: &Idp,
    tenant: &TenantId,
    id: &OrganizationId,
) -> Result<(), ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    if !tx.delete_organization(id).await? {
        return Err(no_organization());
    }
    Ok(tx.commit().await?)
}

/// The members of an organization, by id.
///
/// # Errors
/// [`ManageError::NotFound`].
pub async fn organization_members(
    idp: &Idp,
    tenant: &TenantId,
    id: &OrganizationId,
    span: Span<'_>,
) -> Result<Listed<UserView>, ManageError> {
    let mut tx = idp.storage.begin_read(tenant).await?;
    tx.organization(id).await?.ok_or_else(no_organization)?;
    let after = span.after.unwrap_or_default();
    let members = tx.organization_members(id, after, span.limit, span.offset).await?;
    let total = if span.counted { tx.count_organization_members(id).await? } else { 0 };
    listed_by_id(&mut tx, members, total).await
}

/// Makes users members of an organization, with these roles in it.
///
/// # Errors
/// [`ManageError::NotFound`] for an unknown organization, user or role. Nothing is changed then.
pub async fn add_organization_members(
    idp: &Idp,
    tenant: &TenantId,
    id: &OrganizationId,
    users: &[UserId],
    roles: Roles<'_>,
) -> Result<(), ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    tx.organization(id).await?.ok_or_else(no_organization)?;
    let roles = roles.find(&mut tx).await?;
    for user in users {
        existing_user(&mut tx, user).await?;
        tx.add_organization_member(id, user, idp.now()).await?;
        for role in &roles {
            tx.add_organization_role(id, user, role).await?;
        }
    }
    Ok(tx.commit().await?)
}

/// Ends users' membership in an organization. Who is none is none after it.
///
/// # Errors
/// [`ManageError::NotFound`] for an unknown organization.
pub async fn remove_organization_members(
    idp: &Idp,
    tenant: &TenantId,
    id: &OrganizationId,
    users: &[UserId],
) -> Result<(), ManageError> {
    idp.storage.begin_read(tenant).await?.organization(id).await?.ok_or_else(no_organization)?;
    for user in users {
        let mut tx = idp.storage.begin(tenant).await?;
        // A login or an exchange of the user that is being committed is over, or sees it.
        tx.lock_user(user).await?;
        tx.remove_organization_member(id, user).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// The roles that a member has in an organization, by name.
///
/// # Errors
/// [`ManageError::NotFound`] for an unknown organization, or a user who is no member.
pub async fn organization_roles(
    idp: &Idp,
    tenant: &TenantId,
    id: &OrganizationId,
    user: &UserId,
) -> Result<Vec<Role>, ManageError> {
    let mut tx = idp.storage.begin_read(tenant).await?;
    existing_member(&mut tx, id, user).await?;
    Ok(tx.organization_roles_of(id, user).await?)
}

/// Gives a member roles in an organization.
///
/// # Errors
/// [`ManageError::NotFound`] for an unknown organization or role, or a user who is no member. Nothing is changed then.
pub async fn add_organization_roles(
    idp: &Idp,
    tenant: &TenantId,
    id: &OrganizationId,
    user: &UserId,
    roles: Roles<'_>,
) -> Result<(), ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    existing_member(&mut tx, id, user).await?;
    for role in roles.find(&mut tx).await? {
        tx.add_organization_role(id, user, &role).await?;
    }
    Ok(tx.commit().await?)
}

/// Takes roles in an organization from a member.
///
/// # Errors
/// As [`add_organization_roles`].
pub async fn remove_organization_roles(
    idp: &Idp,
    tenant: &TenantId,
    id: &OrganizationId,
    user: &UserId,
    roles: Roles<'_>,
) -> Result<(), ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    existing_member(&mut tx, id, user).await?;
    for role in roles.find(&mut tx).await? {
        tx.remove_organization_role(id, user, &role).await?;
    }
    Ok(tx.commit().await?)
}

/// The connections of an organization, by id.
///
/// # Errors
/// [`ManageError::NotFound`].
pub async fn organization_connections(
    idp: &Idp,
    tenant: &TenantId,
    id: &OrganizationId,
) -> Result<Vec<OrganizationConnectionView>, ManageError> {
    let mut tx = idp.storage.begin_read(tenant).await?;
    tx.organization(id).await?.ok_or_else(no_organization)?;
    let mut shown = Vec::new();
    for settings in tx.organization_connections(id).await? {
        let connection = existing_connection(&mut tx, &settings).await?;
        shown.push(OrganizationConnectionView { settings, connection });
    }
    Ok(shown)
}

/// One connection of an organization.
///
/// # Errors
/// [`ManageError::NotFound`] for an unknown organization, or a connection that it has not got.
pub async fn organization_connection(
    idp: &Idp,
    tenant: &TenantId,
    id: &OrganizationId,
    connection: &ConnectionId,
) -> Result<OrganizationConnectionView, ManageError> {
    let known = organization_connections(idp, tenant, id).await?;
    let found = known.into_iter().find(|known| known.settings.connection_id == *connection);
    found.ok_or_else(no_such_connection)
}

/// Gives an organization a connection.
///
/// # Errors
/// [`ManageError::NotFound`] for an unknown organization or connection, [`ManageError::Conflict`] when it has it.
pub async fn add_organization_connection(
    idp: &Idp,
    tenant: &TenantId,
    id: &OrganizationId,
    new: NewOrganizationConnection,
) -> Result<OrganizationConnectionView, ManageError> {
    let settings = OrganizationConnection::from(new);
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    tx.organization(id).await?.ok_or_else(no_organization)?;
    let connection = existing_connection(&mut tx, &settings).await?;
    let known = tx.organization_connections(id).await?;
    if known.iter().any(|known| known.connection_id == settings.connection_id) {
        return Err(ManageError::Conflict(
            "The connection is enabled for the organization already.".to_owned(),
        ));
    }
    tx.put_organization_connection(id, &settings).await?;
    tx.commit().await?;
    Ok(OrganizationConnectionView { settings, connection })
}

/// Changes a connection of an organization; the connection after it.
///
/// # Errors
/// [`ManageError::NotFound`] for an unknown organization, or a connection that it has not got.
pub async fn update_organization_connection(
    idp: &Idp,
    tenant: &TenantId,
    id: &OrganizationId,
    connection: &ConnectionId,
    changes: OrganizationConnectionChanges,
) -> Result<OrganizationConnectionView, ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    tx.organization(id).await?.ok_or_else(no_organization)?;
    let known = tx.organization_connections(id).await?;
    let mut settings =
        known.into_iter().find(|known| known.connection_id == *connection).ok_or_else(no_such_connection)?;
    let set = |value: &mut bool, change: Option<bool>| *value = change.unwrap_or(*value);
    set(&mut settings.assign_membership_on_login, changes.assign_membership_on_login);
    set(&mut settings.show_as_button, changes.show_as_button);
    set(&mut settings.is_signup_enabled, changes.is_signup_enabled);
    tx.put_organization_connection(id, &settings).await?;
    let connection = existing_connection(&mut tx, &settings).await?;
    tx.commit().await?;
    Ok(OrganizationConnectionView { settings, connection })
}

/// Takes a connection from an organization.
///
/// # Errors
/// As [`update_organization_connection`].
pub async fn remove_organization_connection(
    idp: &Idp,
    tenant: &TenantId,
    id: &OrganizationId,
    connection: &ConnectionId,
) -> Result<(), ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    tx.organization(id).await?.ok_or_else(no_organization)?;
    if !tx.remove_organization_connection(id, connection).await? {
        return Err(no_such_connection());
    }
    Ok(tx.commit().await?)
}

async fn existing_connection(
    tx: &mut TenantTx,
    settings: &OrganizationConnection,
) -> Result<NamedConnection, ManageError> {
    let found = tx.connection(&settings.connection_id).await?.ok_or_else(no_such_connection)?;
    Ok(NamedConnection { name: found.name, strategy: found.strategy })
}

async fn existing_member(tx: &mut TenantTx, id: &OrganizationId, user: &UserId) -> Result<(), ManageError> {
    tx.organization(id).await?.ok_or_else(no_organization)?;
    match tx.organization_of_member(id, user).await? {
        Some(_) => Ok(()),
        None => {
            Err(ManageError::not_found("inexistent_member", "The user is no member of the organization."))
        }
    }
}

/// What the Management API says of an unknown organization.
pub(super) fn no_organization() -> ManageError {
    ManageError::not_found("inexistent_organization", "No organization found by that id or name.")
}

fn no_such_connection() -> ManageError {
    ManageError::not_found("inexistent_connection", "The connection does not exist.")
}
