use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::header::{COOKIE, HeaderMap, SET_COOKIE, USER_AGENT};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;
use url::Url;

use crate::{node, seed};

/// Raw HTTP with a cookie jar of its own: one browser, or one app. It follows no redirect.
pub struct RawClient {
    /// One for each node behind the name; each request takes the next.
    nodes: Vec<Client>,
    next: AtomicUsize,
    base_domain: String,
    jar: Mutex<BTreeMap<String, String>>,
    /// Goes out as `User-Agent`.
    user_agent: Option<&'static str>,
}

/// What came back.
#[derive(Clone)]
pub struct Response {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
    /// Where it came from.
    pub url: String,
}

impl RawClient {
    pub fn new(port: u16, from: Ipv4Addr) -> Self {
        Self {
            nodes: vec![http(port, from)],
            next: AtomicUsize::new(0),
            base_domain: format!("localhost:{port}"),
            jar: Mutex::default(),
            user_agent: None,
        }
    }

    /// At several nodes behind one name, as a load balancer without memory spreads it: each request goes to the next.
    pub fn spread(ports: &[u16]) -> Self {
        Self {
            nodes: ports.iter().map(|port| http(*port, Ipv4Addr::LOCALHOST)).collect(),
            next: AtomicUsize::new(0),
            base_domain: node::SHARED_DOMAIN.to_owned(),
            jar: Mutex::default(),
            user_agent: None,
        }
    }

    /// The same browser, from now on at these nodes.
    #[must_use]
    pub fn moved_to(self, ports: &[u16]) -> Self {
        Self { jar: self.jar, ..Self::spread(ports) }
    }

    /// With the cookies that another one has now.
    #[must_use]
    pub fn with_cookies_of(self, other: &Self) -> Self {
        Self { jar: Mutex::new(other.jar.lock().unwrap().clone()), ..self }
    }

    /// The same, by another name.
    #[must_use]
    pub fn calls_itself(self, user_agent: &'static str) -> Self {
        Self { user_agent: Some(user_agent), ..self }
    }

    /// An address at the tenant `acme`.
    pub fn url(&self, path: &str) -> String {
        self.url_of(seed::ACME, path)
    }

    /// An address at any tenant. What is an address already stays.
    pub fn url_of(&self, tenant: &str, path: &str) -> String {
        if path.starts_with('/') {
            format!("http://{tenant}.{}{path}", self.base_domain)
        } else {
            path.to_owned()
        }
    }

