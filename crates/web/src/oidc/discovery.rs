use axum::Json;
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};

use crate::cors;
use crate::extract::Caller;

/// The one document behind both well-known addresses (OpenID Connect Discovery §4, RFC 8414 §3).
pub(crate) async fn get(caller: Caller) -> Response {
    let context = &caller.context;
    let flags = &context.tenant.flags;
    let offers = oauth::Offers {
        pushed_authorization_requests: flags.pushed_authorization_requests_supported,
        end_session: flags.rp_logout_end_session_endpoint_discovery,
    };
    let mut response = Json(oauth::metadata(&context.issuer, offers)).into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    cors::allow_everyone(&mut response);
    response
}
