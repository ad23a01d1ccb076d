use std::collections::BTreeMap;

use end_to_end::actions;

use super::template::{does_what_the_sample_does, imports, project, tested};
use crate::kit::parity::of_a_component;

/// With a compiler that `cargo xtask test` found or got.
#[tokio::test]
async fn a_new_action_in_rust_is_built_and_does_what_the_sample_does() {
    let variables =
        std::env::var("TEST_RUST_VARIABLES").expect("a Rust for Wasm: run this by `cargo xtask test`");
    let variables: BTreeMap<String, String> =
        serde_json::from_str::<Vec<(String, String)>>(&variables).expect("JSON").into_iter().collect();
    let artifact = tested(&project("rust").await, actions::runtime(), variables.into_iter().collect()).await;
    assert_eq!(imports(&artifact), ["clock", "session"]);
    assert!(artifact.bytes.len() < 400_000, "{}", artifact.bytes.len());
    of_a_component(&artifact, actions::LIMITS).await;
    does_what_the_sample_does(actions::runtime(), artifact, &actions::LIMITS).await;
}
