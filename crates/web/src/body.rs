//! Reads the parameters of a request: from the query, a form or JSON, within limits.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use oauth::{OAuthError, Parameters};

use crate::error::bad_request;

const MAX_BODY_BYTES: usize = 64 * 1024;
const MAX_PARAMETERS: usize = 256;
const BODY_TIMEOUT: Duration = Duration::from_secs(15);

/// The parameters of a GET request.
pub(crate) fn from_query(query: Option<&str>) -> Result<Parameters, OAuthError> {
    form(query.unwrap_or_default().as_bytes())
}

/// The parameters of a form POST, those of the query included: one given in both places is given twice.
pub(crate) async fn from_form_post(
    query: Option<&str>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Parameters, OAuthError> {
    only_form(headers)?;
    let mut pairs = query.unwrap_or_default().as_bytes().to_vec();
    pairs.push(b'&');
    pairs.extend_from_slice(&read(headers, body).await?);
    form(&pairs)
}

/// Refuses a body that is no form.
pub(crate) fn only_form(headers: &HeaderMap) -> Result<(), OAuthError> {
    match media_type(headers).as_deref() {
        Some("application/x-www-form-urlencoded") => Ok(()),
        _ => Err(unsupported("The body must be application/x-www-form-urlencoded")),
    }
}

/// The parameters of an endpoint that programs call: a form, or a JSON object of strings. Nothing is taken from the
/// query, where logs and histories would keep it (RFC 6749 §2.3.1, §3.2).
pub(crate) async fn from_api_post(
    query: Option<&str>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Parameters, OAuthError> {
    if let Some(name) = oauth_parameter_in(query) {
        return Err(bad_request(
            StatusCode::BAD_REQUEST,
            &format!("{name} must be in the body, not in the URL"),
        ));
    }
    read_api_post(headers, body, Parameters::from_json).await
}

/// The same where a JSON value may be a list of strings.
pub(crate) async fn from_api_post_with_lists(
    headers: &HeaderMap,
    body: Body,
) -> Result<Parameters, OAuthError> {
    read_api_post(headers, body, Parameters::from_json_with_lists).await
}

async fn read_api_post(
    headers: &HeaderMap,
    body: Body,
    from_json: fn(&[u8]) -> Result<Parameters, OAuthError>,
) -> Result<Parameters, OAuthError> {
    match media_type(headers).as_deref() {
        Some("application/x-www-form-urlencoded") => form(&read(headers, body).await?),
        Some("application/json") => from_json(&read(headers, body).await?),
        _ => Err(unsupported("The body must be application/x-www-form-urlencoded or application/json")),
    }
}

/// The media type without its parameters, in lower case.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

fn form(pairs: &[u8]) -> Result<Parameters, OAuthError> {
    if pairs.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).count() > MAX_PARAMETERS {
        return Err(bad_request(StatusCode::BAD_REQUEST, "Too many parameters"));
    }
    Parameters::from_form(pairs)
}

fn oauth_parameter_in(query: Option<&str>) -> Option<&'static str> {
    const NAMES: [&str; 22] = [
        "access_token",
        "actor_token",
        "audience",
        "client_assertion",
        "client_id",
        "client_secret",
        "code",
        "code_verifier",
        "device_code",
        "grant_type",
        "mfa_token",
        "otp",
        "password",
        "recovery_code",
        "redirect_uri",
        "refresh_token",
        "scope",
        "session_transfer_token",
        "subject_token",
        "token",
        "token_type_hint",
        "username",
    ];
    form_urlencoded::parse(query?.as_bytes()).find_map(|(key, _)| NAMES.into_iter().find(|name| key == *name))
}

fn unsupported(description: &str) -> OAuthError {
    bad_request(StatusCode::UNSUPPORTED_MEDIA_TYPE, description)
}

async fn read(headers: &HeaderMap, body: Body) -> Result<Vec<u8>, OAuthError> {
    let too_large = || bad_request(StatusCode::PAYLOAD_TOO_LARGE, "The body is too large");
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > MAX_BODY_BYTES as u64) {
        return Err(too_large());
    }
    match tokio::time::timeout(BODY_TIMEOUT, to_bytes(body, MAX_BODY_BYTES)).await {
        Ok(Ok(bytes)) => Ok(bytes.to_vec()),
        Ok(Err(_)) => Err(too_large()),
        Err(_) => Err(bad_request(StatusCode::REQUEST_TIMEOUT, "The body did not arrive in time")),
    }
}
