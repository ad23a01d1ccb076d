use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use idp::device::authorize;

use crate::extract::Caller;
use crate::oidc::{ClientCall, answer};
use crate::{AppState, cors};

/// `POST /oauth/device/code` (RFC 8628 §3.1).
pub(crate) async fn post(
    State(state): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
    call: ClientCall,
) -> Response {
    let codes = authorize(&state.idp, &caller.context, call.input).await;
    let mut response = answer(codes.map(Json), call.challenge);
    cors::allow_client(&state, &caller.context.tenant.id, &headers, Some(&call.named_client), &mut response)
        .await;
    response
}
