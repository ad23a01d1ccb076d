//! The one HTTP client of the server: requests to URLs that tenants choose. It reaches public addresses only, and looks
//! at each address that a name stands for when it connects, so that a name cannot mean another one a moment later
//! (OWASP: server-side request forgery; DNS rebinding).

mod fetch;
mod guard;

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use idp::backchannel_logout::{OutgoingError, OutgoingHttp};
use ipnet::IpNet;
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, RequestBuilder, Url, retry};
use rustls::ClientConfig;
use rustls_platform_verifier::ConfigVerifierExt;
use tokio::sync::Semaphore;

pub use fetch::{Fetcher, RunFetch};
use guard::{CheckedResolver, Guard, RefusedAddress, is_blocked_port, literal};

/// From the look-up of the name to the head of the answer. The dialect gives back-channel logout so much.
const TIMEOUT: Duration = Duration::from_secs(5);
const USER_AGENT: &str = concat!("postern/", env!("CARGO_PKG_VERSION"));
/// Names that are looked up at a time for logout.
const LOOKUPS: usize = 16;

/// The client of back-channel logout and log streams. `https` to public addresses; `http` and any other address only within the networks
/// that the operator allows. No redirect is followed, no proxy of the environment used, nothing sent twice, no cookie
/// kept.
pub struct Outgoing(Clients);

/// A URL that no request may go to. The text names no address that a name stands for.
#[derive(Debug, thiserror::Error)]
enum RefusedUrl {
    #[error("only https is spoken, and http within outgoing.allowed_networks")]
    Scheme,
    #[error("no request may go to port {0}")]
    Port(u16),
    #[error(transparent)]
    Address(RefusedAddress),
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The system has no root certificates.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The HTTP library refused its settings.
    #[error("HTTP client: {0}")]
    Http(#[from] reqwest::Error),
}

impl Outgoing {
    /// A client that may also reach `allowed` networks, even if they are not public.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn new(allowed: impl IntoIterator<Item = IpNet>) -> Result<Self, ClientError> {
        let lookups = Arc::new(Semaphore::new(LOOKUPS));
        // A connection is for one request: nothing of one tenant's is there for another's.
        let settings = |builder: ClientBuilder| builder.pool_max_idle_per_host(0).timeout(TIMEOUT);
        let tls = ClientConfig::with_platform_verifier()?;
        Ok(Self(Clients::new(&allowed.into_iter().collect(), &lookups, &tls, settings)?))
    }

    async fn post(
        &self,
        url: &str,
        with: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Result<u16, OutgoingError> {
        let url = Url::parse(url).map_err(|error| OutgoingError::Refused(error.into()))?;
        let client = self.0.client_for(&url).map_err(|error| OutgoingError::Refused(error.into()))?;
        match with(client.post(url)).send().await {
            // The body is nobody's business: it is not read.
            Ok(response) => Ok(response.status().as_u16()),
            Err(error) => Err(classify(error)),
        }
    }
}

impl OutgoingHttp for Outgoing {
    fn post_form<'a>(
        &'a self,
        url: &'a str,
        form: &'a [(&'a str, &'a str)],
    ) -> Pin<Box<dyn Future<Output = Result<u16, OutgoingError>> + Send + 'a>> {
        Box::pin(self.post(url, move |request| request.form(form)))
    }

    fn post_body<'a>(
        &'a self,
        url: &'a str,
        headers: &'a [(String, String)],
        body: Vec<u8>,
    ) -> Pin<Box<dyn Future<Output = Result<u16, OutgoingError>> + Send + 'a>> {
        Box::pin(self.post(url, move |mut request| {
            for (name, value) in headers {
                request = request.header(name, value);
            }
            request.body(body)
        }))
    }
}

/// A client for public addresses, which speaks TLS only, and one within the networks that the operator allows.
struct Clients {
    https: Client,
    http: Client,
    guard: Guard,
}

