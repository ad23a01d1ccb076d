//! Which addresses may be reached, and the one place that turns names into addresses.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;

/// An address that may not be reached.
#[derive(Debug, thiserror::Error)]
#[error("{0} is not an address to send requests to")]
pub(super) struct RefusedAddress(pub(super) IpAddr);

/// The address, when the URL has one in place of a name: nobody resolves it then.
pub(super) fn literal(url: &Url) -> Option<IpAddr> {
    url.host_str()?.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Resolves names, and gives out no address that may not be reached: connections are made to exactly what it gives.
pub(super) struct CheckedResolver {
    pub(super) guard: Guard,
    /// How many names are looked up at a time: each look-up holds a thread, for as long as a name server likes.
    pub(super) lookups: Arc<Semaphore>,
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.guard.clone();
        let lookups = Arc::clone(&self.lookups);
        Box::pin(async move {
            let permit = lookups.acquire_owned().await?;
            let lookup = move || {
                let addresses = (name.as_str(), 0).to_socket_addrs().map(Iterator::collect);
                drop(permit);
                addresses
            };
            let addresses: Vec<SocketAddr> = tokio::task::spawn_blocking(lookup).await??;
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
pub(super) struct Guard {
    pub(super) allowed: Arc<[IpNet]>,
    /// All public ones, besides.
    pub(super) public: bool,
}

impl Guard {
    pub(super) fn check(&self, address: IpAddr) -> Result<(), RefusedAddress> {
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

/// Whether it is a port of another protocol, which a server of that might take a request for (Fetch Standard, "port
/// blocking").
pub(super) fn is_blocked_port(port: u16) -> bool {
    BLOCKED_PORTS.contains(&port)
}

const BLOCKED_PORTS: [u16; 83] = [
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103,
    104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514,
    515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723,
    2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
];

#[cfg(test)]
mod tests {
    use super::*;

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
}
