//! `postern serve` with a certificate of its own, and `postern dev` with one that it makes.

use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use end_to_end::flow::{code_of, text};
use end_to_end::jwt;
use end_to_end::process::{App, Ended, Postern, Serve, WEB, free_port};
use rcgen::{
    CertificateParams, CertifiedKey, DistinguishedName, DnType, DnValue, Issuer, KeyPair,
    generate_simple_self_signed,
};
use reqwest::tls::Version as Tls;
use reqwest::{Certificate, Client, ClientBuilder, Version};
use serde_json::Value;
use tempfile::{TempDir, tempdir};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The database of a `postern dev` that has ended, and a certificate for its tenant.
struct Installation {
    folder: TempDir,
    port: u16,
    demo: Value,
    certificate: Certificate,
}

impl Installation {
    async fn new() -> Self {
        let folder = tempdir().unwrap();
        let port = free_port();
        let dev = Postern::start(folder.path(), port).await;
        let demo = dev.demo.clone();
        dev.kill().await;
        let pem = make_certificate(folder.path(), "tls");
        make_certificate(folder.path(), "another");
        Self { folder, port, demo, certificate: Certificate::from_pem(pem.as_bytes()).unwrap() }
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    async fn serve(&self, settings: &[(&str, &str)]) -> Result<Serve, Ended> {
        Serve::start(&text(&self.demo, "config_file"), settings, self.port).await
    }

    async fn serve_with(&self, certificate: &str, key: &str) -> Result<Serve, Ended> {
        let (certificate, key) = (self.file(certificate), self.file(key));
        self.serve(&[
            ("POSTERN_SERVER__SCHEME", "https"),
            ("POSTERN_SERVER__TLS_CERTIFICATE", &certificate),
            ("POSTERN_SERVER__TLS_KEY", &key),
        ])
        .await
    }

    /// A client that trusts the certificate and no other.
    fn client(&self) -> ClientBuilder {
        Client::builder().tls_certs_only([self.certificate.clone()]).https_only(true)
    }
}

/// Writes `NAME.pem` and `NAME.key`; the certificate.
fn make_certificate(folder: &Path, name: &str) -> String {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["demo.localhost".to_owned()]).unwrap();
    std::fs::write(folder.join(format!("{name}.pem")), cert.pem()).unwrap();
    std::fs::write(folder.join(format!("{name}.key")), signing_key.serialize_pem()).unwrap();
    cert.pem()
}

/// A ClientHello of TLS 1.1 (RFC 4346 §7.4.1.2) that has all that TLS 1.2 wants, but for the version: suites, curves,
/// point formats, signature algorithms (RFC 8422 §5.1, RFC 5246 §7.4.1.4.1).
fn hello_of_tls_1_1() -> Vec<u8> {
    let mut hello = vec![3, 2];
    hello.extend([7; 32]);
    hello.push(0);
    hello.extend([0, 6, 0xc0, 0x2b, 0xc0, 0x09, 0xc0, 0x13]);
    hello.extend([1, 0]);
    hello.extend([0, 22]);
    hello.extend([0, 10, 0, 4, 0, 2, 0, 23]);
    hello.extend([0, 11, 0, 2, 1, 0]);
    hello.extend([0, 13, 0, 4, 0, 2, 4, 3]);
    let length = u8::try_from(hello.len()).unwrap();
    let mut record = vec![22, 3, 1, 0, length + 4, 1, 0, 0, length];
    record.extend(hello);
    record
}

// OP7 BR1
#[tokio::test]
async fn a_login_over_tls_by_either_http_and_either_version_of_tls() {
    let installation = Installation::new().await;
    let _server = installation.serve_with("tls.pem", "tls.key").await.unwrap();
    let address = (Ipv4Addr::LOCALHOST, installation.port);
    let url = format!("https://demo.localhost:{}/.well-known/openid-configuration", installation.port);
    for tls in [Tls::TLS_1_2, Tls::TLS_1_3] {
        let client = || installation.client().no_proxy().resolve("demo.localhost", address.into());
        let client = || client().tls_version_min(tls).tls_version_max(tls);
        for (client, version) in [(client().http1_only(), Version::HTTP_11), (client(), Version::HTTP_2)] {
            let answer = client.build().unwrap().get(&url).send().await.unwrap();
            assert_eq!((answer.status().as_u16(), answer.version()), (200, version), "{tls:?}");
            assert_eq!(answer.headers()["strict-transport-security"], "max-age=31536000");
            let metadata: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
            assert_eq!(metadata["issuer"], format!("https://demo.localhost:{}/", installation.port));
        }
        let browser = App::new("https", installation.port, client(), &installation.demo);
        let begun = browser.authorize(WEB, &[]).await.unwrap();
        let done = browser.log_in(&begun).await.unwrap();
        for (answer, start) in [(&begun, "__Host-postern_login="), (&done, "__Host-auth0=")] {
            let cookies = answer.set_cookies();
            let cookie = cookies.iter().find(|cookie| cookie.starts_with(start)).expect(start);
            for attribute in ["; Secure", "; HttpOnly", "; Path=/"] {
                assert!(cookie.contains(attribute), "{cookie}");
            }
            assert!(!cookie.contains("Domain"), "{cookie}");
        }
        let tokens = browser.exchange(WEB, &code_of(&done)).await.unwrap().expect(200).json();
        let issuer = jwt::claims(&text(&tokens, "id_token"))["iss"].clone();
        assert_eq!(issuer, format!("https://demo.localhost:{}/", installation.port));
    }

    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&hello_of_tls_1_1()).await.unwrap();
    let mut alert = Vec::new();
    stream.read_to_end(&mut alert).await.unwrap();
    // A fatal alert, protocol_version (RFC 8446 §6.2).
    assert_eq!((alert[0], &alert[5..]), (21, &[2, 70][..]), "{alert:?}");

    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: demo.localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "plain HTTP at the port of TLS");
}

