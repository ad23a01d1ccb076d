//! What an administrator ends: sessions and refresh tokens. Each is one event of `crate::revocation` in one
//! transaction, with its entry in the tenant's log; when it returns, every node sees it.

use model::{
    ClientId, LogEntry, LogType, RefreshToken, RefreshTokenId, SessionId, TenantId, Timestamp, UserId,
};
use serde_json::{Value, json};
use storage::TenantTx;

use super::ManageError;
use super::sessions::{no_refresh_token, no_session, online_is_its_sessions};
use super::users::existing_user;
use crate::Idp;
use crate::revocation::{self, Ended, Event};

/// How many refresh tokens may be named in one call (`POST /api/v2/refresh-tokens/revoke`).
pub const MAX_REFRESH_TOKEN_IDS: usize = 100;

/// Which refresh tokens [`revoke_refresh_tokens`] ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefreshTokenSelector {
    /// 1 to [`MAX_REFRESH_TOKEN_IDS`]. Unknown ones are passed over; online ones are refused.
    Ids(Vec<RefreshTokenId>),
    /// All of the user.
    User(UserId),
    /// All of the user at the client.
    Client(UserId, ClientId),
    /// All of the user at the client for the API: the dialect's grant. `None`: those that are for no API.
    Grant(UserId, ClientId, Option<String>),
}

/// Ends a session and what is bound to it; its other refresh tokens live on (`DELETE /api/v2/sessions/{id}`).
///
/// # Errors
/// [`ManageError::NotFound`].
pub async fn delete_session(idp: &Idp, tenant: &TenantId, id: &SessionId) -> Result<Ended, ManageError> {
    session(idp, tenant, id, Event::SessionDeleted(id)).await
}

/// Ends a session with all its refresh tokens, and what was made from them (`POST /api/v2/sessions/{id}/revoke`).
///
/// # Errors
/// [`ManageError::NotFound`].
pub async fn revoke_session(idp: &Idp, tenant: &TenantId, id: &SessionId) -> Result<Ended, ManageError> {
    session(idp, tenant, id, Event::SessionRevoked { session: id, preserve_refresh_tokens: false }).await
}

/// Ends all sessions of a user and what is bound to them (`DELETE /api/v2/users/{id}/sessions`).
///
/// # Errors
/// [`ManageError::NotFound`] for an unknown user.
pub async fn delete_sessions_of_user(
    idp: &Idp,
    tenant: &TenantId,
    user: &UserId,
) -> Result<Ended, ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    existing_user(&mut tx, user).await?;
    let ended = of_user(&mut tx, Event::UserSessionsDeleted(user), user, idp.now()).await?;
    tx.commit().await?;
    Ok(ended)
}

/// Ends one session of a user, or all, with its or their refresh tokens; with `preserve_refresh_tokens` only those that
/// are bound to a session (`POST /api/v2/users/{id}/revoke-access`).
///
/// # Errors
/// [`ManageError::NotFound`] for an unknown user, or a session that is not the user's.
pub async fn revoke_access(
    idp: &Idp,
    tenant: &TenantId,
    user: &UserId,
    session: Option<&SessionId>,
    preserve_refresh_tokens: bool,
) -> Result<Ended, ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    existing_user(&mut tx, user).await?;
    let event = match session {
        None => Event::AccessRevoked { user, preserve_refresh_tokens },
        Some(session) => {
            if tx.session(session).await?.is_none_or(|known| known.user_id != *user) {
                return Err(no_session());
            }
            Event::SessionRevoked { session, preserve_refresh_tokens }
        }
    };
    let ended = of_user(&mut tx, event, user, idp.now()).await?;
    tx.commit().await?;
    Ok(ended)
}

