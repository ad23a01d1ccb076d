//! The rules for what is stored.

use std::collections::BTreeMap;

use model::{
    AppType, Client, CookieMode, DeviceBinding, ExpirationType, ResourceServer, RotationType, Tenant,
    TokenEndpointAuthMethod,
};
use url::Url;

use super::ManageError;
use crate::device;
use crate::keys::MAX_TOKEN_LIFETIME_SECS;

/// Five years.
const MAX_REFRESH_TOKEN_LIFETIME_SECS: i64 = 157_788_000;
const MAX_LEEWAY_SECS: i64 = 86_400;

/// The grants that this server knows.
const GRANT_TYPES: [&str; 4] =
    ["authorization_code", "refresh_token", "client_credentials", device::GRANT_TYPE];
/// Schemes that a browser runs or reads by itself.
const FORBIDDEN_SCHEMES: [&str; 8] =
    ["javascript", "data", "vbscript", "file", "blob", "about", "view-source", "filesystem"];

fn rule(holds: bool, broken: impl Into<String>) -> Result<(), ManageError> {
    if holds { Ok(()) } else { Err(ManageError::invalid(broken)) }
}

pub(super) fn client(client: &Client, has_asn: bool) -> Result<(), ManageError> {
    client_id(client.client_id.as_str())?;
    rule(!client.name.trim().is_empty() && client.name.len() <= 255, "name must have 1 to 255 bytes")?;
    for uri in client.callbacks.iter().chain(&client.allowed_logout_urls) {
        absolute_uri(uri)?;
    }
    for grant in &client.grant_types {
        rule(GRANT_TYPES.contains(&grant.as_str()), format!("unknown grant type: {grant}"))?;
    }
    let public = client.token_endpoint_auth_method == TokenEndpointAuthMethod::None;
    rule(
        client.client_secret_hashes.is_empty() == public,
        "a public client has no secret, and any other has one",
    )?;
    rule(client.client_secret_hashes.len() <= 2, "at most two secrets are valid at a time")?;
    rule(
        !(public && client.grant_types.iter().any(|grant| grant == "client_credentials")),
        "a public client cannot use client_credentials",
    )?;
    rule(
        client.metadata.len() <= 10
            && client
                .metadata
                .iter()
                .all(|(key, value)| key.chars().count() <= 255 && value.chars().count() <= 255),
        "client_metadata has at most 10 entries of 255 characters",
    )?;
    refresh_token(client)?;
    rule(
        (1..=MAX_TOKEN_LIFETIME_SECS).contains(&client.jwt_configuration.lifetime_in_seconds),
        "an ID token lives 1 second to 30 days",
    )?;
    if let Some(transfer) = &client.session_transfer {
        rule(
            transfer.enforce_device_binding != DeviceBinding::Asn || has_asn,
            "device binding `asn` needs ASN data, which this server does not have",
        )?;
    }
    Ok(())
}

fn refresh_token(client: &Client) -> Result<(), ManageError> {
    let settings = &client.refresh_token;
    rule(
        (0..=MAX_LEEWAY_SECS).contains(&settings.leeway),
        "refresh_token.leeway must be 0 to 86400 seconds",
    )?;
    rule(
        (1..=MAX_REFRESH_TOKEN_LIFETIME_SECS).contains(&settings.token_lifetime),
        "refresh_token.token_lifetime must be 1 to 157788000 seconds",
    )?;
    rule(settings.idle_token_lifetime >= 1, "refresh_token.idle_token_lifetime must be at least 1 second")?;
    if let (Some(absolute), Some(idle)) = (settings.absolute_lifetime(), settings.idle_lifetime()) {
        rule(idle <= absolute, "refresh_token.idle_token_lifetime may not exceed token_lifetime")?;
    }
    let expires = settings.expiration_type == ExpirationType::Expiring;
    rule(
        expires || settings.rotation_type == RotationType::NonRotating,
        "refresh tokens that rotate must expire",
    )?;
    rule(
        expires || client.app_type != AppType::Spa,
        "refresh tokens of a single-page application must expire",
    )?;
    for policy in &settings.policies {
        rule(
            (1..=600).contains(&policy.audience.len()) && !policy.scope.is_empty(),
            "a refresh token policy needs an audience of 1 to 600 bytes and at least one scope",
        )?;
        rule(
            policy.scope.iter().all(|scope| (1..=280).contains(&scope.len())),
            "a scope of a refresh token policy has 1 to 280 bytes",
        )?;
        let same = settings.policies.iter().filter(|other| other.audience == policy.audience);
        rule(same.count() == 1, format!("two refresh token policies are for {}", policy.audience))?;
    }
    Ok(())
}

