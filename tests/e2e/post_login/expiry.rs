//! Section 3.1: the bounds of `setExpiresAt` and `setIdleExpiresAt`, of sessions and of refresh tokens.

use end_to_end::flow::{asks_to_log_in, exchange_native, exchange_web, native_tokens, refresh, text};
use end_to_end::{Login, RawClient, TestServer, jwt, seed};
use idp::{hash_credential, manage};
use model::{RefreshToken, Session, SessionId, Timestamp};
use serde_json::json;

use super::{handler, warnings};
use crate::online;

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

/// The session of a login in a new browser at which an Action did this.
async fn session_after(server: &TestServer, body: &str) -> (RawClient, Session) {
    server.deploy_action("sets", &handler(body)).await;
    let browser = server.client();
    let code = Login::web().code(&browser, seed::ADA).await;
    let session = session_of(server, &browser, &code).await;
    server.deploy_action("sets", &handler("")).await;
    (browser, session)
}

async fn session_of(server: &TestServer, browser: &RawClient, code: &str) -> Session {
    let tokens = exchange_web(browser, code).await.expect(200).json();
    let sid = text(&jwt::claims(&text(&tokens, "id_token")), "sid");
    let mut tx = server.idp.storage.begin_read(&server.acme()).await.unwrap();
    tx.session(&SessionId::new(sid)).await.unwrap().expect("a session")
}

/// The refresh token of a login at which an Action did this, with its secret.
async fn token_after(server: &TestServer, body: &str) -> (String, RefreshToken) {
    server.deploy_action("sets", &handler(body)).await;
    let tokens = native_tokens(&server.client(), seed::ADA).await;
    server.deploy_action("sets", &handler("")).await;
    let secret = text(&tokens, "refresh_token");
    let token = token_of(server, &secret).await;
    (secret, token)
}

async fn token_of(server: &TestServer, secret: &str) -> RefreshToken {
    let mut tx = server.idp.storage.begin_read(&server.acme()).await.unwrap();
    let found = tx.refresh_token_use(&hash_credential(secret), server.idp.now()).await.unwrap();
    found.expect("a refresh token").token
}

/// An exchange at which an Action does this; the next secret.
async fn exchange(server: &TestServer, secret: &str, body: &str) -> String {
    server.deploy_action("sets", &handler(body)).await;
    let answer = refresh(&server.client(), seed::NATIVE, secret).await.expect(200).json();
    server.deploy_action("sets", &handler("")).await;
    text(&answer, "refresh_token")
}

/// Milliseconds from now to both ends.
fn ends(server: &TestServer, expires_at: Timestamp, idle_expires_at: Timestamp) -> (i64, i64) {
    let now = server.idp.now().as_ms();
    (expires_at.as_ms() - now, idle_expires_at.as_ms() - now)
}

fn session_ends(server: &TestServer, session: &Session) -> (i64, i64) {
    ends(server, session.expires_at, session.idle_expires_at)
}

fn token_ends(server: &TestServer, token: &RefreshToken) -> (i64, i64) {
    ends(server, token.expires_at.expect("an end"), token.idle_expires_at.expect("an idle end"))
}

#[tokio::test]
async fn s3_1_unit_milliseconds_since_the_epoch() {
    let server = TestServer::start().await;
    let both = |group: &str| {
        format!(
            "api.{group}.setExpiresAt(Date.now() + 60000); api.{group}.setIdleExpiresAt(Date.now() + 30000);"
        )
    };
    let (_, session) = session_after(&server, &both("session")).await;
    assert_eq!(session_ends(&server, &session), (MINUTE_MS, MINUTE_MS / 2));
    let (_, token) = token_after(&server, &both("refreshToken")).await;
    assert_eq!(token_ends(&server, &token), (MINUTE_MS, MINUTE_MS / 2));
}

#[tokio::test]
async fn s3_1_fractional_number() {
    let server = TestServer::start().await;
    let (_, session) = session_after(&server, "api.session.setExpiresAt(Date.now() + 60000.9)").await;
    assert_eq!(session_ends(&server, &session).0, MINUTE_MS, "the fraction is cut off");
    let (_, token) = token_after(&server, "api.refreshToken.setExpiresAt(Date.now() + 60000.9)").await;
    assert_eq!(token_ends(&server, &token).0, MINUTE_MS);
}

