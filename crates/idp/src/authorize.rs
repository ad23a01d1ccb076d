//! `/authorize` (RFC 6749 §4.1.1, OIDC Core §3.1.2): checks the request, finds out who is there, and either completes
//! the login or sends the browser to the login page.

use std::sync::Arc;

use model::{
    AppType, AuthorizationRequest, Client, ClientId, LogType, PendingAuthorization, PendingAuthorizationId,
    Session, Timestamp, TokenEndpointAuthMethod, UserId, random_token,
};
use oauth::{AuthorizationResponse, ErrorCode, OAuthError, Parameters, ResponseMode};
use url::{Origin, Url};

use crate::authorization_response::{error_answer, request_failed};
use crate::complete::{Authenticated, Completed, complete};
use crate::credential::{CREDENTIAL_LENGTH, hash_credential};
use crate::error::{IdpError, PageError, ServerError};
use crate::post_login::log_entry;
use crate::transfer::{Transfer, redeem};
use crate::{
    CookieChange, CookieChanges, Idp, RequestContext, api_access, dpop, organizations, par, served, tokens,
};

/// How long a login may take from `/authorize` to the password.
const PENDING_LIFETIME_SECS: i64 = 30 * 60;
/// How long the browser keeps the cookie that binds its logins to it, and by which it is known again in a later one.
const BROWSER_COOKIE_SECS: i64 = 365 * 24 * 3600;
/// The scopes of OIDC Core §5.4 that are granted without an API.
const OIDC_SCOPES: [&str; 5] = ["openid", "profile", "email", "phone", "address"];
/// Asks for a refresh token (OIDC Core §11).
pub(crate) const OFFLINE_ACCESS: &str = "offline_access";
/// Asks for a refresh token that lives as long as the session (the dialect).
pub(crate) const ONLINE_ACCESS: &str = "online_access";
/// Parameters that carry credentials: they never reach an Action or the database.
pub(crate) const CREDENTIAL_PARAMETERS: [&str; 3] =
    ["session_transfer_token", "id_token_hint", "client_secret"];

/// One request to `/authorize`.
pub struct AuthorizeInput<'a> {
    /// From the query or the form.
    pub parameters: Parameters,
    /// The session cookie.
    pub session_cookie: Option<&'a str>,
    /// The cookie that binds logins under way to this browser.
    pub browser_cookie: Option<&'a str>,
    /// The cookie `auth0_session_transfer_token`.
    pub session_transfer_cookie: Option<&'a str>,
}

