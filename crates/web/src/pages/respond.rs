//! How the answer of `/authorize` leaves for the client.

use askama::Template;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use idp::{CookieChanges, ServerError};
use oauth::{AuthorizationResponse, ResponseMode};
use serde_json::{Map, Value, json};
use url::Url;

use crate::AppState;
use crate::error::PageFailure;
use crate::extract::Caller;
use crate::headers::{ANSWER_POLICY, Framed, framed_policy};
use crate::oidc::redirect;

/// A form that sends itself, or by its button where there is no JavaScript (OAuth 2.0 Form Post Response Mode §2).
#[derive(Template)]
#[template(path = "form-post.html")]
struct FormPost<'a> {
    redirect_uri: &'a str,
    parameters: &'a [(&'static str, String)],
}

/// A frame that tells the page around it, whatever that is, and is heard by the client's alone.
#[derive(Template)]
#[template(path = "web-message.html")]
struct WebMessage<'a> {
    origin: &'a str,
    /// JSON.
    response: String,
}

/// Answers the client in the mode that its request named. `method` is that of the browser's request.
pub(crate) fn respond(
    state: &AppState,
    caller: &Caller,
    method: &Method,
    answer: &AuthorizationResponse,
    cookies: &CookieChanges,
) -> Result<Response, PageFailure> {
    if let Some(location) = answer.location() {
        return Ok(redirect(state, caller, method, &location, cookies)?);
    }
    let response = match (&answer.kept_here, answer.mode) {
        (Some(error), _) => PageFailure::from((**error).clone()).into_response(),
        (None, ResponseMode::WebMessage) => message(answer)?,
        (None, _) => {
            let form = FormPost { redirect_uri: &answer.redirect_uri, parameters: &answer.parameters };
            super::page_with(StatusCode::OK, &form, Some(ANSWER_POLICY))
        }
    };
    Ok(caller.with_cookies(state, cookies, response)?)
}

fn message(answer: &AuthorizationResponse) -> Result<Response, PageFailure> {
    let url = Url::parse(&answer.redirect_uri)
        .map_err(|_| ServerError::Inconsistent("a redirect URI is none".into()))?;
    let origin = url.origin().ascii_serialization();
    let response: Map<String, Value> =
        answer.parameters.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let page = WebMessage { origin: &origin, response: json!(response).to_string() };
    let mut response = super::page_with(StatusCode::OK, &page, framed_policy(&origin));
    response.extensions_mut().insert(Framed);
    Ok(response)
}