#[tokio::test]
async fn s3_1_in_the_past_session() {
    let server = TestServer::start().await;
    for past in ["api.session.setExpiresAt(-1)", "api.session.setIdleExpiresAt(Date.now() - 1)"] {
        server.deploy_action("sets", &handler(past)).await;
        let browser = server.client();
        // This login completes, with its tokens, and there is no session to use after it.
        let code = Login::web().code(&browser, seed::ADA).await;
        exchange_web(&browser, &code).await.expect(200);
        assert!(asks_to_log_in(&Login::web().begin(&browser).await), "{past}");
    }
    // So it is in a session that has been there.
    server.deploy_action("sets", &handler("")).await;
    let browser = server.client();
    Login::web().code(&browser, seed::ADA).await;
    server.deploy_action("sets", &handler("api.session.setExpiresAt(-1)")).await;
    Login::web().code_of_session(&browser).await;
    assert!(asks_to_log_in(&Login::web().begin(&browser).await));
}

#[tokio::test]
async fn s3_1_in_the_past_refresh_token() {
    let server = TestServer::start().await;
    for past in ["api.refreshToken.setExpiresAt(-1)", "api.refreshToken.setIdleExpiresAt(Date.now() - 1)"] {
        let app = server.client();
        server.deploy_action("sets", &handler(past)).await;
        let token = text(&native_tokens(&app, seed::ADA).await, "refresh_token");
        refresh(&app, seed::NATIVE, &token).await.expect_error(403, "invalid_grant");
        let (token, _) = token_after(&server, "").await;
        let next = exchange(&server, &token, past).await;
        refresh(&app, seed::NATIVE, &next).await.expect_error(403, "invalid_grant");
    }
}

#[tokio::test]
async fn s3_1_seconds_by_mistake() {
    let server = TestServer::start().await;
    let body = "api.session.setExpiresAt(Math.floor(Date.now() / 1000) + 3600);
        api.refreshToken.setExpiresAt(Math.floor(Date.now() / 1000) + 3600);";
    server.deploy_action("sets", &handler(body)).await;
    let browser = server.client();
    let tokens = native_tokens(&browser, seed::ADA).await;
    assert!(asks_to_log_in(&Login::web().begin(&browser).await), "January 1970 is past");
    let token = text(&tokens, "refresh_token");
    refresh(&browser, seed::NATIVE, &token).await.expect_error(403, "invalid_grant");
}

#[tokio::test]
async fn s3_1_above_the_maximum_session() {
    let server = TestServer::start().await;
    let body = "api.session.setExpiresAt(Date.now() + 400 * 86400000); api.session.setIdleExpiresAt(9e15);";
    let (_, session) = session_after(&server, body).await;
    assert_eq!(session_ends(&server, &session), (7 * DAY_MS, 3 * DAY_MS), "the tenant's limits");
    let warned = warnings(&server).await;
    assert!(warned.len() == 2 && warned.iter().all(|text| text.starts_with("api.session.set")), "{warned:?}");
}

#[tokio::test]
async fn s3_1_above_the_maximum_refresh_token() {
    let server = TestServer::start().await;
    let body = "api.refreshToken.setExpiresAt(Date.now() + 9e12); api.refreshToken.setIdleExpiresAt(9e15);";
    let (secret, token) = token_after(&server, body).await;
    assert_eq!(token_ends(&server, &token), (30 * DAY_MS, 15 * DAY_MS), "the client's settings");
    assert_eq!(warnings(&server).await.len(), 2);
    let next = exchange(&server, &secret, body).await;
    assert_eq!(token_ends(&server, &token_of(&server, &next).await), (30 * DAY_MS, 15 * DAY_MS));
    assert_eq!(warnings(&server).await.len(), 4);
}

#[tokio::test]
async fn s3_1_above_the_current_value_refresh_token() {
    let server = TestServer::start().await;
    let (secret, _) = token_after(&server, "api.refreshToken.setExpiresAt(Date.now() + 60000)").await;
    let next = exchange(&server, &secret, "api.refreshToken.setExpiresAt(Date.now() + 600000)").await;
    assert_eq!(token_ends(&server, &token_of(&server, &next).await).0, MINUTE_MS, "it only shortens");
    let next = exchange(&server, &next, "api.refreshToken.setExpiresAt(Date.now() + 30000)").await;
    assert_eq!(token_ends(&server, &token_of(&server, &next).await).0, MINUTE_MS / 2);
}

