//! `/oauth/token` (RFC 6749 §3.2, §5): authorization code, refresh token, session transfer, device code, client
//! credentials, password and second factors.

mod authorization_code;
mod client_assertion;
pub(crate) mod client_auth;
mod client_credentials;
mod device_code;
mod mfa;
mod new_refresh_token;
mod password;
pub(crate) mod refresh_token;
mod session_transfer;
#[cfg(test)]
mod tests;
mod token_quota;
mod without_session;

use std::net::IpAddr;

use model::{Client, Device, FactorType, LogType, RequestOrigin, Tenant, TenantId, TokenEndpointAuthMethod};
use oauth::{ErrorCode, Parameters};
use serde::Serialize;
use serde_json::{Value, json};
use storage::{CodeUse, RefreshTokenUse};

use crate::credential::hash_credential;
use crate::dpop::{self, Nonce, Target};
use crate::post_login::log_entry;
use crate::{Idp, IdpError, RequestContext, ServerError, measure, served};

/// One request to `/oauth/token` or `/oauth/revoke`.
pub struct TokenInput {
    /// From the body, form or JSON.
    pub parameters: Parameters,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// The `DPoP` header.
    pub dpop: Option<String>,
    /// The header `auth0-forwarded-for`.
    pub forwarded_for: Option<String>,
}

/// The answer (RFC 6749 §5.1, RFC 8693 §2.2.1).
#[derive(Debug, Clone, Serialize)]
#[expect(missing_docs, reason = "the fields are those of the two RFCs")]
pub struct TokenResponse {
    pub access_token: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    pub expires_in: i64,
    pub token_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued_token_type: Option<&'static str>,
    /// In place of the one that was used (the dialect).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery_code: Option<String>,
}

/// The password grant that names the connection (the dialect).
pub const PASSWORD_REALM_GRANT_TYPE: &str = "http://auth0.com/oauth/grant-type/password-realm";

/// A code of an authenticator app, in a login that waits for it (the dialect).
pub const MFA_OTP_GRANT_TYPE: &str = "http://auth0.com/oauth/grant-type/mfa-otp";
/// A recovery code in its place.
pub const MFA_RECOVERY_CODE_GRANT_TYPE: &str = "http://auth0.com/oauth/grant-type/mfa-recovery-code";

#[derive(Clone, Copy)]
enum GrantType {
    AuthorizationCode,
    RefreshToken,
    ClientCredentials,
    DeviceCode,
    Password,
    PasswordRealm,
    Mfa(FactorType),
}

impl GrantType {
    /// Whether a user logs in by it who sees no page of ours.
    fn has_user_without_browser(self) -> bool {
        matches!(self, Self::Password | Self::PasswordRealm | Self::Mfa(_))
    }

    /// What metrics call it.
    fn name(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
            Self::DeviceCode => "device_code",
            Self::Password | Self::PasswordRealm => "password",
            Self::Mfa(FactorType::Otp) => "mfa_otp",
            Self::Mfa(FactorType::RecoveryCode) => "mfa_recovery_code",
        }
    }
}

/// What the credential stands for that a request to the token endpoint holds. Nothing is believed of it before the client
/// is known.
#[derive(Debug)]
pub enum LookedUp {
    /// The request holds none.
    Nothing,
    /// An authorization code.
    Code(Box<Option<CodeUse>>),
    /// A refresh token.
    RefreshToken(Option<Box<RefreshTokenUse>>),
}

/// What the answer to a request begins with: its tenant, and what its credential stands for, in one round trip.
///
/// # Errors
/// Those of the database.
pub async fn look_up(
    idp: &Idp,
    tenant: &TenantId,
    parameters: &Parameters,
) -> Result<(Option<Tenant>, LookedUp), ServerError> {
    let storage = &idp.storage;
    let grant_type = parameters.get("grant_type");
    let credential =
        |name: &str, of: &str| parameters.get(name).filter(|_| grant_type == Some(of)).map(hash_credential);
    if let Some(hash) = credential("code", "authorization_code") {
        let (tenant, code) = storage.tenant_and_code_use(tenant, &hash).await?;
        return Ok((tenant, LookedUp::Code(Box::new(code))));
    }
    if let Some(hash) = credential("refresh_token", "refresh_token") {
        let (tenant, token) = storage.tenant_and_refresh_token_use(tenant, &hash, idp.now()).await?;
        return Ok((tenant, LookedUp::RefreshToken(token.map(Box::new))));
    }
    Ok((storage.tenant(tenant).await?, LookedUp::Nothing))
}

