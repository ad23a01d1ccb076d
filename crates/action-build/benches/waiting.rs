//! What many runs at once cost that wait for an HTTP answer: processor time of each, memory, and how long all take beyond
//! the wait. It prints one JSON object.
#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![allow(clippy::expect_used, reason = "a benchmark may stop")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use action_api::{Handler, Limits, OperationAnswer, OperationFuture, Operations};
use action_build::{Source, build, measure};
use action_runtime::{Environment, RunInput, Runtime, RuntimeConfig};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

/// The program's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const EVENT: &str =
    include_str!("../../../samples/actions/limit-transferred-session/events/native-to-web.json");
const WAIT: Duration = Duration::from_millis(50);
/// Of the runs whose memory is read.
const LONG_WAIT: Duration = Duration::from_secs(10);
const RUNS: usize = 1_000;
const STREAM: usize = 50;
const STREAM_ROUNDS: usize = 20;
const LIMITS: Limits = Limits {
    fuel: 1_000_000_000,
    wall_clock_ms: 20_000,
    memory_bytes: 32 << 20,
    stack_bytes: 512 << 10,
    event_bytes: 512 << 10,
    commands: 256,
    command_bytes: 256 << 10,
    console_bytes: 64 << 10,
    host_calls: 10_000,
    operations: 100,
    operation_bytes: 1 << 20,
    http_requests: 50,
    http_answer_bytes: 4 << 20,
};
const SCRIPT: &str = "exports.onExecutePostLogin = async (event, api) => {
    const answer = await fetch('https://api.example/plan', {
        method: 'POST',
        headers: { Authorization: 'Bearer x', 'Content-Type': 'application/json' },
        body: JSON.stringify({ user: event.user.user_id }),
    });
    const { plan } = await answer.json();
    api.idToken.setCustomClaim('plan', plan);
};";

/// A service that answers after so long.
struct Service(Duration);

impl Operations for Service {
    fn start(&self, _kind: &str, input: Value) -> OperationFuture {
        let wait = self.0;
        Box::pin(async move {
            tokio::time::sleep(wait).await;
            Ok(json!({
                "status": 200, "status_text": "OK", "url": input["url"], "redirected": false,
                "headers": [["content-type", "application/json"]], "body": "eyJwbGFuIjoiZ29sZCJ9",
            }))
        })
    }

    fn call(&self, kind: &str, _input: Value, _now_ms: i64) -> OperationAnswer {
        Err(action_api::unknown_operation(kind))
    }
}

fn main() {
    let config = RuntimeConfig { concurrent_runs: 1_024, ..RuntimeConfig::new(None) };
    let runtime = Arc::new(Runtime::new(config).expect("a runtime"));
    let build_limits = Limits { fuel: 20_000_000_000, ..LIMITS };
    let artifact = build(&runtime, &Source::script("action.js", SCRIPT), &build_limits).expect("it builds");
    let artifact = Arc::new(artifact);
    let turns = Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(1, usize::from)));
    let tasks = tokio::runtime::Runtime::new().expect("a Tokio runtime");
    let start = |wait: Duration| {
        let (runtime, artifact, turns) = (Arc::clone(&runtime), Arc::clone(&artifact), Arc::clone(&turns));
        let environment = Environment {
            now_ms: 1_780_000_000_000,
            seed: [7; 32],
            operations: Arc::new(Service(wait)),
            turns: vec![turns],
            held: Box::new(()),
        };
        let input = RunInput {
            handler: Handler::Execute,
            event: EVENT.to_owned(),
            secrets: std::collections::BTreeMap::new(),
        };
        tokio::spawn(async move { runtime.run(&artifact, input, environment, &LIMITS).await.report })
    };
    let all = |count: usize| {
        tasks.block_on(async {
            let runs: Vec<_> = (0..count).map(|_| start(WAIT)).collect();
            let (mut cpu_us, mut fuel) = (Vec::with_capacity(count), 0);
            for run in runs {
                let report = run.await.expect("no panic");
                assert_eq!(report.error, None);
                cpu_us.push(report.cpu_us as f64);
                fuel = report.fuel;
            }
            (cpu_us, fuel)
        })
    };
    // A steady stream of them: as many at once as a busy server has, again and again.
    all(STREAM);
    let before = process_cpu();
    for _ in 0..STREAM_ROUNDS {
        all(STREAM);
    }
    let stream_us = (process_cpu() - before).as_secs_f64() * 1e6 / (STREAM * STREAM_ROUNDS) as f64;
    let stream_guest = all(STREAM).0;
    let mut alone = Vec::new();
    for _ in 0..20 {
        alone.extend(all(1).0);
    }
    // The first wave writes to places of the pool that no run has used.
    let wave = || {
        let before = process_cpu();
        let started = Instant::now();
        let (cpu_us, fuel) = all(RUNS);
        let elapsed = started.elapsed();
        let process_us = (process_cpu() - before).as_secs_f64() * 1e6 / RUNS as f64;
        (fuel, measure::quantile(&cpu_us, 0.5), process_us, elapsed.saturating_sub(WAIT).as_secs_f64() * 1e3)
    };
    let (fuel, _, first_process_us, first_beyond_ms) = wave();
    let (_, guest_us, process_us, beyond_ms) = wave();
    let memory = tasks.block_on(async {
        let runs: Vec<_> = (0..RUNS).map(|_| start(LONG_WAIT)).collect();
        tokio::time::sleep(LONG_WAIT / 2).await;
        let memory = shared_once_bytes();
        runs.iter().for_each(|run| run.abort());
        memory
    });
    println!(
        "{}",
        json!({
            "runs": RUNS,
            "fuel": fuel,
            "first_wave_process_cpu_us_per_run": first_process_us,
            "first_wave_beyond_the_wait_ms": first_beyond_ms,
            "stream_process_cpu_us_per_run": stream_us,
            "stream_guest_cpu_us_median": measure::quantile(&stream_guest, 0.5),
            "guest_cpu_us_alone": measure::quantile(&alone, 0.5),
            "guest_cpu_us_median": guest_us,
            "process_cpu_us_per_run": process_us,
            "beyond_the_wait_ms": beyond_ms,
            "memory_bytes": memory,
        })
    );
}

/// The process's memory. Pages of an image that many sandboxes share count once; the resident size counts them each time.
fn shared_once_bytes() -> u64 {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap_or_default();
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap_or(0) * 1024
}

/// Processor time of the whole process.
fn process_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}
