use model::{
    Client, ClientId, ClientProfile, DeviceBinding, ExpirationType, LogoutInitiator, ManagedClient,
    RefreshTokenSettings, RotationType, TenantId, Timestamp, TransferMethod,
};
use serde_json::{Value, json};

use super::{client_as_json, nobody, patched};
use crate::manage::object::{Object, from_object, merge};
use crate::manage::{ManageError, client_rules, validate};

fn object(value: Value) -> Object {
    value.as_object().unwrap().clone()
}

fn client() -> ManagedClient {
    let client: Client = from_object(&object(json!({
        "client_id": "c", "name": "C", "app_type": "native", "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code"],
    })))
    .unwrap();
    let made = Timestamp::from_ms(1_700_000_000_123);
    ManagedClient { client, profile: ClientProfile::default(), created_at: made, updated_at: made }
}

/// As a `PATCH` would make it, but for how the client authenticates.
fn patched_client(known: &ManagedClient, patch: &Object) -> Result<ManagedClient, ManageError> {
    patched(known, patch, false).map(|(client, _)| client)
}

fn shown(client: &ManagedClient) -> Object {
    client_as_json(&TenantId::new("acme"), client).unwrap()
}

#[test]
fn a_partial_object_changes_what_it_names_and_null_puts_the_default_back() {
    let mut client = client();
    assert_eq!(client.client.session_transfer, None);
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
                "allow_refresh_token": false, "enforce_online_refresh_tokens": true,
                "delegation": { "allow_delegated_access": false, "enforce_device_binding": "ip" } }),
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
        let shown = shown(&client);
        assert_eq!(shown.get("session_transfer").cloned().unwrap_or_default(), check);
        assert!(!shown.contains_key("client_secret_hashes"));
    }
}

#[test]
fn an_idle_lifetime_that_is_not_sent_fits_the_absolute_one() {
    let with = |patch| {
        patched_client(&client(), &object(json!({ "refresh_token": patch }))).unwrap().client.refresh_token
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
        (json!({ "session_transfer": { "x": 1 } }), "not allowed: x' on property session_transfer."),
        (json!({ "session_transfer": { "enforce_device_binding": "mac" } }), "unknown variant `mac`"),
        (
            json!({ "session_transfer": { "allowed_authentication_methods": ["form"] } }),
            "unknown variant `form`",
        ),
        (json!({ "session_transfer": { "can_create_session_transfer_token": "yes" } }), "expected a boolean"),
        (json!({ "session_transfer": { "delegation": true } }), "invalid type: boolean"),
        (json!({ "session_transfer": 1 }), "invalid type"),
        (json!({ "refresh_token": { "leeway": -1 } }), "leeway must be"),
        (json!({ "refresh_token": { "token_lifetime": 0 } }), "token_lifetime must be"),
        (json!({ "refresh_token": { "token_lifetime": 157_788_001 } }), "token_lifetime must be"),
        (json!({ "refresh_token": { "idle_token_lifetime": 0 } }), "at least 1 second"),
        (json!({ "refresh_token": { "token_lifetime": 9, "idle_token_lifetime": 10 } }), "may not exceed"),
        (json!({ "refresh_token": { "expiration_type": "non-expiring" } }), "must expire"),
        (json!({ "refresh_token": { "rotation_type": "spinning" } }), "unknown variant"),
        (
            json!({ "refresh_token": { "policies": [{ "audience": "a", "scope": ["x"], "y": 1 }] } }),
            "not allowed: y' on property refresh_token.policies[0].",
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
            "not allowed: backchannel_logout_session_metadata' on property oidc_logout.",
        ),
        (json!({ "client_id": "other" }), "not allowed: client_id"),
        (json!({ "client_secret_hashes": [] }), "not allowed: client_secret_hashes"),
        (json!({ "nmae": "x" }), "not allowed: nmae'."),
        (json!({ "name": null }), "Missing required property: name"),
    ] {
        let patched = patched_client(&client(), &object(patch.clone()));
        let checked = patched.and_then(|changed| {
            validate::client(&changed.client, true)?;
            client_rules::check(&changed.client, &changed.profile)
        });
        let error = checked.expect_err(&patch.to_string()).to_string();
        assert!(error.contains(reason), "{patch}: {error}");
    }
    let full = object(json!({ "session_transfer": {
        "allowed_authentication_methods": ["cookie", "query"], "enforce_device_binding": "asn" } }));
    let transfer = patched_client(&client(), &full).unwrap().client.session_transfer.unwrap();
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
        validate::client(&client.client, false).unwrap();
        assert_eq!(client.client.oidc_logout.as_ref().unwrap().initiators(), told, "{patch:?}");
    }
    client = patched_client(&client, &object(json!({ "oidc_logout": null }))).unwrap();
    assert_eq!(client.client.oidc_logout, None);
}

