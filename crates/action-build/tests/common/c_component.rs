//! Builds a component from C: bindings by wit-bindgen, the system's clang, and wit-component.

use std::path::Path;
use std::process::Command;

use wit_bindgen_c::Opts;
use wit_bindgen_core::Files;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The component made of one C file. It links no C library start-up: a reactor without WASI imports.
pub fn build(source: &Path) -> Vec<u8> {
    let mut resolve = wit_parser::Resolve::default();
    let (package, _) = resolve.push_dir(root().join("wit")).expect("the wit package");
    let world = resolve.select_world(&[package], Some("post-login")).expect("the world");
    let mut files = Files::default();
    Opts::default().build().generate(&mut resolve, world, &mut files).expect("bindings");

    let folder = tempfile::tempdir().expect("a folder");
    for (name, bytes) in files.iter() {
        std::fs::write(folder.path().join(name), bytes).expect("a generated file");
    }
    let module = folder.path().join("module.wasm");
    let mut clang = match std::env::var_os("WASI_SDK_PATH") {
        Some(sdk) => Command::new(Path::new(&sdk).join("bin/clang")),
        None => Command::new("clang"),
    };
    clang.args(["--target=wasm32-wasi", "-O2", "-mexec-model=reactor", "-w", "-Wl,--strip-debug", "-I"]);
    clang.arg(folder.path()).arg(source).arg(folder.path().join("post_login.c"));
    let object = folder.path().join("post_login_component_type.o");
    if object.exists() {
        clang.arg(object);
    }
    let result = clang.arg("-o").arg(&module).output().expect("clang");
    assert!(result.status.success(), "{}", String::from_utf8_lossy(&result.stderr));

    let mut core = std::fs::read(&module).expect("the module");
    // A second copy of the type that the object carries already does no harm; without the object it is needed.
    embed_component_metadata(&mut core, &resolve, world, StringEncoding::UTF8).expect("the component's type");
    let mut encoder = ComponentEncoder::default();
    encoder.validate(true).module(&core).expect("a module");
    encoder.encode().expect("a component")
}
pub fn dump(folder: &Path) {
    let mut resolve = wit_parser::Resolve::default();
    let (package, _) = resolve.push_dir(root().join("wit")).expect("the wit package");
    let world = resolve.select_world(&[package], Some("post-login")).expect("the world");
    let mut files = Files::default();
    Opts::default().build().generate(&mut resolve, world, &mut files).expect("bindings");
    std::fs::create_dir_all(folder).unwrap();
    for (name, bytes) in files.iter() {
        std::fs::write(folder.join(name), bytes).expect("a generated file");
    }
}
