use std::path::Path;
use std::sync::Arc;

use action_api::Limits;
use action_build::Source;
use action_runtime::{Runtime, RuntimeConfig};
use end_to_end::actions;

use super::template::{does_what_the_sample_does, imports, project, tested};
use crate::kit::parity::of_a_component;

/// What starting Python takes is part of the component; what the program takes beyond that is little.
const LIMITS: Limits = Limits { fuel: 100_000_000, memory_bytes: 32 << 20, ..actions::LIMITS };

/// With a program that `cargo xtask test` found or got.
#[tokio::test]
async fn a_new_action_in_python_is_built_and_does_what_the_sample_does() {
    let program =
        std::env::var("TEST_COMPONENTIZE_PY").expect("componentize-py: run this by `cargo xtask test`");
    let folder = Path::new(&program).parent().expect("a folder").display().to_string();
    let path = format!("{folder}:{}", std::env::var("PATH").unwrap());
    let project = project("python").await;
    let artifact = tested(&project, actions::runtime(), vec![("PATH".to_owned(), path)]).await;
    assert_eq!(imports(&artifact), ["clock", "session"]);
    assert!(artifact.bytes.len() > 4 << 20, "its size is why it has a limit of its own");
    of_a_component(&artifact, LIMITS).await;
    does_what_the_sample_does(actions::runtime(), artifact, &LIMITS).await;

    // An operator may say that no such component is wanted.
    let config =
        RuntimeConfig { linked_component_bytes: 1, ..RuntimeConfig::new(Some(actions::compiled_folder())) };
    let strict = Arc::new(Runtime::new(config).expect("a runtime"));
    let source = Source::read(&project.join("action.wasm")).expect("the component");
    let refused = action_build::build(&strict, &source, &actions::LIMITS).expect_err("it is too large");
    assert!(refused.to_string().contains("the most is 4194304"), "{refused}");
}
