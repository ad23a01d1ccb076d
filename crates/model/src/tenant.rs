use serde::{Deserialize, Serialize};

use crate::{TenantId, Timestamp};

/// One customer of the server, with users, clients and keys of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// Its name.
    pub id: TenantId,
    /// What pages call it.
    pub friendly_name: String,
    /// The API that tokens are for when `/authorize` names no `audience`.
    pub default_audience: Option<String>,
    /// Where `/v2/logout` and `/oidc/logout` may send the browser when no client is named.
    pub allowed_logout_urls: Vec<String>,
    /// How long its sessions live.
    pub sessions: SessionSettings,
    /// What is on or off in it.
    pub flags: TenantFlags,
    /// When it was made.
    pub created_at: Timestamp,
}

/// `flags` of the tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TenantFlags {
    /// `/oauth/revoke` ends all refresh tokens of the same user, client and audience, not only the one that is sent.
    pub revoke_refresh_token_grant: bool,
    /// Its clients may push authorization requests (RFC 9126). In the dialect, this one stands beside `flags`.
    pub pushed_authorization_requests_supported: bool,
}

/// The tenant's limits on sessions, in seconds (`reference/native-to-web.md` section 2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionSettings {
    /// The longest a session lives.
    pub session_lifetime_secs: i64,
    /// The longest it lives without being used.
    pub idle_session_lifetime_secs: i64,
}

impl Default for SessionSettings {
    /// 168 and 72 hours, as the dialect has them.
    fn default() -> Self {
        Self { session_lifetime_secs: 168 * 3600, idle_session_lifetime_secs: 72 * 3600 }
    }
}

/// One RSA key that signs the tenant's tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// The `kid` of tokens and of the JWKS.
    pub kid: String,
    /// Where it is in its life.
    pub state: SigningKeyState,
    /// PKCS#8, sealed with the installation's key.
    pub sealed_private_key: String,
    /// `n` of the JWK (RFC 7518 §6.3.1.1).
    pub modulus: String,
    /// `e` of the JWK.
    pub exponent: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// The life of a signing key: published before it signs, and after, until the longest token has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigningKeyState {
    /// Published; signs from the next rotation on.
    Next,
    /// Signs.
    Current,
    /// Published until this moment, for tokens that it signed.
    Previous {
        /// After it, the key leaves the JWKS.
        published_until: Timestamp,
    },
}
