//! Authorization codes, by their hash.

use model::{
    AuthenticationMethod, AuthorizationCode, ClientId, ConnectionId, CookieMode, RefreshTokenChanges,
    RefreshTokenId, SessionId, Tenant, TenantId, Timestamp, User, UserId,
};

use crate::row::{Record, Row, to_json};
use crate::sessions::cookie_mode;
use crate::statement::Statement;
use crate::tenants::{first_tenant, tenant_of};
use crate::users::{user_columns, user_if_any};
use crate::{Storage, StorageError, TenantTx};

/// An authorization code, as its exchange finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeUse {
    /// The code.
    pub code: AuthorizationCode,
    /// When it was spent.
    pub used_at: Option<Timestamp>,
    /// Its session, when that is the user's and was not revoked. One that ended by itself will do: an Action may end it
    /// at once, and the login completes all the same.
    pub session: Option<CodeSession>,
    /// Its user.
    pub user: Option<User>,
}

/// What the exchange of a code needs of the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeSession {
    /// The connection that logged in.
    pub connection_id: ConnectionId,
    /// The refresh token that the session was handed over from.
    pub parent_refresh_token: Option<RefreshTokenId>,
    /// How its cookie lives.
    pub cookie_mode: CookieMode,
    /// How its user has authenticated.
    pub methods: Vec<AuthenticationMethod>,
}

/// What came of the spending of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpentCode {
    /// `true` for one caller: it was not spent before.
    pub is_first: bool,
    /// Whether its session was not revoked.
    pub session_lives: bool,
    /// How many refresh tokens of its user at its client are stored, alive or not; no more than were to be counted.
    pub stored_refresh_tokens: u64,
}

macro_rules! columns {
    () => {
        "c.hash, c.client_id, c.user_id, c.session_id, c.request, c.auth_time, c.id_token_claims,
         c.access_token_claims, c.refresh_token_changes, c.created_at, c.expires_at, c.used_at, c.issued_refresh_token"
    };
}

pub(crate) const CODE_USE: &str = concat!(
    "SELECT ",
    columns!(),
    ", s.connection_id AS s_connection_id, s.parent_refresh_token AS s_parent_refresh_token,
         s.cookie_mode AS s_cookie_mode, s.methods AS s_methods, ",
    user_columns!(),
    " FROM codes c
      LEFT JOIN sessions s ON s.tenant_id = c.tenant_id AND s.id = c.session_id AND s.user_id = c.user_id
          AND s.revoked_at IS NULL
          AND NOT EXISTS (SELECT 1 FROM refresh_tokens p WHERE p.tenant_id = $1
              AND p.id = s.parent_refresh_token AND p.cascaded_at IS NOT NULL)
      LEFT JOIN users u ON u.tenant_id = c.tenant_id AND u.id = c.user_id
      WHERE c.tenant_id = $1 AND c.hash = $2"
);

impl Storage {
    /// The code with what its exchange rests on, in one statement. Spent codes are found, so that a replay is known as
    /// one.
    pub async fn code_use(&self, tenant: &TenantId, hash: &str) -> Result<Option<CodeUse>, StorageError> {
        first_code_use(self.read(code_use_of(tenant, hash)).await?)
    }

    /// The same, with its tenant, in one round trip.
    pub async fn tenant_and_code_use(
        &self,
        tenant: &TenantId,
        hash: &str,
    ) -> Result<(Option<Tenant>, Option<CodeUse>), StorageError> {
        let [tenants, codes] = self.read_all([tenant_of(tenant), code_use_of(tenant, hash)]).await?;
        Ok((first_tenant(tenants)?, first_code_use(codes)?))
    }
}

fn code_use_of(tenant: &TenantId, hash: &str) -> Statement {
    Statement::new(CODE_USE).bind(tenant.as_str()).bind(hash)
}

fn first_code_use(rows: Vec<Row>) -> Result<Option<CodeUse>, StorageError> {
    let Some(row) = rows.into_iter().next() else { return Ok(None) };
    let row = Record { table: "codes", id_column: "hash", row };
    let session = match row.opt_text("s_connection_id")? {
        None => None,
        Some(connection) => Some(CodeSession {
            connection_id: ConnectionId::new(connection),
            parent_refresh_token: row.opt_text("s_parent_refresh_token")?.map(RefreshTokenId::new),
            cookie_mode: cookie_mode(&row, "s_cookie_mode")?,
            methods: row.json("s_methods")?,
        }),
    };
    let (code, used_at) = code(&row)?;
    Ok(Some(CodeUse { code, used_at, session, user: user_if_any(&row)? }))
}

