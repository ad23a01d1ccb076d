//! Trading a refresh token for a session transfer token (`reference/native-to-web.md` section 1.2).

use model::{Client, RefreshToken, SessionTransferToken, Timestamp, random_token};
use oauth::ErrorCode;
use url::Url;

use super::TokenResponse;
use crate::credential::CREDENTIAL_LENGTH;
use crate::{Idp, IdpError, RequestContext};

/// How long the app has to open the browser.
const LIFETIME_SECS: i64 = 60;
const PREFIX: &str = "urn:";
const SUFFIX: &str = ":session_transfer";

/// An exchange that may go on.
pub(super) struct SessionTransferRequest {
    /// As sent.
    pub audience: String,
    /// As sent.
    pub scope: Vec<String>,
}

/// The token, before its row is stored.
pub(super) struct Made {
    pub secret: String,
    pub row: SessionTransferToken,
    pub audience: String,
    id_token: Option<String>,
    scope: String,
}

/// Whether an audience asks for a session transfer token, of whatever host.
pub(super) fn is_audience(audience: &str) -> bool {
    audience.starts_with(PREFIX) && audience.ends_with(SUFFIX)
}

/// Checks that this client may have a session transfer token for this refresh token at this host.
///
/// # Errors
/// `invalid_request` with the reason, which is what the dialect's SDKs expect of all failures here.
pub(super) fn request(
    ctx: &RequestContext,
    client: &Client,
    token: &RefreshToken,
    audience: &str,
    scope: Vec<String>,
) -> Result<SessionTransferRequest, IdpError> {
    let refuse = |description: &str| Err(IdpError::oauth(ErrorCode::InvalidRequest, description));
    let settings = client.session_transfer.clone().unwrap_or_default();
    if !settings.can_create_session_transfer_token {
        return refuse("The client may not create session transfer tokens.");
    }
    if token.parent_refresh_token.is_some() {
        return refuse("A refresh token of a transferred session cannot create a session transfer token.");
    }
    if token.online {
        return refuse("An online refresh token cannot create a session transfer token.");
    }
    let host = audience.strip_prefix(PREFIX).and_then(|rest| rest.strip_suffix(SUFFIX)).unwrap_or_default();
    if !names_tenant(&ctx.tenant_issuers, host) {
        return refuse("The audience does not name a domain of this tenant.");
    }
    Ok(SessionTransferRequest { audience: audience.to_owned(), scope })
}

/// SDKs differ in whether they keep the port.
fn names_tenant(issuers: &[String], host: &str) -> bool {
    issuers.iter().filter_map(|issuer| Url::parse(issuer).ok()).any(|issuer| {
        let Some(name) = issuer.host_str() else { return false };
        let with_port = issuer.port_or_known_default().map(|port| format!("{name}:{port}"));
        host.eq_ignore_ascii_case(name)
            || with_port.is_some_and(|with_port| host.eq_ignore_ascii_case(&with_port))
    })
}

/// Makes the token: random, single use, bound to this refresh token and to where this request came from. `scope` is what the
/// refresh token gives.
pub(super) fn make(
    idp: &Idp,
    ctx: &RequestContext,
    token: &RefreshToken,
    request: &SessionTransferRequest,
    scope: &[String],
    id_token: Option<String>,
    now: Timestamp,
) -> Made {
    let row = SessionTransferToken {
        client_id: token.client_id.clone(),
        user_id: token.user_id.clone(),
        refresh_token_id: token.id.clone(),
        connection_id: token.connection_id.clone(),
        organization_id: token.organization_id.clone(),
        scope: request.scope.clone(),
        request: ctx.origin.clone(),
        auth_time: token.auth_time,
        created_at: now,
        expires_at: now.plus_secs(LIFETIME_SECS),
    };
    Made {
        secret: random_token(&*idp.random, CREDENTIAL_LENGTH),
        row,
        audience: request.audience.clone(),
        id_token,
        scope: scope.join(" "),
    }
}

impl Made {
    /// The answer, as the dialect has it: the token is no access token (RFC 8693 §2.2.1).
    pub(super) fn into_response(self, refresh_token: Option<String>) -> TokenResponse {
        TokenResponse {
            access_token: self.secret,
            refresh_token,
            id_token: self.id_token,
            scope: Some(self.scope),
            expires_in: LIFETIME_SECS,
            token_type: "N_A",
            issued_token_type: Some("urn:auth0:params:oauth:token-type:session_transfer_token"),
            recovery_code: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_audience_names_a_host_of_the_tenant_with_or_without_its_port() {
        let issuers = ["https://acme.localhost:8443/".to_owned(), "https://login.acme.example/".to_owned()];
        for (host, right) in [
            ("acme.localhost", true),
            ("acme.localhost:8443", true),
            ("ACME.localhost", true),
            ("login.acme.example", true),
            ("login.acme.example:443", true),
            ("acme.localhost:8444", false),
            ("other.localhost", false),
            ("", false),
            ("acme.localhost:", false),
            ("x:acme.localhost", false),
        ] {
            assert_eq!(names_tenant(&issuers, host), right, "{host}");
        }
        assert!(is_audience("urn:acme.localhost:8443:session_transfer"));
        assert!(!is_audience("https://api.example/"));
    }
}
