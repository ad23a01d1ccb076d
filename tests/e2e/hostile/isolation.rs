//! HI: guests that look for what others left, or that would leave something.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use action_api::{Limits, RunError};
use action_runtime::{Runtime, RuntimeConfig};
use end_to_end::database::Database;
use end_to_end::flow::code_of;
use end_to_end::gate::Gate;
use end_to_end::node::Node;
use end_to_end::{Login, TestServer, actions, seed};
use idp::manage;
use model::AllowedHosts;
use postern::executor::Places;
use serde_json::{Value, json};

use super::guest::{DONE, Guest, running};
use super::{Scene, build, handler, script};

/// Sixteen bytes that occur nowhere else.
const CANARY: &str = "canary-5ec2e7aa!";

/// A server whose one sandbox all runs share, one after the other, with the memory that the one before had.
async fn with_one_sandbox(limits: Limits) -> Scene {
    let config = RuntimeConfig { concurrent_runs: 1, ..RuntimeConfig::new(Some(actions::compiled_folder())) };
    let runtime = Arc::new(Runtime::new(config).expect("a sandbox engine"));
    let database = Database::fresh().await;
    let places = Places { runs: 1, runs_per_tenant: 1, queue: Duration::from_secs(20) };
    let executor = actions::executor_in(runtime, database.open().await, places);
    Scene::on(TestServer::start_on_with(database, executor, limits).await).await
}

// HI1
#[tokio::test]
async fn no_run_sees_what_the_run_before_it_left_in_memory() {
    let limits = Limits { fuel: 40 * actions::LIMITS.fuel, wall_clock_ms: 10_000, ..actions::LIMITS };
    let scene = with_one_sandbox(limits).await;
    // All memory but the first pages, which the searcher writes itself.
    let fill = "(drop (memory.grow (i32.const 900)))
        (local.set $i (i32.const 65536))
        (loop $next
            (i64.store (local.get $i) (i64.const 0x5ec2e75ec2e75ec2))
            (local.set $i (i32.add (local.get $i) (i32.const 8)))
            (br_if $next (i32.lt_u (local.get $i) (i32.const 59000000))))";
    let search = Guest {
        fields: "(data (i32.const 64) \"found\")",
        body: &format!(
            "(drop (memory.grow (i32.const 900)))
             (local.set $i (i32.const 65536))
             (loop $next
                 (local.set $n (i64.or (local.get $n) (i64.load (local.get $i))))
                 (local.set $i (i32.add (local.get $i) (i32.const 8)))
                 (br_if $next (i32.lt_u (local.get $i) (i32.const 59000000))))
             (if (i64.ne (local.get $n) (i64.const 0))
                 (then (call $print (i32.const 2) (i32.const 64) (i32.const 5))))
             {DONE}"
        ),
        ..Guest::GOOD
    }
    .source();
    let table = "(table $t 1000 funcref) (elem declare func $run)";
    for end in [
        DONE.to_owned(),
        "(unreachable)".to_owned(),
        "(loop $spin (br $spin)) (unreachable)".to_owned(),
        format!(
            "(drop (memory.grow (i32.const 60000))) (table.fill $t (i32.const 0) (ref.func $run) (i32.const 1000)) {DONE}"
        ),
        "(i32.const -1)".to_owned(),
    ] {
        let body = format!("{fill} {end}");
        scene.deploy(&Guest { fields: table, body: &body, ..Guest::GOOD }.source()).await.expect("it builds");
        scene.log_in_again().await;
        // The same tenant's next Action, and the other tenant's.
        let report = scene.harmless(&search).await;
        assert!(report.console.is_empty(), "{end}: {report:?}");
    }
    // The browser goes away while the memory is being filled.
    scene.deploy(&running(&format!("{fill} {DONE}"))).await.expect("it builds");
    let browser = scene.browser();
    Login::web().code(&browser, seed::ADA).await;
    for wait_ms in [1, 5, 20] {
        let _ = tokio::time::timeout(Duration::from_millis(wait_ms), Login::web().begin(&browser)).await;
    }
    let report = scene.harmless(&search).await;
    assert!(report.console.is_empty(), "{report:?}");
    scene.end().await;
}