#[tokio::test]
async fn s3_1_above_the_current_value_session() {
    let server = TestServer::start().await;
    let sets =
        "api.session.setExpiresAt(Date.now() + 60000); api.session.setIdleExpiresAt(Date.now() + 30000);";
    let (browser, _) = session_after(&server, sets).await;
    server.deploy_action("sets", &handler("api.session.setExpiresAt(Date.now() + 600000)")).await;
    let code = Login::web().code_of_session(&browser).await;
    let session = session_of(&server, &browser, &code).await;
    // The sources disagree. A session that was limited, as one that was handed over, is not lengthened again.
    assert_eq!(session_ends(&server, &session), (MINUTE_MS, MINUTE_MS));
    assert!(warnings(&server).await[0].starts_with("api.session.setExpiresAt"));
}

#[tokio::test]
async fn s3_1_idle_ceiling() {
    let server = TestServer::start().await;
    // Below the absolute limit, above that of idleness: the lower one counts.
    let (_, session) =
        session_after(&server, "api.session.setIdleExpiresAt(Date.now() + 5 * 86400000)").await;
    assert_eq!(session_ends(&server, &session), (7 * DAY_MS, 3 * DAY_MS));
    assert!(warnings(&server).await[0].starts_with("api.session.setIdleExpiresAt"));
    // And never after the absolute end.
    let body =
        "api.session.setExpiresAt(Date.now() + 60000); api.session.setIdleExpiresAt(Date.now() + 3600000);";
    let (_, session) = session_after(&server, body).await;
    assert_eq!(session_ends(&server, &session), (MINUTE_MS, MINUTE_MS));
}

#[tokio::test]
async fn s3_1_called_several_times() {
    let server = TestServer::start().await;
    let calls = |group: &str| {
        format!("for (const s of [90, 60, 120]) api.{group}.setExpiresAt(Date.now() + s * 1000);")
    };
    // In one Action, and in another one after it.
    server.deploy_action("first", &handler(&format!("{}{}", calls("session"), calls("refreshToken")))).await;
    let (_, session) = session_after(&server, "api.session.setExpiresAt(Date.now() + 300000)").await;
    assert_eq!(session_ends(&server, &session).0, MINUTE_MS, "the earliest wins");
    let (_, token) = token_after(&server, "api.refreshToken.setExpiresAt(Date.now() + 300000)").await;
    assert_eq!(token_ends(&server, &token).0, MINUTE_MS);
    let (_, token) = token_after(&server, "api.refreshToken.setExpiresAt(Date.now() + 30000)").await;
    assert_eq!(token_ends(&server, &token).0, MINUTE_MS / 2);
}

#[tokio::test]
async fn s3_1_idle_set_once() {
    let server = TestServer::start().await;
    let (browser, session) = session_after(&server, "api.session.setIdleExpiresAt(Date.now() + 60000)").await;
    assert_eq!(session_ends(&server, &session).1, MINUTE_MS);
    server.clock.advance_secs(30);
    let code = Login::web().code_of_session(&browser).await;
    let session = session_of(&server, &browser, &code).await;
    assert_eq!(session_ends(&server, &session).1, 3 * DAY_MS, "the next interaction has the tenant's");
    let (secret, token) = token_after(&server, "api.refreshToken.setIdleExpiresAt(Date.now() + 60000)").await;
    assert_eq!(token_ends(&server, &token).1, MINUTE_MS);
    let next = exchange(&server, &secret, "").await;
    assert_eq!(token_ends(&server, &token_of(&server, &next).await).1, 15 * DAY_MS);
}

#[tokio::test]
async fn s3_1_absolute_value_stays() {
    let server = TestServer::start().await;
    let (browser, session) = session_after(&server, "api.session.setExpiresAt(Date.now() + 60000)").await;
    let (secret, token) = token_after(&server, "api.refreshToken.setExpiresAt(Date.now() + 60000)").await;
    server.clock.advance_secs(59);
    let code = Login::web().code_of_session(&browser).await;
    assert_eq!(session_of(&server, &browser, &code).await.expires_at, session.expires_at);
    let next = exchange(&server, &secret, "").await;
    assert_eq!(token_of(&server, &next).await.expires_at, token.expires_at);
    server.clock.advance_secs(1);
    assert!(asks_to_log_in(&Login::web().begin(&browser).await));
    refresh(&browser, seed::NATIVE, &next).await.expect_error(403, "invalid_grant");
}

#[tokio::test]
async fn s3_1_no_session() {
    let server = TestServer::start().await;
    let (secret, _) = token_after(&server, "").await;
    let body =
        "api.session.setExpiresAt(Date.now() + 1000); api.session.setIdleExpiresAt(Date.now() + 1000);";
    exchange(&server, &secret, body).await;
    // It does not throw, and the log says so.
    let warned = warnings(&server).await;
    assert_eq!(warned.len(), 2, "{warned:?}");
    assert!(warned.iter().all(|text| text.contains("had no effect: this flow has no session")), "{warned:?}");
}

