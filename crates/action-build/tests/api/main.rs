//! Every method of the dialect's `api`, a test for each row of `reference/post-login.md` sections 3 and 3.2, and for those of
//! section 4 that need no server: what a call answers, which command it records, what it refuses. Which test is whose is
//! `tests/fixtures/post-login-rows.json`.
#![allow(clippy::expect_used, clippy::panic, reason = "a test stops where something is not as it should be")]

#[path = "../common/mod.rs"]
mod common;
mod decide;
mod limits;
mod look_up;
mod metadata;
mod moments;
mod redirect;
mod saml;
mod session;

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use action_api::{
    Artifact, Command, Handler, Limits, OperationAnswer, OperationFuture, Operations, RunReport, schema,
};
use common::{LIMITS, run_handler, script};
use serde_json::{Value, json};

/// Room for what the calls print.
const WIDE: Limits = Limits { commands: 200, console_bytes: 64 << 10, ..LIMITS };

/// Answers what an Action asks.
struct Operates(fn(&str, Value) -> Value);

impl Operations for Operates {
    fn start(&self, kind: &str, input: Value) -> OperationFuture {
        let answer = Ok((self.0)(kind, input));
        Box::pin(async { answer })
    }

    fn call(&self, kind: &str, input: Value, _now_ms: i64) -> OperationAnswer {
        Ok((self.0)(kind, input))
    }
}

/// Says what was asked.
fn echo(kind: &str, input: Value) -> Value {
    json!({ "asked": kind, "input": input })
}

/// An Action that does what its event says, and prints what came of it.
static CALLER: LazyLock<Artifact> = LazyLock::new(|| {
    let code = "
        const call = async (event, api) => {
          try {
            const answer = await new Function('event', 'api', `return ${event.call}`)(event, api);
            console.log(answer === api ? 'api' : answer === undefined ? 'undefined' : JSON.stringify(answer));
          } catch (error) {
            console.log('threw ' + error.name + ': ' + error.message);
          }
          console.log(JSON.stringify(event));
        };
        exports.onExecutePostLogin = async (event, api) => call(event, api);
        exports.onContinuePostLogin = async (event, api) => call(event, api);";
    script(code).expect("it builds")
});

fn event() -> Value {
    json!({
        "transaction": { "protocol": "oidc-basic-profile", "metadata": {} },
        "request": { "hostname": "acme.example", "ip": "192.0.2.1", "query": {}, "body": {} },
        "session": { "id": "s", "metadata": { "known": "1" }, "cookie": { "mode": "persistent" } },
        "user": { "user_id": "auth0|ada", "app_metadata": {}, "user_metadata": {} },
    })
}

/// Of a flow that has no session.
fn without_session() -> Value {
    let mut event = event();
    event.as_object_mut().expect("an object").remove("session");
    event
}

/// Of a refresh-token exchange.
fn exchange() -> Value {
    let mut event = without_session();
    event["refresh_token"] = json!({ "id": "rt_1", "access": "offline", "metadata": { "known": "1" } });
    event
}

/// What the call printed (its answer or what it threw, and the event after it), and the run.
fn run(handler: Handler, mut event: Value, operations: Operates, call: &str) -> (String, Value, RunReport) {
    event["call"] = json!(call);
    let report = run_handler(&CALLER, handler, &event.to_string(), 1, &WIDE, Arc::new(operations)).report;
    assert_eq!(report.error, None, "{call}");
    let printed: Vec<&str> = report.console.iter().map(|line| line.text.as_str()).collect();
    let [answer, after] = printed[..] else { panic!("{call} printed {printed:?}") };
    (answer.to_owned(), serde_json::from_str(after).expect("the event"), report)
}

fn call(call: &str) -> (String, Value, RunReport) {
    call_on(event(), call)
}

fn call_on(event: Value, call: &str) -> (String, Value, RunReport) {
    call_in(Handler::Execute, event, call)
}

fn call_in(handler: Handler, event: Value, call: &str) -> (String, Value, RunReport) {
    run(handler, event, Operates(echo), call)
}

fn call_of(operations: Operates, call: &str) -> (String, Value, RunReport) {
    run(Handler::Execute, event(), operations, call)
}

fn commands(report: &RunReport) -> Value {
    json!(report.commands)
}

/// The commands of a run, by name.
fn names(report: &RunReport) -> Vec<&'static str> {
    report.commands.iter().map(Command::name).collect()
}

