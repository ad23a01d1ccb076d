//! `grant_type=authorization_code` (RFC 6749 §4.1.3, RFC 7636 §4.5).

use model::{
    AuthorizationCode, Client, CookieMode, LogType, Organization, RefreshToken, RefreshTokenId, RotationType,
    Timestamp, TokenEndpointAuthMethod, User, ordered_id, random_token,
};
use oauth::{ErrorCode, OAuthError, Parameters};
use serde_json::json;
use storage::{CodeSession, CodeUse, TenantTx};

use super::{TokenInput, TokenResponse, new_device};
use crate::authorize::{OFFLINE_ACCESS, ONLINE_ACCESS};
use crate::credential::{CREDENTIAL_LENGTH, hash_credential};
use crate::post_login::log_entry;
use crate::revocation::{self, Event};
use crate::tokens::{self, Grant};
use crate::{Idp, IdpError, RequestContext, dpop, organizations};

/// How many refresh tokens a user may have at one client; the oldest gives way.
const REFRESH_TOKENS_PER_USER_AND_CLIENT: i64 = 200;

/// How the secret of an online refresh token begins.
const ONLINE_PREFIX: &str = "ORT";

/// What a code that may be exchanged rests on.
struct Ready {
    code: AuthorizationCode,
    session: CodeSession,
    user: User,
    organization: Option<Organization>,
    /// Which refresh token is due.
    refresh: Option<Access>,
}

/// What a refresh token lives with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    /// The client's settings.
    Offline,
    /// The session.
    Online,
}

/// Why a code may not be exchanged.
enum Refused {
    /// The client's mistake.
    OAuth(OAuthError),
    /// It was used before, and all else is right: whoever has it, has it from its owner or is its owner.
    Replay,
}

pub(super) async fn exchange(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    input: &TokenInput,
    found: Option<CodeUse>,
    jkt: Option<&str>,
) -> Result<TokenResponse, IdpError> {
    let hash = hash_credential(input.parameters.require("code")?);
    exchange_found(idp, ctx, client, input, &hash, found, jkt).await
}

/// Exchanges the login of a device, which stands under this hash.
pub(super) async fn exchange_approved(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    input: &TokenInput,
    hash: &str,
    jkt: Option<&str>,
) -> Result<TokenResponse, IdpError> {
    let found = idp.storage.code_use(&ctx.tenant.id, hash, idp.now()).await?;
    exchange_found(idp, ctx, client, input, hash, found, jkt).await
}

async fn exchange_found(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    input: &TokenInput,
    hash: &str,
    found: Option<CodeUse>,
    jkt: Option<&str>,
) -> Result<TokenResponse, IdpError> {
    let now = idp.now();
    let ready = match check(idp, ctx, client, &input.parameters, found, jkt, now).await? {
        Ok(ready) => ready,
        Err(Refused::OAuth(error)) => return Err(error.into()),
        Err(Refused::Replay) => return replay(idp, ctx, client, hash).await,
    };
    let Ready { code, session, user, organization, refresh } = ready;
    let granted = |scope: &&String| match scope.as_str() {
        OFFLINE_ACCESS => refresh == Some(Access::Offline),
        ONLINE_ACCESS => refresh == Some(Access::Online),
        _ => true,
    };
    let scope: Vec<String> = code.request.scope.iter().filter(granted).cloned().collect();
    let public = client.token_endpoint_auth_method == TokenEndpointAuthMethod::None;
    if refresh == Some(Access::Online) && public && jkt.is_none() {
        return Err(IdpError::oauth(
            ErrorCode::InvalidRequest,
            "online_access requires proof of possession (DPoP) from a public client.",
        ));
    }
    let refresh = refresh.map(|access| {
        let token = new_refresh_token(idp, ctx, client, &code, &session, access, &scope, jkt, now);
        let prefix = if access == Access::Online { ONLINE_PREFIX } else { "" };
        (token, format!("{prefix}{}", random_token(&*idp.random, CREDENTIAL_LENGTH)))
    });
    let grant = Grant {
        client,
        user: &user,
        organization: organization.as_ref(),
        session_id: Some(&code.session_id),
        ends_with_session: Some(&code.session_id),
        refresh_token_id: refresh.as_ref().map(|(token, _)| &token.id),
        auth_time: code.auth_time,
        scope: &scope,
        audience: code.request.audience.as_deref(),
        nonce: code.request.nonce.as_deref(),
        id_token_claims: &code.id_token_claims,
        access_token_claims: &code.access_token_claims,
        gty: None,
        jkt,
    };
    let issued = tokens::issue(idp, ctx, &grant, now).await?;

    let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
    tx.lock_user(&user.user_id).await?;
    let refresh_token_id = refresh.as_ref().map(|(token, _)| &token.id);
    let access_hash = issued.stored.as_ref().map(|(hash, _)| hash.as_str());
    let full = REFRESH_TOKENS_PER_USER_AND_CLIENT;
    let spent = tx.spend_code(hash, &code, refresh_token_id, access_hash, full, now).await?;
    if !spent.is_first {
        drop(tx);
        return replay(idp, ctx, client, hash).await;
    }
    // The session or the membership may have ended while the tokens were signed.
    let organization_id = code.request.organization_id.as_ref();
    if !spent.session_lives || !organizations::is_member(&mut tx, organization_id, &user.user_id).await? {
        return Err(invalid_code().into());
    }
    if let Some((token, secret)) = &refresh {
        // Few have so many, and to look at each is more work than to count.
        if spent.stored_refresh_tokens >= full.unsigned_abs() {
            make_room(&mut tx, &user, client, now).await?;
        }
        tx.insert_refresh_token(token, &hash_credential(secret)).await?;
    }
    if let Some((access_hash, row)) = &issued.stored {
        tx.insert_access_token(access_hash, row).await?;
    }
    let (log_type, description) = match &code.request.device_code_hash {
        None => (LogType::SuccessExchangeCode, "Authorization code for access token"),
        Some(_) => (LogType::SuccessExchangeDeviceCode, "Device code for access token"),
    };
    let mut entry = log_entry(log_type, Some(client), Some(&user.user_id), &ctx.origin, now);
    entry.description = description.to_owned();
    entry.details = json!({
        "session_id": code.session_id,
        "audience": code.request.audience,
        "refresh_token_id": refresh_token_id,
    });
    tx.insert_log(&entry).await?;
    tx.commit().await?;
    Ok(TokenResponse {
        access_token: issued.access_token,
        token_type: issued.token_type,
        expires_in: issued.expires_in,
        id_token: issued.id_token,
        refresh_token: refresh.map(|(_, secret)| secret),
        scope: Some(scope.join(" ")),
        issued_token_type: None,
    })
}

