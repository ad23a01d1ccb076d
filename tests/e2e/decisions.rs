//! What an Action decides about sessions, refresh tokens and scopes (`post-login.md` sections 1.6, 3, 3.1 and 3.2).

use end_to_end::flow::{asks_to_log_in, exchange_native, exchange_web, native_tokens, refresh, text};
use end_to_end::{Login, TestServer, jwt, seed};
use serde_json::{Value, json};

fn handler(body: &str) -> String {
    format!("exports.onExecutePostLogin = async (event, api) => {{ {body} }};")
}

const HOUR_MS: i64 = 3_600_000;

#[tokio::test]
async fn scopes_are_added_to_the_granted_ones_and_removed_from_them() {
    let server = TestServer::start().await;
    let changes = "api.accessToken.addScope(' extra:scope '); api.accessToken.removeScope('email');";
    server.deploy_action("scopes", &handler(changes)).await;
    let browser = server.client();
    let login = Login::native().with("audience", seed::API);
    let tokens = native_of(&browser, &login).await;
    let scope = text(&tokens, "scope");
    assert!(scope.split(' ').any(|scope| scope == "extra:scope"), "{scope}");
    assert!(!scope.split(' ').any(|scope| scope == "email"), "{scope}");
    assert_eq!(jwt::claims(&text(&tokens, "access_token"))["scope"], scope);
    assert!(jwt::claims(&text(&tokens, "id_token"))["email"].is_null(), "a claim goes with its scope");
    // At an exchange too, and there for this one only.
    server.deploy_action("scopes", &handler("api.accessToken.addScope('once')")).await;
    let token = text(&tokens, "refresh_token");
    let once = refresh(&browser, seed::NATIVE, &token).await.expect(200).json();
    assert!(text(&once, "scope").ends_with(" once"), "{once}");
    server.deploy_action("scopes", &handler("")).await;
    let after = refresh(&browser, seed::NATIVE, &text(&once, "refresh_token")).await.expect(200).json();
    assert_eq!(text(&after, "scope"), scope);
}

async fn native_of(browser: &end_to_end::RawClient, login: &Login) -> Value {
    let code = login.code(browser, seed::ADA).await;
    exchange_native(browser, &code).await.expect(200).json()
}

#[tokio::test]
async fn a_refresh_token_gets_its_end_and_metadata_before_it_is_there() {
    let server = TestServer::start().await;
    let sets = "if (event.refresh_token) {
          const { created_at, expires_at, idle_expires_at, metadata } = event.refresh_token;
          const after = (end) => Date.parse(end) - Date.parse(created_at);
          console.log(JSON.stringify([after(expires_at), after(idle_expires_at), metadata]));
          return;
        }
        api.refreshToken.setExpiresAt(Date.now() + 3600000);
        api.refreshToken.setIdleExpiresAt(Date.now() + 1800000);
        api.refreshToken.setMetadata('device', 'phone');
        api.refreshToken.setMetadata('gone', 'x');
        api.refreshToken.deleteMetadata('gone');
        console.log(JSON.stringify(event.refresh_token === undefined));";
    server.deploy_action("sets", &handler(sets)).await;
    let browser = server.client();
    let tokens = native_tokens(&browser, seed::ADA).await;
    let refreshed = refresh(&browser, seed::NATIVE, &text(&tokens, "refresh_token")).await.expect(200).json();
    let printed = server.printed().await;
    assert_eq!(printed[0], json!(true));
    assert_eq!(printed[1], json!([HOUR_MS, HOUR_MS / 2, { "device": "phone" }]));
    // The idle end is for one interaction; the absolute one stays.
    server.clock.advance_secs(3599);
    let again = refresh(&browser, seed::NATIVE, &text(&refreshed, "refresh_token")).await.expect(200).json();
    server.clock.advance_secs(1);
    refresh(&browser, seed::NATIVE, &text(&again, "refresh_token")).await.expect_error(403, "invalid_grant");
}

#[tokio::test]
async fn an_exchange_shortens_a_refresh_token_and_changes_its_metadata() {
    let server = TestServer::start().await;
    let browser = server.client();
    let tokens = native_tokens(&browser, seed::ADA).await;
    let sets = "api.refreshToken.setMetadata('a', '1'); api.refreshToken.setMetadata('b', '2');
        api.refreshToken.setExpiresAt(Date.now() + 60000); api.refreshToken.setExpiresAt(Date.now() + 9e12);
        api.refreshToken.setIdleExpiresAt(Date.now() + 9e12);
        console.log(JSON.stringify(event.refresh_token.metadata));";
    server.deploy_action("sets", &handler(sets)).await;
    server.deploy_action("sees", &handler("console.log(JSON.stringify(event.refresh_token.metadata))")).await;
    let one = refresh(&browser, seed::NATIVE, &text(&tokens, "refresh_token")).await.expect(200).json();
    let both = json!({ "a": "1", "b": "2" });
    assert_eq!(server.printed().await, [both.clone(), both], "at once, and for the Actions that follow");
    let warnings = server.log_codes().await.into_iter().filter(|code| code == "w").count();
    assert_eq!(warnings, 1, "the idle end was beyond the client's setting");
    server.deploy_action("sets", &handler("api.refreshToken.evictMetadata()")).await;
    let two = refresh(&browser, seed::NATIVE, &text(&one, "refresh_token")).await.expect(200).json();
    assert_eq!(server.printed().await.last(), Some(&json!({})));
    server.clock.advance_secs(60);
    refresh(&browser, seed::NATIVE, &text(&two, "refresh_token")).await.expect_error(403, "invalid_grant");
}

