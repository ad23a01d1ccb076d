//! Ending many sessions and refresh tokens at once. The number of statements does not depend on how many rows they
//! end: what was made from a revoked refresh token is ended by a mark on that token (`cascaded_at`), which is read with
//! each session and refresh token that has it as its parent.

use model::{ClientId, RefreshTokenId, SessionId, Timestamp, UserId};

use crate::connect::Statement;
use crate::{StorageError, TenantTx};

/// Which sessions end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sessions<'a> {
    /// One.
    One(&'a SessionId),
    /// All of a user.
    OfUser(&'a UserId),
}

/// Which refresh tokens end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshTokens<'a> {
    /// One.
    One(&'a RefreshTokenId),
    /// All of a user.
    OfUser(&'a UserId),
    /// All of a user but the online ones, which are their sessions'.
    OfflineOfUser(&'a UserId),
    /// All of a user at a client but the online ones.
    OfflineOfClient(&'a UserId, &'a ClientId),
    /// All of a user at a client for one API; `None`: those for none.
    OfGrant(&'a UserId, &'a ClientId, Option<&'a str>),
    /// All of a user at a client for one API that do not rotate, but for one.
    NonRotatingOfGrant(&'a UserId, &'a ClientId, Option<&'a str>, &'a RefreshTokenId),
    /// All that were issued in a session.
    OfSession(&'a SessionId),
    /// Those that are bound to a session.
    BoundTo(&'a SessionId),
    /// All of a user that are bound to a session, whichever.
    BoundOfUser(&'a UserId),
}

macro_rules! end_sessions {
    ($which:literal) => {
        concat!(
            "UPDATE sessions SET revoked_at = $2, updated_at = $2 WHERE tenant_id = $1 AND revoked_at IS NULL AND ",
            $which
        )
    };
}

macro_rules! end_refresh_tokens {
    ($which:literal) => {
        concat!(
            "UPDATE refresh_tokens SET revoked_at = $2,
                 cascaded_at = CASE WHEN COALESCE((SELECT c.cascades FROM clients c
                     WHERE c.tenant_id = $1 AND c.id = refresh_tokens.client_id), 1) = 1 THEN $2 END
             WHERE tenant_id = $1 AND revoked_at IS NULL AND ",
            $which
        )
    };
}

impl TenantTx {
    /// Ends the sessions; how many were not revoked before.
    pub async fn revoke_sessions(
        &mut self,
        which: Sessions<'_>,
        now: Timestamp,
    ) -> Result<u64, StorageError> {
        let (sql, value) = match which {
            Sessions::One(id) => (end_sessions!("id = $3"), id.as_str()),
            Sessions::OfUser(user) => (end_sessions!("user_id = $3"), user.as_str()),
        };
        let query = self.sql(sql).bind(now.as_ms()).bind(value);
        self.run(query).await
    }

    /// Ends the refresh tokens, and, where their client wants so at this moment, all that was made from them; how many
    /// were not revoked before.
    pub async fn revoke_refresh_tokens(
        &mut self,
        which: RefreshTokens<'_>,
        now: Timestamp,
    ) -> Result<u64, StorageError> {
        let sql = match which {
            RefreshTokens::One(_) => end_refresh_tokens!("id = $3"),
            RefreshTokens::OfUser(_) => end_refresh_tokens!("user_id = $3"),
            RefreshTokens::OfflineOfUser(_) => end_refresh_tokens!("user_id = $3 AND online = 0"),
            RefreshTokens::OfflineOfClient(..) => {
                end_refresh_tokens!("user_id = $3 AND client_id = $4 AND online = 0")
            }
            RefreshTokens::OfGrant(..) => {
                end_refresh_tokens!("user_id = $3 AND client_id = $4 AND COALESCE(audience, '') = $5")
            }
            RefreshTokens::NonRotatingOfGrant(..) => end_refresh_tokens!(
                "user_id = $3 AND client_id = $4 AND COALESCE(audience, '') = $5 AND id <> $6 AND rotating = 0
                 AND online = 0"
            ),
            RefreshTokens::OfSession(_) => end_refresh_tokens!("session_id = $3"),
            RefreshTokens::BoundTo(_) => end_refresh_tokens!("session_id = $3 AND bound_to_session = 1"),
            RefreshTokens::BoundOfUser(_) => end_refresh_tokens!("user_id = $3 AND bound_to_session = 1"),
        };
        let query = which.bind(self.sql(sql).bind(now.as_ms()));
        self.run(query).await
    }
}

impl RefreshTokens<'_> {
    /// The values from `$3` on.
    fn bind(self, query: Statement) -> Statement {
        match self {
            Self::One(id) => query.bind(id.as_str().to_owned()),
            Self::OfUser(user) | Self::OfflineOfUser(user) | Self::BoundOfUser(user) => {
                query.bind(user.as_str().to_owned())
            }
            Self::OfflineOfClient(user, client) => {
                query.bind(user.as_str().to_owned()).bind(client.as_str().to_owned())
            }
            Self::OfGrant(user, client, audience) => query
                .bind(user.as_str().to_owned())
                .bind(client.as_str().to_owned())
                .bind(audience.unwrap_or_default().to_owned()),
            Self::NonRotatingOfGrant(user, client, audience, but) => query
                .bind(user.as_str().to_owned())
                .bind(client.as_str().to_owned())
                .bind(audience.unwrap_or_default().to_owned())
                .bind(but.as_str().to_owned()),
            Self::OfSession(session) | Self::BoundTo(session) => query.bind(session.as_str().to_owned()),
        }
    }
}
