use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use idp::revoke::revoke;

use crate::error::JsonError;
use crate::extract::Caller;
use crate::oidc::ClientCall;
use crate::{AppState, cors};

/// `POST /oauth/revoke` (RFC 7009): 200 with an empty body, also for a token that nobody knows.
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
    let mut response = match revoke(&state.idp, &caller.context, call.input).await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(error) => JsonError::new(error, call.challenge).into_response(),
    };
    cors::allow_client(&state, &caller.context.tenant.id, &headers, Some(&call.named_client), &mut response)
        .await;
    response
}
