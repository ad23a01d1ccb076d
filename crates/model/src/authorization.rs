use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    ClientId, GeoIp, OrganizationId, PendingAuthorizationId, RefreshTokenChanges, RefreshTokenId, SessionId,
    Timestamp, UserId,
};

/// What a client asked for at `/authorize` or `/oauth/device/code`, after all checks. Stored with the login under way, so that no later step
/// can change it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    /// The client.
    pub client_id: ClientId,
    /// For a device that waits for this login (RFC 8628): the hash of its device code. There is no redirect then, and
    /// `redirect_uri` is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_code_hash: Option<String>,
    /// A registered one, byte for byte.
    pub redirect_uri: String,
    /// Whether the request named it: then the code exchange must, too (RFC 6749 §4.1.3).
    pub redirect_uri_was_sent: bool,
    /// The API, when one was asked for or the tenant has a default.
    pub audience: Option<String>,
    /// The organization in whose name the user is to log in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization_id: Option<OrganizationId>,
    /// The scopes granted to this request.
    pub scope: Vec<String>,
    /// Where the user was asked for it: the scopes that they agreed to. What is issued rests on that consent then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consented: Option<Vec<String>>,
    /// The scopes asked for, as Actions see them.
    pub requested_scopes: Vec<String>,
    /// Echoed.
    pub state: Option<String>,
    /// Copied into the ID token.
    pub nonce: Option<String>,
    /// S256 only.
    pub code_challenge: Option<String>,
    /// Thumbprint of the key that the code exchange must prove possession of (RFC 9449 §10).
    #[serde(default)]
    pub dpop_jkt: Option<String>,
    /// As sent.
    pub prompt: Vec<String>,
    /// In seconds.
    pub max_age: Option<i64>,
    /// Fills the login page.
    pub login_hint: Option<String>,
    /// The user of the request's `id_token_hint`: nobody else is logged in by it (OIDC Core §3.1.2.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hinted_user: Option<UserId>,
    /// As sent.
    pub acr_values: Vec<String>,
    /// As sent.
    pub ui_locales: Vec<String>,
    /// The client's own name for this login, for Actions and logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// As sent: how the answer travels.
    pub response_mode: Option<String>,
    /// The parameters as sent, without credentials, for `event.request.query`.
    pub query: Map<String, Value>,
}

/// What a client pushed, to be redeemed at `/authorize` by its `request_uri` (RFC 9126).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushedAuthorizationRequest {
    /// Who pushed it, and who alone may use it.
    pub client_id: ClientId,
    /// As sent, without credentials.
    pub parameters: BTreeMap<String, String>,
    /// When it was pushed.
    pub created_at: Timestamp,
    /// Its end.
    pub expires_at: Timestamp,
}

/// A device that waits for its user (RFC 8628).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceCode {
    /// What it asked for.
    pub request: AuthorizationRequest,
    /// What its user said.
    pub decision: DeviceDecision,
    /// When it asked.
    pub created_at: Timestamp,
    /// After it, it asks again.
    pub expires_at: Timestamp,
}

/// What became of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceDecision {
    /// Nothing yet.
    Pending,
    /// Its user logged in for it. The login stands among the authorization codes.
    Approved,
    /// Its user, or an Action, refused it.
    Denied {
        /// For the device.
        reason: String,
    },
}

/// Where a request came from, as the server knows it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RequestOrigin {
    /// The caller's address.
    pub ip: String,
    /// As `AS64496`, with ASN data only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asn: Option<String>,
    /// Its place, with City data only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub geoip: Option<Box<GeoIp>>,
    /// The header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// The first of `Accept-Language`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// The host, as configured.
    #[serde(default)]
    pub hostname: String,
    /// The HTTP method.
    #[serde(default)]
    pub method: String,
}

/// A login under way, from `/authorize` to the code. It belongs to the browser that started it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingAuthorization {
    /// The event's `transaction.id`.
    pub id: PendingAuthorizationId,
    /// What is to be completed.
    pub request: AuthorizationRequest,
    /// Where it stands, when the user is known already and the browser has left for an Action: to another site, or for a
    /// second factor.
    pub suspended: Option<Value>,
    /// When it began.
    pub created_at: Timestamp,
    /// After it, the user starts again.
    pub expires_at: Timestamp,
}

/// An authorization code (RFC 6749 §4.1.2): 60 seconds, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationCode {
    /// The client it was issued to.
    pub client_id: ClientId,
    /// Who logged in.
    pub user_id: UserId,
    /// In which session.
    pub session_id: SessionId,
    /// What was asked for and granted.
    pub request: AuthorizationRequest,
    /// When the user authenticated.
    pub auth_time: Timestamp,
    /// What Actions added to the ID token.
    pub id_token_claims: Map<String, Value>,
    /// What Actions added to the access token.
    pub access_token_claims: Map<String, Value>,
    /// What Actions asked for the refresh token.
    pub refresh_token_changes: RefreshTokenChanges,
    /// When it was issued.
    pub created_at: Timestamp,
    /// Its end.
    pub expires_at: Timestamp,
    /// The refresh token that its exchange issued: a replay revokes it.
    pub issued_refresh_token: Option<RefreshTokenId>,
}