// HI1
#[tokio::test]
async fn no_run_sees_what_the_run_before_it_left_in_javascript() {
    let scene = with_one_sandbox(Limits { wall_clock_ms: 1_500, ..actions::LIMITS }).await;
    let leave = "const secret = event.secrets.KEY;
        globalThis.left = Object.prototype.left = Array.prototype.left = Function.prototype.left = secret;
        console.left = JSON.left = Math.left = Promise.left = api.left = event.left = module.exports.left = secret;
        kept = { api, event }; [].concat.left = secret;";
    let look = "const found = [globalThis.left, {}.left, [].left, (() => {}).left, console.left, JSON.left, Math.left,
        Promise.left, api.left, event.left, module.exports.left, kept, [].concat.left].filter((x) => x !== undefined);
        if (found.length || Object.keys(event.secrets).length !== how) console.log('found', JSON.stringify(found));";
    let gate = Gate::closed().await;
    let wait = format!("await fetch('{}')", gate.url);
    let ends = [
        "",
        "throw new Error('end')",
        "for (;;) {}",
        "const a = []; for (;;) a.push(new Array(10000).fill(1))",
        &wait,
    ];
    // One Action for all: the query says what a login is to do.
    let cases =
        ends.iter().enumerate().map(|(number, end)| format!("case '{number}': {{ {leave} {end}; break; }}"));
    let code = format!(
        "let kept; const how = 1; exports.onExecutePostLogin = async (event, api) => {{
             switch (event.request.query.way) {{ {} default: {{ {look} }} }} }};",
        cases.collect::<String>()
    );
    let secrets = BTreeMap::from([("KEY".to_owned(), CANARY.to_owned())]);
    let artifact = build(&script(&code), scene.idp.limits).await.expect("it builds");
    let source = &actions::kept("");
    let deployment =
        manage::Deployment { source, artifact: &artifact, secrets: &secrets, hosts: None, modules: None };
    manage::deploy_action(&scene.idp, &scene.acme(), "guest", deployment).await.expect("a deploy");
    let browser = scene.browser();
    Login::web().with("way", "look").code(&browser, seed::ADA).await;
    for way in 0..ends.len() {
        let login = Login::web().with("way", &way.to_string());
        let answer = login.begin(&browser).await;
        assert_eq!(answer.location_parameter("code").is_some(), way == 0, "{way}: {answer:?}");
        code_of(&Login::web().with("way", "look").begin(&browser).await);
        let reports = scene.reports().await;
        let last = reports.last().expect("a run");
        assert!(last.console.is_empty() && last.error.is_none(), "{way}: {last:?}");
    }
    // A browser that goes away.
    let login = Login::web().with("way", "4");
    let _ = tokio::time::timeout(Duration::from_millis(50), login.begin(&browser)).await;
    code_of(&Login::web().with("way", "look").begin(&browser).await);
    // Another Action, and another tenant's, which have no secrets.
    let other =
        format!("let kept; const how = 0; exports.onExecutePostLogin = async (event, api) => {{ {look} }};");
    let report = scene.harmless(&script(&other)).await;
    assert!(report.console.is_empty(), "{report:?}");
    scene.end().await;
}

