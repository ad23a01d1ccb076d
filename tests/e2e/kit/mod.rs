//! What an Action's author has without a server: `postern action new`, `run` and `test`.

mod cases;
mod new;
pub mod parity;
mod readme;
mod run;

use std::path::{Path, PathBuf};
use std::process::Stdio;

use end_to_end::process::{Ended, program};
use tokio::process::Command;

/// Runs `postern action` in this folder, with a configuration of its own: nothing of the machine's counts.
pub async fn action(folder: &Path, arguments: &[&str]) -> Ended {
    let output = Command::new(program())
        .arg("action")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    Ended {
        code: output.status.code().expect("no signal ended it"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Writes files, by their path from the folder.
pub fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap()
}

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples/actions")
}

/// Settings of an Action in `action.js`.
pub const SETTINGS: &str = "trigger = 'post-login'\nentry = 'action.js'\n";

fn handler(body: &str) -> String {
    format!("exports.onExecutePostLogin = async (event, api) => {{\n{body}\n}};\n")
}

#[track_caller]
fn shows(ended: &Ended, parts: &[&str]) {
    for part in parts {
        assert!(ended.stdout.contains(part) || ended.stderr.contains(part), "{part:?} is missing: {ended:?}");
    }
}
