//! Sessions and refresh tokens: finding and showing them, and what is changed of them, their metadata. What ends them is in
//! `revoke`.

use std::collections::BTreeMap;

use model::{
    AuthenticationMethod, ClientId, CookieMode, Device, FactorType, RefreshToken, RefreshTokenId, Session,
    SessionId, TenantId, Timestamp, UserId, check_metadata,
};
use serde::Serialize;
use storage::TenantTx;
use utoipa::ToSchema;

use super::users::existing_user;
use super::{Listed, ManageError, Span, place, place_of};
use crate::Idp;

/// A living session.
///
/// # Errors
/// [`ManageError::NotFound`].
pub async fn get_session(idp: &Idp, tenant: &TenantId, id: &SessionId) -> Result<Session, ManageError> {
    let session = idp.storage.begin_read(tenant).await?.session(id).await?;
    session.filter(|session| session.is_alive(idp.now())).ok_or_else(no_session)
}

/// The living sessions of a user, newest first.
///
/// # Errors
/// [`ManageError::NotFound`] for an unknown user.
pub async fn sessions_of_user(
    idp: &Idp,
    tenant: &TenantId,
    user: &UserId,
    span: Span<'_>,
) -> Result<Listed<Session>, ManageError> {
    let after = span.after.map(place).transpose()?.map(|(created, id)| (created, SessionId::new(id)));
    let after = after.as_ref().map(|(created, id)| (*created, id));
    let now = idp.now();
    let mut tx = idp.storage.begin_read(tenant).await?;
    existing_user(&mut tx, user).await?;
    let rows = tx.sessions_of(user, after, span.limit, now).await?;
    let total = if span.counted { tx.count_sessions_of(user, now).await? } else { 0 };
    let last_key = rows.last().map(|last| place_of(last.created_at, last.id.as_str()));
    Ok(Listed { rows, total, last_key })
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

/// The living refresh tokens of a user, newest first, online ones aside, of one client or all.
///
/// # Errors
/// [`ManageError::Server`].
pub async fn refresh_tokens_of_user(
    idp: &Idp,
    tenant: &TenantId,
    user: &UserId,
    client: Option<&ClientId>,
    span: Span<'_>,
) -> Result<Listed<RefreshToken>, ManageError> {
    let after = span.after.map(place).transpose()?.map(|(created, id)| (created, RefreshTokenId::new(id)));
    let after = after.as_ref().map(|(created, id)| (*created, id));
    let now = idp.now();
    let mut tx = idp.storage.begin_read(tenant).await?;
    let rows = tx.refresh_tokens_of(user, client, after, span.limit, now).await?;
    let total = if span.counted { tx.count_refresh_tokens_of(user, client, now).await? } else { 0 };
    let last_key = rows.last().map(|last| place_of(last.created_at, last.id.as_str()));
    Ok(Listed { rows, total, last_key })
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

// `reference/native-to-web.md` section 3.1.
/// A session as the Management API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Session)]
pub struct SessionView {
    /// The `sid` of ID tokens.
    pub id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// When it was made.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it was last changed.
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// When the user last authenticated.
    #[schema(format = DateTime)]
    pub authenticated_at: String,
    /// Its end unless it is used again before.
    #[schema(format = DateTime)]
    pub idle_expires_at: String,
    /// Its absolute end.
    #[schema(format = DateTime)]
    pub expires_at: String,
    /// When it was last used.
    #[schema(format = DateTime)]
    pub last_interacted_at: String,
    /// Where it was used from.
    pub device: Device,
    /// The clients that logged in within it.
    pub clients: Vec<SessionClient>,
    /// How the user authenticated in it.
    pub authentication: SessionAuthentication,
    /// The browser's cookie.
    pub cookie: SessionCookie,
    /// Set by the Management API and Actions.
    pub session_metadata: BTreeMap<String, String>,
}

/// A client that logged in within a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SessionClient {
    /// Which.
    pub client_id: ClientId,
}

/// How a user authenticated in a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SessionAuthentication {
    /// One for each time and method.
    pub methods: Vec<SessionMethod>,
}

