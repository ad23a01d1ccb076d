//! Ending many sessions and refresh tokens at once. The number of statements does not depend on how many rows they
//! end: what was made from a revoked refresh token is ended by a mark on that token (`cascaded_at`), which is read with
//! each session and refresh token that has it as its parent. The clients of what ends are to be told: their back-channel
//! logouts are queued in the same transaction, by one statement each.

use model::{ClientId, LogoutInitiator, RefreshTokenId, SessionId, TenantId, Timestamp, UserId};

use crate::row::Record;
use crate::statement::Statement;
use crate::{Storage, StorageError, TenantTx};

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
    /// All at a client, of whichever user.
    OfClient(&'a ClientId),
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

/// Queues what the clients of the sessions are told that ended at `$ended_at` (back-channel logout), by the initiator
/// where `$initiator` stands for it. `$2` is now. By `CROSS JOIN`, SQLite begins with the sessions.
macro_rules! queue_logouts {
    ($ended_at:literal, $initiator:literal, $($sessions:literal),+) => {
        concat!(
            "INSERT INTO backchannel_logouts (tenant_id, session_id, client_id, user_id, issuer, created_at, due_at,
                 attempts, finished)
             SELECT s.tenant_id, s.id, m.client_id, s.user_id, s.issuer, ", $ended_at, ", $2, 0, 0
             FROM sessions s CROSS JOIN session_clients m CROSS JOIN clients c
             WHERE s.tenant_id = $1 AND s.issuer IS NOT NULL AND m.tenant_id = $1 AND m.session_id = s.id
                 AND c.tenant_id = $1 AND c.id = m.client_id AND c.backchannel_logout_initiators LIKE ", $initiator,
            " AND ", $($sessions,)+
            " ON CONFLICT (tenant_id, session_id, client_id) DO NOTHING"
        )
    };
}

/// The statement that ends sessions, and the one that queues what their clients are told.
macro_rules! end_sessions {
    ($which:literal) => {
        (
            concat!(
                "UPDATE sessions SET revoked_at = $2, updated_at = $2
                 WHERE tenant_id = $1 AND revoked_at IS NULL AND ",
                $which
            ),
            queue_logouts!(
                "$2",
                "$4",
                // It was alive until then. `+ 0`: SQLite is not to find it by its end.
                "s.revoked_at = $2 AND s.expires_at > $2 AND s.idle_expires_at + 0 > $2
                 AND NOT EXISTS (SELECT 1 FROM refresh_tokens p WHERE p.tenant_id = $1
                     AND p.id = s.parent_refresh_token AND p.cascaded_at IS NOT NULL) AND s.",
                $which
            ),
        )
    };
}

