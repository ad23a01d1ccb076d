//! Hashes and what is built on them. Names are lower-case without a hyphen, as `sha256`.

use std::num::NonZeroU32;

use aws_lc_rs::{digest as hashes, hkdf as hkdfs, hmac as hmacs, pbkdf2 as pbkdf2s};
use md5::Digest as _;

use super::{Inputs, Result};

/// The most bytes that a derivation answers.
const MAX_DERIVED: usize = 64 << 10;

fn unknown<T>(name: &str) -> Result<T> {
    Err(format!("no hash {name}"))
}

pub(super) fn hash(name: &str, data: &[u8]) -> Result<Vec<u8>> {
    let algorithm = match name {
        // No security rests on it: it is for the checksums that older interfaces ask for.
        "md5" => return Ok(md5::Md5::digest(data).to_vec()),
        "sha1" => &hashes::SHA1_FOR_LEGACY_USE_ONLY,
        "sha224" => &hashes::SHA224,
        "sha256" => &hashes::SHA256,
        "sha384" => &hashes::SHA384,
        "sha512" => &hashes::SHA512,
        _ => return unknown(name),
    };
    Ok(hashes::digest(algorithm, data).as_ref().to_vec())
}

/// `digest(hash, data)`
pub(super) fn digest(inputs: &Inputs<'_>) -> Result<Vec<u8>> {
    hash(inputs.text(0)?, inputs.bytes(1))
}

fn hmac_algorithm(name: &str) -> Result<hmacs::Algorithm> {
    match name {
        "sha1" => Ok(hmacs::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
        "sha224" => Ok(hmacs::HMAC_SHA224),
        "sha256" => Ok(hmacs::HMAC_SHA256),
        "sha384" => Ok(hmacs::HMAC_SHA384),
        "sha512" => Ok(hmacs::HMAC_SHA512),
        _ => unknown(name),
    }
}

/// `hmac(hash, key, data)` (RFC 2104)
pub(super) fn hmac(inputs: &Inputs<'_>) -> Result<Vec<u8>> {
    let key = hmacs::Key::new(hmac_algorithm(inputs.text(0)?)?, inputs.bytes(1));
    Ok(hmacs::sign(&key, inputs.bytes(2)).as_ref().to_vec())
}

/// How often `pbkdf2` hashes, over all blocks of its answer.
pub(super) fn rounds(inputs: &Inputs<'_>) -> u64 {
    let number = |at| inputs.number(at).map_or(0, u64::from);
    number(3).saturating_mul(number(4).div_ceil(20).max(1))
}

fn derived(inputs: &Inputs<'_>, at: usize) -> Result<Vec<u8>> {
    match inputs.number(at)? as usize {
        length if length <= MAX_DERIVED => Ok(vec![0; length]),
        _ => Err(format!("more than {MAX_DERIVED} bytes cannot be derived")),
    }
}

/// `pbkdf2(hash, password, salt, rounds, length)` (RFC 8018 §5.2)
pub(super) fn pbkdf2(inputs: &Inputs<'_>) -> Result<Vec<u8>> {
    let algorithm = match inputs.text(0)? {
        "sha1" => pbkdf2s::PBKDF2_HMAC_SHA1,
        "sha256" => pbkdf2s::PBKDF2_HMAC_SHA256,
        "sha384" => pbkdf2s::PBKDF2_HMAC_SHA384,
        "sha512" => pbkdf2s::PBKDF2_HMAC_SHA512,
        name => return unknown(name),
    };
    let rounds = NonZeroU32::new(inputs.number(3)?).ok_or("at least one round is needed")?;
    let mut answer = derived(inputs, 4)?;
    if !answer.is_empty() {
        pbkdf2s::derive(algorithm, rounds, inputs.bytes(2), inputs.bytes(1), &mut answer);
    }
    Ok(answer)
}

struct Length(usize);

impl hkdfs::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// `hkdf(hash, secret, salt, info, length)` (RFC 5869)
pub(super) fn hkdf(inputs: &Inputs<'_>) -> Result<Vec<u8>> {
    let algorithm = match inputs.text(0)? {
        "sha1" => hkdfs::HKDF_SHA1_FOR_LEGACY_USE_ONLY,
        "sha256" => hkdfs::HKDF_SHA256,
        "sha384" => hkdfs::HKDF_SHA384,
        "sha512" => hkdfs::HKDF_SHA512,
        name => return unknown(name),
    };
    let mut answer = derived(inputs, 4)?;
    if answer.is_empty() {
        return Ok(answer);
    }
    let key = hkdfs::Salt::new(algorithm, inputs.bytes(2)).extract(inputs.bytes(1));
    let info = [inputs.bytes(3)];
    let filled = key.expand(&info, Length(answer.len())).and_then(|out| out.fill(&mut answer));
    filled.map_err(|_| "the length is too large for the hash")?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::super::tests::called;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn derivations_are_those_of_their_rfcs() {
        // RFC 6070, second case.
        let key = called("pbkdf2", &[b"sha1", b"password", b"salt", b"2", b"20"]).expect("a key");
        assert_eq!(hex(&key), "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957");
        // RFC 5869, first case.
        let salt: Vec<u8> = (0..=0x0c).collect();
        let info: Vec<u8> = (0xf0..=0xf9).collect();
        let key = called("hkdf", &[b"sha256", &[0x0b; 22], &salt, &info, b"42"]).expect("a key");
        assert_eq!(
            hex(&key),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
        );
        assert!(called("pbkdf2", &[b"sha256", b"p", b"s", b"0", b"32"]).is_err());
        assert!(called("pbkdf2", &[b"sha256", b"p", b"s", b"1", b"70000"]).is_err());
    }
}
