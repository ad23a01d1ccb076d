//! Browser sessions. Each is found by its id or by the hash of its cookie's secret. A session is over, too, when the
//! refresh token that it was made from was revoked with all that came from it: `cascaded_at`, read with every session.

use std::collections::{BTreeMap, HashMap};

use model::{ClientId, ConnectionId, CookieMode, RefreshTokenId, Session, SessionId, Timestamp, UserId};

use crate::refresh_tokens::NEVER;
use crate::row::{Record, ms, to_json};
use crate::statement::Statement;
use crate::{StorageError, TenantTx};

macro_rules! columns {
    () => {
        "s.id, s.user_id, s.connection_id, s.created_at, s.updated_at, s.authenticated_at, s.last_interacted_at,
         s.expires_at, s.idle_expires_at, COALESCE(s.revoked_at, p.cascaded_at) AS revoked_at, s.methods, s.device,
         s.parent_refresh_token, s.cookie_mode, s.idle_lifetime, s.metadata
         FROM sessions s LEFT JOIN refresh_tokens p ON p.tenant_id = s.tenant_id AND p.id = s.parent_refresh_token"
    };
}

/// The session, when neither it nor what it was handed over from was revoked.
macro_rules! unrevoked_session {
    () => {
        "SELECT id FROM sessions
         WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL
             AND NOT EXISTS (SELECT 1 FROM refresh_tokens p WHERE p.tenant_id = $1
                 AND p.id = sessions.parent_refresh_token AND p.cascaded_at IS NOT NULL)"
    };
}

/// Those that a user has. `+ 0`: SQLite is to find them by their user, not by their end.
macro_rules! living_of_user {
    () => {
        " WHERE s.tenant_id = $1 AND s.user_id = $2 AND s.revoked_at IS NULL AND s.expires_at > $3
              AND s.idle_expires_at + 0 > $3 AND p.cascaded_at IS NULL"
    };
}

