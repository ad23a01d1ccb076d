//! Checks of an uploaded component before anything compiles it (`security-checklist.md`, section 3, HD).

use std::borrow::Cow;

use wasmparser::{Encoding, Parser, Payload, Validator, WasmFeatures};
use wit_component::ComponentEncoder;

use crate::world::{self, Power};

/// The section in which bindings say what a module imports and exports. More follows in its name.
const TYPE: &str = "component-type";

/// The most bytes that a component may have, unless it is made of linked libraries.
const MAX_COMPONENT_BYTES: u64 = 4 << 20;
const MAX_LOCALS: u64 = 2_000;
const MAX_FUNCTIONS: u64 = 20_000;
const MAX_NESTING: u32 = 4;

/// What a component may have.
struct Sizes {
    bytes: u64,
    body_bytes: usize,
    modules: u32,
    /// Instances that it makes as it is written. Each may be of a component that makes more, so what the compiler takes in
    /// grows with the power of the nesting.
    instances: u32,
    /// Of these, instances of core modules. The others name what is there already.
    core_instances: u32,
}

const USUAL: Sizes =
    Sizes { bytes: MAX_COMPONENT_BYTES, body_bytes: 64 << 10, modules: 8, instances: 64, core_instances: 8 };

impl Sizes {
    /// Of this component. One that carries an interpreter with its libraries, as componentize-py makes, has a limit of its
    /// own. Its modules say that they are to be linked, by a section `dylink.0`.
    fn of(bytes: &[u8], linked_bytes: u64) -> Self {
        let is_linked = bytes.len() as u64 > USUAL.bytes || parts(bytes) > USUAL.modules;
        if is_linked && is_made_of_libraries(bytes) {
            Self {
                bytes: linked_bytes.max(USUAL.bytes),
                body_bytes: 512 << 10,
                modules: 96,
                instances: 256,
                core_instances: 128,
            }
        } else {
            USUAL
        }
    }
}

fn parts(bytes: &[u8]) -> u32 {
    let payloads = Parser::new(0).parse_all(bytes).map_while(Result::ok);
    let modules = payloads.filter(|payload| {
        matches!(payload, Payload::ModuleSection { .. } | Payload::ComponentSection { .. })
    });
    u32::try_from(modules.count()).unwrap_or(u32::MAX)
}

fn is_made_of_libraries(bytes: &[u8]) -> bool {
    let mut payloads = Parser::new(0).parse_all(bytes).map_while(Result::ok);
    payloads.any(|payload| matches!(payload, Payload::CustomSection(section) if section.name() == "dylink.0"))
}

/// A component, made of a core module where that is what a compiler yields.
pub(crate) fn from_module(bytes: &[u8]) -> Result<Cow<'_, [u8]>, String> {
    if bytes.len() as u64 > MAX_COMPONENT_BYTES
        || !matches!(
            Parser::new(0).parse_all(bytes).next(),
            Some(Ok(Payload::Version { encoding: Encoding::Module, .. }))
        )
    {
        return Ok(Cow::Borrowed(bytes));
    }
    sizes(bytes, &USUAL)?;
    let mut payloads = Parser::new(0).parse_all(bytes).map_while(Result::ok);
    let is_typed =
        |payload| matches!(payload, Payload::CustomSection(section) if section.name().starts_with(TYPE));
    if !payloads.any(is_typed) {
        return Err(
            "a core Wasm module; a component is needed, or a module that bindings of WIT are linked to"
                .into(),
        );
    }
    let encoded = ComponentEncoder::default().validate(true).module(bytes).and_then(|all| all.encode());
    encoded.map(Cow::Owned).map_err(|error| {
        format!("a core Wasm module; a component is needed, and it cannot become one: {error:#}")
    })
}

fn invalid(error: wasmparser::BinaryReaderError) -> String {
    format!("not a valid component: {error}")
}

/// Refuses what is no component of the worlds, or could not be compiled cheaply. `linked_bytes` is the most that one made
/// of linked libraries may have.
pub(crate) fn check(bytes: &[u8], linked_bytes: u64) -> Result<Vec<Power>, String> {
    let most = Sizes::of(bytes, linked_bytes);
    if bytes.len() as u64 > most.bytes {
        return Err(format!("{} bytes; the most is {}", bytes.len(), most.bytes));
    }
    match Parser::new(0).parse_all(bytes).next() {
        Some(Ok(Payload::Version { encoding: Encoding::Component, .. })) => {}
        Some(Ok(_)) => return Err("a core Wasm module; a component is needed".into()),
        _ => return Err("not a Wasm component".into()),
    }
    sizes(bytes, &most)?;
    // What compilers use without being told. Additions in constants are for what is linked when it is instantiated.
    let features = WasmFeatures::WASM2 | WasmFeatures::EXTENDED_CONST | WasmFeatures::COMPONENT_MODEL;
    Validator::new_with_features(features)
        .validate_all(bytes)
        .map_err(|error| format!("not a valid component: {error}"))?;
    world::check(bytes)
}

/// Limits on what a compiler would have to take in.
fn sizes(bytes: &[u8], most: &Sizes) -> Result<(), String> {
    let (mut depth, mut modules, mut functions) = (0_u32, 0_u32, 0_u64);
    let (mut instances, mut core_instances) = (0_u32, 0_u32);
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(invalid)? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                depth += 1;
                modules += 1;
                if depth > MAX_NESTING || modules > most.modules {
                    return Err("too many modules inside".into());
                }
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::InstanceSection(section) => {
                instances = instances.saturating_add(section.count());
                for instance in section {
                    if matches!(instance.map_err(invalid)?, wasmparser::Instance::Instantiate { .. }) {
                        core_instances += 1;
                    }
                }
            }
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
                if body.as_bytes().len() > most.body_bytes {
                    return Err(format!("a function of more than {} bytes", most.body_bytes));
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
        if instances > most.instances {
            return Err(format!("more than {} instances", most.instances));
        }
        if core_instances > most.core_instances {
            return Err(format!("more than {} instances of core modules", most.core_instances));
        }
    }
    Ok(())
}
