//! `grant_type=authorization_code` (RFC 6749 §4.1.3, RFC 7636 §4.5).

use model::{
    AuthorizationCode, Client, CookieMode, LogType, Organization, Timestamp, TokenEndpointAuthMethod, User,
    random_token,
};
use oauth::{ErrorCode, OAuthError, Parameters};
use serde_json::json;
use storage::{CodeSession, CodeUse, ConsentKey};

use super::new_refresh_token::{Origin, REFRESH_TOKENS_PER_USER_AND_CLIENT, make_room, new_refresh_token};
use super::{TokenInput, TokenResponse};
use crate::authorize::{OFFLINE_ACCESS, ONLINE_ACCESS};
use crate::credential::{CREDENTIAL_LENGTH, hash_credential};
use crate::post_login::log_entry;
use crate::revocation::{self, Event};
use crate::tokens::{self, Grant};
use crate::{Idp, IdpError, RequestContext, api_access, consent, dpop, organizations};

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
    let found = idp.storage.code_use(&ctx.tenant.id, hash).await?;
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
        let tied = client.session_transfer.clone().unwrap_or_default().enforce_online_refresh_tokens;
        let online = access == Access::Online;
        let origin = Origin {
            user_id: &user.user_id,
            connection_id: &session.connection_id,
            organization_id: code.request.organization_id.as_ref(),
            session_id: Some(&code.session_id),
            bound_to_session: online || (session.parent_refresh_token.is_some() && tied),
            online,
            parent: session.parent_refresh_token.as_ref(),
            audience: code.request.audience.as_deref(),
            auth_time: code.auth_time,
            changes: &code.refresh_token_changes,
        };
        let token = new_refresh_token(idp, ctx, client, &origin, &scope, jkt, now);
        let prefix = if access == Access::Online { ONLINE_PREFIX } else { "" };
        (token, format!("{prefix}{}", random_token(&*idp.random, CREDENTIAL_LENGTH)))
    });
    let mfa = session.methods.iter().any(|method| method.factor.is_some());
    let acr = code.request.acr_values.iter().map(String::as_str).find(|acr| *acr == tokens::MULTI_FACTOR);
    let audience = code.request.audience.as_deref();
    let organization_id = code.request.organization_id.as_ref();
    let permissions = api_access::shown_permissions(idp, ctx, audience, &user, organization_id).await?;
    let grant = Grant {
        client,
        user: &user,
        organization: organization.as_ref(),
        session_id: Some(&code.session_id),
        ends_with_session: Some(&code.session_id),
        refresh_token_id: refresh.as_ref().map(|(token, _)| &token.id),
        auth_time: code.auth_time,
        scope: &scope,
        audience,
        nonce: code.request.nonce.as_deref(),
        id_token_claims: &code.id_token_claims,
        access_token_claims: &code.access_token_claims,
        gty: None,
        jkt,
        mfa,
        acr: acr.filter(|_| mfa),
        permissions: permissions.as_deref(),
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
    if code.request.consented.is_some()
        && tx.use_consent(ConsentKey::of(&user.user_id, &code.request), now).await?.is_none()
    {
        return Err(invalid_code().into());
    }
    // The session or the membership may have ended while the tokens were signed.
    if !spent.session_lives || !organizations::is_member(&mut tx, organization_id, &user.user_id).await? {
        return Err(invalid_code().into());
    }
    if let Some((token, secret)) = &refresh {
        // Few have so many, and to look at each is more work than to count.
        if spent.stored_refresh_tokens >= full.unsigned_abs() {
            make_room(&mut tx, &user.user_id, client, now).await?;
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
    let mut entry = log_entry(log_type, Some(client), None, &ctx.origin, now)
        .with_user(&user)
        .with_organization(organization.as_ref())
        .with_grant(code.request.audience.as_deref(), &scope);
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
        recovery_code: None,
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
    // Nobody was asked for it, and now users are.
    let audience = code.request.audience.as_deref();
    if code.request.consented.is_none() && consent::is_asked_for(idp, ctx, client, audience).await? {
        return Ok(Err(Refused::OAuth(invalid_code())));
    }
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
