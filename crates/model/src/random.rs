use crate::Timestamp;

/// Where randomness comes from. Tests give a fixed one.
pub trait RandomSource: Send + Sync {
    /// Fills the buffer with random bytes.
    fn fill(&self, bytes: &mut [u8]);
}

/// The operating system's random source.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl RandomSource for SystemRandom {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the machine's randomness"
    )]
    #[expect(clippy::expect_used, reason = "without randomness no credential may be made: stop the process")]
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system gives random bytes");
    }
}

/// A random UUID (RFC 9562 §5.4).
#[must_use]
pub fn random_uuid(random: &dyn RandomSource) -> String {
    let mut bytes = [0; 16];
    random.fill(&mut bytes);
    uuid(bytes, 4)
}

/// The UUID with these bits, but for those that say which version it is (RFC 9562 §4).
#[must_use]
pub fn uuid(mut bytes: [u8; 16], version: u8) -> String {
    bytes[6] = bytes[6] & 0x0f | version << 4;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text += &format!("{byte:02x}");
    }
    text
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The same characters in the order of their bytes.
const ORDERED: &[u8; 64] = b"-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";

/// An id, never a credential: eight characters that are the time, and `length` random ones. Ids of about the same time are
/// next to each other in an index, so that storing many writes few of its pages.
#[must_use]
pub fn ordered_id(random: &dyn RandomSource, now: Timestamp, length: usize) -> String {
    let ms = now.as_ms();
    let digits = (0..8).rev().map(|place| (ms >> (6 * place)) & 63);
    let time: String = digits
        .filter_map(|digit| ORDERED.get(usize::try_from(digit).ok()?))
        .map(|c| char::from(*c))
        .collect();
    time + &random_token(random, length)
}

/// A credential or id of `length` characters of the base64url alphabet, six random bits each. A credential takes 43
/// (258 bits).
#[must_use]
pub fn random_token(random: &dyn RandomSource, length: usize) -> String {
    let mut bytes = vec![0; length];
    random.fill(&mut bytes);
    bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 63)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Zeros;

    impl RandomSource for Zeros {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    #[test]
    fn a_uuid_says_which_version_it_is() {
        assert_eq!(random_uuid(&Zeros), "00000000-0000-4000-8000-000000000000");
        assert_eq!(uuid([0xff; 16], 8), "ffffffff-ffff-8fff-bfff-ffffffffffff");
    }

    #[test]
    fn ids_are_in_the_order_of_their_times() {
        let ids: Vec<_> = [0, 1, 63, 64, 1_795_659_600_000, 1_795_659_600_001, (1 << 48) - 1]
            .map(|ms| ordered_id(&Zeros, Timestamp::from_ms(ms), 4))
            .into();
        assert!(ids.is_sorted(), "{ids:?}");
        assert!(ids.iter().all(|id| id.len() == 12));
        assert_eq!(ids[3], "------0-AAAA");
    }
}
