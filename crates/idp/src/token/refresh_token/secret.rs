//! The secrets of a refresh token: what one is worth, and which one comes after it (RFC 9700 §4.14.2).

use model::{Client, RefreshToken, RotationType, Timestamp, random_token};
use storage::{RefreshTokenUse, TenantTx};

use crate::credential::CREDENTIAL_LENGTH;
use crate::{Idp, IdpError};

/// What a presented secret is worth at this moment.
pub(super) enum State {
    /// It is the newest one.
    Fresh,
    /// It is the one before the newest, within the leeway: the answer that carried the newest may have been lost.
    Again,
    /// It was used before: it, or its successor, is in the wrong hands.
    Reused,
    /// It is unknown, revoked, expired, or its session has ended.
    Dead,
}

pub(super) async fn look_up(
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

pub(super) fn state(found: &RefreshTokenUse, client: &Client, now: Timestamp) -> State {
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
pub(super) fn next_secret(idp: &Idp, client: &Client, secret: &str) -> String {
    if client.refresh_token.leeway > 0 {
        idp.vault.derive("refresh token rotation", secret)
    } else {
        random_token(&*idp.random, CREDENTIAL_LENGTH)
    }
}

/// Whether this token rotates from now on.
pub(super) fn rotates(client: &Client, token: &RefreshToken) -> bool {
    !token.online && client.refresh_token.rotation_type == RotationType::Rotating
}
