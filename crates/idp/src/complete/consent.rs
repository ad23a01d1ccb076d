//! What a login rests on where its user is asked: the consent (OIDC Core §3.1.2.4). It comes after the Actions, because what
//! is asked for is what would be issued. The scopes that the page showed are in the suspended login; the browser has its
//! handle alone.

use model::{Client, PendingAuthorization, Timestamp};
use oauth::{ErrorCode, OAuthError};
use storage::{ConsentKey, TenantTx};

use super::suspended::{Restored, WaitsFor, is_silent, restore, store};
use super::{Completed, Login, finish, granted_scope, refuse};
use crate::decision::Decision;
use crate::error::ServerError;
use crate::post_login::{Outcome, Resume};
use crate::{Idp, RequestContext, api_access, consent};

/// What a client learns whose user declined, in the dialect's words.
const DECLINED: &str = "User did not authorize the request";

/// Whether a login needs its user's consent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Consent {
    /// Nobody is asked.
    NotNeeded,
    /// The user gave it before.
    Stored,
    /// The user has just given it, for these scopes.
    Given(Vec<String>),
}

/// What a login may have.
pub(super) enum Agreed {
    /// Nobody was asked.
    ToAll,
    /// These scopes.
    To(Vec<String>),
}

/// What the login needs now: the consent that it has, or the scopes that the user is to be asked for.
pub(super) async fn due(
    idp: &Idp,
    login: &Login<'_>,
    decision: &Decision,
) -> Result<Result<Consent, Vec<String>>, ServerError> {
    let request = login.request;
    let forced = request.prompt.iter().any(|prompt| prompt == "consent");
    if !forced && !consent::is_asked_for(idp, login.ctx, login.client, request.audience.as_deref()).await? {
        return Ok(Ok(Consent::NotNeeded));
    }
    let organization = request.organization_id.as_ref();
    let audience = request.audience.as_deref();
    let permissions = api_access::permissions(idp, login.ctx, audience, &login.user, organization).await?;
    let scope = granted_scope(login, decision, permissions.as_deref());
    if forced {
        return Ok(Err(scope));
    }
    let key = ConsentKey::of(&login.user.user_id, request);
    let stored = idp.storage.begin_read(&login.ctx.tenant.id).await?.consent(key).await?;
    let covered = |agreed: &Vec<String>| scope.iter().all(|name| agreed.contains(name));
    Ok(match (stored, &request.consented) {
        (Some(stored), _) if covered(&stored) => Ok(Consent::Stored),
        // Where the user connected the device, they saw what it asks for.
        (_, Some(given)) if covered(given) => Ok(Consent::Given(given.clone())),
        _ => Err(scope),
    })
}

/// Sends the browser to the page that asks for these scopes.
pub(super) async fn ask(
    idp: &Idp,
    login: Login<'_>,
    outcome: Outcome,
    scope: Vec<String>,
    browser_cookie: Option<&str>,
) -> Result<Completed, ServerError> {
    if is_silent(&login) {
        let error = OAuthError::new(ErrorCode::ConsentRequired, "Consent required");
        return refuse(idp, login, outcome, error).await;
    }
    let waits_for = WaitsFor::Consent(scope);
    let (handle, browser) = store(idp, login, outcome, Resume::AtTheEnd, waits_for, browser_cookie).await?;
    Ok(Completed::Leave { url: format!("/u/consent?state={handle}"), browser })
}

/// Goes on with a login whose user has answered. It has just been taken for completion.
pub(crate) async fn resume_after_consent(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    pending: &PendingAuthorization,
    accepts: bool,
) -> Result<Completed, ServerError> {
    let Some((mut login, restored)) = restore(idp, ctx, client, pending).await? else {
        return Ok(Completed::Ended);
    };
    let Restored { decision, waits_for: WaitsFor::Consent(shown), .. } = restored else {
        return Err(ServerError::Inconsistent("a login that does not wait for consent".to_owned()));
    };
    let outcome = Outcome::of(decision);
    if !accepts {
        let error = OAuthError::new(ErrorCode::AccessDenied, DECLINED);
        return refuse(idp, login, outcome, error).await;
    }
    login.consent = Consent::Given(shown);
    finish(idp, login, outcome).await
}

/// Stores the consent that was given, or reads again the one that was there; `None`: it was withdrawn while the Actions ran.
/// The user must be locked.
pub(super) async fn commit(
    tx: &mut TenantTx,
    login: &Login<'_>,
    now: Timestamp,
) -> Result<Option<Agreed>, ServerError> {
    let key = ConsentKey::of(&login.user.user_id, login.request);
    match &login.consent {
        Consent::NotNeeded => Ok(Some(Agreed::ToAll)),
        Consent::Stored => Ok(tx.use_consent(key, now).await?.map(Agreed::To)),
        Consent::Given(scope) => {
            let mut agreed = tx.consent(key).await?.unwrap_or_default();
            agreed.extend(scope.iter().cloned());
            agreed.sort_unstable();
            agreed.dedup();
            tx.put_consent(key, &agreed, now).await?;
            Ok(Some(Agreed::To(agreed)))
        }
    }
}
