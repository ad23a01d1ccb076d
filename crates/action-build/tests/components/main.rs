//! Components: what they ask for is what scripts ask for, they wait without a thread, and what is wrong with one is said
//! in plain words.
#![allow(clippy::expect_used, clippy::panic, reason = "a test stops where something is not as it should be")]

#[path = "../common/c_component.rs"]
mod c_component;
#[path = "../common/mod.rs"]
mod common;

mod commands;
mod outside;
mod refused;

use std::path::Path;
use std::sync::Arc;

use action_api::{Artifact, Handler, Operations, RunReport};
use action_build::Source;
use action_runtime::{Environment, Finished, RunInput};
use common::{LIMITS, NOW_MS, RUNTIME, TASKS};

/// The component made of a file in `guests/`.
fn guest(name: &str) -> Arc<Artifact> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/components/guests").join(name);
    let source = Source::component("action.wasm", c_component::build(&file));
    Arc::new(
        action_build::build(&RUNTIME, &source, &LIMITS).unwrap_or_else(|error| panic!("{name}: {error}")),
    )
}

fn input(handler: Handler, event: &str) -> RunInput {
    let secrets = [("SHARED".to_owned(), "s3cret".to_owned())].into();
    RunInput { handler, event: event.to_owned(), secrets }
}

fn environment(operations: Arc<dyn Operations>) -> Environment {
    Environment { now_ms: NOW_MS, seed: [7; 32], operations, turns: Vec::new(), held: Box::new(()) }
}

/// Runs it, and repeats it from its record.
fn run(artifact: &Arc<Artifact>, input: &RunInput, operations: Arc<dyn Operations>) -> Finished {
    let run = RUNTIME.run(artifact, input.clone(), environment(operations), &LIMITS);
    let finished = TASKS.block_on(run);
    for _ in 0..2 {
        assert_is_same(&RUNTIME.replay(artifact, input, &finished.record, &LIMITS), &finished.report);
    }
    finished
}

fn assert_is_same(again: &RunReport, report: &RunReport) {
    assert_eq!(again.commands, report.commands);
    assert_eq!(again.console, report.console);
    assert_eq!(again.error, report.error);
    assert_eq!(again.fuel, report.fuel);
}

fn printed(report: &RunReport) -> Vec<&str> {
    report.console.iter().map(|line| line.text.as_str()).collect()
}
