use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::{
    ClientId, ComplianceLevel, DefaultOrganization, OrganizationUsage, RedirectionPolicy,
    SignedRequestObject, SigningAlgorithm, ThirdPartySecurityMode, Timestamp, TokenQuota,
};

/// An OAuth client of a tenant ("application" in the dialect). As JSON, in the database too, it has the names of the
/// Management API, and its secrets' hashes besides. A member that this version does not know is passed over: a newer node
/// on the same database may have stored it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Client {
    #[schema(ignore)]
    /// Its id.
    pub client_id: ClientId,
    /// What pages and Actions call it.
    pub name: String,
    #[schema(ignore)]
    /// SHA-256 of each valid secret, base64url. Two during a change of secret; none for a public client.
    #[serde(default)]
    pub client_secret_hashes: Vec<String>,
    /// What kind of program it is.
    pub app_type: AppType,
    /// How it authenticates (RFC 7591 §2).
    pub token_endpoint_auth_method: TokenEndpointAuthMethod,
    /// Registered redirect URIs, compared byte for byte.
    #[serde(default)]
    pub callbacks: Vec<String>,
    /// Where logout may send the browser.
    #[serde(default)]
    pub allowed_logout_urls: Vec<String>,
    /// Origins whose pages may have answers by `response_mode=web_message`, compared byte for byte.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub web_origins: Vec<String>,
    /// Origins besides those of the callbacks whose pages may call the endpoints for programs. A `*` may stand for the first
    /// label of the host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_origins: Vec<String>,
    /// The grants that it may use, as their wire names.
    pub grant_types: Vec<String>,
    /// At most 10 entries of 255 characters.
    #[serde(default, rename = "client_metadata")]
    pub metadata: BTreeMap<String, String>,
    /// Native to Web settings; absent means off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_transfer: Option<SessionTransfer>,
    /// How its refresh tokens live.
    #[serde(default)]
    pub refresh_token: RefreshTokenSettings,
    /// What its ID tokens are like.
    #[serde(default)]
    pub jwt_configuration: JwtConfiguration,
    /// Whether the header `auth0-forwarded-for` is believed when this client authenticated with its secret.
    #[serde(default)]
    pub is_token_endpoint_ip_header_trusted: bool,
    /// Whether `/authorize` takes only pushed requests from it (RFC 9126 §6).
    #[serde(default)]
    pub require_pushed_authorization_requests: bool,
    /// For how many seconds a `request_uri` of it is good (`expires_in` of RFC 9126 §2.2), 10 to 600; absent: 30.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub par_request_expiry: Option<i64>,
    #[schema(ignore)]
    /// Its public keys, when it authenticates with `private_key_jwt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_authentication_methods: Option<ClientAuthenticationMethods>,
    /// Every token request must have a DPoP proof (`dpop_bound_access_tokens` of RFC 9449 §5.2).
    #[serde(default)]
    pub require_proof_of_possession: bool,
    /// The API that this client is the back end of: it may introspect the API's access tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_server_identifier: Option<String>,
    /// Where and when it is told that sessions have ended; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oidc_logout: Option<OidcLogout>,
    /// Whether its users log in in the name of an organization.
    #[serde(default)]
    pub organization_usage: OrganizationUsage,
    /// The organization of its own tokens when it names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_organization: Option<DefaultOrganization>,
    /// How many tokens of its own it may have; absent: what the tenant says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_quota: Option<TokenQuota>,
    /// Whether its authorization requests are signed (RFC 9101). One that requires it is not served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_request_object: Option<SignedRequestObject>,
    /// The profile that all its requests keep. One that has any is not served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compliance_level: Option<ComplianceLevel>,
    /// Whether it belongs to whom the tenant belongs. Of any other client, the users are asked for their consent.
    #[serde(default = "yes")]
    pub is_first_party: bool,
    /// What is asked of it when it belongs to somebody else; absent: what is asked of the `strict` ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub third_party_security_mode: Option<ThirdPartySecurityMode>,
    /// Whether a strict one hears of the errors of its authorization requests; absent: it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirection_policy: Option<RedirectionPolicy>,
    /// Whether its users log in each time: no session that they have already is enough.
    #[serde(default)]
    pub sso_disabled: bool,
}

impl Client {
    /// The grants that a strict client may use ([`Client::is_strict`]).
    pub const STRICT_GRANT_TYPES: [&str; 3] = ["authorization_code", "refresh_token", "client_credentials"];

