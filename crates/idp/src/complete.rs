//! The end of `/authorize`: the Actions decide, and one transaction commits session, code, metadata and records.

mod consent;
mod suspended;

use std::collections::BTreeMap;

use model::{
    AuthenticationMethod, AuthorizationCode, AuthorizationRequest, Client, Connection, CookieMode, Device,
    LogEntry, LogType, MetadataChange, Organization, Role, Session, SessionId, SessionTransferToken,
    Timestamp, User, UserId, ordered_id, random_token,
};
use oauth::{AuthorizationResponse, ErrorCode, OAuthError};
use serde_json::{Map, Value, json};
use storage::TenantTx;

use self::consent::{Agreed, Consent};
use crate::authorization_response::{answer, mode_of, request_failed};
use crate::credential::{CREDENTIAL_LENGTH, hash_credential};
use crate::decision::Decision;
use crate::device::{self, DeviceEnd};
use crate::error::ServerError;
use crate::event::{ContinueRequest, EventSource, Flow};
use crate::post_login::{self, Outcome, Start, log_entry, no_connection};
use crate::revocation::{self, Event};
use crate::transfer::Accepted;
use crate::{CookieChange, Idp, RequestContext, api_access, measure, organizations, risk};

pub(crate) use consent::resume_after_consent;
pub(crate) use suspended::{
    ConsentDue, FactorsDue, WaitsFor, resume, resume_after_factor, wait_for_code_kept,
};

/// How long an authorization code lives (RFC 6749 §4.1.2 allows ten minutes).
const CODE_LIFETIME_SECS: i64 = 60;

/// Who is there, and how the server knows.
pub(crate) enum Authenticated {
    /// By the browser's session.
    Session(Session),
    /// By a session transfer token.
    Transfer(Box<Accepted>),
    /// By both, the same user: the session is kept, the token is spent, and the session's origin stays what it was.
    SessionAndTransfer(Session, Box<Accepted>),
    /// By the password, just now. Holds the browser's session, whoever it belongs to.
    Password { user: Box<User>, connection: Connection, session: Option<Session> },
}

impl Authenticated {
    /// When the user authenticated; for a password, that is now and never too old.
    pub(crate) fn auth_time(&self) -> Timestamp {
        match self {
            Self::Session(session) | Self::SessionAndTransfer(session, _) => session.authenticated_at,
            Self::Transfer(accepted) => accepted.token.auth_time,
            Self::Password { .. } => Timestamp::from_ms(i64::MAX),
        }
    }

    /// Who it is.
    pub(crate) fn user_id(&self) -> &UserId {
        match self {
            Self::Session(session) | Self::SessionAndTransfer(session, _) => &session.user_id,
            Self::Transfer(accepted) => &accepted.user.user_id,
            Self::Password { user, .. } => &user.user_id,
        }
    }
}

/// How it ended.
pub(crate) enum Completed {
    /// To the client, with a code or an error.
    Answer { answer: AuthorizationResponse, session: CookieChange },
    /// To where an Action sends the browser first.
    Leave { url: String, browser: CookieChange },
    /// A device has its answer, and the browser learns what it is.
    Device { end: DeviceEnd, session: CookieChange },
    /// The session or the native refresh token ended while the Actions ran: the user must log in.
    Ended,
}

/// Everything that the Actions and the commit need to know about this login.
struct Login<'a> {
    ctx: &'a RequestContext,
    client: &'a Client,
    request: &'a AuthorizationRequest,
    transaction_id: &'a str,
    user: User,
    connection: Connection,
    roles: Vec<Role>,
    /// The one that the request names, when the user is a member.
    organization: Option<Organization>,
    /// Where there are Actions that may look at it.
    risk: Option<Value>,
    session: Session,
    /// The user gave the password just now.
    authenticated: bool,
    /// The session is in the database already.
    session_exists: bool,
    /// The session cookie's new secret, when it gets one.
    new_secret: Option<String>,
    /// The session of somebody else that this login replaces.
    replaces: Option<SessionId>,
    transfer_token: Option<SessionTransferToken>,
    parent_metadata: Option<BTreeMap<String, String>>,
    /// The session's two ends before the Actions.
    ends_before: (Timestamp, Timestamp),
    consent: Consent,
}

