//! HC: guests that say to the host what no well-made guest would. HC1 and HC6 are beside the guests that do not end.

use std::collections::BTreeMap;

use end_to_end::flow::code_of;
use end_to_end::operator::Operator;
use end_to_end::process::program;
use end_to_end::{actions, seed};
use idp::manage;

use super::guest::{DONE, Guest, running};
use super::{Scene, build, handler, handler_after_commands};

// HC2
#[tokio::test]
async fn a_guest_that_fails_while_the_host_calls_it_fails_alone() {
    let scene = Scene::start().await;
    // The host asks it for room for the event.
    scene.denied(&Guest { realloc: "(unreachable)", ..Guest::GOOD }.source(), "trap wasm trap").await;
    scene.denied(&Guest { post_return: "(unreachable)", ..Guest::GOOD }.source(), "trap wasm trap").await;
    // It calls the host, which is in the middle of a call to it.
    let calls_back = Guest {
        fields: "(elem (table $calls) (i32.const 0) func $now)",
        realloc: "(drop (call_indirect (type $call) (i32.const 0))) (i32.const 8192)",
        ..Guest::GOOD
    };
    scene.denied(&calls_back.source(), "trap wasm trap: cannot leave component instance").await;
    // The host asks it for room for the answer to its own call: the second time, after the event.
    let secret = Guest {
        realloc: "(if (global.get $asked) (then unreachable)) (global.set $asked (i32.const 1)) (i32.const 8192)",
        fields: "(data (i32.const 64) \"key\")",
        body: &format!("(call $secret (i32.const 64) (i32.const 3) (i32.const 32)) {DONE}"),
        ..Guest::GOOD
    };
    let wat =
        secret.wat().replacen("(global $next", "(global $asked (mut i32) (i32.const 0)) (global $next", 1);
    let guest = super::guest::component(&wat);
    let artifact = build(&guest, scene.idp.limits).await.expect("it builds");
    let secrets = BTreeMap::from([("key".to_owned(), "value".to_owned())]);
    let source = &actions::kept("");
    let deployment =
        manage::Deployment { source, artifact: &artifact, secrets: &secrets, hosts: None, modules: None };
    manage::deploy_action(&scene.idp, &scene.acme(), "guest", deployment).await.expect("a deploy");
    let (answer, report) = scene.log_in_again().await;
    assert_eq!(answer.location_parameter("error").as_deref(), Some("access_denied"));
    assert!(matches!(&report.error, Some(action_api::RunError::Trap { .. })), "{report:?}");
    scene.a_good_login().await;
    scene.end().await;
}

// HC3: the world has no `char`, no flags and no 64-bit memory.
#[tokio::test]
async fn a_malformed_value_is_the_guests_fault_and_fails_the_run() {
    let scene = Scene::start().await;
    let error = |pointer: &str, length: &str| {
        format!(
            "(i32.store8 (i32.const 16) (i32.const 1)) (i32.store (i32.const 20) (i32.const {pointer}))
             (i32.store (i32.const 24) (i32.const {length})) {DONE}"
        )
    };
    let text = |bytes: &str, length: u32| (format!("(data (i32.const 64) \"{bytes}\")"), length);
    let results = [
        "(i32.const -4)".to_owned(),
        "(i32.const 131068)".to_owned(),
        "(i32.const 17)".to_owned(),
        format!("(i32.store8 (i32.const 16) (i32.const 7)) {DONE}"),
        format!("(i32.store8 (i32.const 16) (i32.const 255)) {DONE}"),
        error("-1", "100"),
        error("0", "-1"),
        error("131071", "2"),
        error("-2147483648", "-2147483648"),
    ];
    for body in results {
        scene.denied(&running(&body), "trap").await;
    }
    for (fields, length) in
        [text("\\ff\\fe", 2), text("\\ed\\a0\\80", 3), text("\\c0\\80", 2), text("\\f4\\90\\80\\80", 4)]
    {
        let returned = error("64", &length.to_string());
        let passed = format!("(call $print (i32.const 0) (i32.const 64) (i32.const {length})) {DONE}");
        for body in [&returned, &passed] {
            scene.denied(&Guest { fields: &fields, body, ..Guest::GOOD }.source(), "trap").await;
        }
    }
    for arguments in [
        "(i32.const 6) (i32.const 0) (i32.const 0)",
        "(i32.const -1) (i32.const 0) (i32.const 0)",
        "(i32.const 0) (i32.const -1) (i32.const 1)",
        "(i32.const 0) (i32.const 131072) (i32.const 1)",
    ] {
        scene.denied(&running(&format!("(call $print {arguments}) {DONE}")), "trap").await;
    }
    for address in ["-1", "131072", "-2147483648"] {
        scene
            .denied(&Guest { realloc: &format!("(i32.const {address})"), ..Guest::GOOD }.source(), "trap")
            .await;
    }
    // The place for an answer.
    for place in ["-4", "131070", "33"] {
        let body = format!("(call $deny (i32.const 64) (i32.const 1) (i32.const {place})) {DONE}");
        scene.denied(&running(&body), "trap").await;
    }
    // A null character is text. It reaches nothing that stops at it.
    let fields = "(data (i32.const 64) \"a\\00b\")";
    let null = Guest { fields, body: &error("64", "3"), ..Guest::GOOD }.source();
    scene.denied(&null, "exception a\0b").await;
    for body in [
        "throw new Error('a\\0b')",
        "api.access.deny('a\\0b')",
        "const e = new Error(); e.name = '\\0'; throw e",
    ] {
        let (answer, _) = scene.log_in(&handler(body)).await;
        assert_eq!(
            answer.expect(303).location_parameter("error").as_deref(),
            Some("access_denied"),
            "{body}"
        );
        scene.a_good_login().await;
    }
    scene.end().await;
}

