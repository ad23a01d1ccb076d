use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use idp::token::{look_up, token};

use crate::error::JsonError;
use crate::extract::Visitor;
use crate::oidc::{ClientCall, add_dpop_nonce};
use crate::{AppState, cors};

/// `POST /oauth/token` (RFC 6749 §3.2).
pub(crate) async fn post(
    State(state): State<AppState>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let call = match ClientCall::read(query.as_deref(), &headers, body).await {
        Ok(call) => call,
        Err(error) => return JsonError::from(error).into_response(),
    };
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
    let mut response = match token(&state.idp, &caller.context, call.input, looked_up).await {
        Ok(tokens) => Json(tokens).into_response(),
        Err(error) => JsonError::new(error, call.challenge).into_response(),
    };
    if has_proof {
        add_dpop_nonce(&state, &caller, &mut response);
    }
    cors::allow_client(&state, &caller.context.tenant.id, &headers, Some(&call.named_client), &mut response)
        .await;
    response
}
