//! `grant_type=urn:ietf:params:oauth:grant-type:device_code` (RFC 8628 §3.4, §3.5), in the dialect's words.

use model::{Client, DeviceDecision};
use oauth::{ErrorCode, OAuthError};

use super::{TokenInput, TokenResponse, authorization_code};
use crate::credential::hash_credential;
use crate::device::{INTERVAL_SECS, code_hash};
use crate::{Idp, IdpError, RequestContext};

/// One poll. It counts by one conditional statement; the approved login is spent by that of the codes.
pub(super) async fn exchange(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    input: &TokenInput,
    jkt: Option<&str>,
) -> Result<TokenResponse, IdpError> {
    let hash = hash_credential(input.parameters.require("device_code")?);
    let now = idp.now();
    let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
    let polled = tx.poll_device_code(&hash, &client.client_id, now, now.plus_secs(INTERVAL_SECS)).await?;
    let Some(device) = polled else {
        return Err(match tx.has_device_code(&hash, &client.client_id).await? {
            true => IdpError::oauth(
                ErrorCode::SlowDown,
                format!("You are polling faster than the specified interval of {INTERVAL_SECS} seconds."),
            ),
            false => invalid_device_code().into(),
        });
    };
    let expired = now >= device.expires_at;
    let told = expired && !tx.tell_device_expiry(&hash, now).await?;
    tx.commit().await?;
    match device.decision {
        // Once; after that, there is no such code (the dialect).
        _ if told => Err(invalid_device_code().into()),
        _ if expired => Err(IdpError::oauth(ErrorCode::ExpiredToken, "The device code has expired.")),
        DeviceDecision::Pending => {
            Err(IdpError::oauth(ErrorCode::AuthorizationPending, "User has yet to authorize device code."))
        }
        DeviceDecision::Denied { reason } => Err(IdpError::oauth(ErrorCode::AccessDenied, reason)),
        DeviceDecision::Approved => {
            let hash = code_hash(&hash);
            let result = authorization_code::exchange_approved(idp, ctx, client, input, &hash, jkt).await;
            result.map_err(|error| match error {
                IdpError::OAuth(error) if error.code == ErrorCode::InvalidGrant => {
                    invalid_device_code().into()
                }
                other => other,
            })
        }
    }
}

fn invalid_device_code() -> OAuthError {
    OAuthError::new(ErrorCode::InvalidGrant, "Invalid or expired device code.")
}
