//! Section 1.5: deny, throw, time out. What the client sees, what still counts, and what does not.

use std::time::Duration;

use action_api::Limits;
use end_to_end::flow::{asks_to_log_in, exchange_native, native_tokens, refresh, text};
use end_to_end::{Login, TestServer, actions, seed};
use postern::executor::Places;
use serde_json::{Value, json};

use super::{handler, metadata, refused, warnings};
use crate::{mfa, online};

const NOTHING: &str = "exports.onExecutePostLogin = async () => {};";
/// Says that it ran.
const LATER: &str = "exports.onExecutePostLogin = async () => console.log(JSON.stringify('later'));";

/// With an Action of this body, and another one after it.
async fn with_action(body: &str) -> TestServer {
    let server = TestServer::start().await;
    server.deploy_action("action", &handler(body)).await;
    server.deploy_action("later", LATER).await;
    server
}

/// The answer of the token endpoint to a refresh, with its description.
async fn refused_refresh(server: &TestServer, body: &str) -> (Value, String, end_to_end::RawClient) {
    server.deploy_action("action", NOTHING).await;
    let app = server.client();
    let token = text(&native_tokens(&app, seed::ADA).await, "refresh_token");
    server.deploy_action("action", &handler(body)).await;
    let answer = refresh(&app, seed::NATIVE, &token).await;
    (answer.expect_error(403, "access_denied").json()["error_description"].clone(), token, app)
}

#[tokio::test]
async fn s1_5_access_deny() {
    let body = "api.access.deny('Not today'); api.user.setAppMetadata('denied', true);
        api.user.setUserMetadata('denied', 1); api.idToken.setCustomClaim('a', 1);
        console.log(JSON.stringify('after'));";
    let server = with_action(body).await;
    assert_eq!(refused(&server, "denied").await, "Not today");
    assert_eq!(server.printed().await, ["after"], "its function runs on, and no later Action runs");
    assert_eq!(metadata(&server).await, json!([{ "denied": 1 }, { "denied": true }]), "still written");
    let (description, token, app) = refused_refresh(&server, body).await;
    assert_eq!(description, "Not today");
    server.deploy_action("action", &handler("api.access.deny('one'); return; api.access.deny('two')")).await;
    assert_eq!(refused(&server, "return").await, "one");
    // A refresh that is denied costs nothing.
    server.deploy_action("action", NOTHING).await;
    refresh(&app, seed::NATIVE, &token).await.expect(200);
}

#[tokio::test]
async fn s1_5_session_revoke() {
    let server = with_action("").await;
    for (options, refresh_tokens_live) in [("", false), (", { preserveRefreshTokens: true }", true)] {
        server.deploy_action("action", NOTHING).await;
        let browser = server.client();
        let token = text(&native_tokens(&browser, seed::ADA).await, "refresh_token");
        let before = server.printed().await.len();
        let body = format!("api.session.revoke('Out'{options}); api.user.setAppMetadata('out', true);");
        server.deploy_action("action", &handler(&body)).await;
        let answer = Login::web().begin(&browser).await;
        assert_eq!(answer.location_parameter("error").as_deref(), Some("access_denied"));
        assert_eq!(answer.location_parameter("error_description").as_deref(), Some("Out"));
        assert_eq!(server.printed().await.len(), before, "no later Action runs");
        assert_eq!(browser.cookie("auth0"), None);
        assert!(server.log_codes().await.contains(&"session_revoked".to_owned()));
        assert_eq!(metadata(&server).await[1], json!({ "out": true }), "as at a denial");
        server.deploy_action("action", NOTHING).await;
        assert!(asks_to_log_in(&Login::native().begin(&browser).await));
        let refreshed = refresh(&browser, seed::NATIVE, &token).await;
        assert_eq!(refreshed.status, if refresh_tokens_live { 200 } else { 403 }, "{refreshed:?}");
    }
    // At a refresh it ends the session of the token, and the token with it.
    let (description, token, app) = refused_refresh(&server, "api.session.revoke('Out')").await;
    assert_eq!(description, "Out");
    server.deploy_action("action", NOTHING).await;
    refresh(&app, seed::NATIVE, &token).await.expect_error(403, "invalid_grant");
    assert!(asks_to_log_in(&Login::native().begin(&app).await));
    // At a login there is no session yet, and none comes of it.
    server.deploy_action("action", &handler("api.session.revoke('Out')")).await;
    assert_eq!(refused(&server, "revoked").await, "Out");
}

