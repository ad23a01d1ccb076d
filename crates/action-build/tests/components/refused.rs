use action_build::{Source, build};

use crate::common::{LIMITS, RUNTIME};

/// A component that exports the handler, with more beside it.
fn component(more: &str, parameter: &str) -> String {
    format!(
        r#"(component {more}
            (core module $M
                (memory (export "mem") 1)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 64)
                (func (export "run") (param {core}) (result i32) i32.const 16))
            (core instance $m (instantiate $M))
            (func (export "on-execute-post-login") (param "event" {parameter}) (result (result (error string)))
                (canon lift (core func $m "run") (memory $m "mem") (realloc (func $m "realloc")))))"#,
        core = if parameter == "string" { "i32 i32" } else { "i32" },
    )
}

#[track_caller]
fn refused(wat: &str) -> String {
    let bytes = wat::parse_str(wat).expect("WebAssembly");
    let error =
        build(&RUNTIME, &Source::component("action.wasm", bytes), &LIMITS).expect_err("it is refused");
    error.to_string().strip_prefix("action.wasm: ").expect("of the file").to_owned()
}

fn import(name: &str, content: &str) -> String {
    component(&format!("(import \"{name}\" {content})"), "string")
}

#[test]
fn a_good_one_is_accepted() {
    let bytes = wat::parse_str(component("", "string")).expect("WebAssembly");
    build(&RUNTIME, &Source::component("action.wasm", bytes), &LIMITS).expect("it builds");
    // One that was built for an earlier 0.1, which had fewer functions.
    let old = import(
        "postern:actions/session@0.1.0",
        "(instance (export \"set-expires-at\" (func (param \"absolute\" f64) (result (result (error string))))))",
    );
    let bytes = wat::parse_str(old).expect("WebAssembly");
    build(&RUNTIME, &Source::component("action.wasm", bytes), &LIMITS).expect("it builds");
}

#[test]
fn an_import_that_is_not_there_is_named() {
    let said = refused(&import("wasi:cli/environment@0.2.0", "(instance)"));
    assert_eq!(
        said,
        "it imports `wasi:cli/environment@0.2.0`; an Action can only import postern:actions/* (build it without WASI: \
         for wasm32-unknown-unknown, or with `componentize-py --stub-wasi`)"
    );
    let said = refused(&import("postern:actions/nothing@0.1.0", "(instance (export \"f\" (func)))"));
    assert!(
        said.starts_with(
            "it imports `postern:actions/nothing@0.1.0`, which is unknown; there are `access`, "
        ),
        "{said}"
    );
    let said = refused(&import("postern:actions/user@9.0.0", "(instance (export \"f\" (func)))"));
    assert_eq!(said, "it imports `postern:actions/user@9.0.0`; this server has version 0.1.0");
    let said = refused(&import("postern:actions/user@0.1.0", "(instance (export \"f\" (func)))"));
    assert_eq!(
        said,
        "it imports `f` of `postern:actions/user@0.1.0`, which is unknown; there are `set-app-metadata`, \
         `set-user-metadata`"
    );
}

#[test]
fn an_import_that_is_no_interface_is_named() {
    assert_eq!(
        refused(&import("postern:actions/user@0.1.0", "(func)")),
        "it imports `postern:actions/user@0.1.0`, but not as an interface"
    );
    assert_eq!(
        refused(&import("x", "(func)")),
        "it imports `x`; an Action can only import postern:actions/*"
    );
}

#[test]
fn many_instances_of_a_core_module_are_refused() {
    let many = "(core instance (instantiate $N))".repeat(8);
    let said = refused(&component(&format!("(core module $N) {many}"), "string"));
    assert_eq!(said, "more than 8 instances of core modules");
}

#[test]
fn an_import_of_another_type_is_shown_beside_the_right_one() {
    let said = refused(&import(
        "postern:actions/session@0.1.0",
        "(instance (export \"set-expires-at\" (func (param \"absolute\" string) (result (result (error string))))))",
    ));
    assert_eq!(
        said,
        "it imports `set-expires-at` of `postern:actions/session@0.1.0` with another type: it has \
         `func(absolute: string) -> result<_, string>`, and it is `func(absolute: f64) -> result<_, string>`"
    );
}

