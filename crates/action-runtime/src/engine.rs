//! The JS engine: its code, the memory that it starts with, and its imports.

use std::collections::BTreeMap;
use std::sync::Arc;

use action_api::ConsoleLevel;
use wasmtime::component::Component;
use wasmtime::{AsContextMut, Caller, Engine, Extern, Instance, Linker, Memory, Module, Store, TypedFunc};

use crate::RuntimeError;
use crate::cache::{CodeCache, sha256_hex};
use crate::functions::{self, Inputs};
use crate::host::{Answer, Host, charge};
use crate::outcome;
use crate::prelude::{self, Prelude};
use crate::trace;

static CODE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/engine-code.wasm"));
static START_MEMORY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/engine-memory.wasm"));
/// Free heap in an image, so that a usual run need not grow its memory.
const RUN_HEAP_BYTES: u32 = 768 << 10;
/// How much of the memory's beginning is the shadow stack. It holds nothing while no export runs.
pub const STACK_BYTES: usize = {
    let (digits, mut value, mut at) = (env!("ENGINE_STACK_BYTES").as_bytes(), 0, 0);
    while at < digits.len() {
        value = value * 10 + (digits[at] - b'0') as usize;
        at += 1;
    }
    value
};

/// WASI's "bad file descriptor".
const EBADF: i32 = 8;
/// What the shim takes as the end of the run.
pub(crate) const OVER_LIMIT: i32 = -1;
/// The most of an error's name or stack that is kept, in bytes.
const TEXT_BYTES: usize = 16 << 10;

pub(crate) struct JsEngine {
    /// Names the engine and its prelude: an image fits only the one that made it.
    pub(crate) digest: String,
    code: Module,
    start_memory: Module,
    linker: Linker<Host>,
    /// The imports in the code's order; `None` is the memory.
    imports: Vec<Option<(String, String)>>,
    prelude: Arc<Prelude>,
}

/// The engine on one memory.
#[derive(Clone, Copy)]
pub(crate) struct Running {
    instance: Instance,
    memory: Memory,
}

impl JsEngine {
    pub(crate) fn load(engine: &Engine, cache: &CodeCache) -> Result<Self, RuntimeError> {
        let digest = sha256_hex(
            format!("{} {} {}", sha256_hex(CODE), sha256_hex(START_MEMORY), prelude::digest()).as_bytes(),
        );
        let compiled = cache.get(engine, &sha256_hex(CODE), || Ok(engine.precompile_module(CODE)?))?;
        let code = deserialize(engine, &compiled)?;
        let start_memory = Module::new(engine, START_MEMORY)?;
        let imports = code
            .imports()
            .map(|import| {
                import.ty().memory().is_none().then(|| (import.module().to_owned(), import.name().to_owned()))
            })
            .collect();
        let none = Arc::new(Prelude { code: Vec::new(), parts: BTreeMap::new() });
        let linked = linker(engine, &none)?;
        let mut js = Self { digest, code, start_memory, linker: linked, imports, prelude: none };
        js.prelude = Prelude::load(engine, cache, &js)?;
        js.linker = linker(engine, &js.prelude)?;
        Ok(js)
    }

    /// Starts the engine afresh and evaluates the prelude. This is our own code: it runs without the script's limits.
    pub(crate) fn boot(&self, store: &mut Store<Host>) -> wasmtime::Result<Running> {
        let (fuel, limits) = (store.get_fuel()?, store.data().limits);
        store.set_fuel(u64::MAX)?;
        store.set_epoch_deadline(u64::MAX / 2);
        store.data_mut().limits.fuel = u64::MAX;
        let running = self.start(store)?;
        let prelude = &self.prelude.code;
        let at = running.write(store, &[prelude])?;
        let booted = running
            .func::<(u32, u32, u32), i32>(store, "boot")?
            .call(&mut *store, (at, length(prelude)?, RUN_HEAP_BYTES));
        outcome::of_script(booted, store.data_mut())
            .map_err(|error| wasmtime::Error::msg(format!("the prelude failed: {error}")))?;
        store.data_mut().limits = limits;
        store.data_mut().touched = false;
        store.set_fuel(fuel)?;
        store.set_epoch_deadline(crate::host::epoch_ticks(limits.wall_clock()));
        Ok(running)
    }

