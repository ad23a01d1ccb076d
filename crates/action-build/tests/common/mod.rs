//! What the tests of Actions share.
#![allow(clippy::expect_used, reason = "a test may stop at what it cannot set up")]
#![allow(dead_code, reason = "each test binary uses a part")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use action_api::{Artifact, Handler, Limits, NoOperations, Operations, RunReport};
use action_build::{BuildError, Source, build};
use action_runtime::{Environment, Finished, RunInput, Runtime, RuntimeConfig};

pub const NOW_MS: i64 = 1_780_000_000_000;

pub const LIMITS: Limits = Limits {
    fuel: 400_000_000,
    wall_clock_ms: 10_000,
    memory_bytes: 16 << 20,
    stack_bytes: 512 << 10,
    event_bytes: 256 << 10,
    commands: 50,
    command_bytes: 64 << 10,
    console_bytes: 4 << 10,
    host_calls: 10_000,
    operations: 100,
    operation_bytes: 1 << 20,
    http_requests: 50,
    http_answer_bytes: 4 << 20,
};

/// One runtime for all tests of a binary, with compiled code kept in Cargo's folder for tests.
pub static RUNTIME: LazyLock<Arc<Runtime>> = LazyLock::new(|| {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("code");
    Arc::new(Runtime::new(RuntimeConfig::new(Some(cache))).expect("a runtime"))
});

/// Where runs wait.
pub static TASKS: LazyLock<tokio::runtime::Runtime> =
    LazyLock::new(|| tokio::runtime::Runtime::new().expect("a Tokio runtime"));

pub fn script(code: &str) -> Result<Artifact, BuildError> {
    build(&RUNTIME, &Source::script("action.js", code), &LIMITS)
}

pub fn run_with(artifact: &Artifact, event: &str, seed: u8, limits: &Limits) -> RunReport {
    run_recorded(artifact, event, seed, limits, Arc::new(NoOperations)).report
}

/// The run with its record, with this to ask.
pub fn run_recorded(
    artifact: &Artifact,
    event: &str,
    seed: u8,
    limits: &Limits,
    operations: Arc<dyn Operations>,
) -> Finished {
    run_handler(artifact, Handler::Execute, event, seed, limits, operations)
}

pub fn run_handler(
    artifact: &Artifact,
    handler: Handler,
    event: &str,
    seed: u8,
    limits: &Limits,
    operations: Arc<dyn Operations>,
) -> Finished {
    let environment =
        Environment { now_ms: NOW_MS, seed: [seed; 32], operations, turns: Vec::new(), held: Box::new(()) };
    let input = RunInput { handler, event: event.to_owned(), secrets: BTreeMap::new() };
    TASKS.block_on(RUNTIME.run(&Arc::new(artifact.clone()), input, environment, limits))
}

pub fn run(artifact: &Artifact, event: &str) -> RunReport {
    run_with(artifact, event, 1, &LIMITS)
}

/// Builds a handler with this body and runs it on an empty event.
pub fn handler(body: &str) -> RunReport {
    let code = format!("exports.onExecutePostLogin = async (event, api) => {{\n{body}\n}};");
    run(&script(&code).expect("it builds"), "{}")
}

/// What the run printed, one line after the other.
pub fn printed(report: &RunReport) -> String {
    assert_eq!(report.error, None);
    report.console.iter().map(|line| line.text.as_str()).collect::<Vec<_>>().join("\n")
}

pub fn sample(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/actions/limit-transferred-session").join(name)
}

/// The same in C.
pub fn c_sample() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../actions/templates/c/action.c")
}

/// A run that must go as always, whatever ran before it.
pub fn good_run() {
    let report = handler(
        "api.idToken.setCustomClaim('plan', [].concat({}).length); api.access.deny(JSON.stringify({ a: 1 }))",
    );
    assert_eq!(report.error, None);
    assert_eq!(report.commands.len(), 2);
}