impl TenantTx {
    /// Stores a new code.
    pub async fn insert_code(&mut self, hash: &str, code: &AuthorizationCode) -> Result<(), StorageError> {
        let changes = &code.refresh_token_changes;
        let changes = (*changes != RefreshTokenChanges::default()).then(|| to_json(changes)).transpose()?;
        let query = self
            .sql(
                "INSERT INTO codes (tenant_id, hash, client_id, user_id, session_id, request, auth_time,
                     id_token_claims, access_token_claims, created_at, expires_at, issued_refresh_token,
                     refresh_token_changes)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
            )
            .bind(hash)
            .bind(code.client_id.as_str())
            .bind(code.user_id.as_str())
            .bind(code.session_id.as_str())
            .bind(to_json(&code.request)?)
            .bind(code.auth_time.as_ms())
            .bind(to_json(&code.id_token_claims)?)
            .bind(to_json(&code.access_token_claims)?)
            .bind(code.created_at.as_ms())
            .bind(code.expires_at.as_ms())
            .bind(code.issued_refresh_token.as_ref().map(|id| id.as_str().to_owned()))
            .bind(changes);
        self.write(query)
    }

    /// The code and when it was spent. Spent codes are found, so that a replay is known as one.
    pub async fn code(
        &mut self,
        hash: &str,
    ) -> Result<Option<(AuthorizationCode, Option<Timestamp>)>, StorageError> {
        let query = self
            .sql(concat!("SELECT ", columns!(), " FROM codes c WHERE c.tenant_id = $1 AND c.hash = $2"))
            .bind(hash);
        self.row("codes", "hash", query).await?.as_ref().map(code).transpose()
    }

    /// Spends the code, keeps its session as it is until this transaction ends ([`TenantTx::hold_session`]), and counts
    /// the refresh tokens of its user at its client, as far as `count_to`. Does not look at the code's expiry, so that
    /// what is not spent here was spent before. What the exchange issues is noted with it: the refresh token, and the
    /// hash of an access token that is stored.
    pub async fn spend_code(
        &mut self,
        hash: &str,
        code: &AuthorizationCode,
        refresh_token: Option<&RefreshTokenId>,
        access_token: Option<&str>,
        count_to: i64,
        now: Timestamp,
    ) -> Result<SpentCode, StorageError> {
        let spend = self
            .sql(
                "UPDATE codes SET used_at = $3, issued_refresh_token = $4, issued_access_token = $5
                 WHERE tenant_id = $1 AND hash = $2 AND used_at IS NULL",
            )
            .bind(hash)
            .bind(now.as_ms())
            .bind(refresh_token.map(|id| id.as_str().to_owned()))
            .bind(access_token.map(str::to_owned));
        let hold = self.holding_unrevoked_session(&code.session_id);
        // Alive or not: the index alone tells.
        let count = self
            .sql(
                "SELECT 1 AS one FROM refresh_tokens WHERE tenant_id = $1 AND user_id = $2 AND client_id = $3
                 LIMIT $4",
            )
            .bind(code.user_id.as_str())
            .bind(code.client_id.as_str())
            .bind(count_to);
        let [spent, living, stored_refresh_tokens] = self.run_all([spend, hold, count]).await?;
        Ok(SpentCode { is_first: spent > 0, session_lives: living > 0, stored_refresh_tokens })
    }
}

fn code(row: &Record) -> Result<(AuthorizationCode, Option<Timestamp>), StorageError> {
    let code = AuthorizationCode {
        client_id: ClientId::new(row.text("client_id")?),
        user_id: UserId::new(row.text("user_id")?),
        session_id: SessionId::new(row.text("session_id")?),
        request: row.json("request")?,
        auth_time: row.time("auth_time")?,
        id_token_claims: row.json("id_token_claims")?,
        access_token_claims: row.json("access_token_claims")?,
        refresh_token_changes: match row.opt_text("refresh_token_changes")? {
            None => RefreshTokenChanges::default(),
            Some(_) => row.json("refresh_token_changes")?,
        },
        created_at: row.time("created_at")?,
        expires_at: row.time("expires_at")?,
        issued_refresh_token: row.opt_text("issued_refresh_token")?.map(RefreshTokenId::new),
    };
    Ok((code, row.opt_time("used_at")?))
}