#[test]
fn an_export_that_is_missing_or_of_another_type_is_named() {
    let said = refused("(component)");
    assert_eq!(
        said,
        "it does not export `on-execute-post-login: func(event: string) -> result<_, string>`; it exports nothing"
    );
    let said = refused(&component("", "string").replace("\"on-execute-post-login\"", "\"on-execute\""));
    assert!(said.ends_with("it exports `on-execute`"), "{said}");
    let said = refused(&component("", "u32"));
    assert_eq!(
        said,
        "its export `on-execute-post-login` has another type: it is `func(event: u32) -> result<_, string>`, and must \
         be `func(event: string) -> result<_, string>`"
    );
    let said = refused(&component("", "string").replace(
        "(func (export \"on-execute-post-login\")",
        "(instance (export \"on-continue-post-login\")) (func (export \"on-execute-post-login\")",
    ));
    assert!(said.starts_with("its export `on-continue-post-login` is no function"), "{said}");
}

#[test]
fn a_module_that_cannot_become_a_component_says_why() {
    for untyped in ["(module)", "(module (func (export \"on-execute-post-login\")))"] {
        assert_eq!(
            refused(untyped),
            "a core Wasm module; a component is needed, or a module that bindings of WIT are linked to"
        );
    }
    // The sample's bindings, and other functions than they ask for.
    let whole = crate::c_component::build(&crate::common::c_sample());
    let mut typed = b"\0asm\x01\0\0\0".to_vec();
    typed.extend(custom_sections(&whole));
    let error = build(&RUNTIME, &Source::component("action.wasm", typed), &LIMITS).expect_err("no handler");
    let said = error.to_string();
    assert!(said.contains("and it cannot become one: ") && said.contains("on-execute-post-login"), "{said}");
}

/// The sections that are no code, as they are.
fn custom_sections(module: &[u8]) -> Vec<u8> {
    let (mut sections, mut at) = (Vec::new(), 8);
    while at < module.len() {
        let (begins, id) = (at, module[at]);
        at += 1;
        let (mut size, mut shift) = (0, 0);
        loop {
            let byte = module[at];
            at += 1;
            size |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                break;
            }
        }
        at += size;
        if id == 0 {
            sections.extend(&module[begins..at]);
        }
    }
    sections
}

/// Bytes that are not as a compiler writes them.
#[test]
fn no_damage_makes_it_panic_and_what_still_builds_imports_nothing_else() {
    let whole = crate::c_component::build(&crate::common::c_sample());
    let types =
        whole.windows(14).position(|window| window == b"component-type").expect("the bindings' section");
    for at in (types..whole.len()).step_by(23) {
        for change in [0x01, 0x80, 0xff] {
            let mut damaged = whole.clone();
            damaged[at] ^= change;
            if let Ok(artifact) = build(&RUNTIME, &Source::component("action.wasm", damaged), &LIMITS) {
                let powers = action_build::powers(&artifact).expect("of this package").expect("a component");
                assert!(powers.iter().all(|power| ["clock", "session"].contains(&power.interface.as_str())));
            }
        }
    }
}

#[test]
fn a_type_that_grows_with_each_of_its_names_is_refused_in_time() {
    let mut types = "(type $t0 (tuple u8 u8))".to_owned();
    for depth in 1..18 {
        let before = depth - 1;
        types.push_str(&format!("(type $t{depth} (tuple $t{before} $t{before}))"));
    }
    let began = std::time::Instant::now();
    let said = refused(&import(
        "postern:actions/clock@0.1.0",
        &format!("(instance {types} (export \"now\" (func (param \"x\" $t17) (result s64))))"),
    ));
    assert!(
        said.contains("`now` of `postern:actions/clock@0.1.0` with another type") && said.len() < 5_000,
        "{said}"
    );
    assert!(began.elapsed() < std::time::Duration::from_secs(10), "{:?}", began.elapsed());
}
