//! The build script on a machine without clang.

#![expect(clippy::unwrap_used, reason = "a failure is a panic")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// The newest program that cargo has made from this package's `build.rs`.
fn build_script() -> PathBuf {
    let folders = Path::new(env!("OUT_DIR")).ancestors().nth(2).unwrap().read_dir().unwrap();
    let programs = folders
        .map(|folder| folder.unwrap())
        .filter(|folder| folder.file_name().to_string_lossy().starts_with("action-runtime-"))
        .map(|folder| folder.path().join("build-script-build"))
        .filter(|program| program.is_file());
    programs.max_by_key(|program| program.metadata().unwrap().modified().unwrap()).unwrap()
}

#[test]
fn without_clang_the_build_says_which_line_installs_it() {
    let folder = tempfile::tempdir().unwrap();
    // cargo asks rustc for its version.
    let path = std::env::var_os("PATH").unwrap();
    let rustc = std::env::split_paths(&path).map(|folder| folder.join("rustc")).find(|file| file.is_file());
    std::os::unix::fs::symlink(rustc.unwrap(), folder.path().join("rustc")).unwrap();
    let build = Command::new(build_script())
        .env("PATH", folder.path())
        .env("CARGO", env!("CARGO"))
        .env("CARGO_MANIFEST_DIR", env!("CARGO_MANIFEST_DIR"))
        .env("OUT_DIR", folder.path())
        .env_remove("WASI_SDK_PATH")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&build.stderr);
    assert!(!build.status.success(), "{said}");
    let line = "apt-get install -y clang lld wasi-libc libclang-rt-";
    assert!(said.contains("the C toolchain for Wasm is missing") && said.contains(line), "{said}");
}
