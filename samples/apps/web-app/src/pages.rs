//! The pages. Every answer forbids caching and sends no referrer: addresses here may hold a session transfer token.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, COOKIE, LOCATION, REFERRER_POLICY, SET_COOKIE,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;

use crate::App;
use crate::sessions::{PendingLogin, random};

const SESSION: &str = "web_app_session";
const LOGIN: &str = "web_app_login";

/// `/login`
#[derive(Deserialize)]
pub(crate) struct LoginQuery {
    session_transfer_token: Option<String>,
}

/// `/callback`: RFC 6749 §4.1.2 and RFC 9207.
#[derive(Deserialize)]
pub(crate) struct CallbackQuery {
    code: Option<String>,
    state: Option<String>,
    iss: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

/// Who is logged in.
pub(crate) async fn home(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let body = match cookie(&headers, SESSION).and_then(|cookie| app.sessions.find(&cookie)) {
        None => "<p>You are not logged in.</p><p><a href=\"/login\">Log in</a></p>".to_owned(),
        Some(person) => {
            let rows: String = person
                .claims
                .iter()
                .map(|(name, value)| {
                    format!("<tr><th>{}</th><td>{}</td></tr>", escape(name), escape(&value.to_string()))
                })
                .collect();
            format!("<p>You are logged in.</p><table>{rows}</table><p><a href=\"/logout\">Log out</a></p>")
        }
    };
    page(StatusCode::OK, &body)
}

/// The claims as JSON.
pub(crate) async fn claims(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    match cookie(&headers, SESSION).and_then(|cookie| app.sessions.find(&cookie)) {
        None => (StatusCode::UNAUTHORIZED, [(CACHE_CONTROL, "no-store")]).into_response(),
        Some(person) => ([(CACHE_CONTROL, "no-store")], Json(person.claims)).into_response(),
    }
}

/// Sends the browser to the server, with the session transfer token that it brought.
pub(crate) async fn login(State(app): State<Arc<App>>, Query(query): Query<LoginQuery>) -> Response {
    let start = || {
        let pending = PendingLogin { state: random()?, nonce: random()?, verifier: random()? };
        let token = query.session_transfer_token.as_deref();
        let address = app.provider.authorization_request(&redirect_uri(&app), &pending, token);
        anyhow::Ok((address, app.sessions.start_login(pending)?))
    };
    match start() {
        Ok((address, cookie)) => redirect(address.as_str(), &[set_cookie(LOGIN, &cookie, 600)]),
        Err(error) => failed(&format!("{error:#}")),
    }
}

/// The browser comes back from the server.
pub(crate) async fn callback(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Query(query): Query<CallbackQuery>,
) -> Response {
    let Some(login) = cookie(&headers, LOGIN).and_then(|cookie| app.sessions.take_login(&cookie)) else {
        return failed("This browser has no login under way.");
    };
    if query.state.as_deref() != Some(&login.state) {
        return failed("The answer belongs to another login.");
    }
    if query.iss.as_deref().is_some_and(|issuer| issuer != app.provider.issuer()) {
        return failed("The answer comes from another server.");
    }
    if let Some(error) = query.error {
        return failed(&format!("{error}: {}", query.error_description.unwrap_or_default()));
    }
    let Some(code) = query.code else { return failed("The answer holds no code.") };
    let logged_in = match app.provider.exchange(&redirect_uri(&app), &code, &login).await {
        Ok(person) => app.sessions.log_in(person),
        Err(error) => Err(error),
    };
    match logged_in {
        Ok(cookie) => redirect("/", &[set_cookie(SESSION, &cookie, 1800), set_cookie(LOGIN, "", 0)]),
        Err(error) => failed(&format!("{error:#}")),
    }
}

/// Logs out here and at the server.
pub(crate) async fn logout(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let person = cookie(&headers, SESSION).and_then(|cookie| app.sessions.log_out(&cookie));
    let back_to = format!("{}/", app.base);
    let at_server = person.and_then(|person| app.provider.logout_request(&person.id_token, &back_to));
    redirect(at_server.as_ref().map_or("/", url::Url::as_str), &[set_cookie(SESSION, "", 0)])
}

fn redirect_uri(app: &App) -> String {
    format!("{}/callback", app.base)
}

fn redirect(location: &str, cookies: &[String]) -> Response {
    let mut response = (
        StatusCode::SEE_OTHER,
        [(LOCATION, location), (CACHE_CONTROL, "no-store"), (REFERRER_POLICY, "no-referrer")],
    )
        .into_response();
    for cookie in cookies {
        if let Ok(value) = cookie.parse() {
            response.headers_mut().append(SET_COOKIE, value);
        }
    }
    response
}

fn failed(reason: &str) -> Response {
    let body = format!("<p>The login failed.</p><p>{}</p><p><a href=\"/\">Back</a></p>", escape(reason));
    page(StatusCode::BAD_REQUEST, &body)
}

fn page(status: StatusCode, body: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Demo web app</title>\
         <body><h1>Demo web app</h1>{body}</body></html>"
    );
    let headers = [
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"),
    ];
    (status, headers, Html(html)).into_response()
}

/// `SameSite=Lax`: the cookie comes along when the server sends the browser back.
fn set_cookie(name: &str, value: &str, max_age: u32) -> String {
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age}")
}

fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
