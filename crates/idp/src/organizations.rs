//! Logins in the name of an organization (`reference/authentication-api.md` section 2.4): which one a request names, and
//! whether the user is one of its members. Membership is looked at in each login and each exchange.

use model::{
    Client, GrantOrganizationUsage, ManagedClientGrant, Organization, OrganizationId, OrganizationUsage,
    UserId,
};
use oauth::{ErrorCode, OAuthError, Parameters};
use storage::TenantTx;

use crate::management_api::shown_audience;
use crate::{Idp, IdpError, RequestContext, ServerError};

/// How the ids of organizations begin.
pub(crate) const PREFIX: &str = "org_";

/// The organization that the request names, when the client's users may log in in its name.
///
/// # Errors
/// `invalid_request` for one that is unknown, not allowed or missing, with the texts that the dialect is known to give.
pub(crate) async fn requested(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    parameters: &Parameters,
) -> Result<Option<OrganizationId>, IdpError> {
    let refuse =
        |why: &str| Err(OAuthError::invalid_request(format!("parameter organization is {why}")).into());
    let named = match (parameters.get("organization"), client.organization_usage) {
        (None, OrganizationUsage::Require) => return refuse("required for this client"),
        (None, _) => return Ok(None),
        (Some(_), OrganizationUsage::Deny) => return refuse("not allowed for this client"),
        (Some(named), _) => named,
    };
    let mut tx = idp.storage.begin_read(&ctx.tenant.id).await?;
    match named_by(&mut tx, ctx, named).await? {
        Some(organization) => Ok(Some(organization.id)),
        None => refuse("invalid"),
    }
}

/// The organization of that id, or of that name where the tenant's clients may use names.
async fn named_by(
    tx: &mut TenantTx,
    ctx: &RequestContext,
    named: &str,
) -> Result<Option<Organization>, ServerError> {
    Ok(if named.starts_with(PREFIX) {
        tx.organization(&OrganizationId::new(named)).await?
    } else if ctx.tenant.flags.allow_organization_name_in_authentication_api {
        tx.organization_by_name(named).await?
    } else {
        None
    })
}

/// The organization in whose name a client has a token of its own: the one that the request names, or the client's default
/// one, when the client's grant counts there.
///
/// # Errors
/// `invalid_request` for one that is unknown, not allowed or missing; `unauthorized_client` for one in whose name the grant
/// does not count.
pub(crate) async fn of_client(
    tx: &mut TenantTx,
    ctx: &RequestContext,
    client: &Client,
    grant: &ManagedClientGrant,
    parameters: &Parameters,
) -> Result<Option<Organization>, IdpError> {
    let refuse =
        |why: &str| Err(OAuthError::invalid_request(format!("parameter organization is {why}")).into());
    let usage = grant.profile.organization_usage.unwrap_or(GrantOrganizationUsage::Deny);
    let named = match (parameters.get("organization"), usage) {
        (Some(_), GrantOrganizationUsage::Deny) => return refuse("not allowed for this client"),
        (None, GrantOrganizationUsage::Deny) => return Ok(None),
        (Some(named), _) => named,
        (None, _) => match (&client.default_organization, usage) {
            (Some(default), _) => default.organization_id.as_deref().unwrap_or_default(),
            (None, GrantOrganizationUsage::Require) => return refuse("required for this client"),
            (None, _) => return Ok(None),
        },
    };
    let Some(organization) = named_by(tx, ctx, named).await? else { return refuse("invalid") };
    if grant.profile.allow_any_organization == Some(true)
        || tx.has_organization_client_grant(&organization.id, &grant.id).await?
    {
        return Ok(Some(organization));
    }
    Err(IdpError::oauth(
        ErrorCode::UnauthorizedClient,
        format!(
            "Client is not authorized to access \"{}\" in the name of the organization {}.",
            shown_audience(ctx, &grant.grant.audience),
            organization.id
        ),
    ))
}

/// For a grant that names no organization.
///
/// # Errors
/// `invalid_request` when the client's users log in in the name of one only.
pub(crate) fn check_optional(client: &Client) -> Result<(), IdpError> {
    match client.organization_usage {
        OrganizationUsage::Deny | OrganizationUsage::Allow => Ok(()),
        OrganizationUsage::Require => {
            Err(OAuthError::invalid_request("parameter organization is required for this client").into())
        }
    }
}

/// The organization of a grant, which has ended for a user who is no member any more.
///
/// # Errors
/// `access_denied`.
pub(crate) async fn of_grant(
    idp: &Idp,
    ctx: &RequestContext,
    id: Option<&OrganizationId>,
    user: &UserId,
) -> Result<Option<Organization>, IdpError> {
    let Some(id) = id else { return Ok(None) };
    let found = idp.storage.begin_read(&ctx.tenant.id).await?.organization_of_member(id, user).await?;
    found.map(Some).ok_or_else(|| IdpError::oauth(ErrorCode::AccessDenied, no_member(id, user)))
}

/// Whether the user is still a member, in the transaction that commits what rests on it. A member is removed under the
/// user's lock.
pub(crate) async fn is_member(
    tx: &mut TenantTx,
    id: Option<&OrganizationId>,
    user: &UserId,
) -> Result<bool, ServerError> {
    match id {
        None => Ok(true),
        Some(id) => Ok(tx.organization_of_member(id, user).await?.is_some()),
    }
}

/// What the client of a user who is no member learns.
pub(crate) fn no_member(id: &OrganizationId, user: &UserId) -> String {
    format!("user {user} is not part of the {id} organization")
}
