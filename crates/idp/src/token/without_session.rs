//! A login without a browser, from the first factor on: the Actions decide, second factors are asked for by `mfa_required`,
//! and one transaction commits the tokens.

use model::{AuthenticationMethod, Client, LogType, Timestamp, User, random_token};
use oauth::ErrorCode;
use serde_json::{Map, Value, json};

use super::TokenResponse;
use super::new_refresh_token::{Origin, make_room, new_refresh_token};
use super::refresh_token::NO_INTERACTION;
use crate::authorize::OFFLINE_ACCESS;
use crate::credential::{CREDENTIAL_LENGTH, hash_credential};
use crate::decision::{Decision, FactorRequest, Suspension};
use crate::event::{EventSource, Flow};
use crate::mfa::api::{WaitingLogin, require_factor};
use crate::mfa::{Standing, usable_types};
use crate::password_login::WRONG_CREDENTIALS;
use crate::post_login::{self, Outcome, Resume, Start, log_entry, no_connection};
use crate::tokens::{self, Grant};
use crate::{Idp, IdpError, RequestContext, api_access, measure};

/// Who logs in, and for what.
pub(super) struct Login<'a> {
    pub client: &'a Client,
    pub user: User,
    /// Names the login in the records of its Actions.
    pub transaction_id: String,
    pub audience: Option<String>,
    /// As granted.
    pub scope: Vec<String>,
    /// As asked for.
    pub requested_scope: Vec<String>,
    pub auth_time: Timestamp,
    /// The body of this request without credentials.
    pub body: Map<String, Value>,
    /// The key that this request proved possession of.
    pub jkt: Option<&'a str>,
    /// The recovery code that the user keeps from now on.
    pub recovery_code: Option<String>,
    /// The entry in the log when all is well.
    pub log_as: (LogType, &'static str),
}

/// Runs the Actions that are due, and does what they decide.
pub(super) async fn decide(
    idp: &Idp,
    ctx: &RequestContext,
    mut login: Login<'_>,
    mut start: Start,
) -> Result<TokenResponse, IdpError> {
    loop {
        let mut outcome = run_actions(idp, ctx, &login, start).await?;
        if let Some(reason) = outcome.decision.denied.clone() {
            return refuse(idp, ctx, &login, outcome, ErrorCode::AccessDenied, &reason).await;
        }
        let (requests, resume) = match outcome.suspension.take() {
            Some((Suspension::Factors(requests), resume)) => (requests, resume),
            Some((Suspension::Redirect(_) | Suspension::Form(_), _)) => {
                outcome.decision = Decision::failed(NO_INTERACTION.to_owned());
                return refuse(idp, ctx, &login, outcome, ErrorCode::InteractionRequired, NO_INTERACTION)
                    .await;
            }
            None => match due_at_the_end(idp, ctx, &login, &outcome.decision).await? {
                Ok(None) => break issue(idp, ctx, &mut login, outcome).await,
                Ok(Some(request)) => (vec![request], Resume::AtTheEnd),
                Err(reason) => return fail(idp, ctx, &login, outcome, reason).await,
            },
        };
        let decision = ask_for_factors(idp, ctx, &login, outcome, requests, &resume).await?;
        start = Start { resume: Some(resume), decision };
    }
}

/// Goes on with a login that has waited for second factors; these requests are still to be met.
pub(super) async fn go_on(
    idp: &Idp,
    ctx: &RequestContext,
    login: Login<'_>,
    requests: Vec<FactorRequest>,
    resume: Resume,
    decision: Decision,
) -> Result<TokenResponse, IdpError> {
    let outcome = Outcome::of(decision);
    let decision = ask_for_factors(idp, ctx, &login, outcome, requests, &resume).await?;
    decide(idp, ctx, login, Start { resume: Some(resume), decision }).await
}

async fn run_actions(
    idp: &Idp,
    ctx: &RequestContext,
    login: &Login<'_>,
    start: Start,
) -> Result<Outcome, IdpError> {
    let user = &login.user;
    let connection = idp.settings.connection(&ctx.tenant, &user.connection_id).await?;
    let connection = connection.ok_or_else(|| no_connection(&user.user_id))?;
    let roles = idp.storage.begin_read(&ctx.tenant.id).await?.roles_of(&user.user_id).await?;
    let methods = [AuthenticationMethod::new("pwd", login.auth_time)];
    let source = EventSource {
        ctx,
        client: login.client,
        user,
        connection: &connection,
        roles: &roles,
        // The dialect names none at this grant.
        organization: None,
        logins_count: user.logins_count + 1,
        audience: login.audience.as_deref(),
        flow: Flow::Password {
            methods: &methods,
            requested_scope: &login.requested_scope,
            body: &login.body,
        },
    };
    Ok(post_login::run(idp, ctx, &source, start).await?)
}