fn created(sent: Value) -> Result<ManagedClient, ManageError> {
    let app_type = sent
        .get("app_type")
        .map_or(model::AppType::Unspecified, |given| serde_json::from_value(given.clone()).unwrap());
    let made = Timestamp::from_ms(0);
    let mut known = nobody(app_type, made);
    known.client.client_id = ClientId::new("c");
    let (mut client, authentication) = patched(&known, &object(sent), true)?;
    let random = |length| "x".repeat(length);
    authentication.apply(&mut client, super::default_method, random, made)?;
    validate::client(&client.client, false)?;
    client_rules::check(&client.client, &client.profile)?;
    Ok(client)
}

#[test]
fn a_client_of_which_nothing_is_said_has_the_defaults_that_tools_compare_with() {
    let mut shown = shown(&created(json!({ "name": "bare" })).unwrap());
    for name in ["client_id", "name", "tenant", "created_at", "updated_at"] {
        assert!(shown.remove(name).is_some(), "{name}");
    }
    let expected = json!({
        "is_first_party": true, "oidc_conformant": false, "sso_disabled": false,
        "cross_origin_authentication": false, "is_token_endpoint_ip_header_trusted": false,
        "custom_login_page_on": true,
        "grant_types": ["authorization_code", "implicit", "refresh_token", "client_credentials"],
        "jwt_configuration": { "secret_encoded": false, "lifetime_in_seconds": 36000 },
        "refresh_token": {
            "rotation_type": "non-rotating", "expiration_type": "non-expiring", "leeway": 0,
            "token_lifetime": 2_592_000, "idle_token_lifetime": 1_296_000,
            "infinite_token_lifetime": true, "infinite_idle_token_lifetime": true,
        },
        "global": false, "callbacks": [], "allowed_logout_urls": [],
        "require_pushed_authorization_requests": false, "require_proof_of_possession": false,
        "token_endpoint_auth_method": "client_secret_post",
    });
    assert_eq!(Value::Object(shown), expected);
}

#[test]
fn what_is_sent_without_effect_comes_back_as_it_was_sent() {
    let sent = json!({
        "name": "C", "app_type": "regular_web", "description": "What it is", "logo_uri": "https://a.example/logo.png",
        "oidc_conformant": true, "cross_origin_authentication": true, "custom_login_page_on": false,
        "initiate_login_uri": "https://a.example/login", "web_origins": ["https://a.example"],
        "allowed_origins": ["https://*.a.example"], "allowed_clients": ["x"],
        "addons": { "samlp": { "audience": "urn:a", "mappings": {} } },
        "mobile": { "ios": { "team_id": "T", "app_bundle_identifier": "a.b" } },
        "native_social_login": { "apple": { "enabled": false } },
        "jwt_configuration": { "alg": "HS256", "lifetime_in_seconds": 60, "secret_encoded": true },
        "session_transfer": { "delegation": { "allow_delegated_access": true, "enforce_device_binding": "ip" } },
        "organization_require_behavior": "pre_login_prompt",
        "signed_request_object": { "required": true }, "compliance_level": "fapi2_sp_pkj_mtls",
        "encryption_key": { "pub": "x", "cert": "y", "subject": "z" },
        "default_organization": { "organization_id": "org_1", "flows": ["client_credentials"] },
        "token_quota": { "client_credentials": { "enforce": true, "per_day": 5, "per_hour": 2 } },
        "redirection_policy": "open_redirect_protection",
        "token_exchange": { "allow_any_profile_of_type": ["custom_authentication"] },
        "third_party_security_mode": "strict", "client_metadata": { "a": "b" },
    });
    let shown = Value::Object(shown(&created(sent.clone()).unwrap()));
    let mut both = object(shown.clone());
    merge(&mut both, object(sent));
    assert_eq!(shown, Value::Object(both), "nothing that was sent is missing, or another value");
}

#[test]
fn what_was_read_may_be_sent_back() {
    let client = created(json!({ "name": "C", "app_type": "native" })).unwrap();
    let mut read = shown(&client);
    for name in ["client_id", "tenant", "global"] {
        read.remove(name);
    }
    read.remove("token_endpoint_auth_method");
    let again = patched_client(&client, &read).unwrap();
    assert_eq!(shown(&again), shown(&client));
}

#[test]
fn metadata_merges_and_null_takes_a_key_away() {
    let mut client = created(json!({ "name": "C", "client_metadata": { "a": "1", "b": "2" } })).unwrap();
    for (patch, expected) in [
        (json!({ "b": null, "c": "3" }), json!({ "a": "1", "c": "3" })),
        (json!({}), json!({ "a": "1", "c": "3" })),
        (Value::Null, json!({})),
    ] {
        client = patched_client(&client, &object(json!({ "client_metadata": patch }))).unwrap();
        assert_eq!(json!(client.client.metadata), expected);
    }
}

