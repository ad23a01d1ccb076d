//! How a client authenticates, as the Management API sets it: `token_endpoint_auth_method` with a secret or nothing, or
//! `client_authentication_methods` with public keys. One excludes the other.

use model::{
    AssertionAlgorithm, ClientAuthenticationMethods, ManagedClient, PrivateKeyJwt, PublicKeyCredential,
    Timestamp, TlsCredential, TlsCredentialType, TokenEndpointAuthMethod,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::object::{Object, invalid, read};
use super::validate::rule;
use super::{ManageError, limits, validate};
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
    tls_client_auth: Option<GivenCertificates>,
    self_signed_tls_client_auth: Option<GivenCertificates>,
}

/// The certificates that are to be in use.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GivenCertificates {
    credentials: Vec<GivenCertificate>,
}

/// A certificate that the client has, by its id alone, or a new one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct GivenCertificate {
    id: Option<String>,
    credential_type: Option<TlsCredentialType>,
    name: Option<String>,
    subject_dn: Option<String>,
    pem: Option<String>,
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

/// A public key, or a certificate, as the Management API takes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GivenCredential {
    /// What it is.
    pub credential_type: CredentialType,
    /// What people call it.
    pub name: Option<String>,
    /// PEM: of a public key with the label `PUBLIC KEY`, which it must have.
    pub pem: Option<String>,
    /// Of a certificate: its subject, in the place of `pem`.
    pub subject_dn: Option<String>,
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
    /// The one that this server knows clients by.
    PublicKey,
    /// A certificate (RFC 8705 §2.2). It is kept.
    X509Cert,
    /// The subject of certificates (RFC 8705 §2.1.2). It is kept.
    CertSubjectDn,
}

