//! The rules for what is stored.

use std::collections::BTreeMap;

use model::{
    AppType, AssertionAlgorithm, Client, CookieMode, DeviceBinding, ExpirationType, Group, InitiatorMode,
    LogoutInitiator, OidcLogout, Organization, PublicKeyCredential, ResourceServer, RotationType, Tenant,
    TokenEndpointAuthMethod,
};
use url::{Host, Url};

use super::{ManageError, client_rules, limits};
use crate::public_key::PublicKey;
use crate::token::{MFA_OTP_GRANT_TYPE, MFA_RECOVERY_CODE_GRANT_TYPE, PASSWORD_REALM_GRANT_TYPE};
use crate::{device, organizations};

/// The grants that this server knows, and those of the dialect that it refuses when they are used.
const GRANT_TYPES: [&str; 22] = [
    "authorization_code",
    "refresh_token",
    "client_credentials",
    device::GRANT_TYPE,
    "password",
    PASSWORD_REALM_GRANT_TYPE,
    MFA_OTP_GRANT_TYPE,
    MFA_RECOVERY_CODE_GRANT_TYPE,
    "implicit",
    "urn:ietf:params:oauth:grant-type:jwt-bearer",
    "urn:ietf:params:oauth:grant-type:token-exchange",
    "urn:openid:params:grant-type:ciba",
    "urn:okta:params:oauth:grant-type:oob",
    "urn:okta:params:oauth:grant-type:webauthn",
    "urn:auth0:params:oauth:grant-type:token-exchange:federated-connection-access-token",
    "http://auth0.com/oauth/grant-type/mfa-oob",
    "http://auth0.com/oauth/grant-type/passwordless/otp",
    "http://auth0.com/oauth/legacy/grant-type/ro",
    "http://auth0.com/oauth/legacy/grant-type/ro/jwt-bearer",
    "http://auth0.com/oauth/legacy/grant-type/delegation/refresh_token",
    "http://auth0.com/oauth/legacy/grant-type/delegation/id_token",
    "http://auth0.com/oauth/legacy/grant-type/access_token",
];
/// Schemes that a browser runs or reads by itself.
const FORBIDDEN_SCHEMES: [&str; 8] =
    ["javascript", "data", "vbscript", "file", "blob", "about", "view-source", "filesystem"];
const MAX_BACKCHANNEL_URL_BYTES: usize = 2048;

pub(super) fn rule(holds: bool, broken: impl Into<String>) -> Result<(), ManageError> {
    if holds { Ok(()) } else { Err(ManageError::invalid(broken)) }
}

fn is_in((least, most): (i64, i64), number: i64) -> bool {
    (least..=most).contains(&number)
}

/// Whether metadata has no more entries, and none that is too long.
pub(super) fn is_metadata(metadata: &BTreeMap<String, String>, entries: usize) -> bool {
    let fits = |text: &String| text.chars().count() <= limits::METADATA_CHARS;
    metadata.len() <= entries && metadata.iter().all(|(key, value)| fits(key) && fits(value))
}

pub(super) fn client(client: &Client, has_asn: bool) -> Result<(), ManageError> {
    client_id(client.client_id.as_str())?;
    rule(
        !client.name.trim().is_empty() && client.name.len() <= limits::NAME_BYTES,
        "name must have 1 to 255 bytes",
    )?;
    rule(!client.name.contains(['<', '>']), "name may not have < or >")?;
    for uri in client.callbacks.iter().chain(&client.allowed_logout_urls) {
        absolute_uri(uri)?;
    }
    for (name, origins) in
        [("allowed_origins", &client.allowed_origins), ("web_origins", &client.web_origins)]
    {
        for origin in origins {
            // A wildcard stands for labels of the host.
            rule(
                origin.len() <= client_rules::MAX_URI_BYTES && Url::parse(&origin.replace('*', "x")).is_ok(),
                format!("{name}: {origin} is no URL"),
            )?;
        }
    }
    for grant in &client.grant_types {
        rule(GRANT_TYPES.contains(&grant.as_str()), format!("unknown grant type: {grant}"))?;
    }
    authentication(client)?;
    let public = client.token_endpoint_auth_method == TokenEndpointAuthMethod::None;
    rule(!(public && client.resource_server_identifier.is_some()), "a public client cannot introspect")?;
    rule(
        is_metadata(&client.metadata, limits::CLIENT_METADATA_ENTRIES),
        "client_metadata has at most 10 entries of 255 characters",
    )?;
    rule(
        client.par_request_expiry.is_none_or(|secs| is_in(limits::PAR_EXPIRY_SECS, secs)),
        "par_request_expiry must be 10 to 600 seconds",
    )?;
    refresh_token(client)?;
    rule(
        is_in(limits::TOKEN_LIFETIME_SECS, client.jwt_configuration.lifetime_in_seconds),
        "an ID token lives 1 second to 30 days",
    )?;
    if let Some(transfer) = &client.session_transfer {
        rule(
            transfer.enforce_device_binding != DeviceBinding::Asn || has_asn,
            "device binding `asn` needs ASN data, which this server does not have",
        )?;
    }
    client.oidc_logout.as_ref().map_or(Ok(()), oidc_logout)
}

