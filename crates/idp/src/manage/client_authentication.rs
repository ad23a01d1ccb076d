//! How a client authenticates, as the Management API sets it: `token_endpoint_auth_method` with a secret or nothing, or
//! `client_authentication_methods` with public keys. One excludes the other.

use model::{
    AssertionAlgorithm, ClientAuthenticationMethods, ManagedClient, PrivateKeyJwt, PublicKeyCredential,
    Timestamp, TokenEndpointAuthMethod,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::object::{Object, invalid, read};
use super::{ManageError, validate};
use crate::hash_credential;

/// All public keys of a client, in use or not.
pub(super) const MAX_CREDENTIALS: usize = 10;

/// What was sent about it.
#[derive(Debug, Default)]
pub(super) struct Authentication {
    secret: Option<String>,
    method: Sent<Method>,
    keys: Sent<GivenMethods>,
}

#[derive(Debug, Default)]
enum Sent<T> {
    #[default]
    Nothing,
    Null,
    Value(T),
}

/// The values of `token_endpoint_auth_method`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Method {
    None,
    ClientSecretPost,
    ClientSecretBasic,
}

/// `client_authentication_methods` as it is sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GivenMethods {
    private_key_jwt: Option<GivenKeys>,
    /// There is no mutual TLS here.
    #[schema(value_type = Option<Object>)]
    tls_client_auth: Option<Value>,
    /// There is no mutual TLS here.
    #[schema(value_type = Option<Object>)]
    self_signed_tls_client_auth: Option<Value>,
}

/// The keys that are to be in use: one or two.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct GivenKeys {
    credentials: Vec<GivenKey>,
}

/// A credential that the client has, by its id alone, or a new one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct GivenKey {
    id: Option<String>,
    credential_type: Option<CredentialType>,
    name: Option<String>,
    pem: Option<String>,
    alg: Option<AssertionAlgorithm>,
    expires_at: Option<String>,
    parse_expiry_from_cert: Option<bool>,
}

/// A public key as the Management API takes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GivenCredential {
    /// `public_key`.
    pub credential_type: CredentialType,
    /// What people call it.
    pub name: Option<String>,
    /// PEM with the label `PUBLIC KEY`.
    pub pem: String,
    /// RS256 where it is not said.
    pub alg: Option<AssertionAlgorithm>,
    /// ISO 8601: after it, the key is no longer believed.
    pub expires_at: Option<String>,
    /// Must not be `true`: a key has no expiry in it.
    pub parse_expiry_from_cert: Option<bool>,
}

/// What a credential is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CredentialType {
    /// The one that this server has.
    PublicKey,
}

impl Authentication {
    /// Takes it out of what was sent.
    pub(super) fn take(sent: &mut Object) -> Result<Self, ManageError> {
        let secret = match sent.remove("client_secret") {
            None | Some(Value::Null) => None,
            Some(secret) => Some(read("client_secret", &secret)?),
        };
        Ok(Self {
            secret,
            method: taken(sent, "token_endpoint_auth_method")?,
            keys: taken(sent, "client_authentication_methods")?,
        })
    }

