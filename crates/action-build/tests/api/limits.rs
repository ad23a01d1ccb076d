//! Section 4: the limits that a run shows by itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use action_api::{Handler, OperationAnswer, OperationFuture, Operations};
use action_build::{Program, Source, build};
use serde_json::{Value, json};

use super::common::{LIMITS, RUNTIME, handler, printed, run, run_handler, script};
use super::{answers, call, call_on, event, names, refuses};

/// A network on which nobody answers.
struct Silence;

impl Operations for Silence {
    fn start(&self, _kind: &str, _input: Value) -> OperationFuture {
        Box::pin(std::future::pending())
    }

    fn call(&self, kind: &str, _input: Value, _now_ms: i64) -> OperationAnswer {
        Err(kind.to_owned())
    }
}

#[test]
fn s4_http_timeout_advice() {
    let code = "exports.onExecutePostLogin = async () => {
        try { await fetch('https://slow.example/', { signal: AbortSignal.timeout(20) }) }
        catch (error) { console.log(error.name) }
    };";
    let (artifact, begin) = (script(code).expect("it builds"), Instant::now());
    let report = run_handler(&artifact, Handler::Execute, "{}", 1, &LIMITS, Arc::new(Silence)).report;
    assert_eq!(printed(&report), "TimeoutError", "an Action keeps its own, shorter limit");
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[test]
fn s4_npm_dependencies_per_action() {
    let report = handler("require('axios')");
    let error = report.error.expect("it is not there").to_string();
    assert!(error.contains("axios"), "it says what is missing: {error}");
}

