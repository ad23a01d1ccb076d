//! `grant_type=password` (RFC 6749 §4.3) and the dialect's variant that names the connection (`password-realm`). There is
//! no browser, so there is no session: what is issued ends by itself, or with the refresh token.

use model::{Client, LogType, random_token};
use oauth::{ErrorCode, OAuthError};

use super::without_session::{Login, decide};
use super::{TokenInput, TokenResponse};
use crate::authorize::{OFFLINE_ACCESS, ONLINE_ACCESS, audience_and_scope};
use crate::password_login::{LoginAttempt, WRONG_CREDENTIALS, attempt, connection_of};
use crate::post_login::Start;
use crate::{Idp, IdpError, RequestContext, ServerError, api_access, consent, organizations, tokens};

/// Parameters that an Action does not see.
const CREDENTIAL_PARAMETERS: [&str; 3] = ["password", "client_secret", "client_assertion"];

pub(super) async fn exchange(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    input: &TokenInput,
    realm: Option<&str>,
    jkt: Option<&str>,
) -> Result<TokenResponse, IdpError> {
    organizations::check_optional(client)?;
    let parameters = &input.parameters;
    let (username, password) = (parameters.require("username")?, parameters.require("password")?);
    let requested_scope = oauth::parse_scope(parameters.get("scope").unwrap_or_default())?;
    let (audience, scope) = granted(idp, ctx, client, input, &requested_scope).await?;
    let directory = match realm {
        Some(_) => None,
        None => default_directory(idp, ctx).await?,
    };
    let realm = realm.or(directory.as_deref());
    let connection = connection_of(idp, ctx, client, realm).await?.ok_or_else(|| {
        let which =
            realm.map_or_else(|| "No connection".to_owned(), |realm| format!("No connection {realm}"));
        OAuthError::invalid_request(format!("{which} is enabled for this client."))
    })?;
    let auth_time = idp.now();
    let user = match attempt(idp, ctx, client, &connection, username, password).await? {
        LoginAttempt::Right(user) => *user,
        LoginAttempt::Wrong => return Err(IdpError::oauth(ErrorCode::InvalidGrant, WRONG_CREDENTIALS)),
        LoginAttempt::TooMany { retry_after_secs } => {
            let text = "Too many attempts. Wait a few minutes and try again.";
            let error = OAuthError::new(ErrorCode::TooManyAttempts, text);
            return Err(OAuthError { retry_after_secs: Some(retry_after_secs), ..error }.into());
        }
        LoginAttempt::Busy => return Err(ServerError::Busy.into()),
    };
    let login = Login {
        client,
        user,
        transaction_id: random_token(&*idp.random, 32),
        audience,
        scope,
        requested_scope,
        auth_time,
        body: parameters.without(&CREDENTIAL_PARAMETERS),
        jkt,
        recovery_code: None,
        log_as: (LogType::SuccessExchangePassword, "Password for access token"),
    };
    decide(idp, ctx, login, Start::at_the_beginning()).await
}

/// The connection that the tenant has set for requests that name none.
async fn default_directory(idp: &Idp, ctx: &RequestContext) -> Result<Option<String>, ServerError> {
    let found = idp.storage.begin_read(&ctx.tenant.id).await?.tenant().await?;
    let directory = found.and_then(|(_, profile)| profile.default_directory);
    Ok(directory.filter(|name| !name.is_empty()))
}

/// The API, and the scopes: those of `/authorize`, but for `online_access`, which needs a session. Without `scope` it is
/// all that the API has (the dialect).
async fn granted(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    input: &TokenInput,
    requested: &[String],
) -> Result<(Option<String>, Vec<String>), IdpError> {
    let parameters = &input.parameters;
    if [OFFLINE_ACCESS, ONLINE_ACCESS].iter().all(|name| requested.iter().any(|scope| scope == name)) {
        let text = "Cannot request both online_access and offline_access scopes";
        return Err(OAuthError::invalid_request(text).into());
    }
    let mfa = tokens::mfa_audience(ctx);
    if parameters.get("audience") == Some(&mfa) {
        return Ok((Some(mfa), tokens::mfa_scope(requested)));
    }
    let (audience, mut scope) = audience_and_scope(idp, ctx, client, parameters, requested).await?;
    if consent::is_asked_for(idp, ctx, client, audience.as_deref()).await? {
        return Err(IdpError::oauth(ErrorCode::ConsentRequired, "Consent required"));
    }
    scope.retain(|name| name != ONLINE_ACCESS);
    if let (None, Some(audience)) = (parameters.get("scope"), &audience) {
        scope.clone_from(&tokens::api(idp, ctx, audience).await?.server.scopes);
        let granted = api_access::granted_scopes(idp, ctx, client, Some(audience)).await?;
        api_access::limit(&mut scope, granted.as_deref());
    }
    Ok((audience, scope))
}
