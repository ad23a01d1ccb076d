//! Values that this server has no effect for, or does not serve: they are stored and shown, and no setting is less safe than
//! its owner thinks.

use end_to_end::flow::{exchange_web, log_in, text};
use end_to_end::key::Key;
use end_to_end::management::Api;
use end_to_end::{Login, Response, TestServer, jwt, seed};
use serde_json::{Value, json};

/// Changes the thing at this path, and sees that each value is in the answer, when it is read, in the list, and after a
/// change of something else.
async fn kept(api: &Api, path: &str, list: &str, other: &Value, sent: &Value) {
    let changed = api.patch(path, sent).await.expect_json(200);
    let read = api.get(path).await.expect_json(200);
    let listed = api.get(list).await.expect_json(200);
    let listed = listed.as_array().unwrap().iter().find(|row| row["name"] == read["name"]).unwrap().clone();
    api.patch(path, other).await.expect_json(200);
    let after = api.get(path).await.expect_json(200);
    for (name, value) in sent.as_object().unwrap() {
        for shown in [&changed, &read, &listed, &after] {
            assert_eq!(shown[name], *value, "{name} at {path}");
        }
    }
}

async fn client_kept(api: &Api, client: &str, sent: &Value) {
    let other = json!({ "description": "Another one" });
    kept(api, &format!("/clients/{client}"), "/clients?per_page=100", &other, sent).await;
}

async fn api_kept(api: &Api, sent: &Value) {
    let path = format!("/resource-servers/{}", seed::API.replace(':', "%3A").replace('/', "%2F"));
    kept(api, &path, "/resource-servers?per_page=100", &json!({ "token_lifetime": 600 }), sent).await;
}

async fn machine(server: &TestServer, more: &[(&str, &str)]) -> Response {
    let mut form = vec![
        ("grant_type", "client_credentials"),
        ("client_id", seed::MACHINE),
        ("client_secret", seed::MACHINE_SECRET),
        ("audience", seed::API),
    ];
    form.extend(more);
    server.client().post_form("/oauth/token", &form).await
}

#[tokio::test]
async fn what_has_no_effect_is_kept_and_changes_nothing() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let of_client = json!({
        "jwt_configuration": { "alg": "HS256", "lifetime_in_seconds": 36000, "secret_encoded": true },
        "encryption_key": { "pub": "x", "cert": "y", "subject": "z" },
        "redirection_policy": "open_redirect_protection",
        "compliance_level": "none", "signed_request_object": { "required": false },
    });
    client_kept(&api, seed::WEB, &of_client).await;
    let delegation =
        json!({ "delegation": { "allow_delegated_access": true, "enforce_device_binding": "ip" } });
    let changed =
        api.patch(&format!("/clients/{}", seed::WEB), &json!({ "session_transfer": delegation })).await;
    assert_eq!(changed.expect_json(200)["session_transfer"]["delegation"], delegation["delegation"]);
    let of_api = json!({
        "signing_alg": "HS256", "authorization_details": [{ "type": "payment" }],
        "proof_of_possession": { "mechanism": "mtls", "required": false, "required_for": "all_clients" },
    });
    api_kept(&api, &of_api).await;
    let code = Login::web().with("audience", seed::API).code(&server.client(), seed::ADA).await;
    let tokens = exchange_web(&server.client(), &code).await.expect(200).json();
    for name in ["id_token", "access_token"] {
        assert_eq!(jwt::header(&text(&tokens, name))["alg"], "RS256", "{name}");
    }
    // A secret that nothing is signed with is not stored.
    let path = format!("/resource-servers/{}", seed::API.replace(':', "%3A").replace('/', "%2F"));
    let secret = json!({ "signing_secret": "a-secret-of-16-characters" });
    assert_eq!(api.patch(&path, &secret).await.expect_json(200)["signing_secret"], Value::Null);

    let settings = json!({ "mtls": { "enable_endpoint_aliases": true } });
    assert_eq!(api.patch("/tenants/settings", &settings).await.expect_json(200)["mtls"], settings["mtls"]);
    let metadata = server.client().get("/.well-known/openid-configuration").await.expect_json(200);
    assert_eq!(metadata["mtls_endpoint_aliases"], Value::Null);

    let grants = api.get(&format!("/client-grants?client_id={}", seed::MACHINE)).await.expect_json(200);
    let path = format!("/client-grants/{}", text(&grants[0], "id"));
    let types = json!({ "authorization_details_types": ["payment"] });
    api.patch(&path, &types).await.expect_json(200);
    let all = json!({ "allow_all_scopes": true });
    let changed = api.patch(&path, &all).await.expect_json(200);
    assert_eq!(changed["authorization_details_types"], types["authorization_details_types"]);
    assert_eq!(machine(&server, &[]).await.expect(200).json()["scope"], "read:things write:things");
}