// HC4
#[tokio::test]
async fn a_number_that_is_no_moment_is_refused_with_a_message() {
    let scene = Scene::start().await;
    for moment in ["NaN", "Infinity", "-Infinity", "1e400"] {
        for method in ["setExpiresAt", "setIdleExpiresAt"] {
            let body = format!("api.session.{method}({moment})");
            scene.denied(&handler_after_commands(&body), "exception").await;
        }
    }
    // A component's numbers come without the dialect's checks.
    for number in ["nan", "inf", "-inf", "nan:0x4"] {
        let body = format!(
            "(call $expires (f64.const {number}) (i32.const 32))
             (if (i32.eqz (i32.load8_u (i32.const 32))) (then unreachable))
             (call $print (i32.const 2) (i32.load (i32.const 36)) (i32.load (i32.const 40))) {DONE}"
        );
        let report = scene.harmless(&running(&body)).await;
        assert!(report.console[0].text.contains("finite number"), "{report:?}");
        assert!(report.commands.is_empty());
    }
    // Moments before and after every calendar end the session at once, or not earlier than it would.
    for (number, ends) in [
        ("-0", true),
        ("-8.64e15", true),
        ("1", true),
        ("8.64e15", false),
        ("9007199254740993", false),
        ("1.7e308", false),
    ] {
        let script = handler(&format!("api.session.setExpiresAt({number})"));
        let component = running(&format!("(call $expires (f64.const {number}) (i32.const 32)) {DONE}"));
        for guest in [script, component] {
            scene.deploy(&guest).await.expect("it builds");
            let browser = scene.browser();
            let answer = end_to_end::Login::web().finish(&browser, seed::ADA).await;
            super::says_nothing_internal(&answer);
            assert!([302, 303].contains(&answer.status), "{number}: {answer:?}");
            let reports = scene.reports().await;
            let report = reports.last().expect("a run");
            if report.error.is_none() {
                scene.a_good_login().await;
                let again = end_to_end::Login::web().begin(&browser).await;
                assert_eq!(end_to_end::flow::asks_to_log_in(&again), ends, "{number}: {again:?}");
            }
        }
    }
    for claim in ["NaN", "2 ** 53 + 1", "new Date(8.64e15)", "5e-324"] {
        scene.harmless(&handler(&format!("api.idToken.setCustomClaim('a', {claim})"))).await;
    }
    let odd = "(data (i32.const 64) \"a1e400\")";
    let body = format!(
        "(call $claim (i32.const 64) (i32.const 1) (i32.const 65) (i32.const 5) (i32.const 32))
         (if (i32.eqz (i32.load8_u (i32.const 32))) (then unreachable)) {DONE}"
    );
    scene.harmless(&Guest { fields: odd, body: &body, ..Guest::GOOD }.source()).await;
    scene.end().await;
}