/// Runs the Actions and commits what they decide. No transaction is open while they run, so what the login rests on is
/// read again in the transaction that commits it.
pub(crate) async fn complete(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    request: &AuthorizationRequest,
    transaction_id: &str,
    who: Authenticated,
    browser_cookie: Option<&str>,
) -> Result<Completed, ServerError> {
    match prepare(idp, ctx, client, request, transaction_id, who).await? {
        Some(login) => decide(idp, login, Start::at_the_beginning(), None, browser_cookie).await,
        None => Ok(Completed::Ended),
    }
}

/// Runs the Actions that are due, and does what they decide.
async fn decide(
    idp: &Idp,
    mut login: Login<'_>,
    start: Start,
    continued: Option<&ContinueRequest>,
    browser_cookie: Option<&str>,
) -> Result<Completed, ServerError> {
    let (ctx, client, request) = (login.ctx, login.client, login.request);
    if let Some(organization) = request.organization_id.as_ref().filter(|_| login.organization.is_none()) {
        let reason = organizations::no_member(organization, &login.user.user_id);
        let error = OAuthError::new(ErrorCode::AccessDenied, reason);
        return refuse(idp, login, Outcome::default(), error).await;
    }
    if request.hinted_user.as_ref().is_some_and(|hinted| *hinted != login.user.user_id) {
        let error =
            OAuthError::new(ErrorCode::LoginRequired, "Another user logged in than the request is about");
        return refuse(idp, login, Outcome::default(), error).await;
    }
    let mut outcome = post_login::run(
        idp,
        ctx,
        &EventSource {
            ctx,
            client,
            user: &login.user,
            connection: &login.connection,
            roles: &login.roles,
            organization: login.organization.as_ref(),
            logins_count: login.user.logins_count + 1,
            audience: request.audience.as_deref(),
            flow: Flow::Browser {
                transaction_id: login.transaction_id,
                request,
                session: &login.session,
                risk: login.risk.as_ref(),
                parent_metadata: login.parent_metadata.as_ref(),
                session_transfer_token: login.transfer_token.as_ref(),
                continued,
            },
        },
        start,
    )
    .await?;
    if let Some(reason) = outcome.decision.denied.clone() {
        return refuse(idp, login, outcome, OAuthError::new(ErrorCode::AccessDenied, reason)).await;
    }
    if let Some((suspension, resume)) = outcome.suspension.take() {
        return suspended::suspend(idp, login, outcome, (suspension, resume), continued, browser_cookie)
            .await;
    }
    if let Some(provider) = outcome.decision.due_at_the_end() {
        return suspended::suspend_at_the_end(idp, login, outcome, provider, continued, browser_cookie).await;
    }
    match consent::due(idp, &login, &outcome.decision).await? {
        Ok(consent) => login.consent = consent,
        Err(scope) => return consent::ask(idp, login, outcome, scope, browser_cookie).await,
    }
    finish(idp, login, outcome).await
}

/// Does what the Actions decided.
async fn finish(idp: &Idp, mut login: Login<'_>, mut outcome: Outcome) -> Result<Completed, ServerError> {
    match take_changes(idp, &mut login, &mut outcome) {
        Ok(()) => grant(idp, login, outcome).await,
        Err(reason) => {
            outcome.decision = Decision::failed(reason.clone());
            refuse(idp, login, outcome, OAuthError::new(ErrorCode::AccessDenied, reason)).await
        }
    }
}

