use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use idp::token::{look_up, token};

use crate::error::JsonError;
use crate::extract::Visitor;
use crate::oidc::{ClientCall, add_dpop_nonce, answer};
use crate::{AppState, cors};

/// `POST /oauth/token` (RFC 6749 §3.2).
pub(crate) async fn post(
    State(state): State<AppState>,
    visitor: Visitor,
    headers: HeaderMap,
    call: ClientCall,
) -> Response {
    let looked_up = look_up(&state.idp, visitor.tenant(), &call.input.parameters).await;
    let (tenant, looked_up) = match looked_up {
        Ok(found) => found,
        Err(error) => return JsonError::from(error).into_response(),
    };
    let caller = match visitor.caller(tenant) {
        Ok(caller) => caller,
        Err(response) => return response,
    };
    let has_proof = call.input.dpop.is_some();
    let tokens = token(&state.idp, &caller.context, call.input, looked_up).await;
    let mut response = answer(tokens.map(Json), call.challenge);
    if has_proof {
        add_dpop_nonce(&state, &caller, &mut response);
    }
    cors::allow_client(&state, &caller.context.tenant.id, &headers, Some(&call.named_client), &mut response)
        .await;
    response
}
