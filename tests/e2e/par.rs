//! Pushed authorization requests (RFC 9126).

use end_to_end::flow::{
    arrive_by_cookie, asks_to_log_in, code_of, exchange_web, log_in, native_tokens, transfer_token,
};
use end_to_end::{Login, RawClient, Response, TestServer, seed};
use model::{Tenant, TenantFlags};
use reqwest::Method;
use serde_json::json;

const ENDPOINT: &str = "/oauth/par";

async fn push_form(app: &RawClient, login: &Login) -> Response {
    let mut form = login.pairs();
    form.push(("client_secret", seed::WEB_SECRET));
    app.post_form(ENDPOINT, &form).await
}

/// The `request_uri` of the web client's request.
async fn push(app: &RawClient, login: &Login) -> String {
    let answer = push_form(app, login).await.expect(201).json();
    assert_eq!(answer["expires_in"], 30);
    let request_uri = answer["request_uri"].as_str().expect("a request_uri").to_owned();
    assert!(request_uri.starts_with("urn:ietf:params:oauth:request_uri:"), "{request_uri}");
    assert!(request_uri.len() >= 34 + 43, "256 random bits: {request_uri}");
    request_uri
}

async fn use_uri(browser: &RawClient, client_id: &str, request_uri: &str) -> Response {
    browser.get_with("/authorize", &[("client_id", client_id), ("request_uri", request_uri)]).await
}

/// The page of a `request_uri` that leads nowhere.
#[track_caller]
fn assert_spent(response: &Response) {
    assert!(response.expect_page(400).body.contains("invalid_request_uri"), "{response:?}");
}

// PA1 PA4
#[tokio::test]
async fn a_pushed_request_leads_to_a_code_and_nothing_of_it_is_in_the_browser() {
    let server = TestServer::start().await;
    const SEES: &str = "exports.onExecutePostLogin = async event => \
        console.log(JSON.stringify([event.request.query, event.transaction.requested_scopes]));";
    server.deploy_action("sees", SEES).await;
    let (app, browser) = (server.client(), server.client());
    let login = Login::web()
        .with("nonce", "canary-nonce")
        .with("login_hint", "canary-hint@example.com")
        .with("ext-shop", "canary-shop")
        .with("unknown", "canary-unknown")
        .with("session_transfer_token", "canary-transfer");
    let request_uri = push(&app, &login).await;
    // What comes by the browser beside the request_uri counts for nothing, however wrong it is.
    let front = [
        ("client_id", seed::WEB),
        ("request_uri", &request_uri),
        ("scope", "openid offline_access read:things"),
        ("redirect_uri", "https://evil.example/"),
        ("state", "evil"),
        ("response_type", "token"),
        ("prompt", "none"),
    ];
    let begun = browser.get_with("/authorize", &front).await;
    assert!(asks_to_log_in(&begun), "{begun:?}");
    for text in [begun.location(), &begun.set_cookies().join(" ")] {
        assert!(!text.contains("canary"), "{text}");
    }
    let done = log_in(&browser, begun.location(), seed::ADA, seed::PASSWORD).await;
    assert_eq!(done.location_parameter("state").as_deref(), Some("the-state"));
    assert!(done.location().starts_with(seed::WEB_CALLBACK) && !done.location().contains("canary"));
    let tokens = exchange_web(&app, &code_of(&done)).await.expect(200).json();
    assert_eq!(tokens["scope"], "openid profile email");
    let printed = server.printed().await;
    let query = &printed[0][0];
    assert_eq!((&query["ext-shop"], &query["nonce"]), (&json!("canary-shop"), &json!("canary-nonce")));
    for absent in ["unknown", "session_transfer_token", "client_secret"] {
        assert_eq!(query[absent], json!(null), "{absent}");
    }
    for secret in [request_uri.rsplit(':').next().expect("a handle"), "canary-transfer", seed::WEB_SECRET] {
        let found = server.database.bytes().windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "{secret} is in the database");
    }
}

