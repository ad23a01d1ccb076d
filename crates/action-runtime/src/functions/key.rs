//! Keys, and signatures with them. A key travels as DER: a private one as PKCS #8, a public one as SPKI.
//!
//! A signature is a function of its inputs: PKCS #1 v1.5 is by itself, ECDSA as RFC 6979 makes it. RSA-PSS is so only with
//! an empty salt.

use aws_lc_rs::encoding::{AsBigEndian, AsDer, EcPrivateKeyBin, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPairComponents, PublicKey, PublicKeyComponents};
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair as _, ParsedPublicKey, RsaKeyPair, RsaParameters,
    RsaPssSaltLength, RsaSignatureEncoding, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use serde_json::{Map, Value, json};

use super::der::{self, OCTET_STRING, Reader, SEQUENCE};
use super::{Inputs, Result, digest};

/// The members of a private RSA key, in the order of PKCS #1 (RFC 8017 A.1.2, RFC 7518 §6.3).
const RSA_MEMBERS: [&str; 8] = ["n", "e", "d", "p", "q", "dp", "dq", "qi"];

#[derive(Clone, Copy)]
struct Curve {
    name: &'static str,
    signing: &'static EcdsaSigningAlgorithm,
    verifying: &'static signature::EcdsaVerificationAlgorithm,
    /// The one hash that it is used with.
    hash: &'static str,
    /// Bytes of a coordinate.
    size: usize,
    /// What is before the point in an SPKI (RFC 5480).
    spki: &'static [u8],
}

const CURVES: [Curve; 2] = [
    Curve {
        name: "P-256",
        signing: &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
        verifying: &signature::ECDSA_P256_SHA256_FIXED,
        hash: "sha256",
        size: 32,
        spki: b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00",
    },
    Curve {
        name: "P-384",
        signing: &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
        verifying: &signature::ECDSA_P384_SHA384_FIXED,
        hash: "sha384",
        size: 48,
        spki: b"\x30\x76\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22\x03\x62\x00",
    },
];

enum Key {
    PrivateRsa(RsaKeyPair),
    PublicRsa(PublicKey),
    PrivateEc(Curve, EcdsaKeyPair),
    /// The point, uncompressed.
    PublicEc(Curve, Vec<u8>),
}

/// `key(format, content)`: reads a key and tells what it is, as JSON: `type`, `kind`, `bits`, `curve`, `der`, `jwk`. The
/// format is `pem`, `jwk`, `pkcs8`, `pkcs1`, `sec1` or `spki`; with `public` as third input the public half is answered.
pub(super) fn read(inputs: &Inputs<'_>) -> Result<String> {
    let content = inputs.bytes(1);
    let key = match inputs.text(0)? {
        "pem" => pem(inputs.text(1)?)?,
        "jwk" => jwk(content)?,
        format => parse(format, content)?,
    };
    let key = if inputs.given(2) { public(key)? } else { key };
    describe(&key).ok_or_else(|| "the key cannot be written".into())
}

fn pem(text: &str) -> Result<Key> {
    let (label, content) = der::pem(text).ok_or("not a key in PEM")?;
    match label {
        "PRIVATE KEY" => parse("pkcs8", &content),
        "RSA PRIVATE KEY" => parse("pkcs1", &content),
        "EC PRIVATE KEY" => parse("sec1", &content),
        "PUBLIC KEY" | "RSA PUBLIC KEY" => parse("spki", &content),
        "CERTIFICATE" => parse("spki", der::key_of_certificate(&content).ok_or("not a certificate")?),
        "ENCRYPTED PRIVATE KEY" => Err("a private key with a passphrase is not available".into()),
        _ => Err("a kind of key that is not available".into()),
    }
}

fn parse(format: &str, content: &[u8]) -> Result<Key> {
    let unsuitable = || "not a key, or of a kind that is not available (RSA, P-256 and P-384 are)".to_owned();
    match format {
        "pkcs8" | "pkcs1" | "sec1" => {
            let rsa = || RsaKeyPair::from_pkcs8(content).or_else(|_| RsaKeyPair::from_der(content));
            if let Ok(key) = rsa() {
                return Ok(Key::PrivateRsa(key));
            }
            for curve in CURVES {
                if let Ok(key) = EcdsaKeyPair::from_private_key_der(curve.signing, content) {
                    return Ok(Key::PrivateEc(curve, key));
                }
            }
            Err(unsuitable())
        }
        "spki" => {
            for curve in CURVES {
                if let Some(point) = content.strip_prefix(curve.spki) {
                    return public_ec(curve, point.to_vec());
                }
            }
            PublicKey::from_der(content).map(Key::PublicRsa).map_err(|_| unsuitable())
        }
        _ => Err(format!("no format {format}")),
    }
}

fn public_ec(curve: Curve, point: Vec<u8>) -> Result<Key> {
    match ParsedPublicKey::new(curve.verifying, &point) {
        Ok(_) => Ok(Key::PublicEc(curve, point)),
        Err(_) => Err("not a point of the curve".into()),
    }
}

