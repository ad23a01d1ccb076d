//! What people see.

pub(crate) mod activate;
pub(crate) mod consent;
pub(crate) mod error;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod mfa;
pub(crate) mod respond;
pub(crate) mod resume;

use askama::Template;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};

use crate::headers::page_policy;
use crate::middleware::refuse;

const STYLESHEET: &str = include_str!("../../assets/postern.css");
const FORM_POST_SCRIPT: &str = include_str!("../../assets/form-post.js");
const WEB_MESSAGE_SCRIPT: &str = include_str!("../../assets/web-message.js");

/// `GET /assets/postern.css`.
pub(crate) async fn stylesheet() -> Response {
    let headers = [(CONTENT_TYPE, "text/css; charset=utf-8"), (CACHE_CONTROL, "public, max-age=3600")];
    (headers, STYLESHEET).into_response()
}

/// `GET /assets/form-post.js`.
pub(crate) async fn form_post_script() -> Response {
    script(FORM_POST_SCRIPT)
}

/// `GET /assets/web-message.js`.
pub(crate) async fn web_message_script() -> Response {
    script(WEB_MESSAGE_SCRIPT)
}

fn script(text: &'static str) -> Response {
    let headers = [(CONTENT_TYPE, "text/javascript; charset=utf-8"), (CACHE_CONTROL, "public, max-age=3600")];
    (headers, text).into_response()
}

/// `GET /healthz`: the process answers.
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// Everything that is not there.
pub(crate) async fn not_found() -> Response {
    refuse(StatusCode::NOT_FOUND, "There is nothing at this address.")
}

/// A method that an endpoint does not have. axum adds `Allow`.
pub(crate) async fn method_not_allowed(request: Request) -> Response {
    refuse(StatusCode::METHOD_NOT_ALLOWED, &format!("{} is not possible at this address.", request.method()))
}

/// A page with its policy. `form_targets` are the URIs at which the page's form may end.
fn page(status: StatusCode, template: &impl Template, form_targets: &[&str]) -> Response {
    page_with(status, template, page_policy(form_targets))
}

/// A page with this policy.
fn page_with(status: StatusCode, template: &impl Template, policy: Option<HeaderValue>) -> Response {
    match template.render() {
        Ok(html) => {
            let policy: HeaderMap =
                policy.map(|policy| (CONTENT_SECURITY_POLICY, policy)).into_iter().collect();
            (status, policy, Html(html)).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "a template failed");
            (StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong on our side.\n").into_response()
        }
    }
}
