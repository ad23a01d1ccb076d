//! With which algorithms tokens are signed here (RFC 7518 §3.3, §3.5). Each has an entry of its own in the JWKS for each key,
//! with its own `kid`: who looks at the `kid` alone, or at `alg` as well, finds the one right way to verify (RFC 8725 §3.1).

use aws_lc_rs::digest::{self, SHA256, SHA512};
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RsaEncoding};
use jsonwebtoken::Algorithm;
use model::SigningAlgorithm;
use serde::Deserialize;

/// How a token of ours is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum JwsAlgorithm {
    Rs256,
    Rs512,
    Ps256,
}

impl JwsAlgorithm {
    /// All, the one first that every reader knows.
    pub const ALL: [Self; 3] = [Self::Rs256, Self::Rs512, Self::Ps256];

    /// What such a setting asks for. No secret is kept that a token could be signed with, so `HS256` is none.
    pub fn of(setting: Option<SigningAlgorithm>) -> Self {
        match setting {
            None | Some(SigningAlgorithm::Hs256 | SigningAlgorithm::Rs256) => Self::Rs256,
            Some(SigningAlgorithm::Rs512) => Self::Rs512,
            Some(SigningAlgorithm::Ps256) => Self::Ps256,
        }
    }

    /// As `alg` names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
        }
    }

    /// What the JWKS and tokens call a key of this `kid` with this algorithm.
    pub fn kid(self, key: &str) -> String {
        match self {
            Self::Rs256 => key.to_owned(),
            Self::Rs512 | Self::Ps256 => format!("{key}-{}", self.name()),
        }
    }

    /// Whether a token names this key with this algorithm.
    pub fn is_kid(self, key: &str, named: &str) -> bool {
        let Some(rest) = named.strip_prefix(key) else { return false };
        match self {
            Self::Rs256 => rest.is_empty(),
            Self::Rs512 | Self::Ps256 => rest.strip_prefix('-') == Some(self.name()),
        }
    }

    /// How it signs. The salt of PSS is as long as the hash (RFC 7518 §3.5).
    pub fn encoding(self) -> &'static dyn RsaEncoding {
        match self {
            Self::Rs256 => &RSA_PKCS1_SHA256,
            Self::Rs512 => &RSA_PKCS1_SHA512,
            Self::Ps256 => &RSA_PSS_SHA256,
        }
    }

    /// Its hash.
    pub fn digest(self) -> &'static digest::Algorithm {
        match self {
            Self::Rs256 | Self::Ps256 => &SHA256,
            Self::Rs512 => &SHA512,
        }
    }

    /// The same, for whoever verifies.
    pub fn to_verify(self) -> Algorithm {
        match self {
            Self::Rs256 => Algorithm::RS256,
            Self::Rs512 => Algorithm::RS512,
            Self::Ps256 => Algorithm::PS256,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // JW6
    #[test]
    fn a_kid_is_for_one_algorithm() {
        for alg in JwsAlgorithm::ALL {
            let named: Vec<_> =
                JwsAlgorithm::ALL.iter().filter(|other| other.is_kid("key", &alg.kid("key"))).collect();
            assert_eq!(named, [&alg]);
            for bad in ["", "key-", "key-HS256", "key-ps256", "key-PS256x", "akey", "another-PS256"] {
                assert!(!alg.is_kid("key", bad), "{bad}");
            }
        }
    }
}
