//! The device authorization grant (RFC 8628).

use std::net::Ipv4Addr;

use end_to_end::flow::{asks_to_log_in, exchange_native, log_in, refresh, text};
use end_to_end::{Login, RawClient, Response, TestServer, jwt, seed};
use idp::device::GRANT_TYPE;
use reqwest::Method;
use serde_json::{Value, json};

const ENDPOINT: &str = "/oauth/device/code";
const SCOPE: &str = "openid profile offline_access read:things unknown";

async fn ask_with(app: &RawClient, client_id: &str, more: &[(&str, &str)]) -> Response {
    let mut form = vec![("client_id", client_id)];
    form.extend(more);
    app.post_form(ENDPOINT, &form).await
}

/// What the TV gets.
pub(crate) async fn ask(app: &RawClient) -> Value {
    ask_with(app, seed::TV, &[("scope", SCOPE), ("audience", seed::API)]).await.expect(200).json()
}

async fn poll_as(app: &RawClient, client_id: &str, codes: &Value) -> Response {
    let code = text(codes, "device_code");
    let form = [("grant_type", GRANT_TYPE), ("client_id", client_id), ("device_code", &code)];
    app.post_form("/oauth/token", &form).await
}

pub(crate) async fn poll(app: &RawClient, codes: &Value) -> Response {
    poll_as(app, seed::TV, codes).await
}

#[track_caller]
fn assert_description(response: &Response, description: &str) {
    assert_eq!(response.json()["error_description"], description, "{response:?}");
}

/// Types the code at `/activate`.
pub(crate) async fn enter(browser: &RawClient, user_code: &str) -> Response {
    let csrf = browser.get("/activate").await.expect(200).field("csrf");
    browser.post_form("/activate", &[("csrf", &csrf), ("user_code", user_code)]).await
}

/// Sends the page that asks for confirmation.
async fn decide(browser: &RawClient, page: &Response, decision: &str) -> Response {
    let (csrf, user_code) = (page.expect(200).field("csrf"), page.field("user_code"));
    let form = [("csrf", csrf.as_str()), ("user_code", &user_code), ("decision", decision)];
    browser.post_form("/activate/confirm", &form).await
}

/// From the code up to the login page.
pub(crate) async fn connect(browser: &RawClient, codes: &Value) -> Response {
    let page = enter(browser, &text(codes, "user_code")).await;
    decide(browser, &page, "connect").await
}

pub(crate) async fn connect_and_log_in(browser: &RawClient, codes: &Value) -> Response {
    let begun = connect(browser, codes).await;
    log_in(browser, begun.expect(303).location(), seed::ADA, seed::PASSWORD).await
}

