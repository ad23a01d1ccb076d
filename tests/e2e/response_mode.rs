//! How the answer of `/authorize` travels to the client: `response_mode`.

use end_to_end::chromium::{Chromium, relying_party};
use end_to_end::client::with_query;
use end_to_end::flow::{CHALLENGE, VERIFIER, exchange_web, log_in};
use end_to_end::html::{Form, tags};
use end_to_end::{Login, Response, TestServer, seed};
use serde_json::{Value, json};

/// The form of an answer, which goes to the web client and may be sent by nothing but the server's own script.
#[track_caller]
fn answered_form(response: &Response) -> Form {
    let policy = response.expect(200).header("content-security-policy").unwrap();
    assert!(policy.contains("script-src 'self'") && policy.contains("default-src 'none'"), "{policy}");
    let form = Form::first_of(&response.body).unwrap();
    assert_eq!((form.method.as_deref(), form.action.as_deref()), (Some("post"), Some(seed::WEB_CALLBACK)));
    form
}

// AZ10 AZ6
#[tokio::test]
async fn a_form_carries_the_code_and_every_state_to_the_client_as_it_was() {
    let server = TestServer::start().await;
    let browser = server.client();
    let login = Login::web().with("response_mode", "form_post");
    let done = login.finish(&browser, seed::ADA).await;
    assert!(browser.cookie("auth0").is_some(), "the answer sets the session's cookie");
    let form = answered_form(&done);
    assert_eq!(form.field("iss"), Some(server.issuer(seed::ACME).as_str()));
    exchange_web(&browser, form.field("code").unwrap()).await.expect(200);
    for state in [
        "\"><script>alert(1)</script>",
        "'><img src=x onerror=alert(1)>",
        "</form><form action=https://evil.example>",
        "&quot;&#34;&lt;{{7*7}}",
        "\u{202e}\u{2028}\u{0}\r\n\t",
        "a+b c%20&d=e",
        &"x".repeat(1024),
    ] {
        let form = answered_form(&login.clone().with("state", state).begin(&browser).await);
        assert_eq!(form.field("state"), Some(state));
        assert_eq!(form.fields.len(), 3, "{form:?}");
    }
}

// AZ3 AZ10
#[tokio::test]
async fn errors_come_in_the_mode_that_was_asked_for() {
    let server = TestServer::start().await;
    let browser = server.client();
    let silent = Login::web().with("prompt", "none");
    let form = answered_form(&silent.clone().with("response_mode", "form_post").begin(&browser).await);
    assert_eq!(form.field("error"), Some("login_required"));
    assert_eq!((form.field("state"), form.field("code")), (Some("the-state"), None));
    // What was wrong with the request as well.
    let wrong = Login::web().with("response_mode", "form_post").with("request", "e30.e30.");
    let form = answered_form(&wrong.begin(&browser).await);
    assert_eq!(form.field("error"), Some("request_not_supported"));
    let fragment = silent.with("response_mode", "fragment").begin(&browser).await;
    let (uri, fragment) = fragment.expect(302).location().split_once('#').unwrap();
    assert_eq!(uri, seed::WEB_CALLBACK);
    assert!(fragment.starts_with("error=login_required&") && fragment.contains("&state=the-state&iss="));
    // A client that is not known to own the address gets nothing in any mode.
    let other = Login::web().with("response_mode", "form_post").with("redirect_uri", "https://evil.example/");
    other.begin(&browser).await.expect_page(400);
}

