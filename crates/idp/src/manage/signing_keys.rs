//! The keys that sign the tenant's tokens, as the Management API shows them.

use model::{SigningKey, SigningKeyState, Tenant, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::ManageError;
use crate::certificate::{self, Certificate};
use crate::keys::{self, Revoked};
use crate::{Idp, ServerError};

/// A signing key as the Management API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = SigningKey)]
#[expect(clippy::struct_excessive_bools, reason = "the fields are those of the Management API")]
pub struct SigningKeyView {
    /// As tokens and the JWKS name it.
    pub kid: String,
    /// The thumbprint with a colon between two bytes.
    pub fingerprint: String,
    /// Its certificate, PEM.
    pub cert: String,
    /// Its certificate in PKCS #7, PEM.
    pub pkcs7: String,
    /// SHA-1 of its certificate, in hexadecimal.
    pub thumbprint: String,
    /// It signs.
    pub current: bool,
    /// It is published, and signs after the next rotation.
    pub next: bool,
    /// It signed, and what it signed is accepted.
    pub previous: bool,
    /// When it began to sign.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    pub current_since: Option<String>,
    /// When it ceased to sign.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    pub current_until: Option<String>,
    /// Nothing that it signed is accepted any more.
    pub revoked: bool,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    pub revoked_at: Option<String>,
}

/// A signing key after a rotation or a revocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CertifiedKey {
    /// As tokens and the JWKS name it.
    pub kid: String,
    /// Its certificate, PEM.
    pub cert: String,
}

/// One of a client's `signing_keys`.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClientSigningKey {
    /// The certificate, PEM.
    cert: String,
    /// The certificate in PKCS #7, PEM.
    pkcs7: String,
    /// Of the certificate, as `/CN=acme`.
    subject: String,
}

/// All signing keys: the one that signs first, then the next one, then those before.
///
/// # Errors
/// [`ServerError`].
pub async fn signing_keys(idp: &Idp, tenant: &Tenant) -> Result<Vec<SigningKeyView>, ServerError> {
    let mut keys = keys::all(idp, tenant).await?.to_vec();
    keys.sort_by_key(|key| match key.state {
        SigningKeyState::Current => (0, 0),
        SigningKeyState::Next => (1, 0),
        SigningKeyState::Previous { .. } => (2, -key.created_at.as_ms()),
    });
    keys.iter().map(|key| shown(idp, tenant, key)).collect()
}

/// The certificates with which a client verifies what is signed for it, as its `signing_keys`: of the key that signs, and
/// then of those before whose tokens are still good.
///
/// # Errors
/// [`ServerError`].
pub async fn client_signing_keys(idp: &Idp, tenant: &Tenant) -> Result<Value, ServerError> {
    let make = async {
        let mut keys = keys::published(idp, tenant, idp.now()).await?;
        keys.retain(|key| key.state != SigningKeyState::Next);
        keys.sort_by_key(|key| (key.state != SigningKeyState::Current, -key.created_at.as_ms()));
        let certificates = keys.iter().map(|key| {
            let Certificate { pem, pkcs7, .. } = certificate_of(idp, tenant, key)?;
            let subject = format!("/CN={}", tenant.id);
            Ok::<_, ServerError>(json!(ClientSigningKey { cert: pem, pkcs7, subject }))
        });
        certificates.collect::<Result<Value, _>>()
    };
    Ok((*idp.settings.client_signing_keys(tenant, make).await?).clone())
}

/// The signing key of that id.
///
/// # Errors
/// [`ManageError::NotFound`].
pub async fn signing_key(idp: &Idp, tenant: &Tenant, kid: &str) -> Result<SigningKeyView, ManageError> {
    let keys = keys::all(idp, tenant).await?;
    let key = keys.iter().find(|key| key.kid == kid).ok_or_else(no_key)?;
    Ok(shown(idp, tenant, key)?)
}

/// Lets the next key sign, and makes a new next one. What is shown is the key that signs from now on.
///
/// # Errors
/// [`ServerError`].
pub async fn rotate_signing_key(idp: &Idp, tenant: &Tenant) -> Result<CertifiedKey, ManageError> {
    let rotation = keys::rotate(idp, &tenant.id).await?;
    let keys = idp.storage.begin_read(&tenant.id).await?.signing_keys().await?;
    let key = keys.iter().find(|key| key.kid == rotation.signing_kid).ok_or_else(no_key)?;
    Ok(certified(idp, tenant, key)?)
}

/// Takes a key that does not sign out of the JWKS: no token that it signed is accepted any more.
///
/// # Errors
/// [`ManageError::NotFound`]; [`ManageError::Conflict`] for the key that signs.
pub async fn revoke_signing_key(idp: &Idp, tenant: &Tenant, kid: &str) -> Result<CertifiedKey, ManageError> {
    match keys::revoke(idp, &tenant.id, kid).await? {
        Revoked::Done(key) => Ok(certified(idp, tenant, &key)?),
        Revoked::Unknown => Err(no_key()),
        Revoked::Signs => Err(ManageError::Conflict(
            "This key signs the tenant's tokens: rotate before it is revoked".to_owned(),
        )),
    }
}

fn certificate_of(idp: &Idp, tenant: &Tenant, key: &SigningKey) -> Result<Certificate, ServerError> {
    certificate::of_key(&tenant.id, key, &keys::private_key(idp, &tenant.id, key)?)
}

fn certified(idp: &Idp, tenant: &Tenant, key: &SigningKey) -> Result<CertifiedKey, ServerError> {
    let certificate = certificate_of(idp, tenant, key)?;
    Ok(CertifiedKey { kid: key.kid.clone(), cert: certificate.pem })
}

fn shown(idp: &Idp, tenant: &Tenant, key: &SigningKey) -> Result<SigningKeyView, ServerError> {
    let certificate = certificate_of(idp, tenant, key)?;
    let is_previous = matches!(key.state, SigningKeyState::Previous { .. });
    Ok(SigningKeyView {
        kid: key.kid.clone(),
        fingerprint: certificate.fingerprint(),
        cert: certificate.pem,
        pkcs7: certificate.pkcs7,
        thumbprint: certificate.thumbprint,
        current: key.state == SigningKeyState::Current,
        next: key.state == SigningKeyState::Next,
        previous: is_previous && key.revoked_at.is_none(),
        current_since: key.current_since.map(Timestamp::to_iso),
        current_until: key.current_until.map(Timestamp::to_iso),
        revoked: key.revoked_at.is_some(),
        revoked_at: key.revoked_at.map(Timestamp::to_iso),
    })
}

fn no_key() -> ManageError {
    ManageError::NotFound { error_code: None, message: "The signing key does not exist".to_owned() }
}
