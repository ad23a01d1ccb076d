//! The settings of a tenant, by objects of the Management API.

use model::{CookieMode, SessionSettings, Tenant, TenantFlags, TenantId, TenantProfile};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use storage::TenantTx;
use utoipa::ToSchema;

use super::object::{Object, as_object, from_object, invalid, merge, only_known, pass_over, patch, read};
use super::{ManageError, RUNTIMES, client_rules, limits, validate};
use crate::{Idp, ServerError};

/// The objects that may be sent in part.
const PARTIAL: [&str; 4] = ["flags", "sessions", "factors", "oidc_logout"];
/// What only the server writes.
const SANDBOX_VERSIONS: &str = "sandbox_versions_available";
const IN_MINUTES: &str = "_in_minutes";
const LIFETIMES: [&str; 4] = [
    "session_lifetime",
    "idle_session_lifetime",
    "ephemeral_session_lifetime",
    "idle_ephemeral_session_lifetime",
];

/// What of the settings has an effect, as the Management API writes it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields are those of the Management API")]
pub struct TenantSettings {
    pub friendly_name: String,
    pub default_audience: String,
    pub allowed_logout_urls: Vec<String>,
    pub session_lifetime: f64,
    pub idle_session_lifetime: f64,
    pub ephemeral_session_lifetime: f64,
    pub idle_ephemeral_session_lifetime: f64,
    pub session_cookie: SessionCookieSettings,
    pub sessions: SessionsSettings,
    pub oidc_logout: TenantOidcLogout,
    pub flags: FlagSettings,
    pub include_session_metadata_in_tenant_logs: bool,
    pub pushed_authorization_requests_supported: bool,
    pub allow_organization_name_in_authentication_api: bool,
    pub factors: FactorSettings,
}

impl Default for TenantSettings {
    fn default() -> Self {
        let hours = |secs: i64| secs as f64 / 3600.0;
        let sessions = SessionSettings::default();
        Self {
            friendly_name: String::new(),
            default_audience: String::new(),
            allowed_logout_urls: Vec::new(),
            session_lifetime: hours(sessions.session_lifetime_secs),
            idle_session_lifetime: hours(sessions.idle_session_lifetime_secs),
            ephemeral_session_lifetime: hours(sessions.ephemeral_session_lifetime_secs),
            idle_ephemeral_session_lifetime: hours(sessions.idle_ephemeral_session_lifetime_secs),
            session_cookie: SessionCookieSettings::default(),
            sessions: SessionsSettings::default(),
            oidc_logout: TenantOidcLogout::default(),
            flags: FlagSettings::default(),
            include_session_metadata_in_tenant_logs: false,
            pushed_authorization_requests_supported: false,
            allow_organization_name_in_authentication_api: false,
            factors: FactorSettings::default(),
        }
    }
}

/// `session_cookie`.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields are those of the Management API")]
pub struct SessionCookieSettings {
    pub mode: Option<CookieMode>,
}

/// `sessions`.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields are those of the Management API")]
pub struct SessionsSettings {
    pub oidc_logout_prompt_enabled: Option<bool>,
}

/// `oidc_logout` of a tenant.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields are those of the Management API")]
pub struct TenantOidcLogout {
    pub rp_logout_end_session_endpoint_discovery: Option<bool>,
}

/// `flags` that have an effect.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields are those of the Management API")]
pub struct FlagSettings {
    pub revoke_refresh_token_grant: Option<bool>,
    pub require_pushed_authorization_requests: Option<bool>,
}

/// Of our own: which second factors there are.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields are those of the Management API")]
pub struct FactorSettings {
    pub otp: Option<bool>,
    #[serde(rename = "recovery-code")]
    pub recovery_code: Option<bool>,
}

/// The tenant's settings, as [`tenant_as_json`] shows them.
///
/// # Errors
/// [`ManageError::NotFound`].
pub async fn get_tenant(idp: &Idp, tenant: &TenantId) -> Result<Map<String, Value>, ManageError> {
    let found = idp.storage.begin_read(tenant).await?.tenant().await?;
    let (tenant, profile) = found.ok_or_else(|| no_tenant(tenant))?;
    Ok(tenant_as_json(&tenant, &profile)?)
}

