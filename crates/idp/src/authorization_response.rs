//! The authorization response (RFC 6749 §4.1.2, §4.1.2.1): what the client learns of its request, and how.

use model::{AuthorizationRequest, Client};
use oauth::{AuthorizationResponse, OAuthError, ResponseMode};

use crate::RequestContext;

/// What the client learns of the error of a request that was in order.
pub(crate) fn request_failed(
    ctx: &RequestContext,
    client: &Client,
    request: &AuthorizationRequest,
    error: &OAuthError,
) -> AuthorizationResponse {
    error_answer(ctx, client, mode_of(request), &request.redirect_uri, request.state.as_deref(), error)
}

/// How the client wants the answer to a request that was in order.
pub(crate) fn mode_of(request: &AuthorizationRequest) -> ResponseMode {
    request.response_mode.as_deref().and_then(ResponseMode::named).unwrap_or(ResponseMode::Query)
}

/// The answer with an error: `error`, `error_description`, `state`, `iss` (RFC 9207 §2). It stays here when the client does
/// not hear of errors.
pub(crate) fn error_answer(
    ctx: &RequestContext,
    client: &Client,
    mode: ResponseMode,
    redirect_uri: &str,
    state: Option<&str>,
    error: &OAuthError,
) -> AuthorizationResponse {
    let description = oauth::sanitize_description(&error.description);
    let parameters = vec![("error", error.code.as_str().to_owned()), ("error_description", description)];
    let answer = answer(ctx, mode, redirect_uri, state, parameters);
    AuthorizationResponse { kept_here: (!client.hears_errors()).then(|| Box::new(error.clone())), ..answer }
}

/// The answer with `state` and `iss`.
pub(crate) fn answer(
    ctx: &RequestContext,
    mode: ResponseMode,
    redirect_uri: &str,
    state: Option<&str>,
    mut parameters: Vec<(&'static str, String)>,
) -> AuthorizationResponse {
    parameters.extend(state.map(|state| ("state", state.to_owned())));
    parameters.push(("iss", ctx.issuer.clone()));
    AuthorizationResponse { redirect_uri: redirect_uri.to_owned(), mode, parameters, kept_here: None }
}
