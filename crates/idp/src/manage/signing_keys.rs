//! The keys that sign the tenant's tokens, as the Management API shows them.

use model::{SigningKey, SigningKeyState, Tenant, Timestamp};
use serde_json::{Map, Value, json};

use super::ManageError;
use crate::certificate::{self, Certificate};
use crate::keys::{self, Revoked};
use crate::{Idp, ServerError};

/// All signing keys: the one that signs first, then the next one, then those before.
///
/// # Errors
/// [`ServerError`].
pub async fn signing_keys(idp: &Idp, tenant: &Tenant) -> Result<Vec<Map<String, Value>>, ServerError> {
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
            Ok::<_, ServerError>(
                json!({ "cert": pem, "pkcs7": pkcs7, "subject": format!("/CN={}", tenant.id) }),
            )
        });
        certificates.collect::<Result<Value, _>>()
    };
    Ok((*idp.settings.client_signing_keys(tenant, make).await?).clone())
}

/// The signing key of that id.
///
/// # Errors
/// [`ManageError::NotFound`].
pub async fn signing_key(idp: &Idp, tenant: &Tenant, kid: &str) -> Result<Map<String, Value>, ManageError> {
    let keys = keys::all(idp, tenant).await?;
    let key = keys.iter().find(|key| key.kid == kid).ok_or_else(no_key)?;
    Ok(shown(idp, tenant, key)?)
}

/// Lets the next key sign, and makes a new next one. What is shown is the key that signs from now on.
///
/// # Errors
/// [`ServerError`].
pub async fn rotate_signing_key(idp: &Idp, tenant: &Tenant) -> Result<Map<String, Value>, ManageError> {
    let rotation = keys::rotate(idp, &tenant.id).await?;
    let keys = idp.storage.begin_read(&tenant.id).await?.signing_keys().await?;
    let key = keys.iter().find(|key| key.kid == rotation.signing_kid).ok_or_else(no_key)?;
    Ok(certified(idp, tenant, key)?)
}

/// Takes a key that does not sign out of the JWKS: no token that it signed is accepted any more.
///
/// # Errors
/// [`ManageError::NotFound`]; [`ManageError::Conflict`] for the key that signs.
pub async fn revoke_signing_key(
    idp: &Idp,
    tenant: &Tenant,
    kid: &str,
) -> Result<Map<String, Value>, ManageError> {
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

fn certified(idp: &Idp, tenant: &Tenant, key: &SigningKey) -> Result<Map<String, Value>, ServerError> {
    let certificate = certificate_of(idp, tenant, key)?;
    Ok(Map::from_iter([("kid".to_owned(), json!(key.kid)), ("cert".to_owned(), json!(certificate.pem))]))
}

fn shown(idp: &Idp, tenant: &Tenant, key: &SigningKey) -> Result<Map<String, Value>, ServerError> {
    let certificate = certificate_of(idp, tenant, key)?;
    let is_previous = matches!(key.state, SigningKeyState::Previous { .. });
    let mut object = Map::new();
    for (name, value) in [
        ("kid", json!(key.kid)),
        ("fingerprint", json!(certificate.fingerprint())),
        ("cert", json!(certificate.pem)),
        ("pkcs7", json!(certificate.pkcs7)),
        ("thumbprint", json!(certificate.thumbprint)),
        ("current", json!(key.state == SigningKeyState::Current)),
        ("next", json!(key.state == SigningKeyState::Next)),
        ("previous", json!(is_previous && key.revoked_at.is_none())),
        ("current_since", json!(key.current_since.map(Timestamp::to_iso))),
        ("current_until", json!(key.current_until.map(Timestamp::to_iso))),
        ("revoked", json!(key.revoked_at.is_some())),
        ("revoked_at", json!(key.revoked_at.map(Timestamp::to_iso))),
    ] {
        if !value.is_null() {
            object.insert(name.to_owned(), value);
        }
    }
    Ok(object)
}

fn no_key() -> ManageError {
    ManageError::NotFound { error_code: None, message: "The signing key does not exist".to_owned() }
}
