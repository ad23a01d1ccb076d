//! The declarations of `actions/sdk-js` as the TypeScript compiler sees them. Needs Node and npm, which gets the compiler
//! once; where they are not, the tests say that they did not run.

#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it should be")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

/// The newest of the line whose compiler is JavaScript, with the language service.
const TYPESCRIPT: &str = "typescript@5.9.3";

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A folder in which Node finds the compiler; `None` on a machine without Node, npm or their registry.
static COMPILER: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("typescript");
    let compiler = folder.join("node_modules/typescript/bin/tsc");
    if !compiler.is_file() {
        fs::create_dir_all(&folder).unwrap();
        let install = ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--no-save", TYPESCRIPT];
        let installed = Command::new("npm").args(install).current_dir(&folder).output();
        if !installed.is_ok_and(|output| output.status.success()) {
            return None;
        }
    }
    let runs = Command::new("node").arg(&compiler).arg("--version").output();
    runs.is_ok_and(|output| output.status.success()).then_some(folder)
});

/// A folder with the package installed as npm would, and these files.
fn project(files: &[(&str, &str)]) -> Option<tempfile::TempDir> {
    let Some(compiler) = COMPILER.as_deref() else {
        // Not by the macro, whose text is shown of tests that fail only.
        let _ =
            writeln!(std::io::stderr(), "not run: there is no node and npm, or npm cannot get {TYPESCRIPT}");
        return None;
    };
    // Below the compiler's folder, where Node finds it.
    let folder = tempfile::tempdir_in(compiler).unwrap();
    let package = folder.path().join("node_modules/postern-actions");
    fs::create_dir_all(&package).unwrap();
    for name in ["package.json", "index.d.ts"] {
        fs::copy(repository().join("actions/sdk-js").join(name), package.join(name)).unwrap();
    }
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    Some(folder)
}

fn node(folder: &Path, arguments: &[&str]) -> Output {
    Command::new("node").args(arguments).current_dir(folder).output().unwrap()
}

/// What the compiler has against the files; without browsers' declarations, or with them.
fn errors(folder: &Path, libraries: &str, files: &[&str]) -> String {
    let options = [
        "--noEmit",
        "--strict",
        "--allowJs",
        "--checkJs",
        "--target",
        "es2023",
        "--module",
        "nodenext",
        "--types",
        "postern-actions",
        "--lib",
        libraries,
    ];
    compile(folder, &[&options[..], files].concat())
}

/// What the compiler says.
fn compile(folder: &Path, arguments: &[&str]) -> String {
    let compiler = COMPILER.as_deref().unwrap().join("node_modules/typescript/bin/tsc");
    let output = node(folder, &[&[compiler.to_str().unwrap()], arguments].concat());
    String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
}

#[test]
fn the_samples_are_checked_without_an_import() {
    let samples = repository().join("samples/actions");
    let read = |name: &str| fs::read_to_string(samples.join(name).join("action.js")).unwrap();
    let limit = read("limit-transferred-session");
    let typed = "/**\n * @param {Event} event\n * @param {PostLoginAPI} api\n */\nexports.";
    let terms = read("ask-for-terms").replace("exports.", typed);
    let handler = "export const onExecutePostLogin: OnExecutePostLogin = async (event, api) => {\n\
                   api.access.deny(event.request.geoip.countryCode ?? '').user.setAppMetadata('a', { b: [1, null] });\n\
                   const roles: string[] | undefined = event.authorization?.roles;\n\
                   if (event.user.shoe_size > 43) api.session.setMetadata('roles', roles?.join() ?? null);\n};\n";
    let files = [("limit.js", &*limit), ("terms.js", &*terms), ("typed.ts", handler)];
    let Some(folder) = project(&files) else { return };
    for (libraries, names) in
        [("es2023", &["limit.js", "typed.ts"][..]), ("es2023,dom", &["limit.js", "terms.js", "typed.ts"])]
    {
        assert_eq!(errors(folder.path(), libraries, names), "", "{libraries}");
    }
}

