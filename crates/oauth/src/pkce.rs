//! Proof Key for Code Exchange with S256, the only method (RFC 7636; RFC 9700 §2.1.1).

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::OAuthError;

/// Checks that a `code_challenge` can be one of S256: SHA-256 in base64url without padding, 43 characters (RFC 7636
/// §4.2).
///
/// # Errors
/// `invalid_request` when it cannot.
pub fn check_challenge(challenge: &str) -> Result<(), OAuthError> {
    match URL_SAFE_NO_PAD.decode(challenge) {
        Ok(bytes) if bytes.len() == 32 => Ok(()),
        _ => Err(OAuthError::invalid_request("code_challenge must be 43 characters of base64url")),
    }
}

/// Whether a `code_verifier` has the characters and the length of RFC 7636 §4.1.
#[must_use]
pub fn is_verifier(verifier: &str) -> bool {
    (43..=128).contains(&verifier.len())
        && verifier.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.' | b'_' | b'~'))
}

/// The S256 challenge of a verifier (RFC 7636 §4.2).
#[must_use]
pub fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()))
}

/// Whether this verifier belongs to this challenge (RFC 7636 §4.6), in constant time.
#[must_use]
pub fn verify(challenge: &str, verifier: &str) -> bool {
    is_verifier(verifier)
        && verify_slices_are_equal(challenge.as_bytes(), self::challenge(verifier).as_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn the_example_of_rfc_7636_appendix_b() {
        assert_eq!(challenge(VERIFIER), CHALLENGE);
        assert!(verify(CHALLENGE, VERIFIER));
        assert!(!verify(CHALLENGE, CHALLENGE));
        assert!(!verify(VERIFIER, VERIFIER), "the method plain does not exist");
    }

    #[test]
    fn verifiers_have_43_to_128_unreserved_characters() {
        for (length, right) in [(0, false), (42, false), (43, true), (128, true), (129, false)] {
            let verifier = "a".repeat(length);
            assert_eq!(verify(&challenge(&verifier), &verifier), right, "{length}");
        }
        for bad in ["+", "/", "=", " ", "é", "\0"] {
            let verifier = format!("{}{bad}", "a".repeat(50));
            assert!(!verify(&challenge(&verifier), &verifier), "{bad}");
        }
        assert!(is_verifier(&format!("{}-._~", "a".repeat(50))));
    }

    #[test]
    fn challenges_are_43_characters_of_base64url() {
        assert_eq!(check_challenge(CHALLENGE), Ok(()));
        for bad in [
            "",
            &CHALLENGE[..42],
            &format!("{CHALLENGE}="),
            &format!("{CHALLENGE}A"),
            &CHALLENGE.replace('-', "+"),
        ] {
            assert!(check_challenge(bad).is_err(), "{bad}");
        }
    }
}
