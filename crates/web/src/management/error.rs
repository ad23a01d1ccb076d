//! The one place where the Management API's errors become responses: `{"statusCode", "error", "message", "errorCode"}`.

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::WWW_AUTHENTICATE;
use axum::response::{IntoResponse, Response};
use idp::ServerError;
use idp::manage::ManageError;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{log_once, retry_after};
use crate::middleware::current_request_id;

/// What a refusal says.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Refusal {
    /// The HTTP status.
    status_code: u16,
    /// What the status is called.
    error: &'static str,
    /// For people.
    message: String,
    /// For programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'static str>,
}

/// A refusal.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    error_code: Option<&'static str>,
    message: String,
    retry_after_secs: Option<i64>,
}

impl ApiError {
    pub(crate) fn new(
        status: StatusCode,
        error_code: impl Into<Option<&'static str>>,
        message: impl Into<String>,
    ) -> Self {
        Self { status, error_code: error_code.into(), message: message.into(), retry_after_secs: None }
    }

    /// The body is not what the operation takes.
    pub(crate) fn invalid_body(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_body", message)
    }

    /// The query is not what the operation takes.
    pub(crate) fn invalid_query(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_query_string", message)
    }

    /// The path is not what the operation takes.
    pub(crate) fn invalid_uri(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_uri", message)
    }

    /// The access token does not allow it. Tools read the scopes out of the sentence.
    pub(crate) fn insufficient_scope(expected: impl IntoIterator<Item = String>) -> Self {
        let expected: Vec<_> = expected.into_iter().collect();
        let message = format!("Insufficient scope, expected any of: {}", expected.join(","));
        Self::new(StatusCode::FORBIDDEN, "insufficient_scope", message)
    }

    pub(crate) fn unauthorized(error_code: Option<&'static str>, message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, error_code, message)
    }

    pub(crate) fn retry_after(self, secs: i64) -> Self {
        Self { retry_after_secs: Some(secs), ..self }
    }
}

impl From<ManageError> for ApiError {
    fn from(error: ManageError) -> Self {
        match error {
            ManageError::Invalid(message) => Self::invalid_body(message),
            ManageError::InvalidQuery(message) => Self::invalid_query(message),
            ManageError::NotFound { error_code, message } => {
                Self::new(StatusCode::NOT_FOUND, error_code, message)
            }
            ManageError::Conflict(message) => Self::new(StatusCode::CONFLICT, None, message),
            ManageError::Forbidden { error_code, message } => {
                Self::new(StatusCode::FORBIDDEN, error_code, message)
            }
            ManageError::Password(fault) => Self::new(StatusCode::BAD_REQUEST, None, fault.to_string()),
            ManageError::PreconditionFailed(message) => {
                Self::new(StatusCode::PRECONDITION_FAILED, None, message)
            }
            ManageError::Server(error) => error.into(),
        }
    }
}

impl From<ServerError> for ApiError {
    fn from(error: ServerError) -> Self {
        if let ServerError::Busy = error {
            let busy =
                Self::new(StatusCode::SERVICE_UNAVAILABLE, None, "Too much to do right now. Try again.");
            return busy.retry_after(ServerError::BUSY_RETRY_SECS);
        }
        log_once(&error);
        unexpected()
    }
}

/// A failure of ours that is already logged.
pub(crate) fn unexpected() -> ApiError {
    let message = format!("Something went wrong on our side. Correlation id: {}", current_request_id());
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, None, message)
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = Refusal {
            status_code: self.status.as_u16(),
            error: self.status.canonical_reason().unwrap_or("Error"),
            message: self.message,
            error_code: self.error_code,
        };
        let mut response = (self.status, Json(body)).into_response();
        retry_after(&mut response, self.retry_after_secs);
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = axum::http::HeaderValue::from_static("Bearer realm=\"postern\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