    /// The engine on a fresh memory. Nothing runs in it yet.
    pub(crate) fn start(&self, store: &mut Store<Host>) -> wasmtime::Result<Running> {
        let running = self.instantiate(store, &self.start_memory)?;
        running.func::<(), ()>(store, "_initialize")?.call(&mut *store, ())?;
        Ok(running)
    }

    /// Puts the engine on the memory of an image.
    pub(crate) fn instantiate(&self, store: &mut Store<Host>, image: &Module) -> wasmtime::Result<Running> {
        let image = Instance::new(&mut *store, image, &[])?;
        let memory = image
            .get_memory(&mut *store, "memory")
            .ok_or_else(|| wasmtime::Error::msg("the image has no memory"))?;
        store.data_mut().memory = Some(memory);
        let mut imports = Vec::with_capacity(self.imports.len());
        for import in &self.imports {
            imports.push(match import {
                None => Extern::Memory(memory),
                Some((module, name)) => self.linker.get(&mut *store, module, name)?,
            });
        }
        let instance = Instance::new(&mut *store, &self.code, &imports)?;
        Ok(Running { instance, memory })
    }
}

impl Running {
    pub(crate) fn func<P: wasmtime::WasmParams, R: wasmtime::WasmResults>(
        &self,
        store: &mut Store<Host>,
        name: &str,
    ) -> wasmtime::Result<TypedFunc<P, R>> {
        self.instance.get_typed_func(store, name)
    }

    /// Copies the parts, one after the other, into memory that the guest allocated.
    pub(crate) fn write(&self, store: &mut Store<Host>, parts: &[&[u8]]) -> wasmtime::Result<u32> {
        let total: usize = parts.iter().map(|part| part.len()).sum();
        let size = u32::try_from(total).map_err(|_| wasmtime::Error::msg("more than a guest can hold"))?;
        let at = self.func::<u32, u32>(store, "alloc")?.call(&mut *store, size)?;
        if at == 0 {
            // `malloc` answers NULL only when memory could not grow.
            store.data_mut().over.get_or_insert("memory_bytes");
            return Err(outcome::LimitReached.into());
        }
        let mut to = at as usize;
        for part in parts {
            self.memory.write(&mut *store, to, part)?;
            to += part.len();
        }
        Ok(at)
    }

    /// What an export that compiles answered: address << 32 | length, or 0.
    pub(crate) fn compiled(&self, store: &Store<Host>, place: u64) -> Option<Vec<u8>> {
        let (at, size) = ((place >> 32) as usize, place as u32 as usize);
        if at == 0 {
            return None;
        }
        self.memory(store).get(at..at.saturating_add(size)).map(<[u8]>::to_vec)
    }

    pub(crate) fn memory<'a>(&self, store: &'a Store<Host>) -> &'a [u8] {
        self.memory.data(store)
    }
}

pub(crate) fn length(bytes: &[u8]) -> wasmtime::Result<u32> {
    u32::try_from(bytes.len()).map_err(|_| wasmtime::Error::msg("more than a guest can hold"))
}

#[expect(
    unsafe_code,
    reason = "wasmtime trusts what it deserializes; the cache vouches for it (see cache.rs)"
)]
fn deserialize(engine: &Engine, compiled: &[u8]) -> wasmtime::Result<Module> {
    // SAFETY: `compiled` comes from `precompile_module` of this very engine, directly or by way of the cache, which
    // checks owner, mode and digest.
    unsafe { Module::deserialize(engine, compiled) }
}

#[expect(
    unsafe_code,
    reason = "wasmtime trusts what it deserializes; the cache vouches for it (see cache.rs)"
)]
pub(crate) fn deserialize_component(engine: &Engine, compiled: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: as above, from `precompile_component`.
    unsafe { Component::deserialize(engine, compiled) }
}