#[tokio::test]
async fn s3_1_no_refresh_token_yet() {
    let server = TestServer::start().await;
    let body = "if (event.refresh_token) throw new Error('there is one');
        api.refreshToken.setExpiresAt(Date.now() + 60000);";
    server.deploy_action("sets", &handler(body)).await;
    let browser = server.client();
    let code = Login::native().code(&browser, seed::ADA).await;
    server.clock.advance_secs(10);
    // The code carries it to the token that its exchange issues.
    let tokens = exchange_native(&browser, &code).await.expect(200).json();
    let token = token_of(&server, &text(&tokens, "refresh_token")).await;
    assert_eq!(token_ends(&server, &token).0, MINUTE_MS - 10_000);
    // Where none is issued, there is nothing to limit.
    Login::web().code_of_session(&browser).await;
}

#[tokio::test]
async fn s3_1_non_expiring_refresh_token() {
    let server = TestServer::start().await;
    let endless = |client: &mut model::Client| {
        client.refresh_token.infinite_token_lifetime = true;
        client.refresh_token.infinite_idle_token_lifetime = true;
    };
    server.change_client(seed::NATIVE, endless).await;
    let (secret, token) = token_after(&server, "").await;
    assert_eq!((token.expires_at, token.idle_expires_at), (None, None));
    let next = exchange(&server, &secret, "api.refreshToken.setExpiresAt(Date.now() + 60000)").await;
    let ends_at = token_of(&server, &next).await.expires_at.map(|end| end.as_ms() - server.idp.now().as_ms());
    assert_eq!(ends_at, Some(MINUTE_MS), "it becomes one that expires");
    let (_, token) = token_after(&server, "api.refreshToken.setExpiresAt(9e15)").await;
    let ends_at = token.expires_at.map(|end| end.as_ms() - server.idp.now().as_ms());
    assert_eq!(ends_at, Some(30 * DAY_MS), "the default settings are the ceiling");
}

#[tokio::test]
async fn s3_1_online_refresh_token() {
    let server = TestServer::start().await;
    let browser = server.client();
    let token = text(&online::online_tokens(&browser).await, "refresh_token");
    for method in ["setExpiresAt", "setIdleExpiresAt"] {
        let body = format!("api.refreshToken.{method}(Date.now() + 60000)");
        server.deploy_action("sets", &handler(&body)).await;
        let error = online::refresh(&browser, &token).await.expect_error(403, "access_denied").json();
        let description = text(&error, "error_description");
        assert!(description.contains("managed by api.session"), "{description}");
    }
    // The methods of the session do it.
    server.deploy_action("sets", &handler("api.session.setExpiresAt(Date.now() + 60000)")).await;
    online::refresh(&browser, &token).await.expect(200);
    server.deploy_action("sets", &handler("")).await;
    server.clock.advance_secs(60);
    online::refresh(&browser, &token).await.expect_error(403, "invalid_grant");
    assert!(asks_to_log_in(&Login::web().begin(&browser).await));
}

#[tokio::test]
async fn s3_1_ceilings_of_tenant_and_application() {
    let server = TestServer::start().await;
    let tenant = async |patch: serde_json::Value| {
        manage::update_tenant(&server.idp, &server.acme(), patch.as_object().unwrap()).await.is_ok()
    };
    for (name, hours) in [("session_lifetime", 365 * 24), ("idle_session_lifetime", 100 * 24)] {
        assert!(!tenant(json!({ name: hours + 1 })).await, "{name}");
        assert!(tenant(json!({ name: hours })).await, "{name}");
    }
    let body = "api.session.setExpiresAt(Date.now() + 300 * 86400000); api.session.setIdleExpiresAt(9e15);";
    let (_, session) = session_after(&server, body).await;
    assert_eq!(session_ends(&server, &session), (300 * DAY_MS, 100 * DAY_MS));
    let native = seed::clients().remove(0);
    for (secs, allowed) in [(0, false), (1, true), (31_557_600, true), (31_557_601, false)] {
        let mut client = native.clone();
        client.refresh_token.token_lifetime = 31_557_600;
        client.refresh_token.idle_token_lifetime = secs;
        let put = manage::put_client(&server.idp, &server.acme(), &client).await;
        assert_eq!(put.is_ok(), allowed, "{secs}: {put:?}");
    }
}
