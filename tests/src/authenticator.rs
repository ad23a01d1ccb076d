//! An authenticator app, as a user has it: the codes of RFC 6238, from the secret as a page or the MFA API shows it.

use aws_lc_rs::hmac::{HMAC_SHA1_FOR_LEGACY_USE_ONLY, Key, sign};
use model::Clock;

use crate::FakeClock;

/// The code that the app shows now.
pub fn code(secret: &str, clock: &FakeClock) -> String {
    let key = Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, &base32(secret));
    let step = u64::try_from(clock.now().as_secs() / 30).unwrap();
    let tag = sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let at = usize::from(tag[19] & 0xf);
    let number = u32::from_be_bytes(tag[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

/// One that it does not show now, nor just before or after.
pub fn wrong_code(secret: &str, clock: &FakeClock) -> String {
    let right: u32 = code(secret, clock).parse().unwrap();
    format!("{:06}", (right + 123_457) % 1_000_000)
}

/// RFC 4648 §6. Blanks do not count.
fn base32(text: &str) -> Vec<u8> {
    let (mut bytes, mut buffer, mut bits) = (Vec::new(), 0_u32, 0);
    for character in text.chars().filter(|c| !c.is_whitespace()) {
        let value = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".find(character).expect("base32");
        buffer = buffer << 5 | u32::try_from(value).unwrap();
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((buffer >> bits & 0xff) as u8);
        }
    }
    bytes
}