/// The call of this method answers that, and records a command with these arguments; `null`: none.
#[track_caller]
fn answers(expression: &str, answer: &str, recorded: &str) {
    let (given, _, report) = call(&format!("api.{expression}"));
    assert_eq!(given, answer, "{expression}");
    let expected = match serde_json::from_str(recorded).expect("JSON") {
        Value::Null => json!([]),
        mut command => {
            let name = expression.split('(').next().expect("a name");
            command["command"] = json!(if name.starts_with("samlResponse") { "samlResponse" } else { name });
            json!([command])
        }
    };
    assert_eq!(commands(&report), expected, "{expression}");
}

/// The call throws that, or its promise is rejected with it.
#[track_caller]
fn refuses(expression: &str, thrown: &str) {
    let expression =
        if expression.starts_with('(') { expression.to_owned() } else { format!("api.{expression}") };
    let (given, ..) = call(&expression);
    assert!(given.starts_with(&format!("threw {thrown}")), "{expression}: {given}");
}

/// `api.refreshToken` has nothing for an online refresh token, which lives with its session.
#[track_caller]
fn online_refuses(method: &str) {
    let mut online = exchange();
    online["refresh_token"]["access"] = json!("online");
    let (given, _, report) = call_on(online, &format!("api.refreshToken.{method}"));
    assert!(given.starts_with("threw Error: api.refreshToken."), "{method}: {given}");
    assert!(report.commands.is_empty());
}

#[test]
fn the_engine_has_the_methods_that_the_table_says_and_no_others() {
    let list = "JSON.stringify(Object.entries(api).flatMap(([group, methods]) =>
        Object.keys(methods).map(name => `api.${group}.${name}`)))";
    let (there, ..) = call(&format!("JSON.parse({list})"));
    let there: BTreeSet<String> = serde_json::from_str(&there).expect("a list of names");
    let table = schema::methods().iter().filter(|method| !method.absent);
    assert_eq!(there, table.map(|method| method.method.clone()).collect());
    for method in schema::methods() {
        let (is, ..) = call(&format!("typeof {}", method.method));
        assert_eq!(is == "\"function\"", !method.absent, "{}: {is}", method.method);
    }
}

#[test]
fn the_words_that_the_table_has_for_an_argument_are_those_that_the_engine_takes() {
    let mut methods = 0;
    for method in schema::methods() {
        let Some(first) = method.params.first().filter(|param| param.kind.starts_with('\'')) else {
            continue;
        };
        methods += 1;
        for word in first.kind.split(" | ") {
            let (given, ..) = call(&format!("{}({word})", method.method));
            assert!(!given.starts_with("threw"), "{}({word}): {given}", method.method);
        }
        let (given, ..) = call(&format!("{}('other')", method.method));
        assert!(given.starts_with("threw"), "{}: {given}", method.method);
    }
    assert_eq!(methods, 5, "setCookieMode, enable, and three algorithms of SAML");
}

#[test]
fn s3_api_transaction_target_scopes() {
    for method in ["addTargetScope", "removeTargetScope", "setTargetScopes", "clearTargetScopes"] {
        let (given, _, report) = call(&format!("api.transaction.{method}('a')"));
        assert_eq!(
            (given.as_str(), report.commands.len()),
            ("threw TypeError: not a function", 0),
            "{method}"
        );
    }
}

#[test]
fn the_host_checks_what_goes_round_the_api() {
    for bad in [
        r#"{"command":"session.setMetadata","key":"a b","value":"x"}"#,
        r#"{"command":"transaction.setMetadata","key":"a","value":[]}"#,
        r#"{"command":"accessToken.addScope","scope":"a b"}"#,
        r#"{"command":"redirect.sendUserTo","url":"javascript:alert(1)"}"#,
        r#"{"command":"authentication.enrollWith","factor":{"type":"email"}}"#,
        r#"{"command":"authentication.challengeWithAny","factors":[]}"#,
        r#"{"command":"authentication.recordMethod","provider_url":"pwd"}"#,
        r#"{"command":"validation.error","errorCode":1,"errorMessage":""}"#,
        r#"{"command":"samlResponse","setting":"setNothing","value":1}"#,
    ] {
        assert!(Command::decode(bad.as_bytes()).is_err(), "{bad}");
    }
}
