use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{ClientId, Timestamp};

/// An OAuth client of a tenant ("application" in the dialect). Stored as JSON: field names are those of the
/// Management API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// Its id.
    pub client_id: ClientId,
    /// What pages and Actions call it.
    pub name: String,
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
    /// The grants that it may use, as their wire names.
    pub grant_types: Vec<String>,
    /// `client_metadata`: at most 10 entries of 255 characters.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    /// Native to Web settings; absent means off.
    #[serde(default)]
    pub session_transfer: Option<SessionTransfer>,
    /// How its refresh tokens live.
    #[serde(default)]
    pub refresh_token: RefreshTokenSettings,
    /// Lifetime of its ID tokens in seconds.
    #[serde(default = "default_id_token_lifetime")]
    pub id_token_lifetime_secs: i64,
    /// Whether the header `auth0-forwarded-for` is believed when this client authenticated with its secret.
    #[serde(default)]
    pub is_token_endpoint_ip_header_trusted: bool,
    /// Whether `/authorize` takes only pushed requests from it (RFC 9126 §6).
    #[serde(default)]
    pub require_pushed_authorization_requests: bool,
    /// Its public keys, when it authenticates with `private_key_jwt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_authentication_methods: Option<ClientAuthenticationMethods>,
    /// Every token request must have a DPoP proof (`dpop_bound_access_tokens` of RFC 9449 §5.2).
    #[serde(default)]
    pub require_proof_of_possession: bool,
    /// The API that this client is the back end of: it may introspect the API's access tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_server_identifier: Option<String>,
}

fn default_id_token_lifetime() -> i64 {
    36_000
}

/// What kind of program a client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the variants are the names of the Management API")]
pub enum AppType {
    Native,
    Spa,
    RegularWeb,
    NonInteractive,
}

/// How a client authenticates at `/oauth/token` (RFC 6749 §2.3, RFC 7591 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
}

/// `client_authentication_methods` of a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientAuthenticationMethods {
    /// The one method that uses keys.
    pub private_key_jwt: PrivateKeyJwt,
}

/// `client_authentication_methods.private_key_jwt`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
}

/// How a client's assertion may be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the variants are the values of RFC 7518 §3.1")]
pub enum AssertionAlgorithm {
    RS256,
    RS384,
    PS256,
    ES256,
}

/// `session_transfer` of a client (`reference/native-to-web.md` section 2.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SessionTransfer {
    /// On the native client: it may trade its refresh token for a session transfer token.
    pub can_create_session_transfer_token: bool,
    /// On the native client: revoking the refresh token ends the sessions made from it.
    pub enforce_cascade_revocation: bool,
    /// On the web client: the ways in which it accepts a session transfer token.
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

/// How a session transfer token reaches `/authorize`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TransferMethod {
    /// The cookie `auth0_session_transfer_token`.
    Cookie,
    /// The parameter `session_transfer_token`.
    Query,
}

/// What binds a session transfer token to its device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceBinding {
    /// The IP address.
    Ip,
    /// The autonomous system. Refused at configuration when the server has no ASN data.
    Asn,
    /// Nothing.
    None,
}

/// `refresh_token` of a client (`reference/native-to-web.md` section 2.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RefreshTokenSettings {
    /// Whether each use gives a new token and spends the old one.
    pub rotation_type: RotationType,
    /// Absolute lifetime in seconds, fixed at issue; `None`: it does not expire.
    pub token_lifetime_secs: Option<i64>,
    /// Idle lifetime in seconds, renewed at each exchange; `None`: it does not expire.
    pub idle_token_lifetime_secs: Option<i64>,
    /// Seconds in which the token before the newest may be used again.
    pub leeway_secs: i64,
}

impl Default for RefreshTokenSettings {
    /// Rotating, 30 days absolute, 15 days idle, no leeway: RFC 9700 §4.14.2 asks for rotation with public clients.
    fn default() -> Self {
        Self {
            rotation_type: RotationType::Rotating,
            token_lifetime_secs: Some(2_592_000),
            idle_token_lifetime_secs: Some(1_296_000),
            leeway_secs: 0,
        }
    }
}

/// Whether refresh tokens rotate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the variants are the values of the Management API")]
pub enum RotationType {
    Rotating,
    NonRotating,
}

/// An API that access tokens are for ("resource server").
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceServer {
    /// The audience.
    pub identifier: String,
    /// What pages call it.
    pub name: String,
    /// The scopes that it knows.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Whether `offline_access` gives a refresh token.
    #[serde(default)]
    pub allow_offline_access: bool,
    /// Lifetime of its access tokens in seconds.
    #[serde(default = "default_access_token_lifetime")]
    pub token_lifetime_secs: i64,
    /// What its access tokens look like.
    #[serde(default)]
    pub token_dialect: TokenDialect,
    /// Whether its access tokens are bound to a key; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof_of_possession: Option<ProofOfPossession>,
}

/// What an API's access tokens look like. The dialect's `_authz` forms need permissions, which this server does not
/// have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenDialect {
    /// The dialect's own profile.
    #[default]
    AccessToken,
    /// RFC 9068.
    Rfc9068Profile,
}

/// `proof_of_possession` of an API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProofOfPossession {
    /// How possession is proved.
    pub mechanism: PossessionMechanism,
    /// Whether a token without a proof is refused.
    #[serde(default)]
    pub required: bool,
    /// Of whom it is required.
    #[serde(default)]
    pub required_for: RequiredFor,
}

/// How possession of a key is proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PossessionMechanism {
    /// RFC 9449.
    Dpop,
}

/// Of whom an API requires a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the variants are the values of the Management API")]
pub enum RequiredFor {
    PublicClients,
    #[default]
    AllClients,
}

fn default_access_token_lifetime() -> i64 {
    86_400
}

/// Lets a client have tokens of its own for an API (`client_credentials`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientGrant {
    /// Which client.
    pub client_id: ClientId,
    /// Which API.
    pub audience: String,
    /// Which of its scopes.
    pub scope: Vec<String>,
}
