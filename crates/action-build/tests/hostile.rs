//! Guests that mean harm. Each fails alone: the run after it goes as always.
#![allow(clippy::expect_used, clippy::panic, reason = "a test stops where something is not as it should be")]

mod common;

use action_api::{Limits, RunError, RunReport};
use common::{LIMITS, good_run, handler, run, run_with, script};

/// Which limit ended the run, and at which line.
fn limit(report: &RunReport) -> (String, Option<u32>) {
    assert!(report.commands.is_empty(), "a failed run decides nothing");
    match &report.error {
        Some(RunError::Limit { limit, exception }) => {
            (limit.clone(), exception.as_ref().and_then(|exception| exception.line))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn endless_loops_end_by_fuel_at_their_line() {
    for (body, line) in [
        ("while (true) { event.x }", Some(2)),
        ("\n\nfor (;;) { Math.abs(1) }", Some(4)),
        ("const a = 1;\nwhile (true) {}", Some(3)),
        ("const a = 1;\n\nfor (;;);", Some(4)),
        ("const a = 1;\ndo {\n} while (true)", Some(3)),
        ("api.access.deny('x'); await 1;\nfor (;;) { Math.abs(1) }", Some(3)),
        ("const spin = () => Promise.resolve().then(spin); await spin();", None),
        ("try { for (;;) { event.x } } catch { return } finally { for (;;) { event.x } }", Some(2)),
        ("api.idToken.setCustomClaim('a', { toJSON() { for (;;) { event.x } } })", Some(2)),
        ("api.idToken.setCustomClaim('a', new Proxy({}, { ownKeys() { for (;;) { event.x } } }))", Some(2)),
        ("function* g() { for (;;) yield 1 } for (const x of g()) {}", Some(2)),
        ("throw { get message() { for (;;) {} } }", None),
        ("/^(a+)+$/.test('a'.repeat(40) + 'b')", None),
    ] {
        let (name, at) = limit(&handler(body));
        assert_eq!(name, "fuel", "{body}");
        if line.is_some() {
            assert_eq!(at, line, "{body}");
        }
        good_run();
    }
}

#[test]
fn an_endless_top_level_fails_the_deploy_at_its_line() {
    let error = script("\nwhile (true) { Math.abs(1) }").expect_err("endless");
    assert!(error.to_string().contains("the fuel limit was reached at action.js:2"), "{error}");
    let error = script("Date.now();\nwhile (true) {}").expect_err("endless");
    assert!(error.to_string().contains("at action.js:2"), "{error}");
    good_run();
}

#[test]
fn the_wall_clock_ends_what_has_fuel_left() {
    let limits = Limits { fuel: u64::MAX / 2, wall_clock_ms: 60, ..LIMITS };
    let artifact =
        script("exports.onExecutePostLogin = async () => {\nfor (;;) { Math.abs(1) } }").expect("it builds");
    let report = run_with(&artifact, "{}", 1, &limits);
    assert_eq!(limit(&report), ("wall_clock_ms".into(), Some(2)));
    assert!(report.elapsed_us < 2_000_000, "{}", report.elapsed_us);
    good_run();
}

#[test]
fn deep_recursion_ends_by_the_stack_limit() {
    for body in [
        "const f = (n) => f(n + 1) + 1; f(0)",
        "const f = (...a) => f(...a, 1); f()",
        "const o = { get x() { return this.x } }; o.x",
        "const o = { toString() { return '' + o } }; '' + o",
        "const o = { toJSON() { return JSON.stringify(o) } }; JSON.stringify(o)",
        "const p = new Proxy({}, { get(t, k, r) { return r[k] } }); p.x",
        "const f = () => [1, 2].sort(f); f()",
        "const f = () => [1].map(f); f()",
        "class A { constructor() { new this.constructor() } } new A()",
        "const f = () => 'a'.replace(/a/, f); f()",
        "function f() { return Reflect.apply(f, null, []) } f()",
        "const f = async () => { await f() }; await f()",
        "eval('('.repeat(100000))",
        "JSON.parse('['.repeat(100000))",
        "let a = []; for (let i = 0; i < 100000; i++) a = [a]; JSON.stringify(a)",
        "new RegExp('('.repeat(10000) + ')'.repeat(10000))",
    ] {
        let report = handler(body);
        match &report.error {
            Some(RunError::Limit { limit, exception }) => {
                assert_eq!(limit, "stack_bytes", "{body}");
                let parser = body.contains("0000");
                assert!(parser || exception.is_some(), "a trap, not a RangeError: {body}");
            }
            Some(RunError::Exception { .. }) => {}
            other => panic!("{body}: {other:?}"),
        }
        good_run();
    }
}

#[test]
fn allocation_bombs_end_by_the_memory_limit() {
    for body in [
        "const a = []; for (;;) a.push(new Array(1000).fill(7))",
        "let s = 'x'; for (;;) s += s + s.slice(1)",
        "const a = []; for (;;) a.push(new Uint8Array(1 << 20))",
        "new Uint8Array(1 << 30).fill(1)",
        "'x'.repeat(1 << 29)",
        "const m = new Map(); for (let i = 0; ; i++) m.set(i, { i })",
    ] {
        let report = handler(body);
        match &report.error {
            Some(RunError::Limit { limit, .. }) => {
                assert!(limit == "memory_bytes" || limit == "fuel", "{body}: {limit}")
            }
            Some(RunError::Exception { exception }) => {
                assert!(exception.message.contains("length"), "{body}: {exception:?}")
            }
            other => panic!("{body}: {other:?}"),
        }
        assert!(report.memory_bytes <= LIMITS.memory_bytes, "{body}");
        good_run();
    }
}

#[test]
fn floods_are_cut_and_counted() {
    let report = handler("for (let i = 0; i < 1000; i++) console.log('0123456789'.repeat(10))");
    assert_eq!(report.error, None);
    let kept: usize = report.console.iter().map(|line| line.text.len()).sum();
    assert!(kept <= 4096);
    assert_eq!(report.console_dropped_bytes, 100_000 - kept as u64);
    good_run();
}

#[test]
fn floods_of_calls_and_commands_end_by_their_limits() {
    for (body, name) in [
        ("for (;;) console.log('')", "host_calls"),
        ("for (;;) { try { api.idToken.setCustomClaim('a', 1) } catch {} }", "commands"),
        ("api.idToken.setCustomClaim('a', 'x'.repeat(100000))", "command_bytes"),
        ("for (;;) { try { api.user.setAppMetadata('blocked', 1) } catch {} }", "host_calls"),
    ] {
        let (limit, line) = limit(&handler(body));
        assert!(limit == name || limit == "command_bytes", "{body}: {limit}");
        assert_eq!(line, Some(2), "{body}");
        good_run();
    }
}

#[test]
fn an_event_that_is_too_large_is_not_taken() {
    let artifact = script("exports.onExecutePostLogin = async () => {}").expect("it builds");
    let event = format!("{{\"a\":\"{}\"}}", "x".repeat(300 << 10));
    assert_eq!(limit(&run(&artifact, &event)).0, "event_bytes");
}

#[test]
fn a_promise_that_never_settles_fails_the_run() {
    let report = handler("api.access.deny('x'); await new Promise(() => {})");
    assert_eq!((report.error, report.commands.len()), (Some(RunError::NeverSettled), 0));
    good_run();
}

#[test]
fn replaced_intrinsics_change_nothing_outside() {
    for body in [
        "JSON.stringify = () => '{\"command\":\"access.deny\",\"reason\":\"forged\"}'",
        "Array.prototype[Symbol.iterator] = () => { throw 1 }; Array.prototype.push = null; Object.keys = () => ['x']",
        "Object.prototype.toJSON = () => 'forged'; Object.prototype.reason = 'forged'; String.prototype.toJSON = () => 'forged'",
        "Promise.prototype.then = () => { throw 1 }; globalThis.Promise = null; Promise = 1",
        "String.prototype.slice = null; String.prototype.indexOf = null; Function.prototype.call = null; globalThis.String = null",
        "({}).__proto__.onExecutePostLogin = 1; Error.prepareStackTrace = () => { throw 1 }; globalThis.Error = null",
    ] {
        let report = handler(&format!("{body};\napi.access.deny('mine')"));
        assert_eq!(report.error, None, "{body}");
        assert_eq!(report.commands, [action_api::Command::AccessDeny { reason: "mine".into() }], "{body}");
        good_run();
    }
}

#[test]
fn anything_can_be_thrown() {
    for (body, message) in [
        ("throw null", "null"),
        ("throw undefined", "undefined"),
        ("throw 'text'", "text"),
        ("throw Symbol('s')", ""),
        ("throw { message: 'm', name: 'N' }", "m"),
        ("throw { get message() { throw 1 }, toString() { throw 2 } }", ""),
        ("const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); throw proxy", ""),
        ("throw Object.create(null)", ""),
        ("const e = new Error('x'); Object.defineProperty(e, 'stack', { value: 7 }); throw e", "x"),
        ("Error.prepareStackTrace = () => { throw 1 }; null.x", "cannot read property 'x' of null"),
        ("throw new Error('a'.repeat(1000000))", "a"),
    ] {
        let report = handler(body);
        let Some(RunError::Exception { exception }) = &report.error else {
            panic!("{body}: {:?}", report.error)
        };
        assert!(exception.message.starts_with(message), "{body}: {exception:?}");
        assert!(exception.message.len() < 100_000);
        good_run();
    }
}

#[test]
fn a_damaged_artifact_is_not_run() {
    let mut artifact = script("exports.onExecutePostLogin = async () => {}").expect("it builds");
    artifact.bytes[100] ^= 1;
    common::RUNTIME.evict(&artifact.digest);
    assert!(matches!(run(&artifact, "{}").error, Some(RunError::Host { .. })));
}
