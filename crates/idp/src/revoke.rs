//! `/oauth/revoke` (RFC 7009), for refresh tokens.

use model::LogType;
use oauth::ErrorCode;
use serde_json::json;

use crate::credential::hash_credential;
use crate::post_login::log_entry;
use crate::revocation::{self, Event};
use crate::token::{TokenInput, client_auth};
use crate::{Idp, IdpError, RequestContext};

/// Revokes the refresh token that has, or had, this secret, with all its rotations and what descends from it; with the
/// tenant's flag `revoke_refresh_token_grant`, all of the same user, client and audience. An online one takes its session
/// along. A token that is unknown or revoked already is a success (RFC 7009 §2.2). `token_type_hint` makes no difference.
///
/// # Errors
/// As client authentication says; `invalid_request` for another client's token; [`IdpError::Server`] when the
/// revocation was not stored.
pub async fn revoke(idp: &Idp, ctx: &RequestContext, input: TokenInput) -> Result<(), IdpError> {
    let client = client_auth::authenticate(idp, ctx, &input).await?;
    let hash = hash_credential(input.parameters.require("token")?);
    let now = idp.now();
    let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
    let Some(found) = tx.refresh_token_use(&hash, now).await? else { return Ok(()) };
    if found.token.client_id != client.client_id {
        return Err(IdpError::oauth(ErrorCode::InvalidRequest, "The token was not issued to this client"));
    }
    let token = &found.token;
    tx.lock_user(&token.user_id).await?;
    let event = match (&token.session_id, ctx.tenant.flags.revoke_refresh_token_grant) {
        (Some(session), _) if token.online => Event::OnlineTokenRevoked(session),
        (_, true) => Event::GrantRevoked(&token.user_id, &token.client_id, token.audience.as_deref()),
        (_, false) => Event::RefreshTokenRevoked(&token.id),
    };
    if revocation::apply(&mut tx, event, now).await?.any() {
        let mut entry =
            log_entry(LogType::RefreshTokenRevoked, Some(&client), Some(&token.user_id), &ctx.origin, now);
        entry.description = "Refresh token revoked by its client".to_owned();
        entry.details = json!({ "refresh_token_id": token.id });
        tx.insert_log(&entry).await?;
    }
    Ok(tx.commit().await?)
}
