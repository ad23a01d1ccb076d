//! `grant_type=refresh_token` (RFC 6749 §6): rotation, reuse detection (RFC 9700 §4.14.2), Actions, and the way to a
//! session transfer token.

use model::{
    Client, LogType, Organization, RefreshToken, RefreshTokenChanges, RotationType, Session, Timestamp, User,
    UserId, random_token,
};
use oauth::ErrorCode;
use serde_json::{Value, json};
use storage::{ConsentKey, RefreshTokenUse, TenantTx};

use super::session_transfer::{self, SessionTransferRequest};
use super::{TokenInput, TokenResponse, seen_at};
use crate::consent::{self, Standing};
use crate::credential::{CREDENTIAL_LENGTH, hash_credential};
use crate::decision::{Decision, idle_limit};
use crate::post_login::{self, Outcome, log_entry};
use crate::revocation::{self, Event};
use crate::tokens::{self, Grant, Issued};
use crate::{Idp, IdpError, RequestContext, api_access, authorize, dpop, measure, organizations};

/// What the client learns of an Action that needs the user's browser.
pub(super) const NO_INTERACTION: &str =
    "An Action needs the user's interaction, which this flow does not allow.";
/// Parameters that an Action does not see.
const CREDENTIAL_PARAMETERS: [&str; 3] = ["refresh_token", "client_secret", "client_assertion"];

/// What a presented secret is worth at this moment.
enum State {
    /// It is the newest one.
    Fresh,
    /// It is the one before the newest, within the leeway: the answer that carried the newest may have been lost.
    Again,
    /// It was used before: it, or its successor, is in the wrong hands.
    Reused,
    /// It is unknown, revoked, expired, or its session has ended.
    Dead,
}

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

async fn look_up(
    tx: &mut TenantTx,
    client: &Client,
    hash: &str,
    now: Timestamp,
) -> Result<(Option<RefreshToken>, State), IdpError> {
    let found = tx.refresh_token_use(hash, now).await?;
    let Some(found) = found.filter(|found| found.token.client_id == client.client_id) else {
        return Ok((None, State::Dead));
    };
    let state = state(&found, client, now);
    Ok((Some(found.token), state))
}

fn state(found: &RefreshTokenUse, client: &Client, now: Timestamp) -> State {
    if !found.token.is_alive(now) {
        return State::Dead;
    }
    let leeway_ends = |spent_at: Timestamp| spent_at.plus_secs(client.refresh_token.leeway);
    match found.spent_at {
        Some(spent_at) if found.newer_secrets != 1 || now >= leeway_ends(spent_at) => State::Reused,
        _ if !found.session_lives => State::Dead,
        None => State::Fresh,
        Some(_) => State::Again,
    }
}

/// The refresh token of this client that could be exchanged now for this secret; nothing is spent.
pub(crate) async fn usable_at(
    tx: &mut TenantTx,
    client: &Client,
    hash: &str,
    now: Timestamp,
) -> Result<Option<RefreshToken>, IdpError> {
    let (found, state) = look_up(tx, client, hash, now).await?;
    Ok(found.filter(|_| matches!(state, State::Fresh | State::Again)))
}

/// The secret after this one. With a leeway it is computed from this one, so that a replay gets the same successor and
/// the family never has two newest secrets.
fn next_secret(idp: &Idp, client: &Client, secret: &str) -> String {
    if client.refresh_token.leeway > 0 {
        idp.vault.derive("refresh token rotation", secret)
    } else {
        random_token(&*idp.random, CREDENTIAL_LENGTH)
    }
}

