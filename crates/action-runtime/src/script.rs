//! Scripts: making the memory that an image holds, and running an image.

use std::collections::BTreeMap;

use action_api::{Handler, Limits, RunError};
use wasmtime::{Module, Store};

use crate::config::MAX_WASM_STACK;
use crate::engine::{JsEngine, Running, STACK_BYTES, length};
use crate::functions::Randomness;
use crate::host::Host;
use crate::operations::Source;
use crate::outcome::{self, State};
use crate::prelude;
use crate::record::Reply;
use crate::runtime::RunInput;

/// A script with the modules that it requires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptPackage<'a> {
    /// The name in positions, as `action.js`.
    pub file: &'a str,
    /// JavaScript, the body of a CommonJS function. Its first line is line 0 in positions: the author's is the second.
    pub code: &'a str,
    /// Path relative to the script's folder, with `/`, to content: JavaScript as in `code`, or JSON for names in `.json`.
    pub modules: &'a BTreeMap<String, String>,
    /// The code tells where it is (`trace.rs` of action-build), for [`crate::Runtime::trace`].
    pub traced: bool,
}

/// The memory of the engine after a script's top level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluated {
    /// All of linear memory.
    pub memory: Vec<u8>,
    /// The top level reads the clock or randomness, so it is in the image as source and runs at each login.
    pub evaluated_at_login: bool,
}

/// How much of the shadow stack JavaScript may use when Wasm code has this much native stack. Measured: calls of any kind
/// then end in a `RangeError` with a position (at about 390 deep) before the native stack does; at half they trap. Deep
/// nesting in the engine's parsers uses more native stack for the same shadow stack and still traps.
fn shadow_stack(limits: &Limits) -> u32 {
    let native = usize::try_from(limits.stack_bytes).unwrap_or(usize::MAX).min(MAX_WASM_STACK);
    u32::try_from((native / 4).min(STACK_BYTES * 3 / 4)).unwrap_or(u32::MAX)
}

/// Evaluates a script's top level under the limits.
pub(crate) fn evaluate(
    engine: &wasmtime::Engine,
    js: &JsEngine,
    package: &ScriptPackage<'_>,
    limits: &Limits,
) -> Result<Evaluated, RunError> {
    let sources = [package.code].into_iter().chain(package.modules.values().map(String::as_str));
    let json = serde_json::json!({
        "file": package.file, "code": package.code, "modules": package.modules,
        "mentions": prelude::mentions(sources),
    });
    let json = json.to_string();
    let compiled = compile(engine, js, &json, limits).map_err(host_error)??;
    let (loaded, memory, touched) =
        load(engine, js, &compiled, (false, package.traced), limits).map_err(host_error)?;
    match loaded {
        Ok(_) if !touched => return Ok(Evaluated { memory, evaluated_at_login: false }),
        Ok(_) => {}
        // What the script does once it knows the time is decided at the login. A loop is endless there too.
        Err(RunError::Exception { .. }) if touched => {}
        Err(error) => return Err(error),
    }
    let (loaded, memory, _) =
        load(engine, js, &compiled, (true, package.traced), limits).map_err(host_error)?;
    loaded.map(|_| Evaluated { memory, evaluated_at_login: true })
}

fn host_error(error: wasmtime::Error) -> RunError {
    RunError::Host { message: format!("{error:#}") }
}

/// Compiles the package in an engine that is thrown away: what the parser leaves behind is in no image.
fn compile(
    engine: &wasmtime::Engine,
    js: &JsEngine,
    json: &str,
    limits: &Limits,
) -> wasmtime::Result<Result<Vec<u8>, RunError>> {
    let mut store = crate::host::store(engine, Host::new(limits, 0, &[0; 32], Source::Nothing))?;
    let running = js.boot(&mut store)?;
    let mut place = 0;
    let compiled = running.write(&mut store, &[json.as_bytes()]).and_then(|at| {
        let parameters = (at, length(json.as_bytes())?, shadow_stack(limits));
        place = running.func::<(u32, u32, u32), u64>(&mut store, "compile")?.call(&mut store, parameters)?;
        Ok(if place == 0 { outcome::THREW } else { outcome::DONE })
    });
    Ok(outcome::of_script(compiled, store.data_mut()).and_then(|_| {
        let bytes = running.compiled(&store, place);
        bytes.ok_or_else(|| RunError::Host { message: "no bytecode".into() })
    }))
}

