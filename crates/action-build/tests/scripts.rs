//! Scripts from source to commands.
#![allow(clippy::expect_used, clippy::panic, reason = "a test stops where something is not as it should be")]

mod common;

use std::collections::BTreeMap;

use action_api::{ArtifactKind, Command, ConsoleLevel, RunError};
use action_build::{Program, Source, build, measure};
use common::{LIMITS, RUNTIME, handler, printed, run, run_with, sample, script};

#[test]
fn an_image_is_small_and_the_same_for_the_same_source() {
    let source = Source::read(&sample("action.js")).expect("the sample");
    let first = build(&RUNTIME, &source, &LIMITS).expect("it builds");
    let second = build(&RUNTIME, &source, &LIMITS).expect("it builds");
    assert_eq!(first.digest, second.digest);
    assert!(first.bytes.len() < 650_000, "{} bytes", first.bytes.len());
    assert!(matches!(first.kind, ArtifactKind::MemoryImage { evaluated_at_login: false, .. }));
}

#[test]
fn the_api_answers_as_the_dialect_says() {
    let report = handler(
        "console.log(api.access.deny('no') === api, api.idToken.setCustomClaim('a', 1) === api,
           api.accessToken.setCustomClaim('a', 1) === api, api.user.setUserMetadata('a', null) === api,
           api.user.setAppMetadata('a', { b: [1] }) === api,
           api.session.setExpiresAt(-1), api.session.setIdleExpiresAt(1.5), api.session.revoke('bye'));",
    );
    assert_eq!(printed(&report), "true true true true true undefined undefined undefined");
    assert_eq!(report.commands.len(), 8);
    assert_eq!(report.commands[5], Command::SessionSetExpiresAt { absolute: -1.0 });
    assert_eq!(report.commands[6], Command::SessionSetIdleExpiresAt { inactivity: 1.5 });
    assert_eq!(
        report.commands[7],
        Command::SessionRevoke { reason: "bye".into(), preserve_refresh_tokens: false }
    );
}

#[test]
fn arguments_are_checked_at_the_call() {
    for (call, message) in [
        ("session.setExpiresAt()", "a value must be given"),
        ("session.setExpiresAt(null)", "a value must be given"),
        ("session.setExpiresAt(0)", "a value must be given"),
        ("session.setIdleExpiresAt(NaN)", "a value must be given"),
        ("session.setIdleExpiresAt('')", "a value must be given"),
        ("session.setIdleExpiresAt('1')", "must be a finite number"),
        ("session.setExpiresAt(Infinity)", "must be a finite number"),
        ("idToken.setCustomClaim('scope', 'a')", "`scope` is no claim"),
        ("accessToken.setCustomClaim(1, 'a')", "must be a string"),
        ("session.revoke()", "must be a string"),
        ("session.revoke('a', { preserveRefreshTokens: 1 })", "must be a boolean"),
        ("session.revoke('a', { other: true })", "unknown option `other`"),
        ("user.setUserMetadata('a.b', 1)", "may not be empty"),
        ("user.setAppMetadata('blocked', 1)", "reserved"),
    ] {
        let report = handler(&format!(
            "try {{ api.{call}; console.log('accepted') }} catch (e) {{ console.log(e instanceof Error, e.message) }}"
        ));
        let text = printed(&report);
        assert!(text.starts_with("true ") && text.contains(message), "{call}: {text}");
        assert!(report.commands.is_empty(), "{call}");
    }
}

#[test]
fn a_reason_that_is_no_string_becomes_text() {
    let report = handler("api.access.deny(42)");
    assert_eq!(report.commands, [Command::AccessDeny { reason: "42".into() }]);
}

#[test]
fn a_claim_that_json_leaves_out_is_no_command() {
    let report =
        handler("api.idToken.setCustomClaim('a', undefined); api.idToken.setCustomClaim('b', () => 1)");
    assert_eq!((report.commands.len(), report.error), (0, None));
}

#[test]
fn the_clock_is_the_runs() {
    let report = handler("console.log(Date.now(), new Date().toISOString(), performance.now())");
    assert_eq!(printed(&report), "1780000000000 2026-05-28T20:26:40.000Z 0");
}

