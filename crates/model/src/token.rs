use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    ClientId, ConnectionId, Device, MetadataChange, OrganizationId, RefreshTokenId, RequestOrigin, SessionId,
    Timestamp, UserId,
};

/// A refresh token with all its rotations ("family"): one id, one secret that is valid at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshToken {
    /// As `rt_...`: stable over rotations.
    pub id: RefreshTokenId,
    /// The client it was issued to.
    pub client_id: ClientId,
    /// Whose it is.
    pub user_id: UserId,
    /// The session in which it was issued.
    pub session_id: Option<SessionId>,
    /// It ends when that session ends (`enforce_online_refresh_tokens`).
    pub bound_to_session: bool,
    /// The native refresh token behind the transferred session in which it was issued.
    pub parent_refresh_token: Option<RefreshTokenId>,
    /// The connection of the user's login.
    pub connection_id: ConnectionId,
    /// The organization in whose name the user logged in.
    pub organization_id: Option<OrganizationId>,
    /// The API it was granted for.
    pub audience: Option<String>,
    /// What was granted.
    pub scope: Vec<String>,
    /// When the user authenticated.
    pub auth_time: Timestamp,
    /// When it was issued.
    pub created_at: Timestamp,
    /// Its absolute end.
    pub expires_at: Option<Timestamp>,
    /// Its end unless exchanged before.
    pub idle_expires_at: Option<Timestamp>,
    /// When it was last exchanged.
    pub last_exchanged_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// Whether it rotates.
    pub rotating: bool,
    /// It was asked for with `online_access`: it lives as long as its session, and its revocation ends the session.
    pub online: bool,
    /// Thumbprint of the key that every use must prove possession of (RFC 9449 §5).
    pub dpop_jkt: Option<String>,
    /// Where it was used from.
    pub device: Device,
    /// Set by Actions; at most 25 entries.
    pub metadata: BTreeMap<String, String>,
}

impl RefreshToken {
    /// Whether it may be used at this moment. Its session's end comes besides, when it is bound to one.
    #[must_use]
    pub fn is_alive(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none()
            && self.expires_at.is_none_or(|end| now < end)
            && self.idle_expires_at.is_none_or(|end| now < end)
    }
}

/// What Actions asked for a refresh token. An authorization code carries it to the token that its exchange issues.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshTokenChanges {
    /// The earliest absolute end asked for.
    pub expires_at: Option<Timestamp>,
    /// The earliest end without use asked for.
    pub idle_expires_at: Option<Timestamp>,
    /// In order.
    pub metadata: Vec<MetadataChange>,
}

impl RefreshTokenChanges {
    /// Makes them. The ends only shorten.
    pub fn apply(&self, token: &mut RefreshToken) {
        let shorter = |end: Option<Timestamp>, asked: Option<Timestamp>| match (end, asked) {
            (Some(end), Some(asked)) => Some(end.min(asked)),
            (end, asked) => end.or(asked),
        };
        token.expires_at = shorter(token.expires_at, self.expires_at);
        token.idle_expires_at = shorter(token.idle_expires_at, self.idle_expires_at);
        MetadataChange::apply(&self.metadata, &mut token.metadata);
    }
}

/// The one-time token that carries a login from a native app to a browser.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionTransferToken {
    /// The native client that obtained it.
    pub client_id: ClientId,
    /// Whose login it carries.
    pub user_id: UserId,
    /// The refresh token that it was traded for.
    pub refresh_token_id: RefreshTokenId,
    /// The connection of that login.
    pub connection_id: ConnectionId,
    /// The organization of that login.
    pub organization_id: Option<OrganizationId>,
    /// The scopes asked for at the exchange.
    pub scope: Vec<String>,
    /// The request that obtained it, for device binding and `event.session_transfer_token.request`.
    pub request: RequestOrigin,
    /// When the user authenticated, for `max_age` and `auth_time`.
    pub auth_time: Timestamp,
    /// When it was issued.
    pub created_at: Timestamp,
    /// 60 seconds later.
    pub expires_at: Timestamp,
}

/// An access token that is kept, by its hash: one for `/userinfo` only, which is a random handle, or a JWT for an API
/// whose back end introspects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAccessToken {
    /// The client it was issued to.
    pub client_id: ClientId,
    /// Whose it is.
    pub user_id: UserId,
    /// The session or refresh token that it came from: it ends with it.
    pub session_id: Option<SessionId>,
    /// The refresh token that it came from.
    pub refresh_token_id: Option<RefreshTokenId>,
    /// What was granted.
    pub scope: Vec<String>,
    /// What an Action added to the ID token, for `/userinfo`.
    pub custom_claims: Map<String, Value>,
    /// Thumbprint of the key that it is bound to (RFC 9449 §6).
    pub dpop_jkt: Option<String>,
    /// Its end.
    pub expires_at: Timestamp,
}
