//! Builds a module from C: bindings by wit-bindgen, and the system's clang. A deploy makes a component of it.

use std::path::Path;
use std::process::Command;

use wit_bindgen_c::Opts;
use wit_bindgen_core::Files;

/// Writes the files that wit-bindgen makes for C.
fn write_bindings(world: &str, folder: &Path) {
    let mut resolve = wit_parser::Resolve::default();
    let package = resolve.push_str("post-login.wit", action_build::WIT).expect("the wit package");
    let world = resolve.select_world(&[package], Some(world)).expect("the world");
    let mut files = Files::default();
    Opts::default().build().generate(&mut resolve, world, &mut files).expect("bindings");
    for (name, bytes) in files.iter() {
        std::fs::write(folder.join(name), bytes).expect("a generated file");
    }
}

/// The module made of one C file, which includes the header of its world. It links no C library start-up: a reactor
/// without WASI imports.
pub fn build(source: &Path) -> Vec<u8> {
    let text = std::fs::read_to_string(source).expect("the source");
    let world = if text.contains("post_login_continue.h") { "post-login-continue" } else { "post-login" };
    let folder = tempfile::tempdir().expect("a folder");
    // Where a new project has them.
    let bindings = folder.path().join("bindings");
    std::fs::create_dir(&bindings).expect("a folder");
    write_bindings(world, &bindings);
    let module = folder.path().join("module.wasm");
    let mut clang = match std::env::var_os("WASI_SDK_PATH") {
        Some(sdk) => Command::new(Path::new(&sdk).join("bin/clang")),
        None => Command::new("clang"),
    };
    clang.args(["--target=wasm32-wasi", "-O2", "-mexec-model=reactor", "-w", "-Wl,--strip-debug"]);
    clang.arg("-I").arg(folder.path()).arg("-I").arg(&bindings);
    let bindings = bindings.join(world.replace('-', "_"));
    clang.arg(source).arg(bindings.with_extension("c"));
    clang.arg(format!("{}_component_type.o", bindings.display()));
    let result = clang.arg("-o").arg(&module).output().expect("clang");
    assert!(result.status.success(), "{}", String::from_utf8_lossy(&result.stderr));
    std::fs::read(&module).expect("the module")
}
