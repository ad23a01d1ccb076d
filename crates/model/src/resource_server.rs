use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::SigningAlgorithm;
use crate::profile::{optional_fields, values};

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
    /// Whether `online_access` gives a refresh token that lives as long as the session.
    #[serde(default)]
    pub allow_online_access: bool,
    /// The same in a session whose cookie is not persistent.
    #[serde(default)]
    pub allow_online_access_with_ephemeral_sessions: bool,
    /// Lifetime of its access tokens in seconds.
    #[serde(default = "default_access_token_lifetime")]
    pub token_lifetime_secs: i64,
    /// What its access tokens look like.
    #[serde(default)]
    pub token_dialect: TokenDialect,
    /// How its access tokens are signed; absent: with RS256. `HS256` has no effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing_alg: Option<SigningAlgorithm>,
    /// Whether its access tokens are bound to a key; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof_of_possession: Option<ProofOfPossession>,
    /// Whether a user's access token has only the scopes that the user has the permission for.
    #[serde(default)]
    pub enforce_policies: bool,
    /// Who may have access tokens for it.
    #[serde(default)]
    pub subject_type_authorization: SubjectTypeAuthorization,
    /// How its access tokens are encrypted. An API with it is not served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_encryption: Option<TokenEncryption>,
    /// What users confirm of each request. An API with it is not served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent_policy: Option<ConsentPolicy>,
    /// Who decides about its access tokens besides. An API with it is not served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_policy: Option<Map<String, Value>>,
    /// Whether first-party clients have their users' access tokens for it without asking them.
    #[serde(default = "crate::client::yes")]
    pub skip_consent_for_verifiable_first_party_clients: bool,
}

impl ResourceServer {
    /// The setting whose promise this server cannot keep. No access tokens are given for an API that has one.
    #[must_use]
    pub fn unserved_setting(&self) -> Option<&'static str> {
        let by_tls = self
            .proof_of_possession
            .as_ref()
            .is_some_and(|rule| rule.required && rule.mechanism == PossessionMechanism::Mtls);
        [
            (by_tls, "proof_of_possession.mechanism"),
            (self.token_encryption.is_some(), "token_encryption"),
            (self.consent_policy.is_some(), "consent_policy"),
            (self.authorization_policy.is_some(), "authorization_policy"),
        ]
        .into_iter()
        .find_map(|(is_set, name)| is_set.then_some(name))
    }

    /// Whether its access tokens have a claim with all permissions of their subject. Without `enforce_policies` the
    /// dialect has none, whatever the form of the tokens.
    #[must_use]
    pub fn shows_permissions(&self) -> bool {
        self.enforce_policies && self.token_dialect.has_permissions()
    }
}

/// What an API's access tokens look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenDialect {
    /// The dialect's own profile.
    #[default]
    AccessToken,
    /// The same with `permissions`, where the API enforces its policies.
    AccessTokenAuthz,
    /// RFC 9068.
    Rfc9068Profile,
    /// The same with `permissions`.
    Rfc9068ProfileAuthz,
}

impl TokenDialect {
    /// Whether the tokens are those of RFC 9068 §2.
    #[must_use]
    pub fn is_rfc9068(self) -> bool {
        matches!(self, Self::Rfc9068Profile | Self::Rfc9068ProfileAuthz)
    }

    fn has_permissions(self) -> bool {
        matches!(self, Self::AccessTokenAuthz | Self::Rfc9068ProfileAuthz)
    }
}

/// Who may have access tokens for an API, by the kind of their subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct SubjectTypeAuthorization {
    /// Users, by whichever client.
    pub user: UserAuthorization,
    /// Clients by themselves.
    pub client: ClientAuthorization,
}

/// `subject_type_authorization.user`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct UserAuthorization {
    /// Which clients may have access tokens of users.
    pub policy: UserAuthorizationPolicy,
}

/// `subject_type_authorization.user.policy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the variants are the values of the Management API")]
pub enum UserAuthorizationPolicy {
    #[default]
    AllowAll,
    DenyAll,
    RequireClientGrant,
}

/// `subject_type_authorization.client`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ClientAuthorization {
    /// Which clients may have access tokens of their own.
    pub policy: ClientAuthorizationPolicy,
}

/// `subject_type_authorization.client.policy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the variants are the values of the Management API")]
pub enum ClientAuthorizationPolicy {
    DenyAll,
    #[default]
    RequireClientGrant,
}

/// `proof_of_possession` of an API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PossessionMechanism {
    /// RFC 9449.
    Dpop,
    /// RFC 8705 §3. An API that requires it is not served.
    Mtls,
}

/// Of whom an API requires a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the variants are the values of the Management API")]
pub enum RequiredFor {
    PublicClients,
    #[default]
    AllClients,
}

optional_fields! {
    /// `token_encryption`.
    pub struct TokenEncryption {
        format: TokenEncryptionFormat,
        encryption_key: TokenEncryptionKey,
    }
}

optional_fields! {
    /// `token_encryption.encryption_key`: a public key of the API.
    pub struct TokenEncryptionKey {
        name: String,
        alg: TokenEncryptionAlgorithm,
        kid: String,
        pem: String,
        thumbprint_sha256: String,
    }
}

values! {
    /// `token_encryption.format`.
    pub enum TokenEncryptionFormat("kebab-case") {
        CompactNestedJwe,
    }
}

values! {
    /// `token_encryption.encryption_key.alg` (RFC 7518 §4.1).
    pub enum TokenEncryptionAlgorithm("SCREAMING-KEBAB-CASE") {
        #[serde(rename = "RSA-OAEP-256")]
        RsaOaep256,
        #[serde(rename = "RSA-OAEP-384")]
        RsaOaep384,
        #[serde(rename = "RSA-OAEP-512")]
        RsaOaep512,
    }
}

values! {
    /// `consent_policy`.
    pub enum ConsentPolicy("kebab-case") {
        TransactionalAuthorizationWithMfa,
    }
}

fn default_access_token_lifetime() -> i64 {
    86_400
}
