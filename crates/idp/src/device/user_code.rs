use std::fmt;

use model::RandomSource;

use crate::credential::hash_credential;

/// No vowels, so that no code is a word, and nothing that looks like something else (RFC 8628 §6.1; the dialect's
/// `base20`).
const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const LENGTH: usize = 8;

/// What a device shows and its user types: 34 random bits, written `BCDF-GHJK`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UserCode(String);

impl UserCode {
    pub(crate) fn random(random: &dyn RandomSource) -> Self {
        let mut code = String::with_capacity(LENGTH);
        while code.len() < LENGTH {
            let mut bytes = [0; LENGTH];
            random.fill(&mut bytes);
            // Below 240, every letter has the same share.
            let letters = bytes.iter().filter(|byte| **byte < 240);
            code.extend(letters.map(|byte| char::from(ALPHABET[usize::from(byte % 20)])));
        }
        code.truncate(LENGTH);
        Self(code)
    }

    /// As people type it: any case, with or without hyphens and spaces. `None` when it cannot be a code.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut code = String::with_capacity(LENGTH);
        for c in text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '-' | '\u{2010}'..='\u{2015}')) {
            let c = c.to_ascii_uppercase();
            if code.len() == LENGTH || !c.is_ascii() || !ALPHABET.contains(&(c as u8)) {
                return None;
            }
            code.push(c);
        }
        (code.len() == LENGTH).then_some(Self(code))
    }

    /// What the database keeps of it.
    pub(crate) fn hash(&self) -> String {
        hash_credential(&self.0)
    }
}

impl fmt::Display for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second) = self.0.split_at(LENGTH / 2);
        write!(f, "{first}-{second}")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use model::SystemRandom;

    use super::*;

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let code = Some(UserCode("BCDFGHJK".to_owned()));
        for text in ["BCDF-GHJK", "bcdfghjk", " bcdf ghjk\n", "b-c-d-f-g-h-j-k", "BCDF\u{2013}GHJK"] {
            assert_eq!(UserCode::parse(text), code, "{text}");
        }
        for text in
            ["", "BCDF-GHJ", "BCDF-GHJKL", "BCDF-GHJA", "BCDF-GHJ0", "ßCDFGHJK", "BCDF_GHJK", "\u{212a}"]
        {
            assert_eq!(UserCode::parse(text), None, "{text}");
        }
        assert_eq!(UserCode::parse(&"B".repeat(1_000_000)), None);
    }

    #[test]
    fn every_letter_comes_and_comes_back() {
        let mut seen = BTreeMap::new();
        for _ in 0..500 {
            let code = UserCode::random(&SystemRandom);
            let text = code.to_string();
            assert_eq!((text.len(), text.as_bytes()[4]), (9, b'-'));
            assert_eq!(UserCode::parse(&text), Some(code.clone()));
            code.0.chars().for_each(|c| *seen.entry(c).or_insert(0) += 1);
        }
        // 4000 letters, 200 of each expected: 14 standard deviations of 13.8.
        assert!(
            seen.len() == ALPHABET.len() && seen.values().all(|count| (10..400).contains(count)),
            "{seen:?}"
        );
    }
}
