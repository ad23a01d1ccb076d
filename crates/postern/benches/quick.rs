//! What `cargo xtask bench --quick --json` measures inside one process: prints one JSON object.
//!
//! Run it through `cargo xtask bench`; the times over HTTP are measured there.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use action_api::{Artifact, Limits};
use action_build::Source;
use action_runtime::{RunInput, Runtime, RuntimeConfig};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

const ACTION: &str = include_str!("../../../samples/actions/limit-transferred-session/action.js");
/// Runs of one measurement, after a tenth as many to warm up.
const RUNS: usize = 2_000;
const DEPLOYS: usize = 60;
const CONCURRENT: usize = 32;

/// As the server's defaults, with room for a megabyte of modules.
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
};

fn main() -> Result<()> {
    let runtime = Arc::new(Runtime::new(RuntimeConfig::new(None))?);
    let event = event();
    let artifact = build(&runtime, ACTION)?;
    let mut result = json!({
        "fresh_sandbox_run": runs(&runtime, &artifact, &event)?,
        "deploy_script": deploys(&runtime, &event)?,
        "artifact_bytes": artifact.bytes.len(),
        "event_bytes": event.len(),
    });
    for (name, size) in [("fresh_sandbox_run_100kb", 100_000), ("fresh_sandbox_run_1mb", 1_000_000)] {
        let large = build(&runtime, &with_module_code(size))?;
        result[name] = runs(&runtime, &large, &event)?;
    }
    result["memory_per_concurrent_run_bytes"] = json!(memory_per_run(&runtime, &event)?);
    print(&result);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the answer")]
fn print(result: &Value) {
    println!("{result}");
}

fn build(runtime: &Runtime, code: &str) -> Result<Artifact> {
    action_build::build(runtime, &Source::script("action.js", code), &LIMITS).context("the Action does not build")
}

fn run(runtime: &Runtime, artifact: &Artifact, event: &str) -> Result<()> {
    let secrets = BTreeMap::new();
    let input = RunInput { event, secrets: &secrets, now_ms: 1_700_000_000_000, seed: [7; 32] };
    let report = runtime.run(artifact, input, &LIMITS);
    ensure!(report.error.is_none(), "the run failed: {:?}", report.error);
    black_box(report);
    Ok(())
}

/// A fresh sandbox, the run, and its end.
fn runs(runtime: &Runtime, artifact: &Artifact, event: &str) -> Result<Value> {
    for _ in 0..RUNS / 10 {
        run(runtime, artifact, event)?;
    }
    let mut times = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let start = Instant::now();
        run(runtime, artifact, event)?;
        times.push(start.elapsed());
    }
    Ok(summary(times))
}

/// From the source to the end of the first run. Each source differs, so that nothing is reused.
fn deploys(runtime: &Runtime, event: &str) -> Result<Value> {
    let mut times = Vec::with_capacity(DEPLOYS);
    for index in 0..DEPLOYS {
        let source = format!("// {index}\n{ACTION}");
        let start = Instant::now();
        let artifact = build(runtime, &source)?;
        run(runtime, &artifact, event)?;
        times.push(start.elapsed());
        runtime.evict(&artifact.digest);
    }
    Ok(summary(times))
}

/// The sample Action behind that many bytes of functions that nobody calls.
fn with_module_code(bytes: usize) -> String {
    let mut code = String::with_capacity(bytes + ACTION.len());
    let mut index = 0;
    while code.len() < bytes {
        code.push_str(&format!("function helper{index}(a, b) {{ return [a + {index}, b, 'text {index}'].join('-'); }}\n"));
        index += 1;
    }
    code + ACTION
}