#[test]
fn randomness_is_the_runs() {
    let artifact =
        script("exports.onExecutePostLogin = async () => console.log(Math.random(), Math.random())")
            .expect("it builds");
    let of = |seed| printed(&run_with(&artifact, "{}", seed, &LIMITS));
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
}

#[test]
fn a_top_level_that_reads_clock_or_randomness_runs_at_each_login() {
    for expression in ["Date.now()", "Math.random()", "new Date().getTime()"] {
        let code =
            format!("const at = {expression};\nexports.onExecutePostLogin = async () => console.log(at);");
        let artifact = script(&code).expect("it builds");
        assert!(
            matches!(artifact.kind, ArtifactKind::MemoryImage { evaluated_at_login: true, .. }),
            "{expression}"
        );
        let report = run(&artifact, "{}");
        assert!(report.evaluated_at_login);
        let text = printed(&report);
        assert_ne!(text, "0");
        if expression.contains("Date") {
            assert_eq!(text, "1780000000000");
        }
    }
}

#[test]
fn nothing_survives_a_run() {
    let code = "let count = 0; exports.onExecutePostLogin = async () => { count++; globalThis.n = (globalThis.n ?? 0) + 1; console.log(count, n); }";
    let artifact = script(code).expect("it builds");
    for _ in 0..3 {
        assert_eq!(printed(&run(&artifact, "{}")), "1 1");
    }
}

#[test]
fn the_same_run_uses_the_same_fuel() {
    let source = Source::read(&sample("action.js")).expect("the sample");
    let artifact = build(&RUNTIME, &source, &LIMITS).expect("it builds");
    let event = std::fs::read_to_string(sample("events/native-to-web.json")).expect("the event");
    let first = run(&artifact, &event);
    assert_eq!(first.commands.len(), 2);
    assert!(first.fuel > 1000);
    for _ in 0..5 {
        assert_eq!(run(&artifact, &event).fuel, first.fuel);
    }
    RUNTIME.evict(&artifact.digest);
    assert_eq!(run(&artifact, &event).fuel, first.fuel);
}

#[test]
fn an_exception_has_the_authors_position() {
    let artifact = script("// one\nexports.onExecutePostLogin = async (event) => {\n  await null;\n  event.user.name.first;\n};")
        .expect("it builds");
    let report = run(&artifact, r#"{"user":{}}"#);
    let Some(RunError::Exception { exception }) = report.error else { panic!("{:?}", report.error) };
    assert_eq!(exception.name, "TypeError");
    assert_eq!(exception.file.as_deref(), Some("action.js"));
    assert_eq!((exception.line, exception.column), (Some(4), Some(3)), "{}", exception.stack);
}

#[test]
fn a_syntax_error_has_the_authors_position() {
    let error =
        script("exports.onExecutePostLogin = async () => {\n  const a = ;\n};").expect_err("no JavaScript");
    let exception = error.exception().expect("an exception").clone();
    assert_eq!(exception.name, "SyntaxError");
    assert_eq!((exception.file.as_deref(), exception.line), (Some("action.js"), Some(2)), "{exception:?}");
}

#[test]
fn a_throw_at_top_level_fails_the_deploy_with_its_position() {
    let error = script("\n\nthrow new RangeError('why')").expect_err("it throws");
    let exception = error.exception().expect("an exception");
    assert_eq!(
        (exception.name.as_str(), exception.message.as_str(), exception.line),
        ("RangeError", "why", Some(3))
    );
}

#[test]
fn the_handler_is_an_async_function_or_the_deploy_fails() {
    for code in ["", "module.exports = 1", "module.exports = null", "exports.other = async () => {}"] {
        let error = script(code).expect_err(code).to_string();
        assert!(error.contains("no handler"), "{code}: {error}");
    }
    for code in ["exports.onExecutePostLogin = () => Promise.resolve()", "exports.onExecutePostLogin = 1"] {
        let error = script(code).expect_err(code).to_string();
        assert!(error.contains("must be an async function"), "{code}: {error}");
    }
    script("module.exports = { onExecutePostLogin: async function () {} }").expect("it builds");
}

#[test]
fn modules_come_with_the_script() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("lib")).expect("a folder");
    for (name, text) in [
        (
            "action.js",
            "const a = require('./lib/a');\nexports.onExecutePostLogin = async () => {\n  console.log(a.name, a.data.x);\n  a.fail();\n};",
        ),
        (
            "lib/a.js",
            "exports.name = 'a';\nexports.data = require('../data.json');\nexports.fail = () => require('left-pad');",
        ),
        ("data.json", r#"{"x": 7}"#),
    ] {
        std::fs::write(folder.path().join(name), text).expect("a file");
    }
    let source = Source::read(&folder.path().join("action.js")).expect("a source");
    let report = run(&build(&RUNTIME, &source, &LIMITS).expect("it builds"), "{}");
    assert_eq!(report.console[0].text, "a 7");
    let Some(RunError::Exception { exception }) = report.error else { panic!("{:?}", report.error) };
    assert!(exception.message.starts_with("Cannot find module 'left-pad'"), "{}", exception.message);
    assert_eq!(
        (exception.file.as_deref(), exception.line),
        (Some("lib/a.js"), Some(3)),
        "{}",
        exception.stack
    );
}