#[tokio::test]
async fn a_client_that_is_promised_more_than_this_server_does_is_refused_everywhere() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let key = Key::rsa();
    let credentials = json!([{ "credential_type": "public_key", "name": "k", "pem": key.pem() }]);
    for (setting, sent, back) in [
        (
            "signed_request_object.required",
            json!({ "signed_request_object": { "required": true, "credentials": credentials } }),
            json!({ "signed_request_object": null }),
        ),
        (
            "compliance_level",
            json!({ "compliance_level": "fapi2_sp_pkj_mtls" }),
            json!({ "compliance_level": "none" }),
        ),
    ] {
        let code = Login::web().code(&server.client(), seed::ADA).await;
        for client in [seed::WEB, seed::MACHINE, seed::TV] {
            client_kept(&api, client, &sent).await;
        }
        let text = format!("The client's {setting} is not supported by this server");
        let says = |answer: &Response| {
            answer.expect_error(403, "unauthorized_client");
            assert_eq!(answer.json()["error_description"], *text);
        };
        let refused = Login::web().begin(&server.client()).await;
        assert_eq!(
            refused.location_parameter("error").as_deref(),
            Some("unauthorized_client"),
            "{refused:?}"
        );
        assert_eq!(refused.location_parameter("error_description").as_deref(), Some(&*text));
        let app = server.client();
        let login = Login::web();
        let mut pushed = login.pairs();
        pushed.push(("client_secret", seed::WEB_SECRET));
        says(&app.post_form("/oauth/par", &pushed).await);
        says(&app.post_form("/oauth/device/code", &[("client_id", seed::TV)]).await);
        says(&exchange_web(&app, &code).await);
        says(&machine(&server, &[]).await);
        let logs = server.logs().await;
        for code in ["f", "fdeaz", "feacft", "feccft"] {
            assert!(logs.iter().any(|entry| entry.code == code && entry.description == text), "{code}");
        }
        for client in [seed::WEB, seed::MACHINE, seed::TV] {
            api.patch(&format!("/clients/{client}"), &back).await.expect_json(200);
        }
        machine(&server, &[]).await.expect(200);
    }
    // Nor is a request passed over that asks for more.
    let details = [("authorization_details", "[{\"type\":\"payment\"}]")];
    machine(&server, &details).await.expect_error(400, "invalid_request");
    let refused = Login::web().with(details[0].0, details[0].1).begin(&server.client()).await;
    assert_eq!(refused.location_parameter("error").as_deref(), Some("invalid_request"), "{refused:?}");
}

#[tokio::test]
async fn no_token_is_given_for_an_api_that_is_promised_more_than_this_server_does() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let encryption = json!({ "format": "compact-nested-jwe",
        "encryption_key": { "name": "k", "alg": "RSA-OAEP-256", "kid": "1", "pem": Key::rsa().pem() } });
    let by_tls = json!({ "mechanism": "mtls", "required": true, "required_for": "all_clients" });
    for (setting, name, value) in [
        ("token_encryption", "token_encryption", encryption),
        ("consent_policy", "consent_policy", json!("transactional-authorization-with-mfa")),
        ("authorization_policy", "authorization_policy", json!({ "policy_id": "p" })),
        ("proof_of_possession.mechanism", "proof_of_possession", by_tls),
    ] {
        let login = Login::web().with("audience", seed::API).with("scope", "openid read:things");
        let code = login.code(&server.client(), seed::ADA).await;
        api_kept(&api, &json!({ name: value })).await;
        let text = format!("The API's {setting} is not supported by this server");
        for answer in [machine(&server, &[]).await, exchange_web(&server.client(), &code).await] {
            answer.expect_error(403, "access_denied");
            assert_eq!(answer.json()["error_description"], *text);
        }
        let refused = login.begin(&server.client()).await;
        assert_eq!(refused.location_parameter("error").as_deref(), Some("access_denied"), "{refused:?}");
        assert_eq!(refused.location_parameter("error_description").as_deref(), Some(&*text));
        let path = format!("/resource-servers/{}", seed::API.replace(':', "%3A").replace('/', "%2F"));
        api.patch(&path, &json!({ name: null })).await.expect_json(200);
        machine(&server, &[]).await.expect(200);
    }
}

