//! The sample Action, as a script and as a component: the same cases, the same commands.
#![allow(clippy::expect_used, clippy::panic, reason = "a test stops where something is not as it should be")]

#[path = "common/c_component.rs"]
mod c_component;
mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use action_api::{
    Artifact, ArtifactKind, Command, Handler, OperationAnswer, OperationFuture, Operations, RunError,
};
use action_build::{Source, build};
use action_runtime::{Environment, RunInput};
use common::{LIMITS, RUNTIME, TASKS, c_sample, good_run, run, run_with, sample};
use serde_json::{Value, json};

fn both() -> [(&'static str, Artifact); 2] {
    let script = Source::read(&sample("action.js")).expect("the script");
    let component = Source::component("action.wasm", c_component::build(&c_sample()));
    [("script", script), ("component", component)]
        .map(|(name, source)| (name, build(&RUNTIME, &source, &LIMITS).expect(name)))
}

#[test]
fn script_and_component_give_the_expected_commands() {
    for (kind, artifact) in both() {
        for case in ["native-to-web", "ordinary-login"] {
            let event = std::fs::read_to_string(sample(&format!("events/{case}.json"))).expect("the event");
            let expected =
                std::fs::read_to_string(sample(&format!("expected/{case}.json"))).expect("expected");
            let expected: serde_json::Value = serde_json::from_str(&expected).expect("JSON");
            assert_eq!(expected["now_ms"], common::NOW_MS);
            let commands: Vec<Command> =
                serde_json::from_value(expected["commands"].clone()).expect("commands");
            let report = run(&artifact, &event);
            assert_eq!(report.error, None, "{kind} {case}");
            assert_eq!(report.commands, commands, "{kind} {case}");
            assert_eq!(report.fuel, run(&artifact, &event).fuel, "{kind} {case}");
        }
    }
}

/// A service that answers each request with this status.
struct Service(u16);

impl Operations for Service {
    fn start(&self, kind: &str, input: Value) -> OperationFuture {
        assert!(["http.fetch", "timer"].contains(&kind), "{kind}");
        let answer = json!({
            "status": self.0, "status_text": "", "url": input["url"], "redirected": false, "headers": [], "body": "",
        });
        Box::pin(async move { Ok(answer) })
    }

    fn call(&self, kind: &str, _input: Value, _now_ms: i64) -> OperationAnswer {
        Err(action_api::unknown_operation(kind))
    }
}

#[test]
fn every_sample_runs_twice_from_its_record_to_the_same_commands_logs_and_fuel() {
    let folder = sample("..");
    let mut samples: Vec<_> =
        std::fs::read_dir(&folder).expect("samples").map(|s| s.expect("a sample").path()).collect();
    samples.sort();
    assert!(samples.len() >= 2, "{samples:?}");
    let mut all: Vec<(_, Artifact)> = samples
        .iter()
        .map(|sample| {
            let source = Source::read(&sample.join("action.js")).expect("the script");
            (sample.clone(), build(&RUNTIME, &source, &LIMITS).expect("it builds"))
        })
        .collect();
    let [_, (_, component)] = both();
    all.push((sample(""), component));
    for (sample, artifact) in all {
        let artifact = Arc::new(artifact);
        for file in std::fs::read_dir(sample.join("events")).expect("events") {
            let path = file.expect("an event").path();
            let name = path.display();
            let secrets = BTreeMap::from([("SHARED".to_owned(), "s3cret".to_owned())]);
            let event = std::fs::read_to_string(&path).expect("the event");
            let mut event: Value = serde_json::from_str(&event).expect("JSON");
            event["secrets"] = json!(secrets);
            let input = RunInput { handler: Handler::Execute, event: event.to_string(), secrets };
            for status in [404, 200] {
                let environment = Environment {
                    now_ms: common::NOW_MS,
                    seed: [5; 32],
                    operations: Arc::new(Service(status)),
                    turns: Vec::new(),
                    held: Box::new(()),
                };
                let run = TASKS.block_on(RUNTIME.run(&artifact, input.clone(), environment, &LIMITS));
                assert_eq!(run.report.error, None, "{name}");
                for _ in 0..2 {
                    let again = RUNTIME.replay(&artifact, &input, &run.record, &LIMITS);
                    assert_eq!(again.commands, run.report.commands, "{name}");
                    assert_eq!(again.console, run.report.console, "{name}");
                    assert_eq!((again.fuel, again.error), (run.report.fuel, None), "{name}");
                }
                let expected = sample.join("expected").join(path.file_name().expect("a file"));
                if status == 404 {
                    let expected = std::fs::read_to_string(expected).expect("what is expected");
                    let expected: Value = serde_json::from_str(&expected).expect("JSON");
                    assert_eq!(json!(run.report.commands), expected["commands"], "{name}");
                }
            }
        }
    }
}

/// The README shows what runs.
#[test]
fn the_readme_shows_the_sample_as_it_is() {
    let readme = std::fs::read_to_string(sample("../../../README.md")).expect("the README");
    let terms = std::fs::read_to_string(sample("../ask-for-terms/action.js")).expect("the sample");
    assert!(readme.contains(&format!("```js\n{terms}```")));
}

#[test]
fn limits_hold_for_script_and_component() {
    let event = std::fs::read_to_string(sample("events/native-to-web.json")).expect("the event");
    for (kind, artifact) in both() {
        for (name, limits) in [
            ("fuel", action_api::Limits { fuel: 1_000, ..LIMITS }),
            ("memory_bytes", action_api::Limits { memory_bytes: 1 << 10, ..LIMITS }),
            ("commands", action_api::Limits { commands: 1, ..LIMITS }),
            ("host_calls", action_api::Limits { host_calls: 1, ..LIMITS }),
            ("event_bytes", action_api::Limits { event_bytes: 100, ..LIMITS }),
        ] {
            let report = run_with(&artifact, &event, 1, &limits);
            assert!(report.commands.is_empty(), "{kind} {name}");
            match report.error {
                Some(RunError::Limit { limit, .. }) => assert_eq!(limit, name, "{kind}"),
                other => panic!("{kind} {name}: {other:?}"),
            }
        }
        good_run();
    }
}

#[test]
fn what_is_no_component_is_refused() {
    let refused = |bytes: &[u8]| {
        let source = Source::component("action.wasm", bytes.to_vec());
        build(&RUNTIME, &source, &LIMITS).expect_err("no component").to_string()
    };
    assert_eq!(refused(b"junk"), "action.wasm: not a Wasm component");
    assert_eq!(refused(b""), "action.wasm: not a Wasm component");
    assert!(
        refused(b"\0asm\x01\0\0\0").starts_with("action.wasm: a core Wasm module; a component is needed")
    );
    assert!(
        refused(b"\0asm\x0d\0\x01\0").contains("does not export `on-execute-post-login: func(event: string)")
    );
    assert!(refused(&vec![0; (4 << 20) + 1]).contains("the most is 4194304"));
    let whole = c_component::build(&c_sample());
    refused(&whole[..whole.len() / 2]);
    let (_, script) = &both()[0..1][0];
    assert!(matches!(script.kind, ArtifactKind::MemoryImage { .. }));
    refused(&script.bytes);
}
