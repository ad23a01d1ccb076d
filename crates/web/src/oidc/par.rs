use axum::Json;
use axum::extract::{FromRequest, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use idp::par::push;

use crate::AppState;
use crate::body::only_form;
use crate::error::JsonError;
use crate::extract::Caller;
use crate::oidc::{ClientCall, add_dpop_nonce, answer};

/// `POST /oauth/par` (RFC 9126 §2): a form, from a server, so that no page of a browser may read the answer.
pub(crate) async fn post(
    State(state): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Response, JsonError> {
    only_form(request.headers())?;
    let call = ClientCall::from_request(request, &state).await?;
    let has_proof = call.input.dpop.is_some();
    let pushed = push(&state.idp, &caller.context, call.input).await;
    let mut response = answer(pushed.map(|pushed| (StatusCode::CREATED, Json(pushed))), call.challenge);
    if has_proof {
        add_dpop_nonce(&state, &caller, &mut response);
    }
    Ok(response)
}
