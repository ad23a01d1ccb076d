//! Checks of an uploaded component before anything compiles it (`security-checklist.md`, section 3, HD).

use wasmparser::{ComponentExternalKind, Encoding, Parser, Payload, Validator, WasmFeatures};

/// The most bytes that a component may have.
pub const MAX_COMPONENT_BYTES: u64 = 4 << 20;
const MAX_BODY_BYTES: usize = 64 << 10;
const MAX_LOCALS: u64 = 2_000;
const MAX_FUNCTIONS: u64 = 20_000;
const MAX_MODULES: u32 = 8;
const MAX_NESTING: u32 = 4;
/// Instances that a component makes as it is written. Each may be of a component that makes more, so what the compiler
/// takes in grows with the power of the nesting.
const MAX_INSTANCES: u32 = 64;
/// The only things that a component can ask for.
const IMPORTS: &str = "postern:actions/";
const HANDLER: &str = "on-execute-post-login";

/// Refuses what is no component of the world `post-login`, or could not be compiled cheaply.
pub(crate) fn check(bytes: &[u8]) -> Result<(), String> {
    if bytes.len() as u64 > MAX_COMPONENT_BYTES {
        return Err(format!("{} bytes; the most is {MAX_COMPONENT_BYTES}", bytes.len()));
    }
    match Parser::new(0).parse_all(bytes).next() {
        Some(Ok(Payload::Version { encoding: Encoding::Component, .. })) => {}
        Some(Ok(_)) => return Err("a core Wasm module; a component is needed".into()),
        _ => return Err("not a Wasm component".into()),
    }
    sizes(bytes)?;
    let features = WasmFeatures::WASM1
        | WasmFeatures::BULK_MEMORY
        | WasmFeatures::REFERENCE_TYPES
        | WasmFeatures::SIMD
        | WasmFeatures::COMPONENT_MODEL;
    Validator::new_with_features(features)
        .validate_all(bytes)
        .map(|_| ())
        .map_err(|error| format!("not a valid component: {error}"))
}

/// Limits on what a compiler would have to take in, and the imports and exports of the outermost component.
fn sizes(bytes: &[u8]) -> Result<(), String> {
    let invalid = |error: wasmparser::BinaryReaderError| format!("not a valid component: {error}");
    let (mut depth, mut modules, mut functions, mut handler) = (0_u32, 0_u32, 0_u64, false);
    let mut instances = 0_u32;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(invalid)? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                depth += 1;
                modules += 1;
                if depth > MAX_NESTING || modules > MAX_MODULES {
                    return Err("too many modules inside".into());
                }
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(imports) if depth == 0 => {
                for import in imports {
                    let name = import.map_err(invalid)?.name.name;
                    if !name.starts_with(IMPORTS) {
                        return Err(format!("it imports `{name}`; an Action can only import {IMPORTS}*"));
                    }
                }
            }
            Payload::ComponentExportSection(exports) if depth == 0 => {
                for export in exports {
                    let export = export.map_err(invalid)?;
                    handler |= export.name.name == HANDLER && export.kind == ComponentExternalKind::Func;
                }
            }
            Payload::InstanceSection(section) => instances = instances.saturating_add(section.count()),
            Payload::ComponentInstanceSection(section) => {
                instances = instances.saturating_add(section.count());
            }
            Payload::MemorySection(memories) if memories.count() > 1 => {
                return Err("more than one memory".into());
            }
            Payload::FunctionSection(section) => {
                functions += u64::from(section.count());
                if functions > MAX_FUNCTIONS {
                    return Err(format!("more than {MAX_FUNCTIONS} functions"));
                }
            }
            Payload::CodeSectionEntry(body) => {
                if body.as_bytes().len() > MAX_BODY_BYTES {
                    return Err(format!("a function of more than {MAX_BODY_BYTES} bytes"));
                }
                let mut locals = 0;
                for local in body.get_locals_reader().map_err(invalid)? {
                    locals += u64::from(local.map_err(invalid)?.0);
                }
                if locals > MAX_LOCALS {
                    return Err(format!("a function with more than {MAX_LOCALS} locals"));
                }
            }
            _ => {}
        }
        if instances > MAX_INSTANCES {
            return Err(format!("more than {MAX_INSTANCES} instances"));
        }
    }
    if handler { Ok(()) } else { Err(format!("it does not export `{HANDLER}`")) }
}
