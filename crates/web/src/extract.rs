//! Who asks: the tenant by the host name, and where the request came from.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, Request};
use axum::http::header::{ACCEPT_LANGUAGE, HOST, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use idp::{CookieChanges, PageError, RequestContext, ServerError, hash_credential};
use ipnet::IpNet;
use model::{RequestOrigin, Tenant, TenantId};
use oauth::{ErrorCode, Parameters};

use crate::cookies::{CookieWriter, Cookies};
use crate::error::{JsonError, PageFailure};
use crate::hosts::FoundHost;
use crate::management::ApiError;
use crate::middleware::{Surface, refuse};
use crate::{AppState, body};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const ORIGIN: HeaderName = axum::http::header::ORIGIN;
/// What is kept of a header that goes into logs and sessions.
const MAX_TEXT_BYTES: usize = 512;

/// Who asks at a host of ours, before it is known whether there is a tenant of that name.
pub(crate) struct Visitor {
    found: FoundHost,
    issuers: Vec<String>,
    origin: RequestOrigin,
    cookies: Cookies,
    is_cross_site: bool,
}

/// The caller of one request. A host that is not ours is answered before any handler runs.
pub(crate) struct Caller {
    pub(crate) context: RequestContext,
    pub(crate) cookies: Cookies,
    /// Whether the browser says that another site sent this request.
    pub(crate) is_cross_site: bool,
}

impl Caller {
    /// How the answer writes cookies.
    pub(crate) fn cookie_writer<'a>(&'a self, state: &AppState) -> CookieWriter<'a> {
        CookieWriter {
            secure: state.secure_cookies,
            now: state.idp.now(),
            hostname: &self.context.origin.hostname,
        }
    }

    /// The answer with the cookies that change.
    pub(crate) fn with_cookies(
        &self,
        state: &AppState,
        cookies: &CookieChanges,
        mut response: Response,
    ) -> Result<Response, ServerError> {
        self.cookie_writer(state).write(cookies, response.headers_mut())?;
        Ok(response)
    }
}

/// The parameters of the query, at an endpoint that people see.
pub(crate) struct QueryParameters(pub(crate) Parameters);

impl FromRequestParts<AppState> for QueryParameters {
    type Rejection = PageFailure;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, PageFailure> {
        Ok(Self(body::from_query(parts.uri.query())?))
    }
}

/// A form of ours with its caller: the parameters are those of the query and the form. What another site has sent is refused.
pub(crate) struct OwnForm(pub(crate) Caller, pub(crate) Parameters);

impl FromRequest<AppState> for OwnForm {
    type Rejection = Response;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let caller = Caller::from_request_parts(&mut parts, state).await?;
        if caller.is_cross_site {
            let error = PageError::oauth(ErrorCode::AccessDenied, "This form was sent by another site");
            return Err(PageFailure::from(error).into_response());
        }
        let form = body::from_form_post(parts.uri.query(), &parts.headers, body).await;
        let parameters = form.map_err(|error| PageFailure::from(error).into_response())?;
        Ok(Self(caller, parameters))
    }
}

impl FromRequestParts<AppState> for Caller {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Response> {
        let visitor = Visitor::from_request_parts(parts, state).await?;
        let tenant = state.idp.storage.tenant(visitor.tenant()).await;
        visitor.caller(tenant.map_err(|error| fail(parts, error.into()))?)
    }
}

fn unknown() -> Response {
    refuse(StatusCode::NOT_FOUND, "There is nothing at this address.")
}

fn fail(parts: &Parts, error: ServerError) -> Response {
    match Surface::of(parts.uri.path()) {
        Surface::OAuth => JsonError::from(error).into_response(),
        Surface::Pages => PageFailure::from(PageError::from(error)).into_response(),
        Surface::Management => ApiError::from(error).into_response(),
    }
}

impl Visitor {
    /// The name that the tenant has if there is one.
    pub(crate) fn tenant(&self) -> &TenantId {
        &self.found.tenant
    }

    /// The caller, with the tenant of that name. Without one, the answer.
    pub(crate) fn caller(self, tenant: Option<Tenant>) -> Result<Caller, Response> {
        let Self { found, issuers, origin, cookies, is_cross_site } = self;
        let context = RequestContext {
            tenant_issuers: issuers,
            tenant: tenant.ok_or_else(unknown)?,
            issuer: found.issuer,
            custom_domain: found.is_custom_domain.then_some(found.hostname),
            origin,
            device: cookies.browser.as_deref().map(|secret| hash_credential(&format!("device\0{secret}"))),
        };
        Ok(Caller { context, cookies, is_cross_site })
    }
}