// OP6
#[tokio::test]
async fn a_server_that_would_not_be_safe_does_not_start() {
    let installation = Installation::new().await;
    let listen = format!("0.0.0.0:{}", installation.port);
    let plain =
        installation.serve(&[("POSTERN_SERVER__LISTEN", &listen)]).await.err().expect("it is refused");
    assert!(plain.expect(3).stderr.contains("plain HTTP is served on loopback addresses only"), "{plain:?}");
    for (certificate, key) in [("tls.pem", "another.key"), ("tls.pem", "none.key"), ("tls.key", "tls.key")] {
        let refused = installation.serve_with(certificate, key).await.err().expect("it is refused");
        assert!(refused.expect(3).stderr.contains(certificate), "{refused:?}");
    }
}

#[tokio::test]
async fn dev_makes_an_authority_for_this_machine_alone_and_keeps_it() {
    let folder = tempdir().unwrap();
    let port = free_port();
    let server = Postern::start_tls(folder.path(), port).await;
    let ca = std::fs::read_to_string(folder.path().join("ca.pem")).unwrap();
    for key in ["ca.key", "tls.key"] {
        let mode = std::fs::metadata(folder.path().join(key)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{key}");
    }
    let claims = server.app().id_token_of_login(WEB).await.unwrap();
    assert_eq!(claims["iss"], format!("https://demo.localhost:{port}/"));
    // Where the system does not find the tenant's host, there is another one.
    let client = || Client::builder().no_proxy().tls_certs_only([server.ca().unwrap()]);
    let url = format!("https://localhost:{port}/.well-known/openid-configuration");
    let metadata: Value =
        serde_json::from_str(&client().build().unwrap().get(url).send().await.unwrap().text().await.unwrap())
            .unwrap();
    assert_eq!(metadata["issuer"], format!("https://localhost:{port}/"));
    assert!(
        Client::builder()
            .no_proxy()
            .build()
            .unwrap()
            .get(format!("https://localhost:{port}/"))
            .send()
            .await
            .is_err()
    );
    server.kill().await;

    // Its key vouches for no other host, in whose hands it may be.
    let key = KeyPair::from_pem(&std::fs::read_to_string(folder.path().join("ca.key")).unwrap()).unwrap();
    let mut issuer = CertificateParams::default();
    issuer.distinguished_name = DistinguishedName::new();
    issuer.distinguished_name.push(DnType::CommonName, DnValue::Utf8String("Postern dev CA".to_owned()));
    let issuer = Issuer::new(issuer, key);
    for (host, is_trusted) in [("any.localhost", true), ("www.example", false)] {
        let key = KeyPair::generate().unwrap();
        let forged = CertificateParams::new([host.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
        std::fs::write(folder.path().join("forged.pem"), forged.pem()).unwrap();
        let _ = std::fs::remove_file(folder.path().join("forged.key"));
        std::fs::write(folder.path().join("forged.key"), key.serialize_pem()).unwrap();
        let file = |name: &str| folder.path().join(name).display().to_string();
        let (certificate, key) = (file("forged.pem"), file("forged.key"));
        let settings =
            [("POSTERN_SERVER__TLS_CERTIFICATE", certificate.as_str()), ("POSTERN_SERVER__TLS_KEY", &key)];
        let port = free_port();
        let listen = format!("127.0.0.1:{port}");
        let settings = [&settings[..], &[("POSTERN_SERVER__LISTEN", listen.as_str())]].concat();
        let _serve = Serve::start(&file("postern.toml"), &settings, port).await.unwrap();
        let http = Client::builder().tls_certs_only([Certificate::from_pem(ca.as_bytes()).unwrap()]);
        let http = http.no_proxy().resolve(host, (Ipv4Addr::LOCALHOST, port).into()).build().unwrap();
        let answer = http.get(format!("https://{host}:{port}/healthz")).send().await;
        assert_eq!(answer.is_ok(), is_trusted, "{host}: {answer:?}");
    }

    // What somebody trusts already stays good.
    let server = Postern::start_tls(folder.path(), port).await;
    assert_eq!(std::fs::read_to_string(folder.path().join("ca.pem")).unwrap(), ca);
    server.app().id_token_of_login(WEB).await.unwrap();
}
