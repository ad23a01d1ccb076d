//! Authorization code with PKCE for a public client (RFC 6749, RFC 7636, RFC 8252), the trade of a refresh token for a
//! session transfer token, and revocation (RFC 7009).

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::{Context, Result, bail, ensure};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::redirect::Policy;
use serde::Deserialize;
use url::Url;

/// What discovery says of the server.
#[derive(Debug, Deserialize)]
pub(crate) struct Provider {
    issuer: String,
    authorization_endpoint: Url,
    token_endpoint: Url,
    revocation_endpoint: Url,
}

/// The token endpoint's answer.
#[derive(Deserialize)]
pub(crate) struct Tokens {
    /// With the session-transfer audience: the session transfer token.
    pub(crate) access_token: String,
    pub(crate) refresh_token: Option<String>,
}

impl Provider {
    /// Reads the discovery document and checks that it is this issuer's (OpenID Connect Discovery §4.3).
    pub(crate) async fn discover(issuer: &Url) -> Result<Self> {
        let address = issuer.join(".well-known/openid-configuration")?;
        let answer = http(issuer, false)?.get(address.clone()).send().await?.error_for_status()?;
        let provider: Self =
            answer.json().await.with_context(|| format!("{address} is no discovery document"))?;
        ensure!(
            provider.issuer == issuer.as_str(),
            "the server at {issuer} says that it is {}",
            provider.issuer
        );
        Ok(provider)
    }

    fn url(&self) -> Result<Url> {
        Ok(self.issuer.parse()?)
    }
}

/// A login under way. Its listener holds the loopback port to which the browser comes back.
pub(crate) struct Login {
    address: Url,
    listener: TcpListener,
    redirect_uri: String,
    client_id: String,
    verifier: String,
    state: String,
}

impl Login {
    pub(crate) fn new(provider: &Provider, client_id: &str, audience: Option<&str>) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot take a loopback port")?;
        let redirect_uri = format!("http://127.0.0.1:{}/callback", listener.local_addr()?.port());
        let (verifier, state) = (random()?, random()?);
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
        let mut address = provider.authorization_endpoint.clone();
        address.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", client_id),
            ("redirect_uri", &redirect_uri),
            ("scope", "openid profile email offline_access"),
            ("state", &state),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        if let Some(audience) = audience {
            address.query_pairs_mut().append_pair("audience", audience);
        }
        Ok(Self { address, listener, redirect_uri, client_id: client_id.to_owned(), verifier, state })
    }

    pub(crate) fn address(&self) -> &Url {
        &self.address
    }

    pub(crate) fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    pub(crate) fn listener(&self) -> &TcpListener {
        &self.listener
    }

    /// Checks what came back to the redirect URI and exchanges the code.
    pub(crate) async fn finish(self, provider: &Provider, answer: &Url) -> Result<Tokens> {
        let value = |name: &str| {
            answer.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
        };
        ensure!(value("state").as_deref() == Some(&self.state), "the answer belongs to another login");
        // RFC 9207: another server's code is not sent to this one.
        if let Some(issuer) = value("iss") {
            ensure!(issuer == provider.issuer, "the answer comes from another server: {issuer}");
        }
        if let Some(error) = value("error") {
            bail!("the login failed: {error}: {}", value("error_description").unwrap_or_default());
        }
        let code = value("code").context("the answer holds no code")?;
        token(
            provider,
            &[
                ("grant_type", "authorization_code"),
                ("client_id", &self.client_id),
                ("redirect_uri", &self.redirect_uri),
                ("code", &code),
                ("code_verifier", &self.verifier),
            ],
        )
        .await
    }
}

/// Trades the refresh token for a session transfer token: one use, one minute.
pub(crate) async fn session_transfer_token(
    provider: &Provider,
    client_id: &str,
    refresh_token: &str,
) -> Result<Tokens> {
    let issuer = provider.url()?;
    let host = issuer.host_str().context("the issuer has no host")?;
    token(
        provider,
        &[
            ("grant_type", "refresh_token"),
            ("client_id", client_id),
            ("refresh_token", refresh_token),
            ("audience", &format!("urn:{host}:session_transfer")),
        ],
    )
    .await
}

/// Revokes the refresh token.
pub(crate) async fn revoke(provider: &Provider, client_id: &str, refresh_token: &str) -> Result<()> {
    let body = [("client_id", client_id), ("token", refresh_token)];
    let answer =
        http(&provider.url()?, false)?.post(provider.revocation_endpoint.clone()).form(&body).send().await?;
    ensure!(answer.status().is_success(), "the server did not revoke: {}", answer.text().await?);
    Ok(())
}

async fn token(provider: &Provider, body: &[(&str, &str)]) -> Result<Tokens> {
    let answer =
        http(&provider.url()?, false)?.post(provider.token_endpoint.clone()).form(body).send().await?;
    let status = answer.status();
    ensure!(status.is_success(), "the token endpoint refused ({status}): {}", answer.text().await?);
    answer.json().await.context("the token endpoint's answer is not what RFC 6749 §5.1 says")
}

/// An HTTP client that follows no redirects. Not every resolver knows that `*.localhost` is this machine (RFC 6761
/// §6.3), so the client is told.
pub(crate) fn http(issuer: &Url, cookies: bool) -> Result<reqwest::Client> {
    let mut builder = reqwest::Client::builder().redirect(Policy::none()).cookie_store(cookies);
    if let Some(host) = issuer.host_str().filter(|host| host.ends_with(".localhost")) {
        builder = builder.resolve(host, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    }
    builder.build().context("cannot make an HTTP client")
}

/// 256 random bits as base64url: `code_verifier` (RFC 7636 §4.1) and `state`.
fn random() -> Result<String> {
    let mut bytes = [0; 32];
    #[expect(
        clippy::disallowed_methods,
        reason = "a sample of its own: it has no clock or random source to pass around"
    )]
    getrandom::fill(&mut bytes).context("no randomness")?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
