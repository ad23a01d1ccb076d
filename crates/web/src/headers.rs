//! The security headers of every response, errors and 404 included.

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use url::Url;

use crate::Scheme;

const COOP: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const CORP: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Adds what the handler did not set itself. Nothing is stored unless the handler says so.
pub(crate) fn complete(response: &mut Response, path: &str, scheme: Scheme) {
    let framed = response.extensions().get::<Framed>().is_some();
    let headers = response.headers_mut();
    let mut default = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    default(
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    );
    default(X_CONTENT_TYPE_OPTIONS, "nosniff");
    default(REFERRER_POLICY, "no-referrer");
    if !framed {
        default(X_FRAME_OPTIONS, "DENY");
    }
    default(COOP, "same-origin");
    default(CACHE_CONTROL, "no-store");
    if path.starts_with("/assets/") {
        default(CORP, "same-origin");
    }
    if scheme == Scheme::Https {
        default(STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
}

/// The policy of a page with a form whose submission ends at one of these URIs. Chromium applies `form-action` to the
/// redirects that follow a form as well, so that the client's origin must be in it.
pub(crate) fn page_policy(form_targets: &[&str]) -> Option<HeaderValue> {
    let mut policy = String::from(
        "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    );
    for source in form_targets.iter().filter_map(|target| form_source(target)) {
        policy.push(' ');
        policy.push_str(&source);
    }
    HeaderValue::from_str(&policy).ok()
}

/// The policy of a page whose form goes to a client by our script, or by the user's click. It has no `form-action`: Chromium
/// would hold the client's own redirects, after the form, to it.
pub(crate) const ANSWER_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'",
);

/// Of a response that one origin may have in a frame, as its policy says: `X-Frame-Options` cannot name one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Framed;

/// The policy of an answer in a frame, which this origin alone may have.
pub(crate) fn framed_policy(origin: &str) -> Option<HeaderValue> {
    let policy = format!(
        "default-src 'none'; script-src 'self'; frame-ancestors {origin}; base-uri 'none'; form-action 'none'"
    );
    HeaderValue::from_str(&policy).ok()
}

/// The source expression that matches a redirect URI: its origin, or its scheme when it has no origin or one that the
/// grammar cannot express (an IPv6 address).
fn form_source(uri: &str) -> Option<String> {
    let url = Url::parse(uri).ok()?;
    let origin = url.origin();
    if origin.is_tuple() && !url.host_str()?.starts_with('[') {
        Some(origin.ascii_serialization())
    } else {
        Some(format!("{}:", url.scheme()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // BR4
    #[test]
    fn a_form_may_end_at_the_clients_origin_only() {
        for (uri, source) in [
            ("https://app.example/callback?x=1", "https://app.example"),
            ("http://127.0.0.1:4000/cb", "http://127.0.0.1:4000"),
            ("http://[::1]:4000/cb", "http:"),
            ("com.example.app:/callback", "com.example.app:"),
            ("com.example.app://host/callback;x", "com.example.app:"),
        ] {
            assert_eq!(form_source(uri).as_deref(), Some(source), "{uri}");
        }
        assert_eq!(form_source("nonsense"), None);
        let policy = page_policy(&["https://app.example/;script-src *"]).unwrap();
        assert!(policy.to_str().unwrap().ends_with("form-action 'self' https://app.example"));
    }
}