/// How much the process grows for each of `CONCURRENT` runs that are alive at once, beyond the first.
fn memory_per_run(runtime: &Arc<Runtime>, event: &str) -> Result<u64> {
    // Works on the event until its fuel ends, about a second: the others are alive then.
    let busy = "exports.onExecutePostLogin = async (event, api) => { \
                let n = 0; const text = JSON.stringify(event); \
                for (;;) { n += JSON.parse(text).user.email.length; } };";
    let artifact = Arc::new(build(runtime, busy)?);
    let event: Arc<str> = Arc::from(event);
    let alive = |count: usize| -> Result<u64> {
        let threads: Vec<_> = (0..count)
            .map(|_| {
                let (runtime, artifact, event) = (Arc::clone(runtime), Arc::clone(&artifact), Arc::clone(&event));
                std::thread::spawn(move || {
                    let secrets = BTreeMap::new();
                    let input = RunInput { event: &event, secrets: &secrets, now_ms: 0, seed: [0; 32] };
                    let limits = Limits { wall_clock_ms: 1_500, fuel: 1_000_000_000_000, ..LIMITS };
                    black_box(runtime.run(&artifact, input, &limits));
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

fn summary(mut times: Vec<Duration>) -> Value {
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_nanos() as f64 / 1000.0;
    json!({ "median_us": at(50), "p99_us": at(99), "runs": times.len() })
}

/// About 2.6 kB, as a redeemed session transfer token gives.
fn event() -> String {
    let mut event = json!({
        "client": { "client_id": "demo-web", "name": "Demo web app", "metadata": {} },
        "connection": { "id": "con_1", "name": "Username-Password-Authentication", "strategy": "auth0", "metadata": {} },
        "authorization": { "roles": ["reader"] },
        "authentication": { "methods": [{ "name": "pwd", "timestamp": "2026-01-01T00:00:00.000Z" }] },
        "stats": { "logins_count": 7 },
        "tenant": { "id": "demo" },
        "secrets": {},
        "user": {
            "user_id": "auth0|5f7c8ec7c33c6c004bbafe82", "email": "ada@example.com", "email_verified": true,
            "name": "Ada Lovelace", "nickname": "ada", "created_at": "2025-01-01T00:00:00.000Z",
            "updated_at": "2026-01-01T00:00:00.000Z", "user_metadata": { "colour": "green" },
            "app_metadata": { "plan": "gold" }, "multifactor": [], "enrolledFactors": [],
            "identities": [{ "connection": "Username-Password-Authentication", "provider": "auth0", "user_id": "5f7c8ec7c33c6c004bbafe82", "isSocial": false }]
        },
        "session": {
            "id": "sess_1", "created_at": "2026-01-01T00:00:00.000Z", "updated_at": "2026-01-01T00:00:00.000Z",
            "authenticated_at": "2026-01-01T00:00:00.000Z", "expires_at": "2026-01-08T00:00:00.000Z",
            "idle_expires_at": "2026-01-04T00:00:00.000Z", "last_interacted_at": "2026-01-01T00:00:00.000Z",
            "clients": [{ "client_id": "demo-web" }],
            "device": { "initial_ip": "192.0.2.1", "last_ip": "192.0.2.1", "last_user_agent": "Mozilla/5.0" }
        },
        "session_transfer_token": {
            "client_id": "demo-native", "scope": ["openid", "offline_access"],
            "request": { "ip": "192.0.2.1", "user_agent": "demo-native/1.0", "hostname": "demo.localhost" }
        },
        "request": {
            "ip": "192.0.2.1", "method": "GET", "hostname": "demo.localhost", "language": "en", "user_agent": "Mozilla/5.0",
            "body": {}, "geoip": {}, "query": { "client_id": "demo-web", "response_type": "code", "scope": "openid profile email" }
        },
        "transaction": {
            "id": "tx_1", "protocol": "oidc-basic-profile", "requested_scopes": ["openid", "profile", "email"],
            "acr_values": [], "ui_locales": [], "redirect_uri": "http://127.0.0.1:3001/callback",
            "response_type": ["code"], "prompt": [], "locale": "en", "metadata": {}, "state": "abc"
        }
    });
    let missing = 2_600_usize.saturating_sub(event.to_string().len() + 12);
    event["user"]["user_metadata"]["note"] = json!("x".repeat(missing));
    event.to_string()
}