impl CredentialType {
    /// What of it is kept.
    fn of_tls(self) -> Option<TlsCredentialType> {
        match self {
            Self::PublicKey => None,
            Self::X509Cert => Some(TlsCredentialType::X509Cert),
            Self::CertSubjectDn => Some(TlsCredentialType::CertSubjectDn),
        }
    }
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
            (Sent::Value(methods), _) => use_methods(managed, methods, &random, now)?,
            (Sent::Nothing, Sent::Nothing | Sent::Null)
                if managed.client.token_endpoint_auth_method.is_mutual_tls() =>
            {
                managed.client.token_endpoint_auth_method
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
        if !method.is_mutual_tls() {
            managed.profile.tls_credentials.iter_mut().flatten().for_each(|known| known.in_use = false);
        }
        let has_no_secret =
            matches!(method, TokenEndpointAuthMethod::None | TokenEndpointAuthMethod::PrivateKeyJwt)
                || method.is_mutual_tls();
        let hashes = &mut managed.client.client_secret_hashes;
        match (has_no_secret, self.secret) {
            (true, Some(_)) => {
                Err(ManageError::invalid("client_secret is for a client that authenticates with a secret"))
            }
            (true, None) => {
                hashes.clear();
                Ok(None)
            }
            (false, Some(secret)) => {
                // A hash without salt and work holds only for what nobody can guess.
                let (least, most) = limits::CLIENT_SECRET_BYTES;
                if !(least..=most).contains(&secret.len())
                    || !secret.bytes().all(|byte| byte.is_ascii_graphic())
                {
                    return Err(ManageError::invalid(
                        "client_secret has 32 to 512 visible characters of ASCII",
                    ));
                }
                *hashes = vec![hash_credential(&secret)];
                Ok(None)
            }
            (false, None) if hashes.is_empty() => {
                let secret = random(super::clients::SECRET_LENGTH);
                *hashes = vec![hash_credential(&secret)];
                Ok(Some(secret))
            }
            (false, None) => Ok(None),
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

/// The one method of these.
fn use_methods(
    managed: &mut ManagedClient,
    methods: GivenMethods,
    random: impl Fn(usize) -> String,
    now: Timestamp,
) -> Result<TokenEndpointAuthMethod, ManageError> {
    match (methods.private_key_jwt, methods.tls_client_auth, methods.self_signed_tls_client_auth) {
        (Some(keys), None, None) => {
            use_keys(managed, keys, random, now)?;
            Ok(TokenEndpointAuthMethod::PrivateKeyJwt)
        }
        (None, Some(certificates), None) => {
            use_certificates(managed, certificates, random, now)?;
            Ok(TokenEndpointAuthMethod::TlsClientAuth)
        }
        (None, None, Some(certificates)) => {
            use_certificates(managed, certificates, random, now)?;
            Ok(TokenEndpointAuthMethod::SelfSignedTlsClientAuth)
        }
        (None, None, None) => {
            Err(invalid("Missing required property: private_key_jwt", "client_authentication_methods"))
        }
        _ => Err(ManageError::invalid("client_authentication_methods has one method")),
    }
}

/// Keeps what the client would be known by, if this server had mutual TLS.
fn use_certificates(
    managed: &mut ManagedClient,
    certificates: GivenCertificates,
    random: impl Fn(usize) -> String,
    now: Timestamp,
) -> Result<(), ManageError> {
    let known = managed.profile.tls_credentials.get_or_insert_default();
    known.iter_mut().for_each(|credential| credential.in_use = false);
    for given in certificates.credentials {
        match (given.id, given.credential_type) {
            (Some(id), None) => {
                let found = known.iter_mut().find(|credential| credential.id == id);
                let missing = || ManageError::invalid(format!("The credential {id} does not exist"));
                found.ok_or_else(missing)?.in_use = true;
            }
            (None, Some(credential_type)) => {
                let new =
                    certificate(credential_type, given.name, given.subject_dn, given.pem, &random, now)?;
                known.push(TlsCredential { in_use: true, ..new });
            }
            _ => {
                return Err(ManageError::invalid(
                    "a credential of mutual TLS is an id, or a new one with credential_type",
                ));
            }
        }
    }
    let is_used = known.iter().any(|credential| credential.in_use);
    rule(is_used && known.len() <= MAX_CREDENTIALS, "a client with mutual TLS has 1 to 10 credentials")
}

fn certificate(
    credential_type: TlsCredentialType,
    name: Option<String>,
    subject_dn: Option<String>,
    pem: Option<String>,
    random: impl Fn(usize) -> String,
    now: Timestamp,
) -> Result<TlsCredential, ManageError> {
    rule(pem.is_some() || subject_dn.is_some(), "a certificate has a pem or a subject_dn")?;
    let is_short = |text: Option<&String>| text.is_none_or(|text| text.len() <= limits::PEM_BYTES);
    rule(is_short(pem.as_ref()) && is_short(subject_dn.as_ref()), "a certificate has at most 8192 bytes")?;
    validate::credential_name(name.as_deref().unwrap_or_default())?;
    Ok(TlsCredential {
        id: format!("cred_{}", random(22)),
        credential_type,
        name: name.unwrap_or_default(),
        subject_dn,
        pem,
        created_at: now,
        in_use: false,
    })
}

fn use_keys(
    managed: &mut ManagedClient,
    keys: GivenKeys,
    random: impl Fn(usize) -> String,
    now: Timestamp,
) -> Result<(), ManageError> {
    let mut used = Vec::new();
    for given in keys.credentials {
        let id = match (given.id, given.credential_type, given.pem) {
            (Some(id), None, None) => id,
            (None, Some(credential_type), Some(pem)) => {
                let new = GivenCredential {
                    credential_type,
                    name: given.name,
                    pem: Some(pem),
                    subject_dn: None,
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

/// What a client is registered with.
pub(super) enum Credential {
    Key(PublicKeyCredential),
    Certificate(TlsCredential),
}

/// A new one, checked.
pub(super) fn new_credential(
    given: GivenCredential,
    random: impl Fn(usize) -> String,
    now: Timestamp,
) -> Result<Credential, ManageError> {
    let Some(credential_type) = given.credential_type.of_tls() else {
        return credential(given, random, now).map(Credential::Key);
    };
    let new = certificate(credential_type, given.name, given.subject_dn, given.pem, random, now)?;
    Ok(Credential::Certificate(new))
}

/// A new key, checked.
fn credential(
    given: GivenCredential,
    random: impl Fn(usize) -> String,
    now: Timestamp,
) -> Result<PublicKeyCredential, ManageError> {
    rule(
        given.credential_type == CredentialType::PublicKey,
        "a credential of private_key_jwt is a public_key",
    )?;
    rule(
        given.parse_expiry_from_cert != Some(true),
        "parse_expiry_from_cert: the pem is a public key, which has no expiry",
    )?;
    rule(given.subject_dn.is_none(), "subject_dn is for certificates")?;
    let pem = given.pem.ok_or_else(|| invalid("Missing required property: pem", ""))?;
    let alg = given.alg.unwrap_or(AssertionAlgorithm::RS256);
    let credential = PublicKeyCredential {
        id: format!("cred_{}", random(22)),
        kid: validate::public_key(&pem, alg)?.thumbprint(),
        name: given.name.unwrap_or_default(),
        alg,
        pem,
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

/// `client_authentication_methods` as it is shown: one of these.
#[derive(Debug, Serialize, ToSchema)]
pub struct MethodsInUse {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    private_key_jwt: Option<CredentialsInUse>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    tls_client_auth: Option<CredentialsInUse>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    self_signed_tls_client_auth: Option<CredentialsInUse>,
}

/// The keys or certificates in use.
#[derive(Debug, Serialize, ToSchema)]
struct CredentialsInUse {
    credentials: Vec<CredentialInUse>,
}

/// A key or certificate in use.
#[derive(Debug, Serialize, ToSchema)]
struct CredentialInUse {
    id: String,
}

impl MethodsInUse {
    /// `None` for a client that has neither keys nor certificates.
    pub(super) fn of(managed: &ManagedClient) -> Option<Self> {
        let method = managed.client.token_endpoint_auth_method;
        let ids: Vec<&String> = match &managed.client.client_authentication_methods {
            Some(methods) => methods.private_key_jwt.credentials.iter().map(|known| &known.id).collect(),
            None if method.is_mutual_tls() => {
                let all = managed.profile.tls_credentials.iter().flatten();
                all.filter(|known| known.in_use).map(|known| &known.id).collect()
            }
            None => return None,
        };
        let ids = ids.into_iter().map(|id| CredentialInUse { id: id.clone() });
        let used = Some(CredentialsInUse { credentials: ids.collect() });
        let none = Self { private_key_jwt: None, tls_client_auth: None, self_signed_tls_client_auth: None };
        Some(match method {
            TokenEndpointAuthMethod::TlsClientAuth => Self { tls_client_auth: used, ..none },
            TokenEndpointAuthMethod::SelfSignedTlsClientAuth => {
                Self { self_signed_tls_client_auth: used, ..none }
            }
            _ => Self { private_key_jwt: used, ..none },
        })
    }
}

/// A key or certificate as the Management API shows it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ClientCredential)]
pub struct CredentialView {
    /// As `cred_...`.
    id: String,
    credential_type: CredentialType,
    /// A key's thumbprint (RFC 7638).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    kid: Option<String>,
    /// What a key signs with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    alg: Option<AssertionAlgorithm>,
    /// What people call it.
    name: String,
    /// A certificate's subject (RFC 4514).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    subject_dn: Option<String>,
    /// When it was registered, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    created_at: Option<String>,
    /// After it, the key is no longer believed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    expires_at: Option<String>,
}

impl CredentialView {
    /// As `cred_...`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl From<&PublicKeyCredential> for CredentialView {
    fn from(credential: &PublicKeyCredential) -> Self {
        Self {
            id: credential.id.clone(),
            credential_type: CredentialType::PublicKey,
            kid: Some(credential.kid.clone()),
            alg: Some(credential.alg),
            name: credential.name.clone(),
            subject_dn: None,
            created_at: credential.created_at.map(Timestamp::to_iso),
            expires_at: credential.expires_at.map(Timestamp::to_iso),
        }
    }
}

impl From<&TlsCredential> for CredentialView {
    fn from(credential: &TlsCredential) -> Self {
        let credential_type = match credential.credential_type {
            TlsCredentialType::X509Cert => CredentialType::X509Cert,
            TlsCredentialType::CertSubjectDn => CredentialType::CertSubjectDn,
        };
        Self {
            id: credential.id.clone(),
            credential_type,
            kid: None,
            alg: None,
            name: credential.name.clone(),
            subject_dn: credential.subject_dn.clone(),
            created_at: Some(credential.created_at.to_iso()),
            expires_at: None,
        }
    }
}