    /// Makes it so; the secret that was made for it. `random` makes texts of that length.
    pub(super) fn apply(
        self,
        managed: &mut ManagedClient,
        default: impl Fn(model::AppType) -> TokenEndpointAuthMethod,
        random: impl Fn(usize) -> String,
        now: Timestamp,
    ) -> Result<Option<String>, ManageError> {
        let default = default(managed.client.app_type);
        let method = match (self.keys, self.method) {
            (Sent::Value(_), Sent::Value(_)) => {
                return Err(ManageError::invalid(
                    "client_authentication_methods and token_endpoint_auth_method cannot be sent together",
                ));
            }
            (Sent::Value(methods), _) => {
                use_keys(managed, methods, &random, now)?;
                TokenEndpointAuthMethod::PrivateKeyJwt
            }
            (Sent::Nothing, Sent::Nothing | Sent::Null)
                if managed.client.client_authentication_methods.is_some() =>
            {
                TokenEndpointAuthMethod::PrivateKeyJwt
            }
            (Sent::Nothing, Sent::Nothing) => managed.client.token_endpoint_auth_method,
            (_, Sent::Value(Method::None)) => TokenEndpointAuthMethod::None,
            (_, Sent::Value(Method::ClientSecretPost)) => TokenEndpointAuthMethod::ClientSecretPost,
            (_, Sent::Value(Method::ClientSecretBasic)) => TokenEndpointAuthMethod::ClientSecretBasic,
            (_, Sent::Nothing | Sent::Null) => default,
        };
        managed.client.token_endpoint_auth_method = method;
        if method != TokenEndpointAuthMethod::PrivateKeyJwt {
            put_keys_aside(managed, &[]);
        }
        let hashes = &mut managed.client.client_secret_hashes;
        match (method, self.secret) {
            (TokenEndpointAuthMethod::None | TokenEndpointAuthMethod::PrivateKeyJwt, Some(_)) => {
                Err(ManageError::invalid("client_secret is for a client that authenticates with a secret"))
            }
            (TokenEndpointAuthMethod::None | TokenEndpointAuthMethod::PrivateKeyJwt, None) => {
                hashes.clear();
                Ok(None)
            }
            (_, Some(secret)) => {
                // A hash without salt and work holds only for what nobody can guess.
                if !(32..=512).contains(&secret.len()) || !secret.bytes().all(|byte| byte.is_ascii_graphic())
                {
                    return Err(ManageError::invalid(
                        "client_secret has 32 to 512 visible characters of ASCII",
                    ));
                }
                *hashes = vec![hash_credential(&secret)];
                Ok(None)
            }
            (_, None) if hashes.is_empty() => {
                let secret = random(super::clients::SECRET_LENGTH);
                *hashes = vec![hash_credential(&secret)];
                Ok(Some(secret))
            }
            (_, None) => Ok(None),
        }
    }
}

fn taken<T: serde::de::DeserializeOwned>(sent: &mut Object, name: &str) -> Result<Sent<T>, ManageError> {
    Ok(match sent.remove(name) {
        None => Sent::Nothing,
        Some(Value::Null) => Sent::Null,
        Some(value) => Sent::Value(read(name, &value)?),
    })
}

fn use_keys(
    managed: &mut ManagedClient,
    methods: GivenMethods,
    random: impl Fn(usize) -> String,
    now: Timestamp,
) -> Result<(), ManageError> {
    if methods.tls_client_auth.is_some() || methods.self_signed_tls_client_auth.is_some() {
        return Err(ManageError::invalid("client_authentication_methods: this server has no mutual TLS"));
    }
    let keys = methods.private_key_jwt.ok_or_else(|| {
        invalid("Missing required property: private_key_jwt", "client_authentication_methods")
    })?;
    let mut used = Vec::new();
    for given in keys.credentials {
        let id = match (given.id, given.credential_type, given.pem) {
            (Some(id), None, None) => id,
            (None, Some(credential_type), Some(pem)) => {
                let new = GivenCredential {
                    credential_type,
                    name: given.name,
                    pem,
                    alg: given.alg,
                    expires_at: given.expires_at,
                    parse_expiry_from_cert: given.parse_expiry_from_cert,
                };
                let credential = credential(new, &random, now)?;
                let id = credential.id.clone();
                managed.profile.credentials.get_or_insert_default().push(credential);
                id
            }
            _ => {
                return Err(ManageError::invalid(
                    "a credential of private_key_jwt is an id, or a new one with credential_type and pem",
                ));
            }
        };
        if !credentials(managed).any(|known| known.id == id) {
            return Err(ManageError::invalid(format!("The credential {id} does not exist")));
        }
        used.push(id);
    }
    put_keys_aside(managed, &used);
    Ok(())
}

