use axum::Json;
use axum::extract::State;
use axum::response::Response;
use idp::introspect::introspect;

use crate::AppState;
use crate::extract::Caller;
use crate::oidc::{ClientCall, answer};

/// `POST /oauth/introspect` (RFC 7662 §2.1): from a server, so that no page of a browser may read the answer.
pub(crate) async fn post(State(state): State<AppState>, caller: Caller, call: ClientCall) -> Response {
    answer(introspect(&state.idp, &caller.context, call.input).await.map(Json), call.challenge)
}
