use end_to_end::flow::{asks_to_log_in, code_of, log_in};
use end_to_end::{Login, TestServer, seed};
use idp::manage;
use serde_json::json;

const HOUR: i64 = 3600;

// LO5
#[tokio::test]
async fn a_session_that_is_not_used_ends_after_its_idle_lifetime() {
    let server = TestServer::start().await;
    for (idle, alive) in [(72 * HOUR - 1, true), (72 * HOUR, false)] {
        let browser = server.client();
        Login::web().code(&browser, seed::ADA).await;
        server.clock.advance_secs(idle);
        assert_eq!(!asks_to_log_in(&Login::web().begin(&browser).await), alive, "after {idle} s");
    }
}

// LO5
#[tokio::test]
async fn a_session_in_use_ends_at_its_absolute_lifetime() {
    let server = TestServer::start().await;
    let browser = server.client();
    Login::web().code(&browser, seed::ADA).await;
    for _ in 0..3 {
        server.clock.advance_secs(50 * HOUR);
        code_of(&Login::web().begin(&browser).await);
    }
    server.clock.advance_secs(18 * HOUR - 1);
    code_of(&Login::web().begin(&browser).await);
    server.clock.advance_secs(1);
    assert!(asks_to_log_in(&Login::web().begin(&browser).await));
}

// LO4
#[tokio::test]
async fn each_login_changes_the_session_cookie_and_the_old_one_is_dead() {
    let server = TestServer::start().await;
    let browser = server.client();
    browser.set_cookie("auth0", "planted-by-somebody");
    Login::web().code(&browser, seed::ADA).await;
    let first = browser.cookie("auth0").expect("a session");
    assert_ne!(first, "planted-by-somebody");
    Login::web().with("prompt", "login").code(&browser, seed::ADA).await;
    let second = browser.cookie("auth0").expect("a session");
    assert_ne!(first, second);
    let old = server.client();
    old.set_cookie("auth0", &first);
    assert!(asks_to_log_in(&Login::web().begin(&old).await));
}

// LO4
#[tokio::test]
async fn another_users_login_ends_the_session_of_the_first() {
    let server = TestServer::start().await;
    let browser = server.client();
    Login::web().code(&browser, seed::ADA).await;
    let first = browser.cookie("auth0").expect("a session");
    let begun = Login::web().with("prompt", "login").begin(&browser).await;
    code_of(&log_in(&browser, begun.location(), seed::BOB, seed::PASSWORD).await);
    let old = server.client();
    old.set_cookie("auth0", &first);
    assert!(asks_to_log_in(&Login::web().begin(&old).await));
}

// JW11
#[tokio::test]
async fn a_session_is_worth_nothing_at_another_tenant() {
    let server = TestServer::start().await;
    let browser = server.client();
    Login::web().code(&browser, seed::ADA).await;
    assert!(asks_to_log_in(&Login::web().begin_at(&browser, seed::OTHER).await));
}

// LO5
#[tokio::test]
async fn a_logout_ends_the_session_on_the_server_and_its_codes() {
    let server = TestServer::start().await;
    let browser = server.client();
    Login::web().code(&browser, seed::ADA).await;
    let cookie = browser.cookie("auth0").expect("a session");
    let code = Login::web().code_of_session(&browser).await;
    browser.get("/v2/logout").await;
    assert_eq!(browser.cookie("auth0"), None);
    let thief = server.client();
    thief.set_cookie("auth0", &cookie);
    assert!(asks_to_log_in(&Login::web().begin(&thief).await));
    end_to_end::flow::exchange_web(&browser, &code).await.expect_error(403, "invalid_grant");
}

#[tokio::test]
async fn a_non_persistent_session_has_a_cookie_without_an_end_and_limits_of_its_own() {
    let server = TestServer::start().await;
    let patch =
        json!({ "session_cookie": { "mode": "non-persistent" }, "idle_ephemeral_session_lifetime": 10 });
    manage::update_tenant(&server.idp, &server.acme(), patch.as_object().unwrap()).await.unwrap();
    let browser = server.client();
    let done = Login::web().finish(&browser, seed::ADA).await;
    let cookies = done.set_cookies();
    let cookie = cookies.iter().find(|cookie| cookie.starts_with("auth0=")).expect("a session cookie");
    assert!(!cookie.contains("Max-Age") && !cookie.contains("Expires"), "{cookie}");
    // To raise the limit later does not concern it, to lower it does.
    for (raised_to, unused, alive) in [(20, 9, true), (20, 11, false), (5, 4, true), (5, 6, false)] {
        let change = async |hours: i32| {
            let patch = json!({ "idle_ephemeral_session_lifetime": hours });
            manage::update_tenant(&server.idp, &server.acme(), patch.as_object().unwrap()).await.unwrap();
        };
        change(10).await;
        let browser = server.client();
        Login::web().code(&browser, seed::ADA).await;
        change(raised_to).await;
        // Used once under the new limit.
        Login::web().code_of_session(&browser).await;
        server.clock.advance_secs(unused * HOUR);
        assert_eq!(asks_to_log_in(&Login::web().begin(&browser).await), !alive, "{raised_to} {unused}");
    }
}
