//! The compilers of components in other languages than C. What one needs is kept in the target folder, beside the machine's
//! own programs; where none can be had, the tests of that language are left out, and the last lines say so.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;

use crate::packages::output;
use crate::process::{note, run, target_folder};

const TARGET: &str = "wasm32-unknown-unknown";
/// The Debian packages of a newer Rust than the distribution's own, which it has for its browsers.
const RUST: [&str; 2] = ["rustc-web", "rust-web-src"];
/// Of what these packages need, what begins so is unpacked beside them. The rest is on any machine with a C compiler.
const RUST_NEEDS: [&str; 2] = ["libstd-rust-web", "libllvm"];
const COMPONENTIZE_PY: &str = "componentize-py==0.25.1";

/// What the tests need to know of the compilers.
pub(crate) struct Guests {
    /// For the tests: variables.
    pub(crate) variables: Vec<(&'static str, String)>,
    /// Modules of the end-to-end tests that cannot run here, and why.
    pub(crate) missing: Vec<(&'static str, String)>,
}

/// Finds the compilers, or gets them.
pub(crate) fn compilers() -> Result<Guests> {
    let folder = target_folder()?.join("guest-compilers");
    fs::create_dir_all(&folder)?;
    let mut guests = Guests { variables: Vec::new(), missing: Vec::new() };
    match rust(&folder) {
        Ok(variables) => guests.variables.push(("TEST_RUST_VARIABLES", json!(variables).to_string())),
        Err(error) => guests.missing.push(("components::rust", format!("no Rust for {TARGET}: {error:#}"))),
    }
    match python(&folder) {
        Ok(program) => guests.variables.push(("TEST_COMPONENTIZE_PY", program.display().to_string())),
        Err(error) => guests.missing.push(("components::python", format!("no componentize-py: {error:#}"))),
    }
    Ok(guests)
}

/// The variables with which cargo builds for Wasm: none where rustup has the target.
fn rust(folder: &Path) -> Result<Vec<(String, String)>> {
    if has_target() {
        return Ok(Vec::new());
    }
    note(&format!("Rust cannot build for {TARGET} yet (tests build an Action with it)."));
    let added = Command::new("rustup").args(["target", "add", TARGET]).stderr(Stdio::null()).status();
    if added.is_ok_and(|status| status.success()) && has_target() {
        return Ok(Vec::new());
    }
    let root = folder.join("rust");
    if !root.join("usr/bin/rustc").is_file() {
        note("rustup does not get it; unpacking Debian's packages.");
        unpack(&root)?;
    }
    let usr = root.join("usr");
    let libraries = libraries(&usr)?.display().to_string();
    let variables = [
        ("RUSTC", usr.join("bin/rustc").display().to_string()),
        ("LD_LIBRARY_PATH", libraries.clone()),
        // The standard library is built from its source, which cargo does for nightly compilers only, and for those who ask.
        ("RUSTC_BOOTSTRAP", "1".to_owned()),
        ("CARGO_UNSTABLE_BUILD_STD", "std,panic_abort".to_owned()),
        ("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-ld".to_owned()),
    ];
    builds(&folder.join("trial"), &variables)?;
    Ok(variables.map(|(name, value)| (name.to_owned(), value)).into())
}

/// Whether a compiler that was put together so builds anything: what does not fit is found out here, not in a test.
fn builds(folder: &Path, variables: &[(&str, String)]) -> Result<()> {
    fs::create_dir_all(folder.join("src"))?;
    let manifest = "[package]\nname = \"trial\"\nedition = \"2021\"\n[workspace]\n";
    fs::write(folder.join("Cargo.toml"), manifest)?;
    fs::write(folder.join("src/lib.rs"), "pub fn text() -> String {\n    String::from(\"it builds\")\n}\n")?;
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--quiet", "--target", TARGET]).current_dir(folder);
    cargo
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .envs(variables.iter().map(|(name, value)| (name, value)));
    ensure!(cargo.status()?.success(), "the compiler of Debian's packages does not build");
    Ok(())
}

/// The folder of the compiler's libraries, which has the machine's architecture in its name.
fn libraries(usr: &Path) -> Result<PathBuf> {
    for folder in fs::read_dir(usr.join("lib"))?.flatten().map(|entry| entry.path()) {
        let is_driver = |name: &str| name.starts_with("librustc_driver");
        let has_driver = fs::read_dir(&folder)
            .is_ok_and(|files| files.flatten().any(|file| file.file_name().to_str().is_some_and(is_driver)));
        if has_driver {
            return Ok(folder);
        }
    }
    bail!("the unpacked packages have no compiler")
}

fn has_target() -> bool {
    output("rustc", &["--print", "target-libdir", "--target", TARGET])
        .is_some_and(|folder| Path::new(folder.trim()).is_dir())
}

/// Downloads the packages and what they need of their own kind, and unpacks them: nothing is installed.
fn unpack(root: &Path) -> Result<()> {
    let mut wanted: Vec<String> = RUST.map(str::to_owned).into();
    let mut next = 0;
    while let Some(package) = wanted.get(next).cloned() {
        next += 1;
        let needs = output("apt-cache", &["depends", &package])
            .with_context(|| format!("apt-cache does not know {package}"))?;
        for need in needs.lines().filter_map(|line| line.trim().strip_prefix("Depends: ")) {
            if RUST_NEEDS.iter().any(|ours| need.starts_with(ours))
                && !wanted.iter().any(|known| known == need)
            {
                wanted.push(need.to_owned());
            }
        }
    }
    let unfinished = root.with_extension("unfinished");
    let packages = root.with_extension("packages");
    for folder in [&unfinished, &packages] {
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(folder)?;
    }
    note(&format!("$ apt-get download {}", wanted.join(" ")));
    run(Command::new("apt-get").args(["-qq", "download"]).args(&wanted).current_dir(&packages))?;
    for file in fs::read_dir(&packages)? {
        run(Command::new("dpkg-deb").arg("-x").arg(file?.path()).arg(&unfinished))?;
    }
    fs::remove_dir_all(&packages)?;
    let _ = fs::remove_dir_all(root);
    fs::rename(&unfinished, root)?;
    Ok(())
}

/// The program componentize-py, in a virtual environment of its own.
fn python(folder: &Path) -> Result<PathBuf> {
    let environment = folder.join("python");
    let program = environment.join("bin/componentize-py");
    if program.is_file() {
        return Ok(program);
    }
    note("componentize-py is missing (tests build an Action of Python).");
    run(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
    run(Command::new(environment.join("bin/pip")).args(["install", "--quiet", COMPONENTIZE_PY]))?;
    ensure!(program.is_file(), "pip did not install it");
    Ok(program)
}
