//! The page that asks for a user's consent.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use idp::PageError;
use idp::consent::{ConsentForm, ConsentPage, Wanted, page, submit as submit_consent};
use oauth::ErrorCode;

use crate::AppState;
use crate::error::PageFailure;
use crate::extract::{Caller, OwnForm, QueryParameters};
use crate::pages::resume::go_on;

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
    QueryParameters(parameters): QueryParameters,
) -> Result<Response, PageFailure> {
    let handle = parameters.require("state")?;
    let page = page(&state.idp, &caller.context, handle, caller.cookies.browser.as_deref()).await?;
    let form = Consent { page: &page, wanted: &page.wanted };
    Ok(super::page(StatusCode::OK, &form, &[page.redirect_uri.as_str()]))
}

/// `POST /u/consent`: the user's word.
pub(crate) async fn submit(
    State(state): State<AppState>,
    OwnForm(caller, parameters): OwnForm,
) -> Result<Response, PageFailure> {
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
    go_on(&state, &caller, submit_consent(&state.idp, &caller.context, form).await?)
}
