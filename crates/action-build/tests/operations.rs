//! Scripts that wait: operations, timers, and runs repeated from their records.
#![allow(clippy::expect_used, clippy::panic, reason = "a test stops where something is not as it should be")]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use action_api::{Artifact, Command, Limits, NoOperations, RunError, RunReport};
use action_runtime::{Entry, Record, RunInput};
use common::{LIMITS, RUNTIME, good_run, handler, printed, run, run_recorded, script};

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

fn replay(artifact: &Artifact, event: &str, record: &Record) -> RunReport {
    RUNTIME.replay(artifact, &RunInput { event: event.to_owned(), secrets: BTreeMap::new() }, record, &LIMITS)
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