fn jwk(content: &[u8]) -> Result<Key> {
    let members: Map<String, Value> = serde_json::from_slice(content).map_err(|_| "not a JWK")?;
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    let bytes = |name: &str| {
        let decoded = text(name).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        decoded.ok_or_else(|| format!("the JWK has no valid `{name}`"))
    };
    match text("kty") {
        Some("RSA") => {
            let public_key = PublicKeyComponents { n: bytes("n")?, e: bytes("e")? };
            if !members.contains_key("d") {
                let der: PublicKeyX509Der<'_> = public_key.as_der().map_err(|_| "not a usable RSA key")?;
                return parse("spki", der.as_ref());
            }
            let components = KeyPairComponents {
                public_key,
                d: bytes("d")?,
                p: bytes("p")?,
                q: bytes("q")?,
                dP: bytes("dp")?,
                dQ: bytes("dq")?,
                qInv: bytes("qi")?,
            };
            let key = RsaKeyPair::from_components(&components).map_err(|_| "not a usable RSA key")?;
            Ok(Key::PrivateRsa(key))
        }
        Some("EC") => {
            let curve = CURVES.into_iter().find(|curve| Some(curve.name) == text("crv"));
            let curve = curve.ok_or("of the curves only P-256 and P-384 are available")?;
            let point = [&[4][..], &bytes("x")?, &bytes("y")?].concat();
            if !members.contains_key("d") {
                return public_ec(curve, point);
            }
            let key = EcdsaKeyPair::from_private_key_and_public_key(curve.signing, &bytes("d")?, &point);
            key.map(|key| Key::PrivateEc(curve, key)).map_err(|_| "not a usable EC key".into())
        }
        _ => Err("of JWKs only RSA and EC are available".into()),
    }
}

fn public(key: Key) -> Result<Key> {
    match key {
        Key::PrivateRsa(key) => parse("spki", key.public_key().as_ref()),
        Key::PrivateEc(curve, key) => public_ec(curve, key.public_key().as_ref().to_vec()),
        public => Ok(public),
    }
}

fn describe(key: &Key) -> Option<String> {
    let (kind, der, jwk) = match key {
        Key::PrivateRsa(key) => {
            let der: Pkcs8V1Der<'_> = key.as_der().ok()?;
            let mut pkcs8 = Reader::new(Reader::new(der.as_ref()).inside(SEQUENCE)?);
            pkcs8.number()?;
            pkcs8.inside(SEQUENCE)?;
            let mut pkcs1 = Reader::new(Reader::new(pkcs8.inside(OCTET_STRING)?).inside(SEQUENCE)?);
            pkcs1.number()?;
            ("private", der.as_ref().to_vec(), rsa_jwk(&mut pkcs1, &RSA_MEMBERS)?)
        }
        Key::PublicRsa(key) => {
            let der: PublicKeyX509Der<'_> = key.as_der().ok()?;
            let mut pkcs1 = Reader::new(Reader::new(key.as_ref()).inside(SEQUENCE)?);
            ("public", der.as_ref().to_vec(), rsa_jwk(&mut pkcs1, &RSA_MEMBERS[..2])?)
        }
        Key::PrivateEc(curve, key) => {
            let secret: EcPrivateKeyBin<'_> = key.private_key().as_be_bytes().ok()?;
            let mut jwk = ec_jwk(*curve, key.public_key().as_ref())?;
            jwk.insert("d".into(), URL_SAFE_NO_PAD.encode(secret.as_ref()).into());
            ("private", key.to_pkcs8v1().ok()?.as_ref().to_vec(), jwk)
        }
        Key::PublicEc(curve, point) => ("public", [curve.spki, point].concat(), ec_jwk(*curve, point)?),
    };
    let curve = jwk.get("crv").cloned();
    let bits = jwk
        .get("n")
        .and_then(Value::as_str)
        .and_then(|n| URL_SAFE_NO_PAD.decode(n).ok())
        .map(|n| n.len() * 8 - n.first().map_or(0, |first| first.leading_zeros() as usize));
    Some(
        json!({ "type": kind, "curve": curve, "bits": bits, "der": STANDARD.encode(der), "jwk": jwk })
            .to_string(),
    )
}

fn rsa_jwk(numbers: &mut Reader<'_>, names: &[&str]) -> Option<Map<String, Value>> {
    let mut jwk = Map::new();
    jwk.insert("kty".into(), "RSA".into());
    for name in names {
        jwk.insert((*name).into(), URL_SAFE_NO_PAD.encode(numbers.number()?).into());
    }
    Some(jwk)
}

fn ec_jwk(curve: Curve, point: &[u8]) -> Option<Map<String, Value>> {
    let (x, y) = point.get(1..)?.split_at_checked(curve.size)?;
    let member = |name: &str, value: String| (name.to_owned(), Value::from(value));
    Some(Map::from_iter([
        member("kty", "EC".into()),
        member("crv", curve.name.into()),
        member("x", URL_SAFE_NO_PAD.encode(x)),
        member("y", URL_SAFE_NO_PAD.encode(y)),
    ]))
}

const PSS_SHA256: RsaSignatureEncoding =
    signature::RSA_PSS_SHA256.with_pss_salt_length(RsaPssSaltLength::Custom(0));
