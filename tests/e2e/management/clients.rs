use end_to_end::assertion::{form, sign};
use end_to_end::flow::{self, Login};
use end_to_end::key::Key;
use end_to_end::management::Api;
use end_to_end::{TestServer, seed};
use reqwest::Method;
use serde_json::{Value, json};

use super::Foreign;

pub async fn foreign(other: &Api) -> Vec<Foreign> {
    let id =
        text(&other.post("/clients", &json!({ "name": "Of other" })).await.expect_json(201), "client_id");
    let path = format!("/clients/{id}");
    vec![
        Foreign::unknown("GET", "/clients/{id}", &path, None),
        Foreign::unknown("PATCH", "/clients/{id}", &path, Some(json!({ "name": "Mine" }))),
        Foreign::unknown("DELETE", "/clients/{id}", &path, None),
        Foreign::unknown("POST", "/clients/{id}/rotate-secret", format!("{path}/rotate-secret"), None),
    ]
    .into_iter()
    .chain(foreign_credentials(other, &path).await)
    .collect()
}

async fn foreign_credentials(other: &Api, client: &str) -> [Foreign; 5] {
    let key = json!({ "credential_type": "public_key", "pem": Key::ec().pem(), "alg": "ES256" });
    let all = format!("{client}/credentials");
    let one = format!("{all}/{}", text(&other.post(&all, &key).await.expect_json(201), "id"));
    let (all_route, one_route) =
        ("/clients/{client_id}/credentials", "/clients/{client_id}/credentials/{credential_id}");
    [
        Foreign::unknown("GET", all_route, &all, None),
        Foreign::unknown("POST", all_route, &all, Some(key)),
        Foreign::unknown("GET", one_route, &one, None),
        Foreign::unknown("PATCH", one_route, &one, Some(json!({ "expires_at": null }))),
        Foreign::unknown("DELETE", one_route, &one, None),
    ]
}

fn text(object: &Value, name: &str) -> String {
    object[name].as_str().unwrap_or_else(|| panic!("{name} of {object}")).to_owned()
}

fn ids(clients: &Value) -> Vec<String> {
    clients.as_array().unwrap().iter().map(|client| text(client, "client_id")).collect()
}

async fn create(api: &Api, sent: Value) -> Value {
    api.post("/clients", &sent).await.expect_json(201)
}

#[tokio::test]
async fn a_client_that_a_tool_makes_logs_in_is_changed_and_is_gone() {
    let server = TestServer::start().await;
    let (api, app) = (Api::of(&server).await, server.client());
    let callback = seed::WEB_CALLBACK;
    let made =
        create(&api, json!({ "name": "New", "app_type": "regular_web", "callbacks": [callback] })).await;
    let (id, secret) = (text(&made, "client_id"), text(&made, "client_secret"));
    assert!(id.len() == 32 && id.bytes().all(|c| c.is_ascii_alphanumeric()), "{id}");
    let path = format!("/clients/{id}");
    let mut shown = made.clone();
    shown.as_object_mut().unwrap().remove("client_secret");
    assert_eq!(api.get(&path).await.expect_json(200), shown, "the secret is shown once");

    let login = Login::of(&id, callback).with("scope", "openid offline_access");
    let code = login.code(&server.client(), seed::ADA).await;
    let exchange = async |secret: &str, code: &str| {
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", id.as_str()),
            ("client_secret", secret),
            ("code", code),
            ("redirect_uri", callback),
            ("code_verifier", flow::VERIFIER),
        ];
        app.post_form("/oauth/token", &form).await
    };
    exchange(&secret, &code).await.expect(200);

    // The next request sees each change.
    let rotated = api.post(&format!("{path}/rotate-secret"), &json!({})).await.expect_json(200);
    let code = login.code(&server.client(), seed::ADA).await;
    exchange(&secret, &code).await.expect_error(401, "invalid_client");
    exchange(&text(&rotated, "client_secret"), &code).await.expect(200);
    let mine = "a-secret-of-forty-characters-from-outside";
    let changed = api.patch(&path, &json!({ "client_secret": mine })).await.expect_json(200);
    assert!(changed["client_secret"].is_null(), "{changed}");
    let code = login.code(&server.client(), seed::ADA).await;
    let tokens = exchange(mine, &code).await.expect(200).json();

    let other_callback = json!({ "callbacks": ["https://elsewhere.example/"], "jwt_configuration": { "lifetime_in_seconds": 60 } });
    api.patch(&path, &other_callback).await.expect_json(200);
    login.begin(&server.client()).await.expect(400);
    api.patch(&path, &json!({ "callbacks": [callback] })).await.expect_json(200);
    login.begin(&server.client()).await.expect(302);

    let answer = api.delete(&path).await;
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    api.get(&path).await.expect_api_error(404, "inexistent_client", "The client does not exist");
    api.delete(&path).await.expect_api_error(404, "inexistent_client", "The client does not exist");
    login.begin(&server.client()).await.expect(400);
    let userinfo = app.request(Method::GET, "/userinfo").bearer_auth(text(&tokens, "access_token"));
    app.send(userinfo).await.expect_error(401, "invalid_token");
}

