use end_to_end::flow::Login;
use end_to_end::management::Api;
use end_to_end::{RawClient, TestServer, jwt, seed};
use serde_json::{Value, json};

use super::Foreign;

pub async fn foreign(other: &Api) -> Vec<Foreign> {
    other.post("/resource-servers", &json!({ "identifier": "urn:of-other" })).await.expect_json(201);
    let (route, path) = ("/resource-servers/{id}", "/resource-servers/urn:of-other");
    vec![
        Foreign::unknown("GET", route, path, None),
        Foreign::unknown("PATCH", route, path, Some(json!({ "name": "Mine" }))),
        Foreign::unknown("DELETE", route, path, None),
    ]
}

/// The claims of a machine's access token for that API.
async fn machine_claims(app: &RawClient, audience: &str) -> Value {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", seed::MACHINE),
        ("client_secret", seed::MACHINE_SECRET),
        ("audience", audience),
    ];
    let tokens = app.post_form("/oauth/token", &form).await.expect(200).json();
    jwt::claims(tokens["access_token"].as_str().unwrap())
}

#[tokio::test]
async fn an_api_is_made_found_changed_and_listed_after_the_management_api() {
    let server = TestServer::start().await;
    let (api, app) = (Api::of(&server).await, server.client());
    let new = json!({
        "identifier": "https://notes.example/", "name": "Notes", "signing_alg": "RS256", "token_lifetime": 600,
        "scopes": [{ "value": "read:notes", "description": "Read notes" }, { "value": "write:notes" }],
        "allow_offline_access": true, "token_dialect": "rfc9068_profile", "token_lifetime_for_web": 60,
        "skip_consent_for_verifiable_first_party_clients": false, "enforce_policies": false,
        "subject_type_authorization": { "user": { "policy": "allow_all" }, "client": { "policy": "require_client_grant" } },
    });
    let made = api.post("/resource-servers", &new).await.expect_json(201);
    for (name, value) in new.as_object().unwrap() {
        assert_eq!(made[name], *value, "{name}");
    }
    let id = made["id"].as_str().unwrap().to_owned();
    // Terraform's data source encodes twice.
    let named = ["https%3A%2F%2Fnotes.example%2F", "https:%252F%252Fnotes.example%252F"];
    for name in [id.as_str(), named[0], named[1]] {
        assert_eq!(api.get(&format!("/resource-servers/{name}")).await.expect_json(200), made);
    }
    let other = api.get("/resource-servers/https:%252F%252Fnotes.example").await;
    other.expect_api_error(404, "inexistent_resource_server", "does not exist");
    let grant =
        json!({ "client_id": seed::MACHINE, "audience": "https://notes.example/", "scope": ["read:notes"] });
    api.post("/client-grants", &grant).await.expect_json(201);
    let claims = machine_claims(&app, "https://notes.example/").await;
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 600);

    // What is not sent stays, a list is replaced, and the next token has it.
    let change =
        json!({ "token_lifetime": 60, "scopes": [{ "value": "write:notes" }], "enforce_policies": null });
    let changed = api.patch(&format!("/resource-servers/{id}"), &change).await.expect_json(200);
    assert_eq!(
        (&changed["name"], &changed["scopes"]),
        (&json!("Notes"), &json!([{ "value": "write:notes" }]))
    );
    assert_eq!(changed["enforce_policies"], false, "{changed}");
    // One of the two policies does not put the other one back.
    let policies =
        |user: &str, client: &str| json!({ "user": { "policy": user }, "client": { "policy": client } });
    for (sent, became) in [
        (json!({ "user": { "policy": "deny_all" } }), policies("deny_all", "require_client_grant")),
        (json!({ "client": { "policy": "deny_all" } }), policies("deny_all", "deny_all")),
        (Value::Null, policies("allow_all", "require_client_grant")),
    ] {
        let change = json!({ "subject_type_authorization": sent });
        let changed = api.patch(&format!("/resource-servers/{id}"), &change).await.expect_json(200);
        assert_eq!(changed["subject_type_authorization"], became);
    }
    let changed = api.get(&format!("/resource-servers/{id}")).await.expect_json(200);
    let claims = machine_claims(&app, "https://notes.example/").await;
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 60);
    assert_eq!(claims["scope"], "", "a scope that the API does not have any more");

    let list = api.get("/resource-servers?page=0&per_page=100&include_totals=true").await.expect_json(200);
    assert_eq!(list["resource_servers"][0]["name"], "Auth0 Management API");
    assert_eq!(list["resource_servers"][0]["is_system"], true);
    assert!(list["resource_servers"][0]["scopes"][0]["description"].is_string());
    assert_eq!(list["resource_servers"].as_array().unwrap().len(), list["total"]);
    assert!(list["resource_servers"].as_array().unwrap().contains(&changed));
    let some =
        api.get("/resource-servers?identifiers=https%3A%2F%2Fnotes.example%2F&identifiers=urn:none").await;
    assert_eq!(some.expect_json(200), json!([changed]));

    // The system API can be read by id, and no more.
    let system = &list["resource_servers"][0];
    let path = format!("/resource-servers/{}", system["id"].as_str().unwrap());
    assert_eq!(api.get(&path).await.expect_json(200), *system);
    api.patch(&path, &json!({ "name": "Mine" })).await.expect_api_error(
        403,
        "operation_not_supported",
        "cannot be",
    );
    api.delete(&path).await.expect_api_error(403, "operation_not_supported", "cannot be");

    assert_eq!(api.delete(&format!("/resource-servers/{id}")).await.status, 204);
    api.get(&format!("/resource-servers/{id}")).await.expect_api_error(404, "inexistent_resource_server", "");
    let grants = api.get("/client-grants?audience=https%3A%2F%2Fnotes.example%2F").await;
    assert_eq!(grants.expect_json(200), json!([]));
    let login = Login::web().with("audience", "https://notes.example/").begin(&server.client()).await;
    assert_eq!(login.location_parameter("error").as_deref(), Some("access_denied"), "{login:?}");
}

