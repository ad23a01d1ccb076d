//! The one HTTP client of the server: requests to URLs that tenants choose. It reaches public addresses only, and looks
//! at each address that a name stands for when it connects, so that a name cannot mean another one a moment later
//! (OWASP: server-side request forgery; DNS rebinding).

use std::error::Error;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use idp::backchannel_logout::{OutgoingError, OutgoingHttp};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Url, retry};

/// From the look-up of the name to the head of the answer. The dialect gives back-channel logout so much.
const TIMEOUT: Duration = Duration::from_secs(5);
const USER_AGENT: &str = concat!("postern/", env!("CARGO_PKG_VERSION"));

/// The client. `https` to public addresses; `http` and any other address only within the networks that the operator
/// allows. No redirect is followed, no proxy of the environment used, nothing sent twice, no cookie kept.
pub struct Outgoing {
    https: Client,
    http: Client,
    guard: Guard,
}

/// An address that may not be reached.
#[derive(Debug, thiserror::Error)]
#[error("{0} is not an address to send requests to")]
struct RefusedAddress(IpAddr);

/// A URL that may not be.
#[derive(Debug, thiserror::Error)]
#[error("only https is spoken, and http within outgoing.allowed_networks")]
struct RefusedScheme;

impl Outgoing {
    /// A client that may also reach `allowed` networks, even if they are not public.
    ///
    /// # Errors
    /// The system has no root certificates.
    pub fn new(allowed: impl IntoIterator<Item = IpNet>) -> Result<Self, reqwest::Error> {
        let guard = Guard { allowed: allowed.into_iter().collect(), public: true };
        let within = Guard { public: false, ..guard.clone() };
        Ok(Self {
            https: builder(guard.clone()).https_only(true).build()?,
            http: builder(within).build()?,
            guard,
        })
    }

    async fn post(&self, url: &str, form: &[(&str, &str)]) -> Result<u16, OutgoingError> {
        let url = Url::parse(url).map_err(|error| OutgoingError::Refused(error.into()))?;
        let (client, public) = match url.scheme() {
            "https" => (&self.https, true),
            "http" => (&self.http, false),
            _ => return Err(OutgoingError::Refused(RefusedScheme.into())),
        };
        // Nobody resolves an address that is written as one.
        let guard = Guard { public, ..self.guard.clone() };
        if let Some(address) = literal(&url) {
            guard.check(address).map_err(|error| OutgoingError::Refused(error.into()))?;
        }
        match client.post(url).form(form).send().await {
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
        Box::pin(self.post(url, form))
    }
}

fn builder(guard: Guard) -> ClientBuilder {
    Client::builder()
        .dns_resolver(Arc::new(CheckedResolver(guard)))
        .redirect(Policy::none())
        .retry(retry::never())
        .no_proxy()
        .referer(false)
        .http1_only()
        // A connection is for one request: nothing of one tenant's is there for another's.
        .pool_max_idle_per_host(0)
        .user_agent(USER_AGENT)
        .timeout(TIMEOUT)
}

fn literal(url: &Url) -> Option<IpAddr> {
    url.host_str()?.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

fn classify(error: reqwest::Error) -> OutgoingError {
    if error.is_timeout() {
        return OutgoingError::TimedOut;
    }
    // The URL is in the tenant's settings; it may have a secret in its query.
    let error = error.without_url();
    let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
    while let Some(inner) = cause {
        if let Some(RefusedAddress(address)) = inner.downcast_ref() {
            return OutgoingError::Refused(RefusedAddress(*address).into());
        }
        cause = inner.source();
    }
    OutgoingError::Failed(error.into())
}

/// Resolves names, and gives out no address that may not be reached: connections are made to exactly what it gives.
struct CheckedResolver(Guard);

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.0.clone();
        Box::pin(async move {
            let addresses: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            // One that is not public among public ones is no accident.
            for address in &addresses {
                guard.check(address.ip())?;
            }
            Ok::<Addrs, Box<dyn Error + Send + Sync>>(Box::new(addresses.into_iter()))
        })
    }
}

