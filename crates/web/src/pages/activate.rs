//! The pages of the device authorization grant (RFC 8628 §3.3).

use askama::Template;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use idp::device::{
    CodeOutcome, CodePage, ConfirmPage, DecisionOutcome, DeviceEnd, DeviceForm, code_page, decide, enter,
};
use idp::{CookieChanges, PageError};
use oauth::{ErrorCode, Parameters};

use crate::AppState;
use crate::error::{PageFailure, retry_after};
use crate::extract::{Caller, OwnForm, QueryParameters};
use crate::oidc::redirect;
use crate::pages::resume::leave;

const CONNECTED: &str = "/activate/connected";
/// More than any code that people type, hyphens and spaces included.
const MAX_USER_CODE: usize = 32;

#[derive(Template)]
#[template(path = "activate.html")]
struct CodeForm<'a> {
    tenant_name: &'a str,
    csrf: &'a str,
    user_code: &'a str,
    error: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "confirm-device.html")]
struct ConfirmForm<'a> {
    tenant_name: &'a str,
    page: &'a ConfirmPage,
}

#[derive(Template)]
#[template(path = "device-connected.html")]
struct Connected<'a> {
    tenant_name: &'a str,
}

#[derive(Template)]
#[template(path = "device-not-connected.html")]
struct NotConnected<'a> {
    reason: Option<&'a str>,
}

/// `GET /activate`: asks for the code. The one in `verification_uri_complete` fills the field, no more: the user
/// confirms it (RFC 8628 §5.4).
pub(crate) async fn show(
    State(state): State<AppState>,
    caller: Caller,
    QueryParameters(parameters): QueryParameters,
) -> Result<Response, PageFailure> {
    let page = code_page(&state.idp, caller.cookies.browser.as_deref());
    ask_for_code(&state, &caller, &page, parameters.get("user_code").unwrap_or_default())
}

/// `POST /activate`: the code.
pub(crate) async fn submit(
    State(state): State<AppState>,
    OwnForm(caller, parameters): OwnForm,
) -> Result<Response, PageFailure> {
    let typed = parameters.get("user_code").unwrap_or_default();
    match enter(&state.idp, &caller.context, form(&caller, &parameters)).await? {
        CodeOutcome::Again(page) => ask_for_code(&state, &caller, &page, typed),
        CodeOutcome::Confirm(page) => {
            let tenant_name = &caller.context.tenant.friendly_name;
            Ok(super::page(StatusCode::OK, &ConfirmForm { tenant_name, page: &page }, &[]))
        }
    }
}

/// `POST /activate/confirm`: the user's word.
pub(crate) async fn confirm(
    State(state): State<AppState>,
    OwnForm(caller, parameters): OwnForm,
) -> Result<Response, PageFailure> {
    let connect = match parameters.require("decision")? {
        "connect" => true,
        "cancel" => false,
        _ => return Err(PageError::oauth(ErrorCode::InvalidRequest, "Unknown decision").into()),
    };
    match decide(&state.idp, &caller.context, form(&caller, &parameters), connect).await? {
        DecisionOutcome::Login { handle, cookies } => {
            let login = format!("/u/login?state={handle}");
            Ok(redirect(&state, &caller, &Method::POST, &login, &cookies)?)
        }
        DecisionOutcome::Leave { url, cookies } => leave(&state, &caller, &url, &cookies),
        DecisionOutcome::Ended { end, cookies } => ended(&state, &caller, &end, &cookies),
    }
}

/// `GET /activate/connected`: where the road of a device ends well, and may be loaded again.
pub(crate) async fn connected(caller: Caller) -> Response {
    let tenant_name = &caller.context.tenant.friendly_name;
    super::page(StatusCode::OK, &Connected { tenant_name }, &[])
}

/// What the user is told in the end.
pub(crate) fn ended(
    state: &AppState,
    caller: &Caller,
    end: &DeviceEnd,
    cookies: &CookieChanges,
) -> Result<Response, PageFailure> {
    let (status, reason) = match end {
        DeviceEnd::Connected => {
            return Ok(redirect(state, caller, &Method::POST, CONNECTED, cookies)?);
        }
        DeviceEnd::Cancelled => (StatusCode::OK, None),
        DeviceEnd::Denied(reason) => (StatusCode::FORBIDDEN, Some(reason.as_str())),
        DeviceEnd::Gone => {
            let text = "This code has expired or was used already. Start again on your device.";
            return Err(PageError::oauth(ErrorCode::ExpiredToken, text).into());
        }
    };
    Ok(caller.with_cookies(state, cookies, super::page(status, &NotConnected { reason }, &[]))?)
}

fn ask_for_code(
    state: &AppState,
    caller: &Caller,
    page: &CodePage,
    user_code: &str,
) -> Result<Response, PageFailure> {
    let status = StatusCode::from_u16(page.status).unwrap_or(StatusCode::BAD_REQUEST);
    let form = CodeForm {
        tenant_name: &caller.context.tenant.friendly_name,
        csrf: &page.csrf,
        user_code: if user_code.len() <= MAX_USER_CODE { user_code } else { "" },
        error: page.error,
    };
    let mut response = super::page(status, &form, &[]);
    retry_after(&mut response, page.retry_after_secs);
    Ok(caller.with_cookies(state, &page.cookies, response)?)
}

fn form<'a>(caller: &'a Caller, parameters: &'a Parameters) -> DeviceForm<'a> {
    DeviceForm {
        csrf: parameters.get("csrf").unwrap_or_default(),
        user_code: parameters.get("user_code").unwrap_or_default(),
        shown: parameters.get("shown").unwrap_or_default(),
        browser_cookie: caller.cookies.browser.as_deref(),
        session_cookie: caller.cookies.session.as_deref(),
    }
}
