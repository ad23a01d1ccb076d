//! What an Action decides reaches the client; what fails denies.

use action_api::{Command, GuestException, RunError};
use end_to_end::flow::{asks_to_log_in, exchange_web, text};
use end_to_end::{Login, TestServer, jwt, seed};
use serde_json::json;

#[tokio::test]
async fn a_failed_action_denies_the_login_and_makes_no_session() {
    let server = TestServer::start().await;
    server.deploy_fake_action("fails").await;
    for error in [
        RunError::Exception {
            exception: GuestException { message: "secret detail".into(), ..Default::default() },
        },
        RunError::Limit { limit: "fuel".into(), exception: None },
        RunError::Trap { message: "unreachable".into() },
        RunError::Host { message: "secret of the operator".into() },
    ] {
        let failure = error.clone();
        server.actions.set(move |_| Err(Box::new(failure.clone())));
        let browser = server.client();
        let done = Login::web().finish(&browser, seed::ADA).await;
        let code = done.expect(303).location_parameter("error");
        assert!(["access_denied", "server_error"].contains(&code.as_deref().expect("an error")), "{done:?}");
        assert!(!done.location().contains("operator"), "{done:?}");
        assert_eq!(done.location_parameter("code"), None);
        assert_eq!(browser.cookie("auth0"), None);
        assert!(asks_to_log_in(&Login::web().begin(&browser).await));
    }
}

#[tokio::test]
async fn a_denied_login_tells_the_reason_in_safe_characters() {
    let server = TestServer::start().await;
    server.deploy_fake_action("denies").await;
    server.actions.set(|_| {
        Ok(vec![Command::AccessDeny { reason: "Not \"today\"\r\nSet-Cookie: a=b \u{20ac}".into() }])
    });
    let done = Login::web().finish(&server.client(), seed::ADA).await;
    assert_eq!(done.location_parameter("error").as_deref(), Some("access_denied"));
    let description = done.location_parameter("error_description").expect("the reason");
    assert!(
        description.starts_with("Not 'today'") && !description.contains(['\r', '\n', '"']),
        "{description}"
    );
}

#[tokio::test]
async fn claims_reach_the_tokens_and_metadata_the_next_event() {
    let server = TestServer::start().await;
    server.deploy_fake_action("claims").await;
    server.actions.set(|_| {
        Ok(vec![
            Command::IdTokenSetCustomClaim { key: "https://acme.example/plan".into(), value: json!("gold") },
            Command::AccessTokenSetCustomClaim {
                key: "https://acme.example/roles".into(),
                value: json!(["a"]),
            },
            Command::UserSetAppMetadata { key: "seen".into(), value: json!(1) },
        ])
    });
    let browser = server.client();
    let code = Login::web().with("audience", seed::API).code(&browser, seed::ADA).await;
    let tokens = exchange_web(&browser, &code).await.expect(200).json();
    assert_eq!(jwt::claims(&text(&tokens, "id_token"))["https://acme.example/plan"], "gold");
    assert_eq!(jwt::claims(&text(&tokens, "access_token"))["https://acme.example/roles"], json!(["a"]));
    Login::web().code_of_session(&browser).await;
    let events = server.actions.events();
    assert_eq!(events.last().expect("an event")["user"]["app_metadata"]["seen"], 1);
    assert!(
        !events.iter().any(|event| event.to_string().contains(seed::PASSWORD)),
        "no password in an event"
    );
}

#[tokio::test]
async fn a_revoked_session_is_gone_at_once() {
    let server = TestServer::start().await;
    let browser = server.client();
    Login::web().code(&browser, seed::ADA).await;
    server.deploy_fake_action("revokes").await;
    server
        .actions
        .set(|_| Ok(vec![Command::SessionRevoke { reason: "Out".into(), preserve_refresh_tokens: false }]));
    let answer = Login::web().begin(&browser).await;
    assert_eq!(answer.location_parameter("error").as_deref(), Some("access_denied"));
    assert_eq!(browser.cookie("auth0"), None);
}

// OP5
#[tokio::test]
async fn a_panic_is_an_error_page_and_not_a_dropped_connection() {
    let server = TestServer::start().await;
    server.deploy_fake_action("panics").await;
    server.actions.set(|_| panic!("the detail"));
    let answer = Login::web().finish(&server.client(), seed::ADA).await;
    answer.expect_page(500);
    assert!(!answer.body.contains("the detail"));
    assert!(answer.body.contains(answer.header("x-request-id").expect("a correlation id")));
}