#[tokio::test]
async fn a_device_is_connected_by_a_login_in_a_browser() {
    let server = TestServer::start().await;
    const SEES: &str = "exports.onExecutePostLogin = async (event, api) => {\
        console.log(JSON.stringify(event.transaction));\
        api.accessToken.setCustomClaim('https://acme.example/tv', event.client.client_id);\
    };";
    server.deploy_action("sees", SEES).await;
    let (tv, browser) = (server.client(), server.client());
    let codes = ask(&tv).await;
    let (device_code, user_code) = (text(&codes, "device_code"), text(&codes, "user_code"));
    assert_eq!((&codes["expires_in"], &codes["interval"]), (&json!(900), &json!(5)));
    assert_eq!(codes["verification_uri"], format!("{}activate", server.issuer(seed::ACME)));
    assert!(device_code.len() >= 43, "256 random bits");
    assert!(user_code.len() == 9 && user_code.as_bytes()[4] == b'-', "{user_code}");
    let pending = poll(&tv, &codes).await;
    assert_description(
        pending.expect_error(403, "authorization_pending"),
        "User has yet to authorize device code.",
    );

    // The complete address fills the field; the user still sends it, and in what form does not matter.
    let page = browser.get(codes["verification_uri_complete"].as_str().expect("an address")).await;
    assert!(page.expect(200).body.contains(&format!("value=\"{user_code}\"")), "{page:?}");
    let page = enter(&browser, &user_code.to_lowercase().replace('-', " ")).await;
    assert!(page.expect(200).body.contains("The tv-app") && page.body.contains(&user_code), "{page:?}");
    assert!(!page.body.contains("logged in as"), "{page:?}");
    let begun = decide(&browser, &page, "connect").await;
    assert!(begun.expect(303).location().starts_with("/u/login?state="));
    log_in(&browser, begun.location(), seed::ADA, "wrong").await.expect(400);
    let done = log_in(&browser, begun.location(), seed::ADA, seed::PASSWORD).await;
    assert_eq!(done.expect(303).location(), "/activate/connected");
    assert!(browser.get(done.location()).await.expect(200).body.contains("Your device is connected"));

    server.clock.advance_secs(5);
    let tokens = poll(&tv, &codes).await.expect(200).json();
    assert_eq!(tokens["scope"], "openid profile offline_access read:things");
    assert_eq!(jwt::claims(&text(&tokens, "id_token"))["aud"], seed::TV);
    let access = jwt::claims(&text(&tokens, "access_token"));
    assert_eq!(access["https://acme.example/tv"], seed::TV);
    let printed = &server.printed().await[0];
    assert_eq!(printed["protocol"], "oauth2-device-code");
    assert_eq!(printed["requested_scopes"], json!(SCOPE.split(' ').collect::<Vec<_>>()));
    assert_eq!((&printed["redirect_uri"], &printed["state"]), (&Value::Null, &Value::Null));
    // The browser has a session of its own.
    Login::web().code_of_session(&browser).await;

    let next = refresh(&tv, seed::TV, &text(&tokens, "refresh_token")).await.expect(200).json();
    server.clock.advance_secs(5);
    let again = poll(&tv, &codes).await;
    assert_description(again.expect_error(403, "invalid_grant"), "Invalid or expired device code.");
    // Whoever comes second with it ends what the first one has.
    refresh(&tv, seed::TV, &text(&next, "refresh_token")).await.expect_error(403, "invalid_grant");
    let log = server.log_codes().await;
    assert!(log.contains(&"sede".to_owned()) && log.contains(&"fede".to_owned()), "{log:?}");
    let database = server.database.bytes();
    for secret in [device_code.as_bytes(), user_code.as_bytes(), user_code.replace('-', "").as_bytes()] {
        assert!(!database.windows(secret.len()).any(|window| window == secret));
    }
}

#[tokio::test]
async fn a_session_is_enough_and_the_page_says_whose_it_is() {
    let server = TestServer::start().await;
    let (tv, browser) = (server.client(), server.client());
    Login::web().code(&browser, seed::ADA).await;
    let codes = ask(&tv).await;
    let page = enter(&browser, &text(&codes, "user_code")).await;
    assert!(page.body.contains(seed::ADA), "{page:?}");
    assert_eq!(decide(&browser, &page, "connect").await.expect(303).location(), "/activate/connected");
    let tokens = poll(&tv, &codes).await.expect(200).json();
    assert!(jwt::claims(&text(&tokens, "id_token"))["sub"].as_str().expect("sub").starts_with("auth0|"));
    assert_eq!(decide(&browser, &page, "connect").await.expect_page(400).status, 400);

    // A session that ends before the device asks takes the login with it.
    let codes = ask(&tv).await;
    connect(&browser, &codes).await;
    browser.get("/v2/logout").await.expect(200);
    poll(&tv, &codes).await.expect_error(403, "invalid_grant");
}