#[tokio::test]
async fn a_client_with_mutual_tls_is_kept_and_cannot_authenticate() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let path = format!("/clients/{}", seed::MACHINE);
    for (method, credential) in [
        ("tls_client_auth", json!({ "credential_type": "cert_subject_dn", "subject_dn": "C=x,CN=machine" })),
        ("self_signed_tls_client_auth", json!({ "credential_type": "x509_cert", "name": "c", "pem": "PEM" })),
    ] {
        let sent = json!({ "client_authentication_methods": { method: { "credentials": [credential] } } });
        let changed = api.patch(&path, &sent).await.expect_json(200);
        let methods = &changed["client_authentication_methods"];
        let id = text(&methods[method]["credentials"][0], "id");
        assert!(id.starts_with("cred_"), "{methods}");
        assert_eq!(changed["token_endpoint_auth_method"], Value::Null);
        assert_eq!(changed["tls_credentials"], Value::Null);
        let at = format!("{path}/credentials/{id}");
        let one = api.get(&at).await.expect_json(200);
        let given = &sent["client_authentication_methods"][method]["credentials"][0];
        assert_eq!(one["credential_type"], given["credential_type"]);
        let all = api.get(&format!("{path}/credentials")).await.expect_json(200);
        assert!(all.as_array().unwrap().contains(&one), "{all}");
        api.delete(&at).await.expect_api_error(409, "", "in use");
        // By its id it stays, as with a change of something else.
        for again in [json!({ "client_authentication_methods": methods }), json!({ "description": "x" })] {
            api.patch(&path, &again).await.expect_json(200);
            assert_eq!(api.get(&path).await.expect_json(200)["client_authentication_methods"], *methods);
        }
        let with_secret = machine(&server, &[]).await;
        with_secret.expect_error(401, "invalid_client");
        let form =
            [("grant_type", "client_credentials"), ("client_id", seed::MACHINE), ("audience", seed::API)];
        let without = server.client().post_form("/oauth/token", &form).await;
        without.expect_error(401, "invalid_client");
        let says = without.json()["error_description"].clone();
        assert_eq!(says, "Client authentication failed: this server has no mutual TLS (RFC 8705)");
    }
    // One that is registered beforehand is named by its id, and one that is not in use can go.
    let new = json!({ "credential_type": "cert_subject_dn", "subject_dn": "CN=machine" });
    let made = api.post(&format!("{path}/credentials"), &new).await.expect_json(201);
    assert_eq!(made["subject_dn"], "CN=machine");
    let ids = json!([{ "id": made["id"] }]);
    let named = json!({ "client_authentication_methods": { "tls_client_auth": { "credentials": ids } } });
    let changed = api.patch(&path, &named).await.expect_json(200);
    assert_eq!(changed["client_authentication_methods"], named["client_authentication_methods"]);
    for known in api.get(&format!("{path}/credentials")).await.expect_json(200).as_array().unwrap() {
        let is_named = known["id"] == made["id"];
        let answer = api.delete(&format!("{path}/credentials/{}", text(known, "id"))).await;
        assert_eq!(answer.status, if is_named { 409 } else { 204 }, "{known}");
    }

    let back =
        json!({ "client_authentication_methods": null, "token_endpoint_auth_method": "client_secret_post" });
    let secret = text(&api.patch(&path, &back).await.expect_json(200), "client_secret");
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", seed::MACHINE),
        ("client_secret", &*secret),
        ("audience", seed::API),
    ];
    server.client().post_form("/oauth/token", &form).await.expect(200);
}