#[test]
fn a_module_that_does_not_parse_fails_the_deploy_with_its_position() {
    let modules = BTreeMap::from([("broken.js".to_owned(), "\nconst = 1;".to_owned())]);
    let program = Program::Script { code: "exports.onExecutePostLogin = async () => {};".into(), modules };
    let error = build(&RUNTIME, &Source { file_name: "action.js".into(), program }, &LIMITS)
        .expect_err("a syntax error");
    let exception = error.exception().expect("an exception");
    assert_eq!((exception.name.as_str(), exception.file.as_deref()), ("SyntaxError", Some("broken.js")));
    assert_eq!((exception.line, exception.column), (Some(2), Some(7)), "{exception:?}");
}

#[test]
fn an_image_holds_nothing_of_what_the_parser_needed() {
    let sizes = [0, 100_000].map(|bytes| {
        let source = Source::read(&sample("action.js")).expect("the sample");
        let padded = if bytes == 0 { source } else { measure::with_module_code(&source, bytes) };
        build(&RUNTIME, &padded, &LIMITS).expect("it builds").bytes.len()
    });
    assert!(sizes[1] - sizes[0] < 1_000_000, "{sizes:?}");
}

#[test]
fn console_lines_keep_their_level() {
    let report =
        handler("console.warn('a', 1, { b: 2 }); console.trace(null); console.error(new Error('x'))");
    assert_eq!(report.console[0].text, "a 1 { b: 2 }");
    assert_eq!(report.console[0].level, ConsoleLevel::Warn);
    assert_eq!(report.console[1].level, ConsoleLevel::Trace);
    assert!(report.console[2].text.starts_with("Error: x\n"));
}

/// The event's objects are parsed when they are first read. No script can tell.
#[test]
fn the_event_is_a_plain_object_in_every_way() {
    let event = r#" { "a" : {"x":[1,{"}":"]"}],"s":"\"\\{"}, "n": -1.5e3,"t":true ,"z":null, "l":[ ],
        "__proto__":{"own":1},"é":"ü","0":{"zero":0},"s":"a,}b" } "#;
    let looks = [
        "JSON.stringify(e)",
        "Object.keys(e).join()",
        "JSON.stringify({ ...e })",
        "JSON.stringify(Object.entries(e))",
        "JSON.stringify(Object.getOwnPropertyDescriptors(e))",
        "JSON.stringify(Object.assign({}, e))",
        "(() => { const { a, ...rest } = e; return JSON.stringify([a, rest]) })()",
        "(() => { let names = ''; for (const name in e) names += name + typeof e[name]; return names })()",
        "(() => { delete e.a; e.l = 5; return [JSON.stringify(e), 'a' in e, e.hasOwnProperty('l')].join() })()",
        "(() => { Object.freeze(e); e.a = 1; return JSON.stringify(e) + Object.isFrozen(e) })()",
        "(() => { Object.seal(e); return JSON.stringify(e) + Object.isSealed(e) })()",
        "(() => { Object.defineProperty(e, 'a', { enumerable: false }); return JSON.stringify(e) + e.a.s })()",
        "JSON.stringify(Object.create(e).a)",
        "JSON.stringify(Reflect.ownKeys(e)) + Object.getPrototypeOf(e).own + (e.a === e.a)",
        "JSON.stringify(new Proxy(e, {}))",
    ];
    for look in looks {
        let code = format!(
            "const look = (e) => {look};
             exports.onExecutePostLogin = async (event) => {{
                 console.log(look(event)); console.log(look(JSON.parse({event:?}))) }};"
        );
        let text = printed(&run(&script(&code).expect("it builds"), event));
        let (first, second) = text.split_once('\n').expect("two lines");
        assert_eq!(first, second, "{look}");
    }
}

