use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use idp::device::authorize;

use crate::error::JsonError;
use crate::extract::Caller;
use crate::oidc::ClientCall;
use crate::{AppState, cors};

/// `POST /oauth/device/code` (RFC 8628 §3.1).
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
    let mut response = match authorize(&state.idp, &caller.context, call.input).await {
        Ok(codes) => Json(codes).into_response(),
        Err(error) => JsonError::new(error, call.challenge).into_response(),
    };
    cors::allow_client(&state, &caller.context.tenant.id, &headers, Some(&call.named_client), &mut response)
        .await;
    response
}
