//! The login page: user name and password, for a login that `/authorize` began in this browser.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use model::{Client, Connection, PendingAuthorization, Timestamp};
use oauth::{AuthorizationResponse, ErrorCode};

use crate::authorize::live_session;
use crate::complete::{Authenticated, Completed, WaitsFor, complete, resume};
use crate::credential::hash_credential;
use crate::device::DeviceEnd;
use crate::error::{PageError, ServerError};
use crate::event::ContinueRequest;
use crate::password_login::{self, LoginAttempt, WRONG_CREDENTIALS};
use crate::{CookieChanges, Idp, RequestContext};

const BUSY: &str = "Many people are logging in right now. Wait a moment and try again.";
const TOO_MANY_ATTEMPTS: &str = "Too many attempts. Wait a few minutes and try again.";

/// What the login page shows.
#[derive(Debug)]
pub struct LoginPage {
    /// Goes back with the form as `state`.
    pub handle: String,
    /// Goes back with the form.
    pub csrf: String,
    /// Where the user is about to log in.
    pub client_name: String,
    /// Whose page it is.
    pub tenant_name: String,
    /// Fills the user name.
    pub login_hint: Option<String>,
    /// Where the form's redirect leads in the end, for the page's `form-action`.
    pub redirect_uri: String,
    /// What was wrong with the last attempt.
    pub error: Option<String>,
    /// HTTP status of the page.
    pub status: u16,
    /// When the form may be sent again.
    pub retry_after_secs: Option<i64>,
}

/// The form of the login page, sent back.
pub struct LoginInput<'a> {
    /// As the page gave it.
    pub handle: &'a str,
    /// As the page gave it.
    pub csrf: &'a str,
    /// E-mail address or user name.
    pub username: &'a str,
    /// As typed.
    pub password: &'a str,
    /// The cookie that binds the login to this browser.
    pub browser_cookie: Option<&'a str>,
    /// The session cookie.
    pub session_cookie: Option<&'a str>,
}

/// What becomes of the form.
#[derive(Debug)]
pub enum LoginOutcome {
    /// To the client, with a code or an error.
    Answer {
        /// What the client learns, and how.
        answer: AuthorizationResponse,
        /// For this browser.
        cookies: CookieChanges,
    },
    /// To where an Action sends the browser: a site that no page of ours could name in its policy.
    Leave {
        /// The Action's URL, with `state`.
        url: String,
        /// For this browser.
        cookies: CookieChanges,
    },
    /// A device has its answer.
    Device {
        /// Which.
        end: DeviceEnd,
        /// For this browser.
        cookies: CookieChanges,
    },
    /// The page again, with what was wrong.
    Again(LoginPage),
}

/// The page for a login under way.
///
/// # Errors
/// [`PageError`] when there is no such login in this browser, or it is over.
pub async fn page(
    idp: &Idp,
    ctx: &RequestContext,
    handle: &str,
    browser_cookie: Option<&str>,
) -> Result<LoginPage, PageError> {
    let (pending, browser) = pending(idp, ctx, handle, browser_cookie).await?;
    let (client, _) = client_and_connection(idp, ctx, &pending).await?;
    Ok(login_page(ctx, &client, &pending, handle, browser, None))
}

/// Checks the password and completes the login.
///
/// # Errors
/// [`PageError`] when there is no such login in this browser, the form was not ours, or the login is over.
pub async fn submit(
    idp: &Idp,
    ctx: &RequestContext,
    input: LoginInput<'_>,
) -> Result<LoginOutcome, PageError> {
    let (pending, browser) = pending(idp, ctx, input.handle, input.browser_cookie).await?;
    if verify_slices_are_equal(csrf(browser, input.handle).as_bytes(), input.csrf.as_bytes()).is_err() {
        return Err(PageError::oauth(ErrorCode::InvalidRequest, "This form was not sent by the login page."));
    }
    let (client, connection) = client_and_connection(idp, ctx, &pending).await?;
    let again = |message: &str, status, retry_after_secs| {
        let mut page = login_page(ctx, &client, &pending, input.handle, browser, Some(message));
        page.login_hint = Some(input.username.to_owned());
        page.status = status;
        page.retry_after_secs = retry_after_secs;
        Ok(LoginOutcome::Again(page))
    };
    let attempt =
        password_login::attempt(idp, ctx, &client, &connection, input.username, input.password).await?;
    let user = match attempt {
        LoginAttempt::Right(user) => user,
        LoginAttempt::Wrong => return again(WRONG_CREDENTIALS, 400, None),
        LoginAttempt::TooMany { retry_after_secs } => {
            return again(TOO_MANY_ATTEMPTS, 429, Some(retry_after_secs));
        }
        LoginAttempt::Busy => return again(BUSY, 503, Some(ServerError::BUSY_RETRY_SECS)),
    };
    let now = idp.now();
    let session = live_session(idp, ctx, input.session_cookie, now).await?;
    let pending = spend(idp, ctx, input.handle, browser, now).await?;
    let who = Authenticated::Password { user, connection, session };
    let id = pending.id.as_str();
    outcome(complete(idp, ctx, &client, &pending.request, id, who, Some(browser)).await?)
}

