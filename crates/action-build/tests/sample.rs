//! The sample Action, as a script and as a component: the same cases, the same commands.
#![allow(clippy::expect_used, clippy::panic, reason = "a test stops where something is not as it should be")]

#[path = "common/c_component.rs"]
mod c_component;
mod common;

use action_api::{Artifact, ArtifactKind, Command, RunError};
use action_build::{Source, build};
use common::{LIMITS, RUNTIME, good_run, run, run_with, sample};

fn both() -> [(&'static str, Artifact); 2] {
    let script = Source::read(&sample("action.js")).expect("the script");
    let component = Source::component("action.wasm", c_component::build(&sample("component/action.c")));
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
    assert_eq!(refused(b"\0asm\x01\0\0\0"), "action.wasm: a core Wasm module; a component is needed");
    assert!(refused(b"\0asm\x0d\0\x01\0").contains("does not export `on-execute-post-login`"));
    assert!(refused(&vec![0; (4 << 20) + 1]).contains("the most is 4194304"));
    let whole = c_component::build(&sample("component/action.c"));
    refused(&whole[..whole.len() / 2]);
    let (_, script) = &both()[0..1][0];
    assert!(matches!(script.kind, ArtifactKind::MemoryImage { .. }));
    refused(&script.bytes);
}
