//! The tenant's signing keys: RSA, published before they sign and for as long as tokens that they signed live (OIDC
//! Core §10.1.1, RFC 7517).

use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::{SigningKey, SigningKeyState, Tenant, TenantId, Timestamp, random_token};
use serde_json::{Value, json};

use crate::jws_algorithm::JwsAlgorithm;
use crate::{Idp, ServerError};

/// How long a key stays published after it has stopped to sign: the longest lifetime that a token may have.
pub(crate) const MAX_TOKEN_LIFETIME_SECS: i64 = 30 * 24 * 3600;

/// What a rotation did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// Signs from now on.
    pub signing_kid: String,
    /// Signs after the next rotation, and is published already.
    pub next_kid: String,
}

/// The tenant's JWKS (RFC 7517 §5): public members only. Each key is there with each algorithm, in use or not: an entry is
/// published before anything is signed so, and as long as anything that was is good. Some clients take RS256 and
/// look at nothing else; they pass over the rest.
///
/// # Errors
/// [`ServerError`] when the keys cannot be read.
pub async fn jwks(idp: &Idp, tenant: &Tenant) -> Result<Value, ServerError> {
    let keys = published(idp, tenant, idp.now()).await?;
    let entry = |alg: JwsAlgorithm, key: &SigningKey| {
        json!({
            "kty": "RSA", "use": "sig", "alg": alg.name(), "kid": alg.kid(&key.kid), "n": key.modulus,
            "e": key.exponent,
        })
    };
    let entries = JwsAlgorithm::ALL.into_iter().flat_map(|alg| keys.iter().map(move |key| entry(alg, key)));
    Ok(json!({ "keys": entries.collect::<Vec<_>>() }))
}

/// Makes the tenant's first keys, unless it has them.
///
/// # Errors
/// [`ServerError`] when they cannot be made or stored.
pub async fn ensure(idp: &Idp, tenant: &TenantId) -> Result<(), ServerError> {
    if signs(&idp.storage.begin_read(tenant).await?.signing_keys().await?).is_some() {
        return Ok(());
    }
    let current = generate(idp, tenant, SigningKeyState::Current).await?;
    let next = generate(idp, tenant, SigningKeyState::Next).await?;
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    let known = tx.signing_keys().await?;
    // Another process may have been faster.
    if signs(&known).is_none() {
        tx.put_signing_key(&current).await?;
        if !known.iter().any(|key| key.state == SigningKeyState::Next) {
            tx.put_signing_key(&next).await?;
        }
    }
    Ok(tx.commit().await?)
}

/// Makes the published next key the one that signs, and publishes a new next one. What signed before stays published
/// until the longest token has ended.
///
/// # Errors
/// [`ServerError`] when the tenant has no keys, or a new one cannot be made or stored.
pub async fn rotate(idp: &Idp, tenant: &TenantId) -> Result<Rotation, ServerError> {
    let new = generate(idp, tenant, SigningKeyState::Next).await?;
    let now = idp.now();
    let published_until = now.plus_secs(MAX_TOKEN_LIFETIME_SECS);
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    let keys = tx.signing_keys().await?;
    let next = keys
        .iter()
        .find(|key| key.state == SigningKeyState::Next)
        .ok_or_else(|| ServerError::Inconsistent(format!("tenant {tenant} has no next signing key")))?;
    for key in &keys {
        match key.state {
            SigningKeyState::Current => {
                let state = SigningKeyState::Previous { published_until };
                tx.put_signing_key(&SigningKey { state, current_until: Some(now), ..key.clone() }).await?;
            }
            SigningKeyState::Previous { published_until } if published_until <= now => {
                tx.delete_signing_key(&key.kid).await?;
            }
            SigningKeyState::Previous { .. } | SigningKeyState::Next => {}
        }
    }
    let current = SigningKey { state: SigningKeyState::Current, current_since: Some(now), ..next.clone() };
    tx.put_signing_key(&current).await?;
    tx.put_signing_key(&new).await?;
    tx.commit().await?;
    Ok(Rotation { signing_kid: next.kid.clone(), next_kid: new.kid })
}

/// All keys that are not forgotten yet, oldest first.
///
/// # Errors
/// [`ServerError`] when they cannot be read.
pub(crate) async fn all(idp: &Idp, tenant: &Tenant) -> Result<Arc<Vec<SigningKey>>, ServerError> {
    Ok(idp.settings.signing_keys(tenant).await?)
}

/// What became of a key that was to be revoked.
pub(crate) enum Revoked {
    /// It is not published any more.
    Done(Box<SigningKey>),
    /// There is no such key.
    Unknown,
    /// It signs: another one has to do so first.
    Signs,
}