    /// A client of the tenant's own that has nothing set, neither grants nor secrets.
    #[must_use]
    pub fn new(
        client_id: ClientId,
        name: impl Into<String>,
        app_type: AppType,
        token_endpoint_auth_method: TokenEndpointAuthMethod,
    ) -> Self {
        Self {
            client_id,
            name: name.into(),
            client_secret_hashes: Vec::new(),
            app_type,
            token_endpoint_auth_method,
            callbacks: Vec::new(),
            allowed_logout_urls: Vec::new(),
            web_origins: Vec::new(),
            allowed_origins: Vec::new(),
            grant_types: Vec::new(),
            metadata: BTreeMap::new(),
            session_transfer: None,
            refresh_token: RefreshTokenSettings::default(),
            jwt_configuration: JwtConfiguration::default(),
            is_token_endpoint_ip_header_trusted: false,
            require_pushed_authorization_requests: false,
            par_request_expiry: None,
            client_authentication_methods: None,
            require_proof_of_possession: false,
            resource_server_identifier: None,
            oidc_logout: None,
            organization_usage: OrganizationUsage::default(),
            default_organization: None,
            token_quota: None,
            signed_request_object: None,
            compliance_level: None,
            is_first_party: true,
            third_party_security_mode: None,
            redirection_policy: None,
            sso_disabled: false,
        }
    }

    /// Whether it belongs to somebody else and is trusted with nothing but what it was given: the dialect's mode `strict`.
    #[must_use]
    pub fn is_strict(&self) -> bool {
        !self.is_first_party && self.third_party_security_mode != Some(ThirdPartySecurityMode::Permissive)
    }

    /// Whether the errors of its authorization requests lead to its redirect URI. Those of a strict client stay on a page of
    /// ours (RFC 9700 §4.11.2), unless its `redirection_policy` is `allow_always`.
    #[must_use]
    pub fn hears_errors(&self) -> bool {
        !self.is_strict() || self.redirection_policy == Some(RedirectionPolicy::AllowAlways)
    }

    /// The setting whose promise this server cannot keep. A client that has one is refused, rather than served with less
    /// safety than its people think.
    #[must_use]
    pub fn unserved_setting(&self) -> Option<&'static str> {
        let signed = self.signed_request_object.as_ref().is_some_and(|signed| signed.required == Some(true));
        let complies = self.compliance_level.is_some_and(|level| level != ComplianceLevel::None);
        [(signed, "signed_request_object.required"), (complies, "compliance_level")]
            .into_iter()
            .find_map(|(is_set, name)| is_set.then_some(name))
    }
}

/// Where nobody has said otherwise.
pub(crate) fn yes() -> bool {
    true
}

/// `oidc_logout` of a client: OpenID Connect Back-Channel Logout (`reference/native-to-web.md` section 3.5).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct OidcLogout {
    /// Where logout tokens are sent: one URL at most.
    #[serde(deserialize_with = "null_is_empty")]
    pub backchannel_logout_urls: Vec<String>,
    /// Which ends of a session are told; absent: logouts by an application or an identity provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backchannel_logout_initiators: Option<BackchannelLogoutInitiators>,
}

impl OidcLogout {
    /// The ends of a session that the client is told of.
    #[must_use]
    pub fn initiators(&self) -> &[LogoutInitiator] {
        match &self.backchannel_logout_initiators {
            _ if self.backchannel_logout_urls.is_empty() => &[],
            None => &LogoutInitiator::REQUIRED,
            Some(BackchannelLogoutInitiators { mode: InitiatorMode::All, .. }) => &LogoutInitiator::ALL,
            Some(custom) => &custom.selected_initiators,
        }
    }
}

/// `oidc_logout.backchannel_logout_initiators`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BackchannelLogoutInitiators {
    /// All, or those that are selected.
    pub mode: InitiatorMode,
    /// Counts when the mode is `custom`; [`LogoutInitiator::REQUIRED`] are among them.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub selected_initiators: Vec<LogoutInitiator>,
}

/// Which ends of a session a client is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum InitiatorMode {
    /// Those that are selected.
    Custom,
    /// All, those of later versions included.
    All,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LogoutInitiator {
    /// The user logged out, by a client.
    RpLogout,
    /// The identity provider called for the end of everything of the user.
    IdpLogout,
    /// The user has a new password.
    PasswordChanged,
    /// It reached its absolute or idle end.
    SessionExpired,
    /// It was revoked: by an administrator, by an Action, with the refresh token that it was made from, or because
    /// somebody else is in the browser.
    SessionRevoked,
    /// The user is gone.
    AccountDeleted,
    /// The user has another e-mail address. Nothing changes it in this version.
    EmailIdentifierChanged,
    /// The user's phone is no longer a second factor. There is none in this version.
    MfaPhoneUnenrolled,
    /// The user was blocked. Nothing does so in this version.
    AccountDeactivated,
}