// PA2
#[tokio::test]
async fn a_request_uri_is_for_one_client_once_and_not_for_long() {
    let server = TestServer::start().await;
    let (app, browser) = (server.client(), server.client());
    let request_uri = push(&app, &Login::web()).await;
    assert_spent(&use_uri(&browser, seed::BASIC, &request_uri).await);
    assert_spent(&use_uri(&browser, seed::NATIVE, &request_uri).await);
    let elsewhere = browser.url_of(seed::OTHER, "/authorize");
    let query = [("client_id", seed::WEB), ("request_uri", request_uri.as_str())];
    assert_spent(&browser.get_with(&elsewhere, &query).await);
    // None of that has spent it.
    assert!(asks_to_log_in(&use_uri(&browser, seed::WEB, &request_uri).await));
    assert_spent(&use_uri(&browser, seed::WEB, &request_uri).await);
    assert_spent(&use_uri(&server.client(), seed::WEB, &request_uri).await);

    let request_uri = push(&app, &Login::web()).await;
    server.clock.advance_secs(30);
    assert_spent(&use_uri(&browser, seed::WEB, &request_uri).await);
    let request_uri = push(&app, &Login::web()).await;
    server.clock.advance_secs(29);
    let (first, second) =
        tokio::join!(use_uri(&browser, seed::WEB, &request_uri), use_uri(&browser, seed::WEB, &request_uri));
    let used = [&first, &second].into_iter().filter(|answer| asks_to_log_in(answer)).count();
    assert_eq!(used, 1, "{first:?} {second:?}");

    for nonsense in ["urn:ietf:params:oauth:request_uri:", "urn:ietf:params:oauth:request_uri:x\u{0}'\"%"] {
        assert_spent(&use_uri(&browser, seed::WEB, nonsense).await);
    }
    use_uri(&browser, "nobody", &request_uri).await.expect_page(400);
    let long = format!("urn:ietf:params:oauth:request_uri:{}", "x".repeat(10_000));
    assert_spent(&use_uri(&browser, seed::WEB, &long).await);
}

// PA1 CA4
#[tokio::test]
async fn what_authorize_refuses_cannot_be_pushed() {
    let server = TestServer::start().await;
    let app = server.client();
    for (login, status, error) in [
        (Login::web().with("redirect_uri", "https://evil.example/"), 400, "invalid_request"),
        (Login::web().with("request_uri", "urn:ietf:params:oauth:request_uri:x"), 400, "invalid_request"),
        (Login::web().with("request", "e30.e30."), 400, "request_not_supported"),
        (Login::web().with("response_type", "token"), 400, "unsupported_response_type"),
        (Login::web().without("response_type"), 400, "invalid_request"),
        (Login::web().with("response_mode", "jwt"), 400, "invalid_request"),
        (Login::web().with("scope", "a\"b"), 400, "invalid_scope"),
        (Login::web().with("audience", "https://nothing.example/"), 403, "access_denied"),
        (Login::web().with("code_challenge_method", "plain"), 400, "invalid_request"),
        (Login::web().with("max_age", "-1"), 400, "invalid_request"),
        (Login::web().with("prompt", "none login"), 400, "invalid_request"),
        (Login::web().twice("state", "again"), 400, "invalid_request"),
        (Login::web().with("client_id", seed::BASIC), 401, "invalid_client"),
        (Login::web().with("client_id", "nobody"), 401, "invalid_client"),
        (Login::web().with("ext-large", &"x".repeat(10 * 1024)), 413, "invalid_request"),
        (Login::web().with("ext-large", &"x".repeat(70_000)), 413, "invalid_request"),
        (
            (0..11).fold(Login::web(), |login, at| login.with(&format!("ext-{at}"), "x")),
            400,
            "invalid_request",
        ),
    ] {
        push_form(&app, &login).await.expect_error(status, error);
    }
    app.post_form(ENDPOINT, &Login::native().pairs()).await.expect_error(403, "unauthorized_client");
    app.post_form(ENDPOINT, &Login::web().pairs()).await.expect_error(401, "invalid_client");
    app.post_form(ENDPOINT, &[]).await.expect_error(400, "invalid_request");
    let json = json!({ "client_id": seed::WEB, "client_secret": seed::WEB_SECRET, "response_type": "code" });
    app.post_json(ENDPOINT, &json).await.expect_error(415, "invalid_request");
    app.get(ENDPOINT).await.expect(405);
    push_form(&app, &Login::web().with("ext-large", &"x".repeat(9 * 1024))).await.expect(201);

    // HTTP Basic, and no client_id in the body.
    let login = Login::of(seed::BASIC, seed::BASIC_CALLBACK).without("client_id");
    let encode = |text: &str| form_encode(text);
    let request = app.request(Method::POST, ENDPOINT).form(&login.pairs());
    let request = request.basic_auth(encode(seed::BASIC), Some(encode(seed::BASIC_SECRET)));
    let answer = app.send(request).await.expect(201).json();
    let request_uri = answer["request_uri"].as_str().expect("a request_uri").to_owned();
    assert!(asks_to_log_in(&use_uri(&app, seed::BASIC, &request_uri).await));
    let request =
        app.request(Method::POST, ENDPOINT).form(&login.pairs()).basic_auth(seed::BASIC, Some("no"));
    let refused = app.send(request).await;
    assert!(refused.expect_error(401, "invalid_client").header("www-authenticate").is_some());
}