#[tokio::test]
async fn a_refresh_token_that_the_action_revokes_is_over() {
    let server = TestServer::start().await;
    let browser = server.client();
    let tokens = native_tokens(&browser, seed::ADA).await;
    server
        .deploy_action(
            "revokes",
            &handler("api.refreshToken.revoke('Lost phone'); api.idToken.setCustomClaim('a', 1)"),
        )
        .await;
    server.deploy_action("later", &handler("console.log(1)")).await;
    let token = text(&tokens, "refresh_token");
    let answer = refresh(&browser, seed::NATIVE, &token).await;
    answer.expect_error(403, "access_denied");
    assert_eq!(answer.json()["error_description"], "Lost phone");
    assert!(server.printed().await.is_empty(), "no Action after it");
    assert!(server.log_codes().await.contains(&"srrt".to_owned()));
    server.deploy_action("revokes", &handler("")).await;
    refresh(&browser, seed::NATIVE, &token).await.expect_error(403, "invalid_grant");
    assert!(!asks_to_log_in(&Login::native().begin(&browser).await), "the session is another matter");
}

#[tokio::test]
async fn session_metadata_and_cookie_mode_are_live_and_stay_with_the_session() {
    let server = TestServer::start().await;
    let sets = "console.log(JSON.stringify([event.session.metadata, event.session.cookie.mode]));
        api.session.setMetadata('seen', 'yes'); api.session.setMetadata('old', null);
        api.session.setCookieMode('non-persistent');
        console.log(JSON.stringify([event.session.metadata, event.session.cookie.mode]));";
    server.deploy_action("sets", &handler(sets)).await;
    server
        .deploy_action(
            "sees",
            &handler("console.log(JSON.stringify([event.session.metadata, event.session.cookie.mode]))"),
        )
        .await;
    let browser = server.client();
    let done = Login::web().finish(&browser, seed::ADA).await;
    let cookie =
        done.set_cookies().into_iter().find(|cookie| cookie.starts_with("auth0=")).expect("a session cookie");
    assert!(!cookie.contains("Max-Age"), "{cookie}");
    let (before, after) = (json!([{}, "persistent"]), json!([{ "seen": "yes" }, "non-persistent"]));
    assert_eq!(server.printed().await, [before, after.clone(), after.clone()]);
    // A later login in this session finds it so, and can change it back: the browser gets another cookie then.
    server
        .deploy_action(
            "sets",
            &handler("api.session.evictMetadata(); api.session.setCookieMode('persistent')"),
        )
        .await;
    server
        .deploy_action(
            "sees",
            &handler("console.log(JSON.stringify([event.session.metadata, event.session.cookie.mode]))"),
        )
        .await;
    let again = Login::web().begin(&browser).await;
    let cookie = again
        .set_cookies()
        .into_iter()
        .find(|cookie| cookie.starts_with("auth0="))
        .expect("a session cookie");
    assert!(cookie.contains("Max-Age"), "{cookie}");
    assert_eq!(server.printed().await.last(), Some(&json!([{}, "persistent"])));
    assert!(!asks_to_log_in(&Login::web().begin(&browser).await));
}

#[tokio::test]
async fn what_has_no_effect_is_said_and_does_not_fail_the_login() {
    let server = TestServer::start().await;
    let browser = server.client();
    let tokens = native_tokens(&browser, seed::ADA).await;
    let calls = "api.samlResponse.setIssuer('x'); api.session.setExpiresAt(Date.now() + 1000);
        api.session.setCookieMode('persistent'); api.session.deleteMetadata('a');
        console.log(JSON.stringify(api.rules.wasExecuted('r')));";
    server.deploy_action("calls", &handler(calls)).await;
    refresh(&browser, seed::NATIVE, &text(&tokens, "refresh_token")).await.expect(200);
    let warnings: Vec<String> =
        server.logs().await.into_iter().filter(|log| log.code == "w").map(|log| log.description).collect();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(
        warnings.iter().any(|text| text.contains("api.samlResponse.setIssuer had no effect")),
        "{warnings:?}"
    );
    assert!(
        warnings.iter().any(|text| text.contains("api.session.setExpiresAt had no effect")),
        "{warnings:?}"
    );
    assert_eq!(server.printed().await, [json!(false)]);
}

#[tokio::test]
async fn what_this_server_cannot_ask_for_refuses_the_login() {
    let server = TestServer::start().await;
    for (call, reason) in [
        ("api.prompt.render('ap_1')", "This server cannot show the form ap_1 that an Action asks for."),
        ("api.validation.error('bad_name', 'No such name')", "No such name"),
        (
            "api.authentication.setPrimaryUser('auth0|other')",
            "The primary user is not linked with the user who logged in.",
        ),
    ] {
        server.deploy_action("asks", &handler(call)).await;
        let browser = server.client();
        let done = Login::web().finish(&browser, seed::ADA).await;
        assert_eq!(done.location_parameter("error").as_deref(), Some("access_denied"), "{call}");
        assert_eq!(done.location_parameter("error_description").as_deref(), Some(reason));
        assert_eq!(browser.cookie("auth0"), None);
    }
    // The user's own id changes nothing.
    server.deploy_action("asks", &handler("api.authentication.setPrimaryUser(event.user.user_id)")).await;
    let browser = server.client();
    let code = Login::web().code(&browser, seed::ADA).await;
    exchange_web(&browser, &code).await.expect(200);
}
