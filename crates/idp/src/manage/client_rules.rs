//! The rules for the settings of a client that are looked at by few or none: their form.

use model::{AssertionAlgorithm, Client, ClientProfile, DefaultTokenQuota, ExpirationType, TokenQuotaLimits};
use serde_json::{Map, Value};
use url::Url;

use super::object::{invalid, read};
use super::validate::{self, rule};
use super::{ManageError, limits};

pub(super) const MAX_URI_BYTES: usize = 2048;
/// The one flow that has a default organization.
const CLIENT_CREDENTIALS: &str = "client_credentials";

/// Checks it.
///
/// # Errors
/// [`ManageError::Invalid`] with the rule that is broken.
pub(super) fn check(client: &Client, profile: &ClientProfile) -> Result<(), ManageError> {
    rule(
        profile
            .description
            .as_ref()
            .is_none_or(|text| text.chars().count() <= limits::CLIENT_DESCRIPTION_CHARS),
        "description has at most 140 characters",
    )?;
    for (name, value) in [("logo_uri", &profile.logo_uri), ("cross_origin_loc", &profile.cross_origin_loc)] {
        if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
            uri(name, value, &["https", "http"])?;
        }
    }
    if let Some(login) = profile.initiate_login_uri.as_deref().filter(|value| !value.is_empty()) {
        uri("initiate_login_uri", login, &["https"])?;
        rule(!login.contains('#'), "initiate_login_uri may not have a fragment")?;
    }
    strict(client)?;
    if let Some(quota) = client.token_quota.as_ref().and_then(|quota| quota.client_credentials.as_ref()) {
        limits("token_quota", quota)?;
    }
    if let Some(default) = &client.default_organization {
        rule(
            default.organization_id.as_ref().is_some_and(|id| !id.is_empty()),
            "default_organization has an organization_id",
        )?;
        rule(
            default.flows.as_ref().is_some_and(|flows| *flows == [CLIENT_CREDENTIALS]),
            "default_organization.flows is [\"client_credentials\"]",
        )?;
    }
    let signed = client.signed_request_object.as_ref();
    for credential in signed.and_then(|signed| signed.credentials.as_ref()).into_iter().flatten() {
        signing_credential(credential)?;
    }
    Ok(())
}

/// What a third party's client in the mode `strict` may not have.
fn strict(client: &Client) -> Result<(), ManageError> {
    if !client.is_strict() {
        return Ok(());
    }
    let only = Client::STRICT_GRANT_TYPES.join(", ");
    rule(
        client.grant_types.iter().all(|grant| Client::STRICT_GRANT_TYPES.contains(&grant.as_str())),
        format!("grant_types of a third party's client in strict mode are of {only}"),
    )?;
    rule(
        client.refresh_token.expiration_type == ExpirationType::Expiring
            && !client.refresh_token.infinite_token_lifetime
            && !client.refresh_token.infinite_idle_token_lifetime,
        "refresh tokens of a third party's client in strict mode expire, also when they are not used: refresh_token",
    )?;
    rule(
        client.session_transfer.as_ref().is_none_or(|transfer| !transfer.can_create_session_transfer_token),
        "a third party's client in strict mode has no session_transfer.can_create_session_transfer_token",
    )?;
    rule(
        client.allowed_origins.iter().all(|origin| !origin.contains('*')),
        "allowed_origins of a third party's client in strict mode have no *",
    )
}

/// A key for signed requests: the id of one, or a new one, of which the public key is stored.
fn signing_credential(credential: &Map<String, Value>) -> Result<(), ManageError> {
    let known = ["id", "credential_type", "name", "pem", "alg", "expires_at", "parse_expiry_from_cert"];
    if let Some(name) = credential.keys().find(|name| !known.contains(&name.as_str())) {
        let text = format!("Additional properties not allowed: {name}");
        return Err(invalid(&text, "signed_request_object.credentials"));
    }
    let alg = match credential.get("alg") {
        None | Some(Value::Null) => AssertionAlgorithm::RS256,
        Some(alg) => read("signed_request_object.credentials.alg", alg)?,
    };
    match credential.get("pem").and_then(Value::as_str) {
        Some(pem) => validate::public_key(pem, alg).map(drop),
        None => rule(
            credential.get("id").is_some_and(Value::is_string),
            "a credential of signed_request_object is an id, or a new one with credential_type and pem",
        ),
    }
}

/// The limits of a tenant's default quotas of tokens.
pub(super) fn default_quota(quota: &DefaultTokenQuota) -> Result<(), ManageError> {
    for of in [&quota.clients, &quota.organizations] {
        if let Some(quota) = of.as_ref().and_then(|of| of.client_credentials.as_ref()) {
            limits("default_token_quota", quota)?;
        }
    }
    Ok(())
}

fn limits(name: &str, limits: &TokenQuotaLimits) -> Result<(), ManageError> {
    rule(
        [limits.per_day, limits.per_hour].iter().flatten().all(|limit| *limit >= 1),
        format!("{name}: a limit is at least 1"),
    )
}

/// An absolute URI of one of these schemes.
pub(super) fn uri(name: &str, value: &str, schemes: &[&str]) -> Result<(), ManageError> {
    let is_good = value.len() <= MAX_URI_BYTES
        && Url::parse(value).is_ok_and(|url| schemes.contains(&url.scheme()) && url.has_host());
    rule(is_good, format!("{name} must be an absolute URI with {}", schemes.join(" or ")))
}
