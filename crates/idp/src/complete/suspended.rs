//! A login whose browser has left for an Action, and comes back (`reference/post-login.md` section 1.4). Until it is
//! complete there is no session: who stays away is not logged in.

use action_api::MultifactorProvider;
use model::{
    AuthenticationMethod, Client, FactorType, LogType, PendingAuthorization, PendingAuthorizationId, Session,
    SessionId, SessionTransferToken, UserId, random_token,
};
use oauth::{ErrorCode, OAuthError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use storage::TenantTx;
use url::Url;

use super::consent::Consent;
use super::{Completed, Login, decide, login_entry, refuse, user_of};
use crate::authorize::browser_secret;
use crate::credential::{CREDENTIAL_LENGTH, hash_credential};
use crate::decision::{Decision, FactorRequest, Suspension};
use crate::error::ServerError;
use crate::event::ContinueRequest;
use crate::mfa::{self, Standing};
use crate::post_login::{Outcome, Resume, Start};
use crate::{CookieChange, Idp, RequestContext};

/// How long the browser may stay away, unless the session ends before.
const AWAY_SECS: i64 = 60 * 60;

/// All that a login is when its browser has left, as it is stored.
#[derive(Debug, Serialize, Deserialize)]
struct SuspendedLogin {
    session: Session,
    /// The assessment of the login, which does not change with the request that goes on with it.
    #[serde(default)]
    risk: Option<Value>,
    #[serde(default)]
    authenticated: bool,
    session_exists: bool,
    /// The session's cookie gets a new secret.
    sets_cookie: bool,
    replaces: Option<SessionId>,
    transfer_token: Option<SessionTransferToken>,
    decision: Decision,
    resume: Resume,
    waits_for: WaitsFor,
}

/// What brings the browser back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WaitsFor {
    /// A request to `/continue`.
    Continue,
    /// The pages for a second factor: these are still to be met.
    Factors(Vec<FactorRequest>),
    /// The user keeps a new recovery code. What is still to be met after that.
    RecoveryCodeKept(Vec<FactorRequest>),
    /// The user's word about these scopes.
    Consent(Vec<String>),
}

impl WaitsFor {
    /// What a login under way waits for; `None`: for its user to log in.
    pub(crate) fn of(pending: &PendingAuthorization) -> Result<Option<Self>, ServerError> {
        Ok(read(pending)?.map(|suspended| suspended.waits_for))
    }
}

fn read(pending: &PendingAuthorization) -> Result<Option<SuspendedLogin>, ServerError> {
    let suspended = pending.suspended.clone().map(serde_json::from_value).transpose();
    suspended.map_err(|error| ServerError::Inconsistent(format!("a suspended login: {error}")))
}

/// What a login under way says about the second factors that it waits for.
pub(crate) struct FactorsDue {
    pub user_id: UserId,
    /// The first of these is due.
    pub requests: Vec<FactorRequest>,
    /// What was shown already in this login.
    pub shown: Vec<FactorType>,
    /// Nothing is due until the user says that they keep the new recovery code.
    pub code_kept: bool,
}

impl FactorsDue {
    /// `None`: the login waits for something else.
    pub(crate) fn of(pending: &PendingAuthorization) -> Result<Option<Self>, ServerError> {
        let Some(suspended) = read(pending)? else { return Ok(None) };
        let (requests, code_kept) = match suspended.waits_for {
            WaitsFor::Continue | WaitsFor::Consent(_) => return Ok(None),
            WaitsFor::Factors(requests) => (requests, false),
            WaitsFor::RecoveryCodeKept(requests) => (requests, true),
        };
        let shown = suspended.decision.shown_factors();
        Ok(Some(Self { user_id: suspended.session.user_id, requests, shown, code_kept }))
    }
}

/// What a login under way says about the consent that it waits for.
pub(crate) struct ConsentDue {
    pub user_id: UserId,
    /// What the user is asked for.
    pub scope: Vec<String>,
}

