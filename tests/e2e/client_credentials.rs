//! `grant_type=client_credentials` (RFC 6749 §4.4).

use end_to_end::flow::text;
use end_to_end::{Response, TestServer, jwt, seed};
use idp::{hash_credential, manage};
use model::{Client, ClientGrant, ClientId, ResourceServer, TokenEndpointAuthMethod};
use reqwest::Method;
use serde_json::json;

const OTHER_API: &str = "https://other-api.acme.example/";

async fn ask(server: &TestServer, more: &[(&str, &str)]) -> Response {
    let mut form = vec![
        ("grant_type", "client_credentials"),
        ("client_id", seed::MACHINE),
        ("client_secret", seed::MACHINE_SECRET),
    ];
    form.extend(more);
    server.client().post_form("/oauth/token", &form).await
}

async fn put_api(server: &TestServer, identifier: &str, scopes: &[&str]) {
    let api = ResourceServer {
        identifier: identifier.to_owned(),
        name: "An API".to_owned(),
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        token_lifetime_secs: 1800,
        ..seed::api()
    };
    manage::put_resource_server(&server.idp, &server.acme(), &api).await.expect("an API");
}

async fn grant(server: &TestServer, audience: &str, scopes: &[&str]) {
    let grant = ClientGrant {
        client_id: Some(ClientId::new(seed::MACHINE)),
        audience: audience.to_owned(),
        scope: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
    };
    manage::put_client_grant(&server.idp, &server.acme(), &grant).await.expect("a grant");
}

// TK10
#[tokio::test]
async fn a_machine_gets_an_access_token_for_its_api_and_nothing_more() {
    let server = TestServer::start().await;
    let tokens =
        ask(&server, &[("audience", seed::API), ("scope", "read:things openid offline_access")]).await;
    let tokens = tokens.expect(200).json();
    assert!(tokens["refresh_token"].is_null() && tokens["id_token"].is_null(), "{tokens}");
    assert_eq!((&tokens["token_type"], &tokens["expires_in"]), (&json!("Bearer"), &json!(3600)));
    assert_eq!(tokens["scope"], "read:things");
    let token = text(&tokens, "access_token");
    let claims = jwt::claims(&token);
    assert_eq!(claims["sub"], format!("{}@clients", seed::MACHINE), "no user can have this subject");
    assert_eq!((&claims["aud"], &claims["scope"]), (&json!(seed::API), &json!("read:things")));
    assert_eq!((&claims["azp"], &claims["gty"]), (&json!(seed::MACHINE), &json!("client-credentials")));
    // It stands for no user.
    let app = server.client();
    let userinfo = app.send(app.request(Method::GET, "/userinfo").bearer_auth(&token)).await;
    userinfo.expect_error(401, "invalid_token");
    assert!(server.log_codes().await.contains(&"seccft".to_owned()));
}

// TK11
#[tokio::test]
async fn a_token_has_only_scopes_that_were_asked_for_and_granted_and_still_exist() {
    let server = TestServer::start().await;
    put_api(&server, OTHER_API, &["a", "b", "c"]).await;
    grant(&server, OTHER_API, &["a", "b"]).await;
    let scopes = async |asked: &str| {
        let answer = ask(&server, &[("audience", OTHER_API), ("scope", asked)]).await;
        let claims = jwt::claims(&text(&answer.expect(200).json(), "access_token"));
        assert_eq!(answer.json()["scope"], claims["scope"]);
        text(&claims, "scope")
    };
    for (asked, granted) in [("", "a b"), ("a", "a"), ("b a", "a b"), ("a c", "a"), ("c", ""), ("A", "")] {
        assert_eq!(scopes(asked).await, granted, "asked for {asked:?}");
    }
    put_api(&server, OTHER_API, &["a", "c"]).await;
    assert_eq!(scopes("").await, "a", "the API has no scope b any more");
    let malformed = ask(&server, &[("audience", OTHER_API), ("scope", "a \"b\"")]).await;
    malformed.expect_error(400, "invalid_scope");
}