fn invalid_code() -> OAuthError {
    OAuthError::new(ErrorCode::InvalidGrant, "Invalid authorization code")
}

async fn check(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    parameters: &Parameters,
    found: Option<CodeUse>,
    jkt: Option<&str>,
    now: Timestamp,
) -> Result<Result<Ready, Refused>, IdpError> {
    let Some(CodeUse { code, used_at, session, user }) =
        found.filter(|found| found.code.client_id == client.client_id)
    else {
        return Ok(Err(Refused::OAuth(invalid_code())));
    };
    if let Err(error) = check_redirect_uri(&code, parameters)
        .and_then(|()| check_verifier(&code, parameters))
        .and_then(|()| dpop::check_bound(code.request.dpop_jkt.as_deref(), jkt))
    {
        return Ok(Err(Refused::OAuth(error)));
    }
    if used_at.is_some() {
        return Ok(Err(Refused::Replay));
    }
    if now >= code.expires_at {
        return Ok(Err(Refused::OAuth(invalid_code())));
    }
    let (Some(session), Some(user)) = (session, user.filter(|user| !user.blocked)) else {
        return Ok(Err(Refused::OAuth(invalid_code())));
    };
    let organization_id = code.request.organization_id.as_ref();
    let organization = organizations::of_grant(idp, ctx, organization_id, &user.user_id).await?;
    let refresh = wants_refresh_token(idp, ctx, client, &code, &session).await?;
    Ok(Ok(Ready { code, session, user, organization, refresh }))
}

/// In the token request exactly when it was in the authorization request, and then the same (RFC 6749 §4.1.3).
fn check_redirect_uri(code: &AuthorizationCode, parameters: &Parameters) -> Result<(), OAuthError> {
    match parameters.get("redirect_uri") {
        Some(uri) if uri == code.request.redirect_uri => Ok(()),
        None if !code.request.redirect_uri_was_sent => Ok(()),
        _ => Err(OAuthError::new(
            ErrorCode::InvalidGrant,
            "The redirect_uri is not that of the authorization request.",
        )),
    }
}