/// Changes a tenant's settings; the settings after it.
///
/// # Errors
/// [`ManageError::NotFound`]; [`ManageError::Invalid`] for an unknown name, a wrong type, or a rule that is broken.
pub async fn update_tenant(
    idp: &Idp,
    tenant: &TenantId,
    sent: &Map<String, Value>,
) -> Result<Map<String, Value>, ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    let (known, profile) = tx.tenant().await?.ok_or_else(|| no_tenant(tenant))?;
    let (changed, profile) = patched(&known, &profile, sent)?;
    validate::tenant(&changed)?;
    rules(&profile)?;
    directory_is_there(&mut tx, &profile).await?;
    tx.put_tenant(&changed, &profile).await?;
    tx.commit().await?;
    Ok(tenant_as_json(&changed, &profile)?)
}

/// The tenant's settings as the Management API shows them: lifetimes in hours, with fractions.
///
/// # Errors
/// [`ServerError`] when they cannot be written as JSON.
pub fn tenant_as_json(tenant: &Tenant, profile: &TenantProfile) -> Result<Map<String, Value>, ServerError> {
    let hours = |secs: i64| match secs % 3600 {
        0 => json!(secs / 3600),
        _ => json!(secs as f64 / 3600.0),
    };
    let (sessions, flags) = (&tenant.sessions, &tenant.flags);
    let mut object = as_object(&json!({
        "friendly_name": tenant.friendly_name,
        "default_audience": tenant.default_audience.as_deref().unwrap_or_default(),
        "default_directory": "",
        "enabled_locales": ["en"],
        "sandbox_version": "22",
        "allowed_logout_urls": tenant.allowed_logout_urls,
        "session_lifetime": hours(sessions.session_lifetime_secs),
        "idle_session_lifetime": hours(sessions.idle_session_lifetime_secs),
        "ephemeral_session_lifetime": hours(sessions.ephemeral_session_lifetime_secs),
        "idle_ephemeral_session_lifetime": hours(sessions.idle_ephemeral_session_lifetime_secs),
        "session_cookie": { "mode": sessions.cookie_mode },
        "sessions": { "oidc_logout_prompt_enabled": flags.oidc_logout_prompt_enabled },
        "oidc_logout": {
            "rp_logout_end_session_endpoint_discovery": flags.rp_logout_end_session_endpoint_discovery,
        },
        "flags": {
            "revoke_refresh_token_grant": flags.revoke_refresh_token_grant,
            "require_pushed_authorization_requests": flags.require_pushed_authorization_requests,
        },
        "include_session_metadata_in_tenant_logs": flags.include_session_metadata_in_tenant_logs,
        "pushed_authorization_requests_supported": flags.pushed_authorization_requests_supported,
        "allow_organization_name_in_authentication_api": flags.allow_organization_name_in_authentication_api,
        "factors": { "otp": flags.otp_factor, "recovery-code": flags.recovery_code_factor },
    }))?;
    merge(&mut object, as_object(profile)?);
    object.insert(SANDBOX_VERSIONS.to_owned(), json!(sandbox_versions()));
    Ok(object)
}

/// The versions of Node that Actions may name, as `sandbox_version` has them.
fn sandbox_versions() -> Vec<&'static str> {
    RUNTIMES.iter().filter_map(|runtime| runtime.strip_prefix("node")).collect()
}

fn patched(
    known: &Tenant,
    profile: &TenantProfile,
    sent: &Object,
) -> Result<(Tenant, TenantProfile), ManageError> {
    let mut sent = in_hours(sent)?;
    // Tools send back what they have read.
    pass_over(&mut sent, &[SANDBOX_VERSIONS]);
    if sent.get("friendly_name").is_some_and(Value::is_null) {
        return Err(ManageError::invalid("friendly_name must have 1 to 255 bytes"));
    }
    let mut object = tenant_as_json(known, profile)?;
    patch(&mut object, &sent, &PARTIAL);
    let settings: TenantSettings = from_object(&object)?;
    let default = TenantFlags::default();
    let changed = Tenant {
        friendly_name: settings.friendly_name,
        default_audience: Some(settings.default_audience).filter(|audience| !audience.is_empty()),
        allowed_logout_urls: settings.allowed_logout_urls,
        sessions: SessionSettings {
            session_lifetime_secs: seconds("session_lifetime", settings.session_lifetime)?,
            idle_session_lifetime_secs: seconds("idle_session_lifetime", settings.idle_session_lifetime)?,
            ephemeral_session_lifetime_secs: seconds(
                "ephemeral_session_lifetime",
                settings.ephemeral_session_lifetime,
            )?,
            idle_ephemeral_session_lifetime_secs: seconds(
                "idle_ephemeral_session_lifetime",
                settings.idle_ephemeral_session_lifetime,
            )?,
            cookie_mode: settings.session_cookie.mode.unwrap_or_default(),
        },
        flags: TenantFlags {
            revoke_refresh_token_grant: settings.flags.revoke_refresh_token_grant.unwrap_or(false),
            require_pushed_authorization_requests: settings
                .flags
                .require_pushed_authorization_requests
                .unwrap_or(false),
            pushed_authorization_requests_supported: settings.pushed_authorization_requests_supported,
            oidc_logout_prompt_enabled: settings
                .sessions
                .oidc_logout_prompt_enabled
                .unwrap_or(default.oidc_logout_prompt_enabled),
            rp_logout_end_session_endpoint_discovery: settings
                .oidc_logout
                .rp_logout_end_session_endpoint_discovery
                .unwrap_or(default.rp_logout_end_session_endpoint_discovery),
            include_session_metadata_in_tenant_logs: settings.include_session_metadata_in_tenant_logs,
            allow_organization_name_in_authentication_api: settings
                .allow_organization_name_in_authentication_api,
            otp_factor: settings.factors.otp.unwrap_or(false),
            recovery_code_factor: settings.factors.recovery_code.unwrap_or(false),
        },
        ..known.clone()
    };
    let profile: TenantProfile = from_object(&object)?;
    only_known(&sent, &tenant_as_json(&changed, &profile)?)?;
    Ok((changed, profile))
}

