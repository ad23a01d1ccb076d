use aws_lc_rs::hmac;

/// Unpredictable bytes from a run's seed: HMAC-SHA-256 of a counter, with a key that is made from the seed for one purpose.
/// Who sees the bytes of one purpose learns nothing of the seed, nor of another's.
pub(crate) struct Randomness {
    key: hmac::Key,
    blocks: u64,
    /// What is left of the last block.
    rest: Vec<u8>,
}

impl Randomness {
    /// The stream that `purpose` has from this seed.
    pub(crate) fn new(seed: &[u8; 32], purpose: &str) -> Self {
        let secret = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, seed), purpose.as_bytes());
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, secret.as_ref()), blocks: 0, rest: Vec::new() }
    }

    /// The next bytes of the stream.
    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            if self.rest.is_empty() {
                let block = hmac::sign(&self.key, &self.blocks.to_le_bytes());
                self.blocks += 1;
                self.rest.extend(block.as_ref().iter().rev());
            }
            *byte = self.rest.pop().unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_its_seeds_and_purposes_however_it_is_read() {
        let stream = |seed: u8, purpose: &str, parts: &[usize]| {
            let mut random = Randomness::new(&[seed; 32], purpose);
            let mut all = Vec::new();
            for part in parts {
                let mut bytes = vec![0; *part];
                random.fill(&mut bytes);
                all.extend(bytes);
            }
            all
        };
        assert_eq!(stream(1, "a", &[100]), stream(1, "a", &[1, 32, 31, 36]));
        assert_ne!(stream(1, "a", &[32]), stream(2, "a", &[32]));
        assert_ne!(stream(1, "a", &[32]), stream(1, "b", &[32]));
        let bytes = stream(1, "a", &[64]);
        assert_ne!(bytes[..32], bytes[32..]);
    }
}