/// Makes the changes that the Actions asked for to the session, and looks whether those to the rest can be made.
fn take_changes(idp: &Idp, login: &mut Login<'_>, outcome: &mut Outcome) -> Result<(), String> {
    let decision = &mut outcome.decision;
    // Accounts cannot be linked here: nobody has a second one that could be the subject.
    if decision.primary_user.as_ref().is_some_and(|id| id != login.user.user_id.as_str()) {
        return Err("The primary user is not linked with the user who logged in.".to_owned());
    }
    let mode = login.session.cookie_mode;
    decision.change_session(&mut login.session)?;
    decision.limit_session(&mut login.session, mode, &login.ctx.tenant.sessions, idp.now());
    // The browser learns of the mode with its cookie.
    if login.session.cookie_mode != mode && login.new_secret.is_none() {
        login.new_secret = Some(random_token(&*idp.random, CREDENTIAL_LENGTH));
    }
    decision.limit_refresh_token(&login.client.refresh_token, idp.now());
    decision.check_new_refresh_token()
}

async fn prepare<'a>(
    idp: &Idp,
    ctx: &'a RequestContext,
    client: &'a Client,
    request: &'a AuthorizationRequest,
    transaction_id: &'a str,
    who: Authenticated,
) -> Result<Option<Login<'a>>, ServerError> {
    let now = idp.now();
    let has_actions = !idp.settings.bindings(&ctx.tenant).await?.is_empty();
    let authenticated = matches!(who, Authenticated::Password { .. });
    let mut tx = idp.storage.begin_read(&ctx.tenant.id).await?;
    let mut new_secret = None;
    let mut replaces = None;
    let mut session_exists = true;
    let mut transfer_token = None;
    let mut parent_metadata = None;
    let (user, connection, mut session) = match who {
        Authenticated::Session(session) => {
            let Some((user, connection)) = user_of(&mut tx, &session).await? else { return Ok(None) };
            (user, connection, session)
        }
        Authenticated::SessionAndTransfer(session, accepted) => {
            transfer_token = Some(accepted.token);
            (accepted.user, accepted.connection, session)
        }
        Authenticated::Transfer(accepted) => {
            let Accepted { token, user, connection, parent_metadata: metadata } = *accepted;
            new_secret = Some(random_token(&*idp.random, CREDENTIAL_LENGTH));
            session_exists = false;
            let mut session = new_session(idp, ctx, &user, token.auth_time, now);
            session.parent_refresh_token = Some(token.refresh_token_id.clone());
            transfer_token = Some(token);
            parent_metadata = Some(metadata);
            (user, connection, session)
        }
        Authenticated::Password { user, connection, session } => {
            // A new secret at each authentication: a planted cookie gains nothing.
            new_secret = Some(random_token(&*idp.random, CREDENTIAL_LENGTH));
            let session = match session {
                Some(mut known) if known.user_id == user.user_id => {
                    known.authenticated_at = now;
                    known.methods.push(AuthenticationMethod::new("pwd", now));
                    known
                }
                other => {
                    replaces = other.map(|session| session.id);
                    session_exists = false;
                    new_session(idp, ctx, &user, now, now)
                }
            };
            (*user, connection, session)
        }
    };
    if parent_metadata.is_none()
        && let Some(parent) = &session.parent_refresh_token
    {
        parent_metadata = tx.refresh_token(parent).await?.map(|token| token.metadata);
    }
    if !session.clients.contains(&client.client_id) {
        session.clients.push(client.client_id.clone());
    }
    let roles = tx.roles_of(&user.user_id).await?;
    let organization = match &request.organization_id {
        None => None,
        Some(id) => tx.organization_of_member(id, &user.user_id).await?,
    };
    let risk = match has_actions {
        false => None,
        true => {
            let history = tx.login_history(&user.user_id).await?;
            Some(risk::assess(history.as_ref(), user.logins_count, ctx, now))
        }
    };
    Ok(Some(Login {
        ctx,
        client,
        request,
        transaction_id,
        user,
        connection,
        roles,
        organization,
        risk,
        ends_before: (session.expires_at, session.idle_expires_at),
        session,
        authenticated,
        session_exists,
        new_secret,
        replaces,
        transfer_token,
        parent_metadata,
        consent: Consent::NotNeeded,
    }))
}