/// One authentication in a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SessionMethod {
    /// `pwd`, `mfa`, or what an Action recorded.
    pub name: String,
    /// When.
    #[schema(format = DateTime)]
    pub timestamp: String,
    /// For `mfa`: which factor was shown.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub factor: Option<FactorType>,
}

/// The cookie of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SessionCookie {
    /// Whether it outlives the browser.
    pub mode: CookieMode,
}

impl From<&Session> for SessionView {
    fn from(session: &Session) -> Self {
        let client = |client_id: &ClientId| SessionClient { client_id: client_id.clone() };
        let method = |method: &AuthenticationMethod| SessionMethod {
            name: method.name.clone(),
            timestamp: method.timestamp.to_iso(),
            factor: method.factor,
        };
        Self {
            id: session.id.clone(),
            user_id: session.user_id.clone(),
            created_at: session.created_at.to_iso(),
            updated_at: session.updated_at.to_iso(),
            authenticated_at: session.authenticated_at.to_iso(),
            idle_expires_at: session.idle_expires_at.to_iso(),
            expires_at: session.expires_at.to_iso(),
            last_interacted_at: session.last_interacted_at.to_iso(),
            device: session.device.clone(),
            clients: session.clients.iter().map(client).collect(),
            authentication: SessionAuthentication { methods: session.methods.iter().map(method).collect() },
            cookie: SessionCookie { mode: session.cookie_mode },
            session_metadata: session.metadata.clone(),
        }
    }
}

// `reference/native-to-web.md` section 3.2.
/// A refresh token as the Management API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = RefreshToken)]
pub struct RefreshTokenView {
    /// Not the secret: the same over rotations.
    pub id: RefreshTokenId,
    /// Whose it is.
    pub user_id: UserId,
    /// The client that it was issued to.
    pub client_id: ClientId,
    /// The session in which it was issued.
    #[schema(required = true)]
    pub session_id: Option<SessionId>,
    /// When it was issued.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// Its absolute end.
    #[schema(required = true, format = DateTime)]
    pub expires_at: Option<String>,
    /// Its end unless it is exchanged before.
    #[schema(required = true, format = DateTime)]
    pub idle_expires_at: Option<String>,
    /// When it was last exchanged.
    #[schema(required = true, format = DateTime)]
    pub last_exchanged_at: Option<String>,
    /// Whether each exchange replaces its secret.
    pub rotating: bool,
    /// Where it was used from.
    pub device: Device,
    /// The API that it was granted for. None: for `/userinfo` alone.
    pub resource_servers: Vec<RefreshTokenResourceServer>,
    /// Set by the Management API and Actions.
    pub refresh_token_metadata: BTreeMap<String, String>,
}

/// An API that a refresh token was granted for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RefreshTokenResourceServer {
    /// Its identifier.
    pub audience: String,
    /// What was granted, with spaces between.
    pub scopes: String,
}

impl From<&RefreshToken> for RefreshTokenView {
    fn from(token: &RefreshToken) -> Self {
        let iso = |moment: Option<Timestamp>| moment.map(Timestamp::to_iso);
        let resource_server = |audience: &String| RefreshTokenResourceServer {
            audience: audience.clone(),
            scopes: token.scope.join(" "),
        };
        Self {
            id: token.id.clone(),
            user_id: token.user_id.clone(),
            client_id: token.client_id.clone(),
            session_id: token.session_id.clone(),
            created_at: token.created_at.to_iso(),
            expires_at: iso(token.expires_at),
            idle_expires_at: iso(token.idle_expires_at),
            last_exchanged_at: iso(token.last_exchanged_at),
            rotating: token.rotating,
            device: token.device.clone(),
            resource_servers: token.audience.iter().map(resource_server).collect(),
            refresh_token_metadata: token.metadata.clone(),
        }
    }
}