// HI2
#[tokio::test]
async fn randomness_and_time_are_the_logins_own_although_the_top_level_ran_at_deploy() {
    let scene = Scene::start().await;
    let code = "const frozen = [Math.random(), crypto.randomUUID(), Date.now()];
        const bytes = crypto.getRandomValues(new Uint8Array(16)).join();
        exports.onExecutePostLogin = async () => {
            console.log(JSON.stringify([...frozen, bytes, Math.random(), crypto.randomUUID(), Date.now(), performance.timeOrigin]));
        };";
    scene.deploy(&script(code)).await.expect("it builds");
    for _ in 0..3 {
        code_of(&scene.log_in_again().await.0);
        scene.clock.advance_secs(1);
    }
    let printed = scene.printed().await;
    let [one, two, three] = &printed[..] else { panic!("{printed:?}") };
    for at in 0..7 {
        assert!(one[at] != two[at] && two[at] != three[at] && one[at] != three[at], "{at}: {printed:?}");
    }
    assert_eq!(two[2].as_i64().unwrap() - one[2].as_i64().unwrap(), 1000, "time is the login's");
    // Of a handler alone, and of a component.
    let random = running(&format!(
        "(i64.store (i32.const 64) (i64.or (i64.and (call $random) (i64.const 0x0707070707070707)) (i64.const 0x3030303030303030)))
         (call $print (i32.const 2) (i32.const 64) (i32.const 8)) {DONE}"
    ));
    let (one, two) = (scene.harmless(&random).await, scene.harmless(&random).await);
    assert_ne!(one.console[0].text, two.console[0].text);
    scene.end().await;
}

// HI3
#[tokio::test]
async fn a_secret_is_in_no_image_and_not_in_the_database() {
    let scene = Scene::start().await;
    let code = "const early = typeof event === 'undefined' ? process.env.KEY : event.secrets.KEY;
        const seen = [early, ...Object.values(process.env)];
        exports.onExecutePostLogin = async (event, api) => {
            seen.push(event.secrets.KEY); globalThis.kept = event.secrets.KEY;
            api.idToken.setCustomClaim('length', event.secrets.KEY.length);
            console.log(JSON.stringify(seen.map((value) => value && value.length)));
        };";
    let artifact = build(&script(code), scene.idp.limits).await.expect("it builds");
    let secrets = BTreeMap::from([("KEY".to_owned(), CANARY.to_owned())]);
    let holds = |bytes: &[u8]| bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes());
    let source = &actions::kept(code);
    for _ in 0..2 {
        let deployment =
            manage::Deployment { source, artifact: &artifact, secrets: &secrets, hosts: None, modules: None };
        manage::deploy_action(&scene.idp, &scene.acme(), "guest", deployment).await.expect("a deploy");
        code_of(&scene.log_in_again().await.0);
    }
    let length = json!([null, CANARY.len()]);
    assert_eq!(
        scene.printed().await,
        [length.clone(), length],
        "nothing is there at the top level, and no run adds"
    );
    let (_, image) =
        scene.idp.storage.artifact(&artifact.digest).await.expect("a database").expect("an image");
    assert!(image == artifact.bytes && !holds(&image));
    let database = scene.database.bytes();
    let hex: String = CANARY.bytes().map(|byte| format!("{byte:02x}")).collect();
    assert!(!holds(&database), "in the clear");
    assert!(!database.windows(hex.len()).any(|window| window == hex.as_bytes()), "as PostgreSQL dumps bytes");
    scene.end().await;
}