/// Ends refresh tokens with their rotations, and what was made from them (`DELETE /api/v2/refresh-tokens/{id}`,
/// `POST /api/v2/refresh-tokens/revoke`, `DELETE /api/v2/users/{id}/refresh-tokens`, `DELETE /api/v2/grants`).
///
/// # Errors
/// [`ManageError::Invalid`] for no ids, too many, or one of an online refresh token.
pub async fn revoke_refresh_tokens(
    idp: &Idp,
    tenant: &TenantId,
    which: &RefreshTokenSelector,
) -> Result<Ended, ManageError> {
    let now = idp.now();
    let mut tx = idp.storage.begin(tenant).await?;
    let mut ended = Ended::default();
    match which {
        RefreshTokenSelector::Ids(ids) => {
            if ids.is_empty() || ids.len() > MAX_REFRESH_TOKEN_IDS {
                return Err(ManageError::invalid(format!("1 to {MAX_REFRESH_TOKEN_IDS} ids are needed")));
            }
            for id in ids {
                let Some(token) = tx.refresh_token(id).await? else { continue };
                ended.refresh_tokens += one(&mut tx, &token, now).await?.refresh_tokens;
            }
        }
        RefreshTokenSelector::User(user) => {
            ended = of_user(&mut tx, Event::UserTokensRevoked(user), user, now).await?;
        }
        RefreshTokenSelector::Client(user, client) => {
            ended = of_user(&mut tx, Event::ClientTokensRevoked(user, client), user, now).await?;
        }
        RefreshTokenSelector::Grant(user, client, audience) => {
            let event = Event::GrantRevoked(user, client, audience.as_deref());
            ended = of_user(&mut tx, event, user, now).await?;
        }
    }
    tx.commit().await?;
    Ok(ended)
}

/// Ends a refresh token with its rotations, and what was made from it (`DELETE /api/v2/refresh-tokens/{id}`,
/// `DELETE /api/v2/device-credentials/{id}`).
///
/// # Errors
/// [`ManageError::NotFound`]; [`ManageError::Invalid`] for an online one, which its session manages.
pub async fn delete_refresh_token(
    idp: &Idp,
    tenant: &TenantId,
    id: &RefreshTokenId,
) -> Result<Ended, ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    let token = tx.refresh_token(id).await?.ok_or_else(no_refresh_token)?;
    let ended = one(&mut tx, &token, idp.now()).await?;
    tx.commit().await?;
    Ok(ended)
}

async fn one(tx: &mut TenantTx, token: &RefreshToken, now: Timestamp) -> Result<Ended, ManageError> {
    if token.online {
        return Err(online_is_its_sessions());
    }
    let ended = revocation::apply(tx, Event::RefreshTokenRevoked(&token.id), now).await?;
    let details = json!({ "refresh_token_id": token.id });
    log(tx, LogType::RefreshTokenRevoked, ended, &token.user_id, details, now).await?;
    Ok(ended)
}

/// Ends everything of a user, who may log in again (`/oauth/global-token-revocation`).
///
/// # Errors
/// [`ManageError::Server`].
pub async fn revoke_all_tokens(idp: &Idp, tenant: &TenantId, user: &UserId) -> Result<Ended, ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    let ended = of_user(&mut tx, Event::GlobalTokenRevocation(user), user, idp.now()).await?;
    tx.commit().await?;
    Ok(ended)
}

async fn session(
    idp: &Idp,
    tenant: &TenantId,
    id: &SessionId,
    event: Event<'_>,
) -> Result<Ended, ManageError> {
    let now = idp.now();
    let mut tx = idp.storage.begin(tenant).await?;
    let session = tx.session(id).await?.ok_or_else(no_session)?;
    let ended = revocation::apply(&mut tx, event, now).await?;
    let details = json!({ "session_id": id });
    log(&mut tx, LogType::SessionRevoked, ended, &session.user_id, details, now).await?;
    tx.commit().await?;
    Ok(ended)
}

pub(super) async fn of_user(
    tx: &mut TenantTx,
    event: Event<'_>,
    user: &UserId,
    now: Timestamp,
) -> Result<Ended, ManageError> {
    let ended = revocation::apply(tx, event, now).await?;
    let log_type = match ended.sessions {
        0 => LogType::RefreshTokenRevoked,
        _ => LogType::SessionRevoked,
    };
    log(tx, log_type, ended, user, details(ended), now).await?;
    Ok(ended)
}

pub(super) fn details(ended: Ended) -> Value {
    json!({ "sessions": ended.sessions, "refresh_tokens": ended.refresh_tokens })
}

async fn log(
    tx: &mut TenantTx,
    log_type: LogType,
    ended: Ended,
    user: &UserId,
    details: Value,
    now: Timestamp,
) -> Result<(), ManageError> {
    if ended.any() {
        tx.insert_log(&entry(log_type, user, details, now)).await?;
    }
    Ok(())
}

pub(super) fn entry(log_type: LogType, user: &UserId, details: Value, now: Timestamp) -> LogEntry {
    LogEntry {
        user_id: Some(user.clone()),
        description: "By an administrator".to_owned(),
        details,
        ..LogEntry::new(log_type, now)
    }
}