#[tokio::test]
async fn the_user_or_an_action_refuses_a_device() {
    let server = TestServer::start().await;
    let (tv, browser) = (server.client(), server.client());
    let codes = ask(&tv).await;
    let page = enter(&browser, &text(&codes, "user_code")).await;
    assert!(decide(&browser, &page, "cancel").await.expect(200).body.contains("is not connected"));
    let denied = poll(&tv, &codes).await;
    assert_description(denied.expect_error(403, "access_denied"), "User cancelled the confirmation prompt");
    server.clock.advance_secs(5);
    poll(&tv, &codes).await.expect_error(403, "access_denied");
    decide(&browser, &page, "connect").await.expect_page(400);
    enter(&browser, &text(&codes, "user_code")).await.expect(400);
    assert!(server.log_codes().await.contains(&"fdecc".to_owned()));

    server
        .deploy_action(
            "deny",
            "exports.onExecutePostLogin = async (event, api) => api.access.deny('<b>No TVs</b>');",
        )
        .await;
    let codes = ask(&tv).await;
    let refused = connect_and_log_in(&browser, &codes).await;
    refused.expect_page(403);
    assert!(refused.body.contains("No TVs") && !refused.body.contains("<b>"), "{refused:?}");
    assert_eq!(browser.cookie("auth0"), None, "a refused login makes no session");
    let denied = poll(&tv, &codes).await;
    assert_description(denied.expect_error(403, "access_denied"), "<b>No TVs</b>");
}

#[tokio::test]
async fn a_device_polls_no_faster_than_it_was_told_and_gives_up_in_the_end() {
    let server = TestServer::start().await;
    let (tv, browser) = (server.client(), server.client());
    let codes = ask(&tv).await;
    poll(&tv, &codes).await.expect_error(403, "authorization_pending");
    for _ in 0..3 {
        let hasty = poll(&tv, &codes).await;
        assert_description(
            hasty.expect_error(429, "slow_down"),
            "You are polling faster than the specified interval of 5 seconds.",
        );
    }
    server.clock.advance_secs(4);
    poll(&tv, &codes).await.expect_error(429, "slow_down");
    server.clock.advance_secs(1);
    poll(&tv, &codes).await.expect_error(403, "authorization_pending");
    assert!(!server.log_codes().await.contains(&"fede".to_owned()), "to wait is no failure");

    let begun = connect(&browser, &codes).await;
    server.clock.advance_secs(895);
    poll(&tv, &codes).await.expect_error(403, "expired_token");
    server.clock.advance_secs(5);
    poll(&tv, &codes).await.expect_error(403, "invalid_grant");
    enter(&browser, &text(&codes, "user_code")).await.expect(400);
    let late = log_in(&browser, begun.location(), seed::ADA, seed::PASSWORD).await;
    late.expect_page(400);
    assert!(asks_to_log_in(&Login::web().begin(&browser).await), "nothing of that login stays");
}

#[tokio::test]
async fn of_parallel_polls_and_of_two_browsers_one_wins() {
    let server = TestServer::start().await;
    let tv = server.client();
    let codes = ask(&tv).await;
    let (first, second) = (server.client(), server.client());
    Login::web().code(&first, seed::ADA).await;
    Login::web().code(&second, seed::BOB).await;
    // Both have the page before either answers it: a code that is connected is shown to nobody.
    let user_code = text(&codes, "user_code");
    let (ada, bob) = (enter(&first, &user_code).await, enter(&second, &user_code).await);
    let (one, two) = tokio::join!(decide(&first, &ada, "connect"), decide(&second, &bob, "connect"));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 400], "{one:?} {two:?}");
    let polls = tokio::join!(poll(&tv, &codes), poll(&tv, &codes), poll(&tv, &codes), poll(&tv, &codes));
    let mut statuses = [polls.0, polls.1, polls.2, polls.3].map(|answer| answer.status);
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 429, 429, 429]);
}

