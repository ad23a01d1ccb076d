//! The MFA API of the dialect: second factors for clients without a browser.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use idp::mfa::api;

use crate::error::{JsonError, Scheme, resource_refused};
use crate::extract::Caller;
use crate::oidc::{ClientCall, answer};
use crate::{AppState, body, cors};

/// `POST /mfa/challenge`.
pub(crate) async fn challenge(
    State(state): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
    call: ClientCall,
) -> Response {
    let challenge = api::challenge(&state.idp, &caller.context, &call.input).await;
    let mut response = answer(challenge.map(Json), call.challenge);
    let client = Some(call.named_client.as_str());
    cors::allow_client(&state, &caller.context.tenant.id, &headers, client, &mut response).await;
    response
}

/// `POST /mfa/associate`, with the `mfa_token` as bearer.
pub(crate) async fn associate(
    State(state): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let response = async {
        let Some(token) = bearer(&headers) else { return resource_refused(None, Scheme::Bearer) };
        let parameters = match body::from_api_post_with_lists(&headers, body).await {
            Ok(parameters) => parameters,
            Err(error) => return JsonError::from(error).into_response(),
        };
        match api::associate(&state.idp, &caller.context, token, &parameters).await {
            Ok(enrolment) => Json(enrolment).into_response(),
            Err(error) => resource_refused(Some(error), Scheme::Bearer),
        }
    };
    for_any_client(&state, &caller, &headers, response.await).await
}

/// `GET /mfa/authenticators`, with an `mfa_token` or an access token as bearer.
pub(crate) async fn authenticators(
    State(state): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
) -> Response {
    let response = match bearer(&headers) {
        None => resource_refused(None, Scheme::Bearer),
        Some(token) => match api::authenticators(&state.idp, &caller.context, token).await {
            Ok(list) => Json(list).into_response(),
            Err(error) => resource_refused(Some(error), Scheme::Bearer),
        },
    };
    for_any_client(&state, &caller, &headers, response).await
}

/// `DELETE /mfa/authenticators/{id}`, with an access token as bearer.
pub(crate) async fn remove(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let response = match bearer(&headers) {
        None => resource_refused(None, Scheme::Bearer),
        Some(token) => match api::remove(&state.idp, &caller.context, token, &id).await {
            Ok(()) => StatusCode::NO_CONTENT.into_response(),
            Err(error) => resource_refused(Some(error), Scheme::Bearer),
        },
    };
    for_any_client(&state, &caller, &headers, response).await
}

async fn for_any_client(
    state: &AppState,
    caller: &Caller,
    headers: &HeaderMap,
    mut response: Response,
) -> Response {
    cors::allow_client(state, &caller.context.tenant.id, headers, None, &mut response).await;
    response
}

/// The one bearer token of the request (RFC 6750 §2.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).into_iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    (Scheme::named(scheme) == Some(Scheme::Bearer)).then(|| token.trim())
}
