//! The one place that knows what an event invalidates (`reference/native-to-web.md` sections 3.7 and 3.8): [`Event`] is
//! a row of that matrix, [`invalidated_by`] what stands in the row, [`apply`] makes it so.
//!
//! What is named by the event is written: `revoked_at` of sessions and refresh tokens, each by one statement. What was
//! made from a revoked refresh token is not: the token gets `cascaded_at`, and every look-up of a session or a refresh
//! token reads that mark of its parent. So revoking a token with a thousand sessions changes one row, and a session
//! that another node makes from the token at this very moment is over as well, whichever of the two commits first.
//! Session transfer tokens, codes and opaque access tokens need no entry: each asks for what it came from when it is
//! used. So does an access token in JWT form that a back end introspects; any other one ends by expiry alone.

use model::{ClientId, LogoutInitiator, RefreshTokenId, SessionId, Timestamp, UserId};
use storage::{Consents, RefreshTokens, Sessions, StorageError, TenantTx};

use crate::measure;

/// What happened. A refresh token is one with all its rotations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event<'a> {
    /// One refresh token was revoked: by its client, by id, by an Action, because a spent secret or code of it came
    /// back, or because it made room.
    RefreshTokenRevoked(&'a RefreshTokenId),
    /// A refresh token that lives as long as this session was: the session ends.
    OnlineTokenRevoked(&'a SessionId),
    /// The client's refresh tokens rotate from now on, and this one is the first to do so: those of the same user and API
    /// that do not are gone.
    RotationTurnedOn(&'a UserId, &'a ClientId, Option<&'a str>, &'a RefreshTokenId),
    /// All refresh tokens of a user and a client for an API were, and the consent is withdrawn: the dialect's grant.
    GrantRevoked(&'a UserId, &'a ClientId, Option<&'a str>),
    /// All refresh tokens of a user at a client were, but for the online ones, which are their sessions'.
    ClientTokensRevoked(&'a UserId, &'a ClientId),
    /// The client is gone.
    ClientDeleted(&'a ClientId),
    /// All refresh tokens of a user were, but for the online ones.
    UserTokensRevoked(&'a UserId),
    /// All grants of a user were. The sessions go on.
    UserGrantsRevoked(&'a UserId),
    /// The user logged out.
    Logout(&'a SessionId),
    /// The session was deleted. Refresh tokens that are not bound to it live on.
    SessionDeleted(&'a SessionId),
    /// The session was revoked, by the Management API or an Action.
    SessionRevoked {
        /// Which.
        session: &'a SessionId,
        /// Refresh tokens that are not bound to it live on.
        preserve_refresh_tokens: bool,
    },
    /// All sessions of a user were deleted.
    UserSessionsDeleted(&'a UserId),
    /// A user's access was revoked: all sessions, and all refresh tokens.
    AccessRevoked {
        /// Whose.
        user: &'a UserId,
        /// Refresh tokens that are not bound to a session live on.
        preserve_refresh_tokens: bool,
    },
    /// Somebody else is in this browser now: another user logged in, or a session transfer token of another user came.
    SessionReplaced(&'a SessionId),
    /// The user has a new password.
    PasswordChanged(&'a UserId),
    /// The user is gone.
    AccountDeleted(&'a UserId),
    /// The identity provider, or an operator, called for the end of everything of the user.
    GlobalTokenRevocation(&'a UserId),
}

impl Event<'_> {
    /// What metrics call it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::RefreshTokenRevoked(_) => "refresh_token_revoked",
            Self::OnlineTokenRevoked(_) => "online_token_revoked",
            Self::RotationTurnedOn(..) => "rotation_turned_on",
            Self::GrantRevoked(..) => "grant_revoked",
            Self::ClientTokensRevoked(..) => "client_tokens_revoked",
            Self::ClientDeleted(_) => "client_deleted",
            Self::UserTokensRevoked(_) => "user_tokens_revoked",
            Self::UserGrantsRevoked(_) => "user_grants_revoked",
            Self::Logout(_) => "logout",
            Self::SessionDeleted(_) => "session_deleted",
            Self::SessionRevoked { .. } => "session_revoked",
            Self::UserSessionsDeleted(_) => "user_sessions_deleted",
            Self::AccessRevoked { .. } => "access_revoked",
            Self::SessionReplaced(_) => "session_replaced",
            Self::PasswordChanged(_) => "password_changed",
            Self::AccountDeleted(_) => "account_deleted",
            Self::GlobalTokenRevocation(_) => "global_token_revocation",
        }
    }
}

/// What ends with an event. What was made from the refresh tokens ends with them where their client's
/// `enforce_cascade_revocation` says so at that moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Invalidated<'a> {
    pub sessions: Option<Sessions<'a>>,
    pub refresh_tokens: Option<RefreshTokens<'a>>,
    /// Consents of the user that are withdrawn: the user is asked again.
    pub consents: Option<Consents<'a>>,
    /// Why, for the clients of the sessions: those that are named, and those that were made from the refresh tokens.
    pub initiator: LogoutInitiator,
}

/// How much an event ended that was alive, or had only expired. Descendants are not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ended {
    /// Sessions named by the event.
    pub sessions: u64,
    /// Refresh tokens named by the event.
    pub refresh_tokens: u64,
    /// Consents of users.
    pub consents: u64,
}

impl Ended {
    /// Whether anything ended.
    #[must_use]
    pub fn any(self) -> bool {
        self.sessions + self.refresh_tokens + self.consents > 0
    }
}

/// The row of the matrix.
pub(crate) fn invalidated_by(event: Event<'_>) -> Invalidated<'_> {
    let (sessions, refresh_tokens) = match event {
        Event::RefreshTokenRevoked(id) => (None, Some(RefreshTokens::One(id))),
        Event::GrantRevoked(user, client, audience) => {
            (None, Some(RefreshTokens::OfGrant(user, client, audience)))
        }
        Event::RotationTurnedOn(user, client, audience, but) => {
            (None, Some(RefreshTokens::NonRotatingOfGrant(user, client, audience, but)))
        }
        Event::ClientTokensRevoked(user, client) => {
            (None, Some(RefreshTokens::OfflineOfClient(user, client)))
        }
        Event::ClientDeleted(client) => (None, Some(RefreshTokens::OfClient(client))),
        Event::UserTokensRevoked(user) => (None, Some(RefreshTokens::OfflineOfUser(user))),
        Event::UserGrantsRevoked(user) => (None, Some(RefreshTokens::OfUser(user))),
        Event::Logout(session)
        | Event::SessionDeleted(session)
        | Event::SessionReplaced(session)
        | Event::OnlineTokenRevoked(session) => {
            (Some(Sessions::One(session)), Some(RefreshTokens::BoundTo(session)))
        }
        Event::SessionRevoked { session, preserve_refresh_tokens } => (
            Some(Sessions::One(session)),
            Some(match preserve_refresh_tokens {
                true => RefreshTokens::BoundTo(session),
                false => RefreshTokens::OfSession(session),
            }),
        ),
        Event::UserSessionsDeleted(user) => {
            (Some(Sessions::OfUser(user)), Some(RefreshTokens::BoundOfUser(user)))
        }
        Event::AccessRevoked { user, preserve_refresh_tokens } => (
            Some(Sessions::OfUser(user)),
            Some(match preserve_refresh_tokens {
                true => RefreshTokens::BoundOfUser(user),
                false => RefreshTokens::OfUser(user),
            }),
        ),
        Event::PasswordChanged(user) | Event::AccountDeleted(user) | Event::GlobalTokenRevocation(user) => {
            (Some(Sessions::OfUser(user)), Some(RefreshTokens::OfUser(user)))
        }
    };
    let consents = match event {
        Event::GrantRevoked(user, client, audience) => Some(Consents::OfGrant(user, client, audience)),
        Event::UserGrantsRevoked(user) => Some(Consents::OfUser(user)),
        _ => None,
    };
    let initiator = match event {
        Event::Logout(_) => LogoutInitiator::RpLogout,
        Event::PasswordChanged(_) => LogoutInitiator::PasswordChanged,
        Event::AccountDeleted(_) => LogoutInitiator::AccountDeleted,
        Event::GlobalTokenRevocation(_) => LogoutInitiator::IdpLogout,
        Event::RefreshTokenRevoked(_)
        | Event::OnlineTokenRevoked(_)
        | Event::RotationTurnedOn(..)
        | Event::GrantRevoked(..)
        | Event::ClientTokensRevoked(..)
        | Event::ClientDeleted(_)
        | Event::UserTokensRevoked(_)
        | Event::UserGrantsRevoked(_)
        | Event::SessionDeleted(_)
        | Event::SessionRevoked { .. }
        | Event::UserSessionsDeleted(_)
        | Event::AccessRevoked { .. }
        | Event::SessionReplaced(_) => LogoutInitiator::SessionRevoked,
    };
    Invalidated { sessions, refresh_tokens, consents, initiator }
}

/// Ends what the event invalidates, in the caller's transaction: one statement for its sessions, one for its refresh
/// tokens, however many there are, and after each one that queues the back-channel logouts. Sessions come first: who
/// issues a refresh token in a session holds that session's row, so the statement for refresh tokens sees the token. So do
/// consents: who issues one because of a consent holds its row.
pub(crate) async fn apply(
    tx: &mut TenantTx,
    event: Event<'_>,
    now: Timestamp,
) -> Result<Ended, StorageError> {
    let invalidated = invalidated_by(event);
    let mut ended = Ended::default();
    if let Some(which) = invalidated.consents {
        ended.consents = tx.delete_consents(which).await?;
    }
    if let Some(which) = invalidated.sessions {
        ended.sessions = tx.revoke_sessions(which, invalidated.initiator, now).await?;
    }
    if let Some(which) = invalidated.refresh_tokens {
        ended.refresh_tokens = tx.revoke_refresh_tokens(which, invalidated.initiator, now).await?;
    }
    measure::revocation(tx.tenant_id(), &event, ended);
    Ok(ended)
}
