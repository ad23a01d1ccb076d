//! `/continue`: the browser is back from where an Action had sent it.

use askama::Template;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use idp::login::{LoginOutcome, continue_login};
use idp::{ContinueRequest, CookieChanges};
use oauth::{ErrorCode, OAuthError, Parameters};

use crate::error::PageFailure;
use crate::extract::{Caller, QueryParameters};
use crate::oidc::redirect;
use crate::pages::activate;
use crate::pages::respond::respond;
use crate::{AppState, body};

/// Sends the browser on after a form of ours. Browsers follow no redirect from a form to a site that the form's page did
/// not name in its policy, and it could not: so a page sends it.
#[derive(Template)]
#[template(path = "leave.html")]
struct Leave<'a> {
    url: &'a str,
}

/// Takes a form that another site has sent: the browser keeps our cookies back then, until the user clicks.
#[derive(Template)]
#[template(path = "continue.html")]
struct Continue<'a> {
    tenant_name: &'a str,
    action: String,
    fields: Vec<(&'a str, &'a str)>,
}

/// `GET /continue`.
pub(crate) async fn get(
    State(state): State<AppState>,
    caller: Caller,
    QueryParameters(query): QueryParameters,
) -> Result<Response, PageFailure> {
    run(&state, &caller, &Method::GET, &query, None).await
}

/// `POST /continue`.
pub(crate) async fn post(
    State(state): State<AppState>,
    caller: Caller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, PageFailure> {
    let form = body::from_form_post(None, &headers, body).await?;
    let raw_query = query.unwrap_or_default();
    let query = body::from_query(Some(&raw_query))?;
    if caller.cookies.browser.is_none() && caller.is_cross_site {
        let page = Continue {
            tenant_name: &caller.context.tenant.friendly_name,
            action: format!("/continue?{raw_query}"),
            fields: form.iter().collect(),
        };
        return Ok(super::page(StatusCode::OK, &page, &[]));
    }
    run(&state, &caller, &Method::POST, &query, Some(&form)).await
}

async fn run(
    state: &AppState,
    caller: &Caller,
    method: &Method,
    query: &Parameters,
    form: Option<&Parameters>,
) -> Result<Response, PageFailure> {
    let handle = match (query.get("state"), form.and_then(|form| form.get("state"))) {
        (Some(one), Some(other)) if one != other => {
            return Err(OAuthError::new(ErrorCode::InvalidRequest, "Two different states").into());
        }
        (handle, other) => handle.or(other),
    };
    let handle = handle.ok_or_else(|| OAuthError::new(ErrorCode::InvalidRequest, "The state is missing"))?;
    let request = ContinueRequest {
        method: method.to_string(),
        query: query.without(&[]),
        body: form.map(|form| form.without(&[])).unwrap_or_default(),
    };
    let browser = caller.cookies.browser.as_deref();
    match continue_login(&state.idp, &caller.context, handle, browser, &request).await? {
        LoginOutcome::Answer { answer, cookies } => match answer.location() {
            // The policy of the page whose form this was names no client.
            Some(url) if *method == Method::POST => leave(state, caller, &url, &cookies),
            _ => respond(state, caller, method, &answer, &cookies),
        },
        LoginOutcome::Leave { url, cookies } if *method == Method::GET => {
            Ok(redirect(state, caller, method, &url, &cookies)?)
        }
        LoginOutcome::Leave { url, cookies } => leave(state, caller, &url, &cookies),
        LoginOutcome::Device { end, cookies } => activate::ended(state, caller, &end, &cookies),
        LoginOutcome::Again(_) => Err(over()),
    }
}

/// What comes after a form of a login under way.
pub(crate) fn go_on(
    state: &AppState,
    caller: &Caller,
    outcome: LoginOutcome,
) -> Result<Response, PageFailure> {
    match outcome {
        LoginOutcome::Answer { answer, cookies } => respond(state, caller, &Method::POST, &answer, &cookies),
        LoginOutcome::Leave { url, cookies } => leave(state, caller, &url, &cookies),
        LoginOutcome::Device { end, cookies } => activate::ended(state, caller, &end, &cookies),
        LoginOutcome::Again(_) => Err(over()),
    }
}

fn over() -> PageFailure {
    OAuthError::new(ErrorCode::InvalidRequest, "This login is over.").into()
}

/// Sends the browser away, after a form. To a page of ours it may be redirected.
pub(crate) fn leave(
    state: &AppState,
    caller: &Caller,
    url: &str,
    cookies: &CookieChanges,
) -> Result<Response, PageFailure> {
    if url.starts_with('/') {
        return Ok(redirect(state, caller, &Method::POST, url, cookies)?);
    }
    Ok(caller.with_cookies(state, cookies, super::page(StatusCode::OK, &Leave { url }, &[]))?)
}