#[test]
fn s4_modules() {
    let shared = |code: &str| {
        let action = "const shared = require('actions:shared');
            exports.onExecutePostLogin = async (event) => console.log(JSON.stringify([shared.keys(), Object.keys(event)]));";
        let modules = [("actions:shared".to_owned(), code.to_owned())].into();
        let program = Program::Script { code: action.to_owned(), modules };
        build(&RUNTIME, &Source { file_name: "action.js".to_owned(), program }, &LIMITS)
    };
    let event = json!({ "user": {}, "moduleSecrets": { "shared": { "A": "1" }, "other": { "B": "2" } } });
    let reads = shared("exports.keys = () => actions.secrets;").expect("it builds");
    assert_eq!(
        printed(&run(&reads, &event.to_string())),
        r#"[{"A":"1"},["user"]]"#,
        "its own, and no event has them"
    );
    let late = "const born = Date.now(); const { A } = actions.secrets; exports.keys = () => [A, born > 0];";
    let late = shared(late).expect("its top level runs at the login");
    assert_eq!(printed(&run(&late, &event.to_string())), r#"[["1",true],["user"]]"#);
    assert_eq!(printed(&run(&reads, "{}")), "[{},[]]");
    for (code, expected) in [
        ("exports.keys = actions.secrets;", "can be read while the Action runs"),
        ("require('actions:other');", "a module cannot use other modules"),
        ("require('./action.js');", "Cannot find module './action.js'"),
        ("\n  throw new Error('no');", "no"),
    ] {
        let error = shared(code).expect_err("it does not build");
        assert!(error.to_string().contains(expected), "{error}");
        let place = error.exception().and_then(|exception| exception.file.clone());
        assert_eq!(place.as_deref(), Some("actions:shared"), "{error}");
    }
    let error = handler("require('actions:shared')").error.expect("there are none").to_string();
    assert!(error.contains("actions:shared") && error.contains("not among the modules"), "{error}");
}

#[test]
fn s4_console_output_stored() {
    let report = handler("console.log('a'.repeat(300)); console.log('b'.repeat(8000)); console.log('c')");
    assert_eq!(report.error, None, "to print too much is no failure");
    let kept: usize = report.console.iter().map(|line| line.text.len()).sum();
    assert_eq!(report.console[0].text.len(), 300, "more than the 256 characters that the dialect keeps");
    assert!(kept <= LIMITS.console_bytes as usize && report.console_dropped_bytes > 0, "{kept}");
}

#[test]
fn s4_transaction_metadata() {
    for (value, shown) in [("'text'", json!("text")), ("1.5", json!(1.5)), ("false", json!(false))] {
        let (_, after, report) = call(&format!("api.transaction.setMetadata('k'.repeat(64), {value})"));
        assert_eq!(after["transaction"]["metadata"]["k".repeat(64)], shown);
        assert_eq!(report.commands.len(), 1);
    }
    let name = "api.transaction.setMetadata";
    for (arguments, thrown) in [
        ("'k'.repeat(65), 1", format!("Error: {name}: `key` must have 1 to 64")),
        ("'', 1", format!("Error: {name}: `key` must have 1 to 64")),
        ("'a', {}", format!("TypeError: {name}: `value` must be a string")),
        ("'a', 2 ** 53", format!("Error: {name}: a number must be finite")),
        ("'a', NaN", format!("Error: {name}: a number must be finite")),
        ("'a', 'x'.repeat(8193)", format!("Error: {name}: a string has at most 8 kB")),
        ("'a', 'é'.repeat(4097)", format!("Error: {name}: a string has at most 8 kB")),
    ] {
        refuses(&format!("transaction.setMetadata({arguments})"), &thrown);
    }
    let full = "(() => { for (const k of 'abc') api.transaction.setMetadata(k, 'x'.repeat(8000)) })()";
    let (given, after, report) = call(full);
    assert_eq!(given, format!("threw Error: {name}: all of them may have at most 16 kB"));
    let kept = after["transaction"]["metadata"].as_object().expect("an object").len();
    assert_eq!((kept, report.commands.len()), (2, 2), "what fits stays");
}

#[test]
fn s4_session_and_refresh_token_metadata() {
    for (group, what, left) in [("session", "session", 24), ("refreshToken", "refresh token", 25)] {
        let fill =
            format!("Array.from({{ length: 26 }}, (_, i) => api.{group}.setMetadata('k' + i, 'v')).length");
        let (given, _, report) = call(&fill);
        assert_eq!(
            given,
            format!("threw Error: Failed to set {what} metadata: there may be at most 25 entries")
        );
        assert_eq!(report.commands.len(), left, "{group}");
        answers(
            &format!("{group}.setMetadata('k'.repeat(255), 'v'.repeat(255))"),
            "undefined",
            &json!({ "key": "k".repeat(255), "value": "v".repeat(255) }).to_string(),
        );
        for bad in [
            "'k'.repeat(256), 'v'",
            "'', 'v'",
            "'a.b', 'v'",
            "'é', 'v'",
            "'k', 'v'.repeat(256)",
            "'k', '\\0'",
        ] {
            let (given, _, report) = call(&format!("api.{group}.setMetadata({bad})"));
            assert!(
                given.starts_with(&format!("threw Error: Failed to set {what} metadata: ")),
                "{bad}: {given}"
            );
            assert!(report.commands.is_empty());
        }
    }
}

#[test]
fn s4_app_metadata_names_not_allowed() {
    const NAMES: &str = "__tenant _id blocked clientID created_at email email_verified globalClientID \
        global_client_id identities lastIP lastLogin loginsCount metadata multifactor \
        multifactor_last_modified updated_at user_id";
    assert_eq!(NAMES.split_whitespace().count(), 18);
    for name in NAMES.split_whitespace() {
        refuses(&format!("user.setAppMetadata('{name}', 1)"), &format!("TypeError: metadata key `{name}`"));
        answers(
            &format!("user.setUserMetadata('{name}', 1)"),
            "api",
            &json!({ "key": name, "value": 1 }).to_string(),
        );
    }
    for method in ["setAppMetadata", "setUserMetadata"] {
        for name in ["a.b", "$a", ""] {
            refuses(
                &format!("user.{method}('{name}', 1)"),
                &format!("Error: api.user.{method}: a key may not be empty"),
            );
        }
    }
}

#[test]
fn s4_roles_and_groups_calls() {
    for (call, is_allowed) in [
        ("groups.getUserGroups({ take: 100 })", true),
        ("groups.getUserGroups({ take: 101 })", false),
        ("roles.getUserEffectiveRoles({ take: 100 })", true),
        ("roles.getUserEffectiveRoles({ take: 101 })", false),
        ("roles.getUserEffectiveRolesByIds(Array(100).fill('a'))", true),
        ("roles.getUserEffectiveRolesByIds(Array(101).fill('a'))", false),
        ("roles.getUserEffectiveRolesByNames(Array(50).fill('a'))", true),
        ("roles.getUserEffectiveRolesByNames(Array(51).fill('a'))", false),
    ] {
        let (given, ..) = super::call(&format!("api.{call}"));
        assert_eq!(given.starts_with("threw Error: "), !is_allowed, "{call}: {given}");
    }
}

#[test]
fn s4_set_primary_user() {
    let id = "a".repeat(128);
    answers(
        "authentication.setPrimaryUser('a'.repeat(128))",
        "undefined",
        &json!({ "primary_user_id": id }).to_string(),
    );
    refuses(
        "authentication.setPrimaryUser('a'.repeat(129))",
        "Error: api.authentication.setPrimaryUser: `primary_user_id` must have at most 128",
    );
    refuses(
        "(api.authentication.setPrimaryUser('a'), api.authentication.setPrimaryUser('a'))",
        "Error: api.authentication.setPrimaryUser: the primary user may be set once",
    );
}

#[test]
fn s4_form() {
    let keys = |count: usize| {
        format!("Object.fromEntries(Array.from({{ length: {count} }}, (_, i) => ['k' + i, i]))")
    };
    let full = format!("api.prompt.render('a'.repeat(48), {{ fields: {}, vars: {} }})", keys(24), keys(24));
    let (given, _, report) = call(&full);
    assert_eq!((given.as_str(), names(&report)), ("undefined", vec!["prompt.render"]));
    for what in ["fields", "vars"] {
        let call = format!("prompt.render('a', {{ {what}: {} }})", keys(25));
        refuses(&call, &format!("Error: api.prompt.render: `{what}` may have at most 24 keys"));
    }
    refuses("prompt.render('a'.repeat(49))", "Error: api.prompt.render: `promptId` must have at most 48");
    refuses(
        "prompt.render('a', { fields: { a: 'x'.repeat(13000) }, vars: { a: 'x'.repeat(13000) } })",
        "Error: api.prompt.render: `promptOptions` may have at most 24 KiB",
    );
    let (given, ..) = call("api.prompt.render('a') || api.prompt.render('b')");
    assert!(given.starts_with("threw Error: api.prompt.render: this Action renders a form"), "{given}");
}

#[test]
fn s4_saml() {
    let set = |count: usize, name: &str, value: &str| {
        format!(
            "(() => {{ for (let i = 0; i < {count}; i++) api.samlResponse.setAttribute({name}, {value}) }})()"
        )
    };
    assert_eq!(call(&set(100, "'a' + i", "'v'")).0, "undefined");
    for (call, rule) in [
        (set(101, "'a' + i", "'v'"), "at most 100 attributes may be changed"),
        (set(6, "'a' + i", "'v'.repeat(2048)"), "the attributes may have at most 10 kB"),
        (set(1, "'a'.repeat(1025)", "'v'"), "`attribute` must have at most 1024 characters"),
        (set(1, "'a'", "'v'.repeat(2049)"), "`value` must have at most 2048 characters"),
    ] {
        let (given, ..) = super::call(&call);
        assert_eq!(given, format!("threw Error: api.samlResponse.setAttribute: {rule}"));
    }
}

#[test]
fn s4_validation_error() {
    let text = "x".repeat(100);
    answers(
        "validation.error('x'.repeat(100), 'x'.repeat(100))",
        "api",
        &json!({ "errorCode": text, "errorMessage": text }).to_string(),
    );
    refuses(
        "validation.error('x'.repeat(101), '')",
        "Error: api.validation.error: `errorCode` must have at most 100",
    );
    refuses(
        "validation.error('', 'x'.repeat(101))",
        "Error: api.validation.error: `errorMessage` must have at most 100",
    );
}

#[test]
fn s4_refresh_token_revoke_reason() {
    answers(
        "refreshToken.revoke('x'.repeat(1024))",
        "undefined",
        &json!({ "reason": "x".repeat(1024) }).to_string(),
    );
    refuses(
        "refreshToken.revoke('x'.repeat(1025))",
        "Error: api.refreshToken.revoke: `reason` must have at most 1024",
    );
    // That of a session has no limit of its own.
    let (given, ..) = call_on(event(), "api.session.revoke('x'.repeat(5000))");
    assert_eq!(given, "undefined");
}