impl LogoutInitiator {
    /// Those that every client with a URL is told of.
    pub const REQUIRED: [Self; 2] = [Self::RpLogout, Self::IdpLogout];
    /// All.
    pub const ALL: [Self; 9] = [
        Self::RpLogout,
        Self::IdpLogout,
        Self::PasswordChanged,
        Self::SessionExpired,
        Self::SessionRevoked,
        Self::AccountDeleted,
        Self::EmailIdentifierChanged,
        Self::MfaPhoneUnenrolled,
        Self::AccountDeactivated,
    ];

    /// As the Management API writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RpLogout => "rp-logout",
            Self::IdpLogout => "idp-logout",
            Self::PasswordChanged => "password-changed",
            Self::SessionExpired => "session-expired",
            Self::SessionRevoked => "session-revoked",
            Self::AccountDeleted => "account-deleted",
            Self::EmailIdentifierChanged => "email-identifier-changed",
            Self::MfaPhoneUnenrolled => "mfa-phone-unenrolled",
            Self::AccountDeactivated => "account-deactivated",
        }
    }
}

/// `jwt_configuration` of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct JwtConfiguration {
    /// Lifetime of its ID tokens in seconds.
    pub lifetime_in_seconds: i64,
    /// How its ID tokens are signed; absent: with RS256. `HS256` has no effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alg: Option<SigningAlgorithm>,
}

impl Default for JwtConfiguration {
    /// Ten hours, as the dialect has it.
    fn default() -> Self {
        Self { lifetime_in_seconds: 36_000, alg: None }
    }
}

/// What kind of program a client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the variants are the names of the Management API")]
pub enum AppType {
    Native,
    Spa,
    RegularWeb,
    NonInteractive,
    ResourceServer,
    /// Nobody has said. The Management API shows no `app_type` then.
    Unspecified,
}

impl AppType {
    /// As it is stored, and as the Management API writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Spa => "spa",
            Self::RegularWeb => "regular_web",
            Self::NonInteractive => "non_interactive",
            Self::ResourceServer => "resource_server",
            Self::Unspecified => "unspecified",
        }
    }
}

/// How a client authenticates at `/oauth/token` (RFC 6749 §2.3, RFC 7591 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenEndpointAuthMethod {
    /// A public client.
    None,
    /// `client_id` and `client_secret` in the body.
    ClientSecretPost,
    /// HTTP Basic.
    ClientSecretBasic,
    /// An assertion signed with a key of [`Client::client_authentication_methods`] (RFC 7523 §2.2).
    PrivateKeyJwt,
    /// A certificate of an authority (RFC 8705 §2.1). This server has no mutual TLS: the client cannot authenticate.
    TlsClientAuth,
    /// A certificate of its own (RFC 8705 §2.2). As above.
    SelfSignedTlsClientAuth,
}

impl TokenEndpointAuthMethod {
    /// Whether it is by a certificate (RFC 8705 §2).
    #[must_use]
    pub fn is_mutual_tls(self) -> bool {
        matches!(self, Self::TlsClientAuth | Self::SelfSignedTlsClientAuth)
    }
}

/// `client_authentication_methods` of a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientAuthenticationMethods {
    /// The one method that uses keys.
    pub private_key_jwt: PrivateKeyJwt,
}

/// `client_authentication_methods.private_key_jwt`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrivateKeyJwt {
    /// One or two, so that a key can be changed without a gap.
    pub credentials: Vec<PublicKeyCredential>,
}

/// A public key of a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKeyCredential {
    /// As `cred_...`.
    pub id: String,
    /// The `kid` of assertions that its private key signs: the key's thumbprint (RFC 7638).
    pub kid: String,
    /// What people call it.
    #[serde(default)]
    pub name: String,
    /// The one algorithm that it is used with.
    pub alg: AssertionAlgorithm,
    /// The key as PEM `PUBLIC KEY` (RFC 7468 §13).
    pub pem: String,
    /// After it, the key is no longer believed.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
    /// When it was registered, where that is known.
    #[serde(default)]
    pub created_at: Option<Timestamp>,
}

/// How a client's assertion may be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[expect(missing_docs, reason = "the variants are the values of RFC 7518 §3.1")]
pub enum AssertionAlgorithm {
    RS256,
    RS384,
    PS256,
    ES256,
}