/// No client id may look like the `sub` of a user or of a machine token.
fn client_id(id: &str) -> Result<(), ManageError> {
    rule(
        (1..=64).contains(&id.len())
            && id.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.' | b'~')),
        "client_id must be 1 to 64 of the characters A-Z a-z 0-9 - _ . ~",
    )
}

/// Absolute, without a fragment (RFC 6749 §3.1.2), and of a scheme that a browser may be sent to.
fn absolute_uri(uri: &str) -> Result<(), ManageError> {
    let refuse = |reason: &str| Err(ManageError::invalid(format!("{uri}: {reason}")));
    if uri.contains('#') {
        return refuse("may not have a fragment");
    }
    if uri.chars().any(|c| c.is_control() || c.is_whitespace() || matches!(c, '\\' | '*' | '"' | '<' | '>')) {
        return refuse("has a character that it may not have");
    }
    let Ok(parsed) = Url::parse(uri) else { return refuse("is not an absolute URI") };
    if FORBIDDEN_SCHEMES.contains(&parsed.scheme()) {
        return refuse("has a scheme that is not allowed");
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return refuse("may not have a user name or password");
    }
    if matches!(parsed.scheme(), "http" | "https") && !parsed.has_host() {
        return refuse("has no host");
    }
    Ok(())
}

/// The longest that the dialect's largest plan lets a session live, and live unused.
const MAX_SESSION_LIFETIME_SECS: i64 = 365 * 24 * 3600;
const MAX_IDLE_SESSION_LIFETIME_SECS: i64 = 100 * 24 * 3600;

pub(super) fn tenant(tenant: &Tenant) -> Result<(), ManageError> {
    rule((1..=255).contains(&tenant.friendly_name.trim().len()), "friendly_name must have 1 to 255 bytes")?;
    for uri in &tenant.allowed_logout_urls {
        absolute_uri(uri)?;
    }
    let sessions = &tenant.sessions;
    for mode in [CookieMode::Persistent, CookieMode::NonPersistent] {
        let (lifetime_secs, idle_secs) = sessions.lifetimes(mode);
        rule(
            (1..=MAX_SESSION_LIFETIME_SECS).contains(&lifetime_secs),
            "a session lives at most 365 days (8760 hours)",
        )?;
        rule(
            (1..=MAX_IDLE_SESSION_LIFETIME_SECS).contains(&idle_secs),
            "a session lives unused at most 100 days (2400 hours)",
        )?;
    }
    Ok(())
}

pub(super) fn resource_server(api: &ResourceServer) -> Result<(), ManageError> {
    let id = &api.identifier;
    rule(
        (1..=600).contains(&id.len()) && !id.chars().any(|c| c.is_control() || c.is_whitespace()),
        "the identifier must have 1 to 600 bytes without spaces",
    )?;
    rule(!id.ends_with(":session_transfer"), "the identifier is reserved for session transfer")?;
    rule(
        !id.ends_with("/userinfo"),
        "the identifier may not end in /userinfo, which is the server's own audience",
    )?;
    for scope in &api.scopes {
        rule(
            oauth::parse_scope(scope).is_ok_and(|parsed| parsed == [scope.clone()]),
            format!("not a scope: {scope}"),
        )?;
    }
    rule(
        (1..=MAX_TOKEN_LIFETIME_SECS).contains(&api.token_lifetime_secs),
        "an access token lives 1 second to 30 days",
    )
}

