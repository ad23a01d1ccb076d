//! Where a script has been. A run is repeated from its record to find out, so that the run itself is not changed by it, nor
//! its fuel.

use std::collections::BTreeMap;

use action_api::{Artifact, Limits, RunReport};
use serde::Serialize;
use wasmtime::{AsContextMut, Caller, Linker};

use crate::host::{Host, charge};
use crate::{Record, RunInput, Runtime};

/// Fuel for finding out where the script is. It is not the script's.
const WHERE_FUEL: u64 = 1_000_000_000;

/// Where a script has been.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    /// For each command, the place in the author's code that asked for it; `None` where that is not known.
    pub commands: Vec<Option<Position>>,
    /// How often each line ran, of a script that was built to tell: by the number of its file, and the line from 1.
    pub lines: BTreeMap<(u32, u32), u64>,
}

/// A place in an author's code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Position {
    /// As the author named it.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// From 1, in bytes.
    pub column: u32,
}

impl Runtime {
    /// Repeats a run as [`Runtime::replay`] does, and tells where the script was. The artifact may also be the same script
    /// built to tell its lines. Both use more fuel than the run did: the latter much, the former a little, for the heap is
    /// another after each question. It blocks for as long as the Action computes.
    #[must_use]
    pub fn trace(
        &self,
        artifact: &Artifact,
        input: &RunInput,
        record: &Record,
        limits: &Limits,
    ) -> (RunReport, Trace) {
        let mut host = Host::of_record(limits, record);
        host.trace = Some(Trace::default());
        let finished = self.replay_on(host, artifact, input);
        (finished.report, finished.trace.unwrap_or_default())
    }
}

/// The imports of the JS engine.
pub(crate) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "postern",
        "line",
        |mut caller: Caller<'_, Host>, file: u32, line: u32| -> wasmtime::Result<()> {
            charge(&mut caller, 0)?;
            if let Some(trace) = &mut caller.data_mut().trace {
                *trace.lines.entry((file, line)).or_default() += 1;
            }
            Ok(())
        },
    )?;
    Ok(())
}

/// A command was accepted: notes its place, when that is wanted. The answer is the import's.
pub(crate) fn command(caller: &mut Caller<'_, Host>) -> wasmtime::Result<i32> {
    if caller.data().trace.is_none() {
        return Ok(0);
    }
    let position = position(caller)?;
    if let Some(trace) = &mut caller.data_mut().trace {
        trace.commands.push(position);
    }
    Ok(0)
}

/// Asks the engine, which answers by way of `exception`.
fn position(caller: &mut Caller<'_, Host>) -> wasmtime::Result<Option<Position>> {
    let Some(ask) = caller.get_export("where").and_then(wasmtime::Extern::into_func) else {
        return Ok(None);
    };
    let ask = ask.typed::<(), ()>(&*caller)?;
    let fuel = caller.get_fuel()?;
    caller.set_fuel(WHERE_FUEL)?;
    let asked = ask.call(caller.as_context_mut(), ());
    caller.set_fuel(fuel)?;
    asked?;
    let told = caller.data_mut().exception.take();
    Ok(told.and_then(|told| Some(Position { file: told.file?, line: told.line?, column: told.column? })))
}