#[tokio::test]
async fn a_quota_of_tokens_holds_until_its_hour_or_day_is_over() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let quota = |per_hour: i64, per_day: i64, enforce: bool| json!({ "client_credentials": { "enforce": enforce, "per_hour": per_hour, "per_day": per_day } });
    client_kept(&api, seed::MACHINE, &json!({ "token_quota": quota(2, 3, true) })).await;
    for _ in 0..2 {
        machine(&server, &[]).await.expect(200);
    }
    let stopped = machine(&server, &[]).await;
    stopped.expect_error(429, "too_many_requests");
    let says = "The client has had all tokens of its quota for this hour";
    assert_eq!(stopped.json()["error_description"], says);
    let wait: i64 = stopped.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=3600).contains(&wait), "{wait}");
    assert!(server.log_codes().await.contains(&"feccft".to_owned()));
    server.clock.advance_secs(wait);
    machine(&server, &[]).await.expect(200);
    let stopped = machine(&server, &[]).await;
    stopped.expect_error(429, "too_many_requests");
    assert_eq!(
        stopped.json()["error_description"],
        "The client has had all tokens of its quota for this day"
    );
    let wait: i64 = stopped.header("retry-after").unwrap().parse().unwrap();
    server.clock.advance_secs(wait);
    machine(&server, &[]).await.expect(200);

    // One that is only watched stops nobody.
    let api = Api::of(&server).await;
    client_kept(&api, seed::MACHINE, &json!({ "token_quota": quota(1, 1, false) })).await;
    for _ in 0..3 {
        machine(&server, &[]).await.expect(200);
    }
    // The tenant's counts where the client has none, by the same counter.
    api.patch(&format!("/clients/{}", seed::MACHINE), &json!({ "token_quota": null })).await.expect_json(200);
    let default = json!({ "default_token_quota": { "clients": quota(1, 90, true), "organizations": quota(5, 5, false) } });
    let settings = api.patch("/tenants/settings", &default).await.expect_json(200);
    assert_eq!(settings["default_token_quota"], default["default_token_quota"]);
    let answers = [machine(&server, &[]).await.status, machine(&server, &[]).await.status];
    assert_eq!(answers[1], 429, "{answers:?}");
}

#[tokio::test]
async fn requests_at_once_have_no_more_tokens_than_the_quota() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let quota = json!({ "token_quota": { "client_credentials": { "per_hour": 3 } } });
    api.patch(&format!("/clients/{}", seed::MACHINE), &quota).await.expect_json(200);
    let beside = server.beside().await;
    let answers = futures_util::future::join_all((0..12).map(|number| {
        let node = if number % 2 == 0 { &server } else { &beside };
        machine(node, &[])
    }))
    .await;
    let given = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(given, 3, "{answers:?}");
}

#[tokio::test]
async fn options_of_a_database_are_kept_and_passwords_can_be_off() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let options = json!({
        "enabledDatabaseCustomization": true, "import_mode": true, "brute_force_protection": false,
        "customScripts": { "login": "function login() {}" },
        "authentication_methods": { "passkey": { "enabled": true }, "password": { "enabled": true } },
        "passkey_options": { "challenge_ui": "both" }, "password_dictionary": { "enable": true },
        "password_options": { "complexity": { "min_length": 12, "sequential_characters": "block" },
            "dictionary": { "active": true, "default": "en_100k", "custom": ["Swordfish-swordfish"] },
            "history": { "active": true, "size": 3 },
            "profile_data": { "active": true, "blocked_fields": ["nickname"] } },
    });
    let new =
        json!({ "name": "Staff", "strategy": "auth0", "enabled_clients": [seed::WEB], "options": options });
    let made = api.post("/connections", &new).await.expect_json(201);
    let path = format!("/connections/{}", text(&made, "id"));
    let other = json!({ "display_name": "The staff" });
    kept(&api, &path, "/connections?per_page=100", &other, &json!({ "options": options })).await;
    let user = |password: &str| json!({ "connection": "Staff", "email": "grace@example.com", "nickname": "Amazing", "password": password });
    for password in ["short-1!", "xx-abc-xx-xx", "SWORDFISH-swordfish", "is-so-amazing-1"] {
        assert_eq!(api.post("/users", &user(password)).await.status, 400, "{password}");
    }
    api.post("/users", &user("is-so-good-7-!")).await.expect_json(201);
    let log_in = async || {
        let browser = server.client();
        let page = Login::web().with("connection", "Staff").begin(&browser).await;
        log_in(&browser, page.location(), "grace@example.com", "is-so-good-7-!").await
    };
    assert!(log_in().await.location_parameter("code").is_some());
    let off = json!({ "options": { "authentication_methods": { "password": { "enabled": false } } } });
    api.patch(&path, &off).await.expect_json(200);
    let refused = log_in().await;
    assert!(refused.body.contains("Wrong email or password"), "{refused:?}");
}