impl Clients {
    fn new(
        allowed: &Arc<[IpNet]>,
        lookups: &Arc<Semaphore>,
        tls: &ClientConfig,
        settings: impl Fn(ClientBuilder) -> ClientBuilder,
    ) -> Result<Self, ClientError> {
        let guard = Guard { allowed: Arc::clone(allowed), public: true };
        let builder = |guard: Guard| {
            let resolver = CheckedResolver { guard, lookups: Arc::clone(lookups) };
            let builder = Client::builder()
                .dns_resolver(Arc::new(resolver))
                .tls_backend_preconfigured(tls.clone())
                .redirect(Policy::none())
                .retry(retry::never())
                .no_proxy()
                .referer(false)
                .http1_only()
                .user_agent(USER_AGENT);
            settings(builder)
        };
        Ok(Self {
            https: builder(guard.clone()).https_only(true).build()?,
            http: builder(Guard { public: false, ..guard.clone() }).build()?,
            guard,
        })
    }

    /// The client for this URL, which is checked as far as that goes before its name is looked up.
    fn client_for(&self, url: &Url) -> Result<&Client, RefusedUrl> {
        let (client, public) = match url.scheme() {
            "https" => (&self.https, true),
            "http" => (&self.http, false),
            _ => return Err(RefusedUrl::Scheme),
        };
        let port = url.port_or_known_default().unwrap_or(0);
        if is_blocked_port(port) {
            return Err(RefusedUrl::Port(port));
        }
        // Nobody resolves an address that is written as one.
        if let Some(address) = literal(url) {
            let guard = Guard { public, ..self.guard.clone() };
            // Where plain HTTP is what is wrong, that is what is said.
            guard.check(address).map_err(|refused| match self.guard.check(address) {
                Ok(()) => RefusedUrl::Scheme,
                Err(_) => RefusedUrl::Address(refused),
            })?;
        }
        Ok(client)
    }
}

fn classify(error: reqwest::Error) -> OutgoingError {
    if error.is_timeout() {
        return OutgoingError::TimedOut;
    }
    // The URL is in the tenant's settings; it may have a secret in its query.
    let error = error.without_url();
    match refused_address(&error) {
        Some(address) => OutgoingError::Refused(address.into()),
        None => OutgoingError::Failed(error.into()),
    }
}

/// What the resolver refused, if that is why a request failed.
fn refused_address(error: &reqwest::Error) -> Option<RefusedAddress> {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(inner) = cause {
        if let Some(RefusedAddress(address)) = inner.downcast_ref() {
            return Some(RefusedAddress(*address));
        }
        cause = inner.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERYWHERE: [&str; 2] = ["0.0.0.0/0", "::/0"];

    async fn outcome(outgoing: &Outgoing, url: &str) -> Result<u16, OutgoingError> {
        outgoing.post_form(url, &[("a", "b")]).await
    }

    // AC1
    #[tokio::test]
    async fn no_spelling_of_an_address_that_is_not_public_is_contacted() {
        let outgoing = Outgoing::new([]).unwrap();
        for url in [
            "https://127.0.0.1/",
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://0177.0.0.1/",
            "https://127.0.0.1./",
            "https://[::1]/",
            "https://[::ffff:7f00:1]/",
            "https://169.254.169.254/latest/meta-data/",
            "https://localhost/",
            "https://LOCALHOST/",
            "https://public.example@127.0.0.1/",
            "https://127.0.0.1\\@public.example/",
            "http://127.0.0.1/",
            "http://localhost/",
            "http://8.8.8.8/",
            "ftp://8.8.8.8/",
            "file:///etc/passwd",
            "//127.0.0.1/",
            "",
        ] {
            let outcome = outcome(&outgoing, url).await;
            assert!(matches!(outcome, Err(OutgoingError::Refused(_))), "{url}: {outcome:?}");
        }
    }

    #[tokio::test]
    async fn a_name_is_reached_when_all_of_its_addresses_are_allowed() {
        // Nobody listens at port 2.
        let everywhere = Outgoing::new(EVERYWHERE.map(|network| network.parse().unwrap())).unwrap();
        for url in ["http://127.0.0.1:2/", "http://localhost:2/", "https://localhost:2/"] {
            let outcome = outcome(&everywhere, url).await;
            assert!(matches!(outcome, Err(OutgoingError::Failed(_))), "{url}: {outcome:?}");
        }
    }
}