#[tokio::test]
async fn a_client_is_shown_with_the_certificates_of_what_is_signed_for_it() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let current = async |api: &Api| api.get("/keys/signing").await.expect_json(200)[0].clone();
    let first = current(&api).await;
    let made = create(&api, json!({ "name": "New" })).await;
    let shown = json!({ "cert": first["cert"], "pkcs7": first["pkcs7"], "subject": "/CN=acme" });
    assert_eq!(made["signing_keys"], json!([shown]));
    let path = format!("/clients/{}", text(&made, "client_id"));
    assert_eq!(api.get(&path).await.expect_json(200)["signing_keys"], made["signing_keys"]);
    let list = api.get("/clients?fields=signing_keys").await.expect_json(200);
    assert!(
        list.as_array().unwrap().iter().all(|client| *client == json!({ "signing_keys": [shown] })),
        "{list}"
    );
    let without = api.get(&format!("{path}?fields=signing_keys&include_fields=false")).await.expect_json(200);
    assert!(without["signing_keys"].is_null() && without["name"] == "New", "{without}");
    // A tool that sends back what it has read changes nothing; they are the server's.
    let sent = json!({ "description": "Changed", "signing_keys": [] });
    assert_eq!(api.patch(&path, &sent).await.expect_json(200)["signing_keys"], made["signing_keys"]);

    // After a rotation: the key that signs, and the one before, until that is taken away.
    api.post("/keys/signing/rotate", &json!({})).await.expect_json(201);
    let fresh = Api::of(&server).await;
    let second = current(&fresh).await;
    let certificates = async |api: &Api| {
        let keys = api.get(&path).await.expect_json(200)["signing_keys"].clone();
        keys.as_array().unwrap().iter().map(|key| key["cert"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(certificates(&fresh).await, [second["cert"].clone(), first["cert"].clone()]);
    let revoke = format!("/keys/signing/{}/revoke", text(&first, "kid"));
    fresh.put(&revoke, &json!({})).await.expect_json(200);
    assert_eq!(certificates(&fresh).await, [second["cert"].clone()]);

    // They are for who may see keys.
    for (scope, sees) in [("read:clients", false), ("read:client_keys", true), ("read:client_summary", false)]
    {
        let reader = Api::with_scopes(&server, &[scope]).await;
        let client = reader.get(&path).await.expect_json(200);
        assert_eq!(client["signing_keys"].is_array(), sees, "{scope}: {client}");
    }
}

#[tokio::test]
async fn a_client_says_how_long_its_pushed_requests_are_good() {
    let server = TestServer::start().await;
    let (api, app) = (Api::of(&server).await, server.client());
    let path = format!("/clients/{}", seed::WEB);
    let login = Login::web();
    let push = async || {
        let mut form = login.pairs();
        form.push(("client_secret", seed::WEB_SECRET));
        app.post_form("/oauth/par", &form).await.expect(201).json()
    };
    let is_good = async |pushed: &Value| {
        let query = [("client_id", seed::WEB), ("request_uri", pushed["request_uri"].as_str().unwrap())];
        server.client().get_with("/authorize", &query).await.status == 302
    };
    for secs in [Some(600), Some(10), None] {
        let changed = api.patch(&path, &json!({ "par_request_expiry": secs })).await.expect_json(200);
        assert_eq!(changed["par_request_expiry"], json!(secs));
        let secs = secs.unwrap_or(30);
        let (first, second) = (push().await, push().await);
        assert_eq!(first["expires_in"], secs);
        server.clock.advance_secs(secs - 1);
        assert!(is_good(&first).await, "{secs}");
        server.clock.advance_secs(1);
        assert!(!is_good(&second).await, "{secs}");
    }
    for secs in [9, 601] {
        let refused = api.patch(&path, &json!({ "par_request_expiry": secs })).await;
        refused.expect_api_error(400, "invalid_body", "10 to 600");
    }
}

#[tokio::test]
async fn what_nobody_has_set_is_not_shown_and_an_old_name_is_understood() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let made = create(&api, json!({ "name": "Old", "app_type": "regular_web" })).await;
    let path = format!("/clients/{}", text(&made, "client_id"));
    let names = ["organization_usage", "session_transfer", "oidc_logout", "oidc_backchannel_logout"];
    let has = |client: &Value| names.map(|name| client.get(name).is_some());
    assert_eq!(has(&made), [false; 4], "{made}");
    // As Terraform's provider of 2023 names it.
    let urls = json!({ "backchannel_logout_urls": ["https://old.example/logout"] });
    let change = json!({ "oidc_backchannel_logout": urls, "organization_usage": "allow" });
    let changed = api.patch(&path, &change).await.expect_json(200);
    assert_eq!((&changed["oidc_logout"], &changed["oidc_backchannel_logout"]), (&urls, &urls));
    assert_eq!(changed["organization_usage"], "allow");
    // A tool that sends both back means the new one.
    let other = json!({ "backchannel_logout_urls": ["https://new.example/logout"] });
    let both = json!({ "oidc_backchannel_logout": urls, "oidc_logout": other, "organization_usage": "deny" });
    let changed = api.patch(&path, &both).await.expect_json(200);
    assert_eq!((&changed["oidc_logout"], &changed["oidc_backchannel_logout"]), (&other, &other));
    let gone = api.patch(&path, &json!({ "oidc_backchannel_logout": null })).await.expect_json(200);
    assert_eq!(has(&gone), [false, false, false, false], "{gone}");
}

#[tokio::test]
async fn what_a_deleted_client_handed_over_ends_with_it() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let tokens = flow::native_tokens(&server.client(), seed::ADA).await;
    let (token, _) = flow::transfer_token(&server.client(), &tokens).await;
    let browser = server.client();
    flow::arrive_by_cookie(&browser, &token).await.expect(302);
    let silent = || Login::web().with("prompt", "none");
    flow::code_of(&silent().begin(&browser).await);
    api.delete(&format!("/clients/{}", seed::NATIVE)).await.expect(204);
    let after = silent().begin(&browser).await;
    assert_eq!(after.location_parameter("error").as_deref(), Some("login_required"), "{after:?}");
    flow::refresh(&server.client(), seed::NATIVE, &text(&tokens, "refresh_token"))
        .await
        .expect_error(401, "invalid_client");
}

