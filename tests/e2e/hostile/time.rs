//! HT: guests that do not end.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use action_api::Limits;
use action_build::Source;
use end_to_end::gate::Gate;
use end_to_end::{Login, actions, seed};
use postern::executor::Places;

use super::guest::{DONE, Guest, running, with_module};
use super::{ENDLESS_FUEL, Scene, handler, handler_after_commands, script};

const SPIN: &str = "(loop $spin (br $spin)) (unreachable)";

/// Where only the clock ends a guest. It is long enough for a good login on a busy machine.
fn by_the_clock() -> Limits {
    Limits { fuel: ENDLESS_FUEL, wall_clock_ms: 1_000, ..actions::LIMITS }
}

/// In the handler, the start function, `realloc` and post-return.
fn endless_components() -> Vec<Source> {
    vec![
        running(SPIN),
        Guest { fields: &format!("(func $start {SPIN}) (start $start)"), ..Guest::GOOD }.source(),
        Guest { realloc: SPIN, ..Guest::GOOD }.source(),
        Guest { post_return: SPIN, ..Guest::GOOD }.source(),
    ]
}

// HT1
#[tokio::test]
async fn an_endless_loop_ends_by_fuel_wherever_it_is() {
    let scene = Scene::start().await;
    for body in [
        "for (;;) {}",
        "const spin = () => Promise.resolve().then(spin); await spin();",
        "function* all() { for (;;) yield 1 } for (const one of all()) {}",
        "api.idToken.setCustomClaim('a', { toJSON() { for (;;) {} } })",
        "api.idToken.setCustomClaim('a', { get a() { for (;;) {} } })",
        "api.idToken.setCustomClaim('a', new Proxy({}, { ownKeys() { for (;;) {} } }))",
        "throw { get message() { for (;;) {} } }",
        "await { then() { for (;;) {} } }",
        "setTimeout(() => { for (;;) {} }); await new Promise(() => {})",
    ] {
        scene.denied(&handler_after_commands(body), "fuel").await;
    }
    for guest in endless_components() {
        scene.denied(&guest, "fuel").await;
    }
    for top_level in [
        "for (;;) {}",
        "Date.now(); for (;;) {}",
        "Promise.resolve().then(function f() { return Promise.resolve().then(f) })",
    ] {
        scene
            .not_deployed(
                &script(&format!("{top_level}\nexports.onExecutePostLogin = async () => {{}};")),
                "fuel",
            )
            .await;
    }
    scene.end().await;
}

// HT1
#[tokio::test]
async fn an_endless_loop_with_endless_fuel_ends_by_the_clock() {
    let scene = Scene::with_limits(by_the_clock()).await;
    let mut guests = endless_components();
    guests.push(handler("for (;;) { try { for (;;) {} } finally { continue } }"));
    for guest in guests {
        let report = scene.denied(&guest, "wall_clock_ms").await;
        assert!(report.elapsed_us < 6_000_000, "{report:?}");
    }
    scene.end().await;
}

// HT2
#[tokio::test]
async fn a_bulk_instruction_is_paid_by_the_byte_and_overshoots_by_the_memory_at_most() {
    let grown =
        |body: &str| format!("(drop (memory.grow (i32.const 1000))) (loop $again {body} (br $again)) {DONE}");
    let fill = grown("(memory.fill (i32.const 65536) (i32.const 7) (i32.const 65000000))");
    let copy = grown("(memory.copy (i32.const 65536) (i32.const 131072) (i32.const 65000000))");
    let scene = Scene::start().await;
    scene.denied(&running(&fill), "fuel").await;
    scene.denied(&running(&copy), "fuel").await;
    scene.end().await;
    let scene = Scene::with_limits(by_the_clock()).await;
    let table = Guest {
        fields: "(table $t 20000 funcref)",
        body: &format!(
            "(loop $again (table.fill $t (i32.const 0) (ref.null func) (i32.const 20000)) (br $again)) {DONE}"
        ),
        ..Guest::GOOD
    };
    for guest in [running(&fill), running(&copy), table.source()] {
        let report = scene.denied(&guest, "wall_clock_ms").await;
        assert!(report.elapsed_us < 6_000_000, "{report:?}");
    }
    scene.end().await;
}