impl ConsentDue {
    /// `None`: the login waits for something else.
    pub(crate) fn of(pending: &PendingAuthorization) -> Result<Option<Self>, ServerError> {
        Ok(match read(pending)? {
            Some(SuspendedLogin { waits_for: WaitsFor::Consent(scope), session, .. }) => {
                Some(Self { user_id: session.user_id, scope })
            }
            _ => None,
        })
    }
}

/// Does what comes between two Actions: the browser leaves for another site, or for the pages of a second factor.
pub(super) async fn suspend(
    idp: &Idp,
    login: Login<'_>,
    outcome: Outcome,
    (suspension, resume): (Suspension, Resume),
    continued: Option<&ContinueRequest>,
    browser_cookie: Option<&str>,
) -> Result<Completed, ServerError> {
    let url = match suspension {
        Suspension::Factors(requests) => {
            return ask_for_factors(idp, login, outcome, requests, resume, continued, browser_cookie).await;
        }
        Suspension::Redirect(url) => {
            Url::parse(&url).map_err(|error| format!("An Action redirects to no URL: {error}"))
        }
        Suspension::Form(id) => {
            Err(format!("This server cannot show the form {id} that an Action asks for."))
        }
    };
    if is_silent(&login) {
        return interaction_required(idp, login, outcome, "An Action needs the user's interaction").await;
    }
    let mut url = match url {
        Ok(url) => url,
        Err(reason) => return fail(idp, login, outcome, reason).await,
    };
    let (handle, browser) = store(idp, login, outcome, resume, WaitsFor::Continue, browser_cookie).await?;
    let others: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(name, _)| name != "state")
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    url.query_pairs_mut().clear().extend_pairs(others).append_pair("state", &handle);
    Ok(Completed::Leave { url: url.into(), browser })
}

/// Asks for the second factor that an Action wanted after all of them.
pub(super) async fn suspend_at_the_end(
    idp: &Idp,
    login: Login<'_>,
    outcome: Outcome,
    provider: MultifactorProvider,
    continued: Option<&ContinueRequest>,
    browser_cookie: Option<&str>,
) -> Result<Completed, ServerError> {
    let usable = mfa::usable_types(idp, login.ctx, &login.user).await?;
    let standing = Standing { tenant: &login.ctx.tenant, usable: &usable, shown: &[] };
    match standing.at_the_end(provider) {
        Ok(request) => {
            let requests = request.into_iter().collect();
            let resume = Resume::AtTheEnd;
            ask_for_factors(idp, login, outcome, requests, resume, continued, browser_cookie).await
        }
        Err(reason) => fail(idp, login, outcome, reason.to_owned()).await,
    }
}

/// Sends the browser to the page of the first factor that is due. Where none is, the login goes on at once.
async fn ask_for_factors(
    idp: &Idp,
    login: Login<'_>,
    outcome: Outcome,
    mut requests: Vec<FactorRequest>,
    resume: Resume,
    continued: Option<&ContinueRequest>,
    browser_cookie: Option<&str>,
) -> Result<Completed, ServerError> {
    let usable = mfa::usable_types(idp, login.ctx, &login.user).await?;
    let shown = outcome.decision.shown_factors();
    let standing = Standing { tenant: &login.ctx.tenant, usable: &usable, shown: &shown };
    match standing.next(&mut requests) {
        Err(reason) => fail(idp, login, outcome, reason.to_owned()).await,
        Ok(Some(_)) if is_silent(&login) => {
            interaction_required(idp, login, outcome, "Multifactor authentication required").await
        }
        Ok(Some(_)) => {
            let waits_for = WaitsFor::Factors(requests);
            let (handle, browser) = store(idp, login, outcome, resume, waits_for, browser_cookie).await?;
            Ok(Completed::Leave { url: format!("/u/mfa?state={handle}"), browser })
        }
        Ok(None) => {
            let mut tx = idp.storage.begin(&login.ctx.tenant.id).await?;
            let decision = commit_part(idp, &login, outcome, &mut tx).await?;
            tx.commit().await?;
            let start = Start { resume: Some(resume), decision };
            Box::pin(decide(idp, login, start, continued, browser_cookie)).await
        }
    }
}

