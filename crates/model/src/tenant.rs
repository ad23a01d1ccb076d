use serde::{Deserialize, Serialize};

use crate::{FactorType, TenantId, Timestamp};

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
    /// Another one after each change of what its people set up: of itself, its clients, APIs, connections, signing keys
    /// and Actions. The database counts.
    pub settings_version: i64,
}

impl Tenant {
    /// Whether its users may have such a second factor.
    #[must_use]
    pub fn has_factor(&self, factor: FactorType) -> bool {
        match factor {
            FactorType::Otp => self.flags.otp_factor,
            FactorType::RecoveryCode => self.flags.recovery_code_factor,
        }
    }
}

/// What is on or off in a tenant, by the names of the Management API, where they stand in different places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TenantFlags {
    /// `/oauth/revoke` ends all refresh tokens of the same user, client and audience, not only the one that is sent.
    pub revoke_refresh_token_grant: bool,
    /// Its clients may push authorization requests (RFC 9126).
    pub pushed_authorization_requests_supported: bool,
    /// `/authorize` takes only pushed requests.
    pub require_pushed_authorization_requests: bool,
    /// `/oidc/logout` asks the user when the request does not prove whose session it ends.
    pub oidc_logout_prompt_enabled: bool,
    /// Discovery names the `end_session_endpoint`.
    pub rp_logout_end_session_endpoint_discovery: bool,
    /// Log entries of logins have the session's metadata.
    pub include_session_metadata_in_tenant_logs: bool,
    /// Clients may name an organization by its name, and tokens have its name.
    pub allow_organization_name_in_authentication_api: bool,
    /// Its users may have an authenticator app as second factor.
    pub otp_factor: bool,
    /// They get a recovery code with it.
    pub recovery_code_factor: bool,
}

impl Default for TenantFlags {
    fn default() -> Self {
        Self {
            revoke_refresh_token_grant: false,
            pushed_authorization_requests_supported: false,
            require_pushed_authorization_requests: false,
            oidc_logout_prompt_enabled: true,
            rp_logout_end_session_endpoint_discovery: true,
            include_session_metadata_in_tenant_logs: false,
            allow_organization_name_in_authentication_api: false,
            otp_factor: false,
            recovery_code_factor: false,
        }
    }
}

/// The tenant's limits on sessions (`reference/native-to-web.md` section 2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionSettings {
    /// Seconds that a session lives at most.
    pub session_lifetime_secs: i64,
    /// Seconds that it lives without being used.
    pub idle_session_lifetime_secs: i64,
    /// The first, for a session whose cookie is not persistent.
    pub ephemeral_session_lifetime_secs: i64,
    /// The second, for a session whose cookie is not persistent.
    pub idle_ephemeral_session_lifetime_secs: i64,
    /// The cookies of new sessions.
    pub cookie_mode: CookieMode,
}

impl Default for SessionSettings {
    /// As the dialect has them: 168 and 72 hours, 72 and 24 when the cookie is not persistent.
    fn default() -> Self {
        Self {
            session_lifetime_secs: 168 * 3600,
            idle_session_lifetime_secs: 72 * 3600,
            ephemeral_session_lifetime_secs: 72 * 3600,
            idle_ephemeral_session_lifetime_secs: 24 * 3600,
            cookie_mode: CookieMode::Persistent,
        }
    }
}

impl SessionSettings {
    /// Seconds that a session with such a cookie lives: at most, and without being used.
    #[must_use]
    pub fn lifetimes(&self, mode: CookieMode) -> (i64, i64) {
        match mode {
            CookieMode::Persistent => (self.session_lifetime_secs, self.idle_session_lifetime_secs),
            CookieMode::NonPersistent => {
                (self.ephemeral_session_lifetime_secs, self.idle_ephemeral_session_lifetime_secs)
            }
        }
    }
}

/// Whether the browser keeps a session's cookie when it is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the variants are the values of the Management API")]
pub enum CookieMode {
    #[default]
    Persistent,
    NonPersistent,
}

impl CookieMode {
    /// As the Management API and the event write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Persistent => "persistent",
            Self::NonPersistent => "non-persistent",
        }
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
    /// When it began to sign, where that is known.
    pub current_since: Option<Timestamp>,
    /// When it ceased to sign.
    pub current_until: Option<Timestamp>,
    /// When it was revoked: it is not published any more.
    pub revoked_at: Option<Timestamp>,
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
