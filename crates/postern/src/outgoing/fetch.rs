//! `http.fetch`: the requests of Actions. Connections are kept for a tenant's next runs, and for no other tenant's.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use action_api::{Limits, OperationAnswer};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ipnet::IpNet;
use model::AllowedHosts;
use quick_cache::sync::Cache;
use reqwest::header::{
    AUTHORIZATION, COOKIE, HeaderMap, HeaderName, HeaderValue, LOCATION, PROXY_AUTHORIZATION,
};
use reqwest::{ClientBuilder, Method, Response, StatusCode, Url};
use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls_platform_verifier::ConfigVerifierExt;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::{ClientError, Clients, RefusedUrl, refused_address};

/// As in the Fetch Standard, "HTTP-redirect fetch".
const REDIRECTS: usize = 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections that stay open for a tenant: how many to one host, and how long.
const IDLE_PER_HOST: usize = 8;
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Tenants whose connections stay open.
const TENANTS: usize = 256;
/// Names that are looked up at a time for one tenant. Each holds a thread for as long as the name servers like.
const LOOKUPS_PER_TENANT: usize = 8;
/// TLS sessions that are kept for one tenant.
const TLS_SESSIONS: usize = 32;

/// What is the connection's, not the request's (RFC 9110 §7.6.1), and what the client sets itself. As browsers do, they are
/// left out without a word: libraries set them.
const OWN_HEADERS: [&str; 11] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];
/// Describe a body; they go with it.
const BODY_HEADERS: [&str; 5] =
    ["content-encoding", "content-language", "content-location", "content-type", "content-length"];

/// Sends the requests of all Actions.
pub struct Fetcher {
    allowed: Arc<[IpNet]>,
    tls: ClientConfig,
    tenants: Cache<String, Arc<Clients>>,
}

/// The requests of one run, under its limits.
pub struct RunFetch {
    clients: Arc<Clients>,
    hosts: AllowedHosts,
    requests: AtomicU32,
    max_requests: u32,
    answer_bytes: AtomicU64,
    max_answer_bytes: u64,
}

/// The input of `http.fetch`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    /// Base64.
    body: Option<String>,
    redirect: Redirects,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Redirects {
    Follow,
    Error,
    Manual,
}

/// Why there is no answer. The text is for the Action's author.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("the request is malformed: {0}")]
    Malformed(#[from] serde_json::Error),
    #[error("the URL is not valid: {0}")]
    Url(#[from] url::ParseError),
    #[error("a URL may not hold a user name or password")]
    Credentials,
    #[error("the method {0:?} is not allowed")]
    Method(String),
    #[error("the header {0:?} is not valid")]
    Header(String),
    #[error("the body is not base64")]
    Body,
    #[error(transparent)]
    Refused(#[from] RefusedUrl),
    #[error("{0} is not among the hosts that this Action may send requests to")]
    Host(String),
    #[error("{0} is not at an address that requests may be sent to")]
    Address(String),
    #[error("the answer is a redirect")]
    Redirected,
    #[error("more than {REDIRECTS} redirects")]
    TooManyRedirects,
    #[error("the run has made {0} requests, and may make no more (the http_requests limit)")]
    Requests(u32),
    #[error("the answers of the run are more than {0} bytes (the http_answer_bytes limit)")]
    AnswerBytes(u64),
    #[error("no connection to {0} could be made")]
    Connect(String),
    #[error("TLS with {0} failed: {1}")]
    Tls(String, rustls::Error),
    #[error("{0} did not answer in time")]
    TimedOut(String),
    #[error("{0} did not answer as HTTP says")]
    Protocol(String),
}

impl Fetcher {
    /// May also reach `allowed` networks, even if they are not public.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn new(allowed: impl IntoIterator<Item = IpNet>) -> Result<Self, ClientError> {
        let tls = ClientConfig::with_platform_verifier()?;
        Ok(Self { allowed: allowed.into_iter().collect(), tls, tenants: Cache::new(TENANTS) })
    }

    /// For a run of this tenant, which may send requests to these hosts.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn for_run(
        &self,
        tenant: &str,
        limits: &Limits,
        hosts: AllowedHosts,
    ) -> Result<RunFetch, ClientError> {
        let clients = self.tenants.get_or_insert_with(tenant, || self.clients().map(Arc::new))?;
        Ok(RunFetch {
            clients,
            hosts,
            requests: AtomicU32::new(0),
            max_requests: limits.http_requests,
            answer_bytes: AtomicU64::new(0),
            max_answer_bytes: limits.http_answer_bytes,
        })
    }

    fn clients(&self) -> Result<Clients, ClientError> {
        let mut tls = self.tls.clone();
        tls.resumption = Resumption::in_memory_sessions(TLS_SESSIONS);
        let lookups = Arc::new(Semaphore::new(LOOKUPS_PER_TENANT));
        let settings = |builder: ClientBuilder| {
            builder
                .gzip(true)
                .connect_timeout(CONNECT_TIMEOUT)
                .pool_max_idle_per_host(IDLE_PER_HOST)
                .pool_idle_timeout(IDLE_TIMEOUT)
        };
        Clients::new(&self.allowed, &lookups, &tls, settings)
    }
}

impl RunFetch {
    /// Sends a request, follows redirects and reads the answer.
    pub async fn fetch(&self, input: Value) -> OperationAnswer {
        self.answer(input).await.map_err(|error| {
            tracing::debug!(error = &error as &dyn Error, "an Action's request failed");
            error.to_string()
        })
    }