fn linker(engine: &Engine, prelude: &Arc<Prelude>) -> wasmtime::Result<Linker<Host>> {
    let mut linker = Linker::new(engine);
    linker.func_wrap("postern", "command", command)?;
    linker.func_wrap("postern", "console", console)?;
    linker.func_wrap("postern", "exception", exception)?;
    linker.func_wrap("postern", "interrupted", |mut caller: Caller<'_, Host>| -> wasmtime::Result<i32> {
        let left = caller.get_fuel()?;
        Ok(i32::from(caller.data_mut().budget_is_used_up(left)))
    })?;
    linker.func_wrap("postern", "randomness_read", |mut caller: Caller<'_, Host>| {
        caller.data_mut().touched = true
    })?;
    linker.func_wrap("postern", "random_bytes", random_bytes)?;
    linker.func_wrap("postern", "call", call)?;
    let parts = Arc::clone(prelude);
    linker.func_wrap(
        "postern",
        "part",
        move |mut caller: Caller<'_, Host>, name: u32, name_length: u32| -> wasmtime::Result<u32> {
            let name = slice(memory_of(&caller)?.data(&caller), name, name_length)?;
            let part = std::str::from_utf8(name).ok().and_then(|name| parts.parts.get(name));
            let part = part.ok_or_else(|| wasmtime::Error::msg("the prelude has no such part"))?;
            charge(&mut caller, part.len())?;
            caller.data_mut().answer.clone_from(part);
            length(part)
        },
    )?;
    linker.func_wrap(
        "postern",
        "answer",
        |mut caller: Caller<'_, Host>, to: u32| -> wasmtime::Result<()> {
            let answer = std::mem::take(&mut caller.data_mut().answer);
            Ok(memory_of(&caller)?.write(&mut caller, to as usize, &answer)?)
        },
    )?;
    crate::operations::link(&mut linker)?;
    trace::link(&mut linker)?;
    // The C library wants these of WASI. There are no files.
    let wasi = "wasi_snapshot_preview1";
    linker.func_wrap(wasi, "clock_time_get", clock_time_get)?;
    linker.func_wrap(wasi, "fd_close", |_: i32| EBADF)?;
    linker.func_wrap(wasi, "fd_fdstat_get", |_: i32, _: i32| EBADF)?;
    linker.func_wrap(wasi, "fd_seek", |_: i32, _: i64, _: i32, _: i32| EBADF)?;
    linker.func_wrap(wasi, "fd_write", |_: i32, _: i32, _: i32, _: i32| EBADF)?;
    Ok(linker)
}

/// The clock stands still but for what the run waits. The monotonic one is what passed since the run began. Reading either
/// ends what an image can hold.
fn clock_time_get(
    mut caller: Caller<'_, Host>,
    clock: i32,
    _precision: i64,
    result: i32,
) -> wasmtime::Result<i32> {
    const REALTIME: i32 = 0;
    let host = caller.data_mut();
    host.touched = true;
    let milliseconds =
        if clock == REALTIME { host.now_ms } else { host.now_ms.saturating_sub(host.began_ms) };
    let nanoseconds = u64::try_from(milliseconds).unwrap_or(0).saturating_mul(1_000_000);
    memory_of(&caller)?.write(&mut caller, result as u32 as usize, &nanoseconds.to_le_bytes())?;
    Ok(0)
}

fn command(
    mut caller: Caller<'_, Host>,
    json: u32,
    json_length: u32,
    error: u32,
    capacity: u32,
) -> wasmtime::Result<i32> {
    charge(&mut caller, json_length as usize)?;
    let memory = memory_of(&caller)?;
    let (data, host) = memory.data_and_store_mut(&mut caller);
    match host.command_json(slice(data, json, json_length)?) {
        Answer::Accepted => trace::command(&mut caller),
        Answer::OverLimit => Ok(OVER_LIMIT),
        Answer::Refused(message) => {
            let mut end = message.len().min(capacity as usize);
            while !message.is_char_boundary(end) {
                end -= 1;
            }
            memory.write(caller.as_context_mut(), error as usize, &message.as_bytes()[..end])?;
            Ok(i32::try_from(end)?)
        }
    }
}

fn console(mut caller: Caller<'_, Host>, level: u32, text: u32, text_length: u32) -> wasmtime::Result<i32> {
    charge(&mut caller, text_length as usize)?;
    let memory = memory_of(&caller)?;
    let (data, host) = memory.data_and_store_mut(&mut caller);
    let level = match level {
        0 => ConsoleLevel::Trace,
        1 => ConsoleLevel::Debug,
        3 => ConsoleLevel::Info,
        4 => ConsoleLevel::Warn,
        5 => ConsoleLevel::Error,
        _ => ConsoleLevel::Log,
    };
    match host.print(level, slice(data, text, text_length)?) {
        Answer::OverLimit => Ok(OVER_LIMIT),
        _ => Ok(0),
    }
}