#[test]
fn refresh_tokens_that_are_to_expire_are_not_endless() {
    let client = created(json!({ "name": "C" })).unwrap();
    let rotating = json!({ "refresh_token": { "rotation_type": "rotating", "expiration_type": "expiring" } });
    let settings = patched_client(&client, &object(rotating)).unwrap().client.refresh_token;
    assert_eq!((settings.absolute_lifetime(), settings.idle_lifetime()), (Some(2_592_000), Some(1_296_000)));
    let spa = created(json!({ "name": "C", "app_type": "spa" })).unwrap().client;
    assert_eq!(spa.refresh_token, RefreshTokenSettings::default());
    let again = object(json!({ "refresh_token": null }));
    let reset = patched_client(&patched_client(&client, &again).unwrap(), &again).unwrap();
    assert_eq!(reset.client.refresh_token, client.client.refresh_token);
}

#[test]
fn promises_that_this_server_does_not_keep_and_wrong_forms_are_refused() {
    let long = "x".repeat(141);
    for (sent, reason) in [
        (json!({ "jwt_configuration": { "alg": "none" } }), "unknown variant `none`"),
        (
            json!({ "signed_request_object": { "required": "yes" } }),
            "on property signed_request_object.required.",
        ),
        (json!({ "signed_request_object": { "credentials": [{ "x": 1 }] } }), "not allowed: x"),
        (json!({ "signed_request_object": { "credentials": [{ "pem": "x" }] } }), "pem must be a PUBLIC KEY"),
        (json!({ "signed_request_object": { "credentials": [{}] } }), "is an id"),
        (json!({ "compliance_level": "fapi3" }), "unknown variant `fapi3`"),
        (json!({ "encryption_key": "x" }), "on property encryption_key."),
        (json!({ "default_organization": { "organization_id": "org_1" } }), "default_organization.flows"),
        (
            json!({ "default_organization": { "organization_id": "org_1", "flows": ["implicit"] } }),
            "default_organization.flows",
        ),
        (json!({ "default_organization": { "flows": ["client_credentials"] } }), "has an organization_id"),
        (json!({ "redirection_policy": "never" }), "unknown variant `never`"),
        (
            json!({ "token_quota": { "client_credentials": { "per_day": "5" } } }),
            "client_credentials.per_day.",
        ),
        (json!({ "token_quota": { "password": {} } }), "not allowed: password' on property token_quota."),
        (
            json!({ "token_quota": { "client_credentials": { "per_day": 0, "enforce": false } } }),
            "at least 1",
        ),
        (
            json!({ "client_authentication_methods": { "tls_client_auth": { "credentials": [] } } }),
            "1 to 10 credentials",
        ),
        (
            json!({ "client_authentication_methods": { "tls_client_auth": { "credentials": [{ "id": "cred_1" }] } } }),
            "does not exist",
        ),
        (
            json!({ "client_authentication_methods": { "tls_client_auth": { "credentials": [
                { "credential_type": "cert_subject_dn" }] } } }),
            "has a pem or a subject_dn",
        ),
        (
            json!({ "client_authentication_methods": { "private_key_jwt": { "credentials": [] },
                "tls_client_auth": { "credentials": [] } } }),
            "has one method",
        ),
        (json!({ "client_authentication_methods": {} }), "private_key_jwt"),
        (
            json!({ "client_authentication_methods": { "private_key_jwt": { "credentials": [{ "id": "cred_1" }] } } }),
            "does not exist",
        ),
        (json!({ "token_endpoint_auth_method": "private_key_jwt" }), "unknown variant"),
        (
            json!({ "token_endpoint_auth_method": "none", "client_secret": "x".repeat(40) }),
            "client_secret is for",
        ),
        (json!({ "client_secret": "short" }), "32 to 512"),
        (json!({ "name": "a <b>" }), "< or >"),
        (json!({ "name": "" }), "name must have"),
        (json!({ "description": long }), "140 characters"),
        (json!({ "app_type": "unspecified" }), "unknown variant `unspecified`"),
        (json!({ "initiate_login_uri": "http://a.example/" }), "with https"),
        (json!({ "logo_uri": "logo.png" }), "logo_uri must be"),
        (json!({ "web_origins": ["nowhere"] }), "is no URL"),
        (json!({ "par_request_expiry": 9 }), "10 to 600"),
        (json!({ "grant_types": ["magic"] }), "unknown grant type"),
        (json!({ "mobile": { "windows": {} } }), "not allowed: windows' on property mobile."),
        (json!({ "oidc_conformant": "yes" }), "on property oidc_conformant."),
        (json!({ "tenant": "x" }), "not allowed: tenant"),
        (json!({ "callback_url_template": true }), "not allowed: callback_url_template"),
        (json!({ "client_metadata": { "a": 1 } }), "on property client_metadata"),
    ] {
        let mut all = object(json!({ "name": "C" }));
        all.extend(object(sent.clone()));
        let error = created(Value::Object(all)).expect_err(&sent.to_string()).to_string();
        assert!(error.contains(reason), "{sent}: {error}");
    }
    let known = created(json!({ "name": "C" })).unwrap();
    let api = object(json!({ "resource_server_identifier": "https://api.example/" }));
    let error = patched_client(&known, &api).unwrap_err().to_string();
    assert!(error.contains("not allowed: resource_server_identifier"), "{error}");
}
