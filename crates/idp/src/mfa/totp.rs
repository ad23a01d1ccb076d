//! Time-based one-time passwords (RFC 6238): HMAC-SHA-1, six digits, 30 seconds, as all authenticator apps have them. Few
//! lines over HMAC: the library for it does not say which step a code belongs to, which is what is spent.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac::{HMAC_SHA1_FOR_LEGACY_USE_ONLY, Key, sign};
use data_encoding::BASE32_NOPAD;
use model::{RandomSource, Timestamp};

const STEP_SECS: i64 = 30;
const DIGITS: usize = 6;
/// 160 bits (RFC 4226 §4, R6).
const SECRET_BYTES: usize = 20;
/// Steps before and after the present one whose codes are accepted (RFC 6238 §5.2).
const SKEW_STEPS: i64 = 1;

pub(super) fn new_secret(random: &dyn RandomSource) -> Vec<u8> {
    let mut secret = vec![0; SECRET_BYTES];
    random.fill(&mut secret);
    secret
}

/// As people type it into an app that cannot read the picture.
pub(super) fn secret_as_text(secret: &[u8]) -> String {
    BASE32_NOPAD.encode(secret)
}

/// The time step that this code belongs to, about now. Blanks in the code do not count.
pub(super) fn step_of(secret: &[u8], code: &str, now: Timestamp) -> Option<i64> {
    let typed: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let present = now.as_secs().div_euclid(STEP_SECS);
    let fits = |step: &i64| {
        let code = code_of(secret, *step);
        verify_slices_are_equal(code.as_bytes(), typed.as_bytes()).is_ok()
    };
    // The newest, should two steps have the same code: both are spent then.
    (present - SKEW_STEPS..=present + SKEW_STEPS).rev().find(fits)
}

/// RFC 4226 §5.3.
fn code_of(secret: &[u8], step: i64) -> String {
    let key = Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = sign(&key, &step.to_be_bytes());
    let bytes = tag.as_ref();
    let offset = usize::from(bytes.last().copied().unwrap_or_default() & 0xf);
    let number = bytes.iter().skip(offset).take(4).fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte));
    let modulus = 10_u32.pow(DIGITS as u32);
    format!("{:0DIGITS$}", (number & 0x7fff_ffff) % modulus)
}

/// What an authenticator app reads from the picture.
pub(super) fn uri(secret: &[u8], issuer: &str, account: &str) -> String {
    // A colon stands between the two in the label.
    let issuer = percent_encoded(&issuer.replace(':', " "));
    let account = percent_encoded(account);
    let secret = secret_as_text(secret);
    format!(
        "otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits=6&period=30"
    )
}

/// RFC 3986 §2.1. A form's encoding will not do: apps show its `+`.
fn percent_encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"12345678901234567890";

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_ms(secs * 1000)
    }

    /// The moments and codes of RFC 6238 Appendix B for SHA-1, the last six of their eight digits.
    const VECTORS: [(i64, &str); 6] = [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ];

    #[test]
    fn codes_are_those_of_the_rfcs() {
        for (secs, code) in VECTORS {
            assert_eq!(step_of(SECRET, code, at(secs)), Some(secs / 30), "{secs}");
        }
        // RFC 4226 Appendix D.
        let codes =
            ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871"];
        for (step, code) in (0..).zip(codes) {
            assert_eq!(code_of(SECRET, step), code);
        }
    }

    #[test]
    fn a_code_is_taken_one_step_before_and_after_and_no_further() {
        let (secs, code) = VECTORS[3];
        let step = secs / 30;
        for (moment, taken) in [
            ((step - 1) * 30 - 1, false),
            ((step - 1) * 30, true),
            (step * 30, true),
            ((step + 2) * 30 - 1, true),
            ((step + 2) * 30, false),
        ] {
            assert_eq!(step_of(SECRET, code, at(moment)), taken.then_some(step), "{moment}");
        }
        assert_eq!(step_of(SECRET, " 005 924 ", at(secs)), Some(step));
        for wrong in ["", "5924", "05924", "0059240", "005925", "OO5924", "٠٠٥٩٢٤"] {
            assert_eq!(step_of(SECRET, wrong, at(secs)), None, "{wrong}");
        }
    }

    #[test]
    fn the_uri_names_issuer_and_account_in_a_way_that_apps_show() {
        let uri = uri(SECRET, "Acme: Größe & Co", "ada@example.com");
        let encoded = "Acme%20%20Gr%C3%B6%C3%9Fe%20%26%20Co";
        let secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
        assert_eq!(
            uri,
            format!(
                "otpauth://totp/{encoded}:ada%40example.com?secret={secret}&issuer={encoded}&algorithm=SHA1&digits=6&period=30"
            )
        );
    }
}
