//! How a step looks: what was sent, what came back, no credential in full.

use serde_json::Value;
use url::Url;

use crate::http::Answer;
use crate::process::say;

/// Parameters and fields whose values are credentials.
const CREDENTIALS: [&str; 15] = [
    "code",
    "code_verifier",
    "access_token",
    "refresh_token",
    "id_token",
    "id_token_hint",
    "token",
    "session_transfer_token",
    "password",
    "csrf",
    "client_secret",
    "state",
    "nonce",
    "code_challenge",
    "handle",
];

/// Numbers the steps.
#[derive(Default)]
pub(crate) struct Script {
    step: usize,
}

impl Script {
    /// The heading of a step.
    pub(crate) fn step(&mut self, what: &str) {
        self.step += 1;
        say(&format!("\n{:>2}. {what}", self.step));
    }
}

/// A request: method, address, form.
pub(crate) fn request(who: &str, method: &str, url: &Url, form: &[(&str, &str)]) {
    say(&format!("    {who} -> {method} {}", address(url)));
    for (name, value) in form {
        say(&format!("         {name}={}", value_of(name, value)));
    }
}

/// A response: status, where to, cookies, and the body when it is JSON.
pub(crate) fn answer(answer: &Answer) {
    let to = answer.location.as_ref().map(|to| format!(", Location: {}", address(to))).unwrap_or_default();
    say(&format!("      <- {}{to}", answer.status));
    for cookie in &answer.cookies {
        let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        say(&format!("         Set-Cookie: {name}={};{attributes}", short(value)));
    }
    if let Ok(Value::Object(body)) = serde_json::from_str(&answer.body) {
        for (name, value) in &body {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            say(&format!("         {name}: {}", value_of(name, &text)));
        }
    }
}

/// A finding.
pub(crate) fn fact(text: &str) {
    say(&format!("      => {text}"));
}

/// An address with its credentials shortened.
fn address(url: &Url) -> String {
    let mut bare = url.clone();
    bare.set_query(None);
    let pairs: Vec<_> =
        url.query_pairs().map(|(name, value)| format!("{name}={}", value_of(&name, &value))).collect();
    if pairs.is_empty() { bare.to_string() } else { format!("{bare}?{}", pairs.join("&")) }
}

fn value_of(name: &str, value: &str) -> String {
    if CREDENTIALS.contains(&name) { short(value) } else { value.to_owned() }
}

/// The first characters of a credential.
fn short(value: &str) -> String {
    let start: String = value.chars().take(6).collect();
    if start.len() < value.len() { format!("{start}...") } else { start }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_never_shown_in_full() {
        let url: Url = "http://a.localhost/x?code=abcdefghijk&iss=http://a".parse().unwrap();
        assert_eq!(address(&url), "http://a.localhost/x?code=abcdef...&iss=http://a");
    }
}
