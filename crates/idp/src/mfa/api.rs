//! The MFA API: second factors for clients without a browser. A login that needs one gets `mfa_required` with an
//! `mfa_token`, which the client shows here, and then at the token endpoint together with a code.

use model::{
    Authenticator, Client, ClientId, FactorType, LogType, MfaToken, Timestamp, User, UserId, random_token,
};
use oauth::{ErrorCode, OAuthError, Parameters};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Standing, Step, Subject, begin_otp, begin_recovery_code, remove_factor, usable_factors, usable_types,
};
use crate::credential::{CREDENTIAL_LENGTH, hash_credential};
use crate::decision::{Decision, FactorRequest};
use crate::post_login::{Resume, log_entry};
use crate::token::{TokenInput, client_auth};
use crate::tokens;
use crate::{Idp, IdpError, RequestContext, ServerError};

/// How long a login waits for its second factor.
const MFA_TOKEN_LIFETIME_SECS: i64 = 10 * 60;

/// A login that waits, as it is stored with its `mfa_token`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct WaitingLogin {
    pub transaction_id: String,
    pub audience: Option<String>,
    pub scope: Vec<String>,
    pub requested_scope: Vec<String>,
    pub auth_time: Timestamp,
    /// The key that the first request proved possession of: the last one must, too.
    pub jkt: Option<String>,
    /// What the Actions decided so far.
    pub decision: Decision,
    /// Where the Actions go on.
    pub resume: Resume,
    /// What is to be met before that, the first of them next.
    pub requests: Vec<FactorRequest>,
}

/// A login that waits, found by its `mfa_token`.
pub(crate) struct Waiting {
    /// The name of the login, and the hash of the token.
    pub hash: String,
    pub user: User,
    pub client_id: ClientId,
    pub login: WaitingLogin,
}

impl Waiting {
    /// What the user has to do next. Whoever has set up a factor elsewhere since shows it: this login may not pass by that.
    ///
    /// # Errors
    /// `access_denied` when nothing that the login asks for is left.
    pub(crate) async fn step(&self, idp: &Idp, ctx: &RequestContext) -> Result<Step, IdpError> {
        let usable = usable_types(idp, ctx, &self.user).await?;
        let shown = self.login.decision.shown_factors();
        let standing = Standing { tenant: &ctx.tenant, usable: &usable, shown: &shown };
        let step = standing
            .next(&mut self.login.requests.clone())
            .map_err(|reason| IdpError::oauth(ErrorCode::AccessDenied, reason))?;
        Ok(step.unwrap_or(Step::Challenge(usable)))
    }
}

/// Makes the login wait: the error that tells the client so.
pub(crate) async fn require_factor(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    user: &User,
    login: &WaitingLogin,
    step: &Step,
) -> Result<OAuthError, ServerError> {
    let types = |factors: &[FactorType]| -> Value {
        factors.iter().map(|factor| json!({ "type": factor })).collect()
    };
    let requirements = match step {
        Step::Challenge(factors) => json!({ "challenge": types(factors) }),
        Step::Enroll => json!({ "enroll": types(&[FactorType::Otp]) }),
    };
    let now = idp.now();
    let secret = random_token(&*idp.random, CREDENTIAL_LENGTH);
    let token = MfaToken {
        client_id: client.client_id.clone(),
        user_id: user.user_id.clone(),
        login: serde_json::to_value(login)
            .map_err(|error| ServerError::Inconsistent(format!("a login that waits: {error}")))?,
        created_at: now,
        expires_at: now.plus_secs(MFA_TOKEN_LIFETIME_SECS),
    };
    let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
    tx.insert_mfa_token(&hash_credential(&secret), &token).await?;
    tx.commit().await?;
    let mut error = OAuthError::new(ErrorCode::MfaRequired, "Multifactor authentication required");
    error.members.insert("mfa_token".to_owned(), json!(secret));
    error.members.insert("mfa_requirements".to_owned(), requirements);
    Ok(error)
}

