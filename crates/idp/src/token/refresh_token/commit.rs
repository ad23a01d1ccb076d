//! What an exchange writes, each time in one transaction: that it was done, that an Action denied it, or that its secret was
//! used before.

use model::{Client, LogType, RefreshToken, RefreshTokenChanges, Session, Timestamp, UserId, random_token};
use oauth::ErrorCode;
use serde_json::{Value, json};
use storage::{ConsentKey, TenantTx};

use super::secret::{State, look_up, rotates};
use super::{Made, Valid, unknown};
use crate::credential::hash_credential;
use crate::decision::idle_limit;
use crate::post_login::{Outcome, log_entry};
use crate::revocation::{self, Event};
use crate::token::{TokenResponse, seen_at};
use crate::{Idp, IdpError, RequestContext, measure, organizations};

/// One transaction: the secret is spent, its successor stored, the tokens' rows, the Actions' decision and the record
/// written. The conditional statements decide; only who loses looks up why.
#[expect(
    clippy::too_many_arguments,
    reason = "one call at the end of the exchange, with all that came before"
)]
pub(super) async fn commit(
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

/// Nothing is spent; what the Action decided besides is committed with the record of its run.
pub(super) async fn denied(
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

/// A spent secret came back: nobody can tell who is the thief, so the whole family ends, and what descends from it.
pub(super) async fn reused(
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
