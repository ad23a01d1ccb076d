//! `postern action inspect`, and updates that may do more.

use std::os::unix::fs::PermissionsExt;

use end_to_end::operator::Operator;
use end_to_end::{TestServer, process, seed};
use serde_json::{Value, json};

use super::{c_component, guest};

fn names(permissions: &Value) -> Vec<&str> {
    permissions.as_array().expect("a list").iter().filter_map(|power| power["interface"].as_str()).collect()
}

fn program(source: &action_build::Source) -> Vec<u8> {
    match &source.program {
        action_build::Program::Component(bytes) => bytes.clone(),
        action_build::Program::Script { .. } => panic!("a script"),
    }
}

#[tokio::test]
async fn the_sheet_says_in_words_what_a_component_may_do_and_what_a_run_costs() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("action.wasm");
    std::fs::write(&file, program(&guest("fetches.c"))).unwrap();
    let file = file.to_str().unwrap();
    let shown = process::run(["action", "inspect", file]).await.expect(0).stdout.clone();
    for line in [
        "a component",
        "It may, and nothing else:",
        "  http: Send requests to public addresses (send-all)",
        "  id-token: Add claims to the ID token (set-custom-claim)",
        "  secrets: Read the secrets of the Action (get)",
        "memory_bytes 33_554_432",
        "  and failed: Error: no secret",
    ] {
        assert!(shown.contains(line), "{line:?} is not in {shown}");
    }
    let sheet = process::run(["action", "inspect", file, "--json"]).await.expect(0).json();
    assert_eq!(names(&sheet["permissions"]), ["http", "id-token", "secrets"]);
    assert_eq!(sheet["permissions"][0]["functions"], json!(["send-all"]));
    assert_eq!(sheet["kind"], "component");
    assert_eq!(sheet["digest"].as_str().map(str::len), Some(64));
    assert!(sheet["run"]["fuel"].as_u64().unwrap() > 100, "{sheet}");
    assert!(sheet["run"]["memory_bytes"].as_u64().unwrap() >= 65_536, "{sheet}");
    let again = process::run(["action", "inspect", file, "--json"]).await.expect(0).json();
    assert_eq!((&again["digest"], &again["run"]["fuel"]), (&sheet["digest"], &sheet["run"]["fuel"]));
}

#[tokio::test]
async fn of_a_script_the_sheet_says_that_it_may_do_everything() {
    let script =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../samples/actions/limit-transferred-session/action.js");
    let shown = process::run(["action", "inspect", script]).await.expect(0).stdout.clone();
    assert!(shown.contains("a script") && shown.contains("cannot be told from its source"), "{shown}");
    assert!(shown.contains("and asked for session.setExpiresAt, session.setIdleExpiresAt"), "{shown}");
    let sheet = process::run(["action", "inspect", script, "--json"]).await.expect(0).json();
    assert_eq!((&sheet["kind"], &sheet["permissions"]), (&json!("script"), &Value::Null));
}

#[tokio::test]
async fn what_does_not_build_is_not_inspected() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("action.wasm");
    std::fs::write(&file, "junk").unwrap();
    let said = process::run(["action", "inspect", file.to_str().unwrap()]).await;
    assert!(said.expect(5).stdout.contains("action.wasm: not a Wasm component"), "{said:?}");
    process::run(["action", "inspect", "/nowhere.wasm"]).await.expect(5);
}

#[tokio::test]
async fn an_update_that_may_do_more_needs_a_word_of_its_own() {
    let server = TestServer::start().await;
    let operator = Operator::of(&server.database);
    // The server's key.
    let key = operator.folder.path().join("key");
    std::fs::write(&key, [7; 32]).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let write = |name: &str, bytes: Vec<u8>| {
        let file = operator.folder.path().join(name);
        std::fs::write(&file, bytes).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/../actions/templates/c/action.c");
    let modest = write("modest.wasm", c_component::build(sample.as_ref()));
    let bold = write("bold.wasm", program(&guest("fetches.c")));
    let script = write("action.js", b"exports.onExecutePostLogin = async () => {};".to_vec());
    let deploy = async |file: &str, more: &[&str]| {
        let line = ["action", "deploy", file, "--tenant", seed::ACME, "--name", "limit", "--json"];
        operator.run(&[&line[..], more].concat()).await
    };

    let first = deploy(&modest, &[]).await.expect(0).json();
    assert_eq!((&first["version"], names(&first["permissions"])), (&json!(1), vec!["clock", "session"]));
    let refused = deploy(&bold, &[]).await.expect(1).json();
    assert_eq!(
        refused["new_permissions"],
        json!([
            "http: Send requests to public addresses (send-all)",
            "id-token: Add claims to the ID token (set-custom-claim)",
            "secrets: Read the secrets of the Action (get)",
        ])
    );
    let words = ["action", "deploy", &bold, "--tenant", seed::ACME, "--name", "limit"];
    let shown = operator.run(&words).await;
    assert!(shown.expect(1).stdout.contains("--accept-permissions"), "{shown:?}");
    let again = deploy(&modest, &[]).await.expect(0).json();
    assert_eq!(
        (&again["version"], &again["changed"]),
        (&json!(1), &json!(false)),
        "nothing was deployed between"
    );
    let bolder = deploy(&bold, &["--accept-permissions"]).await.expect(0).json();
    assert_eq!((&bolder["version"], &bolder["changed"]), (&json!(2), &json!(true)));
    assert_eq!(deploy(&bold, &["--secret", "A=1"]).await.expect(0).json()["version"], 3, "the same powers");
    assert_eq!(
        names(&deploy(&modest, &["--accept-permissions"]).await.expect(0).json()["permissions"]),
        ["clock", "session"]
    );
    let refused = deploy(&script, &[]).await.expect(1).json();
    assert_eq!(refused["new_permissions"], json!(["everything: it is a script now"]));
    deploy(&script, &["--accept-permissions"]).await.expect(0);
    deploy(&bold, &[]).await.expect(0);
}