/// Takes a key out of the JWKS at once: no token that it signed is accepted any more. In the place of the next one comes a
/// new one.
///
/// # Errors
/// [`ServerError`] when a new key cannot be made, or the change cannot be stored.
pub(crate) async fn revoke(idp: &Idp, tenant: &TenantId, kid: &str) -> Result<Revoked, ServerError> {
    let is_next =
        |keys: &[SigningKey]| keys.iter().any(|key| key.kid == kid && key.state == SigningKeyState::Next);
    let known = idp.storage.begin_read(tenant).await?.signing_keys().await?;
    let new = match is_next(&known) {
        true => Some(generate(idp, tenant, SigningKeyState::Next).await?),
        false => None,
    };
    let now = idp.now();
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    let keys = tx.signing_keys().await?;
    let Some(key) = keys.iter().find(|key| key.kid == kid) else { return Ok(Revoked::Unknown) };
    if key.state == SigningKeyState::Current {
        return Ok(Revoked::Signs);
    }
    if key.revoked_at.is_some() {
        return Ok(Revoked::Done(Box::new(key.clone())));
    }
    let revoked = SigningKey {
        state: SigningKeyState::Previous { published_until: now },
        revoked_at: Some(now),
        ..key.clone()
    };
    tx.put_signing_key(&revoked).await?;
    // One that became the current one meanwhile was refused above, so this one takes its place.
    if let Some(new) = new.filter(|_| is_next(&keys)) {
        tx.put_signing_key(&new).await?;
    }
    tx.commit().await?;
    Ok(Revoked::Done(Box::new(revoked)))
}

/// The private key, as PKCS#8.
///
/// # Errors
/// [`ServerError`] when it does not open.
pub(crate) fn private_key(idp: &Idp, tenant: &TenantId, key: &SigningKey) -> Result<Vec<u8>, ServerError> {
    idp.vault.open(&vault_context(tenant, &key.kid), &key.sealed_private_key)
}

/// The key that signs now: its `kid`, and itself.
pub(crate) async fn current(idp: &Idp, tenant: &Tenant) -> Result<(String, Arc<RsaKeyPair>), ServerError> {
    let keys = idp.settings.signing_keys(tenant).await?;
    let key = signs(&keys)
        .ok_or_else(|| ServerError::Inconsistent(format!("tenant {} has no signing key", tenant.id)))?;
    let pair = idp.vault.signing_key(&vault_context(&tenant.id, &key.kid), &key.sealed_private_key)?;
    Ok((key.kid.clone(), pair))
}

/// The keys with which tokens are verified now.
pub(crate) async fn published(
    idp: &Idp,
    tenant: &Tenant,
    now: Timestamp,
) -> Result<Vec<SigningKey>, ServerError> {
    let keys = idp.settings.signing_keys(tenant).await?;
    let is_published = |key: &&SigningKey| match key.state {
        SigningKeyState::Next | SigningKeyState::Current => true,
        SigningKeyState::Previous { published_until } => now < published_until,
    };
    Ok(keys.iter().filter(is_published).cloned().collect())
}

/// Where the private key is stored, for the vault.
fn vault_context(tenant: &TenantId, kid: &str) -> String {
    format!("{tenant}/signing_keys/{kid}")
}

fn signs(keys: &[SigningKey]) -> Option<&SigningKey> {
    keys.iter().find(|key| key.state == SigningKeyState::Current)
}

async fn generate(idp: &Idp, tenant: &TenantId, state: SigningKeyState) -> Result<SigningKey, ServerError> {
    let failed = |_| ServerError::Crypto("an RSA key could not be made".to_owned());
    let pair = tokio::task::spawn_blocking(|| KeyPair::generate(KeySize::Rsa2048))
        .await
        .map_err(|error| ServerError::Crypto(format!("an RSA key could not be made: {error}")))?
        .map_err(failed)?;
    let private: Pkcs8V1Der<'_> = pair.as_der().map_err(failed)?;
    let public = pair.public_key();
    let kid = random_token(&*idp.random, 21);
    let sealed_private_key = idp.vault.seal(&*idp.random, &vault_context(tenant, &kid), private.as_ref())?;
    Ok(SigningKey {
        modulus: URL_SAFE_NO_PAD.encode(public.modulus().big_endian_without_leading_zero()),
        exponent: URL_SAFE_NO_PAD.encode(public.exponent().big_endian_without_leading_zero()),
        kid,
        state,
        sealed_private_key,
        created_at: idp.now(),
        current_since: (state == SigningKeyState::Current).then(|| idp.now()),
        current_until: None,
        revoked_at: None,
    })
}
