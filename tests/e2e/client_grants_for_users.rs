//! APIs that ask for a client grant before a client has users' access tokens for them.

use end_to_end::flow::{exchange_native, refresh, text};
use end_to_end::management::Api;
use end_to_end::{Login, RawClient, TestServer, jwt, seed};
use model::UserAuthorizationPolicy;
use serde_json::{Value, json};

use crate::password_grant;

const SCOPE: &str = "openid profile offline_access read:things write:things";

/// A server whose API asks for grants.
async fn start() -> (TestServer, Api) {
    of(TestServer::start().await).await
}

async fn of(server: TestServer) -> (TestServer, Api) {
    server
        .change_api(|api| {
            api.subject_type_authorization.user.policy = UserAuthorizationPolicy::RequireClientGrant;
        })
        .await;
    let api = Api::of(&server).await;
    (server, api)
}

async fn grant(api: &Api, client: &str, more: Value) -> String {
    let mut sent = json!({ "client_id": client, "audience": seed::API, "subject_type": "user" });
    sent.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let made = api.post("/client-grants", &sent).await.expect_json(201);
    assert_eq!((&made["subject_type"], &made["audience"]), (&json!("user"), &json!(seed::API)));
    format!("/client-grants/{}", made["id"].as_str().unwrap())
}

fn login() -> Login {
    Login::native().with("audience", seed::API).with("scope", SCOPE)
}

async fn tokens(app: &RawClient) -> Value {
    let code = login().code(app, seed::ADA).await;
    exchange_native(app, &code).await.expect(200).json()
}

#[tokio::test]
async fn without_a_grant_there_is_no_token_and_the_clients_own_grant_is_another_one() {
    let (server, api) = start().await;
    let refused = login().begin(&server.client()).await;
    assert_eq!(refused.location_parameter("error").as_deref(), Some("access_denied"), "{refused:?}");
    // What a client may have by itself says nothing of its users, and the other way round.
    let own = json!({ "client_id": seed::NATIVE, "audience": seed::API, "scope": ["read:things"] });
    api.post("/client-grants", &own).await.expect_json(201);
    let refused = login().begin(&server.client()).await;
    assert_eq!(refused.location_parameter("error").as_deref(), Some("access_denied"), "{refused:?}");
    let logs = server.logs().await;
    let failed = logs.iter().find(|entry| entry.code == "f").unwrap();
    assert!(failed.description.contains("is not authorized to access resource server"), "{failed:?}");

    let path = grant(&api, seed::NATIVE, json!({ "scope": ["read:things"] })).await;
    for (query, found) in [("subject_type=user", 1), ("subject_type=client", 1), ("per_page=10", 2)] {
        let list = api.get(&format!("/client-grants?client_id={}&{query}", seed::NATIVE)).await;
        assert_eq!(list.expect_json(200).as_array().unwrap().len(), found, "{query}");
    }
    let again =
        json!({ "client_id": seed::NATIVE, "audience": seed::API, "scope": [], "subject_type": "user" });
    api.post("/client-grants", &again).await.expect_api_error(409, "", "already");
    api.patch(&path, &json!({ "subject_type": "client" })).await.expect_api_error(
        400,
        "invalid_body",
        "subject_type does not change",
    );
    let given = tokens(&server.client()).await;
    let scope = text(&given, "scope");
    assert_eq!(scope, "openid profile offline_access read:things");
    assert_eq!(jwt::claims(&text(&given, "access_token"))["scope"], scope);
    assert_eq!(api.delete(&path).await.status, 204);
    let refused = login().begin(&server.client()).await;
    assert_eq!(refused.location_parameter("error").as_deref(), Some("access_denied"), "{refused:?}");
}

#[tokio::test]
async fn a_grant_limits_each_refresh_and_its_end_ends_them() {
    let (server, api) = start().await;
    let path = grant(&api, seed::NATIVE, json!({ "allow_all_scopes": true, "scope": [] })).await;
    let app = server.client();
    let given = tokens(&app).await;
    assert_eq!(text(&given, "scope"), SCOPE, "all scopes of the API");
    api.patch(&path, &json!({ "allow_all_scopes": false, "scope": ["write:things"] })).await.expect_json(200);
    let next = refresh(&app, seed::NATIVE, &text(&given, "refresh_token")).await.expect(200).json();
    assert_eq!(text(&next, "scope"), "openid profile offline_access write:things");
    assert_eq!(
        jwt::claims(&text(&next, "access_token"))["scope"],
        "openid profile offline_access write:things"
    );
    assert_eq!(api.delete(&path).await.status, 204);
    let token = next["refresh_token"].as_str().unwrap_or_else(|| given["refresh_token"].as_str().unwrap());
    refresh(&app, seed::NATIVE, token).await.expect_error(403, "access_denied");
    // A code that was given before is worth nothing, either.
    let path = grant(&api, seed::NATIVE, json!({ "scope": ["read:things"] })).await;
    let code = login().code(&server.client(), seed::ADA).await;
    assert_eq!(api.delete(&path).await.status, 204);
    exchange_native(&app, &code).await.expect_error(403, "access_denied");
}

#[tokio::test]
async fn the_password_grant_without_scopes_has_those_of_the_client_grant() {
    let (server, api) = of(password_grant::server().await).await;
    let app = server.client();
    let ask = async || password_grant::log_in(&app, &[("audience", seed::API)]).await;
    ask().await.expect_error(403, "access_denied");
    grant(&api, seed::NATIVE, json!({ "scope": ["read:things"] })).await;
    assert_eq!(text(&ask().await.expect(200).json(), "scope"), "read:things");
}