impl TenantTx {
    /// Stores a new session. Its clients know it by this issuer.
    pub async fn insert_session(
        &mut self,
        session: &Session,
        secret_hash: &str,
        issuer: &str,
    ) -> Result<(), StorageError> {
        let query = self
            .sql(
                "INSERT INTO sessions (tenant_id, id, secret_hash, user_id, connection_id, created_at, updated_at,
                     authenticated_at, last_interacted_at, expires_at, idle_expires_at, revoked_at, methods, device,
                     parent_refresh_token, cookie_mode, idle_lifetime, metadata, issuer)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
            )
            .bind(session.id.as_str())
            .bind(secret_hash)
            .bind(session.user_id.as_str())
            .bind(session.connection_id.as_str())
            .bind(session.created_at.as_ms())
            .bind(session.updated_at.as_ms())
            .bind(session.authenticated_at.as_ms())
            .bind(session.last_interacted_at.as_ms())
            .bind(session.expires_at.as_ms())
            .bind(session.idle_expires_at.as_ms())
            .bind(ms(session.revoked_at))
            .bind(to_json(&session.methods)?)
            .bind(to_json(&session.device)?)
            .bind(session.parent_refresh_token.as_ref().map(|id| id.as_str().to_owned()))
            .bind(session.cookie_mode.as_str())
            .bind(session.idle_lifetime_secs)
            .bind(to_json(&session.metadata)?)
            .bind(issuer);
        self.write(query)?;
        self.add_clients(session).await
    }

    /// The session of that id, alive or not.
    pub async fn session(&mut self, id: &SessionId) -> Result<Option<Session>, StorageError> {
        let query = self
            .sql(concat!("SELECT ", columns!(), " WHERE s.tenant_id = $1 AND s.id = $2"))
            .bind(id.as_str());
        let row = self.row("sessions", "id", query).await?;
        self.with_clients(row).await
    }

    /// The session whose cookie has that secret, alive or not.
    pub async fn session_by_secret(&mut self, secret_hash: &str) -> Result<Option<Session>, StorageError> {
        let query = self
            .sql(concat!("SELECT ", columns!(), " WHERE s.tenant_id = $1 AND s.secret_hash = $2"))
            .bind(secret_hash);
        let row = self.row("sessions", "id", query).await?;
        self.with_clients(row).await
    }

    /// Writes what changes in a session's life, and adds its clients, only if it is still alive in the database.
    /// `false`: it has ended meanwhile, and nothing was written.
    pub async fn update_session(
        &mut self,
        session: &Session,
        new_secret_hash: Option<&str>,
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        let query = self
            .sql(
                "UPDATE sessions SET authenticated_at = $3, last_interacted_at = $4, updated_at = $5,
                     expires_at = $6, idle_expires_at = $7, connection_id = $8, device = $9, methods = $10,
                     secret_hash = COALESCE($11, secret_hash), cookie_mode = $13, idle_lifetime = $14
                 WHERE tenant_id = $1 AND id = $2
                     AND revoked_at IS NULL AND expires_at > $12 AND idle_expires_at > $12
                     AND NOT EXISTS (SELECT 1 FROM refresh_tokens p WHERE p.tenant_id = $1
                         AND p.id = sessions.parent_refresh_token AND p.cascaded_at IS NOT NULL)",
            )
            .bind(session.id.as_str())
            .bind(session.authenticated_at.as_ms())
            .bind(session.last_interacted_at.as_ms())
            .bind(session.updated_at.as_ms())
            .bind(session.expires_at.as_ms())
            .bind(session.idle_expires_at.as_ms())
            .bind(session.connection_id.as_str())
            .bind(to_json(&session.device)?)
            .bind(to_json(&session.methods)?)
            .bind(new_secret_hash.map(str::to_owned))
            .bind(now.as_ms())
            .bind(session.cookie_mode.as_str())
            .bind(session.idle_lifetime_secs);
        if self.run(query).await? == 0 {
            return Ok(false);
        }
        self.add_clients(session).await?;
        Ok(true)
    }

    /// Keeps a living session as it is until this transaction ends: a revocation on another node waits, and then sees
    /// what was issued here. `false`: it has ended.
    pub async fn hold_session(&mut self, id: &SessionId, now: Timestamp) -> Result<bool, StorageError> {
        let query = self.holding_session(id, now);
        Ok(self.run(query).await? > 0)
    }

    /// The statement that finds the session when it is alive, and holds it.
    pub(crate) fn holding_session(&self, id: &SessionId, now: Timestamp) -> Statement {
        const ALIVE: &str = concat!(unrevoked_session!(), " AND expires_at > $3 AND idle_expires_at > $3");
        const HELD: &str = concat!(
            unrevoked_session!(),
            " AND expires_at > $3 AND idle_expires_at > $3 FOR NO KEY UPDATE OF sessions"
        );
        let sql = if self.is_postgres() { HELD } else { ALIVE };
        self.sql(sql).bind(id.as_str()).bind(now.as_ms())
    }

    /// The same for a session that may have ended by itself.
    pub(crate) fn holding_unrevoked_session(&self, id: &SessionId) -> Statement {
        const HELD: &str = concat!(unrevoked_session!(), " FOR NO KEY UPDATE OF sessions");
        let sql = if self.is_postgres() { HELD } else { unrevoked_session!() };
        self.sql(sql).bind(id.as_str())
    }

    /// Notes that a living session was used, which moves its idle end. `false`: it has ended.
    pub async fn touch_session(
        &mut self,
        id: &SessionId,
        now: Timestamp,
        idle_expires_at: Timestamp,
    ) -> Result<bool, StorageError> {
        let query = self
            .sql(
                "UPDATE sessions SET last_interacted_at = $3, updated_at = $3, idle_expires_at = $4
                 WHERE tenant_id = $1 AND id = $2
                     AND revoked_at IS NULL AND expires_at > $3 AND idle_expires_at > $3
                     AND NOT EXISTS (SELECT 1 FROM refresh_tokens p WHERE p.tenant_id = $1
                         AND p.id = sessions.parent_refresh_token AND p.cascaded_at IS NOT NULL)",
            )
            .bind(id.as_str())
            .bind(now.as_ms())
            .bind(idle_expires_at.as_ms());
        Ok(self.run(query).await? > 0)
    }

    /// Replaces the session's metadata. `false`: there is no such session.
    pub async fn set_session_metadata(
        &mut self,
        id: &SessionId,
        metadata: &BTreeMap<String, String>,
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        let query = self
            .sql("UPDATE sessions SET metadata = $3, updated_at = $4 WHERE tenant_id = $1 AND id = $2")
            .bind(id.as_str())
            .bind(to_json(metadata)?)
            .bind(now.as_ms());
        Ok(self.run(query).await? > 0)
    }

    /// The user's living sessions, newest first, from the one after `after` on: when that one was made, and its id.
    pub async fn sessions_of(
        &mut self,
        user: &UserId,
        after: Option<(Timestamp, &SessionId)>,
        limit: i64,
        now: Timestamp,
    ) -> Result<Vec<Session>, StorageError> {
        let (before, after_id) = after.map_or((NEVER, ""), |(created, id)| (created.as_ms(), id.as_str()));
        let query = self
            .sql(concat!(
                "SELECT ",
                columns!(),
                living_of_user!(),
                " AND s.created_at <= $4 AND (s.created_at < $4 OR s.id > $5)
                  ORDER BY s.created_at DESC, s.id LIMIT $6"
            ))
            .bind(user.as_str())
            .bind(now.as_ms())
            .bind(before)
            .bind(after_id)
            .bind(limit);
        let rows = self.rows("sessions", "id", query).await?;
        let (Some(newest), Some(oldest)) = (rows.first(), rows.last()) else { return Ok(Vec::new()) };
        let clients = self
            .sql(
                "SELECT m.session_id AS session_id, m.client_id AS client_id
                 FROM sessions s CROSS JOIN session_clients m
                 WHERE s.tenant_id = $1 AND s.user_id = $2 AND s.created_at >= $3 AND s.created_at <= $4
                     AND m.tenant_id = $1 AND m.session_id = s.id
                 ORDER BY m.session_id, m.position, m.client_id",
            )
            .bind(user.as_str())
            .bind(oldest.int("created_at")?)
            .bind(newest.int("created_at")?);
        let mut of_session: HashMap<String, Vec<ClientId>> = HashMap::new();
        for row in self.rows("session_clients", "session_id", clients).await? {
            let client = ClientId::new(row.text("client_id")?);
            of_session.entry(row.text("session_id")?).or_default().push(client);
        }
        rows.iter().map(|row| session(row, of_session.remove(&row.text("id")?).unwrap_or_default())).collect()
    }

    /// How many living sessions the user has.
    pub async fn count_sessions_of(&mut self, user: &UserId, now: Timestamp) -> Result<i64, StorageError> {
        let query = self
            .sql(concat!(
                "SELECT COUNT(*) AS found FROM sessions s LEFT JOIN refresh_tokens p
                 ON p.tenant_id = s.tenant_id AND p.id = s.parent_refresh_token",
                living_of_user!()
            ))
            .bind(user.as_str())
            .bind(now.as_ms());
        self.count(query).await
    }

    async fn add_clients(&mut self, session: &Session) -> Result<(), StorageError> {
        for client in &session.clients {
            let query = self
                .sql(
                    "INSERT INTO session_clients (tenant_id, session_id, client_id, position)
                     VALUES ($1, $2, $3, (SELECT COALESCE(MAX(position), 0) + 1 FROM session_clients
                         WHERE tenant_id = $1 AND session_id = $2))
                     ON CONFLICT (tenant_id, session_id, client_id) DO NOTHING",
                )
                .bind(session.id.as_str())
                .bind(client.as_str());
            self.write(query)?;
        }
        Ok(())
    }

    async fn with_clients(&mut self, row: Option<Record>) -> Result<Option<Session>, StorageError> {
        let Some(row) = row else { return Ok(None) };
        let id = row.text("id")?;
        let query = self
            .sql(
                "SELECT session_id, client_id FROM session_clients
                 WHERE tenant_id = $1 AND session_id = $2 ORDER BY position, client_id",
            )
            .bind(id.as_str());
        let clients = self.rows("session_clients", "session_id", query).await?;
        let clients = clients.iter().map(|client| client.text("client_id").map(ClientId::new));
        session(&row, clients.collect::<Result<_, _>>()?).map(Some)
    }
}

