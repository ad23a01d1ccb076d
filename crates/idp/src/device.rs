//! The device authorization grant (RFC 8628), without its polling: a device asks for a code, and its user enters it at
//! `/activate`, confirms, logs in, and is told what came of it.

mod user_code;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use model::{
    AuthorizationRequest, Client, DeviceCode, DeviceDecision, LogType, PendingAuthorizationId, random_token,
};
use oauth::{ErrorCode, OAuthError};
use serde::Serialize;
use serde_json::{Map, json};

pub(crate) use user_code::UserCode;

use crate::authorize::{self, ONLINE_ACCESS, live_session};
use crate::complete::{Authenticated, Completed, complete};
use crate::consent::{self, Wanted};
use crate::credential::{CREDENTIAL_LENGTH, hash_credential};
use crate::post_login::log_entry;
use crate::rate_limit::{self, Attempt};
use crate::token::{TokenInput, client_auth};
use crate::{
    CookieChange, CookieChanges, Idp, IdpError, PageError, RequestContext, ServerError, organizations, served,
};

/// The grant type of devices (RFC 8628 §3.4).
pub const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// How long the user has, from the device's request to the answer.
const LIFETIME_SECS: i64 = 900;
/// How often a device may ask for its tokens.
pub(crate) const INTERVAL_SECS: i64 = 5;
/// How long the browser keeps the cookie that binds the pages to it.
const BROWSER_COOKIE_SECS: i64 = 24 * 3600;
/// How many user codes are tried until one is free: each is taken with a chance of 1 in 10^10 for each one stored.
const USER_CODE_ATTEMPTS: usize = 4;
/// What a device is told when its user refuses it, in the dialect's words.
const CANCELLED: &str = "User cancelled the confirmation prompt";
const UNKNOWN_CODE: &str = "This code is not valid, or has expired. Check the code on your device.";
const TOO_MANY_ATTEMPTS: &str = "Too many attempts. Wait a few minutes and try again.";

/// The answer (RFC 8628 §3.2).
#[derive(Debug, Clone, Serialize)]
#[expect(missing_docs, reason = "the fields are those of the RFC")]
pub struct DeviceAuthorizationResponse {
    pub device_code: String,
    pub user_code: String,
    pub verification_uri: String,
    pub verification_uri_complete: String,
    pub expires_in: i64,
    pub interval: i64,
}

/// The page that asks for the user code.
#[derive(Debug)]
pub struct CodePage {
    /// Goes back with the form.
    pub csrf: String,
    /// What was wrong with the last code.
    pub error: Option<&'static str>,
    /// HTTP status of the page.
    pub status: u16,
    /// When to try again, in seconds.
    pub retry_after_secs: Option<i64>,
    /// For this browser.
    pub cookies: CookieChanges,
}

/// The page that asks whether it is this device.
#[derive(Debug)]
pub struct ConfirmPage {
    /// Goes back with the form.
    pub csrf: String,
    /// As the device shows it; goes back with the form.
    pub user_code: String,
    /// What the device runs.
    pub client_name: String,
    /// Who is logged in in this browser.
    pub user: Option<String>,
    /// What it wants, where its user is asked for consent: to connect it is to agree.
    pub wanted: Option<Wanted>,
    /// Goes back with the form: that this is what was shown.
    pub shown: String,
}

/// What becomes of a user code.
#[derive(Debug)]
pub enum CodeOutcome {
    /// It is not one; the page again.
    Again(CodePage),
    /// A device waits for it.
    Confirm(ConfirmPage),
}

/// A form of the pages, sent back.
pub struct DeviceForm<'a> {
    /// As the page gave it.
    pub csrf: &'a str,
    /// As typed, or as the page gave it.
    pub user_code: &'a str,
    /// As the page for a right code gave it.
    pub shown: &'a str,
    /// The cookie that binds the pages to this browser.
    pub browser_cookie: Option<&'a str>,
    /// The session cookie.
    pub session_cookie: Option<&'a str>,
}