/// A verifier exactly when there was a challenge (RFC 7636 §4.6; RFC 9700 §2.1.1, §4.8.2).
fn check_verifier(code: &AuthorizationCode, parameters: &Parameters) -> Result<(), OAuthError> {
    let right = match (&code.request.code_challenge, parameters.get("code_verifier")) {
        (Some(challenge), Some(verifier)) => oauth::pkce::verify(challenge, verifier),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    if right {
        Ok(())
    } else {
        Err(OAuthError::new(ErrorCode::InvalidGrant, "Failed to verify code verifier"))
    }
}

/// A refresh token needs `offline_access` or `online_access`, a client and an API that allow it, and, in a transferred
/// session, a client that wants it there.
async fn wants_refresh_token(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    code: &AuthorizationCode,
    session: &CodeSession,
) -> Result<Option<Access>, IdpError> {
    let asked = |name: &str| code.request.scope.iter().any(|scope| scope == name);
    let access = match (asked(OFFLINE_ACCESS), asked(ONLINE_ACCESS)) {
        (true, _) => Access::Offline,
        (false, true) => Access::Online,
        (false, false) => return Ok(None),
    };
    let may = client.grant_types.iter().any(|grant| grant == "refresh_token");
    let transferred = session.parent_refresh_token.is_some();
    let settings = client.session_transfer.clone().unwrap_or_default();
    if !may || (transferred && !settings.allow_refresh_token) {
        return Ok(None);
    }
    let api = match &code.request.audience {
        None => None,
        Some(audience) => match idp.settings.api(&ctx.tenant, audience).await? {
            None => return Ok(None),
            api => api,
        },
    };
    let ephemeral = session.cookie_mode == CookieMode::NonPersistent;
    let allowed = match (access, &api) {
        (Access::Offline, api) => api.as_ref().is_none_or(|api| api.server.allow_offline_access),
        (Access::Online, None) => !ephemeral,
        (Access::Online, Some(api)) => {
            let api = &api.server;
            api.allow_online_access && (!ephemeral || api.allow_online_access_with_ephemeral_sessions)
        }
    };
    Ok(allowed.then_some(access))
}

/// A public client's refresh token is bound to the key of the proof (RFC 9449 §5); any other's to the client's
/// authentication.
#[expect(clippy::too_many_arguments, reason = "all that the exchange knows goes into the token")]
fn new_refresh_token(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    code: &AuthorizationCode,
    session: &CodeSession,
    access: Access,
    scope: &[String],
    jkt: Option<&str>,
    now: Timestamp,
) -> RefreshToken {
    let public = client.token_endpoint_auth_method == TokenEndpointAuthMethod::None;
    let settings = &client.refresh_token;
    let transferred = session.parent_refresh_token.is_some();
    let tied = client.session_transfer.clone().unwrap_or_default().enforce_online_refresh_tokens;
    let online = access == Access::Online;
    let end = |secs: Option<i64>| secs.filter(|_| !online).map(|secs| now.plus_secs(secs));
    let mut token = RefreshToken {
        id: RefreshTokenId::new(format!("rt_{}", ordered_id(&*idp.random, now, 20))),
        client_id: client.client_id.clone(),
        user_id: code.user_id.clone(),
        session_id: Some(code.session_id.clone()),
        bound_to_session: online || (transferred && tied),
        parent_refresh_token: session.parent_refresh_token.clone(),
        connection_id: session.connection_id.clone(),
        organization_id: code.request.organization_id.clone(),
        audience: code.request.audience.clone(),
        scope: scope.to_vec(),
        auth_time: code.auth_time,
        created_at: now,
        expires_at: end(settings.absolute_lifetime()),
        idle_expires_at: end(settings.idle_lifetime()),
        last_exchanged_at: None,
        revoked_at: None,
        rotating: !online && settings.rotation_type == RotationType::Rotating,
        online,
        dpop_jkt: jkt.filter(|_| public).map(str::to_owned),
        device: new_device(&ctx.origin),
        metadata: std::collections::BTreeMap::new(),
    };
    // An online token lives with its session, and has nothing of its own.
    if !online {
        code.refresh_token_changes.apply(&mut token);
    }
    token
}

async fn make_room(tx: &mut TenantTx, user: &User, client: &Client, now: Timestamp) -> Result<(), IdpError> {
    let (user_id, client_id) = (&user.user_id, &client.client_id);
    if tx.count_refresh_tokens(user_id, client_id, now).await? >= REFRESH_TOKENS_PER_USER_AND_CLIENT
        && let Some(oldest) = tx.oldest_refresh_token(user_id, client_id, now).await?
    {
        revocation::apply(tx, Event::RefreshTokenRevoked(&oldest), now).await?;
    }
    Ok(())
}

/// A second use ends what the first one began (RFC 6749 §4.1.2): the opaque access token, the refresh token, what
/// descends from it, and the opaque access tokens that came from it.
async fn replay(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    hash: &str,
) -> Result<TokenResponse, IdpError> {
    let now = idp.now();
    let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
    // Whoever spent it has committed: what it issued is known.
    let Some((code, _)) = tx.code(hash).await? else { return Err(invalid_code().into()) };
    tx.lock_user(&code.user_id).await?;
    tx.delete_access_token_of_code(hash).await?;
    if let Some(issued) = &code.issued_refresh_token
        && revocation::apply(&mut tx, Event::RefreshTokenRevoked(issued), now).await?.any()
    {
        let mut entry =
            log_entry(LogType::RefreshTokenRevoked, Some(client), Some(&code.user_id), &ctx.origin, now);
        entry.description = "An authorization code was used twice".to_owned();
        entry.details = json!({ "refresh_token_id": issued });
        tx.insert_log(&entry).await?;
    }
    tx.commit().await?;
    Err(invalid_code().into())
}