fn session(row: &Record, clients: Vec<ClientId>) -> Result<Session, StorageError> {
    Ok(Session {
        id: SessionId::new(row.text("id")?),
        user_id: UserId::new(row.text("user_id")?),
        connection_id: ConnectionId::new(row.text("connection_id")?),
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        authenticated_at: row.time("authenticated_at")?,
        last_interacted_at: row.time("last_interacted_at")?,
        expires_at: row.time("expires_at")?,
        idle_expires_at: row.time("idle_expires_at")?,
        revoked_at: row.opt_time("revoked_at")?,
        methods: row.json("methods")?,
        device: row.json("device")?,
        clients,
        parent_refresh_token: row.opt_text("parent_refresh_token")?.map(RefreshTokenId::new),
        cookie_mode: cookie_mode(row, "cookie_mode")?,
        idle_lifetime_secs: row.int("idle_lifetime")?,
        metadata: row.json("metadata")?,
    })
}

pub(crate) fn cookie_mode(row: &Record, column: &'static str) -> Result<CookieMode, StorageError> {
    match row.text(column)?.as_str() {
        "persistent" => Ok(CookieMode::Persistent),
        "non-persistent" => Ok(CookieMode::NonPersistent),
        other => Err(row.wrong(column, format!("unknown mode {other:?}"))),
    }
}
