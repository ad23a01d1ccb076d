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

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A credential or id of `length` characters of the base64url alphabet, six random bits each. A credential takes 43
/// (258 bits).
#[must_use]
pub fn random_token(random: &dyn RandomSource, length: usize) -> String {
    let mut bytes = vec![0; length];
    random.fill(&mut bytes);
    bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 63)])).collect()
}
