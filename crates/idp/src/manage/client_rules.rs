//! The rules for what of a client has no effect: its form, and what would be a promise that this server does not keep.

use model::{
    ClientProfile, ComplianceLevel, DefaultTokenQuota, JwtAlgorithm, RedirectionPolicy, TokenQuotaLimits,
};
use url::Url;

use super::ManageError;
use super::validate::rule;

const MAX_DESCRIPTION_CHARS: usize = 140;
pub(super) const MAX_URI_BYTES: usize = 2048;

/// Checks it.
///
/// # Errors
/// [`ManageError::Invalid`] with the rule that is broken.
pub(super) fn check(profile: &ClientProfile) -> Result<(), ManageError> {
    form(profile)?;
    promises(profile)
}

fn form(profile: &ClientProfile) -> Result<(), ManageError> {
    rule(
        profile.description.as_ref().is_none_or(|text| text.chars().count() <= MAX_DESCRIPTION_CHARS),
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
    if let Some(quota) = profile.token_quota.as_ref().and_then(|quota| quota.client_credentials.as_ref()) {
        limits("token_quota", quota)?;
    }
    Ok(())
}

/// Whoever sets one of these relies on it: better to say that it is not there.
fn promises(profile: &ClientProfile) -> Result<(), ManageError> {
    let kept = |holds: bool, broken: &str| rule(holds, broken.to_owned());
    let alg = profile.jwt_configuration.as_ref().and_then(|settings| settings.alg);
    kept(
        alg.is_none_or(|alg| alg == JwtAlgorithm::Rs256),
        "jwt_configuration.alg: this server signs ID tokens with RS256",
    )?;
    let delegation = profile.session_transfer.as_ref().and_then(|transfer| transfer.delegation.as_ref());
    kept(
        delegation.is_none_or(|delegation| delegation.allow_delegated_access != Some(true)),
        "session_transfer.delegation: this server has no session delegation",
    )?;
    let signed = profile.signed_request_object.as_ref();
    kept(
        signed.is_none_or(|signed| {
            signed.required != Some(true) && signed.credentials.as_ref().is_none_or(Vec::is_empty)
        }),
        "signed_request_object: this server has no signed request objects",
    )?;
    kept(
        profile.compliance_level.is_none_or(|level| level == ComplianceLevel::None),
        "compliance_level: this server enforces none of these profiles as a whole",
    )?;
    kept(profile.encryption_key.is_none(), "encryption_key: this server does not encrypt tokens")?;
    kept(
        profile.default_organization.is_none(),
        "default_organization: this server has no organizations for client_credentials",
    )?;
    kept(
        profile.redirection_policy != Some(RedirectionPolicy::OpenRedirectProtection),
        "redirection_policy: this server has no open_redirect_protection",
    )?;
    let quota = profile.token_quota.as_ref().and_then(|quota| quota.client_credentials.as_ref());
    kept(quota.is_none_or(is_only_watched), "token_quota: this server enforces no quotas of tokens")
}

/// Whether the quota is not enforced. Without a word it is.
fn is_only_watched(limits: &TokenQuotaLimits) -> bool {
    limits.enforce == Some(false)
}

/// The same for a tenant's default.
pub(super) fn default_quota(quota: &DefaultTokenQuota) -> Result<(), ManageError> {
    for of in [&quota.clients, &quota.organizations] {
        if let Some(quota) = of.as_ref().and_then(|of| of.client_credentials.as_ref()) {
            limits("default_token_quota", quota)?;
            rule(is_only_watched(quota), "default_token_quota: this server enforces no quotas of tokens")?;
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