#[test]
fn a_new_project_is_checked_by_its_own_settings() {
    let templates = repository().join("actions/templates");
    for (language, settings) in [("javascript", "jsconfig.json"), ("typescript", "tsconfig.json")] {
        let Some(folder) = project(&[]) else { return };
        copy(&templates.join(language), folder.path());
        let types = folder.path().join("types");
        fs::create_dir(&types).unwrap();
        fs::copy(repository().join("actions/sdk-js/index.d.ts"), types.join("postern-actions.d.ts")).unwrap();
        let test = repository().join("crates/postern/src/kit/test_module.d.ts");
        fs::copy(test, types.join("test.d.ts")).unwrap();
        assert_eq!(compile(folder.path(), &["--noEmit", "--project", settings]), "", "{language}");
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            fs::create_dir(&target).unwrap();
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

#[test]
fn a_misspelt_property_and_a_wrong_argument_are_found_in_a_plain_file() {
    let action = "/**\n * @param {Event} event\n * @param {PostLoginAPI} api\n */\n\
                  exports.onExecutePostLogin = async (event, api) => {\n\
                  if (event.sesion) api.session.setExpiresAt('tomorrow');\n\
                  api.session.setCookieMode('nonpersistent');\n};\n";
    let Some(folder) = project(&[("action.js", action)]) else { return };
    let errors = errors(folder.path(), "es2023", &["action.js"]);
    for found in [
        "Did you mean 'session'?",
        "'string' is not assignable to parameter of type 'number'",
        "nonpersistent",
    ] {
        assert!(errors.contains(found), "{found}\n{errors}");
    }
}

#[test]
fn a_module_that_actions_share_is_checked_with_its_secrets() {
    let shared = "exports.key = () => actions.secrets.API_KEY.toUpperCase();\n";
    let action = "import { key } from 'actions:shared';\n\
                  export const onExecutePostLogin: OnExecutePostLogin = async () => console.log(key());\n";
    let wrong = "actions.secrets = {};\nactions.keys;\nactions.secrets.API_KEY.toFixed();\n";
    let files = [("shared.js", shared), ("action.ts", action), ("wrong.js", wrong)];
    let Some(folder) = project(&files) else { return };
    assert_eq!(errors(folder.path(), "es2023,dom", &["shared.js", "action.ts"]), "");
    let errors = errors(folder.path(), "es2023", &["wrong.js"]);
    for found in ["read-only property", "'keys' does not exist", "'toFixed' does not exist"] {
        assert!(errors.contains(found), "{found}\n{errors}");
    }
}

#[test]
fn an_editor_completes_event_and_api_in_a_plain_file() {
    let action = "/**\n * @param {Event} event - Details about the user.\n * @param {PostLoginAPI} api - Interface.\n */\n\
                  exports.onExecutePostLogin = async (event, api) => {\n  api.session./*1*/;\n  event.request.geoip./*2*/;\n};\n";
    let asks = "
        const ts = require('typescript'), fs = require('fs');
        const text = fs.readFileSync('action.js', 'utf8');
        const options = { allowJs: true, checkJs: true, types: ['postern-actions'], lib: ['lib.es2023.d.ts'] };
        const service = ts.createLanguageService({
          getScriptFileNames: () => ['action.js'], getScriptVersion: () => '1', getCurrentDirectory: () => process.cwd(),
          getScriptSnapshot: name => fs.existsSync(name) ? ts.ScriptSnapshot.fromString(fs.readFileSync(name, 'utf8')) : undefined,
          getCompilationSettings: () => options, getDefaultLibFileName: ts.getDefaultLibFilePath,
          fileExists: ts.sys.fileExists, readFile: ts.sys.readFile, directoryExists: ts.sys.directoryExists,
          getDirectories: ts.sys.getDirectories,
        });
        for (const mark of ['/*1*/', '/*2*/']) {
          const found = service.getCompletionsAtPosition('action.js', text.indexOf(mark), {});
          console.log(found.entries.map(entry => entry.name).sort().join(' '));
        }";
    let Some(folder) = project(&[("action.js", action), ("asks.js", asks)]) else { return };
    let output = node(folder.path(), &["asks.js"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{output:?}");
    assert_eq!(
        lines[0],
        "deleteMetadata evictMetadata revoke setCookieMode setExpiresAt setIdleExpiresAt setMetadata"
    );
    assert!(lines[1].contains("cityName") && lines[1].contains("timeZone"), "{}", lines[1]);
}