/// The statement that ends refresh tokens, and the one that queues what is told of the sessions that were made from them.
macro_rules! end_refresh_tokens {
    ($initiator:literal, $which:literal) => {
        (
            concat!(
                "UPDATE refresh_tokens SET revoked_at = $2, over_by = $2,
                     cascaded_at = CASE WHEN COALESCE((SELECT c.cascades FROM clients c
                         WHERE c.tenant_id = $1 AND c.id = refresh_tokens.client_id), 1) = 1 THEN $2 END
                 WHERE tenant_id = $1 AND revoked_at IS NULL AND ",
                $which
            ),
            queue_logouts!(
                "$2",
                $initiator,
                "s.revoked_at IS NULL AND s.expires_at > $2 AND s.idle_expires_at + 0 > $2
                 AND s.parent_refresh_token IN (SELECT id FROM refresh_tokens
                     WHERE tenant_id = $1 AND cascaded_at = $2 AND ",
                $which,
                ")"
            ),
        )
    };
}

impl TenantTx {
    /// Ends the sessions, and queues what their clients are told of it; how many were not revoked before.
    pub async fn revoke_sessions(
        &mut self,
        which: Sessions<'_>,
        initiator: LogoutInitiator,
        now: Timestamp,
    ) -> Result<u64, StorageError> {
        let ((end, queue), value) = match which {
            Sessions::One(id) => (end_sessions!("id = $3"), id.as_str()),
            Sessions::OfUser(user) => (end_sessions!("user_id = $3"), user.as_str()),
        };
        let end = self.sql(end).bind(now.as_ms()).bind(value.to_owned());
        let ended = self.run(end).await?;
        if ended > 0 {
            let queue = self.sql(queue).bind(now.as_ms()).bind(value.to_owned()).bind(among(initiator));
            self.run(queue).await?;
        }
        Ok(ended)
    }

    /// Ends the refresh tokens, and, where their client wants so at this moment, all that was made from them, of which
    /// clients are told; how many were not revoked before.
    pub async fn revoke_refresh_tokens(
        &mut self,
        which: RefreshTokens<'_>,
        initiator: LogoutInitiator,
        now: Timestamp,
    ) -> Result<u64, StorageError> {
        let (end, queue) = match which {
            RefreshTokens::One(_) => end_refresh_tokens!("$4", "id = $3"),
            RefreshTokens::OfUser(_) => end_refresh_tokens!("$4", "user_id = $3"),
            RefreshTokens::OfflineOfUser(_) => end_refresh_tokens!("$4", "user_id = $3 AND online = 0"),
            RefreshTokens::OfflineOfClient(..) => {
                end_refresh_tokens!("$5", "user_id = $3 AND client_id = $4 AND online = 0")
            }
            RefreshTokens::OfClient(_) => end_refresh_tokens!("$4", "client_id = $3"),
            RefreshTokens::OfGrant(..) => {
                end_refresh_tokens!("$6", "user_id = $3 AND client_id = $4 AND COALESCE(audience, '') = $5")
            }
            RefreshTokens::NonRotatingOfGrant(..) => end_refresh_tokens!(
                "$7",
                "user_id = $3 AND client_id = $4 AND COALESCE(audience, '') = $5 AND id <> $6 AND rotating = 0
                 AND online = 0"
            ),
            RefreshTokens::OfSession(_) => end_refresh_tokens!("$4", "session_id = $3"),
            RefreshTokens::BoundTo(_) => {
                end_refresh_tokens!("$4", "session_id = $3 AND bound_to_session = 1")
            }
            RefreshTokens::BoundOfUser(_) => {
                end_refresh_tokens!("$4", "user_id = $3 AND bound_to_session = 1")
            }
        };
        let end = which.bind(self.sql(end).bind(now.as_ms()));
        let ended = self.run(end).await?;
        if ended > 0 {
            let queue = which.bind(self.sql(queue).bind(now.as_ms())).bind(among(initiator));
            self.run(queue).await?;
        }
        Ok(ended)
    }
}

impl Storage {
    /// The tenants with sessions that ended by themselves after `after` and until `until`, of which clients are to be
    /// told.
    pub async fn tenants_with_expired_sessions(
        &self,
        after: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<TenantId>, StorageError> {
        let sql = "SELECT DISTINCT c.tenant_id FROM clients c
             WHERE c.backchannel_logout_initiators IS NOT NULL AND c.backchannel_logout_initiators LIKE $3
                 AND EXISTS (SELECT 1 FROM sessions s WHERE s.tenant_id = c.tenant_id
                     AND s.idle_expires_at > $1 AND s.idle_expires_at <= $2)";
        let pattern = among(LogoutInitiator::SessionExpired);
        let query = Statement::new(sql).bind(after.as_ms()).bind(until.as_ms()).bind(pattern);
        let rows = self.read(query).await?;
        rows.into_iter()
            .map(|row| Record { table: "clients", id_column: "tenant_id", row })
            .map(|row| row.text("tenant_id").map(TenantId::new))
            .collect()
    }
}

impl TenantTx {
    /// Queues what the clients are told of sessions that ended by themselves after `after` and until `until`.
    pub async fn queue_expired_sessions(
        &mut self,
        after: Timestamp,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        // The idle end is never after the absolute one. What is revoked after its end has ended by itself all the same.
        let query = self
            .sql(queue_logouts!(
                "s.idle_expires_at",
                "$3",
                "s.idle_expires_at > $4 AND s.idle_expires_at <= $5
                 AND (s.revoked_at IS NULL OR s.revoked_at >= s.idle_expires_at)
                 AND NOT EXISTS (SELECT 1 FROM refresh_tokens p WHERE p.tenant_id = $1
                     AND p.id = s.parent_refresh_token AND p.cascaded_at < s.idle_expires_at)"
            ))
            .bind(now.as_ms())
            .bind(among(LogoutInitiator::SessionExpired))
            .bind(after.as_ms())
            .bind(until.as_ms());
        self.write(query)
    }
}

/// The pattern that finds it in a client's list.
fn among(initiator: LogoutInitiator) -> String {
    format!("% {} %", initiator.as_str())
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
            Self::OfClient(client) => query.bind(client.as_str().to_owned()),
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
