//! Client authentication (RFC 6749 §2.3): one method, the registered one.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use model::{Client, ClientId, LogEntry, LogType, Timestamp, TokenEndpointAuthMethod};
use oauth::{ErrorCode, OAuthError};

use super::TokenInput;
use super::client_assertion::{ASSERTION_TYPE, Assertion, Reason};
use crate::credential::hash_credential;
use crate::post_login::log_entry;
use crate::rate_limit::{self, Attempt};
use crate::{Idp, IdpError, RequestContext};

/// What the client sent.
struct Presented<'a> {
    /// As it says; empty when it does not.
    client_id: ClientId,
    credential: Credential<'a>,
}

enum Credential<'a> {
    None,
    Secret { secret: String, method: TokenEndpointAuthMethod },
    Assertion(Result<Box<Assertion<'a>>, Reason>),
}

/// Finds out which client is asking. An unknown client, a wrong secret or assertion, and a method that is not the
/// registered one get the same answer after the same work. An assertion is spent.
///
/// # Errors
/// `invalid_request` for two methods at once; `invalid_client`; 429 after too many wrong secrets or assertions.
pub(crate) async fn authenticate(
    idp: &Idp,
    ctx: &RequestContext,
    input: &TokenInput,
) -> Result<Arc<Client>, IdpError> {
    let now = idp.now();
    let Presented { client_id, credential } = presented(ctx, input, now)?;
    let client = idp.settings.client(&ctx.tenant, &client_id).await?;
    let is_registered =
        |method| client.as_ref().is_some_and(|client| client.token_endpoint_auth_method == method);
    let mut reason = None;
    let is_right = match &credential {
        Credential::None => is_registered(TokenEndpointAuthMethod::None),
        Credential::Secret { secret, method } => fits(client.as_deref(), secret) && is_registered(*method),
        Credential::Assertion(assertion) => {
            let checked = match assertion {
                Ok(assertion) => assertion.accept(idp, ctx, client.as_deref(), now).await?,
                Err(reason) => Err(*reason),
            };
            reason = checked.err();
            reason.is_none()
        }
    };
    let client = match client {
        Some(client) if is_right => return Ok(client),
        other => other,
    };
    if !matches!(credential, Credential::None) {
        // The client is told nothing more; its people find the reason in the tenant's log.
        let entry = client.clone().zip(reason).map(|(client, reason)| LogEntry {
            description: format!("A client assertion was refused: it {reason}."),
            ..log_entry(LogType::Warning, Some(&client), None, &ctx.origin, now)
        });
        if let Attempt::TooMany { retry_after_secs } =
            rate_limit::client_failed(idp, ctx, &client_id, entry.as_ref()).await?
        {
            let description = "Too many failed client authentications";
            let error = OAuthError::new(ErrorCode::TooManyRequests, description);
            return Err(OAuthError { retry_after_secs: Some(retry_after_secs), ..error }.into());
        }
    }
    // That it cannot, whatever it sends, is no secret: a client with mutual TLS has none.
    let method = client.as_ref().map(|client| client.token_endpoint_auth_method);
    let description = match method.filter(|method| method.is_mutual_tls()) {
        Some(_) => "Client authentication failed: this server has no mutual TLS (RFC 8705)",
        None => "Client authentication failed",
    };
    Err(IdpError::oauth(ErrorCode::InvalidClient, description))
}

fn presented<'a>(
    ctx: &RequestContext,
    input: &'a TokenInput,
    now: Timestamp,
) -> Result<Presented<'a>, OAuthError> {
    let parameters = &input.parameters;
    let named = parameters.get("client_id");
    let secret = parameters.get("client_secret");
    let assertion = match (parameters.get("client_assertion_type"), parameters.get("client_assertion")) {
        (None, None) => None,
        (Some(ASSERTION_TYPE), Some(assertion)) => Some(assertion),
        (Some(_), Some(_)) => {
            return Err(OAuthError::new(ErrorCode::InvalidClient, "Unsupported client_assertion_type"));
        }
        _ => {
            return Err(OAuthError::invalid_request(
                "client_assertion and client_assertion_type must be sent together",
            ));
        }
    };
    match (&input.authorization, secret, assertion) {
        (None, None, None) => {
            let client_id = ClientId::new(parameters.require("client_id")?);
            Ok(Presented { client_id, credential: Credential::None })
        }
        (None, Some(secret), None) => {
            let client_id = ClientId::new(parameters.require("client_id")?);
            let method = TokenEndpointAuthMethod::ClientSecretPost;
            Ok(Presented { client_id, credential: Credential::Secret { secret: secret.to_owned(), method } })
        }
        (None, None, Some(assertion)) => {
            let assertion = Assertion::read(assertion, &ctx.issuer, now).map(Box::new);
            // It must be from the client that the request names, if it names one (RFC 7521 §4.2).
            let client_id = match (named, &assertion) {
                (Some(named), _) => ClientId::new(named),
                (None, Ok(assertion)) => assertion.client_id(),
                (None, Err(_)) => ClientId::new(""),
            };
            Ok(Presented { client_id, credential: Credential::Assertion(assertion) })
        }
        (Some(header), None, None) => {
            let basic = oauth::parse_basic(header)?;
            if named.is_some_and(|client_id| client_id != basic.client_id) {
                return Err(OAuthError::invalid_request("client_id differs from the Authorization header"));
            }
            let method = TokenEndpointAuthMethod::ClientSecretBasic;
            Ok(Presented {
                client_id: ClientId::new(basic.client_id),
                credential: Credential::Secret { secret: basic.client_secret, method },
            })
        }
        _ => Err(OAuthError::invalid_request("Only one method of client authentication may be used")),
    }
}

/// Compares with two hashes in constant time, whether the client has none, one or two.
fn fits(client: Option<&Client>, secret: &str) -> bool {
    let presented = hash_credential(secret);
    let known = client.map(|client| client.client_secret_hashes.as_slice()).unwrap_or_default();
    let dummy = hash_credential("");
    let mut right = false;
    for at in 0..known.len().max(2) {
        let hash = known.get(at).unwrap_or(&dummy);
        let same = verify_slices_are_equal(hash.as_bytes(), presented.as_bytes()).is_ok();
        right |= same && at < known.len() && !secret.is_empty();
    }
    right
}
