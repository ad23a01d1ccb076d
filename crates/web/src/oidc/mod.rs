//! The endpoints of OAuth and OpenID Connect.

pub(crate) mod authorize;
pub(crate) mod discovery;
pub(crate) mod jwks;
pub(crate) mod logout;
pub(crate) mod revoke;
pub(crate) mod token;
pub(crate) mod userinfo;

use axum::http::header::{AUTHORIZATION, LOCATION};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use idp::{CookieChanges, ServerError};
use oauth::{OAuthError, Parameters};

use crate::AppState;
use crate::error::{Challenge, bad_request};
use crate::extract::Caller;

/// A redirect of the browser: 303 after a form, so that what the form held goes no further (RFC 9700 §4.12).
pub(crate) fn redirect(
    state: &AppState,
    caller: &Caller,
    method: &Method,
    location: &str,
    cookies: &CookieChanges,
) -> Result<Response, ServerError> {
    let location = HeaderValue::from_str(location)
        .map_err(|_| ServerError::Inconsistent("a redirect URI has bad characters".into()))?;
    let status = if *method == Method::POST { StatusCode::SEE_OTHER } else { StatusCode::FOUND };
    let mut response = (status, [(LOCATION, location)]).into_response();
    caller.cookie_writer(state).write(cookies, response.headers_mut())?;
    Ok(response)
}

/// What endpoints that authenticate the client read from the headers.
pub(crate) struct ClientHeaders {
    pub(crate) authorization: Option<String>,
    pub(crate) forwarded_for: Option<String>,
}

impl ClientHeaders {
    pub(crate) fn read(headers: &HeaderMap) -> Result<Self, OAuthError> {
        Ok(Self { authorization: one(headers, AUTHORIZATION.as_str())?, forwarded_for: one(headers, "auth0-forwarded-for")? })
    }

    pub(crate) fn challenge(&self) -> Challenge {
        if self.authorization.is_some() { Challenge::Basic } else { Challenge::None }
    }

    /// The client that the request names, before anything is believed: for CORS.
    pub(crate) fn named_client(&self, parameters: &Parameters) -> String {
        let basic = || oauth::parse_basic(self.authorization.as_deref()?).ok().map(|basic| basic.client_id);
        parameters.get("client_id").map(str::to_owned).or_else(basic).unwrap_or_default()
    }
}

fn one(headers: &HeaderMap, name: &str) -> Result<Option<String>, OAuthError> {
    let mut values = headers.get_all(name).into_iter();
    let Some(value) = values.next() else { return Ok(None) };
    match (value.to_str(), values.next()) {
        (Ok(value), None) => Ok(Some(value.to_owned())),
        _ => Err(bad_request(StatusCode::BAD_REQUEST, &format!("The header {name} is malformed or was sent twice"))),
    }
}