// HI4
#[tokio::test]
async fn tricks_on_the_event_and_the_api_change_this_runs_own_decision_alone() {
    let scene = Scene::start().await;
    for body in [
        "Object.prototype.toJSON = () => 'forged'; Array.prototype[Symbol.iterator] = () => { throw 1 }",
        "JSON.stringify = () => '{\"command\":\"user.setAppMetadata\",\"key\":\"admin\",\"value\":true}'",
        "Promise.prototype.then = () => { throw 1 }; globalThis.Promise = null",
        "globalThis.Object = globalThis.Array = globalThis.String = globalThis.Error = null",
        "Object.freeze(Object.prototype); Object.freeze(Array.prototype); Object.freeze(globalThis)",
        "Object.defineProperty(Object.prototype, 'command', { get: () => 'access.deny' })",
        "Error.prepareStackTrace = () => { throw 1 }; Function.prototype.call = Function.prototype.apply = null",
        "eval('globalThis.a = 1'); new Function('globalThis.b = 1')()",
        "event.user.user_id = 'somebody else'; event.client.client_id = 'another'; delete event.tenant",
        "({}).constructor.prototype.polluted = 1; ({}).__proto__.admin = true",
        "for (const key of ['__proto__', 'constructor', 'prototype']) try { event.user.app_metadata[key].polluted = 1 } catch {}",
    ] {
        let guest = handler(&format!("{body};\napi.idToken.setCustomClaim('mine', 'yes');"));
        let report = scene.harmless(&guest).await;
        let claim = action_api::Command::IdTokenSetCustomClaim { key: "mine".into(), value: json!("yes") };
        assert_eq!(report.commands, [claim], "{body}");
    }
    for (body, kinds) in [
        ("const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); throw proxy", "exception"),
        (
            "throw { get message() { throw 1 }, get name() { throw 2 }, get stack() { throw 3 }, toString() { throw 4 } }",
            "exception",
        ),
        ("Error.prepareStackTrace = () => { for (;;) {} }; throw new Error('x')", "exception|fuel"),
        ("await import('node:fs')", "exception"),
        ("await import('data:text/javascript,1')", "exception"),
        ("require('child_process')", "exception"),
        ("process.binding('fs')", "exception"),
        ("throw undefined", "exception"),
        ("api.constructor.constructor('return this')().nothing.there", "exception"),
    ] {
        scene.denied(&super::handler_after_commands(body), kinds).await;
    }
    // Keys that mean something to JavaScript are names of a profile's metadata like others, or refused.
    scene
        .deploy(&handler(
            "const set = (key, value) => { try { api.user.setUserMetadata(key, value) } catch {} };
             set('__proto__', { admin: true }); set('constructor', { prototype: { admin: true } });
             set('plain', JSON.parse('{\"__proto__\":{\"admin\":true}}'));
             setTimeout(() => api.access.deny('late')); globalThis.saved = api;",
        ))
        .await
        .expect("it builds");
    scene.log_in_again().await;
    let look = handler(
        "console.log(JSON.stringify([({}).admin === undefined, event.user.user_metadata.admin === undefined,
             event.user.user_metadata.plain?.admin === undefined, typeof saved]))",
    );
    scene.deploy(&look).await.expect("it builds");
    let (answer, report) = scene.log_in_again().await;
    code_of(&answer);
    assert_eq!(report.console[0].text, "[true,true,true,\"undefined\"]");
    scene.end().await;
}

