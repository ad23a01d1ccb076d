//! Changing a client or a tenant by a partial object, with the names of the Management API: what is absent stays, `null`
//! puts the default back. Unknown names are refused.

use std::collections::BTreeMap;

use model::{Client, ClientId, CookieMode, FactorType, SessionSettings, Tenant, TenantId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::{ManageError, put_client, validate};
use crate::{Idp, ServerError};

/// The objects of a client that may be sent in part.
const CLIENT_OBJECTS: [&str; 4] = ["session_transfer", "refresh_token", "jwt_configuration", "oidc_logout"];
/// What of a client is not changed in this way.
const CLIENT_FIXED: [&str; 2] = ["client_id", "client_secret_hashes"];

/// Changes a client; the client after it.
///
/// # Errors
/// [`ManageError::Invalid`] for an unknown client or name, a wrong type, or a rule that is broken.
pub async fn update_client(
    idp: &Idp,
    tenant: &TenantId,
    id: &ClientId,
    patch: &Map<String, Value>,
) -> Result<Client, ManageError> {
    let known = idp.storage.begin_read(tenant).await?.client(id).await?;
    let known = known.ok_or_else(|| ManageError::invalid(format!("there is no client {id}")))?;
    let changed = patched_client(&known, patch)?;
    put_client(idp, tenant, &changed).await?;
    Ok(changed)
}

/// The client as the Management API shows it: without its secrets.
///
/// # Errors
/// [`ServerError`] when it cannot be written as JSON.
pub fn client_as_json(client: &Client) -> Result<Map<String, Value>, ServerError> {
    let mut object = as_object(client)?;
    object.remove("client_secret_hashes");
    Ok(object)
}

fn patched_client(known: &Client, patch: &Map<String, Value>) -> Result<Client, ManageError> {
    let mut object = as_object(known)?;
    for (name, value) in patch {
        if CLIENT_FIXED.contains(&name.as_str()) {
            return Err(ManageError::invalid(format!("{name} cannot be changed")));
        }
        match (object.get_mut(name), value) {
            (_, Value::Null) => drop(object.remove(name)),
            (Some(Value::Object(inner)), Value::Object(part)) if CLIENT_OBJECTS.contains(&name.as_str()) => {
                inner.extend(part.clone());
            }
            _ => drop(object.insert(name.clone(), value.clone())),
        }
    }
    if let Some(Value::Object(transfer)) = object.get_mut("session_transfer") {
        no_delegation(transfer)?;
    }
    if let Some(part) = patch.get("refresh_token")
        && let Some(Value::Object(settings)) = object.get_mut("refresh_token")
    {
        fit_idle_lifetime(settings, part);
    }
    let client = from_object("client", object)?;
    match unknown_name(&Value::Object(patch.clone()), &Value::Object(as_object(&client)?)) {
        Some(name) => Err(ManageError::invalid(format!("unknown setting: {name}"))),
        None => Ok(client),
    }
}

/// The first name in what was sent that is not in what became of it.
fn unknown_name(sent: &Value, became: &Value) -> Option<String> {
    let below =
        |name: String, sent, became| unknown_name(sent, became).map(|below| format!("{name}.{below}"));
    match (sent, became) {
        (Value::Object(sent), Value::Object(became)) => sent
            .iter()
            .filter(|(_, value)| !value.is_null())
            .find_map(|(name, value)| match became.get(name) {
                None if name == "delegation" => None,
                None => Some(name.clone()),
                Some(became) => below(name.clone(), value, became),
            }),
        (Value::Array(sent), Value::Array(became)) => {
            let mut pairs = sent.iter().zip(became).enumerate();
            pairs.find_map(|(index, (sent, became))| below(index.to_string(), sent, became))
        }
        _ => None,
    }
}

/// Tools send `delegation` along with what is off in it.
fn no_delegation(transfer: &mut Map<String, Value>) -> Result<(), ManageError> {
    match transfer.remove("delegation") {
        Some(Value::Object(delegation)) if delegation.get("allow_delegated_access") == Some(&json!(true)) => {
            Err(ManageError::invalid("session_transfer.delegation: this server has no session delegation"))
        }
        None | Some(Value::Null | Value::Object(_)) => Ok(()),
        Some(_) => Err(ManageError::invalid("session_transfer.delegation must be an object or null")),
    }
}

/// An idle lifetime that was not sent follows a shorter absolute one.
fn fit_idle_lifetime(settings: &mut Map<String, Value>, part: &Value) {
    if part.get("idle_token_lifetime").is_none()
        && let Some(absolute) = settings.get("token_lifetime").and_then(Value::as_i64)
        && settings.get("idle_token_lifetime").and_then(Value::as_i64).is_none_or(|idle| idle > absolute)
        && settings.get("infinite_token_lifetime") != Some(&json!(true))
    {
        let default = model::RefreshTokenSettings::default().idle_token_lifetime;
        settings.insert("idle_token_lifetime".to_owned(), json!(default.min(absolute)));
    }
}

/// Changes a tenant's settings; the tenant after it.
///
/// # Errors
/// [`ManageError::Invalid`] for an unknown tenant or name, a wrong type, or a rule that is broken.
pub async fn update_tenant(
    idp: &Idp,
    tenant: &TenantId,
    patch: &Map<String, Value>,
) -> Result<Tenant, ManageError> {
    let known = idp.storage.tenant(tenant).await?;
    let known = known.ok_or_else(|| ManageError::invalid(format!("there is no tenant {tenant}")))?;
    let changed = patched_tenant(&known, patch)?;
    validate::tenant(&changed)?;
    idp.storage.put_tenant(&changed).await?;
    Ok(changed)
}

/// The tenant's settings as the Management API shows them: lifetimes in hours, with fractions.
#[must_use]
pub fn tenant_as_json(tenant: &Tenant) -> Map<String, Value> {
    let hours = |secs: i64| match secs % 3600 {
        0 => json!(secs / 3600),
        _ => json!(secs as f64 / 3600.0),
    };
    let (sessions, flags) = (&tenant.sessions, &tenant.flags);
    let object = json!({
        "friendly_name": tenant.friendly_name,
        "default_audience": tenant.default_audience.as_deref().unwrap_or_default(),
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
        "flags": { "revoke_refresh_token_grant": flags.revoke_refresh_token_grant },
        "include_session_metadata_in_tenant_logs": flags.include_session_metadata_in_tenant_logs,
        "pushed_authorization_requests_supported": flags.pushed_authorization_requests_supported,
        "allow_organization_name_in_authentication_api": flags.allow_organization_name_in_authentication_api,
        "factors": { "otp": flags.otp_factor, "recovery-code": flags.recovery_code_factor },
    });
    match object {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

fn patched_tenant(known: &Tenant, patch: &Map<String, Value>) -> Result<Tenant, ManageError> {
    let mut tenant = known.clone();
    for (name, value) in patch {
        let sessions = &mut tenant.sessions;
        let flags = &mut tenant.flags;
        match name.as_str() {
            "friendly_name" => tenant.friendly_name = read(name, value)?,
            "default_audience" => {
                let audience: Option<String> = read(name, value)?;
                tenant.default_audience = audience.filter(|audience| !audience.is_empty());
            }
            "allowed_logout_urls" => tenant.allowed_logout_urls = read(name, value)?,
            "session_cookie" => {
                let mode: Option<CookieMode> = one(name, value, "mode")?;
                sessions.cookie_mode = mode.unwrap_or_default();
            }
            "sessions" => {
                let asks: Option<bool> = one(name, value, "oidc_logout_prompt_enabled")?;
                flags.oidc_logout_prompt_enabled = asks.unwrap_or(true);
            }
            "oidc_logout" => {
                let shown: Option<bool> = one(name, value, "rp_logout_end_session_endpoint_discovery")?;
                flags.rp_logout_end_session_endpoint_discovery = shown.unwrap_or(true);
            }
            "flags" => {
                let grant: Option<bool> = one(name, value, "revoke_refresh_token_grant")?;
                flags.revoke_refresh_token_grant = grant.unwrap_or(flags.revoke_refresh_token_grant);
            }
            "include_session_metadata_in_tenant_logs" => {
                flags.include_session_metadata_in_tenant_logs = read(name, value)?;
            }
            "pushed_authorization_requests_supported" => {
                flags.pushed_authorization_requests_supported = read(name, value)?;
            }
            "allow_organization_name_in_authentication_api" => {
                let allowed: Option<bool> = read(name, value)?;
                flags.allow_organization_name_in_authentication_api = allowed.unwrap_or(false);
            }
            "factors" => {
                let factors: Option<BTreeMap<String, bool>> = read(name, value)?;
                let Some(factors) = factors else {
                    (flags.otp_factor, flags.recovery_code_factor) = (false, false);
                    continue;
                };
                for (factor, enabled) in factors {
                    match FactorType::named(&factor) {
                        Some(FactorType::Otp) => flags.otp_factor = enabled,
                        Some(FactorType::RecoveryCode) => flags.recovery_code_factor = enabled,
                        None => return Err(ManageError::invalid(format!("unknown factor: {factor}"))),
                    }
                }
            }
            other => match lifetime(sessions, other) {
                Some((slot, unit_secs, other_unit)) => {
                    if patch.contains_key(&other_unit) {
                        return Err(ManageError::invalid(format!(
                            "{name} and {other_unit} cannot be sent together"
                        )));
                    }
                    *slot = seconds(name, value, unit_secs)?;
                }
                None => return Err(ManageError::invalid(format!("unknown setting: {other}"))),
            },
        }
    }
    Ok(tenant)
}

/// The lifetime of this name, its unit in seconds, and its name in the other unit.
fn lifetime<'a>(sessions: &'a mut SessionSettings, name: &str) -> Option<(&'a mut i64, i64, String)> {
    const IN_MINUTES: &str = "_in_minutes";
    let (in_hours, unit_secs, other) = match name.strip_suffix(IN_MINUTES) {
        Some(in_hours) => (in_hours, 60, in_hours.to_owned()),
        None => (name, 3600, format!("{name}{IN_MINUTES}")),
    };
    let slot = match in_hours {
        "session_lifetime" => &mut sessions.session_lifetime_secs,
        "idle_session_lifetime" => &mut sessions.idle_session_lifetime_secs,
        "ephemeral_session_lifetime" => &mut sessions.ephemeral_session_lifetime_secs,
        "idle_ephemeral_session_lifetime" => &mut sessions.idle_ephemeral_session_lifetime_secs,
        _ => return None,
    };
    Some((slot, unit_secs, other))
}

fn seconds(name: &str, value: &Value, unit_secs: i64) -> Result<i64, ManageError> {
    // What is shown in hours may be a fraction, and comes back as it was shown.
    let count: f64 = read(name, value)?;
    let secs = (count * unit_secs as f64).round();
    if secs < 60.0 || secs > i32::MAX.into() {
        return Err(ManageError::invalid(format!("{name} must be at least a minute")));
    }
    Ok(secs as i64)
}

fn read<T: DeserializeOwned>(name: &str, value: &Value) -> Result<T, ManageError> {
    serde_json::from_value(value.clone()).map_err(|error| ManageError::invalid(format!("{name}: {error}")))
}

/// The one member that an object may have; `None`: the object is `null` or has not got it.
fn one<T: DeserializeOwned>(name: &str, value: &Value, member: &str) -> Result<Option<T>, ManageError> {
    let object: Option<Map<String, Value>> = read(name, value)?;
    let object = object.unwrap_or_default();
    if let Some(unknown) = object.keys().find(|known| *known != member) {
        return Err(ManageError::invalid(format!("unknown setting: {name}.{unknown}")));
    }
    object.get(member).map(|value| read(&format!("{name}.{member}"), value)).transpose()
}

pub(super) fn as_object<T: Serialize>(value: &T) -> Result<Map<String, Value>, ServerError> {
    match serde_json::to_value(value) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(other) => Err(ServerError::Inconsistent(format!("no object: {other}"))),
        Err(error) => Err(ServerError::Inconsistent(format!("no JSON: {error}"))),
    }
}

pub(super) fn from_object<T: DeserializeOwned>(
    what: &str,
    object: Map<String, Value>,
) -> Result<T, ManageError> {
    serde_json::from_value(Value::Object(object))
        .map_err(|error| ManageError::invalid(format!("{what}: {error}")))
}

#[cfg(test)]
mod tests {
    use model::{
        DeviceBinding, ExpirationType, LogoutInitiator, RotationType, TenantFlags, Timestamp, TransferMethod,
    };

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    fn client() -> Client {
        from_object(
            "client",
            object(json!({
                "client_id": "c", "name": "C", "app_type": "native", "token_endpoint_auth_method": "none",
                "grant_types": ["authorization_code"],
            })),
        )
        .unwrap()
    }

    #[test]
    fn a_partial_object_changes_what_it_names_and_null_puts_the_default_back() {
        let mut client = client();
        assert_eq!(client.session_transfer, None);
        for (patch, check) in [
            (
                json!({ "session_transfer": { "can_create_session_transfer_token": true } }),
                json!({ "can_create_session_transfer_token": true, "enforce_cascade_revocation": true,
                    "allowed_authentication_methods": [], "enforce_device_binding": "ip",
                    "allow_refresh_token": false, "enforce_online_refresh_tokens": true }),
            ),
            (
                json!({ "session_transfer": { "enforce_device_binding": "none", "allowed_authentication_methods": ["query"],
                    "delegation": { "allow_delegated_access": false, "enforce_device_binding": "ip" } } }),
                json!({ "can_create_session_transfer_token": true, "enforce_cascade_revocation": true,
                    "allowed_authentication_methods": ["query"], "enforce_device_binding": "none",
                    "allow_refresh_token": false, "enforce_online_refresh_tokens": true }),
            ),
            (
                json!({ "session_transfer": { "allowed_authentication_methods": null, "delegation": null } }),
                json!({ "can_create_session_transfer_token": true, "enforce_cascade_revocation": true,
                    "allowed_authentication_methods": [], "enforce_device_binding": "none",
                    "allow_refresh_token": false, "enforce_online_refresh_tokens": true }),
            ),
            (json!({ "session_transfer": null }), Value::Null),
        ] {
            client = patched_client(&client, &object(patch)).unwrap();
            let shown = client_as_json(&client).unwrap();
            assert_eq!(shown.get("session_transfer").cloned().unwrap_or_default(), check);
            assert!(!shown.contains_key("client_secret_hashes"));
        }
    }

    #[test]
    fn an_idle_lifetime_that_is_not_sent_fits_the_absolute_one() {
        let with = |patch| {
            patched_client(&client(), &object(json!({ "refresh_token": patch }))).unwrap().refresh_token
        };
        let set =
            with(json!({ "rotation_type": "rotating", "expiration_type": "expiring", "token_lifetime": 60 }));
        assert_eq!((set.token_lifetime, set.idle_token_lifetime), (60, 60));
        let set = with(json!({ "token_lifetime": 60, "infinite_token_lifetime": true }));
        assert_eq!((set.absolute_lifetime(), set.idle_lifetime()), (None, Some(1_296_000)));
        let set = with(json!({ "rotation_type": "non-rotating", "expiration_type": "non-expiring" }));
        assert_eq!((set.absolute_lifetime(), set.idle_lifetime()), (None, None));
        assert_eq!(
            (set.rotation_type, set.expiration_type),
            (RotationType::NonRotating, ExpirationType::NonExpiring)
        );
        assert!(with(json!({ "policies": null })).policies.is_empty());
    }

    #[test]
    fn unknown_names_wrong_types_and_broken_rules_are_refused() {
        for (patch, reason) in [
            (json!({ "session_transfer": { "x": 1 } }), "unknown setting: session_transfer.x"),
            (json!({ "session_transfer": { "enforce_device_binding": "mac" } }), "unknown variant `mac`"),
            (
                json!({ "session_transfer": { "allowed_authentication_methods": ["form"] } }),
                "unknown variant `form`",
            ),
            (
                json!({ "session_transfer": { "can_create_session_transfer_token": "yes" } }),
                "expected a boolean",
            ),
            (
                json!({ "session_transfer": { "delegation": { "allow_delegated_access": true } } }),
                "no session delegation",
            ),
            (json!({ "session_transfer": { "delegation": true } }), "must be an object or null"),
            (json!({ "session_transfer": 1 }), "invalid type"),
            (json!({ "refresh_token": { "leeway": -1 } }), "leeway must be"),
            (json!({ "refresh_token": { "token_lifetime": 0 } }), "token_lifetime must be"),
            (json!({ "refresh_token": { "token_lifetime": 157_788_001 } }), "token_lifetime must be"),
            (json!({ "refresh_token": { "idle_token_lifetime": 0 } }), "at least 1 second"),
            (
                json!({ "refresh_token": { "token_lifetime": 9, "idle_token_lifetime": 10 } }),
                "may not exceed",
            ),
            (json!({ "refresh_token": { "expiration_type": "non-expiring" } }), "must expire"),
            (json!({ "refresh_token": { "rotation_type": "spinning" } }), "unknown variant"),
            (
                json!({ "refresh_token": { "policies": [{ "audience": "a", "scope": ["x"], "y": 1 }] } }),
                "unknown setting: refresh_token.policies.0.y",
            ),
            (
                json!({ "refresh_token": { "policies": [{ "audience": "a", "scope": [] }] } }),
                "at least one scope",
            ),
            (
                json!({ "refresh_token": { "policies": [
                    { "audience": "a", "scope": ["x"] }, { "audience": "a", "scope": ["y"] },
                ] } }),
                "two refresh token policies",
            ),
            (
                json!({ "oidc_logout": { "backchannel_logout_urls": ["https://a.example/", "https://b.example/"] } }),
                "at most one",
            ),
            (
                json!({ "oidc_logout": { "backchannel_logout_urls": [format!("https://a.example/{:2048}", 0)] } }),
                "2048 bytes",
            ),
            (json!({ "oidc_logout": { "backchannel_logout_urls": ["http://a.example/"] } }), "must be https"),
            (json!({ "oidc_logout": { "backchannel_logout_urls": ["ftp://127.0.0.1/"] } }), "must be https"),
            (json!({ "oidc_logout": { "backchannel_logout_urls": ["https://a.example/#f"] } }), "fragment"),
            (
                json!({ "oidc_logout": { "backchannel_logout_urls": ["http://localhost.example/"] } }),
                "must be https",
            ),
            (
                json!({ "oidc_logout": { "backchannel_logout_initiators": { "mode": "custom",
                    "selected_initiators": ["rp-logout", "session-revoked"] } } }),
                "must have rp-logout and idp-logout",
            ),
            (
                json!({ "oidc_logout": { "backchannel_logout_initiators": { "mode": "some" } } }),
                "unknown variant `some`",
            ),
            (
                json!({ "oidc_logout": { "backchannel_logout_initiators": { "mode": "all",
                    "selected_initiators": ["full-moon"] } } }),
                "unknown variant `full-moon`",
            ),
            (
                json!({ "oidc_logout": { "backchannel_logout_session_metadata": { "include": true } } }),
                "unknown setting: oidc_logout.backchannel_logout_session_metadata",
            ),
            (json!({ "client_id": "other" }), "cannot be changed"),
            (json!({ "client_secret_hashes": [] }), "cannot be changed"),
            (json!({ "nmae": "x" }), "unknown setting: nmae"),
            (json!({ "name": null }), "missing field `name`"),
        ] {
            let patched = patched_client(&client(), &object(patch.clone()));
            let checked = patched.and_then(|client| validate::client(&client, true));
            let error = checked.expect_err(&patch.to_string()).to_string();
            assert!(error.contains(reason), "{patch}: {error}");
        }
        let full = object(json!({ "session_transfer": {
            "allowed_authentication_methods": ["cookie", "query"], "enforce_device_binding": "asn" } }));
        let transfer = patched_client(&client(), &full).unwrap().session_transfer.unwrap();
        assert_eq!(transfer.allowed_authentication_methods, [TransferMethod::Cookie, TransferMethod::Query]);
        assert_eq!(transfer.enforce_device_binding, DeviceBinding::Asn);
    }

    #[test]
    fn oidc_logout_is_sent_in_part_and_says_of_which_ends_the_client_is_told() {
        use LogoutInitiator::{IdpLogout, PasswordChanged, RpLogout};
        let url = "https://a.example/logged-out";
        let mut client = client();
        for (patch, told) in [
            (json!({ "backchannel_logout_initiators": { "mode": "all" } }), &[][..]),
            (json!({ "backchannel_logout_urls": [url] }), &LogoutInitiator::ALL),
            (
                json!({ "backchannel_logout_initiators": { "mode": "custom",
                    "selected_initiators": ["rp-logout", "idp-logout", "password-changed"] } }),
                &[RpLogout, IdpLogout, PasswordChanged],
            ),
            (json!({ "backchannel_logout_initiators": null }), &[RpLogout, IdpLogout]),
            (json!({ "backchannel_logout_urls": ["http://localhost:4000/x"] }), &[RpLogout, IdpLogout]),
            (json!({ "backchannel_logout_urls": ["http://[::1]:4000/x"] }), &[RpLogout, IdpLogout]),
            (json!({ "backchannel_logout_urls": null }), &[]),
        ] {
            let patch = object(json!({ "oidc_logout": patch }));
            client = patched_client(&client, &patch).unwrap();
            validate::client(&client, false).unwrap();
            assert_eq!(client.oidc_logout.as_ref().unwrap().initiators(), told, "{patch:?}");
        }
        client = patched_client(&client, &object(json!({ "oidc_logout": null }))).unwrap();
        assert_eq!(client.oidc_logout, None);
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
        let changed = patched_tenant(&tenant(), &patch).unwrap();
        validate::tenant(&changed).unwrap();
        let shown = tenant_as_json(&changed);
        assert_eq!(shown["session_lifetime"], json!(181.0 / 60.0));
        assert_eq!(shown["idle_session_lifetime"], json!(2));
        assert_eq!(shown["ephemeral_session_lifetime"], json!(72));
        assert_eq!(shown["session_cookie"], json!({ "mode": "non-persistent" }));
        assert_eq!(shown["flags"], json!({ "revoke_refresh_token_grant": true }));
        // What is shown may be sent back.
        assert_eq!(patched_tenant(&changed, &shown).unwrap(), changed);
        let reset = object(json!({ "session_cookie": null, "sessions": null }));
        let reset = patched_tenant(&changed, &reset).unwrap();
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
            (json!({ "session_lifetime": "1" }), "session_lifetime: invalid type"),
            (json!({ "session_cookie": { "mode": "eternal" } }), "unknown variant"),
            (json!({ "session_cookie": { "made": "persistent" } }), "unknown setting: session_cookie.made"),
            (json!({ "x": 1 }), "unknown setting: x"),
            (json!({ "allowed_logout_urls": ["/bye"] }), "is not an absolute URI"),
        ] {
            let patched = patched_tenant(&tenant(), &object(patch.clone()));
            let error = patched.and_then(|tenant| validate::tenant(&tenant)).expect_err(&patch.to_string());
            assert!(error.to_string().contains(reason), "{patch}: {error}");
        }
    }
}
