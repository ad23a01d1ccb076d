use std::collections::BTreeMap;

use model::TenantId;

/// Which host names are ours, and the issuer that goes with each. Built from configuration alone: a request chooses
/// among these strings and adds nothing to them.
#[derive(Debug, Clone)]
pub struct Hosts {
    scheme: Scheme,
    base_domain: String,
    custom_domains: BTreeMap<String, CustomDomain>,
}

/// How outsiders reach the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Development on loopback only.
    Http,
    /// Everything else.
    Https,
}

impl Scheme {
    fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

#[derive(Debug, Clone)]
struct CustomDomain {
    authority: String,
    tenant: TenantId,
}

/// A host name in the configuration that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a host name, with or without a port")]
pub struct HostsError(String);

/// What a `Host` header stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FoundHost {
    pub(crate) tenant: TenantId,
    pub(crate) issuer: String,
    /// Without port.
    pub(crate) hostname: String,
    pub(crate) is_custom_domain: bool,
}

impl Hosts {
    /// `base_domain` and the custom domains are as outsiders see them, with a port where one is visible.
    ///
    /// # Errors
    /// [`HostsError`] when one of them is no host name.
    pub fn new(
        scheme: Scheme,
        base_domain: &str,
        custom_domains: impl IntoIterator<Item = (String, TenantId)>,
    ) -> Result<Self, HostsError> {
        let checked = |authority: &str| {
            let lower = authority.to_ascii_lowercase();
            host_of(&lower).map(str::to_owned).map(|host| (host, lower.clone()))
        };
        let (_, base_domain) = checked(base_domain).ok_or_else(|| HostsError(base_domain.to_owned()))?;
        let custom_domains = custom_domains
            .into_iter()
            .map(|(given, tenant)| {
                let (host, authority) = checked(&given).ok_or(HostsError(given))?;
                Ok((host, CustomDomain { authority, tenant }))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { scheme, base_domain, custom_domains })
    }

    /// How outsiders reach the server.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The issuer of a tenant at the base domain, as `http://acme.localhost:3000/`.
    #[must_use]
    pub fn issuer(&self, tenant: &TenantId) -> String {
        format!("{}://{tenant}.{}/", self.scheme.as_str(), self.base_domain)
    }

    /// Every issuer of a tenant: the one at the base domain first, then its custom domains.
    #[must_use]
    pub fn issuers(&self, tenant: &TenantId) -> Vec<String> {
        let custom = self.custom_domains.values().filter(|domain| domain.tenant == *tenant);
        std::iter::once(self.issuer(tenant))
            .chain(custom.map(|domain| self.issuer_at(&domain.authority)))
            .collect()
    }

    fn issuer_at(&self, authority: &str) -> String {
        format!("{}://{authority}/", self.scheme.as_str())
    }

    /// Finds the tenant by the `Host` header. The port in it does not matter: nothing is made from it.
    pub(crate) fn find(&self, host_header: &str) -> Option<FoundHost> {
        let lower = host_header.to_ascii_lowercase();
        let host = host_of(&lower)?;
        if let Some(domain) = self.custom_domains.get(host) {
            return Some(FoundHost {
                tenant: domain.tenant.clone(),
                issuer: self.issuer_at(&domain.authority),
                hostname: host.to_owned(),
                is_custom_domain: true,
            });
        }
        let label = host.strip_suffix(host_of(&self.base_domain)?)?.strip_suffix('.')?;
        if label.contains('.') {
            return None;
        }
        let tenant = TenantId::new(label);
        let issuer = self.issuer(&tenant);
        Some(FoundHost { tenant, issuer, hostname: host.to_owned(), is_custom_domain: false })
    }
}

/// The host of `host` or `host:port`, when both are well-formed. No addresses: a tenant has a name.
fn host_of(authority: &str) -> Option<&str> {
    let host = match authority.split_once(':') {
        Some((host, port)) => port.parse::<u16>().ok().map(|_| host)?,
        None => authority,
    };
    let label_is_good = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    (host.len() <= 253 && host.split('.').all(label_is_good)).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts() -> Hosts {
        let custom = [("login.acme.example".to_owned(), TenantId::new("acme"))];
        Hosts::new(Scheme::Http, "localhost:3000", custom).unwrap()
    }

    #[test]
    fn a_tenant_is_found_by_its_configured_names_only() {
        let hosts = hosts();
        for (header, issuer) in [
            ("acme.localhost:3000", "http://acme.localhost:3000/"),
            ("ACME.localhost:3000", "http://acme.localhost:3000/"),
            ("acme.localhost", "http://acme.localhost:3000/"),
            ("acme.localhost:99", "http://acme.localhost:3000/"),
            ("login.acme.example", "http://login.acme.example/"),
        ] {
            let found = hosts.find(header).unwrap();
            assert_eq!((found.tenant.as_str(), found.issuer.as_str()), ("acme", issuer), "{header}");
        }
        for header in [
            "",
            "localhost",
            "localhost:3000",
            ".localhost",
            "a.b.localhost",
            "acme.localhost.",
            "acmelocalhost",
            "evil.example",
            "acme.localhost:3000.evil.example",
            "acme.localhost@evil",
            "acme.localhost:x",
            "acme.localhost:99999",
            "ac/me.localhost",
            "127.0.0.1:3000",
            "[::1]:3000",
            "acme.localhost:3000:1",
        ] {
            assert_eq!(hosts.find(header), None, "{header}");
        }
    }

    #[test]
    fn every_host_of_a_tenant_has_its_issuer() {
        assert_eq!(
            hosts().issuers(&TenantId::new("acme")),
            ["http://acme.localhost:3000/", "http://login.acme.example/"]
        );
        assert_eq!(hosts().issuers(&TenantId::new("other")), ["http://other.localhost:3000/"]);
        assert!(Hosts::new(Scheme::Https, "https://x", []).is_err());
    }
}
