//! White space, comments and words between the nodes of a syntax tree.

/// The place of the next token: behind white space and comments.
pub(crate) fn skip_trivia(source: &str, at: u32) -> u32 {
    let mut at = at as usize;
    loop {
        let rest = source.get(at..).unwrap_or_default();
        if let Some(comment) = rest.strip_prefix("//") {
            at += 2 + comment.find(['\n', '\r', '\u{2028}', '\u{2029}']).unwrap_or(comment.len());
        } else if let Some(comment) = rest.strip_prefix("/*") {
            at += 2 + comment.find("*/").map_or(comment.len(), |end| end + 2);
        } else if let Some(space) = rest.chars().next().filter(|c| c.is_whitespace() || *c == '\u{feff}') {
            at += space.len_utf8();
        } else {
            return at as u32;
        }
    }
}

/// The word that begins here; empty when none does.
pub(crate) fn word_at(source: &str, at: u32) -> &str {
    let rest = source.get(at as usize..).unwrap_or_default();
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$').unwrap_or(rest.len());
    &rest[..end]
}
