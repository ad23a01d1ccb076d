//! Packages from npm.

use end_to_end::outside::Outside;
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
