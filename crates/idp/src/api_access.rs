//! Which clients may have a user's access token for an API, and what the user may do there: the API's
//! `subject_type_authorization`, with client grants, and `enforce_policies`. An API without them costs nothing: nothing is read, but
//! for the grants of third parties' strict clients.

use std::sync::Arc;

use model::{
    Client, ManagedClientGrant, OrganizationId, ResourceServer, SubjectType, User, UserAuthorizationPolicy,
};
use oauth::ErrorCode;
use storage::TenantTx;

use crate::authorize::is_about_the_user;
use crate::management_api::STORED_AUDIENCE;
use crate::settings::Api;
use crate::{Idp, IdpError, RequestContext, ServerError, tokens};

/// That the client may have users' access tokens for the API; of its scopes, those that it may have, where the API asks for
/// grants.
///
/// # Errors
/// `access_denied`.
pub(crate) async fn check(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    api: &ResourceServer,
) -> Result<Option<Vec<String>>, IdpError> {
    let grant = match api.subject_type_authorization.user.policy {
        UserAuthorizationPolicy::AllowAll if !client.is_strict() => return Ok(None),
        UserAuthorizationPolicy::DenyAll => None,
        UserAuthorizationPolicy::AllowAll | UserAuthorizationPolicy::RequireClientGrant => {
            let mut tx = idp.storage.begin_read(&ctx.tenant.id).await?;
            client_grant(&mut tx, client, &api.identifier, SubjectType::User).await?
        }
    };
    match grant {
        Some(grant) => Ok(Some(grant.scopes_among(&api.scopes))),
        None => Err(IdpError::oauth(
            ErrorCode::AccessDenied,
            format!(
                "Client {} is not authorized to access resource server {}.",
                client.client_id, api.identifier
            ),
        )),
    }
}

/// What the client may have for the API of this stored audience, by itself or for users: by its own grant, or else, as a
/// third party's, by the default one (`default_for`). A strict client never has the Management API.
pub(crate) async fn client_grant(
    tx: &mut TenantTx,
    client: &Client,
    audience: &str,
    subject_type: SubjectType,
) -> Result<Option<ManagedClientGrant>, ServerError> {
    if client.is_strict() && audience == STORED_AUDIENCE {
        return Ok(None);
    }
    let own = tx.client_grant(Some(&client.client_id), audience, subject_type).await?;
    if own.is_some() || client.is_first_party {
        return Ok(own);
    }
    Ok(tx.client_grant(None, audience, subject_type).await?)
}

/// What a refresh may have at an API that asks for grants: [`check`] by its audience.
///
/// # Errors
/// `access_denied`.
pub(crate) async fn granted_scopes(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    audience: Option<&str>,
) -> Result<Option<Vec<String>>, IdpError> {
    let Some(audience) = audience.filter(|audience| *audience != tokens::mfa_audience(ctx)) else {
        return Ok(None);
    };
    match idp.settings.api(&ctx.tenant, audience).await? {
        Some(api) => check(idp, ctx, client, &api.server).await,
        None => Ok(None),
    }
}

/// What the user may do at this API, at this moment; `None`: the API does not ask.
pub(crate) async fn permissions(
    idp: &Idp,
    ctx: &RequestContext,
    audience: Option<&str>,
    user: &User,
    organization: Option<&OrganizationId>,
) -> Result<Option<Vec<String>>, ServerError> {
    match enforcing(idp, ctx, audience).await? {
        Some(api) => read(idp, ctx, &api.server, user, organization).await.map(Some),
        None => Ok(None),
    }
}

/// The same where the API's tokens show it.
pub(crate) async fn shown_permissions(
    idp: &Idp,
    ctx: &RequestContext,
    audience: Option<&str>,
    user: &User,
    organization: Option<&OrganizationId>,
) -> Result<Option<Vec<String>>, ServerError> {
    match enforcing(idp, ctx, audience).await?.filter(|api| api.server.shows_permissions()) {
        Some(api) => read(idp, ctx, &api.server, user, organization).await.map(Some),
        None => Ok(None),
    }
}

async fn enforcing(
    idp: &Idp,
    ctx: &RequestContext,
    audience: Option<&str>,
) -> Result<Option<Arc<Api>>, ServerError> {
    let Some(audience) = audience.filter(|audience| *audience != tokens::mfa_audience(ctx)) else {
        return Ok(None);
    };
    let api = idp.settings.api(&ctx.tenant, audience).await?;
    Ok(api.filter(|api| api.server.enforce_policies))
}

async fn read(
    idp: &Idp,
    ctx: &RequestContext,
    api: &ResourceServer,
    user: &User,
    organization: Option<&OrganizationId>,
) -> Result<Vec<String>, ServerError> {
    let mut tx = idp.storage.begin_read(&ctx.tenant.id).await?;
    Ok(tx.permissions_at(&user.user_id, &api.identifier, &user.connection_id, organization).await?)
}

/// Leaves of the scopes those that the user has the permission for, where the API asks, and those that are no API's.
pub(crate) fn limit(scope: &mut Vec<String>, permissions: Option<&[String]>) {
    let Some(permissions) = permissions else { return };
    scope.retain(|name| is_about_the_user(name) || permissions.contains(name));
}
