//! How the answer of `/authorize` leaves for the client.

use askama::Template;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use idp::{CookieChanges, PageError};
use oauth::AuthorizationResponse;

use crate::AppState;
use crate::error::PageFailure;
use crate::extract::Caller;
use crate::headers::ANSWER_POLICY;
use crate::oidc::redirect;

/// A form that sends itself, or by its button where there is no JavaScript (OAuth 2.0 Form Post Response Mode §2).
#[derive(Template)]
#[template(path = "form-post.html")]
struct FormPost<'a> {
    redirect_uri: &'a str,
    parameters: &'a [(&'static str, String)],
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
        let sent = redirect(state, caller, method, &location, cookies);
        return sent.map_err(|error| PageError::from(error).into());
    }
    let form = FormPost { redirect_uri: &answer.redirect_uri, parameters: &answer.parameters };
    let mut response = super::page_with(StatusCode::OK, &form, Some(ANSWER_POLICY));
    caller.cookie_writer(state).write(cookies, response.headers_mut()).map_err(PageError::from)?;
    Ok(response)
}
