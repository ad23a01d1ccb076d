//! The one place where errors become responses: OAuth JSON or an HTML page. (The third form, a redirect to the client
//! with `error`, is an outcome of the use case, as only it knows that the redirect URI can be trusted.)

use std::error::Error;

use axum::Json;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use idp::{IdpError, PageError, ServerError};
use oauth::{ErrorCode, OAuthError};
use serde_json::json;

use crate::middleware::current_request_id;
use crate::pages::error::{ErrorText, render};

const BUSY: &str = "This server has too much to do right now. Wait a moment and try again.";
const OUR_FAULT: &str = "Something went wrong on our side. Go back to the application and try again.";

/// How the client tried to authenticate: decides the `WWW-Authenticate` of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// In the body: no challenge (RFC 6749 §5.2).
    None,
    /// With HTTP Basic.
    Basic,
}

/// An answer of an endpoint that programs call.
#[derive(Debug)]
pub(crate) struct JsonError {
    error: IdpError,
    challenge: Challenge,
}

impl JsonError {
    pub(crate) fn new(error: impl Into<IdpError>, challenge: Challenge) -> Self {
        Self { error: error.into(), challenge }
    }
}

impl<E: Into<IdpError>> From<E> for JsonError {
    fn from(error: E) -> Self {
        Self::new(error, Challenge::None)
    }
}

impl IntoResponse for JsonError {
    fn into_response(self) -> Response {
        let error = match self.error {
            IdpError::OAuth(error) => error,
            IdpError::Server(error) => return server_error_json(&error),
        };
        let mut body = error.members.clone();
        body.insert("error".to_owned(), json!(error.code.as_str()));
        body.insert("error_description".to_owned(), json!(error.description));
        let mut response = (status_of(error.status()), Json(body)).into_response();
        retry_after(&mut response, error.retry_after_secs);
        if error.code == ErrorCode::InvalidClient && self.challenge == Challenge::Basic {
            let value = HeaderValue::from_static("Basic realm=\"postern\", charset=\"UTF-8\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, value);
        }
        response
    }
}

/// How an access token was presented (RFC 6750 §2.1, RFC 9449 §7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    Bearer,
    Dpop,
}

impl Scheme {
    /// Its name in any case (RFC 9110 §11.1).
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Bearer, Self::Dpop].into_iter().find(|scheme| name.eq_ignore_ascii_case(scheme.name()))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Bearer => "Bearer",
            Self::Dpop => "DPoP",
        }
    }

    fn parameter(self) -> &'static str {
        match self {
            Self::Bearer => "realm=\"postern\"",
            Self::Dpop => "algs=\"ES256 RS256\"",
        }
    }
}

/// The refusal of a protected resource (RFC 6750 §3, RFC 9449 §7.1). Without credentials in the request it says no more
/// than which schemes there are.
pub(crate) fn resource_refused(error: Option<IdpError>, scheme: Scheme) -> Response {
    let error = match error {
        None => {
            let mut response = StatusCode::UNAUTHORIZED.into_response();
            for scheme in [Scheme::Bearer, Scheme::Dpop] {
                challenge(&mut response, &format!("{} {}", scheme.name(), scheme.parameter()));
            }
            return response;
        }
        Some(IdpError::Server(error)) => return server_error_json(&error),
        Some(IdpError::OAuth(error)) => error,
    };
    let status = match (error.status, error.code) {
        (Some(status), _) => status_of(status),
        (None, ErrorCode::InvalidToken | ErrorCode::InvalidDpopProof | ErrorCode::UseDpopNonce) => {
            StatusCode::UNAUTHORIZED
        }
        (None, ErrorCode::InsufficientScope) => StatusCode::FORBIDDEN,
        (None, _) => status_of(error.status()),
    };
    let mut response = oauth_json(status, error.code.as_str(), &error.description);
    let description = oauth::sanitize_description(&error.description);
    let (name, parameter, code) = (scheme.name(), scheme.parameter(), error.code.as_str());
    let text = format!("{name} {parameter}, error=\"{code}\", error_description=\"{description}\"");
    challenge(&mut response, &text);
    response
}

