//! Compiles the JS engine (QuickJS-ng and `actions/js-engine/shim.c`) to a core Wasm module and splits it in two: the
//! code, which all scripts share, and the memory that it starts with.
//!
//! The C sources of QuickJS-ng come inside the registry package `rquickjs-sys`, whose checksum `Cargo.lock` pins. That
//! package is never compiled: its dependency entry is for no target at all.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// `shim.c` includes the fourth, `quickjs.c`, and its own parts.
const SOURCES: [&str; 3] = ["libregexp.c", "libunicode.c", "dtoa.c"];
/// The shadow stack. The native stack that Wasm code has is 512 KiB: JavaScript meets that limit first (`script.rs`).
const STACK_BYTES: u32 = 512 * 1024;
const INITIAL_MEMORY_BYTES: u32 = 1 << 20;
/// No script can ever have more, whatever its limits say.
const MAX_MEMORY_BYTES: u32 = 256 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let manifest = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let shim = manifest.join("../../actions/js-engine/shim.c");
    println!("cargo::rerun-if-changed={}", shim.display());
    for part in ["event.c", "host.c"] {
        println!("cargo::rerun-if-changed={}", shim.with_file_name(part).display());
    }
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=WASI_SDK_PATH");
    println!("cargo::rustc-env=ENGINE_STACK_BYTES={STACK_BYTES}");

    let quickjs = quickjs_sources(&manifest)?;
    fs::write(out.join("quickjs.c"), changed(&fs::read_to_string(quickjs.join("quickjs.c"))?)?)?;
    let engine = out.join("engine.wasm");
    compile(&quickjs, &out, &shim, &engine)?;
    let (code, memory) =
        split(&fs::read(&engine)?).ok_or("the linker wrote a module that this script cannot split")?;
    fs::write(out.join("engine-code.wasm"), code)?;
    fs::write(out.join("engine-memory.wasm"), memory)?;
    Ok(())
}

