use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use idp::login::{LoginInput, LoginOutcome, LoginPage, page, submit as submit_login};

use crate::AppState;
use crate::error::{PageFailure, retry_after};
use crate::extract::{Caller, OwnForm, QueryParameters};
use crate::pages::resume::go_on;

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
    QueryParameters(parameters): QueryParameters,
) -> Result<Response, PageFailure> {
    let handle = parameters.require("state")?;
    let login = page(&state.idp, &caller.context, handle, caller.cookies.browser.as_deref()).await?;
    Ok(render(&login, login.login_hint.as_deref()))
}

/// `POST /u/login`: the user's name and password.
pub(crate) async fn submit(
    State(state): State<AppState>,
    OwnForm(caller, parameters): OwnForm,
) -> Result<Response, PageFailure> {
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
        LoginOutcome::Again(login) => Ok(render(&login, username.or(login.login_hint.as_deref()))),
        outcome => go_on(&state, &caller, outcome),
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