pub(super) fn is_silent(login: &Login<'_>) -> bool {
    login.request.prompt.iter().any(|prompt| prompt == "none")
}

async fn interaction_required(
    idp: &Idp,
    login: Login<'_>,
    outcome: Outcome,
    description: &str,
) -> Result<Completed, ServerError> {
    refuse(idp, login, outcome, OAuthError::new(ErrorCode::InteractionRequired, description)).await
}

async fn fail(
    idp: &Idp,
    login: Login<'_>,
    mut outcome: Outcome,
    reason: String,
) -> Result<Completed, ServerError> {
    outcome.decision = Decision::failed(reason.clone());
    refuse(idp, login, outcome, OAuthError::new(ErrorCode::AccessDenied, reason)).await
}

/// Writes what the Actions did so far: their runs, and their changes of the user's metadata, so that the site that the
/// browser goes to finds them. What they decided besides goes on with the login.
async fn commit_part(
    idp: &Idp,
    login: &Login<'_>,
    outcome: Outcome,
    tx: &mut TenantTx,
) -> Result<Decision, ServerError> {
    let now = idp.now();
    let user_id = &login.user.user_id;
    let entry = login_entry(login, LogType::Warning, now);
    tx.lock_user(user_id).await?;
    outcome.commit(tx, login.transaction_id, user_id, &entry, now).await?;
    let mut decision = outcome.decision;
    decision.user_metadata.clear();
    decision.app_metadata.clear();
    decision.warnings.clear();
    Ok(decision)
}

/// Stores the login with what its Actions asked for so far; the handle with which it goes on, and the cookie that binds it
/// to the browser.
pub(super) async fn store(
    idp: &Idp,
    login: Login<'_>,
    outcome: Outcome,
    resume: Resume,
    waits_for: WaitsFor,
    browser_cookie: Option<&str>,
) -> Result<(String, CookieChange), ServerError> {
    let now = idp.now();
    let handle = random_token(&*idp.random, CREDENTIAL_LENGTH);
    let (browser, cookie) = browser_secret(idp, browser_cookie, now);
    let ends = login.session.expires_at.min(login.session.idle_expires_at);
    let mut tx = idp.storage.begin(&login.ctx.tenant.id).await?;
    let decision = commit_part(idp, &login, outcome, &mut tx).await?;
    let pending = PendingAuthorization {
        id: PendingAuthorizationId::new(login.transaction_id),
        request: login.request.clone(),
        suspended: Some(json!(SuspendedLogin {
            session: login.session,
            risk: login.risk,
            authenticated: login.authenticated,
            session_exists: login.session_exists,
            sets_cookie: login.new_secret.is_some(),
            replaces: login.replaces,
            transfer_token: login.transfer_token,
            decision,
            resume,
            waits_for,
        })),
        created_at: now,
        expires_at: now.plus_secs(AWAY_SECS).min(ends),
    };
    tx.suspend_pending(&pending, &hash_credential(&handle), &hash_credential(&browser)).await?;
    tx.commit().await?;
    Ok((handle, cookie))
}

/// Goes on with a login whose browser is back from another site. It has just been taken for completion.
pub(crate) async fn resume(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    pending: &PendingAuthorization,
    continued: &ContinueRequest,
    browser_cookie: Option<&str>,
) -> Result<Completed, ServerError> {
    let Some((login, suspended)) = restore(idp, ctx, client, pending).await? else {
        return Ok(Completed::Ended);
    };
    let start = Start { resume: Some(suspended.resume), decision: suspended.decision };
    Box::pin(decide(idp, login, start, Some(continued), browser_cookie)).await
}