fn form_encode(text: &str) -> String {
    let url = url::Url::parse_with_params("x:/", [("", text)]).expect("a URL");
    url.query().expect("a query")[1..].to_owned()
}

// PA3
#[tokio::test]
async fn a_client_that_must_push_cannot_do_without() {
    let server = TestServer::start().await;
    let (app, browser) = (server.client(), server.client());
    seed::change_client(&server.idp, seed::WEB, |client| client.require_pushed_authorization_requests = true)
        .await;
    let refused = Login::web().begin(&browser).await;
    assert_eq!(refused.location_parameter("error").as_deref(), Some("invalid_request"), "{refused:?}");
    assert_eq!(refused.location_parameter("state").as_deref(), Some("the-state"));
    let request_uri = push(&app, &Login::web()).await;
    assert!(asks_to_log_in(&use_uri(&browser, seed::WEB, &request_uri).await));
}

// PA1
#[tokio::test]
async fn a_tenant_without_pushed_requests_has_no_endpoint_for_them() {
    let server = TestServer::start().await;
    let app = server.client();
    let discovery = "/.well-known/openid-configuration";
    let endpoint = &app.get(discovery).await.json()["pushed_authorization_request_endpoint"];
    assert_eq!(*endpoint, format!("{}oauth/par", server.issuer(seed::ACME)));
    let request_uri = push(&app, &Login::web()).await;

    let tenant = server.idp.storage.tenant(&server.acme()).await.expect("a database").expect("a tenant");
    let tenant = Tenant { flags: TenantFlags::default(), ..tenant };
    server.idp.storage.put_tenant(&tenant).await.expect("a tenant");
    push_form(&app, &Login::web()).await.expect_error(404, "invalid_request");
    let answer = Login::web().with("request_uri", &request_uri).begin(&app).await;
    assert_eq!(answer.location_parameter("error").as_deref(), Some("request_uri_not_supported"));
    let document = app.get(discovery).await.json();
    assert!(document.get("pushed_authorization_request_endpoint").is_none());
}

// NW1
#[tokio::test]
async fn a_session_transfer_token_comes_beside_the_request_uri() {
    let server = TestServer::start().await;
    let app = server.client();
    let (token, refresh_token) = transfer_token(&app, &native_tokens(&app, seed::ADA).await).await;
    let browser = server.client();
    let request_uri = push(&app, &Login::web()).await;
    let query = [("client_id", seed::WEB), ("request_uri", &request_uri), ("session_transfer_token", &token)];
    let arrived = browser.get_with("/authorize", &query).await;
    exchange_web(&app, &code_of(&arrived)).await.expect(200);

    let (token, _) = transfer_token(&app, &json!({ "refresh_token": refresh_token })).await;
    let browser = server.client();
    browser.set_cookie(end_to_end::flow::TRANSFER_COOKIE, &token);
    let request_uri = push(&app, &Login::web()).await;
    code_of(&use_uri(&browser, seed::WEB, &request_uri).await);
    assert!(asks_to_log_in(&arrive_by_cookie(&server.client(), &token).await), "it is spent");
}