/// The second factor that is due after the last Action: the one that an Action wanted then, and that of a user who has one
/// and is about to manage second factors.
async fn due_at_the_end(
    idp: &Idp,
    ctx: &RequestContext,
    login: &Login<'_>,
    decision: &Decision,
) -> Result<Result<Option<FactorRequest>, &'static str>, IdpError> {
    let provider = decision.due_at_the_end();
    let manages_factors = login.audience.as_ref() == Some(&tokens::mfa_audience(ctx));
    if provider.is_none() && !manages_factors {
        return Ok(Ok(None));
    }
    let usable = usable_types(idp, ctx, &login.user).await?;
    let standing = Standing { tenant: &ctx.tenant, usable: &usable, shown: &[] };
    Ok(match provider {
        Some(provider) => standing.at_the_end(provider),
        None if usable.is_empty() || !decision.shown_factors().is_empty() => Ok(None),
        None => Ok(Some(standing.any())),
    })
}

/// Asks for the first factor that is due, by an error. Where none is, the login goes on with what was decided so far.
async fn ask_for_factors(
    idp: &Idp,
    ctx: &RequestContext,
    login: &Login<'_>,
    outcome: Outcome,
    mut requests: Vec<FactorRequest>,
    resume: &Resume,
) -> Result<Decision, IdpError> {
    let usable = usable_types(idp, ctx, &login.user).await?;
    let shown = outcome.decision.shown_factors();
    let standing = Standing { tenant: &ctx.tenant, usable: &usable, shown: &shown };
    let step = match standing.next(&mut requests) {
        Ok(step) => step,
        Err(reason) => {
            fail(idp, ctx, login, outcome, reason).await?;
            return Err(IdpError::oauth(ErrorCode::AccessDenied, reason));
        }
    };
    let decision = commit_part(idp, ctx, login, outcome).await?;
    let Some(step) = step else { return Ok(decision) };
    let waiting = WaitingLogin {
        transaction_id: login.transaction_id.clone(),
        audience: login.audience.clone(),
        scope: login.scope.clone(),
        requested_scope: login.requested_scope.clone(),
        auth_time: login.auth_time,
        jkt: login.jkt.map(str::to_owned),
        decision,
        resume: resume.clone(),
        requests,
    };
    let mut error = require_factor(idp, ctx, login.client, &login.user, &waiting, &step).await?;
    if let Some(code) = &login.recovery_code {
        error.members.insert("recovery_code".to_owned(), json!(code));
    }
    Err(error.into())
}

async fn fail(
    idp: &Idp,
    ctx: &RequestContext,
    login: &Login<'_>,
    mut outcome: Outcome,
    reason: &str,
) -> Result<TokenResponse, IdpError> {
    outcome.decision = Decision::failed(reason.to_owned());
    refuse(idp, ctx, login, outcome, ErrorCode::AccessDenied, reason).await
}

/// Nothing is issued; what the Actions decided about the user is committed with the record of their runs.
async fn refuse(
    idp: &Idp,
    ctx: &RequestContext,
    login: &Login<'_>,
    outcome: Outcome,
    code: ErrorCode,
    reason: &str,
) -> Result<TokenResponse, IdpError> {
    commit_part(idp, ctx, login, outcome).await?;
    Err(IdpError::oauth(code, reason))
}

/// Writes what the Actions did so far: their runs, and their changes of the user's metadata.
async fn commit_part(
    idp: &Idp,
    ctx: &RequestContext,
    login: &Login<'_>,
    outcome: Outcome,
) -> Result<Decision, IdpError> {
    let now = idp.now();
    let user_id = &login.user.user_id;
    let entry = log_entry(LogType::Warning, Some(login.client), Some(user_id), &ctx.origin, now);
    let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
    tx.lock_user(user_id).await?;
    outcome.commit(&mut tx, &login.transaction_id, user_id, &entry, now).await?;
    tx.commit().await?;
    let mut decision = outcome.decision;
    decision.user_metadata.clear();
    decision.app_metadata.clear();
    decision.warnings.clear();
    Ok(decision)
}

/// Makes the changes that the Actions asked for to what is granted.
fn take_changes(login: &mut Login<'_>, decision: &mut Decision, now: Timestamp) -> Result<(), String> {
    if decision.primary_user.as_ref().is_some_and(|id| id != login.user.user_id.as_str()) {
        return Err("The primary user is not linked with the user who logged in.".to_owned());
    }
    decision.has_no_session();
    decision.limit_refresh_token(&login.client.refresh_token, now);
    decision.change_scope(&mut login.scope);
    decision.check_new_refresh_token()
}