#[tokio::test]
async fn bad_apis_are_refused() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    api.post("/resource-servers", &json!({ "identifier": "urn:one" })).await.expect_json(201);
    api.post("/resource-servers", &json!({ "identifier": "urn:one" })).await.expect_api_error(
        409,
        "",
        "already exists",
    );
    for (sent, message) in [
        (json!({ "x": 1 }), "Payload validation error: 'Additional properties not allowed: x'."),
        (json!({ "scopes": [{ "value": "a", "x": 1 }] }), "not allowed: x' on property scopes[0]."),
        (json!({ "scopes": ["a"] }), "on property scopes[0]."),
        (json!({ "scopes": [{ "value": "a b" }] }), "not a scope"),
        (json!({ "scopes": [{ "value": "a" }, { "value": "a" }] }), "is there twice"),
        (json!({ "name": "a<b" }), "< or >"),
        (json!({ "name": "x".repeat(201) }), "200 characters"),
        (json!({ "token_lifetime": 2_592_001 }), "30 days"),
        (json!({ "token_dialect": "access_token_with_more" }), "on property token_dialect."),
        (json!({ "signing_alg": "HS256", "signing_secret": "short" }), "at least 16"),
        (json!({ "signing_secret": 1 }), "on property signing_secret."),
        (json!({ "signing_alg": "none" }), "on property signing_alg."),
        (json!({ "enforce_policies": "true" }), "on property enforce_policies."),
        (json!({ "token_encryption": { "format": "plain" } }), "on property token_encryption.format."),
        (json!({ "token_encryption": { "x": 1 } }), "not allowed: x' on property token_encryption."),
        (json!({ "consent_policy": "sometimes" }), "on property consent_policy."),
        (json!({ "authorization_policy": "x" }), "on property authorization_policy."),
        (
            json!({ "skip_consent_for_verifiable_first_party_clients": "no" }),
            "on property skip_consent_for_verifiable_first_party_clients.",
        ),
        (json!({ "authorization_details": [{ "type": "x".repeat(256) }] }), "1 to 255 characters"),
        (json!({ "authorization_details": [{ "typ": "payment" }] }), "not allowed: typ"),
        (
            json!({ "proof_of_possession": { "mechanism": "trust" } }),
            "on property proof_of_possession.mechanism.",
        ),
        (
            json!({ "subject_type_authorization": { "user": { "policy": "allow_some" } } }),
            "on property subject_type_authorization.user.policy.",
        ),
        (
            json!({ "subject_type_authorization": { "client": { "policy": "allow_all" } } }),
            "on property subject_type_authorization.client.policy.",
        ),
        (json!({ "is_system": true }), "not allowed: is_system"),
    ] {
        api.patch("/resource-servers/urn:one", &sent).await.expect_api_error(400, "invalid_body", message);
        let mut whole = json!({ "identifier": "urn:two" });
        whole.as_object_mut().unwrap().extend(sent.as_object().unwrap().clone());
        api.post("/resource-servers", &whole).await.expect_api_error(400, "invalid_body", message);
    }
    let moved = api.patch("/resource-servers/urn:one", &json!({ "identifier": "urn:three" })).await;
    moved.expect_api_error(400, "invalid_body", "not allowed: identifier");
    api.patch("/tenants/settings", &json!({ "default_audience": "urn:one" })).await.expect_json(200);
    api.delete("/resource-servers/urn:one").await.expect_api_error(409, "", "default_audience");
    api.patch("/tenants/settings", &json!({ "default_audience": "" })).await.expect_json(200);
    let back_end =
        json!({ "name": "Back end", "app_type": "resource_server", "resource_server_identifier": "urn:one" });
    api.post("/clients", &back_end).await.expect_json(201);
    api.delete("/resource-servers/urn:one").await.expect_api_error(409, "", "back end");
}