/// Answers `/oauth/token`, after [`look_up`].
///
/// # Errors
/// [`IdpError::OAuth`] with what RFC 6749 §5.2 and the dialect say; [`IdpError::Server`] when the server fails.
pub async fn token(
    idp: &Idp,
    ctx: &RequestContext,
    input: TokenInput,
    looked_up: LookedUp,
) -> Result<TokenResponse, IdpError> {
    let name = input.parameters.require("grant_type")?;
    let grant_type = match name {
        "authorization_code" => GrantType::AuthorizationCode,
        "refresh_token" => GrantType::RefreshToken,
        "client_credentials" => GrantType::ClientCredentials,
        crate::device::GRANT_TYPE => GrantType::DeviceCode,
        "password" => GrantType::Password,
        PASSWORD_REALM_GRANT_TYPE => GrantType::PasswordRealm,
        MFA_OTP_GRANT_TYPE => GrantType::Mfa(FactorType::Otp),
        MFA_RECOVERY_CODE_GRANT_TYPE => GrantType::Mfa(FactorType::RecoveryCode),
        _ => {
            return Err(IdpError::oauth(
                ErrorCode::UnsupportedGrantType,
                format!("Unsupported grant type: {name}"),
            ));
        }
    };
    let client = client_auth::authenticate(idp, ctx, &input).await?;
    if !client.grant_types.iter().any(|allowed| allowed == name) {
        return Err(IdpError::oauth(
            ErrorCode::UnauthorizedClient,
            format!("Grant type `{name}` not allowed for the client."),
        ));
    }
    if !client.is_first_party && grant_type.has_user_without_browser() {
        let text =
            format!("Grant type `{name}` not allowed for third-party clients: no page asks for consent.");
        return Err(IdpError::oauth(ErrorCode::UnauthorizedClient, text));
    }
    let ctx = &RequestContext { origin: origin(idp, ctx, &client, &input), ..ctx.clone() };
    let may_go_on = match served::check(&client, &input.parameters) {
        Err(error) => Err(error.into()),
        Ok(()) => proof(idp, ctx, &client, &input).await,
    };
    let result = match may_go_on {
        Err(error) => Err(error),
        Ok(jkt) => {
            let jkt = jkt.as_deref();
            match grant_type {
                GrantType::AuthorizationCode => {
                    let found = if let LookedUp::Code(found) = looked_up { *found } else { None };
                    authorization_code::exchange(idp, ctx, &client, &input, found, jkt).await
                }
                GrantType::RefreshToken => {
                    let found = if let LookedUp::RefreshToken(found) = looked_up { found } else { None };
                    refresh_token::exchange(idp, ctx, &client, &input, found.map(|found| *found), jkt).await
                }
                GrantType::ClientCredentials => {
                    client_credentials::exchange(idp, ctx, &client, &input, jkt).await
                }
                GrantType::DeviceCode => device_code::exchange(idp, ctx, &client, &input, jkt).await,
                GrantType::Password | GrantType::PasswordRealm => {
                    let realm = match grant_type {
                        GrantType::PasswordRealm => Some(input.parameters.require("realm")?),
                        _ => input.parameters.get("realm"),
                    };
                    password::exchange(idp, ctx, &client, &input, realm, jkt).await
                }
                GrantType::Mfa(factor) => mfa::exchange(idp, ctx, &client, &input, factor, jkt).await,
            }
        }
    };
    measure::token_request(&ctx.tenant.id, grant_type.name(), &result);
    // A device that asks again and again is no failure, nor is a login that goes on with another factor.
    let waits =
        |code| matches!(code, ErrorCode::AuthorizationPending | ErrorCode::SlowDown | ErrorCode::MfaRequired);
    if let Err(IdpError::OAuth(error)) = &result
        && !waits(error.code)
    {
        let log_type = match grant_type {
            GrantType::AuthorizationCode => LogType::FailedExchangeCode,
            GrantType::RefreshToken => LogType::FailedExchangeRefreshToken,
            GrantType::ClientCredentials => LogType::FailedExchangeClientCredentials,
            GrantType::DeviceCode => LogType::FailedExchangeDeviceCode,
            GrantType::Password | GrantType::PasswordRealm => LogType::FailedExchangePassword,
            GrantType::Mfa(FactorType::Otp) => LogType::FailedExchangeOtp,
            GrantType::Mfa(FactorType::RecoveryCode) => LogType::FailedExchangeRecoveryCode,
        };
        let details = json!({
            "error": error.code.as_str(),
            "audience": input.parameters.get("audience"),
        });
        log_failure(idp, ctx, &client, log_type, &error.description, details).await?;
    }
    result
}

/// The thumbprint of the key that this request proves possession of. A public client's proof must have a nonce: nothing
/// else says when it was made.
async fn proof(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    input: &TokenInput,
) -> Result<Option<String>, IdpError> {
    let Some(jwt) = &input.dpop else {
        if client.require_proof_of_possession {
            return Err(IdpError::oauth(
                ErrorCode::InvalidRequest,
                "The client requires proof of possession (DPoP).",
            ));
        }
        return Ok(None);
    };
    let nonce = match client.token_endpoint_auth_method {
        TokenEndpointAuthMethod::None => Nonce::Required,
        _ => Nonce::Optional,
    };
    let target = Target { method: "POST", path: "oauth/token", access_token: None, nonce };
    dpop::accept(idp, ctx, jwt, &target).await.map(Some)
}

async fn log_failure(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    log_type: LogType,
    description: &str,
    details: Value,
) -> Result<(), ServerError> {
    let mut entry = log_entry(log_type, Some(client), None, &ctx.origin, idp.now());
    entry.description = description.to_owned();
    entry.details = details;
    let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
    tx.insert_log(&entry).await?;
    Ok(tx.commit().await?)
}

/// Where the request came from: from `auth0-forwarded-for`, when the client is trusted with it and has authenticated;
/// else from its connection.
fn origin(idp: &Idp, ctx: &RequestContext, client: &Client, input: &TokenInput) -> RequestOrigin {
    let trusted = client.is_token_endpoint_ip_header_trusted
        && client.token_endpoint_auth_method != TokenEndpointAuthMethod::None;
    let forwarded = input
        .forwarded_for
        .as_deref()
        .filter(|_| trusted)
        .and_then(|header| header.trim().parse::<IpAddr>().ok())
        .map(|ip| ip.to_canonical().to_string());
    match forwarded {
        Some(ip) => RequestOrigin {
            asn: idp.network.asn(&ip),
            geoip: idp.network.geoip(&ip),
            ip,
            ..ctx.origin.clone()
        },
        None => ctx.origin.clone(),
    }
}

/// Notes where a refresh token was used from.
fn seen_at(device: &mut Device, origin: &RequestOrigin) {
    device.last_ip = Some(origin.ip.clone());
    device.last_asn.clone_from(&origin.asn);
    device.last_user_agent.clone_from(&origin.user_agent);
}