/// What becomes of the user's word.
#[derive(Debug)]
pub enum DecisionOutcome {
    /// The user must log in first, at the login page with this `state`.
    Login {
        /// Names the login under way.
        handle: String,
        /// For this browser.
        cookies: CookieChanges,
    },
    /// To where an Action sends the browser.
    Leave {
        /// The Action's URL, with `state`.
        url: String,
        /// For this browser.
        cookies: CookieChanges,
    },
    /// The device has its answer.
    Ended {
        /// Which.
        end: DeviceEnd,
        /// For this browser.
        cookies: CookieChanges,
    },
}

/// What the user is told in the end.
#[derive(Debug)]
pub enum DeviceEnd {
    /// The device gets its tokens.
    Connected,
    /// The user said no.
    Cancelled,
    /// An Action said no, for this reason.
    Denied(String),
    /// The code expired, or somebody else was faster.
    Gone,
}

/// Answers `/oauth/device/code` (RFC 8628 §3.1).
///
/// # Errors
/// [`IdpError::OAuth`] as at the token endpoint for the client, and as at `/authorize` for audience and scopes.
pub async fn authorize(
    idp: &Idp,
    ctx: &RequestContext,
    input: TokenInput,
) -> Result<DeviceAuthorizationResponse, IdpError> {
    let client = client_auth::authenticate(idp, ctx, &input).await?;
    let made = make(idp, ctx, &client, &input).await;
    if let Err(IdpError::OAuth(error)) = &made {
        log(idp, ctx, Some(&client), LogType::FailedDeviceAuthorization, &error.description).await?;
    }
    made
}

async fn make(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    input: &TokenInput,
) -> Result<DeviceAuthorizationResponse, IdpError> {
    served::check(client, &input.parameters)?;
    if !client.grant_types.iter().any(|grant| grant == GRANT_TYPE) {
        return Err(IdpError::oauth(
            ErrorCode::UnauthorizedClient,
            format!("Grant type `{GRANT_TYPE}` not allowed for the client."),
        ));
    }
    let requested_scopes = oauth::parse_scope(input.parameters.get("scope").unwrap_or_default())?;
    let (audience, mut scope) =
        authorize::audience_and_scope(idp, ctx, client, &input.parameters, &requested_scopes).await?;
    let organization_id = organizations::requested(idp, ctx, client, &input.parameters).await?;
    // The session is the browser's, not the device's.
    scope.retain(|scope| scope != ONLINE_ACCESS);
    let now = idp.now();
    let device_code = random_token(&*idp.random, CREDENTIAL_LENGTH);
    let hash = hash_credential(&device_code);
    let code = DeviceCode {
        request: AuthorizationRequest {
            client_id: client.client_id.clone(),
            device_code_hash: Some(hash.clone()),
            redirect_uri: String::new(),
            redirect_uri_was_sent: false,
            audience,
            organization_id,
            scope,
            consented: None,
            requested_scopes,
            state: None,
            nonce: None,
            code_challenge: None,
            dpop_jkt: None,
            prompt: Vec::new(),
            max_age: None,
            login_hint: None,
            hinted_user: None,
            acr_values: Vec::new(),
            ui_locales: Vec::new(),
            correlation_id: input
                .parameters
                .get("correlation_id")
                .filter(|id| authorize::is_correlation_id(id))
                .map(str::to_owned),
            response_mode: None,
            query: Map::new(),
        },
        decision: DeviceDecision::Pending,
        created_at: now,
        expires_at: now.plus_secs(LIFETIME_SECS),
    };
    for _ in 0..USER_CODE_ATTEMPTS {
        let user_code = UserCode::random(&*idp.random);
        let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
        if tx.insert_device_code(&hash, &user_code.hash(), &code).await? {
            tx.commit().await?;
            let verification_uri = format!("{}activate", ctx.issuer);
            return Ok(DeviceAuthorizationResponse {
                device_code,
                verification_uri_complete: format!("{verification_uri}?user_code={user_code}"),
                user_code: user_code.to_string(),
                verification_uri,
                expires_in: LIFETIME_SECS,
                interval: INTERVAL_SECS,
            });
        }
    }
    Err(ServerError::Inconsistent("no user code is free".to_owned()).into())
}