async fn user_of(tx: &mut TenantTx, session: &Session) -> Result<Option<(User, Connection)>, ServerError> {
    let Some(user) = tx.user(&session.user_id).await?.filter(|user| !user.blocked) else { return Ok(None) };
    let connection =
        tx.connection(&session.connection_id).await?.ok_or_else(|| no_connection(&user.user_id))?;
    Ok(Some((user, connection)))
}

fn new_session(
    idp: &Idp,
    ctx: &RequestContext,
    user: &User,
    auth_time: Timestamp,
    now: Timestamp,
) -> Session {
    let settings = &ctx.tenant.sessions;
    let (lifetime_secs, idle_lifetime_secs) = settings.lifetimes(settings.cookie_mode);
    let expires_at = now.plus_secs(lifetime_secs);
    Session {
        id: SessionId::new(ordered_id(&*idp.random, now, 24)),
        user_id: user.user_id.clone(),
        connection_id: user.connection_id.clone(),
        created_at: now,
        updated_at: now,
        authenticated_at: auth_time,
        last_interacted_at: now,
        expires_at,
        idle_expires_at: now.plus_secs(idle_lifetime_secs).min(expires_at),
        revoked_at: None,
        methods: vec![AuthenticationMethod::new("pwd", auth_time)],
        device: Device {
            initial_ip: Some(ctx.origin.ip.clone()),
            initial_asn: ctx.origin.asn.clone(),
            initial_user_agent: ctx.origin.user_agent.clone(),
            last_ip: Some(ctx.origin.ip.clone()),
            last_asn: ctx.origin.asn.clone(),
            last_user_agent: ctx.origin.user_agent.clone(),
        },
        clients: Vec::new(),
        parent_refresh_token: None,
        cookie_mode: settings.cookie_mode,
        idle_lifetime_secs,
        metadata: BTreeMap::new(),
    }
}

/// Nothing of the login stays but the record and, after `api.access.deny`, the metadata. No session is made; one that
/// existed goes on, unless the Action revoked it.
async fn refuse(
    idp: &Idp,
    login: Login<'_>,
    outcome: Outcome,
    error: OAuthError,
) -> Result<Completed, ServerError> {
    let now = idp.now();
    let reason = error.description.as_str();
    measure::login(&login.ctx.tenant.id, protocol(&login), "denied");
    let mut cookie = CookieChange::Keep;
    let mut tx = idp.storage.begin(&login.ctx.tenant.id).await?;
    tx.lock_user(&login.user.user_id).await?;
    if let Some(preserve_refresh_tokens) = outcome.decision.revoke_session {
        cookie = CookieChange::Clear;
        if login.session_exists {
            let event = Event::SessionRevoked { session: &login.session.id, preserve_refresh_tokens };
            revocation::apply(&mut tx, event, now).await?;
            let mut entry = login_entry(&login, LogType::SessionRevoked, now);
            entry.description = reason.to_owned();
            entry.details = json!({ "session_id": login.session.id });
            tx.insert_log(&entry).await?;
        }
    }
    let mut entry = login_entry(&login, login_type(&login, false), now);
    entry.description = reason.to_owned();
    entry.details = details(&login, &outcome, None);
    outcome.commit(&mut tx, login.transaction_id, &login.user.user_id, &entry, now).await?;
    tx.insert_log(&entry).await?;
    if let Some(hash) = &login.request.device_code_hash {
        tx.deny_device_code(hash, reason, now).await?;
        tx.commit().await?;
        return Ok(Completed::Device { end: DeviceEnd::Denied(reason.to_owned()), session: cookie });
    }
    tx.commit().await?;
    let answer = request_failed(login.ctx, login.client, login.request, &error);
    Ok(Completed::Answer { answer, session: cookie })
}

