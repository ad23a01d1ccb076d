use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use idp::introspect::introspect;

use crate::AppState;
use crate::error::JsonError;
use crate::extract::Caller;
use crate::oidc::ClientCall;

/// `POST /oauth/introspect` (RFC 7662 §2.1): from a server, so that no page of a browser may read the answer.
pub(crate) async fn post(
    State(state): State<AppState>,
    caller: Caller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let call = match ClientCall::read(query.as_deref(), &headers, body).await {
        Ok(call) => call,
        Err(error) => return JsonError::from(error).into_response(),
    };
    match introspect(&state.idp, &caller.context, call.input).await {
        Ok(members) => Json(members).into_response(),
        Err(error) => JsonError::new(error, call.challenge).into_response(),
    }
}
