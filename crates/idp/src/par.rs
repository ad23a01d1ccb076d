//! Pushed authorization requests (RFC 9126): `/oauth/par` takes the parameters of `/authorize` from an authenticated
//! client and gives a `request_uri` for them.

use std::collections::BTreeMap;

use model::{Client, PushedAuthorizationRequest, TokenEndpointAuthMethod, random_token};
use oauth::{ErrorCode, OAuthError, Parameters};
use serde::Serialize;

use crate::authorize;
use crate::credential::{CREDENTIAL_LENGTH, hash_credential};
use crate::dpop::{self, Nonce, Target};
use crate::token::{TokenInput, client_auth};
use crate::{Idp, IdpError, PageError, RequestContext, ServerError, served};

const PREFIX: &str = "urn:ietf:params:oauth:request_uri:";
/// How long the browser has to come with the `request_uri`, where the client's settings do not say it.
const LIFETIME_SECS: i64 = 30;
/// All names and values together.
const MAX_BYTES: usize = 10 * 1024;
/// How many parameters of its own (`ext-...`) a client may push.
const MAX_EXTENSIONS: usize = 10;
/// What `/authorize` knows, and therefore what is kept besides `ext-...`.
const KNOWN: [&str; 21] = [
    "acr_values",
    "audience",
    "client_id",
    "code_challenge",
    "code_challenge_method",
    "connection",
    "correlation_id",
    "display",
    "dpop_jkt",
    "invitation",
    "login_hint",
    "max_age",
    "nonce",
    "organization",
    "prompt",
    "redirect_uri",
    "response_mode",
    "response_type",
    "scope",
    "state",
    "ui_locales",
];

/// The answer (RFC 9126 §2.2), with status 201.
#[derive(Debug, Clone, Serialize)]
pub struct PushResponse {
    /// For `/authorize`, once.
    pub request_uri: String,
    /// In seconds.
    pub expires_in: i64,
}

/// Answers `/oauth/par`. All checks of `/authorize` are made here, and again when the `request_uri` is used.
///
/// # Errors
/// [`IdpError::OAuth`] as at the token endpoint for the client, and as at `/authorize` for the request; 404 for a tenant
/// without pushed requests, 413 for one that is too large (RFC 9126 §2.3).
pub async fn push(idp: &Idp, ctx: &RequestContext, input: TokenInput) -> Result<PushResponse, IdpError> {
    if !ctx.tenant.flags.pushed_authorization_requests_supported {
        return refuse(404, "This tenant does not support pushed authorization requests.");
    }
    let client = client_auth::authenticate(idp, ctx, &input).await?;
    if client.token_endpoint_auth_method == TokenEndpointAuthMethod::None {
        return Err(IdpError::oauth(
            ErrorCode::UnauthorizedClient,
            "Public clients cannot push authorization requests.",
        ));
    }
    if input.parameters.get("request_uri").is_some() {
        return refuse(400, "request_uri cannot be pushed.");
    }
    if input.parameters.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() > MAX_BYTES {
        return refuse(413, "The pushed request is too large.");
    }
    served::check(&client, &input.parameters)?;
    let mut kept = kept(&client, &input.parameters)?;
    if let Some(jwt) = &input.dpop {
        // A proof here does what `dpop_jkt` does (RFC 9449 §10.1).
        let target = Target { method: "POST", path: "oauth/par", access_token: None, nonce: Nonce::Optional };
        let jkt = dpop::accept(idp, ctx, jwt, &target).await?;
        dpop::check_bound(kept.get("dpop_jkt").map(String::as_str), Some(&jkt))?;
        kept.insert("dpop_jkt".to_owned(), jkt);
    }
    let parameters = Parameters::from_pairs(kept.clone())?;
    let (redirect_uri, was_sent) = authorize::redirect_uri(&client, &parameters)?;
    authorize::request(idp, ctx, &client, &parameters, redirect_uri, was_sent).await?;

    let now = idp.now();
    let expires_in = client.par_request_expiry.unwrap_or(LIFETIME_SECS);
    let handle = random_token(&*idp.random, CREDENTIAL_LENGTH);
    let request = PushedAuthorizationRequest {
        client_id: client.client_id.clone(),
        parameters: kept,
        created_at: now,
        expires_at: now.plus_secs(expires_in),
    };
    let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
    tx.insert_pushed_request(&hash_credential(&handle), &request).await?;
    tx.commit().await?;
    Ok(PushResponse { request_uri: format!("{PREFIX}{handle}"), expires_in })
}

/// Whether this is a `request_uri` of ours, and not the address of a request object.
pub(crate) fn is_pushed(ctx: &RequestContext, request_uri: &str) -> bool {
    ctx.tenant.flags.pushed_authorization_requests_supported && request_uri.starts_with(PREFIX)
}

/// Spends the `request_uri` and yields what was pushed. Unknown, used, expired and another client's get one answer.
///
/// # Errors
/// [`PageError`]: no redirect URI can be trusted.
pub(crate) async fn redeem(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    request_uri: &str,
) -> Result<Parameters, PageError> {
    let handle = request_uri.strip_prefix(PREFIX).unwrap_or_default();
    let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
    let spent = tx.spend_pushed_request(&hash_credential(handle), &client.client_id, idp.now()).await?;
    tx.commit().await?;
    let Some(parameters) = spent else {
        return Err(PageError::oauth(
            ErrorCode::InvalidRequestUri,
            "The request_uri is unknown, was used or has expired. Go back to the application and try again.",
        ));
    };
    Parameters::from_pairs(parameters)
        .map_err(|error| ServerError::Inconsistent(format!("a pushed request: {error}")).into())
}

fn refuse<T>(status: u16, description: &str) -> Result<T, IdpError> {
    Err(OAuthError { status: Some(status), ..OAuthError::invalid_request(description) }.into())
}

/// What of the body is part of the request: no credential is stored, and unknown parameters reach no Action.
fn kept(client: &Client, parameters: &Parameters) -> Result<BTreeMap<String, String>, OAuthError> {
    let is_extension = |name: &str| name.starts_with("ext-");
    if parameters.iter().filter(|(name, _)| is_extension(name)).count() > MAX_EXTENSIONS {
        return Err(OAuthError::invalid_request(format!("More than {MAX_EXTENSIONS} ext- parameters")));
    }
    if parameters.get("request").is_some() {
        return Err(OAuthError::new(ErrorCode::RequestNotSupported, "Request objects are not supported"));
    }
    let mut kept: BTreeMap<String, String> = parameters
        .iter()
        .filter(|(name, _)| KNOWN.contains(name) || is_extension(name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    // With HTTP Basic or an assertion, the body need not name the client.
    kept.insert("client_id".to_owned(), client.client_id.to_string());
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorize::CREDENTIAL_PARAMETERS;

    #[test]
    fn no_credential_is_a_known_parameter() {
        for name in CREDENTIAL_PARAMETERS {
            assert!(!KNOWN.contains(&name), "{name}");
        }
        for name in ["client_assertion", "client_assertion_type", "request", "request_uri"] {
            assert!(!KNOWN.contains(&name), "{name}");
        }
    }
}
