use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use idp::par::push;

use crate::AppState;
use crate::body::only_form;
use crate::error::JsonError;
use crate::extract::Caller;
use crate::oidc::{ClientCall, add_dpop_nonce};

/// `POST /oauth/par` (RFC 9126 §2): a form, from a server, so that no page of a browser may read the answer.
pub(crate) async fn post(
    State(state): State<AppState>,
    caller: Caller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if let Err(error) = only_form(&headers) {
        return JsonError::from(error).into_response();
    }
    let call = match ClientCall::read(query.as_deref(), &headers, body).await {
        Ok(call) => call,
        Err(error) => return JsonError::from(error).into_response(),
    };
    let has_proof = call.input.dpop.is_some();
    let mut response = match push(&state.idp, &caller.context, call.input).await {
        Ok(pushed) => (StatusCode::CREATED, Json(pushed)).into_response(),
        Err(error) => JsonError::new(error, call.challenge).into_response(),
    };
    if has_proof {
        add_dpop_nonce(&state, &caller, &mut response);
    }
    response
}