// HI5
#[tokio::test]
async fn what_engines_fell_over_stays_in_the_runs_own_memory() {
    let scene = Scene::start().await;
    for body in [
        "const b = new ArrayBuffer(64, { maxByteLength: 1 << 20 }); const view = new Uint8Array(b);
         view.set({ length: 64, get 0() { b.resize(0); return 1 } }); b.resize(1 << 20); view.fill(7)",
        "const b = new ArrayBuffer(1 << 16, { maxByteLength: 1 << 16 }); const a = new Uint32Array(b);
         a.fill({ valueOf() { b.resize(0); return 7 } }); a.copyWithin(0, { valueOf() { b.resize(8); return 1 } })",
        "const b = new ArrayBuffer(4096, { maxByteLength: 8192 }); const a = new Float64Array(b);
         a.sort((x, y) => { b.resize(x % 2 ? 0 : 8192); return y - x }); a.slice({ valueOf() { b.resize(0); return 0 } })",
        "class T extends Uint8Array { constructor(n) { super(typeof n === 'number' ? 1 : n) } }
         new T(100).map((x) => x); T.from({ length: 1000, get 5() { return 1 } }); new T(64).subarray(0, 60).fill(1)",
        "const a = []; a.length = 1000; a.sort(() => { a.length = 0; a.push(...new Array(5000).fill({})); return 1 })",
        "const a = [1, 2, 3]; a.splice({ valueOf() { a.length = 0; return 0 } }, 3, ...new Array(1000).fill(1))",
        "new Uint8Array(8).set(new Proxy([], { get: (t, k) => k === 'length' ? 2 ** 32 : 1 }))",
        "'aaaa'.replace(/(?<x>a)|b/gu, (...m) => { RegExp.prototype.exec = () => null; return m.at(-1).x })",
        "const r = /a/y; r.lastIndex = { valueOf() { r.compile?.('(b)(c)(d)'); return 2 ** 30 } }; r.exec('a'.repeat(100))",
        "const v = new DataView(new ArrayBuffer(8, { maxByteLength: 64 })); v.setFloat64({ valueOf() { v.buffer.resize(0); return 0 } }, 1)",
        "const b = new ArrayBuffer(64); const a = new Uint8Array(b); structuredClone(b, { transfer: [b] }); a.fill(1); a[0] = 7",
    ] {
        let guest = handler(&format!("try {{ {body} }} catch {{}}"));
        let (answer, report) = scene.log_in(&guest).await;
        assert_eq!(answer.status, 303, "{answer:?}");
        if let Some(error) = &report.error {
            assert_eq!(error.blame(), action_api::Blame::Guest, "{body}: {error}");
        }
        scene.a_good_login().await;
    }
    scene.end().await;
}

// HI6
#[tokio::test]
async fn no_clock_moves_while_a_guest_computes_and_none_is_fine() {
    let scene = Scene::start().await;
    let report = scene
        .harmless(&handler(
            "const times = () => [Date.now(), performance.now(), +new Date()].join();
             const before = times();
             for (let i = 0; i < 100000; i++);
             const stands = times() === before;
             await new Promise((done) => setTimeout(done, 3));
             console.log(JSON.stringify([stands, Number.isInteger(Date.now()), Number.isInteger(performance.now()),
                 typeof SharedArrayBuffer, typeof Atomics, typeof WebAssembly, typeof Worker]));",
        ))
        .await;
    let shown: Value = serde_json::from_str(&report.console[0].text).expect("JSON");
    assert_eq!(shown.as_array().expect("a list")[..3], [json!(true), json!(true), json!(true)], "{shown}");
    assert_eq!(shown[5], "undefined", "{shown}");
    assert_eq!(shown[6], "undefined", "{shown}");
    scene.end().await;
}

