//! The steps of a login, as a browser and an app take them.

use serde_json::Value;
use url::Url;

use crate::client::with_query;
use crate::{RawClient, Response, seed};

/// RFC 7636 appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub const TRANSFER_COOKIE: &str = "auth0_session_transfer_token";

/// A request to `/authorize` that works; tests change one thing of it.
#[derive(Clone)]
pub struct Login {
    parameters: Vec<(String, String)>,
}

impl Login {
    /// Of a client that uses PKCE.
    pub fn of(client_id: &str, redirect_uri: &str) -> Self {
        let parameters = [
            ("response_type", "code"),
            ("client_id", client_id),
            ("redirect_uri", redirect_uri),
            ("scope", "openid profile email"),
            ("state", "the-state"),
            ("nonce", "the-nonce"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        Self { parameters: parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into() }
    }

    pub fn native() -> Self {
        Self::of(seed::NATIVE, seed::NATIVE_CALLBACK).with("scope", "openid profile email offline_access")
    }

    pub fn web() -> Self {
        Self::of(seed::WEB, seed::WEB_CALLBACK)
    }

    /// With this value in place of the old one.
    #[must_use]
    pub fn with(self, name: &str, value: &str) -> Self {
        let mut changed = self.without(name);
        changed.parameters.push((name.to_owned(), value.to_owned()));
        changed
    }

    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.parameters.retain(|(known, _)| known != name);
        self
    }

    #[must_use]
    pub fn twice(mut self, name: &str, value: &str) -> Self {
        self.parameters.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn pairs(&self) -> Vec<(&str, &str)> {
        self.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    /// `GET /authorize`.
    pub async fn begin(&self, browser: &RawClient) -> Response {
        browser.get_with("/authorize", &self.pairs()).await
    }

    pub async fn begin_at(&self, browser: &RawClient, tenant: &str) -> Response {
        browser.get(&with_query(&browser.url_of(tenant, "/authorize"), &self.pairs())).await
    }

    /// The whole login with the password, up to the redirect to the client.
    pub async fn finish(&self, browser: &RawClient, user: &str) -> Response {
        let begun = self.begin(browser).await;
        assert!(begun.expect(302).location().starts_with("/u/login?state="), "{begun:?}");
        log_in(browser, begun.location(), user, seed::PASSWORD).await
    }

    /// The code that the browser's session is enough for.
    pub async fn code_of_session(&self, browser: &RawClient) -> String {
        code_of(&self.begin(browser).await)
    }

    /// The code of a whole login.
    pub async fn code(&self, browser: &RawClient, user: &str) -> String {
        code_of(&self.finish(browser, user).await)
    }
}

/// Fills the login page and sends it.
pub async fn log_in(browser: &RawClient, page: &str, user: &str, password: &str) -> Response {
    let shown = browser.get(page).await;
    let csrf = shown.expect(200).field("csrf");
    browser.post_form(page, &[("csrf", &csrf), ("username", user), ("password", password)]).await
}

#[track_caller]
pub fn code_of(response: &Response) -> String {
    response.location_parameter("code").unwrap_or_else(|| panic!("no code: {response:?}"))
}

/// The code in the address at which a browser arrives.
#[track_caller]
pub fn code_of_url(url: &str) -> String {
    let parsed = Url::parse(url).unwrap();
    let code =
        parsed.query_pairs().find(|(name, _)| name == "code").unwrap_or_else(|| panic!("no code: {url}"));
    code.1.into_owned()
}

/// The token request of the native client.
pub async fn exchange_native(app: &RawClient, code: &str) -> Response {
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", seed::NATIVE),
        ("code", code),
        ("redirect_uri", seed::NATIVE_CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    app.post_form("/oauth/token", &form).await
}

/// The token request of the web client.
pub async fn exchange_web(app: &RawClient, code: &str) -> Response {
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", seed::WEB),
        ("client_secret", seed::WEB_SECRET),
        ("code", code),
        ("redirect_uri", seed::WEB_CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    app.post_form("/oauth/token", &form).await
}

/// The tokens of a native login.
pub async fn native_tokens(browser: &RawClient, user: &str) -> Value {
    let code = Login::native().code(browser, user).await;
    exchange_native(browser, &code).await.expect(200).json()
}

pub async fn refresh(app: &RawClient, client_id: &str, token: &str) -> Response {
    let form = [("grant_type", "refresh_token"), ("client_id", client_id), ("refresh_token", token)];
    app.post_form("/oauth/token", &form).await
}

/// Trades a refresh token for a session transfer token.
pub async fn transfer(app: &RawClient, refresh_token: &str) -> Response {
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", seed::NATIVE),
        ("refresh_token", refresh_token),
        ("audience", "urn:acme.localhost:session_transfer"),
    ];
    app.post_form("/oauth/token", &form).await
}

/// The session transfer token, with the refresh token that is valid after it.
pub async fn transfer_token(app: &RawClient, tokens: &Value) -> (String, String) {
    let refresh_token = text(tokens, "refresh_token");
    let answer = transfer(app, &refresh_token).await.expect(200).json();
    let next = answer["refresh_token"].as_str().map_or(refresh_token, str::to_owned);
    (text(&answer, "access_token"), next)
}

/// Brings the token to `/authorize` by the cookie, as a native app does.
pub async fn arrive_by_cookie(browser: &RawClient, token: &str) -> Response {
    browser.set_cookie(TRANSFER_COOKIE, token);
    Login::web().begin(browser).await
}

/// Brings the token to `/authorize` in the query.
pub async fn arrive_by_query(browser: &RawClient, token: &str) -> Response {
    Login::web().with("session_transfer_token", token).begin(browser).await
}

/// Whether the server wants a password.
pub fn asks_to_log_in(response: &Response) -> bool {
    response.status == 302 && response.location().starts_with("/u/login?")
}

#[track_caller]
pub fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("no {name}: {value}")).to_owned()
}
