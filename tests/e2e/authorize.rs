use end_to_end::flow::{asks_to_log_in, code_of, exchange_native, exchange_web, log_in};
use end_to_end::{Login, TestServer, flow, jwt, seed};

// AZ1 AZ2
#[tokio::test]
async fn a_redirect_uri_that_is_not_registered_byte_for_byte_gets_an_error_page() {
    let server = TestServer::start().await;
    let browser = server.client();
    for uri in [
        "https://web.example/callback",
        "https://web.example/callback?kept=1&more=1",
        "https://web.example/callback/?kept=1",
        "https://web.example/Callback?kept=1",
        "https://WEB.example/callback?kept=1",
        "https://web.example:443/callback?kept=1",
        "https://web.example/a/../callback?kept=1",
        "https://web.example/%63allback?kept=1",
        "https://web.example//callback?kept=1",
        "https://web.example\\callback?kept=1",
        "https://web.example/callback?kept=1#x",
        "https://web.example/callback?kept=1\r\nSet-Cookie: a=b",
        "https://web.example/callback?kept=1\t",
        "https://web.example@evil.example/callback?kept=1",
        "https://user@web.example/callback?kept=1",
        "http://web.example/callback?kept=1",
        "https://w\u{435}b.example/callback?kept=1",
        "https://evil.example/",
        "javascript:alert(1)",
        "com.example.native:/callback",
    ] {
        let response = Login::web().with("redirect_uri", uri).begin(&browser).await;
        response.expect_page(400);
        assert!(!response.body.contains("evil.example") && !response.body.contains("<a "), "{uri}");
    }
}

// AZ1
#[tokio::test]
async fn only_a_native_clients_loopback_redirect_may_have_any_port() {
    let server = TestServer::start().await;
    let browser = server.client();
    for (uri, accepted) in [
        ("http://127.0.0.1:49152/callback", true),
        ("http://127.0.0.1/callback", true),
        ("http://127.0.0.1:49152/other", false),
        ("http://127.0.0.1:99999/callback", false),
        ("http://localhost:49152/callback", false),
        ("http://[::1]:49152/callback", false),
        ("https://127.0.0.1:49152/callback", false),
        ("http://127.0.0.1:1@evil.example/callback", false),
    ] {
        let response = Login::native().with("redirect_uri", uri).begin(&browser).await;
        if accepted {
            assert!(asks_to_log_in(&response), "{uri}: {response:?}");
        } else {
            response.expect_page(400);
        }
    }
}

// AZ2
#[tokio::test]
async fn a_request_that_names_no_client_or_no_redirect_uri_gets_an_error_page() {
    let server = TestServer::start().await;
    let browser = server.client();
    for login in [
        Login::web().without("client_id"),
        Login::web().with("client_id", "nobody"),
        Login::web().with("client_id", ""),
        Login::web().with("client_id", "<script>alert(1)</script>"),
        // It has two registered redirect URIs.
        Login::native().without("redirect_uri"),
    ] {
        let response = login.begin(&browser).await;
        response.expect_page(400);
        assert!(!response.body.contains("<script"));
    }
}

