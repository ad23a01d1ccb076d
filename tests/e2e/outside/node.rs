//! Packages from npm.

use std::collections::BTreeMap;

use end_to_end::chromium::Chromium;
use end_to_end::flow::text;
use end_to_end::outside::{Application, Outside};
use end_to_end::process::free_port;
use model::{AppType, ResourceServer, SigningAlgorithm, TokenDialect, TokenEndpointAuthMethod};
use serde_json::json;

const API: &str = "https://things.example/";

/// The clients that the libraries' scripts use, and an API whose tokens are as RFC 9068 has them.
async fn with_clients() -> Outside {
    let outside = Outside::start().await;
    outside
        .add_client("outside-web", |client| {
            client.callbacks = vec!["https://app.example/callback".into()];
            client.allowed_logout_urls = vec!["https://app.example/bye".into()];
        })
        .await;
    outside
        .add_client("outside-device", |client| {
            client.app_type = AppType::Native;
            client.client_secret_hashes = Vec::new();
            client.token_endpoint_auth_method = TokenEndpointAuthMethod::None;
            client.callbacks = Vec::new();
            client.grant_types = vec![idp::device::GRANT_TYPE.into(), "refresh_token".into()];
        })
        .await;
    outside.add_api(API, |api| api.token_dialect = TokenDialect::Rfc9068Profile).await;
    outside
}

#[tokio::test]
async fn openid_client_logs_in_refreshes_and_logs_out() {
    with_clients().await.node("openid-client.mjs", &json!({})).await;
}

#[tokio::test]
async fn oauth4webapi_reads_every_answer() {
    let outside = with_clients().await;
    let signed =
        [("https://ps.example/", SigningAlgorithm::Ps256), ("https://rs.example/", SigningAlgorithm::Rs512)];
    for (identifier, alg) in signed {
        let change = |api: &mut ResourceServer| {
            api.token_dialect = TokenDialect::Rfc9068Profile;
            api.signing_alg = Some(alg);
        };
        outside.add_api(identifier, change).await;
    }
    outside
        .add_client("outside-signed", |client| {
            client.app_type = AppType::Native;
            client.client_secret_hashes = Vec::new();
            client.token_endpoint_auth_method = TokenEndpointAuthMethod::None;
            client.callbacks = vec!["http://127.0.0.1:8765/callback".into()];
            client.jwt_configuration.alg = Some(SigningAlgorithm::Ps256);
        })
        .await;
    outside.node("oauth4webapi.mjs", &json!({ "api": API, "signed": BTreeMap::from(signed) })).await;
}

#[tokio::test]
async fn the_authentication_client_of_auth0_gets_its_tokens() {
    let outside = Outside::start().await;
    outside
        .add_client("outside-web", |client| {
            client.token_endpoint_auth_method = TokenEndpointAuthMethod::ClientSecretPost;
            client.callbacks = vec!["https://app.example/callback".into()];
            client.grant_types.push("password".into());
        })
        .await;
    outside.node("auth0-authentication.mjs", &json!({})).await;
}

#[tokio::test]
async fn an_express_application_logs_its_user_in_by_a_form_renews_and_logs_out() {
    let outside = Outside::start().await;
    let port = free_port();
    outside
        .add_client("outside-express", |client| {
            client.callbacks = vec![format!("https://localhost:{port}/callback")];
            client.allowed_logout_urls = vec![format!("https://localhost:{port}")];
        })
        .await;
    let app = outside.serve_node("express-openid-connect.mjs", &json!({ "port": port })).await;
    let email = text(&outside.server.demo["user"], "email");
    let browser = Chromium::start_trusting().await;
    browser.open(&app.url).await;
    browser.arrives_at(&format!("{}u/login", outside.issuer())).await;
    browser.type_where_the_focus_is(&email).await;
    browser.type_into("#password", &text(&outside.server.demo["user"], "password")).await;
    browser.click("button").await;
    browser.arrives_at(&app.url).await;
    assert_eq!(browser.text("#email").await, email);
    browser.open(&format!("{}renew", app.url)).await;
    assert_eq!((browser.text("#email").await, browser.text("#rotated").await), (email, "true".to_owned()));
    browser.open(&format!("{}logout", app.url)).await;
    // It comes back without a session here and there, and must log in.
    browser.arrives_at(&format!("{}u/login", outside.issuer())).await;
}

/// Logs in at a single-page application in another site than the server's; the browser.
async fn at_spa(outside: &Outside, query: &str) -> (Chromium, Application) {
    let port = free_port();
    let home = format!("https://localhost:{port}/");
    outside
        .add_client("outside-spa", |client| {
            client.app_type = AppType::Spa;
            client.token_endpoint_auth_method = TokenEndpointAuthMethod::None;
            client.client_secret_hashes = Vec::new();
            client.callbacks = vec![home.clone()];
            client.allowed_logout_urls = vec![home.clone()];
            client.web_origins = vec![home.trim_end_matches('/').to_owned()];
        })
        .await;
    let app = outside.serve_node("spa.mjs", &json!({ "port": port })).await;
    let (user, issuer) = (&outside.server.demo["user"], text(&outside.server.demo, "issuer"));
    let browser = Chromium::start_trusting().await;
    browser.open(&format!("{}{query}", app.url)).await;
    browser.shows("#user", "nobody").await;
    browser.click("#silent").await;
    browser
        .shows(
            "#token",
            if query.is_empty() { "login_required: Login required" } else { "missing_refresh_token" },
        )
        .await;
    browser.click("#login").await;
    browser.arrives_at(&format!("{issuer}u/login")).await;
    browser.type_where_the_focus_is(&text(user, "email")).await;
    browser.type_into("#password", &text(user, "password")).await;
    browser.click("button").await;
    browser.shows("#user", &text(user, "email")).await;
    (browser, app)
}

// BR1 BR5
#[tokio::test]
async fn a_single_page_application_renews_its_tokens_in_a_frame_and_logs_out() {
    let outside = Outside::start().await;
    let (browser, app) = at_spa(&outside, "").await;
    browser.click("#silent").await;
    browser.shows("#token", "a new token by a frame").await;
    // Nothing is kept in the page: the session answers.
    browser.open(&app.url).await;
    browser.shows("#user", &text(&outside.server.demo["user"], "email")).await;
    browser.click("#logout").await;
    browser.shows("#user", "nobody").await;
    browser.click("#silent").await;
    browser.shows("#token", "login_required: Login required").await;
}

#[tokio::test]
async fn a_single_page_application_renews_its_tokens_by_refresh_tokens() {
    let outside = Outside::start().await;
    let (browser, _app) = at_spa(&outside, "?refresh").await;
    for _ in 0..2 {
        browser.click("#silent").await;
        browser.shows("#token", "a new token by a refresh token").await;
    }
    browser.click("#logout").await;
    browser.shows("#user", "nobody").await;
}

#[tokio::test]
async fn the_management_client_of_auth0_does_what_it_can() {
    Outside::start().await.node("auth0-management.mjs", &json!({})).await;
}

#[tokio::test]
async fn the_management_client_of_auth0_has_users_sessions_and_refresh_tokens() {
    Outside::start().await.node("auth0-users.mjs", &json!({})).await;
}

#[tokio::test]
async fn the_deploy_tool_imports_exports_changes_and_deletes() {
    Outside::start().await.node("deploy-cli.mjs", &json!({})).await;
}
