//! The dialect's grants `mfa-otp` and `mfa-recovery-code`: a login without a browser goes on with a second factor.

use model::{AuthenticationMethod, Client, FactorType, LogType};
use oauth::{ErrorCode, OAuthError};

use super::without_session::{Login, go_on};
use super::{TokenInput, TokenResponse};
use crate::mfa::api::{WaitingLogin, malformed, waiting};
use crate::mfa::{Shown, Step, Subject, show_otp, show_recovery_code};
use crate::{Idp, IdpError, RequestContext, dpop};

/// Parameters that an Action does not see.
const CREDENTIAL_PARAMETERS: [&str; 5] =
    ["mfa_token", "otp", "recovery_code", "client_secret", "client_assertion"];

pub(super) async fn exchange(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    input: &TokenInput,
    factor: FactorType,
    jkt: Option<&str>,
) -> Result<TokenResponse, IdpError> {
    let parameters = &input.parameters;
    let token = parameters.require("mfa_token")?;
    let (code, wrong, log_as) = match factor {
        FactorType::Otp => (
            parameters.require("otp")?,
            "Invalid otp_code.",
            (LogType::SuccessExchangeOtp, "One-time password for access token"),
        ),
        FactorType::RecoveryCode => (
            parameters.require("recovery_code")?,
            "MFA Authorization rejected.",
            (LogType::SuccessExchangeRecoveryCode, "Recovery code for access token"),
        ),
    };
    let waiting = waiting(idp, ctx, token).await?;
    if waiting.client_id != client.client_id {
        return Err(malformed());
    }
    dpop::check_bound(waiting.login.jkt.as_deref(), jkt)?;
    let is_asked = match waiting.step(idp, ctx).await? {
        Step::Challenge(factors) => factors.contains(&factor),
        Step::Enroll => factor == FactorType::Otp,
    };
    if !is_asked {
        let text = "This login does not ask for this factor.";
        return Err(IdpError::oauth(ErrorCode::AccessDenied, text));
    }
    let subject = Subject { client, user: &waiting.user, login: &waiting.hash };
    let shown = match factor {
        FactorType::Otp => show_otp(idp, ctx, subject, code).await?,
        FactorType::RecoveryCode => show_recovery_code(idp, ctx, subject, code).await?,
    };
    let recovery_code = match shown {
        Shown::Right { recovery_code } => recovery_code,
        Shown::Wrong => return Err(IdpError::oauth(ErrorCode::InvalidGrant, wrong)),
        Shown::TooMany { retry_after_secs } => {
            let text = "Too many wrong codes. Wait a few minutes and try again.";
            let error = OAuthError::new(ErrorCode::TooManyAttempts, text);
            return Err(OAuthError { retry_after_secs: Some(retry_after_secs), ..error }.into());
        }
    };
    let now = idp.now();
    let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
    if !tx.spend_mfa_token(&waiting.hash, now).await? {
        return Err(malformed());
    }
    tx.commit().await?;
    let WaitingLogin { mut requests, mut decision, resume, .. } = waiting.login;
    decision.methods.push(AuthenticationMethod::mfa(factor, now));
    if !requests.is_empty() {
        requests.remove(0);
    }
    let login = Login {
        client,
        user: waiting.user,
        transaction_id: waiting.login.transaction_id,
        audience: waiting.login.audience,
        scope: waiting.login.scope,
        requested_scope: waiting.login.requested_scope,
        auth_time: waiting.login.auth_time,
        body: parameters.without(&CREDENTIAL_PARAMETERS),
        jkt,
        recovery_code,
        log_as,
    };
    go_on(idp, ctx, login, requests, resume, decision).await
}