/// What becomes of it.
#[derive(Debug)]
pub enum AuthorizeOutcome {
    /// To the client, with a code or with an error.
    Answer {
        /// What the client learns, and how.
        answer: AuthorizationResponse,
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
    /// To the login page, with this `state`.
    Login {
        /// Names the login under way.
        handle: String,
        /// For this browser.
        cookies: CookieChanges,
    },
}

/// Answers `/authorize`.
///
/// # Errors
/// [`PageError`] while the redirect URI is not trusted (RFC 6749 §4.1.2.1), or when the server fails. Every other error
/// is an answer to the client.
pub async fn authorize(
    idp: &Idp,
    ctx: &RequestContext,
    input: AuthorizeInput<'_>,
) -> Result<AuthorizeOutcome, PageError> {
    let client = client(idp, ctx, &input.parameters).await?;
    // Of a pushed request, nothing but the session transfer token comes by the browser (RFC 9126 §4).
    let pushed = match input.parameters.get("request_uri").filter(|uri| par::is_pushed(ctx, uri)) {
        Some(request_uri) => Some(par::redeem(idp, ctx, &client, request_uri).await?),
        None => None,
    };
    let parameters = pushed.as_ref().unwrap_or(&input.parameters);
    let (redirect_uri, redirect_uri_was_sent) = redirect_uri(&client, parameters)?;
    let state = parameters.get("state").map(str::to_owned);
    let mut cookies = CookieChanges {
        clear_session_transfer_token: input.session_transfer_cookie.is_some(),
        ..CookieChanges::default()
    };
    let must_push = client.require_pushed_authorization_requests
        || ctx.tenant.flags.require_pushed_authorization_requests;
    let mode = response_mode(&client, parameters, &redirect_uri);
    let checked = if must_push && pushed.is_none() {
        refuse(ErrorCode::InvalidRequest, "This client must push its authorization requests.")
    } else {
        request(idp, ctx, &client, parameters, redirect_uri.clone(), redirect_uri_was_sent).await
    };
    let request = match checked {
        Ok(request) => request,
        Err(IdpError::OAuth(error)) => {
            if matches!(error.code, ErrorCode::UnauthorizedClient | ErrorCode::AccessDenied) {
                failed(idp, ctx, &client, LogType::FailedLogin, &error.description).await?;
            }
            let mode = mode.unwrap_or(ResponseMode::Query);
            let answer = error_answer(ctx, &client, mode, &redirect_uri, state.as_deref(), &error);
            return Ok(AuthorizeOutcome::Answer { answer, cookies });
        }
        Err(IdpError::Server(error)) => return Err(error.into()),
    };

    let now = idp.now();
    let session = live_session(idp, ctx, input.session_cookie, now).await?;
    let transfer = redeem(idp, ctx, &client, &request, &input, session.as_ref(), now).await?;
    if let Transfer::OtherUser = transfer {
        cookies.session = CookieChange::Clear;
    }
    let authenticated = match transfer {
        // A session transfer token is a login of its own; that of another client is not (`sso_disabled`).
        Transfer::None => session.filter(|_| !client.sso_disabled).map(Authenticated::Session),
        // An invalid token suppresses single sign-on for this request; the session itself stays.
        Transfer::Refused | Transfer::OtherUser => None,
        Transfer::Accepted(accepted) => Some(match session {
            Some(session) => Authenticated::SessionAndTransfer(session, accepted),
            None => Authenticated::Transfer(accepted),
        }),
    };
    let authenticated = authenticated
        .filter(|who| !must_log_in_again(&request, who.auth_time(), now))
        .filter(|who| request.hinted_user.as_ref().is_none_or(|hinted| hinted == who.user_id()));
    let silent = request.prompt.iter().any(|prompt| prompt == "none");

    if let Some(who) = authenticated {
        let transaction_id = new_transaction_id(idp);
        let browser = input.browser_cookie;
        match complete(idp, ctx, &client, &request, transaction_id.as_str(), who, browser).await? {
            Completed::Leave { url, browser } => {
                cookies.browser = browser;
                return Ok(AuthorizeOutcome::Leave { url, cookies });
            }
            Completed::Answer { answer, session } => {
                if session != CookieChange::Keep {
                    cookies.session = session;
                }
                return Ok(AuthorizeOutcome::Answer { answer, cookies });
            }
            // The session or the native token ended while the Actions ran.
            Completed::Ended => {}
            Completed::Device { .. } => {
                return Err(ServerError::Inconsistent("a device at /authorize".to_owned()).into());
            }
        }
    }
    if silent {
        failed(idp, ctx, &client, LogType::FailedSilentAuth, "Login required").await?;
        let error = OAuthError::new(ErrorCode::LoginRequired, "Login required");
        let answer = request_failed(ctx, &client, &request, &error);
        return Ok(AuthorizeOutcome::Answer { answer, cookies });
    }
    let (handle, cookies) = begin_login(idp, ctx, request, input.browser_cookie, cookies, now).await?;
    Ok(AuthorizeOutcome::Login { handle, cookies })
}

/// Whether a scope is the same for every API: about the user, or for a refresh token.
pub(crate) fn is_about_the_user(scope: &str) -> bool {
    OIDC_SCOPES.contains(&scope) || [OFFLINE_ACCESS, ONLINE_ACCESS].contains(&scope)
}

/// The session of this browser, when it is alive.
pub(crate) async fn live_session(
    idp: &Idp,
    ctx: &RequestContext,
    cookie: Option<&str>,
    now: Timestamp,
) -> Result<Option<Session>, ServerError> {
    let Some(secret) = cookie else { return Ok(None) };
    let mut tx = idp.storage.begin_read(&ctx.tenant.id).await?;
    let session = tx.session_by_secret(&hash_credential(secret)).await?;
    Ok(session.filter(|session| session.is_alive(now)))
}

/// Begins a login in this browser; the `state` of its page.
pub(crate) async fn begin_login(
    idp: &Idp,
    ctx: &RequestContext,
    request: AuthorizationRequest,
    browser_cookie: Option<&str>,
    mut cookies: CookieChanges,
    now: Timestamp,
) -> Result<(String, CookieChanges), ServerError> {
    let handle = random_token(&*idp.random, CREDENTIAL_LENGTH);
    let (browser, cookie) = browser_secret(idp, browser_cookie, now);
    let pending = PendingAuthorization {
        id: new_transaction_id(idp),
        request,
        suspended: None,
        created_at: now,
        expires_at: now.plus_secs(PENDING_LIFETIME_SECS),
    };
    let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
    tx.insert_pending(&pending, &hash_credential(&handle), &hash_credential(&browser)).await?;
    tx.commit().await?;
    cookies.browser = cookie;
    Ok((handle, cookies))
}

/// The secret that binds logins under way to this browser, one for all of its tabs so that they do not unbind each other,
/// and the cookie that keeps it.
pub(crate) fn browser_secret(
    idp: &Idp,
    browser_cookie: Option<&str>,
    now: Timestamp,
) -> (String, CookieChange) {
    let browser = browser_cookie
        .filter(|secret| secret.len() == CREDENTIAL_LENGTH)
        .map_or_else(|| random_token(&*idp.random, CREDENTIAL_LENGTH), str::to_owned);
    let expires_at = Some(now.plus_secs(BROWSER_COOKIE_SECS));
    (browser.clone(), CookieChange::Set { value: browser, expires_at })
}

fn new_transaction_id(idp: &Idp) -> PendingAuthorizationId {
    PendingAuthorizationId::new(random_token(&*idp.random, 32))
}

/// Tells the client's people: the request was the client's, and nobody logged in.
async fn failed(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    log_type: LogType,
    description: &str,
) -> Result<(), ServerError> {
    let mut entry = log_entry(log_type, Some(client), None, &ctx.origin, idp.now());
    entry.description = description.to_owned();
    let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
    tx.insert_log(&entry).await?;
    Ok(tx.commit().await?)
}

/// `prompt=login`, `prompt=select_account` and `max_age` (OIDC Core §3.1.2.1).
fn must_log_in_again(request: &AuthorizationRequest, auth_time: Timestamp, now: Timestamp) -> bool {
    request.prompt.iter().any(|prompt| prompt == "login" || prompt == "select_account")
        || request.max_age.is_some_and(|max_age| now.as_secs() - auth_time.as_secs() > max_age)
}

async fn client(idp: &Idp, ctx: &RequestContext, parameters: &Parameters) -> Result<Arc<Client>, PageError> {
    let client_id = ClientId::new(parameters.require("client_id")?);
    idp.settings
        .client(&ctx.tenant, &client_id)
        .await?
        .ok_or_else(|| PageError::oauth(ErrorCode::InvalidRequest, "Unknown client."))
}

/// The redirect URI, and whether the request named it.
pub(crate) fn redirect_uri(client: &Client, parameters: &Parameters) -> Result<(String, bool), OAuthError> {
    let native = client.app_type == AppType::Native;
    match parameters.get("redirect_uri") {
        Some(uri) if client.callbacks.iter().any(|known| oauth::redirect_uri_matches(known, uri, native)) => {
            Ok((uri.to_owned(), true))
        }
        Some(_) => Err(OAuthError::invalid_request(
            "Callback URL mismatch. The redirect_uri is not registered for this client.",
        )),
        None => match client.callbacks.as_slice() {
            [only] => Ok((only.clone(), false)),
            _ => Err(OAuthError::invalid_request("Missing required parameter: redirect_uri")),
        },
    }
}

fn refuse<T>(code: ErrorCode, description: impl Into<String>) -> Result<T, IdpError> {
    Err(OAuthError::new(code, description).into())
}

/// Checks a request whose redirect URI is trusted: the client's mistakes go back to it.
pub(crate) async fn request(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    parameters: &Parameters,
    redirect_uri: String,
    redirect_uri_was_sent: bool,
) -> Result<AuthorizationRequest, IdpError> {
    served::check(client, parameters)?;
    if parameters.get("request").is_some() {
        return refuse(ErrorCode::RequestNotSupported, "Request objects are not supported");
    }
    if parameters.get("request_uri").is_some() {
        return refuse(ErrorCode::RequestUriNotSupported, "request_uri is not supported");
    }
    match parameters.require("response_type")? {
        "code" => {}
        other => {
            return refuse(ErrorCode::UnsupportedResponseType, format!("Unsupported response type: {other}"));
        }
    }
    if !client.grant_types.iter().any(|grant| grant == "authorization_code") {
        return refuse(
            ErrorCode::UnauthorizedClient,
            "Grant type `authorization_code` not allowed for the client.",
        );
    }
    let mode = response_mode(client, parameters, &redirect_uri)?;
    if parameters.get("invitation").is_some() {
        return refuse(ErrorCode::InvalidRequest, "invitation is not supported");
    }
    let organization_id = organizations::requested(idp, ctx, client, parameters).await?;
    let code_challenge = code_challenge(client, parameters)?;
    let dpop_jkt = parameters.get("dpop_jkt").map(str::to_owned);
    dpop_jkt.as_deref().map_or(Ok(()), dpop::check_jkt)?;
    let prompt = prompt(parameters)?;
    if mode == ResponseMode::WebMessage && !prompt.iter().any(|prompt| prompt == "none") {
        // No page of ours that asks for something is shown in a frame.
        return refuse(ErrorCode::InvalidRequest, "response_mode=web_message needs prompt=none");
    }
    let max_age = max_age(parameters)?;
    let requested_scopes = oauth::parse_scope(parameters.get("scope").unwrap_or_default())?;
    let asks_for = |scope| requested_scopes.iter().any(|known| known == scope);
    if asks_for(OFFLINE_ACCESS) && asks_for(ONLINE_ACCESS) {
        return refuse(
            ErrorCode::InvalidRequest,
            "Cannot request both online_access and offline_access scopes",
        );
    }
    let (audience, scope) = audience_and_scope(idp, ctx, client, parameters, &requested_scopes).await?;
    let words = |name| -> Vec<String> {
        parameters.get(name).map(|text| text.split(' ').map(str::to_owned).collect()).unwrap_or_default()
    };
    Ok(AuthorizationRequest {
        client_id: client.client_id.clone(),
        device_code_hash: None,
        redirect_uri,
        redirect_uri_was_sent,
        audience,
        organization_id,
        scope,
        consented: None,
        requested_scopes,
        state: parameters.get("state").map(str::to_owned),
        nonce: parameters.get("nonce").map(str::to_owned),
        code_challenge,
        dpop_jkt,
        prompt,
        max_age,
        login_hint: parameters.get("login_hint").map(str::to_owned),
        hinted_user: hinted_user(idp, ctx, parameters).await?,
        acr_values: words("acr_values"),
        ui_locales: words("ui_locales"),
        correlation_id: parameters
            .get("correlation_id")
            .filter(|id| is_correlation_id(id))
            .map(str::to_owned),
        response_mode: parameters.get("response_mode").map(str::to_owned),
        query: parameters.without(&CREDENTIAL_PARAMETERS),
    })
}

/// Whom the request's ID token is about, expired or not.
async fn hinted_user(
    idp: &Idp,
    ctx: &RequestContext,
    parameters: &Parameters,
) -> Result<Option<UserId>, IdpError> {
    let Some(token) = parameters.get("id_token_hint") else { return Ok(None) };
    match tokens::verify_id_token_hint(idp, ctx, token).await? {
        Some(hint) => Ok(Some(hint.sub)),
        None => refuse(ErrorCode::InvalidRequest, "id_token_hint is not an ID token of this server"),
    }
}

/// How the answer is to travel. A message goes to a page whose origin the client has registered for it, and to no other one.
fn response_mode(
    client: &Client,
    parameters: &Parameters,
    redirect_uri: &str,
) -> Result<ResponseMode, OAuthError> {
    let Some(name) = parameters.get("response_mode") else { return Ok(ResponseMode::Query) };
    match ResponseMode::named(name) {
        None => Err(OAuthError::invalid_request("Unsupported response_mode")),
        Some(ResponseMode::WebMessage) if !has_web_origin(client, redirect_uri) => {
            Err(OAuthError::invalid_request("The origin of the redirect_uri is not an allowed web origin"))
        }
        Some(mode) => Ok(mode),
    }
}

fn has_web_origin(client: &Client, redirect_uri: &str) -> bool {
    let origin = Url::parse(redirect_uri).ok().map(|uri| uri.origin()).filter(Origin::is_tuple);
    origin.is_some_and(|origin| client.web_origins.contains(&origin.ascii_serialization()))
}

/// `reference/post-login.md` section 2. Another one is passed over, like a parameter that nobody knows: it must not break
/// a login.
pub(crate) fn is_correlation_id(id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.*~@+/:".contains(&byte);
    (1..=64).contains(&id.len()) && id.bytes().all(allowed)
}

/// PKCE with S256 only (RFC 7636 §4.3; RFC 9700 §2.1.1); required from public clients and from third parties' strict ones.
fn code_challenge(client: &Client, parameters: &Parameters) -> Result<Option<String>, IdpError> {
    let method = parameters.get("code_challenge_method");
    match (parameters.get("code_challenge"), method) {
        (Some(challenge), Some("S256")) => {
            oauth::pkce::check_challenge(challenge)?;
            Ok(Some(challenge.to_owned()))
        }
        (Some(_), _) => refuse(ErrorCode::InvalidRequest, "code_challenge_method must be S256"),
        (None, Some(_)) => refuse(ErrorCode::InvalidRequest, "code_challenge_method without code_challenge"),
        (None, None) if client.token_endpoint_auth_method == TokenEndpointAuthMethod::None => {
            refuse(ErrorCode::InvalidRequest, "Public clients must use PKCE: code_challenge is missing")
        }
        (None, None) if client.is_strict() => {
            refuse(ErrorCode::InvalidRequest, "This client must use PKCE: code_challenge is missing")
        }
        (None, None) => Ok(None),
    }
}

fn prompt(parameters: &Parameters) -> Result<Vec<String>, IdpError> {
    let prompts: Vec<String> = parameters
        .get("prompt")
        .map(|text| text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect())
        .unwrap_or_default();
    if let Some(unknown) = prompts
        .iter()
        .find(|prompt| !["none", "login", "consent", "select_account"].contains(&prompt.as_str()))
    {
        return refuse(ErrorCode::InvalidRequest, format!("Unknown prompt: {unknown}"));
    }
    if prompts.len() > 1 && prompts.iter().any(|prompt| prompt == "none") {
        return refuse(ErrorCode::InvalidRequest, "prompt=none cannot be combined with other values");
    }
    Ok(prompts)
}

fn max_age(parameters: &Parameters) -> Result<Option<i64>, IdpError> {
    match parameters.get("max_age") {
        None => Ok(None),
        Some(text) => match text.parse::<i64>() {
            Ok(seconds) if seconds >= 0 => Ok(Some(seconds)),
            _ => refuse(ErrorCode::InvalidRequest, "max_age must be a number of seconds"),
        },
    }
}

/// The API and the scopes that this request gets: unknown scopes are dropped (RFC 6749 §3.3).
pub(crate) async fn audience_and_scope(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    parameters: &Parameters,
    requested: &[String],
) -> Result<(Option<String>, Vec<String>), IdpError> {
    let userinfo = format!("{}userinfo", ctx.issuer);
    let audience = parameters
        .get("audience")
        .map(str::to_owned)
        .or_else(|| ctx.tenant.default_audience.clone())
        .filter(|audience| *audience != userinfo);
    let api = match &audience {
        None => None,
        Some(identifier) => Some(tokens::api(idp, ctx, identifier).await?),
    };
    let allowed = match &api {
        Some(api) => api_access::check(idp, ctx, client, &api.server).await?,
        None => None,
    };
    let may_refresh = client.grant_types.iter().any(|grant| grant == "refresh_token");
    let granted = |scope: &&String| match scope.as_str() {
        OFFLINE_ACCESS => may_refresh && api.as_ref().is_none_or(|api| api.server.allow_offline_access),
        ONLINE_ACCESS => may_refresh && api.as_ref().is_none_or(|api| api.server.allow_online_access),
        name => {
            OIDC_SCOPES.contains(&name) || api.as_ref().is_some_and(|api| api.server.scopes.contains(scope))
        }
    };
    let mut scope = requested.iter().filter(granted).cloned().collect();
    api_access::limit(&mut scope, allowed.as_deref());
    Ok((audience, scope))
}
