use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};
use idp::CookieChanges;
use idp::authorize::{AuthorizeInput, AuthorizeOutcome, authorize};
use oauth::{OAuthError, Parameters};

use crate::error::PageFailure;
use crate::extract::Caller;
use crate::oidc::redirect;
use crate::pages::respond::respond;
use crate::{AppState, body};

/// `GET /authorize` (RFC 6749 §4.1.1).
pub(crate) async fn get(
    State(state): State<AppState>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Response {
    answer(&state, &caller, &Method::GET, body::from_query(query.as_deref())).await
}

/// `POST /authorize` (OpenID Connect Core §3.1.2.1).
pub(crate) async fn post(
    State(state): State<AppState>,
    caller: Caller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let parameters = body::from_form_post(query.as_deref(), &headers, body).await;
    answer(&state, &caller, &Method::POST, parameters).await
}

async fn answer(
    state: &AppState,
    caller: &Caller,
    method: &Method,
    parameters: Result<Parameters, OAuthError>,
) -> Response {
    let mut response = match parameters {
        Ok(parameters) => {
            run(state, caller, method, parameters).await.unwrap_or_else(IntoResponse::into_response)
        }
        Err(error) => PageFailure::from(error).into_response(),
    };
    // Whatever became of the token, the browser forgets it (`native-to-web.md` section 4).
    let writer = caller.cookie_writer(state);
    if caller.cookies.has_transfer && writer.clear_transfer(response.headers_mut()).is_err() {
        return PageFailure::from(OAuthError::new(
            oauth::ErrorCode::ServerError,
            "A cookie could not be expired",
        ))
        .into_response();
    }
    response
}

async fn run(
    state: &AppState,
    caller: &Caller,
    method: &Method,
    parameters: Parameters,
) -> Result<Response, PageFailure> {
    let input = AuthorizeInput {
        parameters,
        session_cookie: caller.cookies.session.as_deref(),
        browser_cookie: caller.cookies.browser.as_deref(),
        session_transfer_cookie: caller.cookies.session_transfer_token.as_deref(),
    };
    // The transfer cookie is cleared by the caller, for errors as well.
    let kept = |cookies| CookieChanges { clear_session_transfer_token: false, ..cookies };
    let sent = match authorize(&state.idp, &caller.context, input).await? {
        AuthorizeOutcome::Answer { answer, cookies } => {
            return respond(state, caller, method, &answer, &kept(cookies));
        }
        AuthorizeOutcome::Leave { url, cookies } => redirect(state, caller, method, &url, &kept(cookies)),
        AuthorizeOutcome::Login { handle, cookies } => {
            redirect(state, caller, method, &format!("/u/login?state={handle}"), &kept(cookies))
        }
    };
    Ok(sent?)
}