/// All keys of the client, those that are in use first.
pub(super) fn credentials(managed: &ManagedClient) -> impl Iterator<Item = &PublicKeyCredential> {
    let used = managed.client.client_authentication_methods.iter();
    let used = used.flat_map(|methods| &methods.private_key_jwt.credentials);
    used.chain(managed.profile.credentials.iter().flatten())
}

/// Keeps all keys; those with these ids, in their order, are in use.
fn put_keys_aside(managed: &mut ManagedClient, used: &[String]) {
    let all: Vec<PublicKeyCredential> = credentials(managed).cloned().collect();
    let find = |id: &String| all.iter().find(|known| known.id == *id).cloned();
    let used_keys: Vec<PublicKeyCredential> = used.iter().filter_map(find).collect();
    let aside: Vec<PublicKeyCredential> =
        all.iter().filter(|known| !used.contains(&known.id)).cloned().collect();
    managed.client.client_authentication_methods = (!used_keys.is_empty())
        .then_some(ClientAuthenticationMethods { private_key_jwt: PrivateKeyJwt { credentials: used_keys } });
    managed.profile.credentials = (!aside.is_empty()).then_some(aside);
}

/// A new key, checked.
pub(super) fn credential(
    given: GivenCredential,
    random: impl Fn(usize) -> String,
    now: Timestamp,
) -> Result<PublicKeyCredential, ManageError> {
    if given.parse_expiry_from_cert == Some(true) {
        return Err(ManageError::invalid(
            "parse_expiry_from_cert: the pem is a public key, which has no expiry",
        ));
    }
    let alg = given.alg.unwrap_or(AssertionAlgorithm::RS256);
    let credential = PublicKeyCredential {
        id: format!("cred_{}", random(22)),
        kid: validate::public_key(&given.pem, alg)?.thumbprint(),
        name: given.name.unwrap_or_default(),
        alg,
        pem: given.pem,
        expires_at: given.expires_at.as_deref().map(moment).transpose()?,
        created_at: Some(now),
    };
    validate::credential(&credential)?;
    Ok(credential)
}

/// `expires_at` of a credential.
pub(super) fn moment(text: &str) -> Result<Timestamp, ManageError> {
    Timestamp::parse_iso(text).ok_or_else(|| invalid("not a moment in ISO 8601", "expires_at"))
}

/// `client_authentication_methods` as it is shown.
#[derive(Debug, Serialize, ToSchema)]
pub struct MethodsInUse {
    private_key_jwt: KeysInUse,
}

/// The keys in use.
#[derive(Debug, Serialize, ToSchema)]
struct KeysInUse {
    credentials: Vec<KeyInUse>,
}

/// A key in use.
#[derive(Debug, Serialize, ToSchema)]
struct KeyInUse {
    id: String,
}

impl From<&ClientAuthenticationMethods> for MethodsInUse {
    fn from(methods: &ClientAuthenticationMethods) -> Self {
        let ids = methods.private_key_jwt.credentials.iter().map(|known| KeyInUse { id: known.id.clone() });
        Self { private_key_jwt: KeysInUse { credentials: ids.collect() } }
    }
}

/// A key as the Management API shows it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ClientCredential)]
pub struct CredentialView {
    /// As `cred_...`.
    id: String,
    credential_type: CredentialType,
    /// The key's thumbprint (RFC 7638).
    kid: String,
    alg: AssertionAlgorithm,
    /// What people call it.
    name: String,
    /// When it was registered, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    created_at: Option<String>,
    /// After it, the key is no longer believed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    expires_at: Option<String>,
}

impl From<&PublicKeyCredential> for CredentialView {
    fn from(credential: &PublicKeyCredential) -> Self {
        Self {
            id: credential.id.clone(),
            credential_type: CredentialType::PublicKey,
            kid: credential.kid.clone(),
            alg: credential.alg,
            name: credential.name.clone(),
            created_at: credential.created_at.map(Timestamp::to_iso),
            expires_at: credential.expires_at.map(Timestamp::to_iso),
        }
    }
}
