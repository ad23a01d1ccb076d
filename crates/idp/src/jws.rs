//! Reading JWTs that others signed (RFC 7515 §5.2, RFC 8725 §3).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::de::{DeserializeOwned, Deserializer};
use serde::{Deserialize, Serialize};

/// What a proof or an assertion may measure.
const MAX_BYTES: usize = 8 * 1024;

/// A JWT in compact form whose signature nobody has looked at yet.
pub(crate) struct Jws<'a, H> {
    pub header: H,
    signing_input: &'a str,
    payload: Vec<u8>,
    signature: &'a str,
}

impl<'a, H: DeserializeOwned> Jws<'a, H> {
    /// Three parts of base64url without padding, the first a JSON object with the members of `H`, each at most once.
    pub fn parse(jwt: &'a str) -> Option<Self> {
        if jwt.len() > MAX_BYTES {
            return None;
        }
        let (signing_input, signature) = jwt.rsplit_once('.')?;
        let (header, payload) = signing_input.split_once('.')?;
        let header = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
        // A third dot is no character of base64url.
        let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
        Some(Self { header, signing_input, payload, signature })
    }

    /// Whether this key made the signature with this algorithm. A key of another family made none.
    pub fn is_signed_by(&self, key: &DecodingKey, algorithm: Algorithm) -> bool {
        jsonwebtoken::crypto::verify(self.signature, self.signing_input.as_bytes(), key, algorithm)
            .unwrap_or(false)
    }

    /// The claims: a JSON object with the members of `C`, each at most once.
    pub fn claims<C: DeserializeOwned>(&self) -> Option<C> {
        serde_json::from_slice(&self.payload).ok()
    }
}

/// `aud` (RFC 7519 §4.1.3).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged)]
pub(crate) enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    /// Whether this is one of the audiences.
    pub fn contains(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one == audience,
            Self::Many(many) => many.iter().any(|one| one == audience),
        }
    }

    /// Whether this is the only audience.
    pub fn is_only(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one == audience,
            Self::Many(many) => many.as_slice() == [audience],
        }
    }
}

/// For an optional member: one that is there must be of its type, and `null` is of none.
pub(crate) fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