// TK11
#[tokio::test]
async fn an_api_without_a_grant_and_an_unknown_one_are_refused() {
    let server = TestServer::start().await;
    put_api(&server, OTHER_API, &["a"]).await;
    let no_grant = ask(&server, &[("audience", OTHER_API)]).await;
    no_grant.expect_error(403, "unauthorized_client");
    assert!(text(&no_grant.json(), "error_description").contains(OTHER_API));
    let unknown = ask(&server, &[("audience", "https://nowhere.example/")]).await;
    unknown.expect_error(403, "access_denied");
    assert_eq!(unknown.json()["error_description"], "Service not found: https://nowhere.example/");
    ask(&server, &[]).await.expect_error(400, "invalid_request");
    // The grant of one tenant is none in another.
    let app = server.client();
    let body = [("grant_type", "client_credentials"), ("client_id", seed::MACHINE), ("audience", OTHER_API)];
    let url = app.url_of(seed::OTHER, "/oauth/token");
    app.post_form(&url, &[&body[..], &[("client_secret", seed::MACHINE_SECRET)]].concat())
        .await
        .expect_error(403, "access_denied");
    assert!(server.log_codes().await.contains(&"feccft".to_owned()));
}

// TK9 TK10
#[tokio::test]
async fn only_a_confidential_client_with_this_grant_type_may_ask() {
    let server = TestServer::start().await;
    let public = Client {
        grant_types: vec!["client_credentials".into()],
        token_endpoint_auth_method: TokenEndpointAuthMethod::None,
        client_secret_hashes: Vec::new(),
        ..seed::client(seed::MACHINE)
    };
    manage::put_client(&server.idp, &server.acme(), &public).await.expect("a public client");
    let form = [("grant_type", "client_credentials"), ("client_id", seed::MACHINE), ("audience", seed::API)];
    let refused = server.client().post_form("/oauth/token", &form).await;
    refused.expect_error(403, "unauthorized_client");
    let without = Client { grant_types: vec!["authorization_code".into()], ..seed::client(seed::MACHINE) };
    manage::put_client(&server.idp, &server.acme(), &without).await.expect("a client");
    let answer = ask(&server, &[("audience", seed::API)]).await;
    answer.expect_error(403, "unauthorized_client");
    let description = text(&answer.json(), "error_description");
    assert_eq!(description, "Grant type `client_credentials` not allowed for the client.");
}

// CA2
#[tokio::test]
async fn two_secrets_are_good_while_one_replaces_the_other() {
    let server = TestServer::start().await;
    let rotating = Client {
        client_secret_hashes: vec![hash_credential("the-new-secret"), hash_credential(seed::MACHINE_SECRET)],
        ..seed::client(seed::MACHINE)
    };
    manage::put_client(&server.idp, &server.acme(), &rotating).await.expect("a client");
    for (secret, status) in [(seed::MACHINE_SECRET, 200), ("the-new-secret", 200), ("another", 401)] {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", seed::MACHINE),
            ("client_secret", secret),
            ("audience", seed::API),
        ];
        server.client().post_form("/oauth/token", &form).await.expect(status);
    }
}

// CA2
#[tokio::test]
async fn guessing_a_secret_is_stopped_and_the_right_one_still_works() {
    let server = TestServer::start().await;
    let app = server.client();
    let guess = async || {
        let form =
            [("grant_type", "client_credentials"), ("client_id", seed::MACHINE), ("client_secret", "wrong")];
        app.post_form("/oauth/token", &form).await
    };
    for _ in 0..20 {
        guess().await.expect_error(401, "invalid_client");
    }
    let stopped = guess().await;
    stopped.expect_error(429, "too_many_requests");
    let wait: i64 = stopped.header("retry-after").expect("when to come back").parse().expect("seconds");
    assert!((1..=900).contains(&wait), "{wait}");
    ask(&server, &[("audience", seed::API)]).await.expect(200);
    server.clock.advance_secs(wait);
    guess().await.expect_error(401, "invalid_client");
}
