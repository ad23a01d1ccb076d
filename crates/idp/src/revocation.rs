//! The one place that knows what an event invalidates (`reference/native-to-web.md` sections 3.7 and 3.8). All in the
//! caller's transaction. Access tokens in JWT form end by expiry alone.

use model::{RefreshTokenId, SessionId, Timestamp};
use storage::{StorageError, TenantTx};

/// Why a session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The user logged out.
    Logout,
    /// `api.session.revoke`.
    RevokedByAction {
        /// Its option: only those refresh tokens end that are bound to the session.
        preserve_refresh_tokens: bool,
    },
    /// A session transfer token of another user came in.
    OtherUserTransfer,
    /// Another user logged in, in the same browser.
    Replaced,
}

/// Ends a refresh token with all its rotations, and, when its client wants so at this moment, the sessions made from it
/// with their codes and refresh tokens. Session transfer tokens that are not redeemed yet die with it, because
/// redemption asks for a living parent. `false`: it had been revoked before.
pub(crate) async fn refresh_token_revoked(
    tx: &mut TenantTx,
    id: &RefreshTokenId,
    now: Timestamp,
) -> Result<bool, StorageError> {
    let revoked = tx.revoke_refresh_token(id, now).await?;
    if revoked {
        cascade(tx, id, now).await?;
    }
    Ok(revoked)
}

/// What follows from the end of a refresh token that is revoked already.
pub(crate) async fn cascade(
    tx: &mut TenantTx,
    id: &RefreshTokenId,
    now: Timestamp,
) -> Result<(), StorageError> {
    let Some(token) = tx.refresh_token(id).await? else { return Ok(()) };
    let client = tx.client(&token.client_id).await?;
    let settings = client.and_then(|client| client.session_transfer).unwrap_or_default();
    if !settings.enforce_cascade_revocation {
        return Ok(());
    }
    for session in tx.revoke_sessions_made_from(id, now).await? {
        tx.revoke_codes_of_session(&session, now).await?;
        tx.revoke_refresh_tokens_of_session(&session, true, now).await?;
    }
    // A token of a transferred session has no descendants of its own: a transfer cannot be nested.
    tx.revoke_refresh_tokens_made_from(id, now).await?;
    Ok(())
}

/// Ends a session, its codes, and the refresh tokens that go with it for this reason: those that are bound to it, or
/// all, when an Action revoked it.
pub(crate) async fn session_ended(
    tx: &mut TenantTx,
    session: &SessionId,
    cause: Ended,
    now: Timestamp,
) -> Result<(), StorageError> {
    tx.revoke_session(session, now).await?;
    tx.revoke_codes_of_session(session, now).await?;
    let only_bound = match cause {
        Ended::RevokedByAction { preserve_refresh_tokens } => preserve_refresh_tokens,
        Ended::Logout | Ended::OtherUserTransfer | Ended::Replaced => true,
    };
    for token in tx.revoke_refresh_tokens_of_session(session, only_bound, now).await? {
        cascade(tx, &token, now).await?;
    }
    Ok(())
}