/// The login that waits with this `mfa_token`.
///
/// # Errors
/// `invalid_grant` for an unknown or used one, and when the user was blocked or has another password since;
/// `expired_token`. The texts are those that SDKs compare.
pub(crate) async fn waiting(idp: &Idp, ctx: &RequestContext, token: &str) -> Result<Waiting, IdpError> {
    let hash = hash_credential(token);
    let mut tx = idp.storage.begin_read(&ctx.tenant.id).await?;
    let Some(found) = tx.mfa_token(&hash).await? else { return Err(malformed()) };
    if idp.now() >= found.expires_at {
        return Err(IdpError::oauth(ErrorCode::ExpiredToken, "mfa_token is expired"));
    }
    let login: WaitingLogin = serde_json::from_value(found.login)
        .map_err(|error| ServerError::Inconsistent(format!("a login that waits: {error}")))?;
    let user = tx.user(&found.user_id).await?.filter(|user| user.may_go_on(login.auth_time));
    let user = user.ok_or_else(malformed)?;
    Ok(Waiting { hash, user, client_id: found.client_id, login })
}

pub(crate) fn malformed() -> IdpError {
    IdpError::oauth(ErrorCode::InvalidGrant, "Malformed mfa_token")
}

/// `POST /mfa/challenge`: which factor the client is to ask for.
///
/// # Errors
/// `association_required` when the user has none; `unsupported_challenge_type` when the client cannot ask for theirs;
/// those of the `mfa_token`; those of client authentication.
pub async fn challenge(idp: &Idp, ctx: &RequestContext, input: &TokenInput) -> Result<Value, IdpError> {
    let client = client_auth::authenticate(idp, ctx, input).await?;
    let waiting = waiting(idp, ctx, input.parameters.require("mfa_token")?).await?;
    if waiting.client_id != client.client_id {
        return Err(malformed());
    }
    let usable = usable_factors(idp, ctx, &waiting.user).await?;
    let asked = waiting.step(idp, ctx).await?;
    let is_asked = |known: &&Authenticator| {
        known.factor == FactorType::Otp
            && matches!(&asked, Step::Challenge(factors) if factors.contains(&known.factor))
    };
    let Some(otp) = usable.iter().find(is_asked) else {
        return Err(IdpError::oauth(
            ErrorCode::AssociationRequired,
            "User is not enrolled. You can use /mfa/associate endpoint to enroll the first authenticator.",
        ));
    };
    let types = input.parameters.get("challenge_type").unwrap_or("otp");
    if !types.split(' ').any(|known| known == FactorType::Otp.as_str()) {
        return Err(IdpError::oauth(
            ErrorCode::UnsupportedChallengeType,
            "The user has no authenticator of these challenge types.",
        ));
    }
    if input.parameters.get("authenticator_id").is_some_and(|id| id != otp.id.as_str()) {
        return Err(OAuthError::invalid_request("authenticator_id: there is no challenge for it").into());
    }
    Ok(json!({ "challenge_type": otp.factor }))
}

/// `POST /mfa/associate`, with the `mfa_token` as bearer: begins to enrol the user's first factor. The first code at the
/// token endpoint confirms it.
///
/// # Errors
/// `access_denied` when the user has a factor, or the tenant none; `invalid_request` for factors of another type; those
/// of the `mfa_token`.
pub async fn associate(
    idp: &Idp,
    ctx: &RequestContext,
    mfa_token: &str,
    parameters: &Parameters,
) -> Result<Value, IdpError> {
    let waiting = waiting(idp, ctx, mfa_token).await?;
    let types = parameters.require("authenticator_types")?;
    if !types.split(' ').any(|known| known == FactorType::Otp.as_str()) {
        return Err(OAuthError::invalid_request("authenticator_types: this server enrols otp only").into());
    }
    if !ctx.tenant.has_factor(FactorType::Otp) {
        return Err(IdpError::oauth(
            ErrorCode::AccessDenied,
            "The factor otp is not enabled for this tenant.",
        ));
    }
    let client = idp.settings.client(&ctx.tenant, &waiting.client_id).await?.ok_or_else(malformed)?;
    let subject = Subject { client: &client, user: &waiting.user, login: &waiting.hash };
    let Some(enrolment) = begin_otp(idp, ctx, subject).await? else {
        return Err(IdpError::oauth(ErrorCode::AccessDenied, "User is already enrolled."));
    };
    let mut answer = json!({
        "authenticator_type": FactorType::Otp,
        "secret": enrolment.secret,
        "barcode_uri": enrolment.uri,
    });
    if let Some(code) = begin_recovery_code(idp, ctx, subject).await? {
        answer["recovery_codes"] = json!([code]);
    }
    Ok(answer)
}

