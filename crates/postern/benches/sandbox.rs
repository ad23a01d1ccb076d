//! Deploying an Action and running it in a fresh sandbox, in this process. Prints one JSON object; `cargo xtask bench`
//! runs it and shows it.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use action_api::{Artifact, Limits};
use action_build::{Source, measure};
use action_runtime::{Record, RunInput, Runtime, RuntimeConfig};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../samples/actions/limit-transferred-session");
/// Of 2.6 kB, as a redeemed session transfer token gives.
const EVENT: &str =
    include_str!("../../../samples/actions/limit-transferred-session/events/native-to-web.json");
const CONCURRENT: usize = 32;

/// As the server's defaults, in `default.toml`.
const LIMITS: Limits = Limits {
    fuel: 1_000_000_000,
    wall_clock_ms: 20_000,
    memory_bytes: 33_554_432,
    stack_bytes: 524_288,
    event_bytes: 524_288,
    commands: 256,
    command_bytes: 262_144,
    console_bytes: 65_536,
    host_calls: 10_000,
    operations: 100,
    operation_bytes: 1 << 20,
    http_requests: 50,
    http_answer_bytes: 4 << 20,
};

/// What a deploy may use.
const BUILD_LIMITS: Limits = Limits { fuel: 20_000_000_000, ..LIMITS };

fn main() -> Result<()> {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let (count, deploys) = if quick { (2_000, 60) } else { (20_000, 600) };
    let runtime = Arc::new(Runtime::new(RuntimeConfig::new(None))?);
    let source = Source::read(&Path::new(SAMPLE).join("action.js"))?;
    let artifact = build(&runtime, &source)?;
    let mut result = json!({
        "fresh_sandbox_run": summary(&measure::runs(&runtime, &artifact, EVENT, &LIMITS, count)?),
        "deploy_script": summary(&measure::deploy(&runtime, &source, &BUILD_LIMITS, deploys)?),
        "artifact_bytes": artifact.bytes.len(),
        "event_bytes": EVENT.len(),
    });
    for (name, size) in [("fresh_sandbox_run_100kb", 100_000), ("fresh_sandbox_run_1mb", 1_000_000)] {
        let large = build(&runtime, &measure::with_module_code(&source, size))?;
        result[name] = summary(&measure::runs(&runtime, &large, EVENT, &LIMITS, count)?);
    }
    result["api_call_us"] = json!(api_call_us(&runtime, count)?);
    result["memory_per_concurrent_run_bytes"] = json!(memory_per_run(&runtime)?);
    print(&result);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the answer")]
fn print(result: &Value) {
    println!("{result}");
}

fn build(runtime: &Runtime, source: &Source) -> Result<Artifact> {
    action_build::build(runtime, source, &BUILD_LIMITS).context("the Action does not build")
}

fn summary(samples: &[f64]) -> Value {
    json!({
        "median_us": measure::quantile(samples, 0.5),
        "p99_us": measure::quantile(samples, 0.99),
        "runs": samples.len(),
    })
}

/// What a call of an api method costs in a run, its checks included: the mean of ten methods, each called twenty times.
fn api_call_us(runtime: &Runtime, count: usize) -> Result<f64> {
    const CALLS: usize = 200;
    let median = |body: &str| -> Result<f64> {
        let script = format!(
            "exports.onExecutePostLogin = async (event, api) => {{ for (let i = 0; i < 20; i++) {{ {body} }} }};"
        );
        let artifact = build(runtime, &Source::script("calls.js", &script))?;
        Ok(measure::quantile(&measure::runs(runtime, &artifact, EVENT, &LIMITS, count)?, 0.5))
    };
    let calls = "api.idToken.setCustomClaim('https://acme.example/plan' + i, 'gold');
        api.accessToken.setCustomClaim('n' + i, { a: [i] });
        api.accessToken.addScope('read:' + i);
        api.accessToken.removeScope('write:' + i);
        api.session.setExpiresAt(1890000000000 + i);
        api.session.setIdleExpiresAt(1890000000000 + i);
        api.refreshToken.setExpiresAt(1890000000000 + i);
        api.user.setAppMetadata('key' + i, 'value');
        api.user.setUserMetadata('key' + i, i);
        api.transaction.setMetadata('key' + i, 'value');";
    Ok((median(calls)? - median("")?) / CALLS as f64)
}

/// How much the process grows for each of `CONCURRENT` runs that are alive at once, beyond the first.
fn memory_per_run(runtime: &Arc<Runtime>) -> Result<u64> {
    // Works on the event until its time is over: all are alive when the memory is read.
    let busy = "exports.onExecutePostLogin = async (event, api) => { \
                let n = 0; const text = JSON.stringify(event); \
                for (;;) { n += JSON.parse(text).user.email.length; } };";
    let artifact = Arc::new(build(runtime, &Source::script("busy.js", busy))?);
    let alive = |count: usize| -> Result<u64> {
        let threads: Vec<_> = (0..count)
            .map(|_| {
                let (runtime, artifact) = (Arc::clone(runtime), Arc::clone(&artifact));
                std::thread::spawn(move || {
                    let input = RunInput {
                        handler: action_api::Handler::Execute,
                        event: EVENT.to_owned(),
                        secrets: BTreeMap::new(),
                    };
                    let record = Record { now_ms: 0, seed: [0; 32], entries: Vec::new() };
                    let limits = Limits { wall_clock_ms: 1_500, fuel: 1_000_000_000_000, ..LIMITS };
                    black_box(runtime.replay(&artifact, &input, &record, &limits));
                })
            })
            .collect();
        std::thread::sleep(Duration::from_millis(1_200));
        let resident = resident_bytes()?;
        for thread in threads {
            ensure!(thread.join().is_ok(), "a run panicked");
        }
        Ok(resident)
    };
    let one = alive(1)?;
    let many = alive(CONCURRENT + 1)?;
    Ok(many.saturating_sub(one) / CONCURRENT as u64)
}

/// The process's resident memory.
fn resident_bytes() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib * 1024)
}
