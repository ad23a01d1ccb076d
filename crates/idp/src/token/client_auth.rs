//! Client authentication (RFC 6749 §2.3): one method, the registered one.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use model::{Client, ClientId, TokenEndpointAuthMethod};
use oauth::{ErrorCode, OAuthError};

use super::TokenInput;
use crate::credential::hash_credential;
use crate::rate_limit::{self, Attempt};
use crate::{Idp, IdpError, RequestContext};

/// What the client sent.
struct Presented {
    client_id: ClientId,
    secret: Option<String>,
    method: TokenEndpointAuthMethod,
}

/// Finds out which client is asking. An unknown client, a wrong secret and a method that is not the registered one get
/// the same answer after the same work.
///
/// # Errors
/// `invalid_request` for two methods at once; `invalid_client`; 429 after too many wrong secrets.
pub(crate) async fn authenticate(
    idp: &Idp,
    ctx: &RequestContext,
    input: &TokenInput,
) -> Result<Client, IdpError> {
    let presented = presented(input)?;
    let client = idp.storage.begin_read(&ctx.tenant.id).await?.client(&presented.client_id).await?;
    let secret_fits = fits(client.as_ref(), presented.secret.as_deref().unwrap_or_default());
    let right = |client: &Client| {
        client.token_endpoint_auth_method == presented.method
            && (presented.method == TokenEndpointAuthMethod::None || secret_fits)
    };
    if let Some(client) = client.filter(right) {
        return Ok(client);
    }
    if presented.secret.is_some()
        && let Attempt::TooMany { retry_after_secs } =
            rate_limit::client_failed(idp, ctx, &presented.client_id).await?
    {
        let mut error = OAuthError::new(ErrorCode::TooManyRequests, "Too many failed client authentications");
        error.retry_after_secs = Some(retry_after_secs);
        return Err(error.into());
    }
    Err(IdpError::oauth(ErrorCode::InvalidClient, "Client authentication failed"))
}

fn presented(input: &TokenInput) -> Result<Presented, OAuthError> {
    let parameters = &input.parameters;
    if parameters.get("client_assertion").is_some() || parameters.get("client_assertion_type").is_some() {
        return Err(OAuthError::new(ErrorCode::InvalidClient, "Client assertions are not supported"));
    }
    let secret = parameters.get("client_secret");
    let Some(header) = &input.authorization else {
        let method = match secret {
            Some(_) => TokenEndpointAuthMethod::ClientSecretPost,
            None => TokenEndpointAuthMethod::None,
        };
        let client_id = ClientId::new(parameters.require("client_id")?);
        return Ok(Presented { client_id, secret: secret.map(str::to_owned), method });
    };
    let basic = oauth::parse_basic(header)?;
    if secret.is_some() {
        return Err(OAuthError::invalid_request("Only one method of client authentication may be used"));
    }
    if parameters.get("client_id").is_some_and(|client_id| client_id != basic.client_id) {
        return Err(OAuthError::invalid_request("client_id differs from the Authorization header"));
    }
    Ok(Presented {
        client_id: ClientId::new(basic.client_id),
        secret: Some(basic.client_secret),
        method: TokenEndpointAuthMethod::ClientSecretBasic,
    })
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