#[test]
fn an_event_of_any_shape_is_what_its_json_says() {
    let artifact =
        script("exports.onExecutePostLogin = async (event) => { console.log(JSON.stringify(event)) };")
            .expect("it builds");
    for (event, shown) in [
        ("{}", "{}"),
        (" [1, {\"a\":2}]", r#"[1,{"a":2}]"#),
        ("\"x\"", "\"x\""),
        (r#"{"a":1,"a":{"b":2}}"#, r#"{"a":{"b":2}}"#),
        (r#"{"a":{"b":2},"a":1}"#, r#"{"a":1}"#),
        (r#"{"\u0061":{"b":2}}"#, r#"{"a":{"b":2}}"#),
    ] {
        assert_eq!(printed(&run(&artifact, event)), shown, "{event}");
    }
    for bad in ["", "{", r#"{"a"}"#, r#"{"a":1,}"#, r#"{"a":tru}"#, r#"{"a":1}x"#, r#"{"a":{"#, r#"{"a":"\"#]
    {
        let error = run(&artifact, bad).error;
        assert!(
            matches!(&error, Some(RunError::Exception { exception }) if exception.name == "SyntaxError"),
            "{bad}: {error:?}"
        );
    }
}

/// What an image holds is not counted any more, and a collection in a run must leave it, and what hangs on it, alone.
#[test]
fn what_the_image_holds_works_in_a_run_as_what_the_run_made() {
    let make = "() => {
        const made = { list: [1, 2], map: new Map([['a', { n: 1 }]]), text: 'x', shaped: { a: 1, b: 2 }, weak: undefined };
        made.self = made; made.map.set('self', made); made.twin = Object.create(made.shaped); made.symbol = Symbol('s');
        made.then = Promise.resolve(made.list); made.count = (() => { let n = 0; return () => (made.n = ++n); })();
        return made;
    }";
    let work = "async (made) => {
        let cycle = { a: {} }; cycle.a.b = cycle; made.weak = new WeakRef(cycle); cycle = undefined;
        for (let i = 0; i < 200000; i++) {
            const loop = { i, made }; loop.loop = loop;
            if (i % 1000 === 0) { made.list.push(loop); made.text += i; made.shaped['p' + i] = made.self; delete made.shaped['p' + (i - 2000)]; made.map.delete(i - 3000); made.map.set(i, loop); made.count(); }
        }
        made.old = made.self; made.self = undefined;
        console.log(made.weak.deref() === undefined, made.list.length, made.text.length, made.map.size, Object.keys(made.shaped).join(), made.twin.a, made.n,
            (await made.then) === made.list, made.list[7].made.old === made, made.list[7].loop.i, made.map.get('self').symbol.toString());
    }";
    let limits = action_api::Limits { fuel: 4_000_000_000, memory_bytes: 64 << 20, ..LIMITS };
    for how in ["const made = make();", "let made;"] {
        let code = format!(
            "const make = {make}; const work = {work}; {how}
             exports.onExecutePostLogin = async () => {{ made ??= make(); await work(made) }};",
            how = how.replace("const", "let")
        );
        let text = printed(&run_with(&script(&code).expect("it builds"), "{}", 1, &limits));
        assert_eq!(text, "true 202 1088 5 a,b,p198000,p199000 1 200 true true 5000 Symbol(s)", "{how}");
    }
}
