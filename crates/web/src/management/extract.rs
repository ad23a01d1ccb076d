//! What is read out of a call: its JSON body, its query and its path, strictly.

use std::time::Duration;

use axum::body::{HttpBody, to_bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use idp::ByName;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use super::auth::{QueryNames, not_guarded};
use super::error::ApiError;
use crate::{AppState, body};

/// The most bytes of a body, where an operation does not allow more.
pub(crate) const MAX_BODY_BYTES: usize = 1 << 20;
const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// A JSON body of at most `MAX` bytes. Unknown names are refused where `T` denies them.
#[derive(Debug)]
pub(crate) struct ApiJson<T, const MAX: usize = MAX_BODY_BYTES>(pub(crate) T);

impl<T: DeserializeOwned, const MAX: usize> FromRequest<AppState> for ApiJson<T, MAX> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &AppState) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        match body::media_type(&parts.headers).as_deref() {
            Some("application/json") => {}
            _ => {
                let text = "The body must be application/json";
                return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, None, text));
            }
        }
        let too_large = || {
            let text = format!("The body has more than {MAX} bytes");
            ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, None, text)
        };
        let announced = parts.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        if announced.is_some_and(|length: usize| length > MAX) {
            return Err(too_large());
        }
        let bytes = match tokio::time::timeout(BODY_TIMEOUT, to_bytes(body, MAX)).await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(_)) => return Err(too_large()),
            Err(_) => {
                let text = "The body did not arrive in time";
                return Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, None, text));
            }
        };
        parse(&bytes).map(Self)
    }
}

/// The same where there may be no body.
#[derive(Debug)]
pub(crate) struct ApiOptionalJson<T>(pub(crate) Option<T>);

impl<T: DeserializeOwned> FromRequest<AppState> for ApiOptionalJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, ApiError> {
        if request.body().is_end_stream() && !request.headers().contains_key(CONTENT_TYPE) {
            return Ok(Self(None));
        }
        let ApiJson(body) = ApiJson::<Option<T>>::from_request(request, state).await?;
        Ok(Self(body))
    }
}

/// Reads a JSON text; what is wrong is named with its place.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(ByName(&mut reader)).map_err(|error| {
        let path = error.path().to_string();
        ApiError::invalid_body(validation_error("Payload", &path, error.inner()))
    })?;
    reader.end().map_err(|error| ApiError::invalid_body(validation_error("Payload", ".", &error)))?;
    Ok(value)
}

/// Tells `null` from what is not there.
pub(super) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// As the dialect words it.
fn validation_error(part: &str, path: &str, error: &dyn std::fmt::Display) -> String {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    let name = text.split('`').nth(1).unwrap_or_default();
    let text = if text.starts_with("unknown field") {
        format!("Additional properties not allowed: {name}")
    } else if text.starts_with("missing field") {
        format!("Missing required property: {name}")
    } else {
        text.to_owned()
    };
    match path {
        "." | "?" | "" => format!("{part} validation error: '{text}'."),
        path => format!("{part} validation error: '{text}' on property {path}."),
    }
}

/// A part of the query: an operation may read several. What its document does not name is refused.
#[derive(Debug)]
pub(crate) struct ApiQuery<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<AppState> for ApiQuery<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, ApiError> {
        let known = parts.extensions.get::<QueryNames>().ok_or_else(not_guarded)?;
        let query = parts.uri.query().unwrap_or_default();
        let mut names = form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name);
        if let Some(name) = names.find(|name| !known.has(name)) {
            let text = format!("Query validation error: 'Additional properties not allowed: {name}'.");
            return Err(ApiError::invalid_query(text));
        }
        serde_html_form::from_str(query)
            .map(Self)
            .map_err(|error| ApiError::invalid_query(validation_error("Query", ".", &error)))
    }
}

/// The parameters of the path, percent-decoded.
#[derive(Debug)]
pub(crate) struct ApiPath<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<AppState> for ApiPath<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let path = Path::<T>::from_request_parts(parts, state).await;
        path.map(|Path(value)| Self(value)).map_err(|error: PathRejection| {
            ApiError::invalid_uri(format!("Path validation error: '{}'.", error.body_text()))
        })
    }
}
