//! `/userinfo` (OIDC Core §5.3).

use model::{Timestamp, UserId};
use oauth::ErrorCode;
use serde_json::{Map, Value, json};

use crate::credential::hash_credential;
use crate::dpop::{self, Nonce, Target};
use crate::{Idp, IdpError, RequestContext, ServerError, tokens};

/// How the access token was presented.
#[derive(Clone, Copy)]
pub enum Presented<'a> {
    /// Alone (RFC 6750 §2).
    Bearer(&'a str),
    /// With a proof of possession of the key that it is bound to (RFC 9449 §7.1).
    Dpop {
        /// The access token.
        token: &'a str,
        /// The `DPoP` header.
        proof: &'a str,
        /// The HTTP method of the request.
        method: &'a str,
    },
}

/// What a valid access token shows.
struct Shown {
    user_id: UserId,
    scope: Vec<String>,
    custom_claims: Map<String, Value>,
    dpop_jkt: Option<String>,
}

/// The user's claims of this moment, those that the access token's scopes ask for. An access token ends with its client;
/// an opaque one with the session and the refresh token that it came from, too, one in JWT form by expiry.
///
/// # Errors
/// `invalid_token` (401), also for a blocked or deleted user, and for a bound token without a proof of its key;
/// `invalid_dpop_proof` and `use_dpop_nonce` (401); `insufficient_scope` (403) without `openid` (RFC 6750 §3.1).
pub async fn userinfo(
    idp: &Idp,
    ctx: &RequestContext,
    presented: Presented<'_>,
) -> Result<Map<String, Value>, IdpError> {
    let now = idp.now();
    let (token, jkt) = match presented {
        Presented::Bearer(token) => (token, None),
        Presented::Dpop { token, proof, method } => {
            let target =
                Target { method, path: "userinfo", access_token: Some(token), nonce: Nonce::Optional };
            (token, Some(dpop::accept(idp, ctx, proof, &target).await?))
        }
    };
    let Some(shown) = read(idp, ctx, token, now).await? else { return Err(invalid()) };
    // Neither without its key nor with any (RFC 9449 §7.1, §7.2).
    if shown.dpop_jkt != jkt {
        return Err(invalid());
    }
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
    presented: &str,
    now: Timestamp,
) -> Result<Option<Shown>, ServerError> {
    if tokens::is_jwt(presented) {
        let token = tokens::verify_access_token(idp, ctx, presented, now).await?;
        let token = token.filter(|token| token.audience.contains(&tokens::userinfo_audience(ctx)));
        let Some(token) = token else { return Ok(None) };
        let client = idp.settings.client(&ctx.tenant, &token.client_id).await?;
        return Ok(client.map(|_| Shown {
            user_id: UserId::new(token.subject),
            scope: token.scope.split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect(),
            custom_claims: Map::new(),
            dpop_jkt: token.dpop_jkt,
        }));
    }
    let mut tx = idp.storage.begin_read(&ctx.tenant.id).await?;
    let Some(token) = tx.access_token(&hash_credential(presented)).await? else { return Ok(None) };
    if now >= token.expires_at || !tokens::origin_lives(&mut tx, &token, now).await? {
        return Ok(None);
    }
    drop(tx);
    let client = idp.settings.client(&ctx.tenant, &token.client_id).await?;
    Ok(client.map(|_| Shown {
        user_id: token.user_id,
        scope: token.scope,
        custom_claims: token.custom_claims,
        dpop_jkt: token.dpop_jkt,
    }))
}