impl FromRequestParts<AppState> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Response> {
        let found = host(parts).and_then(|host| state.hosts.find(host)).ok_or_else(unknown)?;
        let Some(ConnectInfo(peer)) = parts.extensions.get::<ConnectInfo<SocketAddr>>() else {
            return Err(fail(parts, ServerError::Inconsistent("the peer address is not known".into())));
        };
        let ip = client_ip(peer.ip(), &parts.headers, &state.trusted_proxies).to_string();
        let origin = RequestOrigin {
            asn: state.idp.network.asn(&ip),
            geoip: state.idp.network.geoip(&ip),
            ip,
            user_agent: text(&parts.headers, &USER_AGENT),
            language: text(&parts.headers, &ACCEPT_LANGUAGE).and_then(|value| first_language(&value)),
            hostname: found.hostname.clone(),
            method: parts.method.to_string(),
        };
        let is_cross_site = is_cross_site(&parts.headers, &found);
        let cookies = Cookies::read(&parts.headers, state.secure_cookies);
        Ok(Self { issuers: state.hosts.issuers(&found.tenant), found, origin, cookies, is_cross_site })
    }
}

/// The one `Host`, or the authority of HTTP/2.
fn host(parts: &Parts) -> Option<&str> {
    let mut values = parts.headers.get_all(HOST).into_iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        (None, _) => parts.uri.authority().map(|authority| authority.as_str()),
        (Some(_), Some(_)) => None,
    }
}

/// The peer, unless it is a proxy of ours: then the right-most address that no proxy of ours has, as everything to
/// the left of it may be made up.
fn client_ip(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |ip: IpAddr| trusted.iter().any(|network| network.contains(&ip));
    let mut client = peer.to_canonical();
    let values: Vec<_> =
        headers.get_all(X_FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok()).collect();
    for hop in values.iter().rev().flat_map(|value| value.rsplit(',')) {
        if !is_trusted(client) {
            break;
        }
        match hop.trim().parse::<IpAddr>() {
            Ok(ip) => client = ip.to_canonical(),
            Err(_) => break,
        }
    }
    client
}

/// `Sec-Fetch-Site` decides where the browser sends it. Older ones send `Origin`; it is `null` from our own pages, as
/// they have `Referrer-Policy: no-referrer`, and then the form's token, bound to a `SameSite` cookie, decides alone.
fn is_cross_site(headers: &HeaderMap, host: &FoundHost) -> bool {
    if let Some(site) = headers.get(SEC_FETCH_SITE) {
        return site != "same-origin" && site != "none";
    }
    match headers.get(ORIGIN) {
        Some(origin) => origin != "null" && origin.as_bytes() != host.issuer.trim_end_matches('/').as_bytes(),
        None => false,
    }
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    Some(value.chars().take(MAX_TEXT_BYTES).collect())
}

fn first_language(accept_language: &str) -> Option<String> {
    let first = accept_language.split([',', ';']).next()?.trim();
    (!first.is_empty() && first != "*").then(|| first.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    // BR9
    #[test]
    fn a_forwarded_address_is_believed_from_a_proxy_of_ours_only() {
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        for (peer, forwarded, client) in [
            ("203.0.113.9", Some("198.51.100.1"), "203.0.113.9"),
            ("10.0.0.1", Some("198.51.100.1"), "198.51.100.1"),
            ("10.0.0.1", Some("1.2.3.4, 198.51.100.1"), "198.51.100.1"),
            ("10.0.0.1", Some("198.51.100.1, 10.0.0.2"), "198.51.100.1"),
            ("10.0.0.1", Some("1.2.3.4, nonsense"), "10.0.0.1"),
            ("10.0.0.1", None, "10.0.0.1"),
            ("::ffff:203.0.113.9", None, "203.0.113.9"),
            ("::ffff:10.0.0.1", Some("2001:db8::1"), "2001:db8::1"),
        ] {
            let headers =
                forwarded.map(|value| (X_FORWARDED_FOR, value.parse().unwrap())).into_iter().collect();
            let ip = client_ip(peer.parse().unwrap(), &headers, &trusted);
            assert_eq!(ip.to_string(), client, "{peer} {forwarded:?}");
        }
    }

    // BR2
    #[test]
    fn another_sites_request_is_seen_as_such() {
        let host = FoundHost {
            tenant: model::TenantId::new("acme"),
            issuer: "https://acme.example/".into(),
            hostname: "acme.example".into(),
            is_custom_domain: false,
        };
        for (site, origin, cross) in [
            (Some("same-origin"), Some("null"), false),
            (Some("none"), None, false),
            (Some("same-site"), Some("https://other.example"), true),
            (Some("cross-site"), Some("https://acme.example"), true),
            (None, Some("https://acme.example"), false),
            (None, Some("https://acme.example:444"), true),
            (None, Some("https://evil.example"), true),
            (None, Some("null"), false),
            (None, None, false),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in [(SEC_FETCH_SITE, site), (ORIGIN, origin)] {
                if let Some(value) = value {
                    headers.insert(name, value.parse().unwrap());
                }
            }
            assert_eq!(is_cross_site(&headers, &host), cross, "{site:?} {origin:?}");
        }
    }
}
