//! Packages from PyPI.

use end_to_end::outside::Outside;
use serde_json::json;
use tokio::process::Command;

#[tokio::test]
async fn authlib_logs_in_renews_introspects_and_revokes() {
    let python = std::env::var("TEST_CLIENTS_PYTHON")
        .expect("TEST_CLIENTS_PYTHON: a Python with tests/clients/python/requirements.txt; `cargo xtask test` makes one");
    let outside = Outside::start().await;
    outside
        .add_client("outside-web", |client| client.callbacks = vec!["https://app.example/callback".into()])
        .await;
    let mut command = Command::new(python);
    command.arg(Outside::scripts().join("python/authlib_login.py"));
    outside.run(command, &json!({})).await;
}
