use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::{ErrorCode, OAuthError};

/// What a client sent in the `Authorization` header.
#[derive(Clone, PartialEq, Eq)]
pub struct BasicCredentials {
    /// Its id.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
}

impl fmt::Debug for BasicCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BasicCredentials").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

/// Reads HTTP Basic credentials of a client (RFC 7617 §2). Id and secret are form-encoded in them (RFC 6749 §2.3.1).
///
/// # Errors
/// `invalid_client` when the header is no such thing.
pub fn parse_basic(header: &str) -> Result<BasicCredentials, OAuthError> {
    let malformed = || OAuthError::new(ErrorCode::InvalidClient, "Malformed Authorization header");
    let (scheme, encoded) = header.trim().split_once(' ').ok_or_else(malformed)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(malformed());
    }
    let bytes = STANDARD.decode(encoded.trim()).map_err(|_| malformed())?;
    let text = String::from_utf8(bytes).map_err(|_| malformed())?;
    let (client_id, client_secret) = text.split_once(':').ok_or_else(malformed)?;
    Ok(BasicCredentials {
        client_id: form_decode(client_id).ok_or_else(malformed)?,
        client_secret: form_decode(client_secret).ok_or_else(malformed)?,
    })
}

/// `+` and `%XX` (RFC 6749 Appendix B). A percent sign that begins no escape stands for itself: clients that do not
/// encode exist.
fn form_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'+', _) => bytes.push(b' '),
            (b'%', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    bytes.push(high << 4 | low);
                    rest = after;
                }
                _ => bytes.push(b'%'),
            },
            (other, _) => bytes.push(*other),
        }
    }
    String::from_utf8(bytes).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_and_secret_are_form_encoded_in_the_header() {
        // The example of RFC 6749 §2.3.1.
        let example = parse_basic("Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3").unwrap();
        assert_eq!(
            (example.client_id.as_str(), example.client_secret.as_str()),
            ("s6BhdRkqt3", "7Fjfp0ZBr1KtDRbnfVdmIw")
        );
        for (pair, id, secret) in [
            ("a:b:c", "a", "b:c"),
            ("a%3Ab:c%25%2B+d", "a:b", "c%+ d"),
            ("a:%C3%A9", "a", "é"),
            ("a:50%", "a", "50%"),
            ("a:%zz", "a", "%zz"),
            ("a:", "a", ""),
        ] {
            let header = format!("bAsIc {}", STANDARD.encode(pair));
            let parsed = parse_basic(&header).unwrap();
            assert_eq!((parsed.client_id.as_str(), parsed.client_secret.as_str()), (id, secret), "{pair}");
        }
        for bad in
            ["", "Basic", "Basic ", "Basic !!", "Bearer YTpi", &format!("Basic {}", STANDARD.encode("ab"))]
        {
            assert_eq!(parse_basic(bad).unwrap_err().status(), 401, "{bad}");
        }
        assert!(parse_basic(&format!("Basic {}", STANDARD.encode("a:%ff"))).is_err());
    }
}
