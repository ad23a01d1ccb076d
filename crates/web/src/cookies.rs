//! The three cookies of a browser. The names carry `__Host-` over https, which makes the browser insist on `Secure`,
//! `Path=/` and no `Domain`; plain http, for development on loopback, cannot have it.

use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue};
use idp::{CookieChange, CookieChanges, ServerError};
use model::Timestamp;

const TRANSFER: &str = "auth0_session_transfer_token";

/// What the request's cookies hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Cookies {
    pub(crate) session: Option<String>,
    pub(crate) browser: Option<String>,
    pub(crate) session_transfer_token: Option<String>,
    /// Whether a transfer cookie came at all: it is expired then, whatever it held.
    pub(crate) has_transfer: bool,
}

impl Cookies {
    pub(crate) fn read(headers: &HeaderMap, secure: bool) -> Self {
        let transfer = find(headers, TRANSFER);
        Self {
            session: find(headers, session_name(secure)).unique(),
            browser: find(headers, browser_name(secure)).unique(),
            has_transfer: !matches!(transfer, Found::None),
            session_transfer_token: transfer.unique(),
        }
    }
}

enum Found {
    None,
    One(String),
    /// Another site on a neighbouring domain may plant a second cookie: neither is believed.
    Contradictory,
}

impl Found {
    fn unique(self) -> Option<String> {
        match self {
            Self::One(value) => Some(value),
            Self::None | Self::Contradictory => None,
        }
    }
}

fn find(headers: &HeaderMap, name: &str) -> Found {
    let pairs = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let pairs = pairs.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut found = Found::None;
    for (_, value) in pairs.filter(|(key, _)| *key == name) {
        found = match found {
            Found::None => Found::One(value.to_owned()),
            Found::One(known) if known == value => Found::One(known),
            _ => return Found::Contradictory,
        };
    }
    found
}

fn session_name(secure: bool) -> &'static str {
    if secure { "__Host-auth0" } else { "auth0" }
}

fn browser_name(secure: bool) -> &'static str {
    if secure { "__Host-postern_login" } else { "postern_login" }
}

/// How the cookies of one answer are written.
pub(crate) struct CookieWriter<'a> {
    pub(crate) secure: bool,
    pub(crate) now: Timestamp,
    /// Without port: what the native app may have given as `Domain` of the transfer cookie.
    pub(crate) hostname: &'a str,
}

impl CookieWriter<'_> {
    /// Adds the `Set-Cookie` headers for the changes.
    pub(crate) fn write(&self, changes: &CookieChanges, headers: &mut HeaderMap) -> Result<(), ServerError> {
        // `None`, so that a client's page can renew its tokens in a hidden frame. Browsers demand `Secure` with it.
        let session_site = if self.secure { "None" } else { "Lax" };
        self.write_one(session_name(self.secure), session_site, &changes.session, headers)?;
        self.write_one(browser_name(self.secure), "Lax", &changes.browser, headers)?;
        if changes.clear_session_transfer_token {
            self.clear_transfer(headers)?;
        }
        Ok(())
    }

    /// Expires the transfer cookie, as a cookie of this host and as one of this domain: apps set either.
    pub(crate) fn clear_transfer(&self, headers: &mut HeaderMap) -> Result<(), ServerError> {
        let secure = if self.secure { "; Secure" } else { "" };
        append(headers, &format!("{TRANSFER}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax{secure}"))?;
        let domain = self.hostname;
        append(
            headers,
            &format!("{TRANSFER}=; Domain={domain}; Path=/; Max-Age=0; HttpOnly; SameSite=Lax{secure}"),
        )
    }

    fn write_one(
        &self,
        name: &str,
        same_site: &str,
        change: &CookieChange,
        headers: &mut HeaderMap,
    ) -> Result<(), ServerError> {
        let (value, max_age) = match change {
            CookieChange::Keep => return Ok(()),
            CookieChange::Set { value, expires_at } => {
                (value.as_str(), expires_at.map(|end| end.ms_since(self.now).max(0) / 1000))
            }
            CookieChange::Clear => ("", Some(0)),
        };
        // Without it, the browser forgets the cookie when it is closed.
        let max_age = max_age.map(|secs| format!("; Max-Age={secs}")).unwrap_or_default();
        let secure = if self.secure { "; Secure" } else { "" };
        append(headers, &format!("{name}={value}; Path=/{max_age}; HttpOnly; SameSite={same_site}{secure}"))
    }
}

fn append(headers: &mut HeaderMap, cookie: &str) -> Result<(), ServerError> {
    let value = HeaderValue::from_str(cookie)
        .map_err(|_| ServerError::Inconsistent("a cookie value has bad characters".into()))?;
    headers.append(SET_COOKIE, value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(lines: &[&'static str]) -> HeaderMap {
        lines.iter().map(|line| (COOKIE, HeaderValue::from_static(line))).collect()
    }

    #[test]
    fn cookies_are_read_by_their_exact_names() {
        let headers = request(&["a=1; auth0=S; xauth0=no", "postern_login=B;auth0_session_transfer_token=T"]);
        let cookies = Cookies::read(&headers, false);
        assert_eq!(cookies.session.as_deref(), Some("S"));
        assert_eq!(cookies.browser.as_deref(), Some("B"));
        assert_eq!(cookies.session_transfer_token.as_deref(), Some("T"));
        let secure = Cookies::read(&headers, true);
        assert_eq!((secure.session, secure.browser), (None, None), "only `__Host-` names count over https");
    }

    #[test]
    fn two_different_cookies_of_one_name_are_not_believed() {
        assert_eq!(Cookies::read(&request(&["auth0=a; auth0=b"]), false).session, None);
        assert_eq!(Cookies::read(&request(&["auth0=a; auth0=a"]), false).session.as_deref(), Some("a"));
        let transfer = Cookies::read(
            &request(&["auth0_session_transfer_token=a", "auth0_session_transfer_token=b"]),
            false,
        );
        assert_eq!((transfer.session_transfer_token, transfer.has_transfer), (None, true));
    }

    // BR1
    #[test]
    fn over_https_cookies_have_the_host_prefix_and_all_attributes() {
        let mut headers = HeaderMap::new();
        let now = Timestamp::from_ms(1_000_000);
        let changes = CookieChanges {
            session: CookieChange::Set { value: "S".into(), expires_at: Some(now.plus_secs(60)) },
            browser: CookieChange::Clear,
            clear_session_transfer_token: false,
        };
        let writer = CookieWriter { secure: true, now, hostname: "acme.example" };
        writer.write(&changes, &mut headers).unwrap();
        let written: Vec<_> =
            headers.get_all(SET_COOKIE).iter().map(|value| value.to_str().unwrap()).collect();
        assert_eq!(
            written,
            [
                "__Host-auth0=S; Path=/; Max-Age=60; HttpOnly; SameSite=None; Secure",
                "__Host-postern_login=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure",
            ]
        );
    }
}