const PSS_SHA384: RsaSignatureEncoding =
    signature::RSA_PSS_SHA384.with_pss_salt_length(RsaPssSaltLength::Custom(0));
const PSS_SHA512: RsaSignatureEncoding =
    signature::RSA_PSS_SHA512.with_pss_salt_length(RsaPssSaltLength::Custom(0));

/// `sign(scheme, hash, private key, data)`: scheme `pkcs1`, `pss` (with an empty salt) or `ecdsa` (`r` and `s` as in JWS,
/// RFC 7515 A.3).
pub(super) fn sign(inputs: &Inputs<'_>) -> Result<Vec<u8>> {
    let (scheme, hash, data) = (inputs.text(0)?, inputs.text(1)?, inputs.bytes(3));
    match parse("pkcs8", inputs.bytes(2))? {
        Key::PrivateRsa(key) => {
            let encoding: &RsaSignatureEncoding = match (scheme, hash) {
                ("pkcs1", "sha256") => &signature::RSA_PKCS1_SHA256,
                ("pkcs1", "sha384") => &signature::RSA_PKCS1_SHA384,
                ("pkcs1", "sha512") => &signature::RSA_PKCS1_SHA512,
                ("pss", "sha256") => &PSS_SHA256,
                ("pss", "sha384") => &PSS_SHA384,
                ("pss", "sha512") => &PSS_SHA512,
                _ => return unavailable(scheme, hash),
            };
            let mut signed = vec![0; key.public_modulus_len()];
            // It draws nothing: there is no salt.
            key.sign(encoding, &SystemRandom::new(), data, &mut signed).map_err(|_| "it cannot be signed")?;
            Ok(signed)
        }
        Key::PrivateEc(curve, key) if scheme == "ecdsa" && curve.hash == hash => {
            let secret: EcPrivateKeyBin<'_> =
                key.private_key().as_be_bytes().map_err(|_| "not a usable key")?;
            let (secret, hashed) = (secret.as_ref(), digest::hash(hash, data)?);
            let signed = if curve.size == 32 {
                let key = p256::ecdsa::SigningKey::from_slice(secret).map_err(|_| "not a usable key")?;
                let signed: Result<p256::ecdsa::Signature, _> = key.sign_prehash(&hashed);
                signed.map(|signed| signed.to_bytes().to_vec())
            } else {
                let key = p384::ecdsa::SigningKey::from_slice(secret).map_err(|_| "not a usable key")?;
                let signed: Result<p384::ecdsa::Signature, _> = key.sign_prehash(&hashed);
                signed.map(|signed| signed.to_bytes().to_vec())
            };
            signed.map_err(|_| "it cannot be signed".into())
        }
        _ => unavailable(scheme, hash),
    }
}

/// `verify(scheme, hash, public key, data, signature, salt length)`: `true` or `false`. The signature is as `sign` makes
/// it; the salt length is for `pss` alone.
pub(super) fn verify(inputs: &Inputs<'_>) -> Result<String> {
    let (scheme, hash, data, signed) = (inputs.text(0)?, inputs.text(1)?, inputs.bytes(3), inputs.bytes(4));
    let verified = match parse("spki", inputs.bytes(2))? {
        Key::PublicRsa(key) => {
            let salt = |parameters: RsaParameters| {
                let length = inputs.number(5).ok().and_then(|length| u16::try_from(length).ok());
                let length = length.ok_or("not a length of a salt")?;
                Ok::<_, String>(parameters.with_pss_salt_length(RsaPssSaltLength::Custom(length)))
            };
            let parameters = match (scheme, hash) {
                ("pkcs1", "sha1") => signature::RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
                ("pkcs1", "sha256") => signature::RSA_PKCS1_2048_8192_SHA256,
                ("pkcs1", "sha384") => signature::RSA_PKCS1_2048_8192_SHA384,
                ("pkcs1", "sha512") => signature::RSA_PKCS1_2048_8192_SHA512,
                ("pss", "sha256") => salt(signature::RSA_PSS_2048_8192_SHA256)?,
                ("pss", "sha384") => salt(signature::RSA_PSS_2048_8192_SHA384)?,
                ("pss", "sha512") => salt(signature::RSA_PSS_2048_8192_SHA512)?,
                _ => return unavailable(scheme, hash),
            };
            let mut numbers = Reader::new(Reader::new(key.as_ref()).inside(SEQUENCE).unwrap_or_default());
            let (n, e) = (numbers.number().unwrap_or_default(), numbers.number().unwrap_or_default());
            PublicKeyComponents { n, e }.verify(&parameters, data, signed)
        }
        Key::PublicEc(curve, point) if scheme == "ecdsa" && curve.hash == hash => {
            UnparsedPublicKey::new(curve.verifying, point).verify(data, signed)
        }
        _ => return unavailable(scheme, hash),
    };
    Ok(verified.is_ok().to_string())
}

fn unavailable<T>(scheme: &str, hash: &str) -> Result<T> {
    Err(format!("{scheme} with {hash} is not available for this key"))
}
