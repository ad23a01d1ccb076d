//! The client grants that count in the name of an organization.

use model::OrganizationId;
use serde_json::{Map, Value};

use super::ManageError;
use super::client_grants::{no_grant, shown};
use super::organizations::no_organization;
use crate::{Idp, RequestContext};

/// The client grants by which clients may have tokens of their own in the name of the organization, in the order in which
/// they were made. `audience` and `client` leave out those for other APIs and of other clients.
///
/// # Errors
/// [`ManageError::NotFound`] for the organization.
pub async fn organization_client_grants(
    idp: &Idp,
    ctx: &RequestContext,
    id: &OrganizationId,
    audience: Option<&str>,
    client: Option<&str>,
) -> Result<Vec<Map<String, Value>>, ManageError> {
    let mut tx = idp.storage.begin_read(&ctx.tenant.id).await?;
    tx.organization(id).await?.ok_or_else(no_organization)?;
    let mut grants = Vec::new();
    for grant in tx.organization_client_grants(id).await? {
        let grant = shown(ctx, &grant)?;
        let fits =
            |name, wanted: Option<&str>| wanted.is_none_or(|wanted| grant.get(name) == Some(&wanted.into()));
        if fits("audience", audience) && fits("client_id", client) {
            grants.push(grant);
        }
    }
    Ok(grants)
}

/// Lets a client grant count in the name of the organization; the grant.
///
/// # Errors
/// [`ManageError::NotFound`] for the organization or the grant; [`ManageError::Conflict`] when it counts already.
pub async fn add_organization_client_grant(
    idp: &Idp,
    ctx: &RequestContext,
    id: &OrganizationId,
    grant: &str,
) -> Result<Map<String, Value>, ManageError> {
    let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
    tx.lock_settings().await?;
    tx.organization(id).await?.ok_or_else(no_organization)?;
    let found = tx.client_grant_by_id(grant).await?.ok_or_else(no_grant)?;
    if !tx.add_organization_client_grant(id, grant).await? {
        return Err(ManageError::Conflict("The organization has this client grant".to_owned()));
    }
    tx.commit().await?;
    Ok(shown(ctx, &found)?)
}

/// The client grant does not count in the name of the organization any more.
///
/// # Errors
/// [`ManageError::NotFound`] for the organization, or for a grant that it has not got.
pub async fn remove_organization_client_grant(
    idp: &Idp,
    ctx: &RequestContext,
    id: &OrganizationId,
    grant: &str,
) -> Result<(), ManageError> {
    let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
    tx.lock_settings().await?;
    tx.organization(id).await?.ok_or_else(no_organization)?;
    if !tx.remove_organization_client_grant(id, grant).await? {
        return Err(no_grant());
    }
    Ok(tx.commit().await?)
}
