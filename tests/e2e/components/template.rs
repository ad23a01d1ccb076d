//! What `postern action new` makes of a template, and that it does what the sample in JavaScript does.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use action_api::{Artifact, Handler, Limits, NoOperations};
use action_build::Source;
use action_runtime::{Environment, RunInput, Runtime};
use end_to_end::actions;
use end_to_end::process::{program, run};
use serde_json::{Value, json};

/// A new project of this language. It stays in the target folder: building one takes minutes, building it again takes
/// seconds.
pub async fn project(language: &str) -> PathBuf {
    let folder = actions::scratch_folder().join("templates");
    std::fs::create_dir_all(&folder).unwrap();
    let (fresh, kept) = (tempfile::tempdir_in(&folder).unwrap(), folder.join(language));
    let made = fresh.path().join("limit");
    run(["action", "new", made.to_str().unwrap(), "--language", language]).await.expect(0);
    // What the tools have made stays; all else is as it is in the template.
    copy(&made, &kept);
    kept
}

/// Files that are the same keep their time, so that nothing is built for them.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let place = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &place);
            continue;
        }
        let content = std::fs::read(entry.path()).unwrap();
        if std::fs::read(&place).ok().as_ref() != Some(&content) {
            std::fs::write(&place, content).unwrap();
        }
    }
}

/// Runs `postern action test` in the project, which builds it, and deploys what comes of it.
pub async fn tested(folder: &Path, runtime: &Arc<Runtime>, variables: Vec<(String, String)>) -> Artifact {
    let mut command = Command::new(program());
    command.args(["action", "test"]).arg(folder).envs(variables).stdin(Stdio::null());
    let settings = std::fs::read_to_string(folder.join("action.toml")).unwrap();
    let settings: Value = toml_edit::de::from_str(&settings).expect("TOML");
    let entry = folder.join(settings["entry"].as_str().expect("a file"));
    let runtime = Arc::clone(runtime);
    let build = move || {
        let output = command.output().expect("the program");
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{}{}", said(&output.stdout), said(&output.stderr));
        assert!(said(&output.stdout).contains("2 passed"), "{}", said(&output.stdout));
        let source = Source::read(&entry).expect("the component");
        action_build::build(&runtime, &source, &actions::LIMITS).unwrap_or_else(|error| panic!("{error}"))
    };
    tokio::task::spawn_blocking(build).await.expect("no panic")
}

/// The sample's events give the sample's commands; a replay does the same.
pub async fn does_what_the_sample_does(runtime: &Arc<Runtime>, artifact: Artifact, limits: &Limits) {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples/actions/limit-transferred-session");
    let artifact = Arc::new(artifact);
    for case in ["native-to-web", "ordinary-login"] {
        let read =
            |folder: &str| std::fs::read_to_string(sample.join(folder).join(case).with_extension("json"));
        let expected: Value = serde_json::from_str(&read("expected").unwrap()).unwrap();
        let input = RunInput {
            handler: Handler::Execute,
            event: read("events").unwrap(),
            secrets: std::collections::BTreeMap::new(),
        };
        let environment = Environment {
            now_ms: expected["now_ms"].as_i64().unwrap(),
            seed: [3; 32],
            operations: Arc::new(NoOperations),
            turns: Vec::new(),
            held: Box::new(()),
        };
        let finished = runtime.run(&artifact, input.clone(), environment, limits).await;
        assert_eq!(finished.report.error, None, "{case}");
        assert_eq!(json!(finished.report.commands), expected["commands"], "{case}");
        let again = runtime.replay(&artifact, &input, &finished.record, limits);
        assert_eq!((again.commands, again.fuel), (finished.report.commands, finished.report.fuel), "{case}");
    }
}

/// The names of the interfaces that it imports.
pub fn imports(artifact: &Artifact) -> Vec<String> {
    let powers = action_build::powers(artifact).expect("of this package").expect("a component");
    powers.into_iter().map(|power| power.interface).collect()
}
