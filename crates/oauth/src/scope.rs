use crate::{ErrorCode, OAuthError};

/// The scopes of a `scope` parameter in the order given, each once (RFC 6749 §3.3). An empty text has none.
///
/// # Errors
/// `invalid_scope` for a character that a scope may not have.
pub fn parse_scope(text: &str) -> Result<Vec<String>, OAuthError> {
    let mut scopes: Vec<String> = Vec::new();
    for scope in text.split(' ').filter(|scope| !scope.is_empty()) {
        if !scope.bytes().all(|c| matches!(c, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)) {
            return Err(OAuthError::new(
                ErrorCode::InvalidScope,
                "A scope has a character that it may not have",
            ));
        }
        if !scopes.iter().any(|known| known == scope) {
            scopes.push(scope.to_owned());
        }
    }
    Ok(scopes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_keep_their_order_and_come_once() {
        assert_eq!(
            parse_scope("openid  read:x openid offline_access ").unwrap(),
            ["openid", "read:x", "offline_access"]
        );
        assert!(parse_scope("").unwrap().is_empty());
        for bad in ["a\tb", "a\nb", "a\"b", "a\\b", "é", "a\0"] {
            assert_eq!(parse_scope(bad).unwrap_err().code, ErrorCode::InvalidScope, "{bad:?}");
        }
    }
}
