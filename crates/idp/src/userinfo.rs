//! `/userinfo` (OIDC Core §5.3).

use model::{OpaqueAccessToken, Timestamp, UserId};
use oauth::ErrorCode;
use serde_json::{Map, Value, json};
use storage::TenantTx;

use crate::credential::hash_credential;
use crate::{Idp, IdpError, RequestContext, ServerError, tokens};

/// What a valid access token shows.
struct Shown {
    user_id: UserId,
    scope: Vec<String>,
    custom_claims: Map<String, Value>,
}

/// The user's claims of this moment, those that the access token's scopes ask for. An opaque access token ends with
/// the session and the refresh token that it came from; one in JWT form ends by expiry.
///
/// # Errors
/// `invalid_token` (401), also for a blocked or deleted user; `insufficient_scope` (403) without `openid` (RFC 6750
/// §3.1).
pub async fn userinfo(idp: &Idp, ctx: &RequestContext, bearer: &str) -> Result<Map<String, Value>, IdpError> {
    let now = idp.now();
    let Some(shown) = read(idp, ctx, bearer, now).await? else { return Err(invalid()) };
    if !shown.scope.iter().any(|scope| scope == "openid") {
        return Err(IdpError::oauth(ErrorCode::InsufficientScope, "The access token lacks the scope openid"));
    }
    let user = idp.storage.begin_read(&ctx.tenant.id).await?.user(&shown.user_id).await?;
    let Some(user) = user.filter(|user| !user.blocked) else { return Err(invalid()) };
    let mut claims = tokens::profile_claims(&user, &shown.scope);
    claims.extend(tokens::custom_claims(&shown.custom_claims, &shown.scope));
    claims.insert("sub".to_owned(), json!(user.user_id));
    Ok(claims)
}

fn invalid() -> IdpError {
    IdpError::oauth(ErrorCode::InvalidToken, "The access token is unknown, expired or revoked")
}

async fn read(
    idp: &Idp,
    ctx: &RequestContext,
    bearer: &str,
    now: Timestamp,
) -> Result<Option<Shown>, ServerError> {
    if bearer.contains('.') {
        let token = tokens::verify_access_token(idp, ctx, bearer, now).await?;
        return Ok(token.map(|token| Shown {
            user_id: token.user_id,
            scope: token.scope,
            custom_claims: Map::new(),
        }));
    }
    let mut tx = idp.storage.begin_read(&ctx.tenant.id).await?;
    let Some(token) = tx.access_token(&hash_credential(bearer)).await? else { return Ok(None) };
    if now >= token.expires_at || !origin_lives(&mut tx, &token, now).await? {
        return Ok(None);
    }
    Ok(Some(Shown { user_id: token.user_id, scope: token.scope, custom_claims: token.custom_claims }))
}

async fn origin_lives(
    tx: &mut TenantTx,
    token: &OpaqueAccessToken,
    now: Timestamp,
) -> Result<bool, ServerError> {
    if let Some(id) = &token.session_id
        && !tx.session(id).await?.is_some_and(|session| session.is_alive(now))
    {
        return Ok(false);
    }
    if let Some(id) = &token.refresh_token_id
        && tx.refresh_token(id).await?.is_none_or(|token| token.revoked_at.is_some())
    {
        return Ok(false);
    }
    Ok(true)
}