fn random_bytes(mut caller: Caller<'_, Host>, to: u32, length: u32) -> wasmtime::Result<()> {
    charge(&mut caller, length as usize)?;
    caller.data_mut().touched = true;
    let memory = memory_of(&caller)?;
    let (data, host) = memory.data_and_store_mut(&mut caller);
    host.random.fill(slice_mut(data, to, length)?);
    Ok(())
}

/// Calls a pure function. The answer is its kind << 32 | its length; `answer` copies it.
fn call(
    mut caller: Caller<'_, Host>,
    name: u32,
    name_length: u32,
    inputs: u32,
    count: u32,
) -> wasmtime::Result<u64> {
    /// As in shim.c.
    const MAX_INPUTS: u32 = 8;
    const ENTRY_BYTES: usize = 8;
    let memory = memory_of(&caller)?;
    let (name, inputs, price) = {
        let data = memory.data(&caller);
        let entries = slice(data, inputs, count.min(MAX_INPUTS) * ENTRY_BYTES as u32)?;
        let name = String::from_utf8_lossy(slice(data, name, name_length)?).into_owned();
        let mut inputs: [Option<(u32, u32)>; MAX_INPUTS as usize] = [None; MAX_INPUTS as usize];
        for (entry, input) in entries.chunks_exact(ENTRY_BYTES).zip(&mut inputs) {
            let (at, length) = (word(entry, 0), word(entry, 4));
            *input = (at != 0).then_some((at, length));
        }
        let price = functions::price(&name, &borrow(data, &inputs)?);
        (name, inputs, price)
    };
    charge(&mut caller, usize::try_from(price).unwrap_or(usize::MAX))?;
    let (kind, answer) = functions::call(&name, &borrow(memory.data(&caller), &inputs)?);
    charge(&mut caller, answer.len())?;
    let place = (kind as u64) << 32 | u64::from(length(&answer)?);
    caller.data_mut().answer = answer;
    Ok(place)
}

/// The inputs of a function, where they are in the guest's memory.
fn borrow<'a>(data: &'a [u8], inputs: &[Option<(u32, u32)>; 8]) -> wasmtime::Result<Inputs<'a>> {
    let mut borrowed = [None; 8];
    for (input, place) in borrowed.iter_mut().zip(inputs) {
        if let Some((at, length)) = place {
            *input = Some(slice(data, *at, *length)?);
        }
    }
    Ok(Inputs(borrowed))
}

fn word(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

fn exception(
    mut caller: Caller<'_, Host>,
    name: u32,
    name_length: u32,
    message: u32,
    message_length: u32,
    stack: u32,
    stack_length: u32,
) -> wasmtime::Result<()> {
    let memory = memory_of(&caller)?;
    let (data, host) = memory.data_and_store_mut(&mut caller);
    let text = |at, length: u32| -> wasmtime::Result<String> {
        let bytes = slice(data, at, length.min(TEXT_BYTES as u32))?;
        Ok(String::from_utf8_lossy(bytes).into_owned())
    };
    let described = outcome::exception(
        &text(name, name_length)?,
        &text(message, message_length)?,
        &text(stack, stack_length)?,
    );
    host.exception = Some(described);
    Ok(())
}

pub(crate) fn memory_of(caller: &Caller<'_, Host>) -> wasmtime::Result<Memory> {
    caller.data().memory.ok_or_else(|| wasmtime::Error::msg("the guest has no memory"))
}

pub(crate) fn slice(data: &[u8], at: u32, length: u32) -> wasmtime::Result<&[u8]> {
    let (at, length) = (at as usize, length as usize);
    data.get(at..at.saturating_add(length)).ok_or_else(|| wasmtime::Trap::MemoryOutOfBounds.into())
}

fn slice_mut(data: &mut [u8], at: u32, length: u32) -> wasmtime::Result<&mut [u8]> {
    let (at, length) = (at as usize, length as usize);
    data.get_mut(at..at.saturating_add(length)).ok_or_else(|| wasmtime::Trap::MemoryOutOfBounds.into())
}
