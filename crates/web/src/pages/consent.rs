//! The page that asks for a user's consent.

use askama::Template;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use idp::PageError;
use idp::consent::{ConsentForm, ConsentPage, Wanted, page, submit as submit_consent};
use idp::login::LoginOutcome;
use oauth::ErrorCode;

use crate::error::PageFailure;
use crate::extract::Caller;
use crate::pages::activate;
use crate::pages::respond::respond;
use crate::pages::resume::leave;
use crate::{AppState, body};

#[derive(Template)]
#[template(path = "consent.html")]
struct Consent<'a> {
    page: &'a ConsentPage,
    wanted: &'a Wanted,
}

/// `GET /u/consent`: what a client wants, in a login under way.
pub(crate) async fn show(
    State(state): State<AppState>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Response, PageFailure> {
    let parameters = body::from_query(query.as_deref())?;
    let handle = parameters.require("state")?;
    let page = page(&state.idp, &caller.context, handle, caller.cookies.browser.as_deref()).await?;
    let form = Consent { page: &page, wanted: &page.wanted };
    Ok(super::page(StatusCode::OK, &form, &[page.redirect_uri.as_str()]))
}

/// `POST /u/consent`: the user's word.
pub(crate) async fn submit(
    State(state): State<AppState>,
    caller: Caller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, PageFailure> {
    if caller.is_cross_site {
        return Err(PageError::oauth(ErrorCode::AccessDenied, "This form was sent by another site").into());
    }
    let parameters = body::from_form_post(query.as_deref(), &headers, body).await?;
    let accepts = match parameters.require("decision")? {
        "accept" => true,
        "decline" => false,
        _ => return Err(PageError::oauth(ErrorCode::InvalidRequest, "Unknown decision").into()),
    };
    let form = ConsentForm {
        handle: parameters.require("state")?,
        csrf: parameters.get("csrf").unwrap_or_default(),
        accepts,
        browser_cookie: caller.cookies.browser.as_deref(),
    };
    match submit_consent(&state.idp, &caller.context, form).await? {
        LoginOutcome::Answer { answer, cookies } => {
            respond(&state, &caller, &Method::POST, &answer, &cookies)
        }
        LoginOutcome::Leave { url, cookies } => leave(&state, &caller, &url, &cookies),
        LoginOutcome::Device { end, cookies } => activate::ended(&state, &caller, &end, &cookies),
        LoginOutcome::Again(_) => {
            Err(PageError::oauth(ErrorCode::InvalidRequest, "This login is over.").into())
        }
    }
}