async fn grant(idp: &Idp, mut login: Login<'_>, outcome: Outcome) -> Result<Completed, ServerError> {
    let now = idp.now();
    login.session.last_interacted_at = now;
    login.session.updated_at = now;
    login.session.device.last_ip = Some(login.ctx.origin.ip.clone());
    login.session.device.last_asn.clone_from(&login.ctx.origin.asn);
    login.session.device.last_user_agent.clone_from(&login.ctx.origin.user_agent);

    let code = random_token(&*idp.random, CREDENTIAL_LENGTH);
    let organization = login.request.organization_id.as_ref();
    let audience = login.request.audience.as_deref();
    let permissions = api_access::permissions(idp, login.ctx, audience, &login.user, organization).await?;
    let mut tx = idp.storage.begin(&login.ctx.tenant.id).await?;
    tx.lock_user(&login.user.user_id).await?;
    if !organizations::is_member(&mut tx, organization, &login.user.user_id).await?
        || !commit_session(&mut tx, &login, &outcome.decision, now).await?
    {
        return Ok(Completed::Ended);
    }
    let Some(agreed) = consent::commit(&mut tx, &login, now).await? else { return Ok(Completed::Ended) };
    let (hash, expires_at) = match &login.request.device_code_hash {
        None => (hash_credential(&code), now.plus_secs(CODE_LIFETIME_SECS)),
        Some(device) => match tx.approve_device_code(device, now).await? {
            Some(expires_at) => (device::code_hash(device), expires_at),
            // It expired while the Actions ran, or somebody else decided: nothing of this login stays.
            None => return Ok(Completed::Device { end: DeviceEnd::Gone, session: CookieChange::Keep }),
        },
    };
    let granted = authorization_code(&login, &outcome, permissions.as_deref(), agreed, expires_at, now);
    tx.insert_code(&hash, &granted).await?;
    tx.record_login(&login.user.user_id, now, &login.ctx.origin.ip).await?;
    if login.authenticated {
        let mut history = tx.login_history(&login.user.user_id).await?.unwrap_or_default();
        risk::note(&mut history, login.ctx, now);
        tx.put_login_history(&login.user.user_id, &history)?;
    }
    let mut entry = login_entry(&login, login_type(&login, true), now);
    entry.description = "Successful login".to_owned();
    entry.details = details(&login, &outcome, Some(login.ends_before));
    outcome.commit(&mut tx, login.transaction_id, &login.user.user_id, &entry, now).await?;
    tx.insert_log(&entry).await?;
    tx.commit().await?;
    measure::login(&login.ctx.tenant.id, protocol(&login), "success");
    if login.transfer_token.is_some() {
        measure::transfer(&login.ctx.tenant.id, "redeemed");
    }

    let session = match login.new_secret.take() {
        Some(value) => {
            let persistent = login.session.cookie_mode == CookieMode::Persistent;
            CookieChange::Set { value, expires_at: persistent.then_some(login.session.expires_at) }
        }
        None => CookieChange::Keep,
    };
    if login.request.device_code_hash.is_some() {
        return Ok(Completed::Device { end: DeviceEnd::Connected, session });
    }
    let (request, state) = (login.request, login.request.state.as_deref());
    let answer = answer(login.ctx, mode_of(request), &request.redirect_uri, state, vec![("code", code)]);
    Ok(Completed::Answer { answer, session })
}

/// Writes the session; `false` when it, or the native token behind it, ended while the Actions ran.
async fn commit_session(
    tx: &mut TenantTx,
    login: &Login<'_>,
    decision: &Decision,
    now: Timestamp,
) -> Result<bool, ServerError> {
    if let Some(token) = &login.transfer_token {
        let parent = tx.refresh_token(&token.refresh_token_id).await?;
        if !parent.is_some_and(|parent| parent.is_alive(now)) {
            return Ok(false);
        }
    }
    let secret_hash = login.new_secret.as_deref().map(hash_credential);
    if login.session_exists {
        // Its metadata may have been changed meanwhile by others.
        if !decision.session_metadata.is_empty()
            && let Some(mut session) = tx.session(&login.session.id).await?
        {
            MetadataChange::apply(&decision.session_metadata, &mut session.metadata);
            tx.set_session_metadata(&session.id, &session.metadata, now).await?;
        }
        return Ok(tx.update_session(&login.session, secret_hash.as_deref(), now).await?);
    }
    if let Some(other) = &login.replaces {
        revocation::apply(tx, Event::SessionReplaced(other), now).await?;
    }
    let secret_hash =
        secret_hash.ok_or_else(|| ServerError::Inconsistent("a new session without a secret".to_owned()))?;
    tx.insert_session(&login.session, &secret_hash, &login.ctx.issuer).await?;
    Ok(true)
}