/// Goes on with a login whose browser is back from where an Action had sent it (`/continue`).
///
/// # Errors
/// [`PageError`] when no such login waits for this browser, or it is over.
pub async fn continue_login(
    idp: &Idp,
    ctx: &RequestContext,
    handle: &str,
    browser_cookie: Option<&str>,
    request: &ContinueRequest,
) -> Result<LoginOutcome, PageError> {
    let found = under_way(idp, ctx, handle, browser_cookie).await?;
    let Some((pending, browser)) = found else { return Err(over()) };
    if WaitsFor::of(&pending)? != Some(WaitsFor::Continue) {
        return Err(over());
    }
    let client = idp.settings.client(&ctx.tenant, &pending.request.client_id).await?.ok_or_else(over)?;
    let pending = spend(idp, ctx, handle, browser, idp.now()).await?;
    outcome(resume(idp, ctx, &client, &pending, request, Some(browser)).await?)
}

pub(crate) fn outcome(completed: Completed) -> Result<LoginOutcome, PageError> {
    match completed {
        Completed::Answer { answer, session } => Ok(LoginOutcome::Answer {
            answer,
            cookies: CookieChanges { session, ..CookieChanges::default() },
        }),
        Completed::Leave { url, browser } => {
            Ok(LoginOutcome::Leave { url, cookies: CookieChanges { browser, ..CookieChanges::default() } })
        }
        Completed::Device { end, session } => {
            Ok(LoginOutcome::Device { end, cookies: CookieChanges { session, ..CookieChanges::default() } })
        }
        Completed::Ended => Err(PageError::oauth(
            ErrorCode::InvalidRequest,
            "Your session ended while you were logging in. Go back to the application and try again.",
        )),
    }
}

async fn pending<'a>(
    idp: &Idp,
    ctx: &RequestContext,
    handle: &str,
    browser_cookie: Option<&'a str>,
) -> Result<(PendingAuthorization, &'a str), PageError> {
    let found = under_way(idp, ctx, handle, browser_cookie).await?;
    // Who is known already has no password to enter.
    found.filter(|(pending, _)| pending.suspended.is_none()).ok_or_else(over)
}

pub(crate) async fn under_way<'a>(
    idp: &Idp,
    ctx: &RequestContext,
    handle: &str,
    browser_cookie: Option<&'a str>,
) -> Result<Option<(PendingAuthorization, &'a str)>, PageError> {
    let Some(browser) = browser_cookie else { return Ok(None) };
    let mut tx = idp.storage.begin_read(&ctx.tenant.id).await?;
    let found = tx.pending(&hash_credential(handle), &hash_credential(browser), idp.now()).await?;
    Ok(found.map(|pending| (pending, browser)))
}

pub(crate) async fn spend(
    idp: &Idp,
    ctx: &RequestContext,
    handle: &str,
    browser: &str,
    now: Timestamp,
) -> Result<PendingAuthorization, PageError> {
    let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
    let spent = tx.spend_pending(&hash_credential(handle), &hash_credential(browser), now).await?;
    tx.commit().await?;
    spent.ok_or_else(over)
}

pub(crate) fn over() -> PageError {
    PageError::oauth(
        ErrorCode::InvalidRequest,
        "This login is over, or was started in another browser. Go back to the application and try again.",
    )
}

async fn client_and_connection(
    idp: &Idp,
    ctx: &RequestContext,
    pending: &PendingAuthorization,
) -> Result<(Arc<Client>, Connection), PageError> {
    let client = idp
        .settings
        .client(&ctx.tenant, &pending.request.client_id)
        .await?
        .ok_or_else(|| PageError::oauth(ErrorCode::InvalidRequest, "Unknown client."))?;
    let named = pending.request.query.get("connection").and_then(serde_json::Value::as_str);
    let connection = password_login::connection_of(idp, ctx, &client, named).await?.ok_or_else(|| {
        let text = match named {
            None => "No connection is enabled for this client.",
            Some(_) => "The connection of the request is not enabled for this client.",
        };
        PageError::oauth(ErrorCode::InvalidRequest, text)
    })?;
    Ok((client, connection))
}

fn login_page(
    ctx: &RequestContext,
    client: &Client,
    pending: &PendingAuthorization,
    handle: &str,
    browser: &str,
    error: Option<&str>,
) -> LoginPage {
    LoginPage {
        handle: handle.to_owned(),
        csrf: csrf(browser, handle),
        client_name: client.name.clone(),
        tenant_name: ctx.tenant.friendly_name.clone(),
        login_hint: pending.request.login_hint.clone(),
        redirect_uri: pending.request.redirect_uri.clone(),
        error: error.map(str::to_owned),
        status: 200,
        retry_after_secs: None,
    }
}

/// Only a page that saw the browser's secret cookie, and this login, can know it.
pub(crate) fn csrf(browser: &str, handle: &str) -> String {
    hash_credential(&format!("csrf\0{browser}\0{handle}"))
}
