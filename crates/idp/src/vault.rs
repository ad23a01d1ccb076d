use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::RsaKeyPair;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::RandomSource;

use crate::ServerError;

/// Says how the rest is sealed, so that it can change one day.
const VERSION: &str = "v1.";

/// Seals what is secret at rest with the installation's key: AES-256-GCM, a random nonce for each, and the place where
/// it is stored as additional data, so that a sealed value that was moved elsewhere does not open.
pub struct Vault {
    key: [u8; 32],
    /// Signing keys that were opened already, by the place where they are stored.
    signing_keys: Mutex<HashMap<String, Arc<RsaKeyPair>>>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault")
    }
}

impl Vault {
    /// With the installation's key.
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        Self { key, signing_keys: Mutex::default() }
    }

    /// Seals `plaintext` for the place `context`, as `acme/signing_keys/KID`.
    ///
    /// # Errors
    /// [`ServerError::Crypto`].
    pub fn seal(
        &self,
        random: &dyn RandomSource,
        context: &str,
        plaintext: &[u8],
    ) -> Result<String, ServerError> {
        let mut nonce = [0; NONCE_LEN];
        random.fill(&mut nonce);
        let mut sealed = plaintext.to_vec();
        self.aead()?
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(context.as_bytes()),
                &mut sealed,
            )
            .map_err(|_| ServerError::Crypto("sealing failed".to_owned()))?;
        let bytes = [nonce.as_slice(), &sealed].concat();
        Ok(format!("{VERSION}{}", URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Opens what was sealed for the same place.
    ///
    /// # Errors
    /// [`ServerError::Crypto`] when it was changed, moved, or sealed with another key.
    pub fn open(&self, context: &str, sealed: &str) -> Result<Vec<u8>, ServerError> {
        let refused = || ServerError::Crypto(format!("the sealed value at {context} does not open"));
        let encoded = sealed.strip_prefix(VERSION).ok_or_else(refused)?;
        let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| refused())?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN).ok_or_else(refused)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| refused())?;
        let mut opened = sealed.to_vec();
        let length = self
            .aead()?
            .open_in_place(nonce, Aad::from(context.as_bytes()), &mut opened)
            .map_err(|_| refused())?
            .len();
        opened.truncate(length);
        Ok(opened)
    }

    /// A credential that only the holder of the installation's key can compute from `input`: 43 characters of
    /// base64url, 256 bits.
    pub(crate) fn derive(&self, purpose: &str, input: &str) -> String {
        let master = hmac::Key::new(hmac::HMAC_SHA256, &self.key);
        let subkey = hmac::sign(&master, format!("derive\0{purpose}").as_bytes());
        let subkey = hmac::Key::new(hmac::HMAC_SHA256, subkey.as_ref());
        URL_SAFE_NO_PAD.encode(hmac::sign(&subkey, input.as_bytes()))
    }

    /// Opens a signing key once and keeps it: reading and checking one costs more than signing with it.
    pub(crate) fn signing_key(&self, context: &str, sealed: &str) -> Result<Arc<RsaKeyPair>, ServerError> {
        let known = self.signing_keys.lock().unwrap_or_else(PoisonError::into_inner).get(context).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let key = RsaKeyPair::from_pkcs8(&self.open(context, sealed)?)
            .map_err(|error| ServerError::Crypto(format!("the key at {context}: {error}")))?;
        let key = Arc::new(key);
        self.signing_keys
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(context.to_owned(), Arc::clone(&key));
        Ok(key)
    }

    fn aead(&self) -> Result<LessSafeKey, ServerError> {
        UnboundKey::new(&AES_256_GCM, &self.key)
            .map(LessSafeKey::new)
            .map_err(|_| ServerError::Crypto("the installation's key is unusable".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use model::SystemRandom;

    use super::*;

    #[test]
    fn a_sealed_value_opens_only_in_its_place_with_its_key_and_unchanged() {
        let vault = Vault::new([7; 32]);
        let sealed = vault.seal(&SystemRandom, "acme/signing_keys/a", b"secret").unwrap();
        assert_eq!(vault.open("acme/signing_keys/a", &sealed).unwrap(), b"secret");
        assert!(vault.open("acme/signing_keys/b", &sealed).is_err(), "swapped rows");
        assert!(vault.open("other/signing_keys/a", &sealed).is_err(), "another tenant");
        assert!(Vault::new([8; 32]).open("acme/signing_keys/a", &sealed).is_err());
        for position in VERSION.len()..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[position] = if changed[position] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(vault.open("acme/signing_keys/a", &changed).is_err(), "{position}");
        }
        for bad in ["", "v1.", "v1.AAAA", "v2.AAAA"] {
            assert!(vault.open("acme/signing_keys/a", bad).is_err());
        }
        assert_ne!(sealed, vault.seal(&SystemRandom, "acme/signing_keys/a", b"secret").unwrap());
    }

    #[test]
    fn derived_credentials_depend_on_key_purpose_and_input() {
        let vault = Vault::new([7; 32]);
        let derived = vault.derive("a", "x");
        assert_eq!(derived.len(), crate::credential::CREDENTIAL_LENGTH);
        assert_eq!(derived, vault.derive("a", "x"));
        assert_ne!(derived, vault.derive("b", "x"));
        assert_ne!(derived, vault.derive("a", "y"));
        assert_ne!(derived, Vault::new([8; 32]).derive("a", "x"));
    }
}
