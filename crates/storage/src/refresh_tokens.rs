//! Refresh tokens by id, and their secrets by hash. A rotation spends one secret and adds another.

use std::collections::BTreeMap;

use model::{
    ClientId, ConnectionId, OrganizationId, RefreshToken, RefreshTokenId, SessionId, Tenant, TenantId,
    Timestamp, User, UserId,
};

use crate::row::{Record, ms, to_json};
use crate::statement::Statement;
use crate::tenants::{first_tenant, tenant_of};
use crate::users::{user_columns, user_if_any};
use crate::{Storage, StorageError, TenantTx};

/// A refresh token, as the holder of one of its secrets finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshTokenUse {
    /// The token of that secret.
    pub token: RefreshToken,
    /// The secret's number: its token's first one has 1.
    pub number: i64,
    /// When that secret was spent.
    pub spent_at: Option<Timestamp>,
    /// How many secrets of the token were made after that one.
    pub newer_secrets: i64,
    /// Whether the session is alive that the token is bound to, or it is bound to none.
    pub session_lives: bool,
    /// The token's user.
    pub user: Option<User>,
}

/// The `over_by` of a token that has no end.
pub(crate) const NEVER: i64 = i64::MAX;

/// What came of a rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// `true` for one caller: the secret was not spent before.
    pub is_first: bool,
    /// Whether the token, and the session that it is bound to, are still alive.
    pub is_alive: bool,
}

macro_rules! columns {
    () => {
        "t.id, t.client_id, t.user_id, t.session_id, t.bound_to_session, t.parent_refresh_token, t.connection_id,
         t.audience, t.scope, t.auth_time, t.created_at, t.expires_at, t.idle_expires_at, t.last_exchanged_at,
         COALESCE(t.revoked_at, p.cascaded_at) AS revoked_at, t.rotating, t.online, t.dpop_jkt, t.device,
         t.metadata, t.organization_id"
    };
}

/// The parent, for `cascaded_at`.
macro_rules! with_parent {
    () => {
        " LEFT JOIN refresh_tokens p ON p.tenant_id = t.tenant_id AND p.id = t.parent_refresh_token "
    };
}

/// Of a token `t` with its parent `p`, or of those that are named so: whether it, and the session that it is bound to, are
/// alive at `$3`.
macro_rules! living {
    () => {
        living!("t", "p")
    };
    ($t:literal, $p:literal) => {
        concat!(
            $t,
            ".revoked_at IS NULL AND ",
            $p,
            ".cascaded_at IS NULL
             AND (",
            $t,
            ".expires_at IS NULL OR ",
            $t,
            ".expires_at > $3)
             AND (",
            $t,
            ".idle_expires_at IS NULL OR ",
            $t,
            ".idle_expires_at > $3)
             AND (",
            $t,
            ".bound_to_session = 0 OR EXISTS (SELECT 1 FROM sessions e
                 WHERE e.tenant_id = $1 AND e.id = ",
            $t,
            ".session_id
                     AND e.revoked_at IS NULL AND e.expires_at > $3 AND e.idle_expires_at > $3
                     AND NOT EXISTS (SELECT 1 FROM refresh_tokens q WHERE q.tenant_id = $1
                         AND q.id = e.parent_refresh_token AND q.cascaded_at IS NOT NULL)))"
        )
    };
}
pub(crate) use {columns, living, with_parent};

pub(crate) const REFRESH_TOKEN_USE: &str = concat!(
    "SELECT ",
    columns!(),
    ", s.number, s.spent_at, (SELECT COUNT(*) FROM refresh_token_secrets n WHERE n.tenant_id = $1
         AND n.refresh_token_id = s.refresh_token_id AND n.number > s.number) AS newer_secrets,
     CAST(CASE WHEN t.bound_to_session = 0 OR EXISTS (SELECT 1 FROM sessions e
         WHERE e.tenant_id = $1 AND e.id = t.session_id
             AND e.revoked_at IS NULL AND e.expires_at > $3 AND e.idle_expires_at > $3
             AND NOT EXISTS (SELECT 1 FROM refresh_tokens q WHERE q.tenant_id = $1
                 AND q.id = e.parent_refresh_token AND q.cascaded_at IS NOT NULL))
         THEN 1 ELSE 0 END AS BIGINT) AS session_lives, ",
    user_columns!(),
    " FROM refresh_token_secrets s
      JOIN refresh_tokens t ON t.tenant_id = s.tenant_id AND t.id = s.refresh_token_id
      LEFT JOIN users u ON u.tenant_id = t.tenant_id AND u.id = t.user_id",
    with_parent!(),
    "WHERE s.tenant_id = $1 AND s.hash = $2"
);

