use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use idp::revoke::revoke;

use crate::extract::Caller;
use crate::oidc::{ClientCall, answer};
use crate::{AppState, cors};

/// `POST /oauth/revoke` (RFC 7009): 200 with an empty body, also for a token that nobody knows.
pub(crate) async fn post(
    State(state): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
    call: ClientCall,
) -> Response {
    let revoked = revoke(&state.idp, &caller.context, call.input).await;
    let mut response = answer(revoked.map(|()| StatusCode::OK), call.challenge);
    cors::allow_client(&state, &caller.context.tenant.id, &headers, Some(&call.named_client), &mut response)
        .await;
    response
}