/// Whether a refresh token is due. Its scope may have been added by an Action: client and API must allow it, too.
async fn may_refresh(idp: &Idp, ctx: &RequestContext, login: &Login<'_>) -> Result<bool, IdpError> {
    let asks = login.scope.iter().any(|scope| scope == OFFLINE_ACCESS);
    if !asks || !login.client.grant_types.iter().any(|grant| grant == "refresh_token") {
        return Ok(false);
    }
    Ok(match &login.audience {
        None => true,
        Some(audience) => {
            let api = idp.settings.api(&ctx.tenant, audience).await?;
            api.is_some_and(|api| api.server.allow_offline_access)
        }
    })
}

/// Issues the tokens, and commits them with what the Actions decided.
async fn issue(
    idp: &Idp,
    ctx: &RequestContext,
    login: &mut Login<'_>,
    mut outcome: Outcome,
) -> Result<TokenResponse, IdpError> {
    let now = idp.now();
    let permissions = api_access::permissions(idp, ctx, login.audience.as_deref(), &login.user, None).await?;
    api_access::limit(&mut login.scope, permissions.as_deref());
    if let Err(reason) = take_changes(login, &mut outcome.decision, now) {
        return fail(idp, ctx, login, outcome, &reason).await;
    }
    let may_refresh = may_refresh(idp, ctx, login).await?;
    login.scope.retain(|scope| may_refresh || scope != OFFLINE_ACCESS);
    let Login { client, user, audience, scope, auth_time, jkt, .. } = &*login;
    let (auth_time, jkt, user_id) = (*auth_time, *jkt, &user.user_id);
    let refresh = may_refresh.then(|| {
        let origin = Origin {
            user_id,
            connection_id: &user.connection_id,
            organization_id: None,
            session_id: None,
            bound_to_session: false,
            online: false,
            parent: None,
            audience: audience.as_deref(),
            auth_time,
            changes: &outcome.decision.refresh_token,
        };
        let token = new_refresh_token(idp, ctx, client, &origin, scope, jkt, now);
        (token, random_token(&*idp.random, CREDENTIAL_LENGTH))
    });
    let refresh_token_id = refresh.as_ref().map(|(token, _)| &token.id);
    let grant = Grant {
        client,
        user,
        organization: None,
        session_id: None,
        ends_with_session: None,
        refresh_token_id,
        auth_time,
        scope,
        audience: audience.as_deref(),
        nonce: None,
        id_token_claims: &outcome.decision.id_token_claims,
        access_token_claims: &outcome.decision.access_token_claims,
        gty: Some("password"),
        jkt,
        mfa: !outcome.decision.shown_factors().is_empty(),
        acr: None,
        permissions: permissions.as_deref(),
    };
    let issued = tokens::issue(idp, ctx, &grant, now).await?;

    let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
    tx.lock_user(user_id).await?;
    // The user may have been blocked, or given another password, meanwhile.
    if !tx.user(user_id).await?.is_some_and(|user| user.may_go_on(auth_time)) {
        return Err(IdpError::oauth(ErrorCode::InvalidGrant, WRONG_CREDENTIALS));
    }
    if let Some((token, secret)) = &refresh {
        make_room(&mut tx, user_id, client, now).await?;
        tx.insert_refresh_token(token, &hash_credential(secret)).await?;
    }
    if let Some((hash, row)) = &issued.stored {
        tx.insert_access_token(hash, row).await?;
    }
    tx.record_login(user_id, now, &ctx.origin.ip).await?;
    let (log_type, description) = login.log_as;
    let mut entry = log_entry(log_type, Some(client), None, &ctx.origin, now)
        .with_user(user)
        .with_grant(audience.as_deref(), scope);
    entry.description = description.to_owned();
    entry.details = json!({
        "audience": audience,
        "scope": scope.join(" "),
        "refresh_token_id": refresh_token_id,
        "actions": outcome.for_log(),
    });
    outcome.commit(&mut tx, &login.transaction_id, user_id, &entry, now).await?;
    tx.insert_log(&entry).await?;
    tx.commit().await?;
    measure::login(&ctx.tenant.id, "oauth2-password", "success");
    Ok(TokenResponse {
        access_token: issued.access_token,
        token_type: issued.token_type,
        expires_in: issued.expires_in,
        id_token: issued.id_token,
        refresh_token: refresh.map(|(_, secret)| secret),
        scope: Some(scope.join(" ")),
        issued_token_type: None,
        recovery_code: login.recovery_code.clone(),
    })
}