/// `session_transfer` of a client (`reference/native-to-web.md` section 2.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct SessionTransfer {
    /// On the native client: it may trade its refresh token for a session transfer token.
    pub can_create_session_transfer_token: bool,
    /// On the native client: revoking the refresh token ends the sessions made from it.
    pub enforce_cascade_revocation: bool,
    /// On the web client: the ways in which it accepts a session transfer token.
    #[serde(deserialize_with = "null_is_empty")]
    pub allowed_authentication_methods: Vec<TransferMethod>,
    /// On the web client: what must be the same at issue and at redemption.
    pub enforce_device_binding: DeviceBinding,
    /// On the web client: whether a transferred session may have refresh tokens.
    pub allow_refresh_token: bool,
    /// On the web client: those refresh tokens live and die with the session.
    pub enforce_online_refresh_tokens: bool,
}

impl Default for SessionTransfer {
    fn default() -> Self {
        Self {
            can_create_session_transfer_token: false,
            enforce_cascade_revocation: true,
            allowed_authentication_methods: Vec::new(),
            enforce_device_binding: DeviceBinding::Ip,
            allow_refresh_token: false,
            enforce_online_refresh_tokens: true,
        }
    }
}

/// Tools send `null` for an empty list.
fn null_is_empty<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// How a session transfer token reaches `/authorize`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TransferMethod {
    /// The cookie `auth0_session_transfer_token`.
    Cookie,
    /// The parameter `session_transfer_token`.
    Query,
}

/// What binds a session transfer token to its device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeviceBinding {
    /// The IP address.
    Ip,
    /// The autonomous system. Refused at configuration when the server has no ASN data.
    Asn,
    /// Nothing.
    None,
}

/// `refresh_token` of a client (`reference/native-to-web.md` section 2.2), with the names of the Management API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct RefreshTokenSettings {
    /// Whether each use gives a new token and spends the old one.
    pub rotation_type: RotationType,
    /// Whether the lifetimes below count at all.
    pub expiration_type: ExpirationType,
    /// Seconds in which the token before the newest may be used again.
    pub leeway: i64,
    /// Absolute lifetime in seconds, fixed at issue: rotation does not extend it.
    pub token_lifetime: i64,
    /// `token_lifetime` does not count.
    pub infinite_token_lifetime: bool,
    /// Idle lifetime in seconds, renewed at each exchange.
    pub idle_token_lifetime: i64,
    /// `idle_token_lifetime` does not count.
    pub infinite_idle_token_lifetime: bool,
    /// The further APIs that a refresh token may be exchanged for (multi-resource refresh tokens).
    #[serde(deserialize_with = "null_is_empty")]
    pub policies: Vec<RefreshTokenPolicy>,
}

impl Default for RefreshTokenSettings {
    /// Rotating, 30 days absolute, 15 days idle, no leeway: RFC 9700 §4.14.2 asks for rotation with public clients.
    fn default() -> Self {
        Self {
            rotation_type: RotationType::Rotating,
            expiration_type: ExpirationType::Expiring,
            leeway: 0,
            token_lifetime: 2_592_000,
            infinite_token_lifetime: false,
            idle_token_lifetime: 1_296_000,
            infinite_idle_token_lifetime: false,
            policies: Vec::new(),
        }
    }
}

impl RefreshTokenSettings {
    /// Seconds from issue to the absolute end; `None`: there is none.
    #[must_use]
    pub fn absolute_lifetime(&self) -> Option<i64> {
        (self.expires() && !self.infinite_token_lifetime).then_some(self.token_lifetime)
    }

    /// Seconds from one exchange to the end of an unused token; `None`: there is none.
    #[must_use]
    pub fn idle_lifetime(&self) -> Option<i64> {
        (self.expires() && !self.infinite_idle_token_lifetime).then_some(self.idle_token_lifetime)
    }

    fn expires(&self) -> bool {
        self.expiration_type == ExpirationType::Expiring
    }
}

/// One of `refresh_token.policies`: an API besides the one that a refresh token was granted for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RefreshTokenPolicy {
    /// Which API.
    pub audience: String,
    /// Which of its scopes.
    pub scope: Vec<String>,
}

/// Whether refresh tokens rotate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the variants are the values of the Management API")]
pub enum RotationType {
    Rotating,
    NonRotating,
}

/// Whether refresh tokens end by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the variants are the values of the Management API")]
pub enum ExpirationType {
    Expiring,
    NonExpiring,
}

/// Lets a client have tokens for an API: of its own (`client_credentials`), or of users.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientGrant {
    /// Which client; absent: the default of all that belong to third parties.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<ClientId>,
    /// Which API.
    pub audience: String,
    /// Which of its scopes.
    pub scope: Vec<String>,
}
