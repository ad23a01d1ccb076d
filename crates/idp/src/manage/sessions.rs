//! Sessions and refresh tokens: finding and showing them, and what is changed of them, their metadata. What ends them is in
//! `revoke`.

use std::collections::BTreeMap;

use model::{
    ClientId, RefreshToken, RefreshTokenId, Session, SessionId, TenantId, Timestamp, UserId, check_metadata,
};
use serde_json::{Value, json};
use storage::TenantTx;

use super::users::existing_user;
use super::{ManageError, place, place_of};
use crate::Idp;

/// A living session.
///
/// # Errors
/// [`ManageError::NotFound`].
pub async fn get_session(idp: &Idp, tenant: &TenantId, id: &SessionId) -> Result<Session, ManageError> {
    let session = idp.storage.begin_read(tenant).await?.session(id).await?;
    session.filter(|session| session.is_alive(idp.now())).ok_or_else(no_session)
}

/// The living sessions of a user, newest first, from the one after that with the key `after` on ([`session_key`]). How many
/// there are in all where `count` says so.
///
/// # Errors
/// [`ManageError::NotFound`] for an unknown user.
pub async fn sessions_of_user(
    idp: &Idp,
    tenant: &TenantId,
    user: &UserId,
    after: Option<&str>,
    take: i64,
    count: bool,
) -> Result<(Vec<Session>, Option<i64>), ManageError> {
    let after = after.map(place).transpose()?.map(|(created, id)| (created, SessionId::new(id)));
    let after = after.as_ref().map(|(created, id)| (*created, id));
    let now = idp.now();
    let mut tx = idp.storage.begin_read(tenant).await?;
    existing_user(&mut tx, user).await?;
    let sessions = tx.sessions_of(user, after, take, now).await?;
    let total = if count { Some(tx.count_sessions_of(user, now).await?) } else { None };
    Ok((sessions, total))
}

/// What [`sessions_of_user`] goes on after.
#[must_use]
pub fn session_key(session: &Session) -> String {
    place_of(session.created_at, session.id.as_str())
}

/// What [`refresh_tokens_of_user`] goes on after.
#[must_use]
pub fn refresh_token_key(token: &RefreshToken) -> String {
    place_of(token.created_at, token.id.as_str())
}

/// Replaces the metadata of a living session; the session after it.
///
/// # Errors
/// [`ManageError::NotFound`], [`ManageError::Invalid`] for metadata that break a rule of [`model::check_metadata`].
pub async fn set_session_metadata(
    idp: &Idp,
    tenant: &TenantId,
    id: &SessionId,
    metadata: &BTreeMap<String, String>,
) -> Result<Session, ManageError> {
    check_metadata(metadata).map_err(ManageError::Invalid)?;
    let now = idp.now();
    let mut tx = idp.storage.begin(tenant).await?;
    tx.set_session_metadata(id, metadata, now).await?;
    let session = tx.session(id).await?.filter(|session| session.is_alive(now)).ok_or_else(no_session)?;
    tx.commit().await?;
    Ok(session)
}

/// A living refresh token.
///
/// # Errors
/// [`ManageError::NotFound`]; [`ManageError::Invalid`] for an online one, which its session manages.
pub async fn get_refresh_token(
    idp: &Idp,
    tenant: &TenantId,
    id: &RefreshTokenId,
) -> Result<RefreshToken, ManageError> {
    let mut tx = idp.storage.begin_read(tenant).await?;
    living_refresh_token(&mut tx, id, idp.now()).await
}

/// The living refresh tokens of a user, newest first, online ones aside, of one client or all, from the one after that with the
/// key `after` on ([`refresh_token_key`]). How many there are in all where `count` says so.
///
/// # Errors
/// [`ManageError::Server`].
pub async fn refresh_tokens_of_user(
    idp: &Idp,
    tenant: &TenantId,
    user: &UserId,
    client: Option<&ClientId>,
    after: Option<&str>,
    take: i64,
    count: bool,
) -> Result<(Vec<RefreshToken>, Option<i64>), ManageError> {
    let after = after.map(place).transpose()?.map(|(created, id)| (created, RefreshTokenId::new(id)));
    let after = after.as_ref().map(|(created, id)| (*created, id));
    let now = idp.now();
    let mut tx = idp.storage.begin_read(tenant).await?;
    let tokens = tx.refresh_tokens_of(user, client, after, take, now).await?;
    let total = if count { Some(tx.count_refresh_tokens_of(user, client, now).await?) } else { None };
    Ok((tokens, total))
}

