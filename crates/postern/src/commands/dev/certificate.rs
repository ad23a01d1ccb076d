//! The local certificate authority of `postern dev --tls`, and the server's certificate. Both are in the folder, and trusted by
//! nothing until somebody says so.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, DnValue, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, SanType,
};
use time::{Duration, OffsetDateTime};

use crate::encryption::write_private;

const CA_NAME: &str = "Postern dev CA";
const CA_DAYS: i64 = 3_650;
/// Some systems accept no more than 398 days from a server.
const SERVER_DAYS: i64 = 397;

/// The files that `--tls` keeps in the folder.
pub struct Files {
    /// The authority's certificate, for other tools to trust.
    pub ca: PathBuf,
    /// The authority's key, mode 0600.
    ca_key: PathBuf,
    /// The server's certificate.
    pub certificate: PathBuf,
    /// The server's key, mode 0600.
    pub key: PathBuf,
}

impl Files {
    /// In this folder.
    pub fn of(folder: &Path) -> Self {
        Self {
            ca: folder.join("ca.pem"),
            ca_key: folder.join("ca.key"),
            certificate: folder.join("tls.pem"),
            key: folder.join("tls.key"),
        }
    }

    /// Makes the authority where there is none, and a certificate of it for this machine and the hosts, anew at each start: it
    /// need not live long.
    ///
    /// # Errors
    /// When a file cannot be read or written, or the key in it is damaged.
    pub fn make(&self, hosts: &[String], now: OffsetDateTime) -> anyhow::Result<()> {
        let ca_key = match fs::read_to_string(&self.ca_key) {
            Ok(pem) => KeyPair::from_pem(&pem)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key = KeyPair::generate()?;
                write_private(&self.ca_key, key.serialize_pem().as_bytes())?;
                key
            }
            Err(error) => return Err(error.into()),
        };
        let ca = ca(now);
        if !self.ca.is_file() {
            fs::write(&self.ca, ca.self_signed(&ca_key)?.pem())?;
        }
        let key = KeyPair::generate()?;
        let certificate = server(hosts, now)?.signed_by(&key, &Issuer::new(ca, ca_key))?;
        if self.key.is_file() {
            fs::remove_file(&self.key)?;
        }
        write_private(&self.key, key.serialize_pem().as_bytes())?;
        fs::write(&self.certificate, certificate.pem())?;
        Ok(())
    }
}

/// An authority for this machine alone (RFC 5280 §4.2.1.10): its key, in the wrong hands, vouches for no other host.
fn ca(now: OffsetDateTime) -> CertificateParams {
    let mut params = lasting(now, CA_DAYS);
    params.distinguished_name.push(DnType::CommonName, DnValue::Utf8String(CA_NAME.to_owned()));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![
            GeneralSubtree::DnsName("localhost".to_owned()),
            GeneralSubtree::IpAddress(CidrSubnet::V4([127, 0, 0, 0], [255, 0, 0, 0])),
            GeneralSubtree::IpAddress(CidrSubnet::from_v6_prefix(Ipv6Addr::LOCALHOST.octets(), 128)),
        ],
        excluded_subtrees: Vec::new(),
    });
    params
}

/// Each host by its name: OpenSSL, Node.js, rustls and browsers take `*.localhost` for no host at all.
fn server(hosts: &[String], now: OffsetDateTime) -> Result<CertificateParams, rcgen::Error> {
    let mut params = lasting(now, SERVER_DAYS);
    params.distinguished_name.push(DnType::CommonName, "localhost");
    for name in std::iter::once("localhost").chain(hosts.iter().map(String::as_str)) {
        params.subject_alt_names.push(SanType::DnsName(name.try_into()?));
    }
    for address in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
        params.subject_alt_names.push(SanType::IpAddress(address));
    }
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn lasting(now: OffsetDateTime, days: i64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.not_before = now - Duration::days(1);
    params.not_after = now + Duration::days(days);
    params
}