fn challenge(response: &mut Response, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        response.headers_mut().append(WWW_AUTHENTICATE, value);
    }
}

/// An answer of an endpoint that people see.
#[derive(Debug)]
pub(crate) struct PageFailure(PageError);

impl<E: Into<PageError>> From<E> for PageFailure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for PageFailure {
    fn into_response(self) -> Response {
        match self.0 {
            PageError::Server(ServerError::Busy) => {
                let code = ErrorCode::TemporarilyUnavailable.as_str();
                let text = ErrorText { title: "Too busy", text: BUSY, code: Some(code) };
                busy(render(StatusCode::SERVICE_UNAVAILABLE, &text))
            }
            PageError::Server(error) => {
                log_once(&error);
                server_error_page()
            }
            PageError::OAuth(error) => {
                let status = page_status(&error);
                let title =
                    if status == StatusCode::FORBIDDEN { "This is not allowed" } else { "This did not work" };
                render(
                    status,
                    &ErrorText { title, text: &error.description, code: Some(error.code.as_str()) },
                )
            }
        }
    }
}

/// The page of a failure of ours.
pub(crate) fn server_error_page() -> Response {
    let text = ErrorText { title: "Something went wrong", text: OUR_FAULT, code: Some("server_error") };
    render(StatusCode::INTERNAL_SERVER_ERROR, &text)
}

/// `{"error", "error_description"}`.
pub(crate) fn oauth_json(status: StatusCode, code: &str, description: &str) -> Response {
    (status, Json(json!({ "error": code, "error_description": description }))).into_response()
}

fn busy(mut response: Response) -> Response {
    tracing::warn!(request_id = %current_request_id(), "a request was turned away: {}", ServerError::Busy);
    retry_after(&mut response, Some(ServerError::BUSY_RETRY_SECS));
    response
}

/// `Retry-After`, when there is something to wait for.
pub(crate) fn retry_after(response: &mut Response, secs: Option<i64>) {
    if let Some(secs) = secs {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(secs));
    }
}

/// `invalid_request` with another status than 400.
pub(crate) fn bad_request(status: StatusCode, description: &str) -> OAuthError {
    let mut error = OAuthError::new(ErrorCode::InvalidRequest, description);
    error.status = Some(status.as_u16());
    error
}

fn server_error_json(error: &ServerError) -> Response {
    if let ServerError::Busy = error {
        let code = ErrorCode::TemporarilyUnavailable.as_str();
        return busy(oauth_json(StatusCode::SERVICE_UNAVAILABLE, code, BUSY));
    }
    log_once(error);
    server_error_json_unlogged()
}

/// The JSON of a failure of ours that is already logged.
pub(crate) fn server_error_json_unlogged() -> Response {
    let description = format!("{OUR_FAULT} Correlation id: {}", current_request_id());
    oauth_json(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::ServerError.as_str(), &description)
}

/// The whole chain of causes, with the id that the client was given.
pub(crate) fn log_once(error: &ServerError) {
    let mut chain = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        chain.push_str(": ");
        chain.push_str(&cause.to_string());
        source = cause.source();
    }
    tracing::error!(request_id = %current_request_id(), error = ?chain, "a request failed");
}

/// An error page is 400 unless the use case chose a status, or the code is one of load or of ours. The statuses that
/// the codes have at JSON endpoints (401 needs a challenge) do not fit a page.
fn page_status(error: &OAuthError) -> StatusCode {
    match (error.status, error.code) {
        (Some(status), _) => status_of(status),
        (None, ErrorCode::AccessDenied) => StatusCode::FORBIDDEN,
        (None, ErrorCode::TooManyRequests | ErrorCode::TooManyAttempts) => StatusCode::TOO_MANY_REQUESTS,
        (None, ErrorCode::ServerError) => StatusCode::INTERNAL_SERVER_ERROR,
        (None, ErrorCode::TemporarilyUnavailable) => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    }
}

fn status_of(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST)
}