/// Whether this token rotates from now on.
fn rotates(client: &Client, token: &RefreshToken) -> bool {
    !token.online && client.refresh_token.rotation_type == RotationType::Rotating
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

/// Nothing is spent; what the Action decided besides is committed with the record of its run.
async fn denied(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    valid: &Valid<'_>,
    outcome: &Outcome,
    reason: &str,
) -> Result<TokenResponse, IdpError> {
    let now = idp.now();
    let user_id = &valid.user.user_id;
    let mut entry = log_entry(LogType::SessionRevoked, Some(client), None, &ctx.origin, now)
        .with_user(&valid.user)
        .with_organization(valid.organization.as_ref());
    entry.description = reason.to_owned();
    let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
    tx.lock_user(user_id).await?;
    if outcome.decision.revoke_refresh_token {
        let event = match &valid.token.session_id {
            Some(session) if valid.token.online => Event::OnlineTokenRevoked(session),
            _ => Event::RefreshTokenRevoked(&valid.token.id),
        };
        revocation::apply(&mut tx, event, now).await?;
        entry.log_type = LogType::RefreshTokenRevoked;
        entry.details = json!({ "refresh_token_id": valid.token.id });
        tx.insert_log(&entry).await?;
        entry.log_type = LogType::SessionRevoked;
    }
    if let (Some(preserve_refresh_tokens), Some(session)) =
        (outcome.decision.revoke_session, &valid.token.session_id)
    {
        revocation::apply(&mut tx, Event::SessionRevoked { session, preserve_refresh_tokens }, now).await?;
        entry.details = json!({ "session_id": session });
        tx.insert_log(&entry).await?;
    }
    outcome.commit(&mut tx, &random_token(&*idp.random, 32), user_id, &entry, now).await?;
    tx.commit().await?;
    let code =
        if outcome.needs_interaction { ErrorCode::InteractionRequired } else { ErrorCode::AccessDenied };
    Err(IdpError::oauth(code, reason))
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

/// One transaction: the secret is spent, its successor stored, the tokens' rows, the Actions' decision and the record
/// written. The conditional statements decide; only who loses looks up why.
#[expect(
    clippy::too_many_arguments,
    reason = "one call at the end of the exchange, with all that came before"
)]
async fn commit(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    hash: &str,
    valid: Valid<'_>,
    session: Option<&Session>,
    outcome: &Outcome,
    made: Made,
    new_secret: Option<String>,
) -> Result<TokenResponse, IdpError> {
    let now = idp.now();
    let new_hash = new_secret.as_deref().map(hash_credential);
    let mut again = valid.again;
    let (mut tx, token) = loop {
        let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
        tx.lock_user(&valid.user.user_id).await?;
        // Before the token, as whoever withdraws it does.
        if valid.agreed.is_some()
            && tx.use_consent(ConsentKey::of_refresh_token(&valid.token), now).await?.is_none()
        {
            return Err(unknown());
        }
        if again {
            match look_up(&mut tx, client, hash, now).await?.1 {
                // The successor is there already. It is this one, unless the leeway was set only after it was made.
                State::Again => {
                    if let Some(new_hash) = &new_hash
                        && tx.refresh_token_use(new_hash, now).await?.is_none()
                    {
                        return Err(unknown());
                    }
                }
                State::Reused => {
                    drop(tx);
                    return reused(idp, ctx, client, hash, &valid.user.user_id).await;
                }
                State::Fresh | State::Dead => return Err(unknown()),
            }
        }
        let mut token = valid.token.clone();
        let secrets = match &new_hash {
            None => Secrets::Keep,
            Some(_) if again => Secrets::WereRotated,
            Some(new_hash) => Secrets::Rotate { hash, next: (new_hash, valid.number + 1) },
        };
        let changes = &outcome.decision.refresh_token;
        match renew(&mut tx, ctx, client, &mut token, changes, secrets, now).await? {
            Renewal::Done => break (tx, token),
            Renewal::Ended => return Err(unknown()),
            // What this one wrote is undone with its transaction.
            Renewal::Lost => again = true,
        }
    };
    // Of an online token, the Actions change the session.
    if let Some(session) = session
        && !(tx.update_session(session, None, now).await?
            && tx.set_session_metadata(&session.id, &session.metadata, now).await?)
    {
        return Err(unknown());
    }
    if let Some(id) = &token.organization_id
        && !organizations::is_member(&mut tx, Some(id), &token.user_id).await?
    {
        let reason = organizations::no_member(id, &token.user_id);
        return Err(IdpError::oauth(ErrorCode::AccessDenied, reason));
    }
    let mut entry = log_entry(LogType::SuccessExchangeRefreshToken, Some(client), None, &ctx.origin, now)
        .with_user(&valid.user)
        .with_organization(valid.organization.as_ref());
    entry.description = "Refresh token for access token".to_owned();
    entry.details = details(&token, outcome, &made, again);
    let response = match made {
        Made::Tokens { issued, audience, scope } => {
            if let Some((hash, row)) = &issued.stored {
                tx.insert_access_token(hash, row).await?;
            }
            entry = entry.with_grant(audience.as_deref(), &scope);
            TokenResponse {
                access_token: issued.access_token,
                refresh_token: new_secret,
                id_token: issued.id_token,
                scope: Some(scope.join(" ")),
                expires_in: issued.expires_in,
                token_type: issued.token_type,
                issued_token_type: None,
                recovery_code: None,
            }
        }
        Made::Transfer(made) => {
            entry.description = "Refresh token for session transfer token".to_owned();
            tx.insert_session_transfer_token(&hash_credential(&made.secret), &made.row).await?;
            made.into_response(new_secret)
        }
    };
    outcome.commit(&mut tx, &random_token(&*idp.random, 32), &token.user_id, &entry, now).await?;
    tx.insert_log(&entry).await?;
    tx.commit().await?;
    if response.issued_token_type.is_some() {
        measure::transfer(&ctx.tenant.id, "issued");
    }
    Ok(response)
}