/// `reference/native-to-web.md` section 3.5. Whether an address may be reached, is looked at when it is.
fn oidc_logout(settings: &OidcLogout) -> Result<(), ManageError> {
    rule(
        settings.backchannel_logout_urls.len() <= limits::BACKCHANNEL_URLS,
        "oidc_logout has at most one backchannel_logout_url",
    )?;
    for uri in &settings.backchannel_logout_urls {
        rule(uri.len() <= MAX_BACKCHANNEL_URL_BYTES, "a backchannel_logout_url has at most 2048 bytes")?;
        absolute_uri(uri)?;
        let url = Url::parse(uri).ok();
        let is_loopback = |url: &Url| match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        rule(
            url.is_some_and(|url| url.scheme() == "https" || url.scheme() == "http" && is_loopback(&url)),
            format!("{uri}: must be https, or http on loopback for development"),
        )?;
    }
    if let Some(initiators) = &settings.backchannel_logout_initiators {
        let selected = &initiators.selected_initiators;
        rule(
            initiators.mode == InitiatorMode::All
                || LogoutInitiator::REQUIRED.iter().all(|required| selected.contains(required)),
            "selected_initiators must have rp-logout and idp-logout",
        )?;
        rule(selected.len() <= LogoutInitiator::ALL.len(), "selected_initiators names one twice")?;
    }
    Ok(())
}

