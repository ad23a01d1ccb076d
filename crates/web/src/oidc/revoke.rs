use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use idp::revoke::revoke;
use idp::token::TokenInput;

use crate::error::JsonError;
use crate::extract::Caller;
use crate::oidc::ClientHeaders;
use crate::{AppState, body, cors};

/// `POST /oauth/revoke` (RFC 7009): 200 with an empty body, also for a token that nobody knows.
pub(crate) async fn post(
    State(state): State<AppState>,
    caller: Caller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let read = async {
        let client = ClientHeaders::read(&headers)?;
        Ok((body::from_api_post(query.as_deref(), &headers, body).await?, client))
    };
    let (parameters, client) = match read.await {
        Ok(read) => read,
        Err(error) => return JsonError::from::<oauth::OAuthError>(error).into_response(),
    };
    let (named, challenge) = (client.named_client(&parameters), client.challenge());
    let ClientHeaders { authorization, forwarded_for } = client;
    let input = TokenInput { parameters, authorization, forwarded_for };
    let mut response = match revoke(&state.idp, &caller.context, input).await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(error) => JsonError::new(error, challenge).into_response(),
    };
    cors::allow_client(&state, &caller.context.tenant.id, &headers, Some(&named), &mut response).await;
    response
}