/// Replaces the metadata of a living refresh token; the token after it.
///
/// # Errors
/// As [`get_refresh_token`], and [`ManageError::Invalid`] for metadata that break a rule of [`model::check_metadata`].
pub async fn set_refresh_token_metadata(
    idp: &Idp,
    tenant: &TenantId,
    id: &RefreshTokenId,
    metadata: BTreeMap<String, String>,
) -> Result<RefreshToken, ManageError> {
    check_metadata(&metadata).map_err(ManageError::Invalid)?;
    let mut tx = idp.storage.begin(tenant).await?;
    let token = living_refresh_token(&mut tx, id, idp.now()).await?;
    tx.set_refresh_token_metadata(id, &metadata).await?;
    tx.commit().await?;
    Ok(RefreshToken { metadata, ..token })
}

async fn living_refresh_token(
    tx: &mut TenantTx,
    id: &RefreshTokenId,
    now: Timestamp,
) -> Result<RefreshToken, ManageError> {
    let token = tx.refresh_token(id).await?.filter(|token| token.is_alive(now));
    let token = token.ok_or_else(no_refresh_token)?;
    if token.online {
        return Err(online_is_its_sessions());
    }
    if let Some(session) = token.session_id.as_ref().filter(|_| token.bound_to_session)
        && !tx.session(session).await?.is_some_and(|session| session.is_alive(now))
    {
        return Err(no_refresh_token());
    }
    Ok(token)
}

pub(super) fn no_session() -> ManageError {
    ManageError::not_found("inexistent_session", "The session does not exist.")
}

pub(super) fn no_refresh_token() -> ManageError {
    ManageError::not_found("inexistent_refresh_token", "The refresh token does not exist.")
}

pub(super) fn online_is_its_sessions() -> ManageError {
    ManageError::invalid(
        "An online refresh token is managed by its session: see POST /api/v2/sessions/{id}/revoke",
    )
}

/// A session as the Management API shows it (`reference/native-to-web.md` section 3.1).
#[must_use]
pub fn session_as_json(session: &Session) -> Value {
    let clients: Vec<_> = session.clients.iter().map(|client| json!({ "client_id": client })).collect();
    let methods = session.methods.iter().map(|method| {
        let mut shown = json!({ "name": method.name, "timestamp": method.timestamp.to_iso() });
        if let Some(factor) = method.factor {
            shown["type"] = json!(factor);
        }
        shown
    });
    json!({
        "id": session.id,
        "user_id": session.user_id,
        "created_at": session.created_at.to_iso(),
        "updated_at": session.updated_at.to_iso(),
        "authenticated_at": session.authenticated_at.to_iso(),
        "idle_expires_at": session.idle_expires_at.to_iso(),
        "expires_at": session.expires_at.to_iso(),
        "last_interacted_at": session.last_interacted_at.to_iso(),
        "device": session.device,
        "clients": clients,
        "authentication": { "methods": methods.collect::<Vec<_>>() },
        "cookie": { "mode": session.cookie_mode },
        "session_metadata": session.metadata,
    })
}

/// A refresh token as the Management API shows it (`reference/native-to-web.md` section 3.2).
#[must_use]
pub fn refresh_token_as_json(token: &RefreshToken) -> Value {
    let iso = |moment: Option<Timestamp>| moment.map(Timestamp::to_iso);
    let resource_servers: Vec<_> = token
        .audience
        .iter()
        .map(|audience| json!({ "audience": audience, "scopes": token.scope.join(" ") }))
        .collect();
    json!({
        "id": token.id,
        "user_id": token.user_id,
        "client_id": token.client_id,
        "session_id": token.session_id,
        "created_at": token.created_at.to_iso(),
        "expires_at": iso(token.expires_at),
        "idle_expires_at": iso(token.idle_expires_at),
        "last_exchanged_at": iso(token.last_exchanged_at),
        "rotating": token.rotating,
        "device": token.device,
        "resource_servers": resource_servers,
        "refresh_token_metadata": token.metadata,
    })
}
