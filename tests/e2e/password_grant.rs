//! The password grant, with and without the name of the connection.

use end_to_end::flow::{asks_to_log_in, refresh, text};
use end_to_end::{Login, RawClient, Response, TestServer, jwt, seed};
use idp::manage;
use idp::token::PASSWORD_REALM_GRANT_TYPE;
use reqwest::Method;
use serde_json::json;

pub(crate) const REALM: &str = "Username-Password-Authentication";

/// A server at which the native app and the web app may send passwords.
pub(crate) async fn server() -> TestServer {
    let server = TestServer::start().await;
    for client in [seed::NATIVE, seed::WEB] {
        let grants = ["password", PASSWORD_REALM_GRANT_TYPE].map(str::to_owned);
        server.change_client(client, |client| client.grant_types.extend(grants)).await;
    }
    server
}

/// The token request of the native app with Ada's password, and this besides.
pub(crate) async fn log_in(app: &RawClient, more: &[(&str, &str)]) -> Response {
    let mut form = vec![
        ("grant_type", "password"),
        ("client_id", seed::NATIVE),
        ("username", seed::ADA),
        ("password", seed::PASSWORD),
    ];
    for (name, value) in more {
        form.retain(|(known, _)| known != name);
        form.push((name, value));
    }
    app.post_form("/oauth/token", &form).await
}

#[tokio::test]
async fn a_password_gets_tokens_without_a_session() {
    let server = server().await;
    let app = server.client();
    let scope = "openid email offline_access online read:things unknown";
    let answer = log_in(&app, &[("audience", seed::API), ("scope", scope)]).await;
    assert!(answer.set_cookies().is_empty(), "{answer:?}");
    let tokens = answer.expect(200).json();
    assert_eq!(tokens["scope"], "openid email offline_access read:things");
    let access = jwt::claims(&text(&tokens, "access_token"));
    assert_eq!((&access["gty"], &access["azp"]), (&json!("password"), &json!(seed::NATIVE)), "{access}");
    let id_token = jwt::claims(&text(&tokens, "id_token"));
    assert_eq!((&id_token["email"], &id_token["sid"]), (&json!(seed::ADA), &json!(null)), "{id_token}");
    assert!(id_token["auth_time"].is_i64(), "{id_token}");
    let again = refresh(&app, seed::NATIVE, &text(&tokens, "refresh_token")).await;
    assert_eq!(again.expect(200).json()["scope"], tokens["scope"]);
    // There is no session that another client could use.
    assert!(asks_to_log_in(&Login::web().begin(&app).await));
    assert_eq!(server.log_codes().await, ["sertft", "sepft"]);

    // A new password ends what the old one opened.
    let user = model::UserId::new(text(&id_token, "sub"));
    let password = Some("another long password".to_owned());
    let changes = manage::UserChanges { password, ..Default::default() };
    manage::update_user(&server.idp, &server.acme(), &user, changes).await.unwrap();
    let refresh_token = text(&again.json(), "refresh_token");
    refresh(&app, seed::NATIVE, &refresh_token).await.expect_error(403, "invalid_grant");
    log_in(&app, &[]).await.expect_error(403, "invalid_grant");
    log_in(&app, &[("password", "another long password")]).await.expect(200);
}

#[tokio::test]
async fn without_a_scope_it_is_all_that_the_api_has() {
    let server = server().await;
    let tokens = log_in(&server.client(), &[("audience", seed::API)]).await.expect(200).json();
    assert_eq!(tokens["scope"], "read:things write:things");
    assert!(tokens.get("id_token").is_none() && tokens.get("refresh_token").is_none(), "{tokens}");
}

#[tokio::test]
async fn the_connection_may_be_named_and_must_be_the_clients() {
    let server = server().await;
    let app = server.client();
    let realm = ("grant_type", PASSWORD_REALM_GRANT_TYPE);
    log_in(&app, &[realm, ("realm", REALM)]).await.expect(200);
    log_in(&app, &[("realm", REALM)]).await.expect(200);
    log_in(&app, &[realm]).await.expect_error(400, "invalid_request");
    log_in(&app, &[realm, ("realm", "nowhere")]).await.expect_error(400, "invalid_request");
    log_in(&app, &[("realm", "nowhere")]).await.expect_error(400, "invalid_request");
}

