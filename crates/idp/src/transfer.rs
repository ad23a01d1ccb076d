//! Redeeming a session transfer token at `/authorize` (`reference/native-to-web.md` section 1.4).

use std::collections::BTreeMap;

use model::{
    AuthorizationRequest, Client, Connection, DeviceBinding, LogType, Session, SessionTransfer,
    SessionTransferToken, Timestamp, TransferMethod, User,
};
use serde_json::json;
use storage::TenantTx;

use crate::authorize::AuthorizeInput;
use crate::credential::hash_credential;
use crate::error::ServerError;
use crate::post_login::log_entry;
use crate::revocation::{self, Event};
use crate::{Idp, RequestContext, measure};

/// What became of the token in this request.
#[derive(Debug)]
pub(crate) enum Transfer {
    /// There was none that this client accepts.
    None,
    /// It is not valid: the user must log in, even though a session exists.
    Refused,
    /// It is valid, and the browser's session was another user's. That session has ended; the user must log in.
    OtherUser,
    /// It says who is there.
    Accepted(Box<Accepted>),
}

/// A redeemed token, with what the login needs besides.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub token: SessionTransferToken,
    pub user: User,
    pub connection: Connection,
    pub parent_metadata: BTreeMap<String, String>,
}

/// Spends the token, and then decides what it is worth. The token is spent whatever the outcome.
pub(crate) async fn redeem(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    request: &AuthorizationRequest,
    input: &AuthorizeInput<'_>,
    session: Option<&Session>,
    now: Timestamp,
) -> Result<Transfer, ServerError> {
    let query = input.parameters.get("session_transfer_token");
    let cookie = input.session_transfer_cookie;
    if query.is_none() && cookie.is_none() {
        return Ok(Transfer::None);
    }
    let settings = client.session_transfer.clone().unwrap_or_default();
    let accepts = |method| settings.allowed_authentication_methods.contains(&method);
    let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
    let query = query.filter(|_| accepts(TransferMethod::Query));
    let cookie = cookie.filter(|_| accepts(TransferMethod::Cookie));
    let transfer = match (query, cookie) {
        (None, None) => {
            warn(
                &mut tx,
                ctx,
                client,
                "The client does not accept session transfer tokens sent this way",
                now,
            )
            .await?;
            Transfer::None
        }
        (Some(query), Some(cookie)) if query != cookie => {
            // Neither may be used again: both have left the app.
            for value in [query, cookie] {
                tx.spend_session_transfer_token(&hash_credential(value), now).await?;
            }
            warn(&mut tx, ctx, client, "Two different session transfer tokens were sent", now).await?;
            Transfer::Refused
        }
        (Some(value), _) | (None, Some(value)) => {
            let spent = tx.spend_session_transfer_token(&hash_credential(value), now).await?;
            match judge(&mut tx, ctx, client, request, &settings, spent, now).await? {
                Ok(accepted) => with_session(&mut tx, ctx, client, session, accepted, now).await?,
                Err(reason) => {
                    warn(&mut tx, ctx, client, reason, now).await?;
                    Transfer::Refused
                }
            }
        }
    };
    tx.commit().await?;
    Ok(transfer)
}

async fn judge(
    tx: &mut TenantTx,
    ctx: &RequestContext,
    client: &Client,
    request: &AuthorizationRequest,
    settings: &SessionTransfer,
    spent: Option<SessionTransferToken>,
    now: Timestamp,
) -> Result<Result<Box<Accepted>, &'static str>, ServerError> {
    let Some(token) = spent.filter(|token| now < token.expires_at) else {
        return Ok(Err("Session transfer token not found, used or expired"));
    };
    let parent = tx.refresh_token(&token.refresh_token_id).await?.filter(|parent| parent.is_alive(now));
    let Some(parent) = parent else {
        return Ok(Err("The refresh token of the session transfer token is gone"));
    };
    if parent.parent_refresh_token.is_some() {
        return Ok(Err("A transferred session cannot be transferred again"));
    }
    let same_device = match settings.enforce_device_binding {
        DeviceBinding::None => true,
        DeviceBinding::Ip => token.request.ip == ctx.origin.ip,
        DeviceBinding::Asn => token.request.asn.is_some() && token.request.asn == ctx.origin.asn,
    };
    if !same_device {
        return Ok(Err("Device binding of the session transfer token does not match"));
    }
    if token.organization_id != request.organization_id {
        return Ok(Err("The organization of the session transfer token is not that of the request"));
    }
    let user = tx.user(&token.user_id).await?.filter(|user| !user.blocked);
    let Some(user) = user else {
        return Ok(Err("The user of the session transfer token is gone or blocked"));
    };
    let connection = tx.connection(&token.connection_id).await?;
    let Some(connection) = connection.filter(|known| known.enabled_clients.contains(&client.client_id))
    else {
        return Ok(Err("The connection of the session transfer token is not enabled for this client"));
    };
    Ok(Ok(Box::new(Accepted { token, user, connection, parent_metadata: parent.metadata })))
}

/// A session of another user ends, and nobody is logged in: a link must not replace one user by another.
async fn with_session(
    tx: &mut TenantTx,
    ctx: &RequestContext,
    client: &Client,
    session: Option<&Session>,
    accepted: Box<Accepted>,
    now: Timestamp,
) -> Result<Transfer, ServerError> {
    match session {
        Some(session) if session.user_id != accepted.user.user_id => {
            tx.lock_user(&session.user_id).await?;
            revocation::apply(tx, Event::SessionReplaced(&session.id), now).await?;
            warn(tx, ctx, client, "The session transfer token belongs to another user than the session", now)
                .await?;
            Ok(Transfer::OtherUser)
        }
        _ => Ok(Transfer::Accepted(accepted)),
    }
}

async fn warn(
    tx: &mut TenantTx,
    ctx: &RequestContext,
    client: &Client,
    reason: &str,
    now: Timestamp,
) -> Result<(), ServerError> {
    let mut entry = log_entry(LogType::Warning, Some(client), None, &ctx.origin, now);
    entry.description = reason.to_owned();
    entry.details = json!({ "session_transfer_token": true });
    measure::transfer(&ctx.tenant.id, "refused");
    Ok(tx.insert_log(&entry).await?)
}
