//! `grant_type=refresh_token` (RFC 6749 §6): rotation, reuse detection (RFC 9700 §4.14.2), Actions, and the way to a
//! session transfer token.

mod commit;
mod secret;

use model::{Client, LogType, Organization, RefreshToken, Session, Timestamp, User};
use oauth::ErrorCode;
use storage::RefreshTokenUse;

use self::commit::{commit, denied, reused};
use self::secret::{State, next_secret, rotates, state};
use super::session_transfer::{self, SessionTransferRequest};
use super::{TokenInput, TokenResponse};
use crate::consent::{self, Standing};
use crate::credential::hash_credential;
use crate::decision::Decision;
use crate::post_login::{self, Outcome, log_entry};
use crate::tokens::{self, Grant, Issued};
use crate::{Idp, IdpError, RequestContext, api_access, authorize, dpop, organizations};

pub(crate) use secret::usable_at;

/// What the client learns of an Action that needs the user's browser.
pub(super) const NO_INTERACTION: &str =
    "An Action needs the user's interaction, which this flow does not allow.";
/// Parameters that an Action does not see.
const CREDENTIAL_PARAMETERS: [&str; 3] = ["refresh_token", "client_secret", "client_assertion"];

/// A secret that may be exchanged, with whose it is.
struct Valid<'a> {
    token: RefreshToken,
    user: User,
    organization: Option<Organization>,
    /// The scopes that the user has agreed to, where users are asked.
    agreed: Option<Vec<String>>,
    again: bool,
    /// The number of the secret.
    number: i64,
    /// The key that the request proved possession of.
    jkt: Option<&'a str>,
}

impl Valid<'_> {
    /// Leaves what the user has agreed to.
    fn limit(&self, scope: &mut Vec<String>) {
        if let Some(agreed) = &self.agreed {
            scope.retain(|name| agreed.contains(name));
        }
    }
}

/// What the exchange is for.
enum Target {
    Tokens { audience: Option<String>, scope: Vec<String> },
    Transfer(SessionTransferRequest),
}

/// What the answer holds, made before the transaction.
enum Made {
    Tokens { issued: Issued, audience: Option<String>, scope: Vec<String> },
    Transfer(session_transfer::Made),
}

pub(super) async fn exchange(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    input: &TokenInput,
    found: Option<RefreshTokenUse>,
    jkt: Option<&str>,
) -> Result<TokenResponse, IdpError> {
    let secret = input.parameters.require("refresh_token")?;
    let requested = oauth::parse_scope(input.parameters.get("scope").unwrap_or_default())?;
    let hash = hash_credential(secret);
    let now = idp.now();
    let Some(found) = found.filter(|found| found.token.client_id == client.client_id) else {
        return Err(unknown());
    };
    let state = state(&found, client, now);
    let RefreshTokenUse { token, user, number, .. } = found;
    match state {
        State::Fresh | State::Again => {}
        State::Reused => return reused(idp, ctx, client, &hash, &token.user_id).await,
        State::Dead => return Err(unknown()),
    }
    dpop::check_bound(token.dpop_jkt.as_deref(), jkt)?;
    let user = usable(user)?;
    let organization =
        organizations::of_grant(idp, ctx, token.organization_id.as_ref(), &user.user_id).await?;
    let agreed = match consent::standing(idp, ctx, client, &token).await? {
        Standing::All => None,
        Standing::To(scope) => Some(scope),
        Standing::Nothing => return not_agreed(idp, ctx, client, &user, organization.as_ref()).await,
    };
    let again = matches!(state, State::Again);
    let valid = Valid { user, organization, agreed, token, again, number, jkt };
    let target = target(idp, ctx, client, input, &valid, requested).await?;
    let mut session = match &valid.token.session_id {
        Some(id) if valid.token.online => idp.storage.begin_read(&ctx.tenant.id).await?.session(id).await?,
        _ => None,
    };
    let mut outcome = run_actions(idp, ctx, client, input, &valid, session.as_ref(), &target).await?;
    if outcome.decision.denied.is_none()
        && let Err(reason) = take_changes(ctx, client, &valid, session.as_mut(), &mut outcome, now)
    {
        outcome.decision = Decision::failed(reason);
    }
    let session = session.filter(|_| outcome.decision.changes_session());
    if let Some(reason) = outcome.decision.denied.clone() {
        return denied(idp, ctx, client, &valid, &outcome, &reason).await;
    }
    // Signing comes before the transaction that spends the secret.
    let made = make(idp, ctx, client, &valid, &target, &outcome).await?;
    // Also where rotation was turned off since: what the last rotation gave must not go on as it is.
    let renewed = valid.token.rotating || rotates(client, &valid.token);
    let new_secret = renewed.then(|| next_secret(idp, client, secret));
    commit(idp, ctx, client, &hash, valid, session.as_ref(), &outcome, made, new_secret).await
}