#[tokio::test]
async fn s1_5_refresh_token_revoke() {
    let server = with_action("").await;
    let body = "api.refreshToken.revoke('Lost phone'); api.user.setAppMetadata('lost', true);";
    let (description, token, app) = refused_refresh(&server, body).await;
    assert_eq!(description, "Lost phone");
    assert_eq!(server.printed().await.len(), 1, "of the login: no Action after it");
    assert!(server.log_codes().await.contains(&"srrt".to_owned()));
    assert_eq!(metadata(&server).await[1], json!({ "lost": true }));
    server.deploy_action("action", NOTHING).await;
    refresh(&app, seed::NATIVE, &token).await.expect_error(403, "invalid_grant");
    assert!(!asks_to_log_in(&Login::native().begin(&app).await), "the session is another matter");
    // But for an online token, which is its session's.
    let browser = server.client();
    let token = text(&online::online_tokens(&browser).await, "refresh_token");
    server.deploy_action("action", &handler(body)).await;
    online::refresh(&browser, &token).await.expect_error(403, "access_denied");
    server.deploy_action("action", NOTHING).await;
    online::refresh(&browser, &token).await.expect_error(403, "invalid_grant");
    assert!(asks_to_log_in(&Login::web().begin(&browser).await));
}

#[tokio::test]
async fn s1_5_validation_error() {
    let body = "api.validation.error('bad_name', 'No such name'); api.user.setAppMetadata('bad', true);";
    let server = with_action(body).await;
    assert_eq!(refused(&server, "invalid").await, "No such name");
    assert!(server.printed().await.is_empty(), "no later Action runs");
    assert!(warnings(&server).await[0].contains("bad_name"), "its code is in the log");
    assert_eq!(metadata(&server).await[1], json!({ "bad": true }), "as at a denial");
    assert_eq!(refused_refresh(&server, body).await.0, "No such name");
}

#[tokio::test]
async fn s1_5_uncaught_error_or_rejected_promise() {
    let before = "api.idToken.setCustomClaim('before', 1); api.user.setAppMetadata('before', 1); ";
    let server = with_action("").await;
    for (body, description) in [
        ("throw new Error('Come back later')", "Come back later"),
        ("await Promise.reject(new TypeError('Not a function'))", "Not a function"),
        ("event.user.nothing.at_all", "cannot read property 'at_all' of undefined"),
        ("for (;;) {}", "An Action of this login exceeded its limits."),
        (
            "const all = []; for (;;) all.push(new Array(10000).fill(1))",
            "An Action of this login exceeded its limits.",
        ),
        ("await new Promise(() => {})", "An Action of this login failed."),
    ] {
        server.deploy_action("action", &handler(&format!("{before}{body}"))).await;
        assert_eq!(refused(&server, body).await, description, "{body}");
    }
    let reports = server.reports().await;
    assert_eq!(reports.len(), 6, "no later Action runs");
    assert!(reports.iter().all(|report| report.error.is_some() && report.commands.is_empty()), "{reports:?}");
    // Nothing stays of what the Action asked for, or those before it.
    server.deploy_action("action", &handler(before)).await;
    server.deploy_action("later", &handler("throw new Error('Come back later')")).await;
    assert_eq!(refused(&server, "the second one").await, "Come back later");
    assert_eq!(metadata(&server).await, json!([{}, {}]));
    server.deploy_action("later", LATER).await;
    assert_eq!(refused_refresh(&server, "throw new Error('Come back later')").await.0, "Come back later");
}

#[tokio::test]
async fn s1_5_error_while_loading_the_module() {
    // Where the top level can run at the deploy, it fails there.
    let source = action_build::Source::script("action.js", "throw new Error('Not configured');");
    let error = action_build::build(actions::runtime(), &source, &actions::LIMITS).expect_err("it throws");
    assert!(error.to_string().contains("Not configured"), "{error}");
    // Where it runs at each login, each login fails with the same error.
    let server = with_action("").await;
    let loads = "if (Date.now() > 0) throw new Error('Not configured');
        exports.onExecutePostLogin = async () => {};";
    server.deploy_action("action", loads).await;
    for _ in 0..2 {
        assert_eq!(refused(&server, "the top level").await, "Not configured");
    }
    assert!(server.printed().await.is_empty(), "no later Action runs");
}

#[tokio::test]
async fn s1_5_over_20_s_in_total() {
    let defaults = include_str!("../../../crates/postern/src/default.toml");
    assert!(defaults.contains("\nwall_clock_ms = 20_000\n"), "what servers begin with");
    let server = TestServer::start_with_limits(Limits { wall_clock_ms: 300, ..actions::LIMITS }).await;
    server.deploy_action("later", LATER).await;
    let app = server.client();
    let token = text(&native_tokens(&app, seed::ADA).await, "refresh_token");
    let waits = "api.user.setAppMetadata('a', 1); await new Promise((done) => setTimeout(done, 60000));";
    server.deploy_action("later", &handler(waits)).await;
    let text = "An Action of this login exceeded its limits.";
    assert_eq!(refused(&server, "it waits").await, text);
    let answer = refresh(&app, seed::NATIVE, &token).await;
    assert_eq!(answer.expect_error(403, "access_denied").json()["error_description"], text);
    assert_eq!(metadata(&server).await, json!([{}, {}]));
    assert_eq!(last_failure(&server).await["error_class"], "action_timeout");
}

