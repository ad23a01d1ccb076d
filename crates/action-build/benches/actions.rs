//! How long it takes to deploy a script and to run one in a fresh sandbox, tear-down included.
#![allow(clippy::expect_used, missing_docs, reason = "a benchmark may stop; criterion's macros have no docs")]

use action_api::Limits;
use action_build::{Source, build, measure};
use action_runtime::{Record, RunInput, Runtime, RuntimeConfig};
use criterion::{Criterion, criterion_group, criterion_main};

const SAMPLE: &str = include_str!("../../../samples/actions/limit-transferred-session/action.js");
const EVENT: &str =
    include_str!("../../../samples/actions/limit-transferred-session/events/native-to-web.json");
const LIMITS: Limits = Limits {
    fuel: 1_000_000_000,
    wall_clock_ms: 20_000,
    memory_bytes: 64 << 20,
    stack_bytes: 512 << 10,
    event_bytes: 1 << 20,
    commands: 1000,
    command_bytes: 1 << 20,
    console_bytes: 64 << 10,
    host_calls: 10_000,
    operations: 100,
    operation_bytes: 1 << 20,
    http_requests: 50,
    http_answer_bytes: 4 << 20,
};
/// What a deploy may use.
const BUILD_LIMITS: Limits = Limits { fuel: 20_000_000_000, ..LIMITS };

fn actions(criterion: &mut Criterion) {
    let runtime = Runtime::new(RuntimeConfig::new(None)).expect("a runtime");
    let source = Source::script("action.js", SAMPLE);
    criterion.bench_function("deploy", |bencher| {
        bencher.iter(|| build(&runtime, &source, &BUILD_LIMITS).expect("it builds"));
    });
    let input = RunInput {
        handler: action_api::Handler::Execute,
        event: EVENT.to_owned(),
        secrets: std::collections::BTreeMap::new(),
    };
    let record = Record { now_ms: 1_780_000_000_000, seed: [7; 32], entries: Vec::new() };
    for (name, bytes) in
        [("run", 0), ("run, 100 kB of modules", 100_000), ("run, 1 MB of modules", 1_000_000)]
    {
        let source = if bytes == 0 { source.clone() } else { measure::with_module_code(&source, bytes) };
        let artifact = build(&runtime, &source, &BUILD_LIMITS).expect("it builds");
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| {
                let report = runtime.replay(&artifact, &input, &record, &LIMITS);
                assert!(report.error.is_none(), "{:?}", report.error);
                report
            });
        });
    }
}

criterion_group!(benches, actions);
criterion_main!(benches);