    async fn answer(&self, input: Value) -> Result<Value, FetchError> {
        let input: Input = serde_json::from_value(input)?;
        let mut method = method(&input.method)?;
        let mut headers = headers(&input.headers)?;
        let mut body =
            input.body.map(|body| BASE64.decode(body)).transpose().map_err(|_| FetchError::Body)?;
        let mut url = Url::parse(&input.url)?;
        for redirects in 0.. {
            if !url.username().is_empty() || url.password().is_some() {
                return Err(FetchError::Credentials);
            }
            if let Some(host) = url.host_str()
                && !self.hosts.allows(host)
            {
                return Err(FetchError::Host(host.to_owned()));
            }
            let client = self.clients.client_for(&url)?;
            self.count_request()?;
            let mut request = client.request(method.clone(), url.clone()).headers(headers.clone());
            if let Some(body) = &body {
                request = request.body(body.clone());
            }
            let response = request.send().await.map_err(|error| failure(&url, error))?;
            let Some(next) = target(&url, &response).filter(|_| input.redirect != Redirects::Manual) else {
                return self.read(response, redirects > 0).await;
            };
            let next = next?;
            if input.redirect == Redirects::Error {
                return Err(FetchError::Redirected);
            }
            if redirects == REDIRECTS {
                return Err(FetchError::TooManyRedirects);
            }
            let status = response.status();
            let becomes_get = match status {
                StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => method == Method::POST,
                StatusCode::SEE_OTHER => method != Method::GET && method != Method::HEAD,
                _ => false,
            };
            if becomes_get {
                method = Method::GET;
                body = None;
                BODY_HEADERS.iter().for_each(|name| drop(headers.remove(*name)));
            }
            if next.origin() != url.origin() {
                [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION]
                    .iter()
                    .for_each(|name| drop(headers.remove(name)));
            }
            url = next;
        }
        Err(FetchError::TooManyRedirects)
    }

    fn count_request(&self) -> Result<(), FetchError> {
        if self.requests.fetch_add(1, Ordering::Relaxed) >= self.max_requests {
            return Err(FetchError::Requests(self.max_requests));
        }
        Ok(())
    }

    fn count_bytes(&self, bytes: usize) -> Result<(), FetchError> {
        let before = self.answer_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        if before.saturating_add(bytes as u64) > self.max_answer_bytes {
            return Err(FetchError::AnswerBytes(self.max_answer_bytes));
        }
        Ok(())
    }

    async fn read(&self, mut response: Response, redirected: bool) -> Result<Value, FetchError> {
        let head = response.headers();
        let head_bytes = head.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        self.count_bytes(head_bytes)?;
        let headers: Vec<_> =
            head.iter().map(|(name, value)| (name.to_string(), isomorphic(value))).collect();
        let status = response.status();
        let mut url = response.url().clone();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| failure(&url, error))? {
            self.count_bytes(chunk.len())?;
            body.extend_from_slice(&chunk);
        }
        url.set_fragment(None);
        Ok(json!({
            "status": status.as_u16(),
            "status_text": status.canonical_reason().unwrap_or_default(),
            "url": url.as_str(),
            "redirected": redirected,
            "headers": headers,
            "body": BASE64.encode(body),
        }))
    }
}

/// RFC 9110 §9.1; the methods that the Fetch Standard forbids are for proxies and debugging.
fn method(name: &str) -> Result<Method, FetchError> {
    let refused = || FetchError::Method(name.chars().take(20).collect());
    let method = Method::from_bytes(name.as_bytes()).map_err(|_| refused())?;
    let forbidden =
        ["connect", "trace", "track"].iter().any(|forbidden| name.eq_ignore_ascii_case(forbidden));
    if forbidden { Err(refused()) } else { Ok(method) }
}

/// Names and values have no line break in them: the type refuses that.
fn headers(given: &[(String, String)]) -> Result<HeaderMap, FetchError> {
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        let invalid = || FetchError::Header(name.chars().take(60).collect());
        let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid())?;
        if OWN_HEADERS.contains(&parsed.as_str()) || parsed.as_str().starts_with("proxy-") {
            continue;
        }
        // One byte a character, as the Fetch Standard has it.
        let bytes: Option<Vec<u8>> = value.chars().map(|character| u8::try_from(character).ok()).collect();
        let value = bytes.and_then(|bytes| HeaderValue::from_bytes(&bytes).ok()).ok_or_else(invalid)?;
        headers.append(parsed, value);
    }
    Ok(headers)
}

/// One character a byte.
fn isomorphic(value: &HeaderValue) -> String {
    value.as_bytes().iter().copied().map(char::from).collect()
}

/// Where a redirect leads. `None`: it is none.
fn target(url: &Url, response: &Response) -> Option<Result<Url, FetchError>> {
    let is_redirect = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    let location = response.headers().get(LOCATION).filter(|_| is_redirect)?;
    Some(url.join(&isomorphic(location)).map_err(FetchError::Url))
}

/// The failure for the author. What the network says of it besides is for the log.
fn failure(url: &Url, error: reqwest::Error) -> FetchError {
    let host = url.host_str().unwrap_or_default().to_owned();
    let error = error.without_url();
    tracing::debug!(error = &error as &dyn Error, %host, "an Action's request");
    if refused_address(&error).is_some() {
        FetchError::Address(host)
    } else if error.is_timeout() {
        FetchError::TimedOut(host)
    } else if let Some(tls) = tls_error(&error) {
        FetchError::Tls(host, tls)
    } else if error.is_connect() {
        FetchError::Connect(host)
    } else {
        FetchError::Protocol(host)
    }
}

/// An error of TLS stands inside of an input error.
fn tls_error(error: &reqwest::Error) -> Option<rustls::Error> {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(inner) = cause {
        let io = inner.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if let Some(tls) = io.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return Some(tls.clone());
        }
        cause = inner.source();
    }
    None
}