/// Loads a compiled package into a fresh engine. The answer: how it went, the memory, and whether clock or randomness was read.
fn load(
    engine: &wasmtime::Engine,
    js: &JsEngine,
    compiled: &[u8],
    (deferred, traced): (bool, bool),
    limits: &Limits,
) -> wasmtime::Result<(Result<State, RunError>, Vec<u8>, bool)> {
    // The same source must give the same image, so clock and seed are constant here.
    let mut store = crate::host::store(engine, Host::new(limits, 0, &[0; 32], Source::Nothing))?;
    let running = js.boot(&mut store)?;
    if traced {
        running.func::<(), ()>(&mut store, "trace")?.call(&mut store, ())?;
    }
    let loaded = match running.write(&mut store, &[compiled]) {
        Ok(at) => {
            let parameters = (at, length(compiled)?, i32::from(deferred), shadow_stack(limits));
            running.func::<(u32, u32, i32, u32), i32>(&mut store, "load")?.call(&mut store, parameters)
        }
        Err(error) => Err(error),
    };
    let mut loaded = outcome::of_script(loaded, store.data_mut());
    if loaded.is_ok() && !store.data().commands.is_empty() {
        loaded = Err(RunError::Refused { message: "a command was given outside of the handler".into() });
    }
    let mut memory = Vec::new();
    if loaded.is_ok() {
        store.set_fuel(u64::MAX)?;
        running.func::<(), ()>(&mut store, "settle")?.call(&mut store, ())?;
        memory.extend_from_slice(running.memory(&store));
        memory.get_mut(..STACK_BYTES).unwrap_or_default().fill(0);
    }
    Ok((loaded, memory, store.data().touched))
}

/// Calls the handler of an image. The sandbox, for the parts after this one.
pub(crate) fn run(
    store: &mut Store<Host>,
    js: &JsEngine,
    image: &Module,
    seed: &[u8; 32],
    input: &RunInput,
) -> Result<(Running, State), RunError> {
    let limits = store.data().limits;
    let running = js.instantiate(store, image).map_err(|error| outcome::of_trap(&error, store.data()))?;
    let answer = (|| {
        // Math.random shows its state to who looks long enough: it must not be what else comes of the seed.
        let mut state = [0; 32];
        Randomness::new(seed, "Math.random").fill(&mut state);
        let event = input.event.as_bytes();
        let at = running.write(store, &[&state, event])?;
        let continues = i32::from(input.handler == Handler::Continue);
        let parameters = (at, length(event)?, continues, shadow_stack(&limits));
        running.func::<(u32, u32, i32, u32), i32>(store, "run")?.call(&mut *store, parameters)
    })();
    Ok((running, outcome::of_script(answer, store.data_mut())?))
}

/// Gives a run that waits the answer of an operation.
pub(crate) fn resume(
    store: &mut Store<Host>,
    running: &Running,
    id: u32,
    reply: &Reply,
) -> Result<State, RunError> {
    let limits = store.data().limits;
    let (ok, bytes) = match reply {
        Reply::Json(json) => (1, json.as_bytes()),
        Reply::Error(text) => (0, text.as_bytes()),
    };
    let answer = (|| {
        let at = running.write(store, &[bytes])?;
        let parameters = (id, ok, at, length(bytes)?, shadow_stack(&limits));
        running.func::<(u32, i32, u32, u32, u32), i32>(store, "resume")?.call(&mut *store, parameters)
    })();
    outcome::of_script(answer, store.data_mut())
}
