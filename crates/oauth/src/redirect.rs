/// Whether a presented redirect URI is this registered one: byte for byte (RFC 9700 §2.1, OIDC Core §3.1.2.1). The one
/// exception is the port of a native client's `http` redirect to a loopback IP address (RFC 8252 §7.3).
#[must_use]
pub fn redirect_uri_matches(registered: &str, presented: &str, native: bool) -> bool {
    if registered == presented {
        return true;
    }
    native
        && match (loopback(registered), loopback(presented)) {
            (Some(registered), Some(presented)) => registered == presented,
            _ => false,
        }
}

/// The host and what follows the port of an `http` URI of a loopback IP address.
fn loopback(uri: &str) -> Option<(&'static str, &str)> {
    for host in ["127.0.0.1", "[::1]"] {
        let Some(rest) = uri.strip_prefix("http://").and_then(|rest| rest.strip_prefix(host)) else {
            continue;
        };
        let rest = match rest.strip_prefix(':') {
            Some(port) => {
                let digits = port.bytes().take_while(u8::is_ascii_digit).count();
                let (port, rest) = port.split_at(digits);
                if port.parse::<u16>().is_ok_and(|port| port > 0) { rest } else { return None }
            }
            None => rest,
        };
        return (rest.is_empty() || rest.starts_with(['/', '?'])).then_some((host, rest));
    }
    None
}

/// The redirect URI with these parameters added to its query (RFC 6749 §4.1.2, Appendix B). A query that it has stays;
/// control characters cannot reach the header.
#[must_use]
pub fn redirect_with(uri: &str, params: &[(&str, &str)]) -> String {
    let mut location: String = uri.chars().filter(|c| !c.is_control()).collect();
    let fragment = location.find('#').map(|at| location.split_off(at)).unwrap_or_default();
    if !params.is_empty() {
        match location.find('?') {
            None => location.push('?'),
            Some(at) if at + 1 == location.len() || location.ends_with('&') => {}
            Some(_) => location.push('&'),
        }
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish();
        location.push_str(&query);
    }
    location.push_str(&fragment);
    location
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirect_uris_are_compared_byte_for_byte() {
        let registered = "https://app.example/cb?x=1";
        assert!(redirect_uri_matches(registered, registered, false));
        for presented in [
            "https://app.example/cb?x=1/",
            "https://app.example/cb?x=1&y=2",
            "https://app.example/cb",
            "https://app.example/CB?x=1",
            "https://APP.example/cb?x=1",
            "HTTPS://app.example/cb?x=1",
            "http://app.example/cb?x=1",
            "https://app.example:443/cb?x=1",
            "https://app.example./cb?x=1",
            "https://user@app.example/cb?x=1",
            "https://app.example@evil.example/cb?x=1",
            "https://app.example/./cb?x=1",
            "https://app.example/a/../cb?x=1",
            "https://app.example/%63b?x=1",
            "https://app.example//cb?x=1",
            "https:\\\\app.example/cb?x=1",
            "https://app.example/cb?x=1#f",
            "https://app.example/cb?x=1\t",
            "https://app.example/cb?x=1\r\nSet-Cookie: a=b",
            " https://app.example/cb?x=1",
            "https://app.example.evil.example/cb?x=1",
            "",
        ] {
            for native in [false, true] {
                assert!(!redirect_uri_matches(registered, presented, native), "{presented}");
            }
        }
    }

    #[test]
    fn only_the_port_of_a_native_loopback_redirect_may_differ() {
        for (registered, presented, matches) in [
            ("http://127.0.0.1/cb", "http://127.0.0.1:49152/cb", true),
            ("http://127.0.0.1:3000/cb", "http://127.0.0.1:49152/cb", true),
            ("http://127.0.0.1:3000/cb", "http://127.0.0.1/cb", true),
            ("http://[::1]/cb", "http://[::1]:1/cb", true),
            ("http://127.0.0.1/cb", "http://[::1]:1/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:49152/other", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:49152/cb?x", false),
            ("http://127.0.0.1/cb", "https://127.0.0.1:49152/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:0/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:65536/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:80@evil.example/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1.evil.example/cb", false),
            ("http://127.0.0.1", "http://127.0.0.1@evil.example", false),
            ("http://localhost/cb", "http://localhost:49152/cb", false),
            ("https://127.0.0.1/cb", "https://127.0.0.1:49152/cb", false),
        ] {
            assert_eq!(redirect_uri_matches(registered, presented, true), matches, "{presented}");
            assert!(!redirect_uri_matches(registered, presented, false), "{presented}");
        }
    }

    #[test]
    fn parameters_are_added_to_the_query() {
        for (uri, location) in [
            ("https://a.example/cb", "https://a.example/cb?code=x&state=a+b%26c%0D%0A"),
            ("https://a.example/cb?k=v", "https://a.example/cb?k=v&code=x&state=a+b%26c%0D%0A"),
            ("https://a.example/cb?", "https://a.example/cb?code=x&state=a+b%26c%0D%0A"),
            ("com.example.app://cb", "com.example.app://cb?code=x&state=a+b%26c%0D%0A"),
            ("https://a.example/cb\r\nX: y", "https://a.example/cbX: y?code=x&state=a+b%26c%0D%0A"),
            ("https://a.example/cb#f", "https://a.example/cb?code=x&state=a+b%26c%0D%0A#f"),
        ] {
            assert_eq!(redirect_with(uri, &[("code", "x"), ("state", "a b&c\r\n")]), location);
        }
        assert_eq!(redirect_with("https://a.example/cb", &[]), "https://a.example/cb");
    }
}