#[tokio::test]
async fn lists_are_in_the_order_of_creation_and_their_pages_add_up() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    for number in 0..5 {
        let app_type = if number % 2 == 0 { "spa" } else { "native" };
        server.clock.advance_secs(1);
        create(&api, json!({ "name": format!("Listed {number}"), "app_type": app_type })).await;
    }
    let all = api.get("/clients").await.expect_json(200);
    let names = |list: &Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|client| text(client, "name")).collect()
    };
    let last = names(&all).split_off(all.as_array().unwrap().len() - 5);
    assert_eq!(last, ["Listed 0", "Listed 1", "Listed 2", "Listed 3", "Listed 4"]);

    let mut paged = Vec::new();
    for page in 0.. {
        let part =
            api.get(&format!("/clients?page={page}&per_page=3&include_totals=true&is_global=false")).await;
        let part = part.expect_json(200);
        assert_eq!((&part["start"], &part["limit"]), (&json!(page * 3), &json!(3)));
        assert_eq!(part["total"], all.as_array().unwrap().len());
        let found = ids(&part["clients"]);
        paged.extend(found.clone());
        if found.len() < 3 {
            break;
        }
    }
    assert_eq!(paged, ids(&all));
    let (mut by_position, mut from) = (Vec::new(), String::new());
    loop {
        let part = api.get(&format!("/clients?take=4{from}")).await.expect_json(200);
        by_position.extend(ids(&part["clients"]));
        let Some(next) = part["next"].as_str() else { break };
        from = format!("&from={next}");
    }
    assert_eq!(by_position, ids(&all));

    for (query, found) in [
        ("app_type=spa&q=Listed", 3),
        ("app_type=spa,native&q=name:listed", 5),
        ("q=name:%22Listed%203%22", 1),
        ("q=100%25_sure", 0),
        ("is_first_party=true&q=Listed", 5),
        ("is_first_party=false", 0),
        ("external_client_id=https%3A%2F%2Fx.example", 0),
    ] {
        let list = api.get(&format!("/clients?{query}")).await.expect_json(200);
        assert_eq!(list.as_array().unwrap().len(), found, "{query}");
    }
    api.get("/clients?is_global=true").await.expect_api_error(
        403,
        "insufficient_scope",
        "read:global_clients",
    );
    let list = api.get("/clients?fields=client_id,name&q=Listed%201").await.expect_json(200);
    assert_eq!(list[0].as_object().unwrap().keys().collect::<Vec<_>>(), ["client_id", "name"]);
    let list = api.get("/clients?fields=name&include_fields=false&q=Listed%201").await.expect_json(200);
    assert!(list[0]["name"].is_null() && list[0]["client_id"].is_string(), "{list}");
    for (query, text) in [
        ("per_page=101", "per_page"),
        ("page=-1", "page"),
        ("take=0", "take"),
        ("from=%21", "from"),
        ("q=client_id:x", "q is"),
        ("is_global=perhaps", "perhaps"),
    ] {
        let answer = api.get(&format!("/clients?{query}")).await;
        answer.expect_api_error(400, "invalid_query_string", text);
    }
}

