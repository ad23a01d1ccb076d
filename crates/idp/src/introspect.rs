//! `/oauth/introspect` (RFC 7662): whether a token is good at this very moment, for those whom it concerns.
//!
//! The back end of an API asks about the API's access tokens. They are JWTs that could be checked without asking, but
//! for what happened since they were issued: where an API has a back end that may ask, its users' access tokens are
//! stored by their hash when they are issued, with the session and the refresh token that they came from, and end with
//! those. The hash is of the whole token, so that nothing of the link is in it but a `jti`. One that was issued before
//! the API had a back end counts as ended.

use model::{Client, StoredAccessToken, Timestamp, TokenEndpointAuthMethod, UserId};
use oauth::ErrorCode;
use serde_json::{Map, Value, json};
use storage::{StorageError, TenantTx};

use crate::consent::{self, Standing};
use crate::credential::hash_credential;
use crate::token::{TokenInput, client_auth, refresh_token};
use crate::{Idp, IdpError, RequestContext, ServerError, tokens};

/// Answers `/oauth/introspect` with the members of RFC 7662 §2.2: of a token that is not good, or does not concern the
/// client, `active` alone. A client that is the back end of an API (`resource_server_identifier`) asks about the
/// API's access tokens. Any other asks about its own refresh tokens and access tokens for `/userinfo`; the back end of
/// an API may not, so that it never takes a refresh token for an access token. `token_type_hint` makes no difference.
///
/// # Errors
/// As client authentication says; `unauthorized_client` for a public client; `invalid_request` without a token.
pub async fn introspect(
    idp: &Idp,
    ctx: &RequestContext,
    input: TokenInput,
) -> Result<Map<String, Value>, IdpError> {
    let client = client_auth::authenticate(idp, ctx, &input).await?;
    if client.token_endpoint_auth_method == TokenEndpointAuthMethod::None {
        return Err(IdpError::oauth(
            ErrorCode::UnauthorizedClient,
            "Public clients cannot introspect tokens.",
        ));
    }
    let token = input.parameters.require("token")?;
    let now = idp.now();
    let found = match &client.resource_server_identifier {
        Some(api) => access_token_of(idp, ctx, api, token, now).await?,
        None => token_of_client(idp, ctx, &client, token, now).await?,
    };
    Ok(found.unwrap_or_else(|| Map::from_iter([("active".to_owned(), json!(false))])))
}

/// What is told about a token that is good.
fn active<const N: usize>(ctx: &RequestContext, members: [(&str, Option<Value>); N]) -> Map<String, Value> {
    [("active", Some(json!(true))), ("iss", Some(json!(ctx.issuer)))]
        .into_iter()
        .chain(members)
        .filter_map(|(name, value)| value.map(|value| (name.to_owned(), value)))
        .collect()
}

/// `cnf` of a token that is bound to a key (RFC 9449 §6.2).
fn confirmation(jkt: Option<&String>) -> Option<Value> {
    jkt.map(|jkt| json!({ "jkt": jkt }))
}

/// An access token for this API: signature, issuer, audience and expiry; and of a user's, that nothing has ended that
/// it came from. It ends with its client.
async fn access_token_of(
    idp: &Idp,
    ctx: &RequestContext,
    api: &str,
    token: &str,
    now: Timestamp,
) -> Result<Option<Map<String, Value>>, ServerError> {
    let verified = tokens::verify_access_token(idp, ctx, token, now).await?;
    let Some(verified) = verified.filter(|verified| verified.audience.contains(api)) else { return Ok(None) };
    if idp.settings.client(&ctx.tenant, &verified.client_id).await?.is_none() {
        return Ok(None);
    }
    if verified.subject != tokens::machine_subject(&verified.client_id) {
        let mut tx = idp.storage.begin_read(&ctx.tenant.id).await?;
        let Some(stored) = tx.access_token(&hash_credential(token)).await? else { return Ok(None) };
        if !lives(&mut tx, &stored, now).await? {
            return Ok(None);
        }
    }
    Ok(Some(active(
        ctx,
        [
            ("scope", Some(json!(verified.scope))),
            ("permissions", verified.permissions.map(|permissions| json!(permissions))),
            ("client_id", Some(json!(verified.client_id))),
            ("token_type", Some(json!(tokens::token_type(verified.dpop_jkt.as_deref())))),
            ("exp", Some(json!(verified.expires_at))),
            ("iat", Some(json!(verified.issued_at))),
            ("sub", Some(json!(verified.subject))),
            ("aud", Some(json!(verified.audience))),
            ("jti", verified.jti.map(|jti| json!(jti))),
            ("cnf", confirmation(verified.dpop_jkt.as_ref())),
        ],
    )))
}

/// A refresh token of this client, or its access token for `/userinfo`.
async fn token_of_client(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    token: &str,
    now: Timestamp,
) -> Result<Option<Map<String, Value>>, IdpError> {
    // A JWT may be stored as well, for the back end of its API.
    if tokens::is_jwt(token) {
        return Ok(None);
    }
    let hash = hash_credential(token);
    let mut tx = idp.storage.begin_read(&ctx.tenant.id).await?;
    let stored = tx.access_token(&hash).await?.filter(|stored| stored.client_id == client.client_id);
    if let Some(stored) = stored {
        if now >= stored.expires_at || !lives(&mut tx, &stored, now).await? {
            return Ok(None);
        }
        return Ok(Some(active(
            ctx,
            [
                ("scope", Some(json!(stored.scope.join(" ")))),
                ("client_id", Some(json!(stored.client_id))),
                ("token_type", Some(json!(tokens::token_type(stored.dpop_jkt.as_deref())))),
                ("exp", Some(json!(stored.expires_at.as_secs()))),
                ("sub", Some(json!(stored.user_id))),
                ("aud", Some(json!(tokens::userinfo_audience(ctx)))),
                ("cnf", confirmation(stored.dpop_jkt.as_ref())),
            ],
        )));
    }
    let Some(mut token) = refresh_token::usable_at(&mut tx, client, &hash, now).await? else {
        return Ok(None);
    };
    if !may_log_in(&mut tx, &token.user_id).await? {
        return Ok(None);
    }
    drop(tx);
    match consent::standing(idp, ctx, client, &token).await? {
        Standing::All => {}
        Standing::To(agreed) => token.scope.retain(|name| agreed.contains(name)),
        Standing::Nothing => return Ok(None),
    }
    Ok(Some(active(
        ctx,
        [
            ("scope", Some(json!(token.scope.join(" ")))),
            ("client_id", Some(json!(token.client_id))),
            (
                "exp",
                [token.expires_at, token.idle_expires_at]
                    .into_iter()
                    .flatten()
                    .min()
                    .map(|end| json!(end.as_secs())),
            ),
            ("iat", Some(json!(token.created_at.as_secs()))),
            ("sub", Some(json!(token.user_id))),
            ("aud", token.audience.map(|audience| json!(audience))),
            ("cnf", confirmation(token.dpop_jkt.as_ref())),
        ],
    )))
}

/// Whether what a stored access token came from still lives, and its user.
async fn lives(tx: &mut TenantTx, token: &StoredAccessToken, now: Timestamp) -> Result<bool, StorageError> {
    Ok(tokens::origin_lives(tx, token, now).await? && may_log_in(tx, &token.user_id).await?)
}

async fn may_log_in(tx: &mut TenantTx, user: &UserId) -> Result<bool, StorageError> {
    Ok(tx.user(user).await?.is_some_and(|user| !user.blocked))
}