// HI7
#[tokio::test]
async fn the_network_is_no_way_out_beyond_the_runs_budget() {
    let scene = Scene::start().await;
    let gate = Gate::closed().await;
    gate.open();
    let each = handler(&format!(
        "let refused = 0;
         for (let i = 0; i < 80; i++) try {{ await fetch('{}?' + i) }} catch {{ refused++ }}
         console.log(refused)",
        gate.url
    ));
    let most = usize::try_from(actions::LIMITS.http_requests).unwrap();
    assert_eq!(scene.harmless(&each).await.console[0].text, (80 - most).to_string());
    assert_eq!(gate.arrived(), most);
    let at_once = format!(
        "await Promise.allSettled(Array.from({{ length: 90 }}, (_, i) => fetch('{}?' + i)))",
        gate.url
    );
    scene.harmless(&handler(&at_once)).await;
    assert_eq!(gate.arrived(), 2 * most);
    let flood = format!("for (let i = 0; ; i++) fetch('{}?' + i)", gate.url);
    scene.denied(&handler(&flood), "operations|host_calls|operation_bytes").await;
    // Names and addresses as data: no packet leaves for what is not allowed.
    let names = "const told = [];
        for (const host of ['10.1.2.3', '169.254.169.254', '[fe80::1]', '192.168.0.1', '0.0.0.0', '127.0.0.9'])
            try { await fetch('http://' + host + '/' + event.user.email); told.push(host) } catch (error) { told.push(error.name) }
        console.log(told.join())";
    let told = &scene.harmless(&handler(names)).await.console[0].text;
    assert_eq!(told, &["TypeError"; 6].join(","));

    // An Action with a list of hosts reaches these alone, also by a redirect, and no name of another is looked up: a name is
    // refused as fast as the list is read.
    let host = reqwest::Url::parse(&gate.url).unwrap().host_str().unwrap().to_owned();
    let list = AllowedHosts::Only(vec![host, "*.partner.example".to_owned()]);
    let told = format!(
        "const told = [];
        for (const url of ['{}', 'http://' + btoa(event.user.email).replace('=', '') + '.evil.example/', 'http://partner.example/',
            'http://localhost.evil.example/', 'http://127.0.0.1.nip.example/'])
            try {{ await fetch(url); told.push('reached') }} catch (error) {{ told.push(error.cause?.message ?? error.message) }}
        console.log(told.join('|'))",
        gate.url
    );
    let guest = handler(&told);
    let artifact = build(&guest, scene.idp.limits).await.expect("it builds");
    let (tenant, none) = (scene.acme(), BTreeMap::new());
    let source = &actions::kept("");
    let deployment =
        manage::Deployment { source, artifact: &artifact, secrets: &none, hosts: Some(&list), modules: None };
    manage::deploy_action(&scene.idp, &tenant, "guest", deployment).await.expect("a deploy");
    for number in 0..2 {
        let (answer, report) = scene.log_in_again().await;
        code_of(&answer);
        let told: Vec<&str> = report.console[0].text.split('|').collect();
        assert_eq!(told[0], "reached", "{told:?}");
        assert!(told[1..].iter().all(|text| text.contains("is not among the hosts")), "{told:?}");
        // The next deploy keeps the list.
        let secrets = &BTreeMap::from([("NUMBER".to_owned(), number.to_string())]);
        let next = manage::Deployment { secrets, hosts: None, ..deployment };
        assert!(manage::deploy_action(&scene.idp, &tenant, "guest", next).await.expect("a deploy").1);
    }
    scene.end().await;
}

// HI8
#[tokio::test]
async fn one_tenants_many_slow_actions_leave_the_others_their_places() {
    let config = RuntimeConfig { concurrent_runs: 8, ..RuntimeConfig::new(Some(actions::compiled_folder())) };
    let runtime = Arc::new(Runtime::new(config).expect("a sandbox engine"));
    let database = Database::fresh().await;
    let places = Places { runs: 8, runs_per_tenant: 5, queue: Duration::from_secs(3) };
    let executor = actions::executor_in(runtime, database.open().await, places);
    let limits = Limits { wall_clock_ms: 60_000, ..actions::LIMITS };
    let scene = Scene::on(TestServer::start_on_with(database, executor, limits).await).await;
    let gate = Gate::closed().await;
    let slow = "if (event.request.query.slow) await fetch('GATE');".replace("GATE", &gate.url);
    scene.deploy(&handler(&slow)).await.expect("it builds");
    let browser = scene.browser();
    Login::web().code(&browser, seed::ADA).await;
    let slow = Login::web().with("slow", "1");
    let logins = futures_util::future::join_all((0..60).map(|_| slow.begin(&browser)));
    let meanwhile = async {
        gate.wait_for(5).await;
        // The gate is shut: five guests wait for it, and fifty-five for a place.
        let neighbour = scene.client();
        let page = Login::web().begin_at(&neighbour, seed::OTHER).await;
        let page = neighbour.url_of(seed::OTHER, page.location());
        code_of(&end_to_end::flow::log_in(&neighbour, &page, seed::ADA, seed::PASSWORD).await);
        for _ in 0..5 {
            let at_once =
                (0..8).map(|_| async { code_of(&Login::web().begin_at(&neighbour, seed::OTHER).await) });
            futures_util::future::join_all(at_once).await;
        }
        assert_eq!(gate.arrived(), 5, "no guest had a place beyond the tenant's share");
        // The queue has an end.
        tokio::time::sleep(places.queue).await;
        gate.open();
    };
    let (answers, ()) = tokio::join!(logins, meanwhile);
    let (mut done, mut refused) = (0, 0);
    for answer in answers {
        super::says_nothing_internal(&answer);
        match answer.location_parameter("error_description").as_deref() {
            None => done += usize::from(!code_of(&answer).is_empty()),
            Some("resource_exhausted: too many Actions run at once") => refused += 1,
            Some(other) => panic!("{other}"),
        }
    }
    assert!(done >= 5 && done + refused == 60, "{done} {refused}");
    let reports = scene.reports().await;
    let exhausted =
        reports.iter().filter(|report| matches!(report.error, Some(RunError::Exhausted { .. }))).count();
    assert_eq!(exhausted, refused, "the operator is told that there was no place");
    scene.a_good_login().await;
    scene.end().await;
}