// AZ3 AZ11 AZ16
#[tokio::test]
async fn every_other_mistake_goes_back_to_the_client_with_state_and_issuer() {
    let server = TestServer::start().await;
    let browser = server.client();
    for (login, error) in [
        (Login::web().with("response_type", "token"), "unsupported_response_type"),
        (Login::web().with("response_type", "code id_token"), "unsupported_response_type"),
        (Login::web().with("response_type", "\"<\r\n\u{e9}\\"), "unsupported_response_type"),
        (Login::web().without("response_type"), "invalid_request"),
        (Login::web().with("scope", "openid \"quoted\""), "invalid_scope"),
        (Login::web().with("prompt", "none"), "login_required"),
        (Login::web().with("prompt", "none login"), "invalid_request"),
        (Login::web().with("prompt", "dance"), "invalid_request"),
        (Login::web().with("max_age", "-1"), "invalid_request"),
        (Login::web().with("max_age", "soon"), "invalid_request"),
        (Login::web().with("request", "e30.e30."), "request_not_supported"),
        (Login::web().with("request_uri", "https://evil.example/r"), "request_uri_not_supported"),
        (Login::web().with("response_mode", "jwt"), "invalid_request"),
        (Login::web().with("code_challenge_method", "plain"), "invalid_request"),
    ] {
        let response = login.begin(&browser).await;
        let description = response.expect(302).location_parameter("error_description").unwrap();
        assert_eq!(response.location_parameter("error").as_deref(), Some(error), "{response:?}");
        assert_eq!(response.location_parameter("state").as_deref(), Some("the-state"));
        assert_eq!(response.location_parameter("iss"), Some(server.issuer(seed::ACME)));
        assert_eq!(response.location_parameter("kept").as_deref(), Some("1"), "the client's own query stays");
        let allowed = |byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        assert!(description.bytes().all(allowed), "{description}");
    }
}

// AZ4
#[tokio::test]
async fn a_repeated_parameter_is_an_error_an_empty_one_is_absent_and_an_unknown_one_is_ignored() {
    let server = TestServer::start().await;
    let browser = server.client();
    for (name, value) in Login::web().pairs() {
        let response = Login::web().twice(name, value).begin(&browser).await;
        response.expect_page(400);
    }
    // One in the query and one in the body.
    let response = browser.post_form("/authorize?state=x", &Login::web().pairs()).await;
    response.expect_page(400);
    let empty =
        Login::web().with("prompt", "").with("max_age", "").with("audience", "").with("unheard_of", "1");
    assert!(asks_to_log_in(&empty.begin(&browser).await));
}

// AZ5 AZ12
#[tokio::test]
async fn authorize_answers_a_form_post_as_a_get() {
    let server = TestServer::start().await;
    let browser = server.client();
    let response = browser.post_form("/authorize", &Login::web().pairs()).await;
    let done = log_in(&browser, response.expect(303).location(), seed::ADA, seed::PASSWORD).await;
    code_of(done.expect(303));
    let wrong_type = browser.post_json("/authorize", &serde_json::json!({ "client_id": seed::WEB })).await;
    wrong_type.expect_page(415);
}

// AZ6
#[tokio::test]
async fn state_and_nonce_come_back_as_they_were() {
    let server = TestServer::start().await;
    let long = "x".repeat(1024);
    for value in ["a", "a b+c%2B&d=e#f?g", "\u{20ac}\u{1f600}", "<script>\"'", "%0d%0aSet-Cookie: a=b", &long]
    {
        let browser = server.client();
        let login = Login::web().with("state", value).with("nonce", value);
        let done = login.finish(&browser, seed::ADA).await;
        assert_eq!(done.location_parameter("state").as_deref(), Some(value));
        let tokens = exchange_web(&browser, &code_of(&done)).await.expect(200).json();
        assert_eq!(jwt::claims(&flow::text(&tokens, "id_token"))["nonce"], value);
    }
}

// AZ7
#[tokio::test]
async fn prompt_and_max_age_decide_whether_the_session_is_enough() {
    let server = TestServer::start().await;
    let browser = server.client();
    Login::web().code(&browser, seed::ADA).await;
    server.clock.advance_secs(100);
    for (name, value, enough) in [
        ("unheard_of", "1", true),
        ("prompt", "none", true),
        ("prompt", "login", false),
        ("prompt", "select_account", false),
        ("max_age", "200", true),
        ("max_age", "50", false),
        ("max_age", "0", false),
    ] {
        let response = Login::web().with(name, value).begin(&browser).await;
        assert_eq!(asks_to_log_in(&response), !enough, "{name}={value}: {response:?}");
        if enough {
            code_of(&response);
        }
    }
    let silent = Login::web().with("prompt", "none").with("max_age", "50").begin(&browser).await;
    assert_eq!(silent.location_parameter("error").as_deref(), Some("login_required"));
}

