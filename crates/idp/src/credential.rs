use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What the database keeps of a credential: SHA-256, base64url. Credentials have 256 random bits, so no salt is needed.
#[must_use]
pub fn hash_credential(credential: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, credential.as_bytes()))
}

/// The characters of a credential: 43 of base64url, 258 random bits.
pub(crate) const CREDENTIAL_LENGTH: usize = 43;