    /// For what the other methods do not cover; goes out with [`Self::send`].
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let node = self.next.fetch_add(1, Ordering::Relaxed) % self.nodes.len();
        self.nodes[node].request(method, self.url(path))
    }

    pub async fn get(&self, path: &str) -> Response {
        self.send(self.request(Method::GET, path)).await
    }

    pub async fn get_with(&self, path: &str, query: &[(&str, &str)]) -> Response {
        self.get(&with_query(&self.url(path), query)).await
    }

    pub async fn post_form(&self, path: &str, form: &[(&str, &str)]) -> Response {
        self.send(self.request(Method::POST, path).form(form)).await
    }

    pub async fn post_json(&self, path: &str, body: &Value) -> Response {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    pub fn cookie(&self, name: &str) -> Option<String> {
        self.jar.lock().unwrap().get(name).cloned()
    }

    pub fn set_cookie(&self, name: &str, value: &str) {
        self.jar.lock().unwrap().insert(name.to_owned(), value.to_owned());
    }

    /// Sends with the jar's cookies, keeps the new ones, and checks what must hold for every response.
    pub async fn send(&self, request: RequestBuilder) -> Response {
        let cookies = {
            let jar = self.jar.lock().unwrap();
            jar.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
        };
        let request = if cookies.is_empty() { request } else { request.header(COOKIE, cookies) };
        let request = match self.user_agent {
            None => request,
            Some(name) => request.header(USER_AGENT, name),
        };
        let response = request.send().await.expect("the server answers");
        let (status, headers, url) =
            (response.status().as_u16(), response.headers().clone(), response.url().to_string());
        let body = response.text().await.expect("the body arrives");
        let response = Response { status, headers, body, url };
        self.keep_cookies(&response);
        assert_always(&response);
        response
    }

    fn keep_cookies(&self, response: &Response) {
        let mut jar = self.jar.lock().unwrap();
        for cookie in response.set_cookies() {
            let (pair, attributes) = cookie.split_once(';').expect("a cookie has attributes");
            let (name, value) = pair.split_once('=').expect("a cookie is name=value");
            if attributes.contains("Max-Age=0") {
                jar.remove(name);
            } else {
                jar.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

/// Finds the tenants at this port of this machine, whatever their URL says: where a URL has a port, that one counts.
fn http(port: u16, from: Ipv4Addr) -> Client {
    let mut builder = Client::builder().redirect(Policy::none()).no_proxy().local_address(IpAddr::V4(from));
    for tenant in [seed::ACME, seed::OTHER, "demo", "unknown", "deep.acme"] {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        builder = builder.resolve(&format!("{tenant}.localhost"), address);
    }
    builder.build().unwrap()
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let location = self.headers.get("location").map(|value| String::from_utf8_lossy(value.as_bytes()));
        let body: String = self.body.chars().take(2000).collect();
        write!(f, "{} from {}, Location {location:?}: {body}", self.status, self.url)
    }
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("headers are ASCII"))
    }

    pub fn set_cookies(&self) -> Vec<String> {
        self.headers.get_all(SET_COOKIE).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
    }

    #[track_caller]
    pub fn location(&self) -> &str {
        self.header("location").unwrap_or_else(|| panic!("no Location: {self:?}"))
    }

    /// A parameter of the `Location`.
    #[track_caller]
    pub fn location_parameter(&self, name: &str) -> Option<String> {
        let location = Url::parse(&self.url).unwrap().join(self.location()).unwrap();
        location.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The `error` of an OAuth answer.
    #[track_caller]
    pub fn error(&self) -> String {
        self.json()["error"].as_str().unwrap_or_else(|| panic!("no error: {self:?}")).to_owned()
    }

    #[track_caller]
    pub fn expect(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    #[track_caller]
    pub fn expect_error(&self, status: u16, error: &str) -> &Self {
        self.expect(status);
        assert_eq!(self.error(), error, "{self:?}");
        self
    }

    /// An error page: HTML, and it leads nowhere.
    #[track_caller]
    pub fn expect_page(&self, status: u16) -> &Self {
        self.expect(status);
        assert!(self.header("content-type").unwrap().starts_with("text/html"), "{self:?}");
        assert_eq!(self.header("location"), None, "{self:?}");
        self
    }

    /// The value of a hidden field of the page's form.
    #[track_caller]
    pub fn field(&self, name: &str) -> String {
        let start = format!("name=\"{name}\" value=\"");
        let from = self.body.find(&start).unwrap_or_else(|| panic!("no field {name}: {}", self.body));
        self.body[from + start.len()..].split('"').next().unwrap().to_owned()
    }
}

/// What holds for every response of every test.
fn assert_always(response: &Response) {
    // BR4 BR3: the headers are everywhere, on errors and 404 as well.
    let csp = response.header("content-security-policy").unwrap_or_else(|| panic!("no CSP: {response:?}"));
    // An answer by `web_message` is for a frame of one origin.
    let framed = csp.contains("frame-ancestors http");
    assert!(!csp.contains("unsafe-") && (framed || csp.contains("frame-ancestors 'none'")), "{csp}");
    for (name, value) in [
        ("x-content-type-options", Some("nosniff")),
        ("referrer-policy", Some("no-referrer")),
        ("x-frame-options", (!framed).then_some("DENY")),
        ("cross-origin-opener-policy", Some("same-origin")),
    ] {
        assert_eq!(response.header(name), value, "{name}: {response:?}");
    }
    let path = Url::parse(&response.url).unwrap().path().to_owned();
    let public = path.starts_with("/.well-known/") || path.starts_with("/assets/");
    if !public || response.status != 200 {
        assert_eq!(response.header("cache-control"), Some("no-store"), "{response:?}");
    }
    // TK7: programs always get JSON, but for the empty answers.
    if (path.starts_with("/oauth/") || path.starts_with("/mfa/")) && !response.body.is_empty() {
        assert_eq!(response.header("content-type"), Some("application/json"), "{response:?}");
    }
    // BR1
    for cookie in response.set_cookies() {
        assert!(cookie.contains("; HttpOnly") && cookie.contains("; Path=/"), "{cookie}");
        assert!(cookie.len() < 4096, "{cookie}");
        let expires_transfer = cookie.starts_with("auth0_session_transfer_token=;");
        assert!(expires_transfer || !cookie.contains("Domain"), "{cookie}");
    }
    if let Some(location) = response.header("location") {
        assert_location(response, location);
    }
}

// BR7 AZ11
fn assert_location(response: &Response, location: &str) {
    assert!([302, 303].contains(&response.status), "AZ12: {response:?}");
    if location.starts_with('/') {
        assert!(!location.starts_with("//") && !location.starts_with("/\\"), "{location}");
        return;
    }
    let base = location.split(['?', '#']).next().unwrap();
    let loopback = base.strip_prefix("http://127.0.0.1:").and_then(|rest| rest.split_once('/'));
    let is_loopback = loopback.is_some_and(|(port, path)| port.parse::<u16>().is_ok() && path == "callback");
    let is_known = seed::REGISTERED.contains(&base) || seed::ACTION_SITES.contains(&base);
    assert!(is_loopback || is_known, "an open redirect to {location}");
    if response.location_parameter("code").is_some() || response.location_parameter("error").is_some() {
        // Behind a proxy, the outside sees https where this client speaks http.
        let ours = response.url.strip_prefix("http://").and_then(|rest| rest.split('/').next()).unwrap();
        let iss = response.location_parameter("iss").unwrap_or_else(|| panic!("no iss: {location}"));
        assert_eq!(iss.split_once("://").unwrap().1, format!("{ours}/"), "{location}");
    }
}

/// Adds a query to an address.
pub fn with_query(url: &str, query: &[(&str, &str)]) -> String {
    Url::parse_with_params(url, query).unwrap().to_string()
}