// AZ7 JW1
#[tokio::test]
async fn a_forced_login_has_a_new_auth_time() {
    let server = TestServer::start().await;
    let browser = server.client();
    let auth_time = async |login: Login| {
        let code = login.code(&browser, seed::ADA).await;
        let tokens = exchange_web(&browser, &code).await.expect(200).json();
        jwt::claims(&flow::text(&tokens, "id_token"))["auth_time"].as_i64().expect("auth_time")
    };
    let first = auth_time(Login::web().with("max_age", "1000")).await;
    server.clock.advance_secs(100);
    assert_eq!(auth_time(Login::web().with("prompt", "login").with("max_age", "1000")).await, first + 100);
}

// AZ8
#[tokio::test]
async fn what_is_granted_follows_from_scope_and_client() {
    let server = TestServer::start().await;
    for (scope, has_id_token, has_refresh_token) in [
        ("openid", true, false),
        ("profile", false, false),
        ("openid offline_access", true, true),
        ("offline_access", false, true),
        ("openid unheard:of", true, false),
    ] {
        let browser = server.client();
        let code = Login::native().with("scope", scope).code(&browser, seed::ADA).await;
        let tokens = exchange_native(&browser, &code).await.expect(200).json();
        assert_eq!(tokens["id_token"].is_string(), has_id_token, "{scope}");
        assert_eq!(tokens["refresh_token"].is_string(), has_refresh_token, "{scope}");
        if scope.contains("unheard") {
            assert_eq!(tokens["scope"], "openid", "a scope that was not granted is told");
        }
    }
}

// AZ14
#[tokio::test]
async fn a_login_can_only_be_continued_in_the_browser_that_began_it() {
    let server = TestServer::start().await;
    let (victim, attacker) = (server.client(), server.client());
    let begun = Login::web().begin(&attacker).await;
    let page = begun.expect(302).location();
    victim.get(page).await.expect_page(400);
    let csrf = attacker.get(page).await.expect(200).field("csrf");
    let form = [("csrf", csrf.as_str()), ("username", seed::ADA), ("password", seed::PASSWORD)];
    victim.post_form(page, &form).await.expect_page(400);
    // A login under way in the victim's own browser changes nothing.
    Login::web().begin(&victim).await.expect(302);
    victim.post_form(page, &form).await.expect_page(400);
    code_of(attacker.post_form(page, &form).await.expect(303));
    attacker.post_form(page, &form).await.expect_page(400);
}

// AZ14 AZ9
#[tokio::test]
async fn two_tabs_with_different_clients_do_not_mix() {
    let server = TestServer::start().await;
    let browser = server.client();
    let web = Login::web().begin(&browser).await;
    let spa = Login::of(seed::SPA, seed::SPA_CALLBACK).begin(&browser).await;
    // What the browser adds to the second step is not looked at.
    let tampered = format!("{}&client_id={}&redirect_uri={}", web.location(), seed::SPA, seed::SPA_CALLBACK);
    let done = log_in(&browser, &tampered, seed::ADA, seed::PASSWORD).await;
    assert!(done.location().starts_with(seed::WEB_CALLBACK), "{done:?}");
    let csrf_of_spa = browser.get(spa.location()).await.field("csrf");
    let done = browser
        .post_form(
            spa.location(),
            &[("csrf", &csrf_of_spa), ("username", seed::ADA), ("password", seed::PASSWORD)],
        )
        .await;
    assert!(done.location().starts_with(seed::SPA_CALLBACK), "{done:?}");
}

// AZ13
#[tokio::test]
async fn a_fresh_browser_is_never_sent_to_a_client_with_a_code() {
    let server = TestServer::start().await;
    for login in [Login::web(), Login::native(), Login::of(seed::SPA, seed::SPA_CALLBACK)] {
        assert!(asks_to_log_in(&login.begin(&server.client()).await));
    }
}