impl Storage {
    /// The tenant of that name, and its refresh token that has or had that secret, alive or not, with what its exchange
    /// rests on, in one round trip outside of any transaction.
    pub async fn tenant_and_refresh_token_use(
        &self,
        tenant: &TenantId,
        hash: &str,
        now: Timestamp,
    ) -> Result<(Option<Tenant>, Option<RefreshTokenUse>), StorageError> {
        let query = Statement::new(REFRESH_TOKEN_USE).bind(tenant.as_str()).bind(hash).bind(now.as_ms());
        let [tenants, tokens] = self.read_all([tenant_of(tenant), query]).await?;
        let token =
            tokens.into_iter().next().map(|row| Record { table: "refresh_tokens", id_column: "id", row });
        Ok((first_tenant(tenants)?, token.as_ref().map(refresh_token_use).transpose()?))
    }
}

impl TenantTx {
    /// Stores a new refresh token with its first secret.
    pub async fn insert_refresh_token(
        &mut self,
        token: &RefreshToken,
        secret_hash: &str,
    ) -> Result<(), StorageError> {
        let query = self
            .sql(
                "INSERT INTO refresh_tokens (tenant_id, id, client_id, user_id, session_id, bound_to_session,
                     parent_refresh_token, connection_id, audience, scope, auth_time, created_at, expires_at,
                     idle_expires_at, last_exchanged_at, revoked_at, rotating, device, metadata, dpop_jkt,
                     online, over_by, organization_id)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
                     $20, $21, $22, $23)",
            )
            .bind(token.id.as_str())
            .bind(token.client_id.as_str())
            .bind(token.user_id.as_str())
            .bind(token.session_id.as_ref().map(|id| id.as_str().to_owned()))
            .bind(i64::from(token.bound_to_session))
            .bind(token.parent_refresh_token.as_ref().map(|id| id.as_str().to_owned()))
            .bind(token.connection_id.as_str())
            .bind(token.audience.clone())
            .bind(to_json(&token.scope)?)
            .bind(token.auth_time.as_ms())
            .bind(token.created_at.as_ms())
            .bind(ms(token.expires_at))
            .bind(ms(token.idle_expires_at))
            .bind(ms(token.last_exchanged_at))
            .bind(ms(token.revoked_at))
            .bind(i64::from(token.rotating))
            .bind(to_json(&token.device)?)
            .bind(to_json(&token.metadata)?)
            .bind(token.dpop_jkt.clone())
            .bind(i64::from(token.online))
            .bind(over_by(token))
            .bind(token.organization_id.as_ref().map(|id| id.as_str().to_owned()));
        let secret = self.adding_secret(&token.id, (secret_hash, 1), token.created_at);
        self.write_all([query, secret])
    }

    /// The refresh token of that id, alive or not.
    pub async fn refresh_token(&mut self, id: &RefreshTokenId) -> Result<Option<RefreshToken>, StorageError> {
        let query = self
            .sql(concat!(
                "SELECT ",
                columns!(),
                " FROM refresh_tokens t",
                with_parent!(),
                "WHERE t.tenant_id = $1 AND t.id = $2"
            ))
            .bind(id.as_str());
        self.row("refresh_tokens", "id", query).await?.as_ref().map(refresh_token).transpose()
    }

    /// The refresh token that has or had that secret, alive or not, with what its exchange rests on.
    pub async fn refresh_token_use(
        &mut self,
        hash: &str,
        now: Timestamp,
    ) -> Result<Option<RefreshTokenUse>, StorageError> {
        let query = self.sql(REFRESH_TOKEN_USE).bind(hash).bind(now.as_ms());
        self.row("refresh_tokens", "id", query).await?.as_ref().map(refresh_token_use).transpose()
    }

    /// Spends the secret, gives the token the next one, of that number, keeps the session that it is bound to as it is
    /// until this transaction ends ([`TenantTx::hold_session`]), and notes the exchange ([`TenantTx::record_exchange`]).
    /// Unless all of it came about, this transaction must not be committed.
    pub async fn rotate_refresh_token(
        &mut self,
        token: &RefreshToken,
        hash: &str,
        next: (&str, i64),
        now: Timestamp,
    ) -> Result<Rotation, StorageError> {
        let spend = self
            .sql(
                "UPDATE refresh_token_secrets SET spent_at = $3
                 WHERE tenant_id = $1 AND hash = $2 AND spent_at IS NULL",
            )
            .bind(hash)
            .bind(now.as_ms());
        let add = self.adding_secret(&token.id, next, now);
        let record = self.recording_exchange(token, true, now)?;
        let session = token.session_id.as_ref().filter(|_| token.bound_to_session);
        let [spent, _, living, recorded] = match session {
            None => {
                let [spent, added, recorded] = self.run_all([spend, add, record]).await?;
                [spent, added, 1, recorded]
            }
            Some(session) => {
                let hold = self.holding_session(session, now);
                self.run_all([spend, add, hold, record]).await?
            }
        };
        Ok(Rotation { is_first: spent > 0, is_alive: living > 0 && recorded > 0 })
    }

    /// Stores nothing when the token has one of that number: another exchange has spent the one before.
    fn adding_secret(&self, id: &RefreshTokenId, (hash, number): (&str, i64), now: Timestamp) -> Statement {
        self.sql(
            "INSERT INTO refresh_token_secrets (tenant_id, refresh_token_id, hash, created_at, number)
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        )
        .bind(id.as_str())
        .bind(hash)
        .bind(now.as_ms())
        .bind(number)
    }

    /// Notes an exchange: both ends, where it came from, and whether the token rotates from now on; only if the refresh
    /// token is still alive in the database, and, when its secret was not `spent`, has not begun to rotate. `false`: it
    /// has ended or begun meanwhile.
    pub async fn record_exchange(
        &mut self,
        token: &RefreshToken,
        spent: bool,
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        let query = self.recording_exchange(token, spent, now)?;
        Ok(self.run(query).await? > 0)
    }

    fn recording_exchange(
        &self,
        token: &RefreshToken,
        spent: bool,
        now: Timestamp,
    ) -> Result<Statement, StorageError> {
        Ok(self
            .sql(
                "UPDATE refresh_tokens SET last_exchanged_at = $3, expires_at = $4, idle_expires_at = $5, device = $6,
                     rotating = $7
                 WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL AND (rotating = 0 OR $8 = 1)
                     AND (expires_at IS NULL OR expires_at > $3)
                     AND (idle_expires_at IS NULL OR idle_expires_at > $3)
                     AND NOT EXISTS (SELECT 1 FROM refresh_tokens p WHERE p.tenant_id = $1
                         AND p.id = refresh_tokens.parent_refresh_token AND p.cascaded_at IS NOT NULL)",
            )
            .bind(token.id.as_str())
            .bind(now.as_ms())
            .bind(ms(token.expires_at))
            .bind(ms(token.idle_expires_at))
            .bind(to_json(&token.device)?)
            .bind(i64::from(token.rotating))
            .bind(i64::from(spent)))
    }

    /// Notes for housekeeping that an exchange has moved the token's end, where it is to know.
    pub fn move_refresh_token_end(
        &mut self,
        before: &RefreshToken,
        after: &RefreshToken,
    ) -> Result<(), StorageError> {
        if over_by(before) == over_by(after) {
            return Ok(());
        }
        let query = self
            .sql("UPDATE refresh_tokens SET over_by = $3 WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL")
            .bind(after.id.as_str())
            .bind(over_by(after));
        self.write(query)
    }

    /// Replaces the refresh token's metadata. `false`: there is no such token.
    pub async fn set_refresh_token_metadata(
        &mut self,
        id: &RefreshTokenId,
        metadata: &BTreeMap<String, String>,
    ) -> Result<bool, StorageError> {
        let query = self
            .sql("UPDATE refresh_tokens SET metadata = $3 WHERE tenant_id = $1 AND id = $2")
            .bind(id.as_str())
            .bind(to_json(metadata)?);
        Ok(self.run(query).await? > 0)
    }

    /// The user's living refresh tokens, online ones aside, newest first, of one client or all, from the one after
    /// `after` on: when that one was made, and its id.
    pub async fn refresh_tokens_of(
        &mut self,
        user: &UserId,
        client: Option<&ClientId>,
        after: Option<(Timestamp, &RefreshTokenId)>,
        limit: i64,
        now: Timestamp,
    ) -> Result<Vec<RefreshToken>, StorageError> {
        let (before, after_id) = after.map_or((NEVER, ""), |(created, id)| (created.as_ms(), id.as_str()));
        let query = self
            .sql(concat!(
                "SELECT ",
                columns!(),
                " FROM refresh_tokens t",
                with_parent!(),
                "WHERE t.tenant_id = $1 AND t.user_id = $2 AND t.online = 0 AND ($4 = '' OR t.client_id = $4) AND ",
                living!(),
                " AND t.created_at <= $5 AND (t.created_at < $5 OR t.id > $6)
                 ORDER BY t.created_at DESC, t.id LIMIT $7"
            ))
            .bind(user.as_str())
            .bind(now.as_ms())
            .bind(client.map_or("", ClientId::as_str))
            .bind(before)
            .bind(after_id)
            .bind(limit);
        self.rows("refresh_tokens", "id", query).await?.iter().map(refresh_token).collect()
    }

    /// How many [`TenantTx::refresh_tokens_of`] would find from the first one on.
    pub async fn count_refresh_tokens_of(
        &mut self,
        user: &UserId,
        client: Option<&ClientId>,
        now: Timestamp,
    ) -> Result<i64, StorageError> {
        let query = self
            .sql(concat!(
                "SELECT COUNT(*) AS found FROM refresh_tokens t",
                with_parent!(),
                "WHERE t.tenant_id = $1 AND t.user_id = $2 AND t.online = 0 AND ($4 = '' OR t.client_id = $4) AND ",
                living!()
            ))
            .bind(user.as_str())
            .bind(now.as_ms())
            .bind(client.map_or("", ClientId::as_str));
        self.count(query).await
    }

    /// How many refresh tokens of the user at the client are alive.
    pub async fn count_refresh_tokens(
        &mut self,
        user: &UserId,
        client: &ClientId,
        now: Timestamp,
    ) -> Result<i64, StorageError> {
        let query = self
            .sql(
                "SELECT COUNT(*) AS tokens FROM refresh_tokens
                 WHERE tenant_id = $1 AND user_id = $2 AND client_id = $3 AND revoked_at IS NULL
                     AND (expires_at IS NULL OR expires_at > $4)
                     AND (idle_expires_at IS NULL OR idle_expires_at > $4)",
            )
            .bind(user.as_str())
            .bind(client.as_str())
            .bind(now.as_ms());
        self.row("refresh_tokens", "tokens", query).await?.map_or(Ok(0), |row| row.int("tokens"))
    }

    /// The oldest of the user's refresh tokens at the client that is alive.
    pub async fn oldest_refresh_token(
        &mut self,
        user: &UserId,
        client: &ClientId,
        now: Timestamp,
    ) -> Result<Option<RefreshTokenId>, StorageError> {
        let query = self
            .sql(
                "SELECT id FROM refresh_tokens
                 WHERE tenant_id = $1 AND user_id = $2 AND client_id = $3 AND revoked_at IS NULL
                     AND (expires_at IS NULL OR expires_at > $4)
                     AND (idle_expires_at IS NULL OR idle_expires_at > $4)
                 ORDER BY created_at, id LIMIT 1",
            )
            .bind(user.as_str())
            .bind(client.as_str())
            .bind(now.as_ms());
        let row = self.row("refresh_tokens", "id", query).await?;
        row.map(|row| row.text("id").map(RefreshTokenId::new)).transpose()
    }
}

