//! Modules of Go: the SDKs of Auth0, with the calls of its command line.

use end_to_end::outside::Outside;
use serde_json::json;
use tokio::process::Command;

#[tokio::test]
async fn the_calls_of_the_command_line_of_auth0_are_answered() {
    let program = std::env::var("TEST_CLIENTS_GO")
        .expect("TEST_CLIENTS_GO: tests/clients/go, built; `cargo xtask test` builds it");
    let outside = Outside::start().await;
    let mut command = Command::new(program);
    command.env("SSL_CERT_FILE", outside.ca_file());
    outside.run(command, &json!({})).await;
}