#[tokio::test]
async fn s1_5_too_many_concurrent_executions() {
    let places = Places { runs: 1, runs_per_tenant: 1, queue: Duration::from_millis(50) };
    let server = TestServer::start_with_places(places).await;
    server.deploy_action("waits", &handler("await new Promise((done) => setTimeout(done, 1500))")).await;
    let (first, second) = (server.client(), server.client());
    let login = Login::web();
    let (one, two) = tokio::join!(login.finish(&first, seed::ADA), login.finish(&second, seed::BOB));
    let failed: Vec<_> =
        [&one, &two].into_iter().filter(|done| done.location_parameter("code").is_none()).collect();
    assert_eq!(failed.len(), 1, "{one:?} {two:?}");
    assert_eq!(failed[0].location_parameter("error").as_deref(), Some("access_denied"));
    let description = failed[0].location_parameter("error_description").expect("a description");
    assert!(description.contains("resource_exhausted"), "{description}");
    assert_eq!(last_failure(&server).await["error_class"], "rate_limited");
}

#[tokio::test]
async fn s1_5_bad_saml_configuration_value() {
    let server =
        with_action("api.user.setAppMetadata('a', 1); api.samlResponse.setDigestAlgorithm('md5')").await;
    let description = refused(&server, "a bad value").await;
    assert!(description.starts_with("api.samlResponse.setDigestAlgorithm: "), "{description}");
    assert_eq!(metadata(&server).await, json!([{}, {}]), "all other commands are discarded");
    assert!(server.printed().await.is_empty(), "no later Action runs");
}

#[tokio::test]
async fn s1_5_fifth_challenge_or_enroll_command() {
    let server = mfa::server().await;
    server.deploy_action("later", LATER).await;
    let five = "for (let i = 0; i < 3; i++) api.authentication.enrollWith({ type: 'otp' });
        for (let i = 0; i < 2; i++) api.authentication.challengeWithAny([{ type: 'otp' }]);";
    server.deploy_action("asks", &handler(five)).await;
    let description = refused(&server, "five").await;
    assert_eq!(description, "A login may ask for four challenges and enrollments at most.");
}

#[tokio::test]
async fn s1_5_only_access_denied_can_be_produced() {
    let server = with_action("").await;
    for body in [
        "class UnauthorizedError extends Error { name = 'UnauthorizedError' }; throw new UnauthorizedError('Why')",
        "throw Object.assign(new Error('Why'), { code: 'unauthorized', status: 401 })",
        "api.access.deny('unauthorized', 'Why')",
        "api.validation.error('unauthorized', 'Why')",
    ] {
        server.deploy_action("action", &handler(body)).await;
        refused(&server, body).await;
        assert_ne!(refused_refresh(&server, body).await.0, Value::Null, "{body}");
    }
}

/// The details of the newest `actions_execution_failed` of the tenant's log.
async fn last_failure(server: &TestServer) -> Value {
    let entry = server.logs().await.into_iter().find(|entry| entry.code == "actions_execution_failed");
    entry.expect("a failed run").details
}

#[tokio::test]
async fn s1_5_tenant_log_of_a_failed_run() {
    let server = with_action("\nthrow new TypeError('Come back later')").await;
    refused(&server, "it throws").await;
    let details = last_failure(&server).await;
    for (name, value) in [
        ("trigger_id", json!("post-login")),
        ("action_name", json!("action")),
        ("version_id", json!(1)),
        ("error_class", json!("action_error")),
    ] {
        assert_eq!(details[name], value, "{details}");
    }
    assert_eq!((text(&details, "action_id").len(), text(&details, "execution_id").len()), (36, 36), "UUIDs");
    let error = &details["action_error"];
    assert_eq!((&error["name"], &error["message"]), (&json!("TypeError"), &json!("Come back later")));
    assert!(text(error, "stack").contains("action.js:2"), "{error}");
    assert_eq!(error["code"], "exception");
    assert!(!text(&details, "binding_id").is_empty());
    // The login's own entry, of success and of failure, has the runs.
    server.deploy_action("action", NOTHING).await;
    let browser = server.client();
    let code = Login::native().code(&browser, seed::ADA).await;
    exchange_native(&browser, &code).await.expect(200);
    for (code, runs) in [("s", 2), ("f", 1)] {
        let entry = server.logs().await.into_iter().find(|entry| entry.code == code).expect("a login");
        assert_eq!(entry.details["actions"]["runs"].as_array().map(Vec::len), Some(runs), "{code}");
    }
}