/// When housekeeping is to look at a token. An idle end is taken to the end of its day, so that it seldom moves.
fn over_by(token: &RefreshToken) -> i64 {
    const DAY_MS: i64 = 86_400_000;
    let day_of = |idle: Timestamp| idle.as_ms().div_euclid(DAY_MS).saturating_add(1).saturating_mul(DAY_MS);
    let end = token.revoked_at.or(token.expires_at).map(Timestamp::as_ms);
    end.or(token.idle_expires_at.map(day_of)).unwrap_or(NEVER)
}

fn refresh_token_use(row: &Record) -> Result<RefreshTokenUse, StorageError> {
    Ok(RefreshTokenUse {
        token: refresh_token(row)?,
        number: row.int("number")?,
        spent_at: row.opt_time("spent_at")?,
        newer_secrets: row.int("newer_secrets")?,
        session_lives: row.flag("session_lives")?,
        user: user_if_any(row)?,
    })
}

pub(crate) fn refresh_token(row: &Record) -> Result<RefreshToken, StorageError> {
    Ok(RefreshToken {
        id: RefreshTokenId::new(row.text("id")?),
        client_id: ClientId::new(row.text("client_id")?),
        user_id: UserId::new(row.text("user_id")?),
        session_id: row.opt_text("session_id")?.map(SessionId::new),
        bound_to_session: row.flag("bound_to_session")?,
        parent_refresh_token: row.opt_text("parent_refresh_token")?.map(RefreshTokenId::new),
        connection_id: ConnectionId::new(row.text("connection_id")?),
        organization_id: row.opt_text("organization_id")?.map(OrganizationId::new),
        audience: row.opt_text("audience")?,
        scope: row.json("scope")?,
        auth_time: row.time("auth_time")?,
        created_at: row.time("created_at")?,
        expires_at: row.opt_time("expires_at")?,
        idle_expires_at: row.opt_time("idle_expires_at")?,
        last_exchanged_at: row.opt_time("last_exchanged_at")?,
        revoked_at: row.opt_time("revoked_at")?,
        rotating: row.flag("rotating")?,
        online: row.flag("online")?,
        dpop_jkt: row.opt_text("dpop_jkt")?,
        device: row.json("device")?,
        metadata: row.json("metadata")?,
    })
}