#[tokio::test]
async fn a_device_code_is_for_its_client_and_is_no_authorization_code() {
    let server = TestServer::start().await;
    let (tv, browser) = (server.client(), server.client());
    let codes = ask(&tv).await;
    connect_and_log_in(&browser, &codes).await.expect(303);
    let device_code = text(&codes, "device_code");
    poll_as(&tv, seed::NATIVE, &codes).await.expect_error(403, "unauthorized_client");
    let other = tv.url_of(seed::OTHER, "/oauth/token");
    let form = [("grant_type", GRANT_TYPE), ("client_id", seed::TV), ("device_code", device_code.as_str())];
    tv.post_form(&other, &form).await.expect_error(403, "invalid_grant");
    let hash = idp::hash_credential(&device_code);
    for code in [device_code.clone(), format!("device:{device_code}"), format!("device:{hash}"), hash] {
        let form = [("grant_type", "authorization_code"), ("client_id", seed::TV), ("code", &code)];
        tv.post_form("/oauth/token", &form).await.expect_error(403, "invalid_grant");
        let form = [("grant_type", "refresh_token"), ("client_id", seed::TV), ("refresh_token", &code)];
        tv.post_form("/oauth/token", &form).await.expect_error(403, "invalid_grant");
    }
    let code = Login::native().code_of_session(&browser).await;
    for wrong in [code.as_str(), "x", &text(&codes, "user_code"), &"x".repeat(50_000), "\u{0}'\"%"] {
        let form = [("grant_type", GRANT_TYPE), ("client_id", seed::TV), ("device_code", wrong)];
        tv.post_form("/oauth/token", &form).await.expect_error(403, "invalid_grant");
    }
    let form = [("grant_type", GRANT_TYPE), ("client_id", seed::TV)];
    tv.post_form("/oauth/token", &form).await.expect_error(400, "invalid_request");
    let url = format!("/oauth/token?device_code={device_code}");
    tv.post_form(&url, &form).await.expect_error(400, "invalid_request");
    // All of that has cost neither the code nor the device's.
    exchange_native(&browser, &code).await.expect(200);
    poll(&tv, &codes).await.expect(200);
}

#[tokio::test]
async fn another_device_clients_poll_counts_for_nothing() {
    let server = TestServer::start().await;
    let tv = server.client();
    let other = model::Client { client_id: model::ClientId::new("other-tv"), ..seed::client(seed::TV) };
    idp::manage::put_client(&server.idp, &server.acme(), &other).await.expect("a client");
    let codes = ask(&tv).await;
    poll_as(&tv, "other-tv", &codes).await.expect_error(403, "invalid_grant");
    poll(&tv, &codes).await.expect_error(403, "authorization_pending");
}

#[tokio::test]
async fn guesses_of_user_codes_are_limited_by_address() {
    let server = TestServer::start().await;
    let (tv, browser) = (server.client(), server.client());
    let codes = ask(&tv).await;
    for guess in ["", "BCDF", "BCDF-GHJA", "<script>", &"B".repeat(30_000)] {
        let page = enter(&browser, guess).await;
        assert!(page.expect(400).body.contains("is not valid") && !page.body.contains("<script>"));
        assert!(page.body.len() < 4000, "what is too long is not sent back");
    }
    for _ in 0..30 {
        assert!(enter(&browser, "BBBB-BBBB").await.expect(400).body.contains("is not valid"));
    }
    // The right one comes too late, and a fresh browser changes nothing.
    for browser in [&browser, &server.client()] {
        let page = enter(browser, &text(&codes, "user_code")).await;
        assert_eq!(page.expect(429).header("retry-after"), Some("900"));
    }
    let elsewhere = server.client_from(Ipv4Addr::new(127, 0, 0, 2));
    enter(&elsewhere, &text(&codes, "user_code")).await.expect(200).field("csrf");
    server.clock.advance_secs(900);
    let codes = ask(&tv).await;
    enter(&browser, &text(&codes, "user_code")).await.expect(200).field("csrf");
    assert!(server.log_codes().await.contains(&"fdeac".to_owned()));
}