/// What was sent, with the lifetimes in hours.
fn in_hours(sent: &Object) -> Result<Object, ManageError> {
    let mut sent = sent.clone();
    for hours in LIFETIMES {
        let minutes = format!("{hours}{IN_MINUTES}");
        let Some(given) = sent.remove(&minutes) else { continue };
        if sent.contains_key(hours) {
            return Err(ManageError::invalid(format!("{hours} and {minutes} cannot be sent together")));
        }
        let given: Option<f64> = read(&minutes, &given)?;
        sent.insert(hours.to_owned(), json!(given.map(|minutes| minutes / 60.0)));
    }
    Ok(sent)
}

/// What is shown in hours may be a fraction, and comes back as it was shown.
fn seconds(name: &str, hours: f64) -> Result<i64, ManageError> {
    let secs = (hours * 3600.0).round();
    if secs < 60.0 || secs > i32::MAX.into() {
        return Err(ManageError::invalid(format!("{name} must be at least a minute")));
    }
    Ok(secs as i64)
}

/// The rules for the form of the settings that few look at.
fn rules(profile: &TenantProfile) -> Result<(), ManageError> {
    for (name, value) in [
        ("picture_url", &profile.picture_url),
        ("support_url", &profile.support_url),
        ("error_page.url", &profile.error_page.as_ref().and_then(|page| page.url.clone())),
    ] {
        if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
            client_rules::uri(name, value, &["https", "http"])?;
        }
    }
    if let Some(uri) = profile.default_redirection_uri.as_deref().filter(|value| !value.is_empty()) {
        client_rules::uri("default_redirection_uri", uri, &["https"])?;
    }
    let email = profile.support_email.as_deref().filter(|email| !email.is_empty());
    if email.is_some_and(|email| email.len() > limits::EMAIL_BYTES || !email.contains('@')) {
        return Err(invalid("not an e-mail address", "support_email"));
    }
    if profile.enabled_locales.as_ref().is_some_and(|locales| {
        locales.is_empty() || locales.iter().any(|locale| !(2..=35).contains(&locale.len()))
    }) {
        return Err(invalid("at least one language tag", "enabled_locales"));
    }
    let mask = profile.device_flow.as_ref().and_then(|flow| flow.mask.as_deref());
    if mask.is_some_and(|mask| {
        mask.len() > limits::USER_CODE_MASK_CHARS || mask.chars().any(|c| !matches!(c, '*' | '-' | ' '))
    }) {
        return Err(invalid("at most 20 of the characters * - and space", "device_flow.mask"));
    }
    profile.default_token_quota.as_ref().map_or(Ok(()), client_rules::default_quota)
}

async fn directory_is_there(tx: &mut TenantTx, profile: &TenantProfile) -> Result<(), ManageError> {
    let Some(name) = profile.default_directory.as_deref().filter(|name| !name.is_empty()) else {
        return Ok(());
    };
    match tx.connection_by_name(name).await? {
        Some(_) => Ok(()),
        None => Err(ManageError::invalid(format!("default_directory: there is no connection {name}"))),
    }
}

fn no_tenant(tenant: &TenantId) -> ManageError {
    ManageError::NotFound { error_code: None, message: format!("there is no tenant {tenant}") }
}

#[cfg(test)]
mod tests {
    use model::Timestamp;

    use super::*;

    fn object(value: Value) -> Object {
        value.as_object().unwrap().clone()
    }