/// Makes the changes that the Actions asked for to the session of an online token, and looks whether those to the token
/// can be made.
fn take_changes(
    ctx: &RequestContext,
    client: &Client,
    valid: &Valid<'_>,
    session: Option<&mut Session>,
    outcome: &mut Outcome,
    now: Timestamp,
) -> Result<(), String> {
    let decision = &mut outcome.decision;
    if decision.primary_user.as_ref().is_some_and(|id| id != valid.user.user_id.as_str()) {
        return Err("The primary user is not linked with the user of the refresh token.".to_owned());
    }
    match session {
        Some(session) => {
            let mode = session.cookie_mode;
            decision.change_session(session)?;
            decision.limit_session(session, mode, &ctx.tenant.sessions, now);
            Ok(())
        }
        None => {
            decision.has_no_session();
            decision.limit_refresh_token(&client.refresh_token, now);
            decision.change_refresh_token(&mut valid.token.clone())
        }
    }
}

/// The text that SDKs compare.
fn unknown() -> IdpError {
    IdpError::oauth(ErrorCode::InvalidGrant, "Unknown or invalid refresh token.")
}

fn usable(user: Option<User>) -> Result<User, IdpError> {
    match user {
        None => Err(IdpError::oauth(
            ErrorCode::InvalidGrant,
            "The refresh_token was generated for a user who doesn't exist anymore.",
        )),
        Some(user) if user.blocked => Err(IdpError::oauth(ErrorCode::AccessDenied, "The user is blocked.")),
        Some(user) => Ok(user),
    }
}

async fn target(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    input: &TokenInput,
    valid: &Valid<'_>,
    requested: Vec<String>,
) -> Result<Target, IdpError> {
    let asked_for = input.parameters.get("audience");
    if let Some(audience) = asked_for.filter(|audience| session_transfer::is_audience(audience)) {
        let request = session_transfer::request(ctx, client, &valid.token, audience, requested)?;
        return Ok(Target::Transfer(request));
    }
    let (audience, mut available) = available(idp, ctx, client, &valid.token, asked_for).await?;
    valid.limit(&mut available);
    // What was not granted is left out, not refused: SDKs always ask for all they know (RFC 6749 §6).
    let all = requested.is_empty();
    let scope: Vec<String> = available.into_iter().filter(|scope| all || requested.contains(scope)).collect();
    if scope.is_empty() && !all {
        return Err(IdpError::oauth(ErrorCode::InvalidScope, "None of the requested scopes was granted"));
    }
    Ok(Target::Tokens { audience, scope })
}

/// The API that the access token is for, and all that the client may have there: what the user granted, and what the
/// client's policies add (multi-resource refresh tokens). With policies, an API that neither names is passed over. A user
/// who is asked for consent has agreed to one API: policies add nothing to that.
async fn available(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    token: &RefreshToken,
    asked_for: Option<&str>,
) -> Result<(Option<String>, Vec<String>), IdpError> {
    let granted = token.audience.clone().unwrap_or_else(|| tokens::userinfo_audience(ctx));
    let policies: &[_] = if client.is_first_party { &client.refresh_token.policies } else { &[] };
    let asked_for = asked_for.unwrap_or(&granted);
    if asked_for != granted && policies.is_empty() {
        return Err(IdpError::oauth(
            ErrorCode::InvalidRequest,
            "The refresh token was not granted for this audience.",
        ));
    }
    let policy = policies.iter().find(|policy| policy.audience == asked_for);
    let api = match policy {
        Some(policy) => idp.settings.api(&ctx.tenant, &policy.audience).await?,
        None => None,
    };
    let api = api.filter(|api| api.server.skip_consent_for_verifiable_first_party_clients);
    let (Some(policy), Some(api)) = (policy, api) else {
        return Ok((token.audience.clone(), token.scope.clone()));
    };
    let of_user = |scope: &&String| asked_for == granted || authorize::is_about_the_user(scope);
    let mut available: Vec<String> = token.scope.iter().filter(of_user).cloned().collect();
    let more =
        policy.scope.iter().filter(|scope| api.server.scopes.contains(scope) && !token.scope.contains(scope));
    available.extend(more.cloned());
    Ok((Some(api.server.identifier.clone()), available))
}

