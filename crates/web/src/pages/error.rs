use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use crate::middleware::current_request_id;

/// What an error page says.
pub(crate) struct ErrorText<'a> {
    pub(crate) title: &'a str,
    pub(crate) text: &'a str,
    /// The OAuth code, for whoever builds the client.
    pub(crate) code: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    error: &'a ErrorText<'a>,
    request_id: String,
}

/// The error page.
pub(crate) fn render(status: StatusCode, error: &ErrorText<'_>) -> Response {
    super::page(status, &ErrorPage { error, request_id: current_request_id() }, &[])
}