// HI9
#[tokio::test]
async fn hundreds_of_failed_runs_leave_a_process_as_it_was() {
    let database = Database::fresh().await;
    let settings = [
        ("POSTERN_ACTIONS__WALL_CLOCK_MS", "400"),
        ("POSTERN_ACTIONS__FUEL", "20000000"),
        ("POSTERN_ACTIONS__CONCURRENT_RUNS", "6"),
        ("POSTERN_ACTIONS__CONCURRENT_RUNS_PER_TENANT", "4"),
    ];
    let node = Node::start_with(&database, &settings).await;
    node.seed().await;
    let code = "exports.onExecutePostLogin = async (event, api) => {
        api.user.setAppMetadata('way', event.request.query.way);
        switch (event.request.query.way) {
            case 'throw': throw new Error('thrown');
            case 'fuel': for (;;) {}
            case 'memory': { const all = []; for (;;) all.push(new Array(10000).fill(1)); }
            case 'stack': { const f = () => f() + 1; return f(); }
            case 'never': return new Promise(() => {});
            case 'clock': case 'cancel': return new Promise((done) => setTimeout(done, 100000));
        }
    };";
    node.deploy_action("guest", code).await;
    let browser = node.client();
    Login::web().code(&browser, seed::ADA).await;
    let ways = ["good", "throw", "fuel", "memory", "stack", "never", "cancel", "good", "clock", "cancel"];
    let round = async || {
        let login = async |way: &str| {
            let login = Login::web().with("way", way);
            let login = login.begin(&browser);
            if way == "cancel" {
                let _ = tokio::time::timeout(Duration::from_millis(15), login).await;
                return;
            }
            let answer = login.await;
            assert_eq!(answer.location_parameter("code").is_some(), way == "good", "{way}: {answer:?}");
        };
        futures_util::future::join_all(ways.map(login)).await;
    };
    let state = || {
        let process = format!("/proc/{}", node.server.id());
        let count = |folder: &str| std::fs::read_dir(format!("{process}/{folder}")).expect("it runs").count();
        let status = std::fs::read_to_string(format!("{process}/status")).expect("it runs");
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
        let resident: usize = resident.trim().trim_end_matches(" kB").parse().expect("a number");
        (count("fd"), count("task"), resident)
    };
    for _ in 0..8 {
        round().await;
    }
    let before = state();
    for _ in 0..30 {
        round().await;
    }
    let after = state();
    assert!(after.0 <= before.0 + 10, "descriptors: {before:?} {after:?}");
    assert!(after.1 <= before.1 + 4, "threads: {before:?} {after:?}");
    assert!(after.2 <= before.2 + (24 << 10), "KiB of memory: {before:?} {after:?}");
    // No place is lost: as many as there are run at once.
    let places = (0..4).map(|_| async { code_of(&Login::web().with("way", "good").begin(&browser).await) });
    futures_util::future::join_all(places).await;
}
