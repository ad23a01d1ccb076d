use axum::Json;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};

use crate::error::JsonError;
use crate::extract::Caller;
use crate::{AppState, cors};

/// `GET /.well-known/jwks.json` (RFC 7517 §5). The next key is published long before it signs, so that a cached copy
/// holds it already.
pub(crate) async fn get(State(state): State<AppState>, caller: Caller) -> Response {
    let mut response = match idp::keys::jwks(&state.idp, &caller.context.tenant).await {
        Ok(keys) => {
            let mut response = Json(keys).into_response();
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
            response
        }
        Err(error) => JsonError::from(error).into_response(),
    };
    cors::allow_everyone(&mut response);
    response
}