// HT3
#[tokio::test]
async fn instructions_that_are_slow_for_their_fuel_end_by_the_clock() {
    let scene = Scene::with_limits(by_the_clock()).await;
    let calls = "(type $slow (func (param i32) (result i32)))
        (func $f (type $slow) (local.get 0)) (elem (table $calls) (i32.const 0) func $f)";
    for (fields, body) in [
        ("", "(local.set $n (i64.div_s (i64.const -7) (i64.or (local.get $n) (i64.const 1))))"),
        ("", "(local.set $i (i32.trunc_f64_s (f64.sqrt (f64.convert_i32_u (i32.or (local.get $i) (i32.const 1))))))"),
        (calls, "(local.set $i (call_indirect (type $slow) (local.get $i) (i32.const 0)))"),
        // A new line of the cache and a new page each time.
        (
            "(func $grow (drop (memory.grow (i32.const 900)))) (start $grow)",
            "(local.set $i (i32.and (i32.add (local.get $i) (i32.const 8392705)) (i32.const 0x1fffffc)))
             (i32.store offset=65536 (local.get $i) (i32.add (i32.load offset=65536 (local.get $i)) (i32.const 1)))",
        ),
    ] {
        let body = format!("(loop $again {body} (br $again)) {DONE}");
        scene.denied(&Guest { fields, body: &body, ..Guest::GOOD }.source(), "wall_clock_ms").await;
    }
    // What wasmtime had mistakes in is not there.
    for module in [
        "(memory 1 1 shared) (func (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1))))",
        "(tag $t) (func (throw $t))",
        "(type $f (func)) (func (param (ref $f)) (call_ref $f (local.get 0)))",
        "(func $f (return_call $f))",
        "(func (param v128 v128 v128) (result v128)
            (f32x4.relaxed_madd (local.get 0) (local.get 1) (local.get 2)))",
    ] {
        scene.not_deployed(&with_module(module), "not a valid component").await;
    }
    scene.end().await;
}

// HT4
#[tokio::test]
async fn a_catastrophic_regular_expression_ends_like_any_code() {
    let scene = Scene::start().await;
    for body in [
        "/^(a+)+$/.test('a'.repeat(40) + 'b')",
        "/(.*)*(.*)*(.*)*x/.test('a'.repeat(5000))",
        "/(?:a{0,60}){60}b/.test('a'.repeat(3000))",
        "'a'.repeat(100000).replace(/(a|aa|aaa)*$|b/g, (m) => { for (;;) /(x+x+)+y/.test('x'.repeat(60)) })",
        "for (let i = 0; ; i++) new RegExp('(a{1,' + (100 + i % 50) + '}){1,100}' + i)",
    ] {
        scene.denied(&handler_after_commands(body), "fuel|memory_bytes|stack_bytes|exception").await;
    }
    scene.end().await;
}

// HT5
#[tokio::test]
async fn timers_are_counted_and_what_never_ends_is_over_at_the_wall_clock_limit() {
    let scene = Scene::with_limits(Limits { wall_clock_ms: 1_000, ..actions::LIMITS }).await;
    for (body, kinds) in [
        ("for (let i = 0; i < 1e6; i++) setTimeout(() => {}, 1000)", "operations|host_calls"),
        (
            "const more = () => { setTimeout(more); setTimeout(more) }; more(); await new Promise(() => {})",
            "operations|host_calls",
        ),
        (
            "setInterval(() => setInterval(() => {}, 1), 1); await new Promise(() => {})",
            "operations|host_calls|wall_clock_ms|fuel",
        ),
        ("await new Promise(() => {})", "never settled"),
        ("await { then() {} }", "never settled"),
        ("await new Promise((done) => setTimeout(done, 2 ** 30))", "wall_clock_ms"),
        ("setInterval(() => {}, 20); await new Promise(() => {})", "wall_clock_ms|host_calls"),
    ] {
        let report = scene.denied(&handler_after_commands(body), kinds).await;
        assert!(report.elapsed_us < 6_000_000, "{body}: {report:?}");
    }
    // Odd delays are no delay.
    scene
        .harmless(&handler(
            "for (const delay of [0, -1, NaN, 2 ** 31, -Infinity, 'x', undefined])
                 await new Promise((done) => setTimeout(done, delay));",
        ))
        .await;
    // Those that wait for an answer that does not come give their places back, too.
    let gate = Gate::closed().await;
    scene.deploy(&handler_after_commands(&format!("await fetch('{}')", gate.url))).await.expect("it builds");
    let logins = (0..2 * super::PLACES.runs_per_tenant).map(|_| scene.log_in_again());
    for (answer, report) in futures_util::future::join_all(logins).await {
        assert_eq!(answer.location_parameter("error").as_deref(), Some("access_denied"));
        assert_eq!(report.error.as_ref().map(super::kind).as_deref(), Some("wall_clock_ms"));
    }
    scene.a_good_login().await;
    scene.end().await;
}