    fn tenant() -> Tenant {
        Tenant {
            id: TenantId::new("t"),
            friendly_name: "T".to_owned(),
            default_audience: None,
            allowed_logout_urls: Vec::new(),
            sessions: SessionSettings::default(),
            flags: TenantFlags::default(),
            created_at: Timestamp::from_ms(0),
            settings_version: 0,
        }
    }

    #[test]
    fn a_tenants_settings_are_sent_in_hours_or_minutes_and_shown_in_hours() {
        let patch = object(json!({
            "session_lifetime_in_minutes": 181, "idle_session_lifetime": 2, "session_cookie": { "mode": "non-persistent" },
            "sessions": { "oidc_logout_prompt_enabled": false }, "flags": { "revoke_refresh_token_grant": true },
        }));
        let changed = patched(&tenant(), &TenantProfile::default(), &patch).unwrap().0;
        validate::tenant(&changed).unwrap();
        let shown = tenant_as_json(&changed, &TenantProfile::default()).unwrap();
        assert_eq!(shown["session_lifetime"], json!(181.0 / 60.0));
        assert_eq!(shown["idle_session_lifetime"], json!(2));
        assert_eq!(shown["ephemeral_session_lifetime"], json!(72));
        assert_eq!(shown["session_cookie"], json!({ "mode": "non-persistent" }));
        let flags =
            json!({ "revoke_refresh_token_grant": true, "require_pushed_authorization_requests": false });
        assert_eq!(shown["flags"], flags);
        assert_eq!(shown[SANDBOX_VERSIONS], json!(["12", "16", "18", "22"]));
        // What is shown may be sent back.
        let (again, profile) = patched(&changed, &TenantProfile::default(), &shown).unwrap();
        assert_eq!(again, changed);
        assert_eq!(tenant_as_json(&again, &profile).unwrap(), shown);
        let reset = object(json!({ "session_cookie": null, "sessions": null }));
        let reset = patched(&changed, &profile, &reset).unwrap().0;
        assert_eq!(reset.sessions.cookie_mode, CookieMode::Persistent);
        assert!(reset.flags.oidc_logout_prompt_enabled);
    }

    #[test]
    fn a_tenants_bad_settings_are_refused() {
        for (patch, reason) in [
            (json!({ "session_lifetime": 1, "session_lifetime_in_minutes": 60 }), "cannot be sent together"),
            (json!({ "session_lifetime": 0 }), "at least a minute"),
            (json!({ "session_lifetime": 8761 }), "365 days"),
            (json!({ "idle_ephemeral_session_lifetime_in_minutes": 144_001 }), "100 days"),
            (json!({ "session_lifetime": "1" }), "expected f64' on property session_lifetime"),
            (json!({ "session_cookie": { "mode": "eternal" } }), "unknown variant"),
            (
                json!({ "session_cookie": { "made": "persistent" } }),
                "not allowed: made' on property session_cookie.",
            ),
            (json!({ "x": 1 }), "not allowed: x'."),
            (json!({ "allowed_logout_urls": ["/bye"] }), "is not an absolute URI"),
            (json!({ "friendly_name": null }), "friendly_name must have"),
            (json!({ "flags": { "enable_warp": true } }), "not allowed: enable_warp' on property flags."),
            (
                json!({ "flags": { "require_pushed_authorization_requests": true } }),
                "pushed_authorization_requests_supported",
            ),
            (
                json!({ "flags": { "enable_sso": "yes" } }),
                "expected a boolean' on property flags.enable_sso.",
            ),
            (
                json!({ "mtls": { "enable_endpoint_aliases": 1 } }),
                "on property mtls.enable_endpoint_aliases.",
            ),
            (
                json!({ "default_token_quota": { "clients": { "client_credentials": { "per_day": 0 } } } }),
                "at least 1",
            ),
            (json!({ "picture_url": "nowhere" }), "picture_url must be an absolute URI"),
            (json!({ "default_redirection_uri": "http://a.example/" }), "with https"),
            (json!({ "support_email": "nobody" }), "not an e-mail address"),
            (json!({ "enabled_locales": [] }), "at least one language tag"),
            (json!({ "device_flow": { "mask": "####" } }), "on property device_flow.mask"),
            (json!({ "device_flow": { "charset": "base64" } }), "unknown variant `base64`"),
        ] {
            let patched = patched(&tenant(), &TenantProfile::default(), &object(patch.clone()));
            let checked = patched.and_then(|(tenant, profile)| {
                validate::tenant(&tenant)?;
                rules(&profile)
            });
            let error = checked.expect_err(&patch.to_string());
            assert!(error.to_string().contains(reason), "{patch}: {error}");
        }
    }
}