#[tokio::test]
async fn the_forms_of_a_device_come_from_our_pages_in_the_same_browser() {
    let server = TestServer::start().await;
    let (tv, browser, other) = (server.client(), server.client(), server.client());
    Login::web().code(&browser, seed::ADA).await;
    let codes = ask(&tv).await;
    let user_code = text(&codes, "user_code");
    let csrf = browser.get("/activate").await.field("csrf");
    let page = enter(&browser, &user_code).await;
    let confirm = page.field("csrf");
    let others = other.get("/activate").await.field("csrf");
    let another = text(&ask(&tv).await, "user_code");
    for (path, csrf, user_code, decision) in [
        ("/activate", "", user_code.as_str(), ""),
        ("/activate", "x", &user_code, ""),
        ("/activate", &others, &user_code, ""),
        ("/activate", &confirm, &user_code, ""),
        ("/activate/confirm", "", &user_code, "connect"),
        ("/activate/confirm", &csrf, &user_code, "connect"),
        ("/activate/confirm", &others, &user_code, "connect"),
        ("/activate/confirm", &confirm, &another, "connect"),
        ("/activate/confirm", &confirm, "", "connect"),
        ("/activate/confirm", &confirm, &user_code, "maybe"),
        ("/activate/confirm", &confirm, &user_code, ""),
    ] {
        let form = [("csrf", csrf), ("user_code", user_code), ("decision", decision)];
        browser.post_form(path, &form).await.expect_page(400);
    }
    let form = [("csrf", confirm.as_str()), ("user_code", &user_code), ("decision", "connect")];
    server.client().post_form("/activate/confirm", &form).await.expect_page(400);
    for (name, value) in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")] {
        for path in ["/activate", "/activate/confirm"] {
            let request = browser.request(Method::POST, path).header(name, value).form(&form);
            browser.send(request).await.expect_page(403);
        }
    }
    browser.post_json("/activate/confirm", &json!({})).await.expect_page(415);
    browser.get("/activate/confirm").await.expect_page(405);
    browser.get("/activate?user_code=a&user_code=b").await.expect_page(400);
    let hostile = browser.get("/activate?user_code=%22%3E%3Cscript%3E").await;
    assert!(!hostile.expect(200).body.contains("<script>"), "{hostile:?}");
    poll(&tv, &codes).await.expect_error(403, "authorization_pending");
    browser.post_form("/activate/confirm", &form).await.expect(303);
}

#[tokio::test]
async fn only_a_client_with_the_grant_gets_device_codes() {
    let server = TestServer::start().await;
    let app = server.client();
    let refused = ask_with(&app, seed::NATIVE, &[]).await;
    assert_description(
        refused.expect_error(403, "unauthorized_client"),
        "Grant type `urn:ietf:params:oauth:grant-type:device_code` not allowed for the client.",
    );
    assert!(server.log_codes().await.contains(&"fdeaz".to_owned()));
    ask_with(&app, "nobody", &[]).await.expect_error(401, "invalid_client");
    ask_with(&app, seed::TV, &[("client_secret", "x")]).await.expect_error(401, "invalid_client");
    ask_with(&app, seed::TV, &[("scope", "a\"b")]).await.expect_error(400, "invalid_scope");
    ask_with(&app, seed::TV, &[("audience", "https://x.example/")]).await.expect_error(403, "access_denied");
    ask_with(&app, seed::TV, &[("scope", "a"), ("scope", "a")]).await.expect_error(400, "invalid_request");
    ask_with(&app, seed::TV, &[("scope", &"x".repeat(70_000))]).await.expect_error(413, "invalid_request");
    app.post_form(ENDPOINT, &[]).await.expect_error(400, "invalid_request");
    app.get(ENDPOINT).await.expect(405);
    app.post_json(ENDPOINT, &json!({ "client_id": seed::TV })).await.expect(200);

    // Without an API that allows it, and without having asked, there is no refresh token.
    let (tv, browser) = (server.client(), server.client());
    let codes = ask_with(&tv, seed::TV, &[("scope", "openid")]).await.expect(200).json();
    connect_and_log_in(&browser, &codes).await.expect(303);
    let tokens = poll(&tv, &codes).await.expect(200).json();
    assert_eq!((tokens.get("refresh_token"), &tokens["scope"]), (None, &json!("openid")));

    let document = app.get("/.well-known/openid-configuration").await.json();
    let endpoint = format!("{}oauth/device/code", server.issuer(seed::ACME));
    assert_eq!(document["device_authorization_endpoint"], endpoint);
    assert!(document["grant_types_supported"].as_array().expect("a list").contains(&json!(GRANT_TYPE)));
}