/// What becomes of the token's secrets.
enum Secrets<'a> {
    /// Nothing.
    Keep,
    /// The one with this hash is spent, and the next one added: its hash and its number.
    Rotate { hash: &'a str, next: (&'a str, i64) },
    /// That was done by another exchange of the same one.
    WereRotated,
}

enum Renewal {
    Done,
    /// The token, or the session that it is bound to, has ended meanwhile.
    Ended,
    /// Another exchange has spent the secret meanwhile.
    Lost,
}

/// What an exchange changes of the token: its secrets, its ends, by the settings of this moment, and whether it rotates.
/// An online one keeps its session in use instead.
async fn renew(
    tx: &mut TenantTx,
    ctx: &RequestContext,
    client: &Client,
    token: &mut RefreshToken,
    changes: &RefreshTokenChanges,
    secrets: Secrets<'_>,
    now: Timestamp,
) -> Result<Renewal, IdpError> {
    if let (true, Some(id)) = (token.online, &token.session_id) {
        let Some(session) = tx.session(id).await? else { return Ok(Renewal::Ended) };
        let idle =
            idle_limit(&session, session.cookie_mode, &ctx.tenant.sessions, now).min(session.expires_at);
        if !tx.touch_session(id, now, idle).await? {
            return Ok(Renewal::Ended);
        }
    }
    let before = token.clone();
    if !token.online {
        let settings = &client.refresh_token;
        // A token without an end gets one when the client's setting wants it, and keeps it.
        let absolute = settings.absolute_lifetime().map(|secs| now.plus_secs(secs));
        token.expires_at = token.expires_at.or(absolute);
        token.idle_expires_at = settings.idle_lifetime().map(|secs| now.plus_secs(secs));
        changes.apply(token);
        if !changes.metadata.is_empty() {
            tx.set_refresh_token_metadata(&token.id, &token.metadata).await?;
        }
    }
    let turned_on = rotates(client, token) && !token.rotating;
    token.rotating = rotates(client, token);
    if token.online || token.expires_at.or(token.idle_expires_at).is_some() {
        seen_at(&mut token.device, &ctx.origin);
    }
    let is_alive = match secrets {
        Secrets::Rotate { hash, next } => {
            let rotation = tx.rotate_refresh_token(token, hash, next, now).await?;
            if !rotation.is_first {
                return Ok(Renewal::Lost);
            }
            rotation.is_alive
        }
        Secrets::Keep | Secrets::WereRotated => {
            let spent = matches!(secrets, Secrets::WereRotated);
            let bound_to = token.session_id.as_ref().filter(|_| token.bound_to_session && !token.online);
            let session_lives = match bound_to {
                None => true,
                Some(session) => tx.hold_session(session, now).await?,
            };
            session_lives && tx.record_exchange(token, spent, now).await?
        }
    };
    if !is_alive {
        return Ok(Renewal::Ended);
    }
    tx.move_refresh_token_end(&before, token)?;
    if turned_on {
        let audience = token.audience.as_deref();
        let event = Event::RotationTurnedOn(&token.user_id, &token.client_id, audience, &token.id);
        revocation::apply(tx, event, now).await?;
    }
    Ok(Renewal::Done)
}

fn details(token: &RefreshToken, outcome: &Outcome, made: &Made, again: bool) -> Value {
    let (audience, scope) = match made {
        Made::Tokens { audience, scope, .. } => (audience.as_deref(), scope),
        Made::Transfer(made) => (Some(made.audience.as_str()), &made.row.scope),
    };
    let by_policy = matches!(made, Made::Tokens { audience, .. } if *audience != token.audience);
    json!({
        "policy_used": if by_policy { "mrrt" } else { "refresh_token_user_grant" },
        "audience": audience,
        "requested_scope": scope.join(" "),
        "familyId": token.id,
        "refresh_token": { "session_id": token.session_id },
        "within_leeway": again,
        "actions": outcome.for_log(),
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

/// A spent secret came back: nobody can tell who is the thief, so the whole family ends, and what descends from it.
async fn reused(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    hash: &str,
    user: &UserId,
) -> Result<TokenResponse, IdpError> {
    let now = idp.now();
    let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
    tx.lock_user(user).await?;
    if let (Some(token), State::Reused) = look_up(&mut tx, client, hash, now).await? {
        revocation::apply(&mut tx, Event::RefreshTokenRevoked(&token.id), now).await?;
        let mut entry =
            log_entry(LogType::RefreshTokenReused, Some(client), Some(&token.user_id), &ctx.origin, now);
        entry.description = "Reused rotating refresh token detected".to_owned();
        entry.details = json!({ "familyId": token.id });
        tx.insert_log(&entry).await?;
    }
    tx.commit().await?;
    Err(unknown())
}
