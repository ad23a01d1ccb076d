//! What the application says to the server: the authorization request, the code exchange, and the checks of the ID
//! token (OpenID Connect Core §3.1.3.7).

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result, ensure};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use reqwest::redirect::Policy;
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use crate::sessions::{LoggedIn, PendingLogin};

/// The server, and what this application is to it.
pub(crate) struct Provider {
    http: reqwest::Client,
    metadata: Metadata,
    client_id: String,
    client_secret: String,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: Url,
    token_endpoint: Url,
    jwks_uri: Url,
    end_session_endpoint: Option<Url>,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
}

impl Provider {
    /// Reads the discovery document and checks that it is this issuer's.
    pub(crate) async fn discover(issuer: Url, client_id: String, client_secret: String) -> Result<Self> {
        let mut builder = reqwest::Client::builder().redirect(Policy::none());
        // Not every resolver knows that `*.localhost` is this machine (RFC 6761 §6.3).
        if let Some(host) = issuer.host_str().filter(|host| host.ends_with(".localhost")) {
            builder = builder.resolve(host, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        }
        let http = builder.build()?;
        let address = issuer.join(".well-known/openid-configuration")?;
        let answer = http.get(address.clone()).send().await?.error_for_status()?;
        let metadata: Metadata =
            answer.json().await.with_context(|| format!("{address} is no discovery document"))?;
        ensure!(
            metadata.issuer == issuer.as_str(),
            "the server at {issuer} says that it is {}",
            metadata.issuer
        );
        Ok(Self { http, metadata, client_id, client_secret })
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.metadata.issuer
    }

    /// Where to send the browser. A session transfer token goes along as it came.
    pub(crate) fn authorization_request(
        &self,
        redirect_uri: &str,
        login: &PendingLogin,
        session_transfer_token: Option<&str>,
    ) -> Url {
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, login.verifier.as_bytes()));
        let mut url = self.metadata.authorization_endpoint.clone();
        url.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", &self.client_id),
            ("redirect_uri", redirect_uri),
            ("scope", "openid profile email"),
            ("state", &login.state),
            ("nonce", &login.nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        if let Some(token) = session_transfer_token {
            url.query_pairs_mut().append_pair("session_transfer_token", token);
        }
        url
    }

    /// Exchanges the code and checks the ID token.
    pub(crate) async fn exchange(
        &self,
        redirect_uri: &str,
        code: &str,
        login: &PendingLogin,
    ) -> Result<LoggedIn> {
        let body = [
            ("grant_type", "authorization_code"),
            ("redirect_uri", redirect_uri),
            ("code", code),
            ("code_verifier", &login.verifier),
        ];
        let answer = self
            .http
            .post(self.metadata.token_endpoint.clone())
            .basic_auth(&self.client_id, Some(&self.client_secret))
            .form(&body)
            .send()
            .await?;
        let status = answer.status();
        ensure!(status.is_success(), "the token endpoint refused ({status}): {}", answer.text().await?);
        let Tokens { id_token } = answer.json().await.context("the answer holds no ID token")?;
        let claims = self.check(&id_token, &login.nonce).await?;
        Ok(LoggedIn { claims, id_token })
    }

    /// Signature by a published key, RS256 only; `iss`, `aud`, `exp` and `nonce`.
    async fn check(&self, id_token: &str, nonce: &str) -> Result<Map<String, Value>> {
        // Read at each login: a key that was rotated in is there. An application with many logins caches it.
        let answer = self.http.get(self.metadata.jwks_uri.clone()).send().await?.error_for_status()?;
        let keys: JwkSet = answer.json().await.context("the JWKS cannot be read")?;
        let claims = check_id_token(id_token, &keys, &self.metadata.issuer, &self.client_id)?;
        ensure!(
            claims.get("nonce").and_then(Value::as_str) == Some(nonce),
            "the ID token belongs to another login"
        );
        Ok(claims)
    }

    /// Where to log out at the server, too (OpenID Connect RP-Initiated Logout §2).
    pub(crate) fn logout_request(&self, id_token: &str, back_to: &str) -> Option<Url> {
        let mut url = self.metadata.end_session_endpoint.clone()?;
        url.query_pairs_mut().extend_pairs([
            ("id_token_hint", id_token),
            ("client_id", self.client_id.as_str()),
            ("post_logout_redirect_uri", back_to),
        ]);
        Some(url)
    }
}

fn check_id_token(
    id_token: &str,
    keys: &JwkSet,
    issuer: &str,
    client_id: &str,
) -> Result<Map<String, Value>> {
    let kid = jsonwebtoken::decode_header(id_token)?.kid.context("the ID token names no key")?;
    let key = keys.find(&kid).context("the ID token's key is not published")?;
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_issuer(&[issuer]);
    validation.set_audience(&[client_id]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    let decoded =
        jsonwebtoken::decode::<Map<String, Value>>(id_token, &DecodingKey::from_jwk(key)?, &validation)
            .context("the ID token is not valid")?;
    Ok(decoded.claims)
}