#[tokio::test]
async fn scopes_decide_what_is_shown_and_what_is_changed() {
    let server = TestServer::start().await;
    let all = Api::of(&server).await;
    let id = text(&create(&all, json!({ "name": "Scoped" })).await, "client_id");
    let path = format!("/clients/{id}");
    let summary = Api::with_scopes(&server, &["read:client_summary"]).await;
    let shown = summary.get(&path).await.expect_json(200);
    assert_eq!(shown, json!({ "client_id": id, "name": "Scoped" }));
    let clients = Api::with_scopes(&server, &["update:clients"]).await;
    let refused = clients.patch(&path, &json!({ "client_secret": "x".repeat(40) })).await;
    refused.expect_api_error(
        403,
        "insufficient_scope",
        "Insufficient scope, expected any of: update:client_keys",
    );
    let refused = clients.patch(&path, &json!({ "client_authentication_methods": null })).await;
    refused.expect_api_error(403, "insufficient_scope", "update:client_credentials");
    let keys = Api::with_scopes(&server, &["update:client_keys"]).await;
    keys.patch(&path, &json!({ "client_secret": "x".repeat(40) })).await.expect_json(200);
    let refused = keys.patch(&path, &json!({ "name": "Other" })).await;
    refused.expect_api_error(403, "insufficient_scope", "update:clients");
}

#[tokio::test]
async fn bad_clients_are_refused_with_the_place_of_what_is_wrong() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let id = text(&create(&api, json!({ "name": "Good" })).await, "client_id");
    let before = api.get(&format!("/clients/{id}")).await.expect_json(200);
    for (sent, message) in [
        (json!({ "nmae": "x" }), "Payload validation error: 'Additional properties not allowed: nmae'."),
        (
            json!({ "session_transfer": { "x": 1 } }),
            "Payload validation error: 'Additional properties not allowed: x' on property session_transfer.",
        ),
        (json!({ "client_id": "mine" }), "Additional properties not allowed: client_id"),
        (json!({ "oidc_conformant": 1 }), "on property oidc_conformant."),
        (json!({ "app_type": "toaster" }), "on property app_type."),
        (json!({ "callbacks": "https://a.example/" }), "on property callbacks."),
        (json!({ "callbacks": ["javascript:alert(1)"] }), "has a scheme that is not allowed"),
        (json!({ "name": "<b>" }), "name may not have < or >"),
        (json!({ "client_metadata": { "a": "x".repeat(256) } }), "255 characters"),
        (json!({ "refresh_token": { "leeway": -1 } }), "leeway"),
        (json!({ "require_proof_of_possession": "yes" }), "on property require_proof_of_possession."),
        (
            json!({ "signed_request_object": { "required": 1 } }),
            "on property signed_request_object.required.",
        ),
        (json!({ "is_first_party": "no" }), "on property is_first_party."),
        (json!({ "sso_disabled": 1 }), "on property sso_disabled."),
    ] {
        let refused = api.patch(&format!("/clients/{id}"), &sent).await;
        refused.expect_api_error(400, "invalid_body", message);
        let mut whole = json!({ "name": "New" });
        whole.as_object_mut().unwrap().extend(sent.as_object().unwrap().clone());
        api.post("/clients", &whole).await.expect_api_error(400, "invalid_body", message);
    }
    api.post("/clients", &json!({})).await.expect_api_error(400, "invalid_body", "name");
    assert_eq!(api.get(&format!("/clients/{id}")).await.expect_json(200), before);
}