/// Goes on with a login that waited for second factors. It has just been taken for completion. `shown` is what the user
/// has shown or set up; `None`: they keep their new recovery code.
pub(crate) async fn resume_after_factor(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    pending: &PendingAuthorization,
    shown: Option<FactorType>,
    continued: &ContinueRequest,
    browser_cookie: Option<&str>,
) -> Result<Completed, ServerError> {
    let Some((login, suspended)) = restore(idp, ctx, client, pending).await? else {
        return Ok(Completed::Ended);
    };
    let (requests, decision) = after_factor(idp, suspended.waits_for, suspended.decision, shown);
    let outcome = Outcome::of(decision);
    let resume = suspended.resume;
    ask_for_factors(idp, login, outcome, requests, resume, Some(continued), browser_cookie).await
}

/// Notes the factor in a login that has just been taken for completion, and lets it wait until the user keeps their new
/// recovery code. The handle with which it goes on.
pub(crate) async fn wait_for_code_kept(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    pending: &PendingAuthorization,
    shown: FactorType,
    browser_cookie: &str,
) -> Result<Option<String>, ServerError> {
    let Some((login, suspended)) = restore(idp, ctx, client, pending).await? else { return Ok(None) };
    let (requests, decision) = after_factor(idp, suspended.waits_for, suspended.decision, Some(shown));
    let outcome = Outcome::of(decision);
    let waits_for = WaitsFor::RecoveryCodeKept(requests);
    let (handle, _) = store(idp, login, outcome, suspended.resume, waits_for, Some(browser_cookie)).await?;
    Ok(Some(handle))
}

/// What is still to be met, and the decision with the factor.
fn after_factor(
    idp: &Idp,
    waits_for: WaitsFor,
    mut decision: Decision,
    shown: Option<FactorType>,
) -> (Vec<FactorRequest>, Decision) {
    let mut requests = match waits_for {
        WaitsFor::Continue | WaitsFor::Consent(_) => Vec::new(),
        WaitsFor::Factors(requests) | WaitsFor::RecoveryCodeKept(requests) => requests,
    };
    if let Some(factor) = shown {
        decision.methods.push(AuthenticationMethod::mfa(factor, idp.now()));
        if !requests.is_empty() {
            requests.remove(0);
        }
    }
    (requests, decision)
}

/// What of a suspended login is no part of the login itself.
pub(super) struct Restored {
    pub decision: Decision,
    resume: Resume,
    pub waits_for: WaitsFor,
}

/// The login as it was; `None` when its user may not go on.
pub(super) async fn restore<'a>(
    idp: &Idp,
    ctx: &'a RequestContext,
    client: &'a Client,
    pending: &'a PendingAuthorization,
) -> Result<Option<(Login<'a>, Restored)>, ServerError> {
    let Some(suspended) = read(pending)? else {
        return Err(ServerError::Inconsistent("a login that is not suspended".to_owned()));
    };
    let session = suspended.session;
    let mut tx = idp.storage.begin_read(&ctx.tenant.id).await?;
    let Some((user, connection)) = user_of(&mut tx, &session).await? else { return Ok(None) };
    if !user.may_go_on(session.authenticated_at) {
        return Ok(None);
    }
    let parent_metadata = match &session.parent_refresh_token {
        Some(parent) => tx.refresh_token(parent).await?.map(|token| token.metadata),
        None => None,
    };
    let roles = tx.roles_of(&user.user_id).await?;
    let organization = match &pending.request.organization_id {
        None => None,
        Some(id) => tx.organization_of_member(id, &user.user_id).await?,
    };
    drop(tx);
    let login = Login {
        ctx,
        client,
        request: &pending.request,
        transaction_id: pending.id.as_str(),
        user,
        connection,
        roles,
        organization,
        risk: suspended.risk,
        authenticated: suspended.authenticated,
        ends_before: (session.expires_at, session.idle_expires_at),
        session,
        session_exists: suspended.session_exists,
        new_secret: suspended.sets_cookie.then(|| random_token(&*idp.random, CREDENTIAL_LENGTH)),
        replaces: suspended.replaces,
        transfer_token: suspended.transfer_token,
        parent_metadata,
        consent: Consent::NotNeeded,
    };
    let restored =
        Restored { decision: suspended.decision, resume: suspended.resume, waits_for: suspended.waits_for };
    Ok(Some((login, restored)))
}