async fn run_actions(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    input: &TokenInput,
    valid: &Valid<'_>,
    session: Option<&Session>,
    target: &Target,
) -> Result<Outcome, IdpError> {
    let (audience, scope) = match target {
        Target::Tokens { audience, scope } => (audience.as_deref(), scope),
        Target::Transfer(request) => (Some(request.audience.as_str()), &request.scope),
    };
    let body = input.parameters.without(&CREDENTIAL_PARAMETERS);
    let token = (&valid.token, session);
    let organization = valid.organization.as_ref();
    let mut outcome = post_login::run_for_refresh(
        idp,
        ctx,
        client,
        &valid.user,
        token,
        organization,
        audience,
        scope,
        &body,
    )
    .await?;
    let decision = &outcome.decision;
    if decision.denied.is_none() && (outcome.suspension.is_some() || decision.multifactor.is_some()) {
        outcome.decision = Decision::failed(NO_INTERACTION.to_owned());
        outcome.suspension = None;
        outcome.needs_interaction = true;
    }
    Ok(outcome)
}

async fn make(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    valid: &Valid<'_>,
    target: &Target,
    outcome: &Outcome,
) -> Result<Made, IdpError> {
    let now = idp.now();
    let token = &valid.token;
    let (audience, mut scope) = match target {
        Target::Tokens { audience, scope } => (audience.as_deref(), scope.clone()),
        Target::Transfer(_) => (None, token.scope.clone()),
    };
    let organization_id = token.organization_id.as_ref();
    let permissions = api_access::permissions(idp, ctx, audience, &valid.user, organization_id).await?;
    if matches!(target, Target::Tokens { .. }) {
        api_access::limit(&mut scope, permissions.as_deref());
        let granted = api_access::granted_scopes(idp, ctx, client, audience).await?;
        api_access::limit(&mut scope, granted.as_deref());
        outcome.decision.change_scope(&mut scope);
    }
    valid.limit(&mut scope);
    let grant = Grant {
        client,
        user: &valid.user,
        organization: valid.organization.as_ref(),
        session_id: token.session_id.as_ref(),
        ends_with_session: token.session_id.as_ref().filter(|_| token.bound_to_session),
        refresh_token_id: Some(&token.id),
        auth_time: token.auth_time,
        scope: &scope,
        audience,
        nonce: None,
        id_token_claims: &outcome.decision.id_token_claims,
        access_token_claims: &outcome.decision.access_token_claims,
        gty: Some("refresh_token"),
        jkt: valid.jkt,
        mfa: false,
        acr: None,
        permissions: permissions.as_deref(),
    };
    Ok(match target {
        Target::Tokens { audience, .. } => Made::Tokens {
            issued: tokens::issue(idp, ctx, &grant, now).await?,
            audience: audience.clone(),
            scope,
        },
        Target::Transfer(request) => {
            let id_token = tokens::id_token(idp, ctx, &grant, None, now).await?;
            Made::Transfer(session_transfer::make(idp, ctx, token, request, &scope, id_token, now))
        }
    })
}

/// The user has not agreed, and learns of it by the login that the client begins: to it, the refresh token is none any
/// more. The log says why.
async fn not_agreed(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    user: &User,
    organization: Option<&Organization>,
) -> Result<TokenResponse, IdpError> {
    let mut entry = log_entry(LogType::Warning, Some(client), None, &ctx.origin, idp.now())
        .with_user(user)
        .with_organization(organization);
    entry.description = "The user of the refresh token has not agreed to what it is for".to_owned();
    let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
    tx.insert_log(&entry).await?;
    tx.commit().await?;
    Err(unknown())
}
