//! Public keys of clients: read from PEM or from a JWK, named by their thumbprint.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::DecodingKey;
use model::AssertionAlgorithm;

/// A public key, as the members of its JWK (RFC 7518 §6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PublicKey {
    Rsa { n: String, e: String },
    P256 { x: String, y: String },
}

impl PublicKey {
    /// A key that belongs to nobody here, to check signatures with where there is no other: of RFC 7638 §3.1 and RFC
    /// 9449 §4.1.
    pub fn stand_in(algorithm: AssertionAlgorithm) -> Self {
        match algorithm {
            AssertionAlgorithm::RS256 | AssertionAlgorithm::RS384 | AssertionAlgorithm::PS256 => Self::Rsa {
                n: "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw".to_owned(),
                e: "AQAB".to_owned(),
            },
            AssertionAlgorithm::ES256 => Self::P256 {
                x: "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs".to_owned(),
                y: "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA".to_owned(),
            },
        }
    }

    /// From PEM with the label `PUBLIC KEY` (RFC 7468 §13): an RSA key, or a point on the curve P-256.
    pub fn from_pem(pem: &str) -> Option<Self> {
        let text = pem.trim().strip_prefix("-----BEGIN PUBLIC KEY-----")?;
        let text: String = text.strip_suffix("-----END PUBLIC KEY-----")?.split_ascii_whitespace().collect();
        let der = STANDARD.decode(text).ok()?;
        if let Ok(key) = rsa::PublicKey::from_der(&der) {
            return Some(Self::Rsa {
                n: URL_SAFE_NO_PAD.encode(key.modulus().big_endian_without_leading_zero()),
                e: URL_SAFE_NO_PAD.encode(key.exponent().big_endian_without_leading_zero()),
            });
        }
        let key = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &der).ok()?;
        // Written anew, it ends in the two coordinates.
        let der: PublicKeyX509Der<'_> = key.as_der().ok()?;
        let (rest, y) = der.as_ref().split_last_chunk::<32>()?;
        let (_, x) = rest.split_last_chunk::<32>()?;
        Some(Self::P256 { x: URL_SAFE_NO_PAD.encode(x), y: URL_SAFE_NO_PAD.encode(y) })
    }

    /// For checking signatures; `None` when the members are no base64url.
    pub fn decoding_key(&self) -> Option<DecodingKey> {
        match self {
            Self::Rsa { n, e } => DecodingKey::from_rsa_components(n, e).ok(),
            Self::P256 { x, y } => DecodingKey::from_ec_components(x, y).ok(),
        }
    }

    /// SHA-256 of the members in base64url (RFC 7638 §3), of a key whose members are base64url: that needs no escape in
    /// JSON.
    pub fn thumbprint(&self) -> String {
        let members = match self {
            Self::Rsa { n, e } => format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#),
            Self::P256 { x, y } => format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#),
        };
        URL_SAFE_NO_PAD.encode(digest(&SHA256, members.as_bytes()))
    }

    /// The size of an RSA key in bits.
    pub fn rsa_bits(&self) -> Option<usize> {
        let Self::Rsa { n, .. } = self else { return None };
        let n = URL_SAFE_NO_PAD.decode(n).ok()?;
        let unused = n.first()?.leading_zeros() as usize;
        Some(n.len() * 8 - unused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thumbprints_of_rfc_7638_section_3_1_and_rfc_9449_section_6_1() {
        let rsa = PublicKey::stand_in(AssertionAlgorithm::RS384);
        assert_eq!(rsa.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
        assert_eq!(rsa.rsa_bits(), Some(2048));
        let ec = PublicKey::stand_in(AssertionAlgorithm::ES256);
        assert_eq!(ec.thumbprint(), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
        assert_eq!(ec.rsa_bits(), None);
    }

    fn pem(label: &str, der: &[u8]) -> String {
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
    }

    fn der(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    /// `SubjectPublicKeyInfo` up to the point (RFC 5480 §2), of the two curves of 256 bits.
    const P256: &str = "3059301306072a8648ce3d020106082a8648ce3d030107034200";
    const SECP256K1: &str = "3056301006072a8648ce3d020106052b8104000a034200";

    #[test]
    fn a_p256_key_is_read_from_pem_and_only_when_it_is_on_the_curve() {
        let key = PublicKey::stand_in(AssertionAlgorithm::ES256);
        let PublicKey::P256 { x, y } = &key else { panic!("an EC key") };
        let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
        let uncompressed = [&[4], bytes(x).as_slice(), &bytes(y)].concat();
        let right = [der(P256), uncompressed.clone()].concat();
        for text in [
            pem("PUBLIC KEY", &right),
            pem("PUBLIC KEY", &right).replace('\n', "\r\n"),
            format!("\n  {}\n", pem("PUBLIC KEY", &right)),
        ] {
            assert_eq!(PublicKey::from_pem(&text), Some(key.clone()), "{text:?}");
        }
        let mut off = right.clone();
        *off.last_mut().unwrap() ^= 1;
        for text in [
            pem("PUBLIC KEY", &off),
            pem("PUBLIC KEY", &[der(SECP256K1), uncompressed].concat()),
            pem("PUBLIC KEY", &right[..right.len() - 1]),
            pem("PUBLIC KEY", &[]),
            pem("PRIVATE KEY", &right),
            pem("CERTIFICATE", &right),
            pem("PUBLIC KEY", &right).replace("-----END", "----END"),
            STANDARD.encode(&right),
            String::new(),
        ] {
            assert_eq!(PublicKey::from_pem(&text), None, "{text:?}");
        }
    }
}