#[tokio::test]
async fn whatever_does_not_fit_is_refused_by_its_name() {
    let server = server().await;
    let app = server.client();
    for wrong in [("password", "wrong"), ("username", "nobody@example.com")] {
        let answer = log_in(&app, &[wrong]).await;
        let error = answer.expect_error(403, "invalid_grant").json();
        assert_eq!(error["error_description"], "Wrong email or password.");
    }
    assert_eq!(server.log_codes().await, ["fepft", "fp", "fepft", "fp"]);
    log_in(&app, &[("password", "")]).await.expect_error(400, "invalid_request");
    log_in(&app, &[("audience", "https://nobody.example/")]).await.expect_error(403, "access_denied");
    let both = ("scope", "openid offline_access online_access");
    log_in(&app, &[both]).await.expect_error(400, "invalid_request");
    let not_allowed = log_in(&app, &[("client_id", seed::SPA)]).await;
    let error = not_allowed.expect_error(403, "unauthorized_client").json();
    assert_eq!(error["error_description"], "Grant type `password` not allowed for the client.");
    log_in(&app, &[("client_id", seed::WEB)]).await.expect_error(401, "invalid_client");
    log_in(&app, &[("client_id", seed::WEB), ("client_secret", seed::WEB_SECRET)]).await.expect(200);
}

// LG3
#[tokio::test]
async fn guessing_counts_together_with_the_login_page() {
    let server = server().await;
    let app = server.client();
    let begun = Login::web().begin(&app).await;
    for attempt in 0..10 {
        match attempt % 2 {
            0 => log_in(&app, &[("password", "wrong")]).await.expect_error(403, "invalid_grant"),
            _ => end_to_end::flow::log_in(&app, begun.location(), seed::ADA, "wrong").await.expect(400),
        };
    }
    let stopped = log_in(&app, &[]).await;
    let wait = stopped.expect_error(429, "too_many_attempts").header("retry-after").expect("when").to_owned();
    assert!(server.log_codes().await.contains(&"limit_wc".to_owned()));
    server.clock.advance_secs(wait.parse().unwrap());
    log_in(&app, &[]).await.expect(200);
}

#[tokio::test]
async fn a_back_end_says_whose_attempts_it_passes_on() {
    let server = server().await;
    let trusted = |client: &mut model::Client| {
        client.is_token_endpoint_ip_header_trusted = true;
        client.grant_types.push("password".to_owned());
    };
    server.change_client(seed::WEB, trusted).await;
    let app = server.client();
    let form = [
        ("grant_type", "password"),
        ("client_id", seed::WEB),
        ("client_secret", seed::WEB_SECRET),
        ("username", "nobody@example.com"),
        ("password", "wrong"),
    ];
    let request = app.request(Method::POST, "/oauth/token").header("auth0-forwarded-for", "203.0.113.7");
    app.send(request.form(&form)).await.expect_error(403, "invalid_grant");
    let entries = server.logs().await;
    assert!(entries.iter().all(|entry| entry.ip.as_deref() == Some("203.0.113.7")), "{entries:?}");
}

#[tokio::test]
async fn actions_see_the_grant_and_decide_about_it() {
    let server = server().await;
    let print = "exports.onExecutePostLogin = async (event, api) => {
        console.log(JSON.stringify({
            protocol: event.transaction.protocol, requested: event.transaction.requested_scopes,
            session: event.session === undefined, token: event.refresh_token === undefined,
            methods: event.authentication.methods.map((method) => method.name),
            method: event.request.method, body: event.request.body, logins: event.stats.logins_count,
        }));
        api.accessToken.setCustomClaim('plan', 'pro');
        api.idToken.setCustomClaim('plan', 'pro');
        api.user.setAppMetadata('seen', event.stats.logins_count);
        if (event.request.body.username === 'bob@example.com') api.access.deny('Not Bob.');
    };";
    server.deploy_action("print", print).await;
    let app = server.client();
    let scope = ("scope", "openid unknown");
    let tokens = log_in(&app, &[("audience", seed::API), scope]).await.expect(200).json();
    for token in ["access_token", "id_token"] {
        assert_eq!(jwt::claims(&text(&tokens, token))["plan"], "pro");
    }
    let denied = log_in(&app, &[("username", seed::BOB), scope]).await;
    assert_eq!(denied.expect_error(403, "access_denied").json()["error_description"], "Not Bob.");
    log_in(&app, &[]).await.expect(200);
    let seen = server.printed().await;
    assert_eq!(
        seen[0],
        json!({
            "protocol": "oauth2-password", "requested": ["openid", "unknown"], "session": true, "token": true,
            "methods": ["pwd"], "method": "POST", "logins": 1,
            "body": { "grant_type": "password", "client_id": seed::NATIVE, "username": seed::ADA,
                "audience": seed::API, "scope": "openid unknown" },
        })
    );
    assert_eq!(seen[2]["logins"], 2, "a login is counted");
    let mut tx = server.idp.storage.begin_read(&server.acme()).await.unwrap();
    let connection = tx.connection_by_name(REALM).await.unwrap().unwrap();
    let bob = tx.user_by_login(&connection.id, seed::BOB).await.unwrap().unwrap();
    assert_eq!((&bob.app_metadata["seen"], bob.logins_count), (&json!(1), 0), "what was denied is no login");
}