fn refresh_token(client: &Client) -> Result<(), ManageError> {
    let settings = &client.refresh_token;
    rule(is_in(limits::LEEWAY_SECS, settings.leeway), "refresh_token.leeway must be 0 to 86400 seconds")?;
    rule(
        is_in(limits::REFRESH_TOKEN_LIFETIME_SECS, settings.token_lifetime),
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
            (1..=limits::IDENTIFIER_BYTES).contains(&policy.audience.len()) && !policy.scope.is_empty(),
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

/// Exactly what the client's one method needs: secrets, keys, or nothing.
fn authentication(client: &Client) -> Result<(), ManageError> {
    let method = client.token_endpoint_auth_method;
    let has_secrets = !client.client_secret_hashes.is_empty();
    match method {
        TokenEndpointAuthMethod::None => rule(!has_secrets, "a public client has no secret")?,
        TokenEndpointAuthMethod::PrivateKeyJwt => {
            rule(!has_secrets, "a client with private_key_jwt has no secret")?;
        }
        TokenEndpointAuthMethod::TlsClientAuth | TokenEndpointAuthMethod::SelfSignedTlsClientAuth => {
            rule(!has_secrets, "a client with mutual TLS has no secret")?;
        }
        TokenEndpointAuthMethod::ClientSecretPost | TokenEndpointAuthMethod::ClientSecretBasic => {
            rule(has_secrets, "a client that authenticates with a secret has one")?;
        }
    }
    rule(client.client_secret_hashes.len() <= 2, "at most two secrets are valid at a time")?;
    let by_key = method == TokenEndpointAuthMethod::PrivateKeyJwt;
    let Some(methods) = &client.client_authentication_methods else {
        return rule(!by_key, "a client with private_key_jwt has client_authentication_methods");
    };
    rule(by_key, "only a client with private_key_jwt has client_authentication_methods")?;
    let credentials = &methods.private_key_jwt.credentials;
    rule((1..=2).contains(&credentials.len()), "private_key_jwt has one or two credentials")?;
    for (at, known) in credentials.iter().enumerate() {
        credential(known)?;
        let others = &credentials[..at];
        rule(
            !others.iter().any(|other| other.id == known.id || other.kid == known.kid),
            "the credentials must differ in id and key",
        )?;
    }
    Ok(())
}

pub(super) fn credential(credential: &PublicKeyCredential) -> Result<(), ManageError> {
    rule(
        credential.id.strip_prefix("cred_").is_some_and(|rest| (1..=64).contains(&rest.len())),
        "a credential's id is cred_ and 1 to 64 bytes",
    )?;
    credential_name(&credential.name)?;
    let key = public_key(&credential.pem, credential.alg)?;
    rule(credential.kid == key.thumbprint(), "a credential's kid is the thumbprint of its key (RFC 7638)")
}

/// What people call a key or certificate.
pub(super) fn credential_name(name: &str) -> Result<(), ManageError> {
    rule(
        name.len() <= limits::CREDENTIAL_NAME_BYTES && !name.chars().any(char::is_control),
        "a credential's name has at most 128 bytes",
    )
}

/// The key of a credential, when it fits the algorithm.
pub(super) fn public_key(pem: &str, alg: AssertionAlgorithm) -> Result<PublicKey, ManageError> {
    let key =
        (pem.len() <= limits::PEM_BYTES).then(|| PublicKey::from_pem(pem)).flatten().ok_or_else(|| {
            ManageError::invalid(
                "pem must be a PUBLIC KEY of at most 8192 bytes: RSA, or EC on the curve P-256",
            )
        })?;
    let is_ec = matches!(key, PublicKey::P256 { .. });
    rule(is_ec == (alg == AssertionAlgorithm::ES256), "the key does not fit its alg")?;
    // What signatures are checked with takes no other sizes.
    let fits = key.rsa_bits().is_none_or(|bits| (2048..=8192).contains(&bits));
    rule(fits, "an RSA key must have 2048 to 8192 bits")?;
    Ok(key)
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

pub(super) fn tenant(tenant: &Tenant) -> Result<(), ManageError> {
    rule(
        (1..=limits::NAME_BYTES).contains(&tenant.friendly_name.trim().len()),
        "friendly_name must have 1 to 255 bytes",
    )?;
    for uri in &tenant.allowed_logout_urls {
        absolute_uri(uri)?;
    }
    rule(
        !tenant.flags.require_pushed_authorization_requests
            || tenant.flags.pushed_authorization_requests_supported,
        "flags.require_pushed_authorization_requests needs pushed_authorization_requests_supported",
    )?;
    let sessions = &tenant.sessions;
    for mode in [CookieMode::Persistent, CookieMode::NonPersistent] {
        let (lifetime_secs, idle_secs) = sessions.lifetimes(mode);
        rule(
            (1..=limits::SESSION_LIFETIME_HOURS * 3600).contains(&lifetime_secs),
            "a session lives at most 365 days (8760 hours)",
        )?;
        rule(
            (1..=limits::IDLE_SESSION_LIFETIME_HOURS * 3600).contains(&idle_secs),
            "a session lives unused at most 100 days (2400 hours)",
        )?;
    }
    Ok(())
}

pub(super) fn resource_server(api: &ResourceServer) -> Result<(), ManageError> {
    let id = &api.identifier;
    rule(
        (1..=limits::IDENTIFIER_BYTES).contains(&id.len())
            && !id.chars().any(|c| c.is_control() || c.is_whitespace()),
        "the identifier must have 1 to 600 bytes without spaces",
    )?;
    rule(id != crate::management_api::STORED_AUDIENCE, "the identifier is that of the Management API")?;
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
        is_in(limits::TOKEN_LIFETIME_SECS, api.token_lifetime_secs),
        "an access token lives 1 second to 30 days",
    )
}

pub(super) fn organization(organization: &Organization) -> Result<(), ManageError> {
    let (name, display_name) = (&organization.name, &organization.display_name);
    rule(
        (1..=limits::ORGANIZATION_NAME_BYTES).contains(&name.len())
            && name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'-' | b'_'))
            && name.starts_with(|c: char| c.is_ascii_alphanumeric()),
        "an organization's name has 1 to 50 of the characters a-z 0-9 - _ and begins with a letter or digit",
    )?;
    rule(!name.starts_with(organizations::PREFIX), "an organization's name may not look like an id")?;
    self::name("an organization's display_name", display_name)?;
    rule(
        is_metadata(&organization.metadata, limits::ORGANIZATION_METADATA_ENTRIES),
        "metadata has at most 25 entries of 255 characters",
    )
}

pub(super) fn group(group: &Group) -> Result<(), ManageError> {
    name("a group", &group.name)?;
    group.external_id.as_deref().map_or(Ok(()), |id| name("an external_id", id))
}

