//! A login whose browser has left for an Action, and comes back (`reference/post-login.md` section 1.4). Until it is
//! complete there is no session: who stays away is not logged in.

use model::{
    Client, PendingAuthorization, PendingAuthorizationId, Session, SessionId, SessionTransferToken,
    random_token,
};
use oauth::{ErrorCode, OAuthError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use super::{Completed, Login, decide, refuse, user_of};
use crate::authorize::browser_secret;
use crate::credential::{CREDENTIAL_LENGTH, hash_credential};
use crate::decision::{Decision, FactorRequest, Suspension};
use crate::error::ServerError;
use crate::event::ContinueRequest;
use crate::post_login::{Outcome, Resume, Start, log_entry};
use crate::{Idp, RequestContext};

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
    /// The pages for a second factor.
    Factors(Vec<FactorRequest>),
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

/// Stores the login, with what its Actions asked for so far, and sends the browser away. Changes of the user's metadata are
/// written now, so that the site that it goes to finds them.
pub(super) async fn suspend(
    idp: &Idp,
    login: Login<'_>,
    mut outcome: Outcome,
    suspension: Suspension,
    resume: Resume,
    browser_cookie: Option<&str>,
) -> Result<Completed, ServerError> {
    if login.request.prompt.iter().any(|prompt| prompt == "none") {
        let error = OAuthError::new(ErrorCode::InteractionRequired, "An Action needs the user's interaction");
        return refuse(idp, login, outcome, error).await;
    }
    let url = match &suspension {
        Suspension::Redirect(url) => {
            Url::parse(url).map_err(|error| format!("An Action redirects to no URL: {error}"))
        }
        Suspension::Form(id) => {
            Err(format!("This server cannot show the form {id} that an Action asks for."))
        }
        Suspension::Factors(_) => {
            Err("This server cannot ask for the second factor that an Action wants.".to_owned())
        }
    };
    let mut url = match url {
        Ok(url) => url,
        Err(reason) => {
            outcome.decision = Decision::failed(reason.clone());
            return refuse(idp, login, outcome, OAuthError::new(ErrorCode::AccessDenied, reason)).await;
        }
    };
    let now = idp.now();
    let handle = random_token(&*idp.random, CREDENTIAL_LENGTH);
    let (browser, cookie) = browser_secret(idp, browser_cookie, now);
    let ends = login.session.expires_at.min(login.session.idle_expires_at);
    let entry = log_entry(
        model::LogType::Warning,
        Some(login.client),
        Some(&login.user.user_id),
        &login.ctx.origin,
        now,
    );
    let mut tx = idp.storage.begin(&login.ctx.tenant.id).await?;
    tx.lock_user(&login.user.user_id).await?;
    outcome.commit(&mut tx, login.transaction_id, &login.user.user_id, &entry, now).await?;
    let mut decision = outcome.decision;
    decision.user_metadata.clear();
    decision.app_metadata.clear();
    decision.warnings.clear();
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
            waits_for: WaitsFor::Continue,
        })),
        created_at: now,
        expires_at: now.plus_secs(AWAY_SECS).min(ends),
    };
    tx.suspend_pending(&pending, &hash_credential(&handle), &hash_credential(&browser)).await?;
    tx.commit().await?;
    let others: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(name, _)| name != "state")
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    url.query_pairs_mut().clear().extend_pairs(others).append_pair("state", &handle);
    Ok(Completed::Leave { url: url.into(), browser: cookie })
}

/// Goes on with a suspended login that has just been taken for completion.
pub(crate) async fn resume(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    pending: &PendingAuthorization,
    continued: &ContinueRequest,
    browser_cookie: Option<&str>,
) -> Result<Completed, ServerError> {
    let Some(suspended) = read(pending)? else {
        return Err(ServerError::Inconsistent("a login that is not suspended".to_owned()));
    };
    let session = suspended.session;
    let mut tx = idp.storage.begin_read(&ctx.tenant.id).await?;
    let Some((user, connection)) = user_of(&mut tx, &session).await? else { return Ok(Completed::Ended) };
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
    };
    let start = Start { resume: Some(suspended.resume), decision: suspended.decision };
    Box::pin(decide(idp, login, start, Some(continued), browser_cookie)).await
}