// AZ9 AZ10
#[tokio::test]
async fn a_pushed_request_and_a_login_with_an_action_between_keep_their_mode() {
    let server = TestServer::start().await;
    let form = [
        ("client_id", seed::WEB),
        ("client_secret", seed::WEB_SECRET),
        ("response_type", "code"),
        ("redirect_uri", seed::WEB_CALLBACK),
        ("response_mode", "form_post"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("scope", "openid"),
    ];
    server
        .deploy_action(
            "asks",
            "exports.onExecutePostLogin = async (event, api) => { api.redirect.sendUserTo('https://a.example/'); };
             exports.onContinuePostLogin = async (event, api) => {};",
        )
        .await;
    let browser = server.client();
    let pushed = browser.post_form("/oauth/par", &form).await.expect(201).json();
    let query = [
        ("client_id", seed::WEB),
        ("request_uri", pushed["request_uri"].as_str().unwrap()),
        // Does not count beside a pushed request.
        ("response_mode", "query"),
    ];
    let begun = browser.get_with("/authorize", &query).await;
    let away = log_in(&browser, begun.location(), seed::ADA, seed::PASSWORD).await;
    let link = tags(&away.expect(200).body).find_map(|tag| tag.attribute("href").filter(|_| tag.name == "a"));
    let (_, state) = link.as_deref().and_then(|link| link.split_once("?state=")).unwrap();
    let done = browser.get_with("/continue", &[("state", state)]).await;
    exchange_web(&browser, answered_form(&done).field("code").unwrap()).await.expect(200);
}

// AZ10 BR4
#[tokio::test]
async fn a_browser_sends_the_form_by_itself_and_without_javascript_by_a_button() {
    let server = TestServer::start().await;
    let home = relying_party().await;
    let callback = format!("{home}/callback");
    server.change_client(seed::NATIVE, |client| client.callbacks = vec![callback.clone()]).await;
    let login = Login::of(seed::NATIVE, &callback).with("response_mode", "form_post");
    let url = with_query(&format!("{}authorize", server.issuer(seed::ACME)), &login.pairs());

    let with = Chromium::start().await;
    with.open(&url).await;
    with.type_where_the_focus_is(seed::ADA).await;
    with.type_into("#password", seed::PASSWORD).await;
    with.click("button").await;
    with.arrives_at(&callback).await;
    let posted = with.text("#posted").await;
    assert!(posted.starts_with("code=") && posted.contains("&state=the-state&iss=http"), "{posted}");

    let without = Chromium::start_without_javascript().await;
    without.open(&url).await;
    without.type_where_the_focus_is(seed::ADA).await;
    without.type_into("#password", seed::PASSWORD).await;
    without.click("button").await;
    // The page of the form before is still there for a moment.
    without.shows("h1", "One moment").await;
    without.assert_fits_a_phone().await;
    if let Some(file) = std::env::var_os("TEST_SCREENSHOT") {
        std::fs::write(file, without.screenshot().await).unwrap();
    }
    without.click("button").await;
    without.arrives_at(&callback).await;
    let posted = without.text("#posted").await;
    let code = posted.split(['=', '&']).nth(1).unwrap();
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", seed::NATIVE),
        ("code", code),
        ("redirect_uri", &callback),
        ("code_verifier", VERIFIER),
    ];
    server.client().post_form("/oauth/token", &form).await.expect(200);
}

// AZ10 BR5 BR3
#[tokio::test]
async fn a_message_is_for_the_frame_of_a_registered_origin_alone() {
    let server = TestServer::start().await;
    let browser = server.client();
    let login = Login::of(seed::SPA, seed::SPA_CALLBACK);
    let silent = login.clone().with("response_mode", "web_message").with("prompt", "none");
    // Not registered: nothing is said in a frame.
    let refused = silent.begin(&browser).await;
    assert_eq!(refused.expect(302).location_parameter("error").as_deref(), Some("invalid_request"));

    server.change_client(seed::SPA, |client| client.web_origins = vec!["https://spa.example".into()]).await;
    let answer = |response: &Response| {
        let body = tags(&response.expect(200).body).find(|tag| tag.name == "body").unwrap();
        assert_eq!(body.attribute("data-origin").as_deref(), Some("https://spa.example"));
        let policy = response.header("content-security-policy").unwrap();
        assert!(policy.contains("frame-ancestors https://spa.example;"), "{policy}");
        serde_json::from_str::<Value>(&body.attribute("data-response").unwrap()).unwrap()
    };
    let nobody = answer(&silent.begin(&browser).await);
    assert_eq!((&nobody["error"], &nobody["state"]), (&json!("login_required"), &json!("the-state")));
    login.finish(&browser, seed::ADA).await;
    let state = "\"'><script>alert(1)</script>\u{2028}";
    let known = answer(&silent.clone().with("state", state).begin(&browser).await);
    assert_eq!((&known["state"], &known["iss"]), (&json!(state), &json!(server.issuer(seed::ACME))));
    assert!(known["code"].is_string() && known["error"].is_null(), "{known}");
    // No page that asks for something comes in a frame.
    let asks = answer(&silent.without("prompt").begin(&browser).await);
    assert_eq!(asks["error"], "invalid_request");
}