// HC5
#[tokio::test]
async fn a_decision_that_is_too_large_is_refused_whole() {
    let scene = Scene::start().await;
    for (body, kinds) in [
        ("api.idToken.setCustomClaim('a', 'x'.repeat(10 << 20))", "command_bytes|fuel"),
        ("api.idToken.setCustomClaim('x'.repeat(1 << 20), 1)", "command_bytes|fuel|exception"),
        (
            "for (let i = 0; i < 1e5; i++) api.accessToken.setCustomClaim('https://a.example/' + i, i)",
            "commands|command_bytes",
        ),
        ("api.user.setAppMetadata('a', 'x'.repeat(1 << 20))", "command_bytes|fuel|exception"),
        (
            "for (let i = 0; i < 1e3; i++) api.user.setUserMetadata('a' + i, 'x'.repeat(1000))",
            "commands|command_bytes|exception",
        ),
        ("api.access.deny('x'.repeat(1 << 20))", "command_bytes|fuel"),
        ("api.session.setMetadata('a', 'x'.repeat(256))", "exception"),
        ("for (let i = 0; i < 60; i++) api.session.setMetadata('a' + i, '1')", "exception|commands"),
    ] {
        scene.denied(&handler_after_commands(body), kinds).await;
    }
    // What contradicts itself denies.
    for body in [
        "api.access.deny('no'); api.idToken.setCustomClaim('plan', 'gold'); api.user.setAppMetadata('a', 1)",
        "api.user.setAppMetadata('a', 1); api.session.setExpiresAt(Date.now() + 1e9); api.session.revoke('no')",
        "api.redirect.sendUserTo('https://a.example/'); api.user.setAppMetadata('a', 1); api.access.deny('no')",
    ] {
        let (answer, report) = scene.log_in(&handler(body)).await;
        assert_eq!(report.error, None, "{body}");
        assert_eq!(
            answer.location_parameter("error_description").as_deref(),
            Some("no"),
            "{body}: {answer:?}"
        );
        assert_eq!(answer.location_parameter("code"), None, "{body}");
        scene.deploy(&handler("")).await.expect("it builds");
        code_of(&scene.log_in_again().await.0);
    }
    scene.end().await;
}

// HC7
#[tokio::test]
async fn what_a_guest_prints_is_cut_counted_and_escaped_for_who_reads_it() {
    // It may have to be built first, which would stop this test's server.
    program();
    let scene = Scene::start().await;
    let report = scene
        .harmless(&handler(
            r"console.log('\x1b[2J\x1b]0;title\x07'); console.log('a\r\nb'); console.error('\u2028\u202e\u0000');
              console.log('\ud800'); console.warn('%s %d %n {} ${x}'); console.log(new Uint8Array([0, 255, 27]))",
        ))
        .await;
    let texts: Vec<&str> = report.console.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(texts[..2], ["\u{1b}[2J\u{1b}]0;title\u{7}", "a\r\nb"], "the record has what was written");
    assert!(texts[3].chars().all(|character| character == '\u{fffd}'), "{texts:?}");
    // A flood: the limit counts what is kept, and the report what is not.
    let report = scene
        .harmless(&handler("for (let i = 0; i < 100; i++) console.log('0123456789'.repeat(1000))"))
        .await;
    let kept: usize = report.console.iter().map(|line| line.text.len()).sum();
    assert!(kept as u64 <= actions::LIMITS.console_bytes);
    assert_eq!(report.console_dropped_bytes, 1_000_000 - kept as u64);
    // The operator's terminal obeys no guest.
    let throws = handler(r"throw new Error('\x1b[2J\x9b31m\u202e\r\nforged line')");
    scene.denied(&throws, "exception").await;
    let shown = Operator::of(&scene.database).run(&["logs", "--tenant", seed::ACME]).await;
    let shown = &shown.expect(0).stdout;
    assert!(shown.contains("forged line"), "{shown}");
    assert!(!shown.contains(['\u{1b}', '\u{9b}', '\u{202e}', '\r']), "{shown:?}");
    assert!(!shown.lines().any(|line| line.starts_with("forged")), "{shown}");
    scene.end().await;
}