/// `GET /mfa/authenticators`, with the `mfa_token` or an access token for [`tokens::mfa_audience`] with the scope
/// `read:authenticators` as bearer.
///
/// # Errors
/// `invalid_token`, `insufficient_scope`, those of the `mfa_token`.
pub async fn authenticators(idp: &Idp, ctx: &RequestContext, bearer: &str) -> Result<Vec<Value>, IdpError> {
    let user_id = match tokens::is_jwt(bearer) {
        true => holder(idp, ctx, bearer, tokens::READ_AUTHENTICATORS).await?,
        false => waiting(idp, ctx, bearer).await?.user.user_id,
    };
    let known = idp.storage.begin_read(&ctx.tenant.id).await?.authenticators_of(&user_id).await?;
    let shown = |known: &Authenticator| {
        json!({
            "id": known.id,
            "authenticator_type": known.factor,
            "active": known.confirmed_at.is_some(),
            "created_at": known.created_at.to_iso(),
        })
    };
    Ok(known.iter().map(shown).collect())
}

/// `DELETE /mfa/authenticators/{id}`, with an access token as [`authenticators`] and the scope `remove:authenticators`. An
/// `mfa_token` will not do: its holder has shown the password alone.
///
/// # Errors
/// `invalid_token`, `insufficient_scope`; `invalid_request` (404) when the user has no such factor.
pub async fn remove(idp: &Idp, ctx: &RequestContext, bearer: &str, id: &str) -> Result<(), IdpError> {
    let user_id = holder(idp, ctx, bearer, tokens::REMOVE_AUTHENTICATORS).await?;
    let now = idp.now();
    let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
    tx.lock_user(&user_id).await?;
    let known = tx.authenticators_of(&user_id).await?;
    let Some(known) = known.iter().find(|known| known.id.as_str() == id) else {
        let error = OAuthError::invalid_request("There is no such authenticator.");
        return Err(OAuthError { status: Some(404), ..error }.into());
    };
    remove_factor(&mut tx, &user_id, known.factor).await?;
    let mut entry = log_entry(LogType::FactorRemoved, None, Some(&user_id), &ctx.origin, now);
    entry.description = "A second factor was removed".to_owned();
    entry.details = json!({ "factor": known.factor });
    tx.insert_log(&entry).await?;
    Ok(tx.commit().await?)
}

/// Whose access token for the MFA API this is.
async fn holder(idp: &Idp, ctx: &RequestContext, token: &str, scope: &str) -> Result<UserId, IdpError> {
    let invalid =
        || IdpError::oauth(ErrorCode::InvalidToken, "The access token is unknown, expired or revoked");
    let token = tokens::verify_access_token(idp, ctx, token, idp.now()).await?;
    let token = token.filter(|token| token.audience.contains(&tokens::mfa_audience(ctx)));
    // A token that is bound to a key is not one to be sent as bearer.
    let token = token.filter(|token| token.dpop_jkt.is_none()).ok_or_else(invalid)?;
    if !token.scope.split(' ').any(|known| known == scope) {
        let text = format!("The access token lacks the scope {scope}");
        return Err(IdpError::oauth(ErrorCode::InsufficientScope, text));
    }
    let user_id = UserId::new(token.subject);
    let user = idp.storage.begin_read(&ctx.tenant.id).await?.user(&user_id).await?;
    user.filter(|user| !user.blocked).map(|user| user.user_id).ok_or_else(invalid)
}
