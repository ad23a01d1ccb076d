//! HTTP as the demo and the benchmarks play it: a browser with its own cookies, or an app; no redirect is followed.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result, bail, ensure};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::redirect::Policy;
use serde_json::Value;
use url::Url;

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) location: Option<Url>,
    pub(crate) cookies: Vec<String>,
    pub(crate) body: String,
}

/// Something that speaks HTTP.
pub(crate) struct Peer {
    client: reqwest::Client,
}

impl Peer {
    /// `*.localhost` is this machine (RFC 6761 §6.3), whatever the resolver says. Browsers know.
    pub(crate) fn new(issuer: &Url) -> Result<Self> {
        Self::with_cookies(issuer, true)
    }

    /// One that forgets every cookie.
    pub(crate) fn without_cookies(issuer: &Url) -> Result<Self> {
        Self::with_cookies(issuer, false)
    }

    fn with_cookies(issuer: &Url, cookies: bool) -> Result<Self> {
        let host = issuer.host_str().context("the issuer has no host")?;
        let client = reqwest::Client::builder()
            .redirect(Policy::none())
            .cookie_store(cookies)
            .user_agent("postern-demo/1.0")
            .resolve(host, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
            .build()?;
        Ok(Self { client })
    }

    pub(crate) async fn get(&self, url: &Url) -> Result<Answer> {
        Answer::read(self.client.get(url.clone()).send().await.with_context(|| format!("GET {url}"))?).await
    }

    /// With a client's credentials in the `Authorization` header.
    pub(crate) async fn post_as(
        &self,
        url: &Url,
        form: &[(&str, &str)],
        id: &str,
        secret: &str,
    ) -> Result<Answer> {
        Answer::read(self.client.post(url.clone()).basic_auth(id, Some(secret)).form(form).send().await?)
            .await
    }

    pub(crate) async fn post(&self, url: &Url, form: &[(&str, &str)]) -> Result<Answer> {
        Answer::read(
            self.client.post(url.clone()).form(form).send().await.with_context(|| format!("POST {url}"))?,
        )
        .await
    }
}

impl Answer {
    async fn read(response: reqwest::Response) -> Result<Self> {
        let text = |value: &reqwest::header::HeaderValue| value.to_str().map(str::to_owned).ok();
        let headers = response.headers();
        let location =
            headers.get("location").and_then(text).map(|to| response.url().join(&to)).transpose()?;
        let cookies = headers.get_all("set-cookie").iter().filter_map(text).collect();
        Ok(Self { status: response.status().as_u16(), location, cookies, body: response.text().await? })
    }

    /// The body as JSON, after a 200.
    pub(crate) fn json(&self) -> Result<Value> {
        ensure!(self.status == 200, "expected 200, got {}: {}", self.status, self.body);
        serde_json::from_str(&self.body).context("the body is not JSON")
    }

    /// Where it redirects to.
    pub(crate) fn redirect(&self) -> Result<&Url> {
        let redirects = matches!(self.status, 302 | 303);
        match &self.location {
            Some(location) if redirects => Ok(location),
            _ => bail!("expected a redirect, got {}: {}", self.status, self.body),
        }
    }
}

/// A parameter of an address.
pub(crate) fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// A field of a JSON answer.
pub(crate) fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str> {
    value[field].as_str().with_context(|| format!("the answer has no {field}: {value}"))
}

/// The claims of an ID token. The web app checks the signature; here they are only shown.
pub(crate) fn claims(id_token: &str) -> Result<Value> {
    let payload = id_token.split('.').nth(1).context("no JWT")?;
    Ok(serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload)?)?)
}

/// `code_verifier` and `code_challenge` (RFC 7636 §4).
pub(crate) fn pkce() -> Result<(String, String)> {
    let verifier = random()?;
    let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
    Ok((verifier, challenge))
}

/// 256 random bits as base64url.
pub(crate) fn random() -> Result<String> {
    let mut bytes = [0; 32];
    #[expect(
        clippy::disallowed_methods,
        reason = "this program plays the outside: it has no random source to be given"
    )]
    getrandom::fill(&mut bytes).context("no randomness")?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// The value of a hidden field of a page.
pub(crate) fn hidden_field(page: &str, name: &str) -> Result<String> {
    let start = page
        .find(&format!("name=\"{name}\" value=\""))
        .with_context(|| format!("no field {name}: {page}"))?;
    let value = &page[start + name.len() + 15..];
    Ok(value.split('"').next().unwrap_or_default().to_owned())
}

/// The `action` of the page's form.
pub(crate) fn form_action(page: &str) -> Option<String> {
    let form = &page[page.find("<form")?..];
    let form = &form[..form.find('>')?];
    let value = &form[form.find("action=\"")? + 8..];
    Some(value.split('"').next()?.replace("&amp;", "&").replace("&#38;", "&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_of_a_page_are_found() {
        let page = r#"<form method="post" action="/u/login?a=1&amp;b=2"><input type="hidden" name="csrf" value="x-y"></form>"#;
        assert_eq!(hidden_field(page, "csrf").unwrap(), "x-y");
        assert_eq!(form_action(page).unwrap(), "/u/login?a=1&b=2");
    }
}
