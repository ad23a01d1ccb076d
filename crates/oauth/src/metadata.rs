use serde::{Deserialize, Serialize};

use crate::ResponseMode;

/// The server's metadata (RFC 8414 §2, OpenID Connect Discovery §3, RFC 9449 §5.1, OpenID Connect Back-Channel Logout
/// §2.1). All of it is true: what is not listed is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of the specifications")]
pub struct Metadata {
    pub issuer: String,
    pub authorization_endpoint: String,
    pub token_endpoint: String,
    pub device_authorization_endpoint: String,
    pub userinfo_endpoint: String,
    pub mfa_challenge_endpoint: String,
    pub jwks_uri: String,
    pub revocation_endpoint: String,
    pub introspection_endpoint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_session_endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pushed_authorization_request_endpoint: Option<String>,
    pub scopes_supported: Vec<String>,
    pub response_types_supported: Vec<String>,
    pub response_modes_supported: Vec<String>,
    pub grant_types_supported: Vec<String>,
    pub code_challenge_methods_supported: Vec<String>,
    pub subject_types_supported: Vec<String>,
    pub id_token_signing_alg_values_supported: Vec<String>,
    pub token_endpoint_auth_methods_supported: Vec<String>,
    pub token_endpoint_auth_signing_alg_values_supported: Vec<String>,
    pub revocation_endpoint_auth_methods_supported: Vec<String>,
    pub revocation_endpoint_auth_signing_alg_values_supported: Vec<String>,
    pub introspection_endpoint_auth_methods_supported: Vec<String>,
    pub introspection_endpoint_auth_signing_alg_values_supported: Vec<String>,
    pub dpop_signing_alg_values_supported: Vec<String>,
    pub claim_types_supported: Vec<String>,
    pub claims_supported: Vec<String>,
    pub authorization_response_iss_parameter_supported: bool,
    pub backchannel_logout_supported: bool,
    pub backchannel_logout_session_supported: bool,
    pub claims_parameter_supported: bool,
    pub request_parameter_supported: bool,
    pub request_uri_parameter_supported: bool,
}

/// What a tenant may switch off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offers {
    /// RFC 9126 §5.
    pub pushed_authorization_requests: bool,
    /// OpenID Connect RP-Initiated Logout §2.1.
    pub end_session: bool,
}

/// The metadata of this issuer, which ends in a slash. Nothing in it comes from the request.
#[must_use]
pub fn metadata(issuer: &str, offers: Offers) -> Metadata {
    let at = |path: &str| format!("{issuer}{path}");
    let list = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
    let confidential = ["client_secret_basic", "client_secret_post", "private_key_jwt"];
    let all = [["none"].as_slice(), &confidential].concat();
    let assertion_algs = list(&["RS256", "RS384", "PS256", "ES256"]);
    Metadata {
        issuer: issuer.to_owned(),
        authorization_endpoint: at("authorize"),
        token_endpoint: at("oauth/token"),
        device_authorization_endpoint: at("oauth/device/code"),
        userinfo_endpoint: at("userinfo"),
        mfa_challenge_endpoint: at("mfa/challenge"),
        jwks_uri: at(".well-known/jwks.json"),
        revocation_endpoint: at("oauth/revoke"),
        introspection_endpoint: at("oauth/introspect"),
        end_session_endpoint: offers.end_session.then(|| at("oidc/logout")),
        pushed_authorization_request_endpoint: offers.pushed_authorization_requests.then(|| at("oauth/par")),
        scopes_supported: list(&[
            "openid",
            "profile",
            "email",
            "phone",
            "address",
            "offline_access",
            "online_access",
        ]),
        response_types_supported: list(&["code"]),
        response_modes_supported: list(&ResponseMode::ALL.map(ResponseMode::as_str)),
        grant_types_supported: list(&[
            "authorization_code",
            "refresh_token",
            "client_credentials",
            "urn:ietf:params:oauth:grant-type:device_code",
            "password",
            "http://auth0.com/oauth/grant-type/password-realm",
            "http://auth0.com/oauth/grant-type/mfa-otp",
            "http://auth0.com/oauth/grant-type/mfa-recovery-code",
        ]),
        code_challenge_methods_supported: list(&["S256"]),
        subject_types_supported: list(&["public"]),
        id_token_signing_alg_values_supported: list(&["RS256", "RS512", "PS256"]),
        token_endpoint_auth_methods_supported: list(&all),
        token_endpoint_auth_signing_alg_values_supported: assertion_algs.clone(),
        revocation_endpoint_auth_methods_supported: list(&all),
        revocation_endpoint_auth_signing_alg_values_supported: assertion_algs.clone(),
        introspection_endpoint_auth_methods_supported: list(&confidential),
        introspection_endpoint_auth_signing_alg_values_supported: assertion_algs,
        dpop_signing_alg_values_supported: list(&["ES256", "RS256"]),
        claim_types_supported: list(&["normal"]),
        claims_supported: list(&[
            "iss",
            "sub",
            "aud",
            "exp",
            "iat",
            "auth_time",
            "acr",
            "amr",
            "nonce",
            "at_hash",
            "sid",
            "name",
            "family_name",
            "given_name",
            "nickname",
            "picture",
            "updated_at",
            "email",
            "email_verified",
            "phone_number",
            "phone_number_verified",
        ]),
        authorization_response_iss_parameter_supported: true,
        backchannel_logout_supported: true,
        backchannel_logout_session_supported: true,
        claims_parameter_supported: false,
        request_parameter_supported: false,
        request_uri_parameter_supported: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_is_below_the_issuer() {
        let all = Offers { pushed_authorization_requests: true, end_session: true };
        let document = serde_json::to_value(metadata("https://acme.example:8443/", all)).unwrap();
        assert_eq!(document["issuer"], "https://acme.example:8443/");
        for (name, value) in document.as_object().unwrap() {
            if name.ends_with("_endpoint") || name == "jwks_uri" {
                assert!(value.as_str().unwrap().starts_with("https://acme.example:8443/"), "{name}");
                assert!(!value.as_str().unwrap()[8..].contains("//"), "{name}");
            }
        }
        let none = Offers { pushed_authorization_requests: false, end_session: false };
        let less = metadata("https://acme.example/", none);
        assert!(less.pushed_authorization_request_endpoint.is_none() && less.end_session_endpoint.is_none());
        assert_eq!(document["code_challenge_methods_supported"], serde_json::json!(["S256"]));
    }
}
