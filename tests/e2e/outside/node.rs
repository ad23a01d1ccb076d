//! Packages from npm.

use end_to_end::chromium::Chromium;
use end_to_end::flow::text;
use end_to_end::outside::Outside;
use end_to_end::process::free_port;
use model::{AppType, TokenDialect, TokenEndpointAuthMethod};
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
    with_clients().await.node("oauth4webapi.mjs", &json!({ "api": API })).await;
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