/// The scopes of the login: those that were asked for and that the user may have. Actions have the last word.
fn granted_scope(login: &Login<'_>, decision: &Decision, permissions: Option<&[String]>) -> Vec<String> {
    let mut scope = login.request.scope.clone();
    api_access::limit(&mut scope, permissions);
    decision.change_scope(&mut scope);
    scope
}

fn authorization_code(
    login: &Login<'_>,
    outcome: &Outcome,
    permissions: Option<&[String]>,
    agreed: Agreed,
    expires_at: Timestamp,
    now: Timestamp,
) -> AuthorizationCode {
    // The parameters as sent were for the Actions; the code needs what was granted.
    let mut request = AuthorizationRequest { query: Map::new(), consented: None, ..login.request.clone() };
    request.scope = granted_scope(login, &outcome.decision, permissions);
    if let Agreed::To(scope) = agreed {
        request.scope.retain(|name| scope.contains(name));
        request.consented = Some(scope);
    }
    AuthorizationCode {
        client_id: login.client.client_id.clone(),
        user_id: login.user.user_id.clone(),
        session_id: login.session.id.clone(),
        request,
        auth_time: login.session.authenticated_at,
        id_token_claims: outcome.decision.id_token_claims.clone(),
        access_token_claims: outcome.decision.access_token_claims.clone(),
        refresh_token_changes: outcome.decision.refresh_token.clone(),
        created_at: now,
        expires_at,
        issued_refresh_token: None,
    }
}

fn login_entry(login: &Login<'_>, log_type: LogType, now: Timestamp) -> LogEntry {
    log_entry(log_type, Some(login.client), None, &login.ctx.origin, now)
        .with_user(&login.user)
        .with_connection(&login.connection)
        .with_organization(login.organization.as_ref())
        .with_grant(login.request.audience.as_deref(), &login.request.scope)
}

/// As Actions see it in `event.transaction.protocol`.
fn protocol(login: &Login<'_>) -> &'static str {
    match login.request.device_code_hash {
        Some(_) => "oauth2-device-code",
        None => "oidc-basic-profile",
    }
}

fn login_type(login: &Login<'_>, success: bool) -> LogType {
    match (login.request.prompt.iter().any(|prompt| prompt == "none"), success) {
        (true, true) => LogType::SuccessSilentAuth,
        (true, false) => LogType::FailedSilentAuth,
        (false, true) => LogType::SuccessLogin,
        (false, false) => LogType::FailedLogin,
    }
}

fn details(login: &Login<'_>, outcome: &Outcome, before: Option<(Timestamp, Timestamp)>) -> Value {
    let ends = |(expires_at, idle_expires_at): (Timestamp, Timestamp)| json!({ "expires_at": expires_at.to_iso(), "idle_expires_at": idle_expires_at.to_iso() });
    let mut details = json!({
        "session_id": login.session.id,
        "triggered_by_session_transfer_token": login.transfer_token.is_some(),
        "actions": outcome.for_log(),
    });
    if let Some(organization) = &login.organization {
        details["organization_id"] = json!(organization.id);
        details["organization_name"] = json!(organization.name);
    }
    if let Some(correlation_id) = &login.request.correlation_id {
        details["correlation_id"] = json!(correlation_id);
    }
    if login.ctx.tenant.flags.include_session_metadata_in_tenant_logs {
        details["session_metadata"] = json!(login.session.metadata);
    }
    if let Some(before) = before {
        details["session"] = json!({
            "before_actions": ends(before),
            "after_actions": ends((login.session.expires_at, login.session.idle_expires_at)),
        });
    }
    details
}
