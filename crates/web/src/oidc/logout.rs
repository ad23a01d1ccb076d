use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use idp::PageError;
use idp::logout::{LogoutInput, LogoutOutcome, oidc_logout, v2_logout};
use oauth::{ErrorCode, Parameters};

use crate::error::PageFailure;
use crate::extract::{Caller, QueryParameters};
use crate::oidc::redirect;
use crate::pages::logout::{confirm, logged_out};
use crate::{AppState, body};

/// `GET /v2/logout`.
pub(crate) async fn v2(
    State(state): State<AppState>,
    caller: Caller,
    QueryParameters(parameters): QueryParameters,
) -> Result<Response, PageFailure> {
    let input = LogoutInput { parameters, session_cookie: caller.cookies.session.as_deref() };
    let outcome = v2_logout(&state.idp, &caller.context, input).await?;
    write(&state, &caller, &Method::GET, outcome)
}

/// `GET /oidc/logout` (RP-Initiated Logout §2).
pub(crate) async fn get(
    State(state): State<AppState>,
    caller: Caller,
    QueryParameters(parameters): QueryParameters,
) -> Result<Response, PageFailure> {
    run(&state, &caller, &Method::GET, parameters).await
}

/// `POST /oidc/logout`: from a client's page, or the confirmation from ours. Only ours may carry `csrf`.
pub(crate) async fn post(
    State(state): State<AppState>,
    caller: Caller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, PageFailure> {
    let parameters = body::from_form_post(query.as_deref(), &headers, body).await?;
    run(&state, &caller, &Method::POST, parameters).await
}

async fn run(
    state: &AppState,
    caller: &Caller,
    method: &Method,
    parameters: Parameters,
) -> Result<Response, PageFailure> {
    let csrf = parameters.get("csrf").map(str::to_owned).filter(|_| *method == Method::POST);
    if csrf.is_some() && caller.is_cross_site {
        return Err(PageError::oauth(ErrorCode::AccessDenied, "This form was sent by another site").into());
    }
    let input = LogoutInput { parameters, session_cookie: caller.cookies.session.as_deref() };
    let outcome = oidc_logout(&state.idp, &caller.context, input, csrf.as_deref()).await?;
    write(state, caller, method, outcome)
}

fn write(
    state: &AppState,
    caller: &Caller,
    method: &Method,
    outcome: LogoutOutcome,
) -> Result<Response, PageFailure> {
    let (response, cookies) = match outcome {
        LogoutOutcome::Redirect { location, cookies } => {
            return Ok(redirect(state, caller, method, &location, &cookies)?);
        }
        LogoutOutcome::LoggedOut { cookies } => (logged_out(&caller.context.tenant.friendly_name), cookies),
        LogoutOutcome::Confirm { csrf, parameters } => {
            return Ok(confirm(&caller.context.tenant.friendly_name, &csrf, &parameters));
        }
    };
    Ok(caller.with_cookies(state, &cookies, response)?)
}