/// What people call something.
pub(super) fn name(what: &str, name: &str) -> Result<(), ManageError> {
    rule(
        !name.trim().is_empty() && name.len() <= limits::NAME_BYTES && !name.chars().any(char::is_control),
        format!("{what} has 1 to 255 bytes"),
    )
}

/// Hosts that an Action may send requests to: as a URL has them, so that they compare.
pub(super) fn hosts(hosts: &[String]) -> Result<(), ManageError> {
    let is_host = |host: &str| {
        let name = host.strip_prefix("*.").unwrap_or(host);
        url::Url::parse(&format!("https://{name}/")).is_ok_and(|url| url.host_str() == Some(name))
    };
    rule(hosts.len() <= limits::ALLOWED_HOSTS, "an Action has at most 50 allowed hosts")?;
    match hosts.iter().find(|host| !is_host(host)) {
        None => Ok(()),
        Some(host) => Err(ManageError::invalid(format!(
            "{host:?} is no host: it is written as in a URL, api.example or *.example.com, without scheme, port and path"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use model::{
        ClientAuthenticationMethods, ClientId, PrivateKeyJwt as PrivateKeyJwtSettings, SessionTransfer,
    };

    use super::*;

    fn native() -> Client {
        let (id, method) = (ClientId::new("native"), TokenEndpointAuthMethod::None);
        Client {
            callbacks: vec!["com.example.app://cb".to_owned(), "http://127.0.0.1/cb".to_owned()],
            grant_types: vec!["authorization_code".to_owned(), "refresh_token".to_owned()],
            ..Client::new(id, "Native", AppType::Native, method)
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
        let unknown = Client { grant_types: vec!["magic".to_owned()], ..native() };
        assert!(client(&unknown, false).is_err());
    }

    const RSA: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAqNCEOz99dryNvj3i4QnM
UNEKCA5OoUgxBPN2rSkBLuxCUhcL18+givFo0dOVelUrrRCyPIIqCn2Ejc+ygmzf
TaUb38klluHukNdzjT0r0eirT8nga/+bH5xEYkoMNReF4UpsxhSipFJK7BzgECTX
53WU1jvgzNsBGOeycP+4AsKk2u7+5igll3mY7G3Fq7np7wisFRXFnTYFsM4dvOVY
XD5i5jEXHOUGpcZvhLpopWKhTzZYtbi/jg0cXULl5+rzATzqUQQG59SToGlD+PQj
wH69gdl7EzUBGpIB7gcfbyZiw6boMrXrg3SpVkXMAEz3rscvHqXXOZ9km80ir1/9
2wIDAQAB
-----END PUBLIC KEY-----";
    const RSA_1024: &str = "-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDR1lBSaK8r4ryFnN71bOmQly5B
jaXsx/yxOTchZxYizkseUb3q60H6CHVqXeT/uoTq57BztPJou/mA3O0tAUeyLa7S
4etCz84m0E6DAiLLs2IqzhLRXtX1Nq03laeykL4G7gBbJuqha/DAthdtNlQOqk5U
8DiRhlnCM4HYX+5VpQIDAQAB
-----END PUBLIC KEY-----";
    const EC: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEZiewMsC9JniKM3Cys+ZagHnWQboo
IvS9xnhvld1M4kBUQcEFXzfZ/MTfl+Grbbjqh9iGIe+z+8RnoQ0J9crORw==
-----END PUBLIC KEY-----";
    const P384: &str = "-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAECIhITMfEZHizdqqDN6AThZA+swzFQSaq
8whh69hQlhS/0LRQxmWXHpy9DcBGMHnTzKz/dmQ3TdbQOYSwjjSFeAlgVO2JvL9V
Z4NM3LKWS89Tw4W0ubo7aZrw7MQo+jpo
-----END PUBLIC KEY-----";

    fn key(id: &str, alg: AssertionAlgorithm, pem: &str) -> PublicKeyCredential {
        PublicKeyCredential {
            id: format!("cred_{id}"),
            kid: PublicKey::from_pem(pem).map(|key| key.thumbprint()).unwrap_or_default(),
            name: String::new(),
            alg,
            pem: pem.to_owned(),
            expires_at: None,
            created_at: None,
        }
    }

    // CA1 CA3
    #[test]
    fn a_client_has_exactly_what_its_method_needs() {
        use AssertionAlgorithm::{ES256, PS256, RS256, RS384};
        use TokenEndpointAuthMethod::{ClientSecretBasic, ClientSecretPost, None, PrivateKeyJwt};
        let with = |method, secrets: usize, keys: Option<Vec<PublicKeyCredential>>| {
            let checked = Client {
                token_endpoint_auth_method: method,
                client_secret_hashes: vec!["x".to_owned(); secrets],
                client_authentication_methods: keys.map(|credentials| ClientAuthenticationMethods {
                    private_key_jwt: PrivateKeyJwtSettings { credentials },
                }),
                ..native()
            };
            client(&checked, false).map_err(|error| error.to_string())
        };
        let (rsa, ec) = (key("a", RS256, RSA), key("b", ES256, EC));
        assert_eq!(with(None, 0, Option::None), Ok(()));
        for method in [ClientSecretPost, ClientSecretBasic] {
            assert_eq!(with(method, 1, Option::None), Ok(()));
            assert_eq!(with(method, 2, Option::None), Ok(()));
        }
        for keys in [
            vec![rsa.clone()],
            vec![ec.clone(), rsa.clone()],
            vec![key("a", PS256, RSA)],
            vec![key("a", RS384, RSA)],
        ] {
            assert_eq!(with(PrivateKeyJwt, 0, Some(keys)), Ok(()));
        }
        let no_secret = "a client that authenticates with a secret has one";
        let one_or_two = "private_key_jwt has one or two credentials";
        let differ = "the credentials must differ in id and key";
        let only = "only a client with private_key_jwt has client_authentication_methods";
        let thumbprint = "a credential's kid is the thumbprint of its key (RFC 7638)";
        let pem = "pem must be a PUBLIC KEY of at most 8192 bytes: RSA, or EC on the curve P-256";
        let bad_id = "a credential's id is cred_ and 1 to 64 bytes";
        let one = |key: PublicKeyCredential| Some(vec![key]);
        for (method, secrets, keys, broken) in [
            (None, 1, Option::None, "a public client has no secret"),
            (ClientSecretPost, 0, Option::None, no_secret),
            (ClientSecretBasic, 0, Option::None, no_secret),
            (ClientSecretBasic, 3, Option::None, "at most two secrets are valid at a time"),
            (PrivateKeyJwt, 1, one(rsa.clone()), "a client with private_key_jwt has no secret"),
            (
                PrivateKeyJwt,
                0,
                Option::None,
                "a client with private_key_jwt has client_authentication_methods",
            ),
            (None, 0, one(rsa.clone()), only),
            (ClientSecretPost, 1, one(rsa.clone()), only),
            (PrivateKeyJwt, 0, Some(vec![]), one_or_two),
            (PrivateKeyJwt, 0, Some(vec![rsa.clone(), ec.clone(), rsa.clone()]), one_or_two),
            (PrivateKeyJwt, 0, Some(vec![rsa.clone(), key("b", RS384, RSA)]), differ),
            (PrivateKeyJwt, 0, Some(vec![rsa.clone(), key("a", ES256, EC)]), differ),
            (PrivateKeyJwt, 0, one(key("a", ES256, RSA)), "the key does not fit its alg"),
            (PrivateKeyJwt, 0, one(key("a", RS256, EC)), "the key does not fit its alg"),
            (PrivateKeyJwt, 0, one(key("a", RS256, RSA_1024)), "an RSA key must have 2048 to 8192 bits"),
            (PrivateKeyJwt, 0, one(key("a", ES256, P384)), pem),
            (PrivateKeyJwt, 0, one(key("a", ES256, "")), pem),
            (PrivateKeyJwt, 0, one(key("a", ES256, &format!("{EC}{}", " ".repeat(8192)))), pem),
            (PrivateKeyJwt, 0, one(PublicKeyCredential { kid: "a".to_owned(), ..rsa.clone() }), thumbprint),
            (PrivateKeyJwt, 0, one(PublicKeyCredential { id: "a".to_owned(), ..rsa.clone() }), bad_id),
            (PrivateKeyJwt, 0, one(PublicKeyCredential { id: "cred_".to_owned(), ..rsa.clone() }), bad_id),
        ] {
            assert_eq!(with(method, secrets, keys), Err(broken.to_owned()));
        }
        let api = Client { resource_server_identifier: Some("https://api.example/".to_owned()), ..native() };
        assert_eq!(client(&api, false).unwrap_err().to_string(), "a public client cannot introspect");
    }
}