// HC1
#[tokio::test]
async fn a_flood_of_calls_to_the_host_ends() {
    let scene = Scene::start().await;
    for body in [
        "for (;;) console.log('')",
        "for (;;) Date.now()",
        "for (;;) Math.random()",
        "for (;;) crypto.getRandomValues(new Uint8Array(64))",
        "for (;;) await crypto.subtle.digest('SHA-256', new Uint8Array(1000))",
        "for (;;) api.cache.get('a')",
        "for (;;) api.cache.set('a', 'b')",
        "for (;;) { try { api.idToken.setCustomClaim('scope', 1) } catch {} }",
        "for (;;) clearTimeout(setTimeout(() => {}))",
        "for (;;) { const stop = new AbortController(); fetch('http://127.0.0.1:1/', stop).catch(() => {}); stop.abort() }",
    ] {
        scene.denied(&handler_after_commands(body), "fuel|host_calls|operation|memory_bytes|commands").await;
    }
    for call in [
        "(drop (call $now))",
        "(drop (call $random))",
        "(call $print (i32.const 0) (i32.const 0) (i32.const 0))",
        "(call $secret (i32.const 0) (i32.const 0) (i32.const 32))",
        "(call $expires (f64.const nan) (i32.const 32))",
    ] {
        let guest = running(&format!("(loop $again {call} (br $again)) {DONE}"));
        scene.denied(&guest, "host_calls|fuel|trap").await;
    }
    scene.end().await;
}

// HC6
#[tokio::test]
async fn a_browser_that_goes_away_takes_its_guest_along_and_leaves_nothing() {
    // Longer than the test: who waits for a place gets it because it is given back.
    let limits = Limits { wall_clock_ms: 120_000, fuel: 20 * actions::LIMITS.fuel, ..actions::LIMITS };
    let scene = Scene::with_limits(limits).await;
    scene.a_good_login().await;
    let browser = scene.browser();
    Login::web().code(&browser, seed::ADA).await;
    let gate = Gate::closed().await;
    for body in [
        format!("await fetch('{}')", gate.url),
        "await new Promise((done) => setTimeout(done, 100000))".to_owned(),
        "for (let i = 0; ; i++) await new Promise((done) => setTimeout(done, i % 3))".to_owned(),
    ] {
        scene.deploy(&handler_after_commands(&body)).await.expect("it builds");
        for step in 0..8 {
            let login = Login::web();
            let login = login.begin(&browser);
            let ended = tokio::time::timeout(Duration::from_millis(step * step * 3), login).await;
            assert!(ended.is_err(), "the guest waits");
        }
        scene.a_good_login().await;
    }
    // While it computes, it goes on to its end, and then it is gone.
    scene.deploy(&handler_after_commands("for (;;) {}")).await.expect("it builds");
    for _ in 0..3 {
        let _ = tokio::time::timeout(Duration::from_millis(30), Login::web().begin(&browser)).await;
    }
    scene.a_good_login().await;
    scene.end().await;
}

// HC6: the server's own part, at each point at which it may be left.
#[tokio::test]
async fn a_run_that_is_dropped_at_any_await_gives_back_its_place() {
    let scene = Scene::start().await;
    let gate = Gate::closed().await;
    gate.open();
    let body = format!(
        "await Promise.all([fetch('{}'), new Promise((done) => setTimeout(done, 1))]); await api.cache.get('x');
         await new Promise((done) => setTimeout(done, 1)); await fetch('{}')",
        gate.url, gate.url
    );
    scene.deploy(&handler_after_commands(&body)).await.expect("it builds");
    let artifact = super::build(&handler_after_commands(&body), scene.idp.limits).await.expect("it builds");
    let places = Places { runs: 2, runs_per_tenant: 1, queue: Duration::from_secs(20) };
    let executor = actions::executor(scene.database.open().await, places);
    let mut polls = 0;
    loop {
        let mut run = executor.run(super::run_of(&scene, &artifact.digest));
        let mut left = polls;
        let ended = poll_fn(|context| match left {
            0 => Poll::Ready(None),
            _ => {
                left -= 1;
                run.as_mut().poll(context).map(Some)
            }
        });
        match ended.await {
            None => polls += 1,
            Some(report) => {
                assert_eq!(report.error, None);
                break;
            }
        }
    }
    assert!(polls > 3, "it was left {polls} times");
    // The one place is there again.
    for _ in 0..3 {
        assert_eq!(executor.run(super::run_of(&scene, &artifact.digest)).await.error, None);
    }
    scene.a_good_login().await;
    scene.end().await;
}