/// Which addresses may be reached.
#[derive(Debug, Clone)]
struct Guard {
    allowed: Arc<[IpNet]>,
    /// All public ones, besides.
    public: bool,
}

impl Guard {
    fn check(&self, address: IpAddr) -> Result<(), RefusedAddress> {
        let is_allowed = self.allowed.iter().any(|network| network.contains(&address));
        if is_allowed || self.public && is_public(address) { Ok(()) } else { Err(RefusedAddress(address)) }
    }
}

/// Whether it is an address of the public internet: not in a block of IANA's special-purpose registries (RFC 6890), and
/// not one that stands for another address.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !SPECIAL_V4.iter().any(|network| network.contains(&address)),
        IpAddr::V6(address) => {
            GLOBAL_UNICAST_V6.contains(&address)
                && !SPECIAL_V6.iter().any(|network| network.contains(&address))
        }
    }
}

const fn v4(a: u8, b: u8, c: u8, length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, 0), length)
}

const fn v6(a: u16, b: u16, length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), length)
}

const SPECIAL_V4: [Ipv4Net; 16] = [
    // This network, and private use.
    v4(0, 0, 0, 8),
    v4(10, 0, 0, 8),
    v4(172, 16, 0, 12),
    v4(192, 168, 0, 16),
    // Between a provider and its customers (RFC 6598), loopback, link-local: there are the metadata of clouds.
    v4(100, 64, 0, 10),
    v4(127, 0, 0, 8),
    v4(169, 254, 0, 16),
    // Protocol assignments, relays of 6to4, automatic multicast tunnels.
    v4(192, 0, 0, 24),
    v4(192, 88, 99, 24),
    v4(192, 52, 193, 24),
    // Documentation and benchmarks.
    v4(192, 0, 2, 24),
    v4(198, 51, 100, 24),
    v4(203, 0, 113, 24),
    v4(198, 18, 0, 15),
    // Multicast, and what is reserved, broadcast included.
    v4(224, 0, 0, 4),
    v4(240, 0, 0, 4),
];

/// Outside are loopback, unique-local, link-local, multicast, and IPv4 addresses in the clothes of IPv6 (mapped,
/// compatible, NAT64).
const GLOBAL_UNICAST_V6: Ipv6Net = v6(0x2000, 0, 3);

const SPECIAL_V6: [Ipv6Net; 4] = [
    // Protocol assignments: Teredo, ORCHID, benchmarks.
    v6(0x2001, 0, 23),
    // Documentation.
    v6(0x2001, 0xdb8, 32),
    v6(0x3fff, 0, 20),
    // 6to4: an IPv4 address is inside.
    v6(0x2002, 0, 16),
];

#[cfg(test)]
mod tests {
    use super::*;

    const EVERYWHERE: [&str; 2] = ["0.0.0.0/0", "::/0"];

    #[test]
    fn only_public_addresses_are_reached() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd12:3456:789a::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.0.1",
            "223.255.255.255",
            "2001:4860:4860::8888",
            "2606:4700:4700::1111",
            "2a00:1450::1",
        ] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn an_allowed_network_is_reached_and_its_neighbours_are_not() {
        let guard = Guard { allowed: Arc::new(["127.0.0.0/31".parse().unwrap()]), public: true };
        for (address, is_reached) in
            [("127.0.0.1", true), ("127.0.0.2", false), ("::ffff:127.0.0.1", false), ("8.8.8.8", true)]
        {
            assert_eq!(guard.check(address.parse().unwrap()).is_ok(), is_reached, "{address}");
        }
        let within = Guard { public: false, ..guard };
        assert!(within.check("127.0.0.1".parse().unwrap()).is_ok());
        assert!(within.check("8.8.8.8".parse().unwrap()).is_err());
    }

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
        // Nobody listens at port 1.
        let everywhere = Outgoing::new(EVERYWHERE.map(|network| network.parse().unwrap())).unwrap();
        for url in ["http://127.0.0.1:1/", "http://localhost:1/", "https://localhost:1/"] {
            let outcome = outcome(&everywhere, url).await;
            assert!(matches!(outcome, Err(OutgoingError::Failed(_))), "{url}: {outcome:?}");
        }
    }
}