/// The page for the user code. It binds itself to the browser by a cookie.
#[must_use]
pub fn code_page(idp: &Idp, browser_cookie: Option<&str>) -> CodePage {
    let browser = browser_cookie
        .filter(|secret| secret.len() == CREDENTIAL_LENGTH)
        .map_or_else(|| random_token(&*idp.random, CREDENTIAL_LENGTH), str::to_owned);
    CodePage {
        csrf: csrf(&browser, ""),
        error: None,
        status: 200,
        retry_after_secs: None,
        cookies: CookieChanges {
            browser: CookieChange::Set {
                value: browser,
                expires_at: Some(idp.now().plus_secs(BROWSER_COOKIE_SECS)),
            },
            ..CookieChanges::default()
        },
    }
}

/// Takes a user code. Guesses are counted by address, right or not: whoever guesses can make right codes of his own.
///
/// # Errors
/// [`PageError`] when the form was not ours.
pub async fn enter(idp: &Idp, ctx: &RequestContext, form: DeviceForm<'_>) -> Result<CodeOutcome, PageError> {
    let browser = check_csrf(&form, "")?;
    let again = |error, status, retry_after_secs| {
        let page = code_page(idp, Some(browser));
        Ok(CodeOutcome::Again(CodePage { error: Some(error), status, retry_after_secs, ..page }))
    };
    let Some(user_code) = UserCode::parse(form.user_code) else { return again(UNKNOWN_CODE, 400, None) };
    if let Attempt::TooMany { retry_after_secs } = rate_limit::user_code_attempt(idp, ctx).await? {
        log(idp, ctx, None, LogType::FailedDeviceActivation, "Too many user codes").await?;
        return again(TOO_MANY_ATTEMPTS, 429, Some(retry_after_secs));
    }
    let now = idp.now();
    let session = live_session(idp, ctx, form.session_cookie, now).await?;
    let mut tx = idp.storage.begin_read(&ctx.tenant.id).await?;
    let found = match tx.waiting_device(&user_code.hash(), now).await? {
        Some(device) => tx.client(&device.request.client_id).await?.map(|client| (client, device.request)),
        None => None,
    };
    let user = match session {
        Some(session) => tx.user(&session.user_id).await?,
        None => None,
    };
    drop(tx);
    let Some((client, request)) = found else {
        log(idp, ctx, None, LogType::FailedDeviceActivation, "Unknown user code").await?;
        return again(UNKNOWN_CODE, 400, None);
    };
    let user_code = user_code.to_string();
    let audience = request.audience.as_deref();
    let wanted = match consent::is_asked_for(idp, ctx, &client, audience).await? {
        true => Some(consent::wanted(idp, ctx, audience, &request.scope).await?),
        false => None,
    };
    let shown = if wanted.is_some() { shown(browser, &user_code, &request) } else { String::new() };
    Ok(CodeOutcome::Confirm(ConfirmPage {
        csrf: csrf(browser, &user_code),
        user_code,
        client_name: client.name,
        user: user.map(consent::shown_name),
        wanted,
        shown,
    }))
}

