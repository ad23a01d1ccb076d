//! Scripts that wait: operations, timers, and runs repeated from their records.
#![allow(clippy::expect_used, clippy::panic, reason = "a test stops where something is not as it should be")]

mod common;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use action_api::{
    Artifact, Command, Handler, Limits, NoOperations, OperationAnswer, OperationFuture, Operations, RunError,
    RunReport,
};
use action_runtime::{Entry, Environment, Record, RunInput};
use serde_json::{Value, json};

use common::{LIMITS, RUNTIME, good_run, handler, printed, run, run_recorded, script};

/// A world with one web server, which answers `/MS` after so many milliseconds, and a cache.
#[derive(Default)]
struct World {
    cache: Mutex<HashMap<String, Value>>,
    /// Requests that were begun, and those whose answer nobody waited for.
    begun: AtomicUsize,
    dropped: Arc<AtomicUsize>,
}

struct UnderWay(Arc<AtomicUsize>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Operations for World {
    fn start(&self, kind: &str, input: Value) -> OperationFuture {
        assert_eq!(kind, "http.fetch");
        self.begun.fetch_add(1, Ordering::SeqCst);
        let under_way = UnderWay(Arc::clone(&self.dropped));
        Box::pin(async move {
            let url = input["url"].as_str().unwrap_or_default();
            let ms: u64 = url.rsplit('/').next().and_then(|ms| ms.parse().ok()).ok_or("no such host")?;
            tokio::time::sleep(Duration::from_millis(ms)).await;
            std::mem::forget(under_way);
            Ok(json!({
                "status": 200, "status_text": "OK", "url": url, "redirected": false,
                "headers": [["content-type", "text/plain"]], "body": "aGVsbG8=",
            }))
        })
    }

    fn call(&self, kind: &str, input: Value, _now_ms: i64) -> OperationAnswer {
        let mut cache = self.cache.lock().expect("no panic");
        let key = input["key"].as_str().unwrap_or_default().to_owned();
        if kind == "cache.set" {
            let record = json!({ "value": input["value"], "expires_at": common::NOW_MS });
            cache.insert(key, record.clone());
            return Ok(json!({ "type": "success", "record": record }));
        }
        Ok(cache.get(&key).cloned().unwrap_or(Value::Null))
    }
}

fn with_handler(body: &str) -> Artifact {
    script(&format!("exports.onExecutePostLogin = async (event, api) => {{\n{body}\n}};")).expect("it builds")
}

fn limit(report: &RunReport) -> &str {
    match &report.error {
        Some(RunError::Limit { limit, .. }) => limit,
        other => panic!("{other:?}"),
    }
}

#[test]
fn timers_fire_in_the_order_in_which_they_are_due() {
    let report = handler(
        "const log = [];
         const at = (ms, name) => new Promise((done) => setTimeout((x) => { log.push(x); done() }, ms, name));
         setImmediate(() => log.push('immediate'));
         queueMicrotask(() => log.push('microtask'));
         const cleared = setTimeout(() => log.push('cleared'), 1);
         clearTimeout(cleared); clearTimeout(cleared); clearTimeout(undefined); clearTimeout({}); clearTimeout(7777);
         await Promise.all([at(30, 'c'), at(10, 'a'), at(20, 'b'), at(10, 'a2'), at(-1, 'now'), at(NaN, 'now2')]);
         console.log(log.join());",
    );
    assert_eq!(printed(&report), "microtask,immediate,now,now2,a,a2,b,c");
}

#[test]
fn an_interval_repeats_until_it_is_cleared() {
    let report = handler(
        "let n = 0;
         await new Promise((done) => {
             const timer = setInterval(function (step) {
                 n += step;
                 if (n === 6) { clearInterval(+this); done(); }
             }, 2, 2);
             console.log(typeof +timer, timer.unref() === timer, timer.hasRef(), timer.ref().hasRef());
         });
         await new Promise((done) => setTimeout(done, 10));
         console.log(n);",
    );
    assert_eq!(printed(&report), "number true false true\n6");
    let report = handler("setTimeout('code')");
    let Some(RunError::Exception { exception }) = &report.error else { panic!("{report:?}") };
    assert!(exception.message.contains("must be of type function"), "{exception:?}");
}

#[test]
fn the_clock_moves_only_while_the_run_waits() {
    let report = handler(
        "const before = Date.now(), start = performance.now();
         for (let i = 0; i < 100000; i++);
         const same = Date.now() === before;
         await new Promise((done) => setTimeout(done, 25));
         const passed = Date.now() - before;
         console.log(same, passed >= 25 && passed < 2000, performance.now() - start === passed);",
    );
    assert_eq!(printed(&report), "true true true");
}

#[test]
fn an_error_in_a_timer_fails_the_run_at_its_line() {
    let report = handler("setTimeout(() => {\nnull.x }, 1);\nawait new Promise(() => {});");
    let Some(RunError::Exception { exception }) = &report.error else { panic!("{report:?}") };
    assert_eq!((exception.name.as_str(), exception.line), ("TypeError", Some(3)), "{exception:?}");
    good_run();
}

#[test]
fn an_endless_loop_after_a_wait_ends_by_fuel_or_by_the_clock() {
    let body = "await new Promise((done) => setTimeout(done, 5));\nfor (;;) {}";
    assert_eq!(limit(&handler(body)), "fuel");
    let limits = Limits { fuel: u64::MAX / 2, wall_clock_ms: 100, ..LIMITS };
    let before = Instant::now();
    let finished = run_recorded(&with_handler(body), "{}", 1, &limits, Arc::new(NoOperations));
    assert_eq!(limit(&finished.report), "wall_clock_ms");
    assert!(before.elapsed() < Duration::from_secs(2));
    good_run();
}

// HT5
#[test]
fn the_wall_clock_counts_waiting_and_too_many_timers_end_the_run() {
    let limits = Limits { wall_clock_ms: 50, ..LIMITS };
    for body in [
        "await new Promise((done) => setTimeout(done, 60000))",
        "await new Promise((done) => setTimeout(done, 2 ** 30))",
        "setInterval(() => {}, 20); await new Promise(() => {})",
    ] {
        let before = Instant::now();
        let finished = run_recorded(&with_handler(body), "{}", 1, &limits, Arc::new(NoOperations));
        assert_eq!(limit(&finished.report), "wall_clock_ms", "{body}");
        assert!(before.elapsed() < Duration::from_secs(2), "{body}");
        assert_eq!(finished.record.entries.last(), Some(&Entry::OutOfTime), "{body}");
        assert_eq!(
            essence(&replay(&with_handler(body), "{}", &finished.record)),
            essence(&finished.report),
            "{body}"
        );
    }
    for (body, name) in [
        ("for (;;) setTimeout(() => {}, 60000)", "operations"),
        ("for (;;) try { setInterval(() => {}, NaN) } catch {}", "operations"),
        (
            "const again = () => { setTimeout(again, 0); setTimeout(again, 0) }; again(); await new Promise(() => {})",
            "operations",
        ),
        ("const again = () => setImmediate(again); again(); await new Promise(() => {})", "host_calls"),
        ("for (;;) clearTimeout(setTimeout(() => {}, 1))", "host_calls"),
    ] {
        let report = handler(body);
        assert!(limit(&report) == name || limit(&report) == "fuel", "{body}: {report:?}");
        good_run();
    }
}

#[test]
fn a_run_that_waits_for_nothing_never_settled() {
    let report = handler("await new Promise((done) => clearTimeout(setTimeout(done, 1)))");
    assert_eq!(report.error, Some(RunError::NeverSettled));
    let report = handler("setTimeout(() => {}, 1); await new Promise(() => {})");
    assert_eq!(report.error, Some(RunError::NeverSettled));
    // What nobody waits for does not hold the run up.
    let report = handler("setTimeout(() => {}, 60000); setInterval(() => {}, 60000)");
    assert_eq!(report.error, None);
    assert!(report.elapsed_us < 2_000_000);
}

#[test]
fn a_timer_at_top_level_is_started_at_each_login() {
    let code = "const ready = new Promise((done) => setTimeout(done, 5, 'ready'));
                exports.onExecutePostLogin = async () => console.log(await ready);";
    let report = run(&script(code).expect("it builds"), "{}");
    assert!(report.evaluated_at_login);
    assert_eq!(printed(&report), "ready");
}

/// What a run is, whatever machine it is on.
#[derive(Debug, PartialEq)]
struct Essence(Vec<Command>, Vec<String>, u64, Option<RunError>);

fn essence(report: &RunReport) -> Essence {
    let console = report.console.iter().map(|line| format!("{:?} {}", line.level, line.text)).collect();
    Essence(report.commands.clone(), console, report.fuel, report.error.clone())
}

fn input(event: &str) -> RunInput {
    RunInput { handler: Handler::Execute, event: event.to_owned(), secrets: BTreeMap::new() }
}

fn replay(artifact: &Artifact, event: &str, record: &Record) -> RunReport {
    RUNTIME.replay(artifact, &input(event), record, &LIMITS)
}

/// Timers that overlap, the clock and randomness.
const MANY_WAITS: &str = "
    const begin = Date.now();
    const tick = setInterval(() => console.log('tick', Date.now() - begin), 7);
    const results = await Promise.all([
        new Promise((done) => setTimeout(done, 30, 'timer')),
        new Promise((done) => setTimeout(() => done(Math.random()), 10)),
        new Promise((done) => setImmediate(() => done(Date.now() - begin))),
    ]);
    clearInterval(tick);
    console.log(JSON.stringify(results), Date.now() - begin);
    api.idToken.setCustomClaim('n', Math.random());
    api.session.setExpiresAt(Date.now() + 1000);";

#[test]
fn a_run_is_repeated_exactly_from_its_record() {
    let artifact = with_handler(MANY_WAITS);
    let finished = run_recorded(&artifact, "{}", 3, &LIMITS, Arc::new(NoOperations));
    assert_eq!(finished.report.error, None);
    assert!(finished.record.entries.len() >= 4, "{:?}", finished.record);
    for _ in 0..2 {
        assert_eq!(essence(&replay(&artifact, "{}", &finished.record)), essence(&finished.report));
    }
    let text = serde_json::to_string(&finished.record).expect("JSON");
    assert_eq!(serde_json::from_str::<Record>(&text).expect("a record"), finished.record);
}

#[test]
fn a_replay_that_leaves_its_record_says_so() {
    let artifact = with_handler(MANY_WAITS);
    let record = run_recorded(&artifact, "{}", 3, &LIMITS, Arc::new(NoOperations)).record;
    let diverges = |artifact: &Artifact, record: &Record| match replay(artifact, "{}", record).error {
        Some(RunError::Diverged { message }) => message,
        other => panic!("{other:?}"),
    };
    let mut cut = record.clone();
    cut.entries.pop();
    assert!(diverges(&artifact, &cut).contains("waits where the record has its end"));
    let mut longer = record.clone();
    longer.entries.push(Entry::OutOfTime);
    assert!(diverges(&artifact, &longer).contains("ends where the record has the wall clock limit"));
    let other = with_handler("await new Promise((done) => setTimeout(done, 31))");
    assert!(diverges(&other, &record).contains("waits where the record has the answer to an operation"));
    let none = with_handler("");
    assert!(diverges(&none, &record).contains("ends where"));
}

// Issue 4, item 9
#[test]
fn requests_timers_cache_and_randomness_are_repeated_from_the_record() {
    let artifact = with_handler(
        "const before = api.cache.get('seen');
         const get = async (ms) => {
             const answer = await fetch(`https://api.example/${ms}`);
             console.log(ms, await answer.text(), answer.status, answer.headers.get('content-type'));
             return ms;
         };
         const tick = setInterval(() => console.log('tick'), 7);
         const all = await Promise.all([get(30), get(5), new Promise((done) => setTimeout(done, 15, Math.random()))]);
         clearInterval(tick);
         const failed = await fetch('https://nowhere.example/x').catch((error) => error.name);
         api.cache.set('seen', (before?.value ?? '') + 'x');
         console.log(JSON.stringify(all), failed, api.cache.get('seen').value, Date.now());
         api.idToken.setCustomClaim('n', Math.random());",
    );
    let world = Arc::new(World::default());
    for run in 1..3 {
        let finished = run_recorded(&artifact, "{}", 3, &LIMITS, world.clone());
        let text = printed(&finished.report);
        assert!(text.contains("5 hello 200 text/plain") && text.contains("TypeError"), "{text}");
        assert!(text.contains(&"x".repeat(run)), "{text}");
        let begun = world.begun.load(Ordering::SeqCst);
        for _ in 0..2 {
            assert_eq!(essence(&replay(&artifact, "{}", &finished.record)), essence(&finished.report));
        }
        assert_eq!(world.begun.load(Ordering::SeqCst), begun, "a replay asks nothing of the world");
        // Another answer is another run; another question is no run of this record.
        let mut changed = finished.record.clone();
        changed.entries.retain(|entry| !matches!(entry, Entry::Called { .. }));
        let report = replay(&artifact, "{}", &changed);
        assert!(matches!(report.error, Some(RunError::Diverged { .. })), "{report:?}");
    }
}

#[test]
fn requests_overlap() {
    let artifact = with_handler(
        "await Promise.all([1, 2, 3, 4, 5].map(() => fetch('https://api.example/200')));
         console.log(Date.now());",
    );
    let before = Instant::now();
    let report = run_recorded(&artifact, "{}", 1, &LIMITS, Arc::new(World::default())).report;
    assert_eq!(report.error, None);
    assert!(before.elapsed() < Duration::from_millis(900), "{:?}", before.elapsed());
    let passed = printed(&report).parse::<i64>().expect("a time") - common::NOW_MS;
    assert!((200..900).contains(&passed), "{passed}");
}

#[test]
fn an_aborted_request_is_dropped() {
    let artifact = with_handler(
        "const abort = new AbortController();
         setTimeout(() => abort.abort(), 5);
         try { await fetch('https://api.example/60000', { signal: abort.signal }) } catch (e) { console.log(e.name) }",
    );
    let world = Arc::new(World::default());
    let finished = run_recorded(&artifact, "{}", 1, &LIMITS, world.clone());
    assert_eq!(printed(&finished.report), "AbortError");
    assert_eq!(world.dropped.load(Ordering::SeqCst), 1);
    assert_eq!(essence(&replay(&artifact, "{}", &finished.record)), essence(&finished.report));
}

// HC6
#[test]
fn a_run_that_nobody_waits_for_any_more_gives_everything_back() {
    let artifact = Arc::new(with_handler("await fetch('https://api.example/60000')"));
    let world = Arc::new(World::default());
    let turn = Arc::new(tokio::sync::Semaphore::new(1));
    let place = Arc::new(tokio::sync::Semaphore::new(1));
    let permit = Arc::clone(&place).try_acquire_owned().expect("a permit");
    let environment = Environment {
        now_ms: common::NOW_MS,
        seed: [1; 32],
        operations: world.clone(),
        turns: vec![Arc::clone(&turn)],
        held: Box::new(permit),
    };
    let run = RUNTIME.run(&artifact, input("{}"), environment, &LIMITS);
    common::TASKS.block_on(async {
        let cut = tokio::time::timeout(Duration::from_millis(200), run).await;
        assert!(cut.is_err(), "it still waits");
    });
    assert_eq!(world.dropped.load(Ordering::SeqCst), 1);
    assert_eq!((turn.available_permits(), place.available_permits()), (1, 1));
    good_run();
}

#[test]
fn one_turn_is_enough_for_many_runs_that_wait() {
    let artifact = Arc::new(with_handler("await fetch('https://api.example/200')"));
    let turn = Arc::new(tokio::sync::Semaphore::new(1));
    let before = Instant::now();
    common::TASKS.block_on(async {
        let runs: Vec<_> = (0..20)
            .map(|_| {
                let environment = Environment {
                    now_ms: common::NOW_MS,
                    seed: [1; 32],
                    operations: Arc::new(World::default()),
                    turns: vec![Arc::clone(&turn)],
                    held: Box::new(()),
                };
                let artifact = Arc::clone(&artifact);
                tokio::spawn(async move { RUNTIME.run(&artifact, input("{}"), environment, &LIMITS).await })
            })
            .collect();
        for run in runs {
            assert_eq!(run.await.expect("no panic").report.error, None);
        }
    });
    assert!(before.elapsed() < Duration::from_millis(3000), "one after the other takes 4 s");
}
