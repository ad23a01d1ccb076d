//! A refresh token that begins, by whichever grant.

use model::{
    Client, ConnectionId, Device, OrganizationId, RefreshToken, RefreshTokenChanges, RefreshTokenId,
    RequestOrigin, RotationType, SessionId, Timestamp, TokenEndpointAuthMethod, UserId, ordered_id,
};
use storage::TenantTx;

use super::seen_at;
use crate::revocation::{self, Event};
use crate::{Idp, IdpError, RequestContext};

/// How many refresh tokens a user may have at one client; the oldest gives way.
pub(super) const REFRESH_TOKENS_PER_USER_AND_CLIENT: i64 = 200;

/// What a refresh token comes from.
pub(super) struct Origin<'a> {
    pub user_id: &'a UserId,
    pub connection_id: &'a ConnectionId,
    /// The organization in whose name the user logged in.
    pub organization_id: Option<&'a OrganizationId>,
    /// The session in which it is issued, if any.
    pub session_id: Option<&'a SessionId>,
    /// It ends with that session.
    pub bound_to_session: bool,
    /// It lives as long as that session, whatever the client's settings say.
    pub online: bool,
    /// The native refresh token that the session was made from.
    pub parent: Option<&'a RefreshTokenId>,
    pub audience: Option<&'a str>,
    pub auth_time: Timestamp,
    /// What Actions asked for it.
    pub changes: &'a RefreshTokenChanges,
}

/// A public client's refresh token is bound to the key of the proof (RFC 9449 §5); any other's to the client's
/// authentication.
pub(super) fn new_refresh_token(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    origin: &Origin<'_>,
    scope: &[String],
    jkt: Option<&str>,
    now: Timestamp,
) -> RefreshToken {
    let public = client.token_endpoint_auth_method == TokenEndpointAuthMethod::None;
    let settings = &client.refresh_token;
    let end = |secs: Option<i64>| secs.filter(|_| !origin.online).map(|secs| now.plus_secs(secs));
    let mut token = RefreshToken {
        id: RefreshTokenId::new(format!("rt_{}", ordered_id(&*idp.random, now, 20))),
        client_id: client.client_id.clone(),
        user_id: origin.user_id.clone(),
        session_id: origin.session_id.cloned(),
        bound_to_session: origin.bound_to_session,
        parent_refresh_token: origin.parent.cloned(),
        connection_id: origin.connection_id.clone(),
        organization_id: origin.organization_id.cloned(),
        audience: origin.audience.map(str::to_owned),
        scope: scope.to_vec(),
        auth_time: origin.auth_time,
        created_at: now,
        expires_at: end(settings.absolute_lifetime()),
        idle_expires_at: end(settings.idle_lifetime()),
        last_exchanged_at: None,
        revoked_at: None,
        rotating: !origin.online && settings.rotation_type == RotationType::Rotating,
        online: origin.online,
        dpop_jkt: jkt.filter(|_| public).map(str::to_owned),
        device: new_device(&ctx.origin),
        metadata: std::collections::BTreeMap::new(),
    };
    // An online token lives with its session, and has nothing of its own.
    if !origin.online {
        origin.changes.apply(&mut token);
    }
    token
}

/// Where the user has as many as they may have at this client, the oldest ends.
pub(super) async fn make_room(
    tx: &mut TenantTx,
    user_id: &UserId,
    client: &Client,
    now: Timestamp,
) -> Result<(), IdpError> {
    let client_id = &client.client_id;
    if tx.count_refresh_tokens(user_id, client_id, now).await? >= REFRESH_TOKENS_PER_USER_AND_CLIENT
        && let Some(oldest) = tx.oldest_refresh_token(user_id, client_id, now).await?
    {
        revocation::apply(tx, Event::RefreshTokenRevoked(&oldest), now).await?;
    }
    Ok(())
}

fn new_device(origin: &RequestOrigin) -> Device {
    let mut device = Device {
        initial_ip: Some(origin.ip.clone()),
        initial_asn: origin.asn.clone(),
        initial_user_agent: origin.user_agent.clone(),
        ..Device::default()
    };
    seen_at(&mut device, origin);
    device
}