pub(super) fn user(email: &str, username: Option<&str>, password: &str) -> Result<(), ManageError> {
    let (local, domain) = email.split_once('@').unwrap_or_default();
    rule(
        !local.is_empty()
            && !domain.is_empty()
            && email.len() <= 254
            && !domain.contains('@')
            && !email.chars().any(|c| c.is_control() || c.is_whitespace()),
        "not an e-mail address",
    )?;
    if let Some(username) = username {
        // A user name that looks like an address could be another user's.
        rule(
            (1..=128).contains(&username.len())
                && !username.contains('@')
                && !username.chars().any(|c| c.is_control() || c.is_whitespace()),
            "a user name has 1 to 128 bytes, no spaces and no @",
        )?;
    }
    self::password(password)
}

pub(super) fn password(password: &str) -> Result<(), ManageError> {
    rule((8..=256).contains(&password.chars().count()), "a password has 8 to 256 characters")
}

pub(super) fn action(name: &str, secrets: &BTreeMap<String, String>) -> Result<(), ManageError> {
    rule(
        (1..=128).contains(&name.len()) && !name.chars().any(char::is_control),
        "an Action's name has 1 to 128 bytes",
    )?;
    rule(
        secrets.len() <= 100 && secrets.iter().all(|(key, value)| key.len() <= 128 && value.len() <= 8192),
        "an Action has at most 100 secrets of 8192 bytes",
    )
}

#[cfg(test)]
mod tests {
    use model::{ClientId, JwtConfiguration, RefreshTokenSettings, SessionTransfer};

    use super::*;

    fn native() -> Client {
        Client {
            client_id: ClientId::new("native"),
            name: "Native".to_owned(),
            client_secret_hashes: Vec::new(),
            app_type: AppType::Native,
            token_endpoint_auth_method: TokenEndpointAuthMethod::None,
            callbacks: vec!["com.example.app://cb".to_owned(), "http://127.0.0.1/cb".to_owned()],
            allowed_logout_urls: Vec::new(),
            grant_types: vec!["authorization_code".to_owned(), "refresh_token".to_owned()],
            metadata: BTreeMap::new(),
            session_transfer: None,
            refresh_token: RefreshTokenSettings::default(),
            jwt_configuration: JwtConfiguration::default(),
            is_token_endpoint_ip_header_trusted: false,
            require_pushed_authorization_requests: false,
            client_authentication_methods: None,
            require_proof_of_possession: false,
            resource_server_identifier: None,
        }
    }

    #[test]
    fn client_ids_cannot_be_a_subject() {
        assert!(client(&native(), false).is_ok());
        for id in ["", "x@clients", "auth0|5f7c8ec7c33c6c004bbafe82", "a b", "é", &"a".repeat(65)] {
            let bad = Client { client_id: ClientId::new(id), ..native() };
            assert!(client(&bad, false).is_err(), "{id}");
        }
    }

    #[test]
    fn redirect_uris_are_absolute_and_harmless() {
        for uri in [
            "/cb",
            "cb",
            "//host/cb",
            "https://a.example/cb#f",
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            "data:text/html,x",
            "https://*.example/cb",
            "https://a.example/cb\r\nX: y",
            "https://u:p@a.example/cb",
            "https:\\\\a.example",
            "",
        ] {
            let bad = Client { callbacks: vec![uri.to_owned()], ..native() };
            assert!(client(&bad, false).is_err(), "{uri}");
        }
    }

    #[test]
    fn settings_that_the_server_cannot_keep_are_refused() {
        let transfer =
            SessionTransfer { enforce_device_binding: DeviceBinding::Asn, ..SessionTransfer::default() };
        let asn = Client { session_transfer: Some(transfer), ..native() };
        assert!(client(&asn, false).is_err());
        assert!(client(&asn, true).is_ok());
        let machine = Client { grant_types: vec!["client_credentials".to_owned()], ..native() };
        assert!(client(&machine, false).is_err());
        let secret = Client { client_secret_hashes: vec!["x".to_owned()], ..native() };
        assert!(client(&secret, false).is_err());
    }
}