#[tokio::test]
async fn a_client_goes_over_to_keys_and_back_to_a_secret() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let path = format!("/clients/{}", seed::MACHINE);
    let credentials = format!("{path}/credentials");
    let ask = async |more: &[(&str, &str)]| {
        let mut form = vec![("grant_type", "client_credentials"), ("audience", seed::API)];
        form.extend(more);
        server.client().post_form("/oauth/token", &form).await
    };
    let (first, second) = (Key::ec(), Key::ec());
    let mut ids = Vec::new();
    for (key, name) in [(&first, "first"), (&second, "second")] {
        let sent = json!({ "credential_type": "public_key", "pem": key.pem(), "alg": "ES256", "name": name });
        let made = api.post(&credentials, &sent).await.expect_json(201);
        assert_eq!(
            (&made["alg"], &made["name"], &made["credential_type"]),
            (&json!("ES256"), &json!(name), &json!("public_key"))
        );
        assert_eq!(api.get(&format!("{credentials}/{}", text(&made, "id"))).await.expect_json(200), made);
        api.post(&credentials, &sent).await.expect_api_error(409, "", "has a credential with this key");
        ids.push(text(&made, "id"));
    }
    // Registered is not in use: the secret still is.
    let secret = [("client_id", seed::MACHINE), ("client_secret", seed::MACHINE_SECRET)];
    ask(&secret).await.expect(200);
    ask(&form(&sign(&server, seed::MACHINE, &first))).await.expect_error(401, "invalid_client");

    let by_key = json!({ "private_key_jwt": { "credentials": [{ "id": ids[0] }] } });
    let changed =
        api.patch(&path, &json!({ "client_authentication_methods": by_key })).await.expect_json(200);
    assert_eq!(changed["client_authentication_methods"], by_key);
    assert!(changed["token_endpoint_auth_method"].is_null(), "{changed}");
    ask(&secret).await.expect_error(401, "invalid_client");
    ask(&form(&sign(&server, seed::MACHINE, &first))).await.expect(200);
    ask(&form(&sign(&server, seed::MACHINE, &second))).await.expect_error(401, "invalid_client");
    let used = format!("{credentials}/{}", ids[0]);
    api.delete(&used).await.expect_api_error(409, "", "in use");
    api.post(&format!("{path}/rotate-secret"), &json!({})).await.expect_api_error(
        400,
        "invalid_body",
        "with a secret",
    );
    let past = api.patch(&used, &json!({ "expires_at": "2020-01-01T00:00:00.000Z" })).await.expect_json(200);
    assert_eq!(past["expires_at"], "2020-01-01T00:00:00.000Z");
    ask(&form(&sign(&server, seed::MACHINE, &first))).await.expect_error(401, "invalid_client");
    api.patch(&used, &json!({ "expires_at": "soon" })).await.expect_api_error(
        400,
        "invalid_body",
        "ISO 8601",
    );

    let back =
        json!({ "client_authentication_methods": null, "token_endpoint_auth_method": "client_secret_post" });
    let changed = api.patch(&path, &back).await.expect_json(200);
    let secret = text(&changed, "client_secret");
    ask(&[("client_id", seed::MACHINE), ("client_secret", &secret)]).await.expect(200);
    assert_eq!(api.delete(&used).await.status, 204);
    assert_eq!(api.get(&credentials).await.expect_json(200).as_array().unwrap().len(), 1);

    for (sent, message) in [
        (json!({ "pem": first.pem() }), "credential_type"),
        (json!({ "credential_type": "public_key", "pem": "x" }), "pem must be a PUBLIC KEY"),
        (
            json!({ "credential_type": "public_key", "pem": first.pem(), "alg": "RS256" }),
            "does not fit its alg",
        ),
        (json!({ "credential_type": "password", "pem": first.pem() }), "on property credential_type."),
        (json!({ "credential_type": "cert_subject_dn" }), "has a pem or a subject_dn"),
        (json!({ "credential_type": "public_key" }), "Missing required property: pem"),
        (
            json!({ "credential_type": "public_key", "pem": first.pem(), "subject_dn": "CN=x" }),
            "subject_dn is for certificates",
        ),
        (
            json!({ "credential_type": "public_key", "pem": first.pem(), "alg": "ES256", "parse_expiry_from_cert": true }),
            "parse_expiry_from_cert",
        ),
    ] {
        api.post(&credentials, &sent).await.expect_api_error(400, "invalid_body", message);
    }
    let both = json!({ "client_authentication_methods": by_key, "token_endpoint_auth_method": "client_secret_post" });
    api.patch(&path, &both).await.expect_api_error(400, "invalid_body", "cannot be sent together");
}
