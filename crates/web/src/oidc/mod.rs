//! The endpoints of OAuth and OpenID Connect.

pub(crate) mod authorize;
pub(crate) mod device;
pub(crate) mod discovery;
pub(crate) mod introspect;
pub(crate) mod jwks;
pub(crate) mod logout;
pub(crate) mod mfa;
pub(crate) mod par;
pub(crate) mod revoke;
pub(crate) mod token;
pub(crate) mod userinfo;

use axum::extract::{FromRequest, Request};
use axum::http::header::{AUTHORIZATION, LOCATION};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use idp::token::TokenInput;
use idp::{CookieChanges, IdpError, ServerError};
use oauth::{ErrorCode, OAuthError};

use crate::error::{Challenge, JsonError, bad_request};
use crate::extract::Caller;
use crate::{AppState, body};

/// A redirect of the browser: 303 after a form, so that what the form held goes no further (RFC 9700 §4.12).
pub(crate) fn redirect(
    state: &AppState,
    caller: &Caller,
    method: &Method,
    location: &str,
    cookies: &CookieChanges,
) -> Result<Response, ServerError> {
    let location = HeaderValue::from_str(location)
        .map_err(|_| ServerError::Inconsistent("a redirect URI has bad characters".into()))?;
    let status = if *method == Method::POST { StatusCode::SEE_OTHER } else { StatusCode::FOUND };
    caller.with_cookies(state, cookies, (status, [(LOCATION, location)]).into_response())
}

/// A request of a client to the token endpoint or one that authenticates it likewise.
pub(crate) struct ClientCall {
    pub(crate) input: TokenInput,
    /// The client that the request names, before anything is believed: for CORS.
    pub(crate) named_client: String,
    /// How a refusal of the client is answered.
    pub(crate) challenge: Challenge,
}

impl FromRequest<AppState> for ClientCall {
    type Rejection = JsonError;

    async fn from_request(request: Request, _: &AppState) -> Result<Self, JsonError> {
        let (parts, body) = request.into_parts();
        let authorization = one(&parts.headers, AUTHORIZATION.as_str())?;
        let forwarded_for = one(&parts.headers, "auth0-forwarded-for")?;
        let dpop = dpop_proof(&parts.headers)?;
        let parameters = body::from_api_post(parts.uri.query(), &parts.headers, body).await?;
        let basic = || oauth::parse_basic(authorization.as_deref()?).ok().map(|basic| basic.client_id);
        Ok(Self {
            named_client: parameters.get("client_id").map(str::to_owned).or_else(basic).unwrap_or_default(),
            challenge: if authorization.is_some() { Challenge::Basic } else { Challenge::None },
            input: TokenInput { parameters, authorization, dpop, forwarded_for },
        })
    }
}

/// The answer to such a request.
pub(crate) fn answer(
    outcome: Result<impl IntoResponse, impl Into<IdpError>>,
    challenge: Challenge,
) -> Response {
    match outcome {
        Ok(answer) => answer.into_response(),
        Err(error) => JsonError::new(error, challenge).into_response(),
    }
}

/// The one `DPoP` header (RFC 9449 §4.3).
pub(crate) fn dpop_proof(headers: &HeaderMap) -> Result<Option<String>, OAuthError> {
    one(headers, "dpop").map_err(|error| OAuthError::new(ErrorCode::InvalidDpopProof, error.description))
}

/// Gives the client the nonce for its next proof (RFC 9449 §8).
pub(crate) fn add_dpop_nonce(state: &AppState, caller: &Caller, response: &mut Response) {
    if let Ok(nonce) = HeaderValue::from_str(&idp::dpop::nonce(&state.idp, &caller.context.tenant.id)) {
        response.headers_mut().insert("dpop-nonce", nonce);
    }
}

fn one(headers: &HeaderMap, name: &str) -> Result<Option<String>, OAuthError> {
    let mut values = headers.get_all(name).into_iter();
    let Some(value) = values.next() else { return Ok(None) };
    match (value.to_str(), values.next()) {
        (Ok(value), None) => Ok(Some(value.to_owned())),
        _ => Err(bad_request(
            StatusCode::BAD_REQUEST,
            &format!("The header {name} is malformed or was sent twice"),
        )),
    }
}
