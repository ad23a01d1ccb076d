//! What an administrator ends: sessions, refresh tokens, users. Each is one event of `crate::revocation` in one
//! transaction, with its entry in the tenant's log; when it returns, every node sees it.

use model::{ClientId, LogEntry, LogType, RefreshTokenId, SessionId, TenantId, Timestamp, UserId};
use serde_json::{Value, json};
use storage::TenantTx;

use super::{ManageError, validate};
use crate::revocation::{self, Ended, Event};
use crate::{Idp, password};

/// How many refresh tokens may be named in one call (`POST /api/v2/refresh-tokens/revoke`).
pub const MAX_REFRESH_TOKEN_IDS: usize = 100;

/// Which refresh tokens [`revoke_refresh_tokens`] ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefreshTokenSelector {
    /// 1 to [`MAX_REFRESH_TOKEN_IDS`]. Unknown ones are passed over.
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
/// [`ManageError::Server`].
pub async fn delete_session(idp: &Idp, tenant: &TenantId, id: &SessionId) -> Result<Ended, ManageError> {
    session(idp, tenant, id, Event::SessionDeleted(id)).await
}

/// Ends a session with all its refresh tokens, and what was made from them (`POST /api/v2/sessions/{id}/revoke`).
///
/// # Errors
/// [`ManageError::Server`].
pub async fn revoke_session(idp: &Idp, tenant: &TenantId, id: &SessionId) -> Result<Ended, ManageError> {
    session(idp, tenant, id, Event::SessionRevoked { session: id, preserve_refresh_tokens: false }).await
}

/// Ends all sessions of a user and what is bound to them (`DELETE /api/v2/users/{id}/sessions`).
///
/// # Errors
/// [`ManageError::Server`].
pub async fn delete_sessions_of_user(
    idp: &Idp,
    tenant: &TenantId,
    user: &UserId,
) -> Result<Ended, ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    let ended = of_user(&mut tx, Event::UserSessionsDeleted(user), user, idp.now()).await?;
    tx.commit().await?;
    Ok(ended)
}

/// Ends one session of a user, or all, with its or their refresh tokens; with `preserve_refresh_tokens` only those that
/// are bound to a session (`POST /api/v2/users/{id}/revoke-access`).
///
/// # Errors
/// [`ManageError::Invalid`] when the session is not the user's.
pub async fn revoke_access(
    idp: &Idp,
    tenant: &TenantId,
    user: &UserId,
    session: Option<&SessionId>,
    preserve_refresh_tokens: bool,
) -> Result<Ended, ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    let event = match session {
        None => Event::AccessRevoked { user, preserve_refresh_tokens },
        Some(session) => {
            if tx.session(session).await?.is_none_or(|known| known.user_id != *user) {
                return Err(ManageError::invalid("the user has no such session"));
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
/// [`ManageError::Invalid`] for no ids or too many.
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
                let one = revocation::apply(&mut tx, Event::RefreshTokenRevoked(id), now).await?;
                ended.refresh_tokens += one.refresh_tokens;
                let details = json!({ "refresh_token_id": id });
                log(&mut tx, LogType::RefreshTokenRevoked, one, &token.user_id, details, now).await?;
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

/// Gives a user a new password, and ends everything that the old one opened.
///
/// # Errors
/// [`ManageError::Invalid`] for an unknown user or a bad password.
pub async fn set_password(
    idp: &Idp,
    tenant: &TenantId,
    user: &UserId,
    new_password: &str,
) -> Result<Ended, ManageError> {
    validate::password(new_password)?;
    let hash = password::hash(idp, new_password).await?;
    let now = idp.now();
    let mut tx = idp.storage.begin(tenant).await?;
    let Some(mut known) = tx.user(user).await? else {
        return Err(ManageError::invalid(format!("there is no user {user}")));
    };
    known.password_hash = Some(hash);
    known.last_password_reset = Some(now);
    known.updated_at = now;
    tx.put_user(&known).await?;
    let ended = revocation::apply(&mut tx, Event::PasswordChanged(user), now).await?;
    tx.insert_log(&entry(LogType::SuccessChangePassword, user, details(ended), now)).await?;
    tx.commit().await?;
    Ok(ended)
}

/// Removes a user, and ends everything of theirs.
///
/// # Errors
/// [`ManageError::Invalid`] for an unknown user.
pub async fn delete_user(idp: &Idp, tenant: &TenantId, user: &UserId) -> Result<Ended, ManageError> {
    let now = idp.now();
    let mut tx = idp.storage.begin(tenant).await?;
    let ended = revocation::apply(&mut tx, Event::AccountDeleted(user), now).await?;
    if !tx.delete_user(user).await? {
        return Err(ManageError::invalid(format!("there is no user {user}")));
    }
    tx.insert_log(&entry(LogType::SuccessUserDeletion, user, details(ended), now)).await?;
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
    let Some(session) = tx.session(id).await? else { return Ok(Ended::default()) };
    let ended = revocation::apply(&mut tx, event, now).await?;
    let details = json!({ "session_id": id });
    log(&mut tx, LogType::SessionRevoked, ended, &session.user_id, details, now).await?;
    tx.commit().await?;
    Ok(ended)
}

async fn of_user(
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

fn details(ended: Ended) -> Value {
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

fn entry(log_type: LogType, user: &UserId, details: Value, now: Timestamp) -> LogEntry {
    LogEntry {
        user_id: Some(user.clone()),
        description: "By an administrator".to_owned(),
        details,
        ..LogEntry::new(log_type, now)
    }
}
