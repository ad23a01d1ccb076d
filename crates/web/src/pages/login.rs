use askama::Template;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use idp::PageError;
use idp::login::{LoginInput, LoginOutcome, LoginPage, page, submit as submit_login};
use oauth::{ErrorCode, Parameters};

use crate::error::{PageFailure, retry_after};
use crate::extract::Caller;
use crate::pages::activate;
use crate::pages::respond::respond;
use crate::pages::resume::leave;
use crate::{AppState, body};

#[derive(Template)]
#[template(path = "login.html")]
struct LoginForm<'a> {
    handle: &'a str,
    csrf: &'a str,
    client_name: &'a str,
    tenant_name: &'a str,
    username: &'a str,
    error: Option<&'a str>,
}

/// `GET /u/login`: the form of a login under way.
pub(crate) async fn show(
    State(state): State<AppState>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Response, PageFailure> {
    let parameters = body::from_query(query.as_deref())?;
    let handle = parameters.require("state")?;
    let login = page(&state.idp, &caller.context, handle, caller.cookies.browser.as_deref()).await?;
    Ok(render(&login, login.login_hint.as_deref()))
}

/// `POST /u/login`: the user's name and password.
pub(crate) async fn submit(
    State(state): State<AppState>,
    caller: Caller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if caller.is_cross_site {
        let error = PageError::oauth(ErrorCode::AccessDenied, "This form was sent by another site");
        return PageFailure::from(error).into_response();
    }
    match body::from_form_post(query.as_deref(), &headers, body).await {
        Ok(parameters) => run(&state, &caller, &parameters).await.unwrap_or_else(IntoResponse::into_response),
        Err(error) => PageFailure::from(error).into_response(),
    }
}

async fn run(state: &AppState, caller: &Caller, parameters: &Parameters) -> Result<Response, PageFailure> {
    let username = parameters.get("username");
    let input = LoginInput {
        handle: parameters.require("state")?,
        csrf: parameters.get("csrf").unwrap_or_default(),
        username: username.unwrap_or_default(),
        password: parameters.get("password").unwrap_or_default(),
        browser_cookie: caller.cookies.browser.as_deref(),
        session_cookie: caller.cookies.session.as_deref(),
    };
    match submit_login(&state.idp, &caller.context, input).await? {
        LoginOutcome::Answer { answer, cookies } => respond(state, caller, &Method::POST, &answer, &cookies),
        LoginOutcome::Leave { url, cookies } => leave(state, caller, &url, &cookies),
        LoginOutcome::Device { end, cookies } => activate::ended(state, caller, &end, &cookies),
        LoginOutcome::Again(login) => Ok(render(&login, username.or(login.login_hint.as_deref()))),
    }
}

fn render(login: &LoginPage, username: Option<&str>) -> Response {
    let status = StatusCode::from_u16(login.status).unwrap_or(StatusCode::BAD_REQUEST);
    let form = LoginForm {
        handle: &login.handle,
        csrf: &login.csrf,
        client_name: &login.client_name,
        tenant_name: &login.tenant_name,
        username: username.unwrap_or_default(),
        error: login.error.as_deref(),
    };
    let mut response = super::page(status, &form, &[&login.redirect_uri]);
    retry_after(&mut response, login.retry_after_secs);
    response
}