/// The folder of QuickJS-ng's sources inside the package `rquickjs-sys`.
fn quickjs_sources(manifest: &Path) -> Result<PathBuf, Box<dyn Error>> {
    // Without `--offline`: a clean clone may not have fetched a package that no target compiles.
    let output = Command::new(env::var("CARGO")?)
        .args(["metadata", "--format-version", "1", "--locked", "--manifest-path"])
        .arg(manifest.join("Cargo.toml"))
        .output()?;
    if !output.status.success() {
        return Err(format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let path = metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|package| package["name"] == "rquickjs-sys")
        .and_then(|package| package["manifest_path"].as_str())
        .ok_or("Cargo.lock has no package rquickjs-sys")?;
    Ok(Path::new(path).with_file_name("quickjs"))
}

/// Changes QuickJS. So that the fuel limit names the line of an endless loop, a loop has a position of its own
/// (`set_eval_ret_undefined` is called at each), and a jump that is interrupted is at its target; unchanged, the
/// statement before the loop is named. A property that is made when it is first read may be one of the shim's;
/// what makes it may be a function in JavaScript, which may change the object that has the property.
///
/// And a run writes to as few pages of its image as can be, for each is copied: what the image holds counts no
/// references any more, and what the run makes lies in small arenas of its own (`seal` in `shim.c`).
fn changed(source: &str) -> Result<String, String> {
    let mut changed = source.to_owned();
    for (old, new) in [
        (
            "#define JS_GC_TYPE(p) ",
            "#define JS_IMMORTAL (1 << 30)\n\
             static inline int js_add_ref(const void *p) {\n    int *count = &JS_REF_COUNT(p);\n    \
             return *count >= JS_IMMORTAL ? *count : ++*count;\n}\n\
             static inline int js_drop_ref(const void *p) {\n    int *count = &JS_REF_COUNT(p);\n    \
             return *count >= JS_IMMORTAL ? *count : --*count;\n}\n#define JS_GC_TYPE(p) ",
        ),
        (
            "#define JS_ARENA_SIZE              4096",
            "static size_t js_arena_size = 4096;\n#define JS_ARENA_SIZE js_arena_size",
        ),
        ("--JS_REF_COUNT(", "js_drop_ref("),
        ("JS_REF_COUNT(str)--;", "js_drop_ref(str);"),
        ("JS_REF_COUNT(p)++;", "js_add_ref(p);"),
        ("JS_REF_COUNT(s)++;", "js_add_ref(s);"),
        ("JS_REF_COUNT(b)++;", "js_add_ref(b);"),
        ("JS_REF_COUNT(sh)++;", "js_add_ref(sh);"),
        ("JS_REF_COUNT(ctx)++;", "js_add_ref(ctx);"),
        ("JS_REF_COUNT(var_ref)++;", "js_add_ref(var_ref);"),
        ("JS_REF_COUNT(sf->cur_gc_obj)++;", "js_add_ref(sf->cur_gc_obj);"),
        (
            "static void set_eval_ret_undefined(JSParseState *s)\n{\n",
            "static void set_eval_ret_undefined(JSParseState *s)\n{\n    emit_source_loc(s);\n",
        ),
        // What is thrown is at the instruction before `pc`.
        ("if (unlikely(js_poll_interrupts(ctx)))", "if (unlikely(js_poll_interrupts(ctx)) && pc++)"),
        (
            "    switch ((uintptr_t)opaque) {\n    default:\n        abort();\n    case JS_BUILTIN_ARRAY_FROMASYNC:",
            "    JSValue read_unread(JSContext *, void *);\n    switch ((uintptr_t)opaque) {\n    default:\n        \
             return read_unread(ctx, opaque);\n    case JS_BUILTIN_ARRAY_FROMASYNC:",
        ),
        (
            "    val = func(realm, p, prop, pr->u.init.opaque);\n",
            "    val = func(realm, p, prop, pr->u.init.opaque);\n    prs = find_own_property(&pr, p, prop);\n    \
             if (!prs || (prs->flags & JS_PROP_TMASK) != JS_PROP_AUTOINIT) {\n        if (JS_IsException(val))\n            \
             return -1;\n        JS_FreeValue(ctx, val);\n        return 0;\n    }\n",
        ),
        // What needs no escape in JSON is taken over as it is.
        (
            "    for(i = 0; i < p->len; ) {\n        c = string_getc(p, &i);\n        switch(c) {\n        case '\\t':",
            "    for(i = 0; i < p->len; ) {\n        if (!p->is_wide_char) {\n            int from = i;\n            \
             while (i < p->len && str8(p)[i] >= 32 && str8(p)[i] != '\\\"' && str8(p)[i] != '\\\\')\n                \
             i++;\n            if (i > from && string_buffer_write8(b, str8(p) + from, i - from))\n                \
             goto fail;\n            if (i == p->len)\n                break;\n        }\n        \
             c = string_getc(p, &i);\n        switch(c) {\n        case '\\t':",
        ),
    ] {
        if !changed.contains(old) {
            return Err(format!("quickjs.c is not as this script expects it: it has no {old:?}"));
        }
        changed = changed.replace(old, new);
    }
    Ok(changed)
}

fn compile(quickjs: &Path, changed: &Path, shim: &Path, output: &Path) -> Result<(), Box<dyn Error>> {
    let missing = "the C toolchain for Wasm is missing: apt-get install -y clang lld wasi-libc libclang-rt-14-dev-wasm32 \
                   (libclang-rt-*-dev-wasm32 of your clang's version), or set WASI_SDK_PATH";
    let mut clang = match env::var_os("WASI_SDK_PATH") {
        Some(sdk) => {
            let sdk = PathBuf::from(sdk);
            let mut clang = Command::new(sdk.join("bin/clang"));
            clang.arg("--sysroot").arg(sdk.join("share/wasi-sysroot"));
            clang
        }
        None => Command::new("clang"),
    };
    clang.args(["--target=wasm32-wasi", "-O2", "-mexec-model=reactor", "-D_GNU_SOURCE", "-DNDEBUG", "-w"]);
    clang.args(["-D_WASI_EMULATED_PROCESS_CLOCKS", "-D_WASI_EMULATED_SIGNAL"]);
    clang.args(["-lwasi-emulated-process-clocks", "-lwasi-emulated-signal"]);
    clang.args(["-Wl,--import-memory", "-Wl,--stack-first", "-Wl,--strip-debug"]);
    clang.arg(format!("-Wl,-z,stack-size={STACK_BYTES}"));
    clang.arg(format!("-Wl,--initial-memory={INITIAL_MEMORY_BYTES}"));
    clang.arg(format!("-Wl,--max-memory={MAX_MEMORY_BYTES}"));
    clang.arg("-I").arg(changed).arg("-I").arg(quickjs);
    clang.args(SOURCES.map(|source| quickjs.join(source)));
    clang.arg(shim).arg("-o").arg(output);
    let result = clang.output().map_err(|error| format!("{missing} ({error})"))?;
    if !result.status.success() {
        return Err(format!("{missing}\n{}", String::from_utf8_lossy(&result.stderr)).into());
    }
    Ok(())
}

/// Splits the linked module: all but its start, data and custom sections; and a module with only a memory and the data.
///
/// The start section goes too: it would zero `.bss` of an imported memory, which wipes a saved image.
fn split(wasm: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    const CUSTOM: u8 = 0;
    const START: u8 = 8;
    const DATA: u8 = 11;
    const DATA_COUNT: u8 = 12;
    let mut code = wasm.get(..8)?.to_vec();
    let mut memory = code.clone();
    // One memory: minimum and maximum in pages of 64 KiB. Exported as "memory".
    let mut limits = vec![1, 1];
    leb128(&mut limits, INITIAL_MEMORY_BYTES >> 16);
    leb128(&mut limits, MAX_MEMORY_BYTES >> 16);
    section(&mut memory, 5, &limits);
    section(&mut memory, 7, b"\x01\x06memory\x02\x00");

    let mut at = 8;
    while at < wasm.len() {
        let id = *wasm.get(at)?;
        let (length, header) = read_leb128(wasm.get(at + 1..)?)?;
        let end = at + 1 + header + length;
        let body = wasm.get(at + 1 + header..end)?;
        match id {
            CUSTOM | START | DATA_COUNT => {}
            DATA => section(&mut memory, DATA, body),
            _ => section(&mut code, id, body),
        }
        at = end;
    }
    Some((code, memory))
}

fn section(module: &mut Vec<u8>, id: u8, body: &[u8]) {
    module.push(id);
    leb128(module, body.len() as u32);
    module.extend_from_slice(body);
}

fn leb128(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The value and how many bytes it took.
fn read_leb128(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0;
    for (index, byte) in bytes.iter().take(5).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, index + 1));
        }
    }
    None
}
