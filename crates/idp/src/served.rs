//! What a client asks for that this server cannot do is refused, never passed over: whoever set or sent it relies on it.

use model::Client;
use oauth::{ErrorCode, OAuthError, Parameters};

/// That the settings of the client, and its request, ask for nothing of that.
///
/// # Errors
/// `unauthorized_client` with the setting; `invalid_request` for `authorization_details` (RFC 9396 §5 wants no unknown
/// type of them to be passed over, and here each is unknown).
pub(crate) fn check(client: &Client, parameters: &Parameters) -> Result<(), OAuthError> {
    if let Some(setting) = client.unserved_setting() {
        return Err(OAuthError::new(
            ErrorCode::UnauthorizedClient,
            format!("The client's {setting} is not supported by this server"),
        ));
    }
    if parameters.get("authorization_details").is_some() {
        return Err(OAuthError::invalid_request("authorization_details are not supported"));
    }
    Ok(())
}