/// Takes the user's word about the device of a confirmed code.
///
/// # Errors
/// [`PageError`] when the form was not ours.
pub async fn decide(
    idp: &Idp,
    ctx: &RequestContext,
    form: DeviceForm<'_>,
    connect: bool,
) -> Result<DecisionOutcome, PageError> {
    let user_code = UserCode::parse(form.user_code).ok_or_else(not_ours)?;
    // Only the page for a right code has it: nothing can be guessed here.
    let browser = check_csrf(&form, &user_code.to_string())?;
    let now = idp.now();
    let mut tx = idp.storage.begin_read(&ctx.tenant.id).await?;
    let device = tx.waiting_device(&user_code.hash(), now).await?;
    let client = match &device {
        Some(device) => tx.client(&device.request.client_id).await?,
        None => None,
    };
    drop(tx);
    let gone = DecisionOutcome::Ended { end: DeviceEnd::Gone, cookies: CookieChanges::default() };
    let (Some(DeviceCode { mut request, .. }), Some(client)) = (device, client) else { return Ok(gone) };
    let hash = request.device_code_hash.clone().unwrap_or_default();
    if !connect {
        let mut entry =
            log_entry(LogType::CancelledDeviceConfirmation, Some(&client), None, &ctx.origin, now);
        entry.description = CANCELLED.to_owned();
        let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
        if !tx.deny_device_code(&hash, CANCELLED, now).await? {
            return Ok(gone);
        }
        tx.insert_log(&entry).await?;
        tx.commit().await?;
        return Ok(DecisionOutcome::Ended { end: DeviceEnd::Cancelled, cookies: CookieChanges::default() });
    }
    // What the page did not show, another one asks for after the login.
    let was_shown = shown(browser, &user_code.to_string(), &request);
    if verify_slices_are_equal(was_shown.as_bytes(), form.shown.as_bytes()).is_ok() {
        request.consented = Some(request.scope.clone());
    }
    let session = live_session(idp, ctx, form.session_cookie, now).await?;
    if let Some(session) = session.filter(|_| !client.sso_disabled) {
        let transaction_id = PendingAuthorizationId::new(random_token(&*idp.random, 32));
        let who = Authenticated::Session(session);
        let id = transaction_id.as_str();
        match complete(idp, ctx, &client, &request, id, who, Some(browser)).await? {
            Completed::Device { end, session } => {
                let cookies = CookieChanges { session, ..CookieChanges::default() };
                return Ok(DecisionOutcome::Ended { end, cookies });
            }
            // The session ended while the Actions ran.
            Completed::Ended => {}
            // An Action sends the browser somewhere first.
            Completed::Leave { url, browser } => {
                let cookies = CookieChanges { browser, ..CookieChanges::default() };
                return Ok(DecisionOutcome::Leave { url, cookies });
            }
            Completed::Answer { .. } => {
                return Err(ServerError::Inconsistent("a device's login was redirected".to_owned()).into());
            }
        }
    }
    let cookies = CookieChanges::default();
    let (handle, cookies) = authorize::begin_login(idp, ctx, request, Some(browser), cookies, now).await?;
    Ok(DecisionOutcome::Login { handle, cookies })
}

/// Under which hash the approved login of a device stands among the codes. No code that a client can send has it: a
/// device code is no authorization code.
pub(crate) fn code_hash(device_code_hash: &str) -> String {
    format!("device:{device_code_hash}")
}

fn check_csrf<'a>(form: &DeviceForm<'a>, user_code: &str) -> Result<&'a str, PageError> {
    let browser = form.browser_cookie.ok_or_else(not_ours)?;
    let right = verify_slices_are_equal(csrf(browser, user_code).as_bytes(), form.csrf.as_bytes()).is_ok();
    if right { Ok(browser) } else { Err(not_ours()) }
}

fn not_ours() -> PageError {
    OAuthError::invalid_request("This form was not sent by our page. Enter the code again.").into()
}

/// Only the page that showed these scopes for this code in this browser can know it.
fn shown(browser: &str, user_code: &str, request: &AuthorizationRequest) -> String {
    let audience = request.audience.as_deref().unwrap_or_default();
    hash_credential(&format!("consent\0{browser}\0{user_code}\0{audience}\0{}", request.scope.join(" ")))
}

/// Only a page that saw the browser's secret cookie can know it; with a user code, only one for that code.
fn csrf(browser: &str, user_code: &str) -> String {
    hash_credential(&format!("activate\0{browser}\0{user_code}"))
}

async fn log(
    idp: &Idp,
    ctx: &RequestContext,
    client: Option<&Client>,
    log_type: LogType,
    description: &str,
) -> Result<(), ServerError> {
    let mut entry = log_entry(log_type, client, None, &ctx.origin, idp.now());
    entry.description = description.to_owned();
    entry.details = json!({});
    let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
    tx.insert_log(&entry).await?;
    Ok(tx.commit().await?)
}
