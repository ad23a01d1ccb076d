//! The host's side of asynchronous work: what a run has started and what it is told. The run only ever waits between two
//! parts, so nothing here waits.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use action_api::Operations;
use serde_json::Value;
use wasmtime::{Caller, Linker};

use crate::cache::sha256_hex;
use crate::engine::{OVER_LIMIT, memory_of, slice};
use crate::host::{Host, charge};
use crate::record::{Entry, Reply};

/// The operation that the runtime serves itself: its input is a number of milliseconds.
pub(crate) const TIMER: &str = "timer";
/// What the shim takes for "this is not JSON".
const NOT_JSON: i32 = 0;

/// Where answers come from.
pub(crate) enum Source {
    /// A deploy: there is nothing outside.
    Nothing,
    /// The world.
    Live(Arc<dyn Operations>),
    /// An earlier run. A call takes the first entry.
    Record(VecDeque<Entry>),
}

/// An operation that the run has started and that nobody has begun yet.
pub(crate) struct Started {
    pub(crate) id: u32,
    pub(crate) kind: String,
    pub(crate) input: Value,
}

/// The operations of one run.
pub(crate) struct Table {
    pub(crate) source: Source,
    last_id: u32,
    /// With what identifies the request.
    pub(crate) under_way: BTreeMap<u32, String>,
    pub(crate) started: Vec<Started>,
    pub(crate) cancelled: Vec<u32>,
    bytes: u64,
    /// Of the last call, until the guest has fetched it.
    reply: Vec<u8>,
    /// What entered the run.
    pub(crate) entries: Vec<Entry>,
    /// Why a replay cannot go on.
    pub(crate) diverged: Option<String>,
}

impl Table {
    pub(crate) fn new(source: Source) -> Self {
        Self {
            source,
            last_id: 0,
            under_way: BTreeMap::new(),
            started: Vec::new(),
            cancelled: Vec::new(),
            bytes: 0,
            reply: Vec::new(),
            entries: Vec::new(),
            diverged: None,
        }
    }

    /// Takes the operation off the table. `None`: it was cancelled.
    pub(crate) fn take(&mut self, id: u32) -> Option<String> {
        self.under_way.remove(&id)
    }
}

/// Identifies a request in a record.
fn identity(kind: &[u8], json: &[u8]) -> String {
    sha256_hex(&[kind, b"\n", json].concat())
}

impl Host {
    /// Counts a request of so many bytes. `false`: a limit is reached.
    fn reserve_request(&mut self, bytes: usize) -> bool {
        // Nothing of the world outside can be in an image.
        self.touched = true;
        if !self.count_call() {
            return false;
        }
        self.operations.bytes += bytes as u64;
        if self.operations.bytes > self.limits.operation_bytes {
            self.over.get_or_insert("operation_bytes");
        }
        self.over.is_none()
    }

    fn start_operation(&mut self, kind: &[u8], json: &[u8]) -> i32 {
        if !self.reserve_request(json.len()) {
            return OVER_LIMIT;
        }
        if self.operations.under_way.len() as u64 >= u64::from(self.limits.operations) {
            self.over.get_or_insert("operations");
            return OVER_LIMIT;
        }
        let Ok(input) = serde_json::from_slice(json) else { return NOT_JSON };
        let table = &mut self.operations;
        table.last_id += 1;
        let id = table.last_id;
        table.under_way.insert(id, identity(kind, json));
        table.started.push(Started { id, kind: String::from_utf8_lossy(kind).into_owned(), input });
        // There are fewer than `host_calls` of them.
        i32::try_from(id).unwrap_or(OVER_LIMIT)
    }

    fn cancel_operation(&mut self, id: u32) {
        if self.operations.take(id).is_some() {
            self.operations.started.retain(|started| started.id != id);
            self.operations.cancelled.push(id);
        }
    }

    /// Answers a call; the length of the reply, which `fetch_reply` hands over.
    fn call_outside(&mut self, kind: &[u8], json: &[u8]) -> i32 {
        if !self.reserve_request(json.len()) {
            return OVER_LIMIT;
        }
        let now_ms = self.now_ms;
        let request = identity(kind, json);
        let kind = String::from_utf8_lossy(kind);
        let reply = match &mut self.operations.source {
            Source::Nothing => Reply::Error("not available while a script is deployed".into()),
            Source::Live(outside) => match serde_json::from_slice(json) {
                Ok(input) => outside.call(&kind, input, now_ms).into(),
                Err(error) => Reply::Error(format!("the request is not JSON: {error}")),
            },
            Source::Record(entries) => match entries.pop_front() {
                Some(Entry::Called { request: recorded, answer }) if recorded == request => answer,
                other => {
                    let has = other.as_ref().map_or("its end", describe);
                    self.operations.diverged = Some(format!("it calls {kind:?} where the record has {has}"));
                    // The run ends here; `Run` says why.
                    return OVER_LIMIT;
                }
            },
        };
        self.operations.reply = match &reply {
            Reply::Json(json) => format!("{{\"ok\":{json}}}").into_bytes(),
            Reply::Error(text) => serde_json::json!({ "error": text }).to_string().into_bytes(),
        };
        self.operations.entries.push(Entry::Called { request, answer: reply });
        i32::try_from(self.operations.reply.len()).unwrap_or(OVER_LIMIT)
    }
}

/// An entry for the message of a divergence.
pub(crate) fn describe(entry: &Entry) -> &'static str {
    match entry {
        Entry::Answered { .. } => "the answer to an operation",
        Entry::Called { .. } => "another call",
        Entry::OutOfTime => "the wall clock limit",
    }
}

/// The imports of the JS engine.
pub(crate) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap("postern", "start", start)?;
    linker.func_wrap("postern", "cancel", cancel)?;
    linker.func_wrap("postern", "ask", ask)?;
    linker.func_wrap("postern", "reply", reply)?;
    Ok(())
}

fn start(
    mut caller: Caller<'_, Host>,
    kind: u32,
    kind_length: u32,
    json: u32,
    json_length: u32,
) -> wasmtime::Result<i32> {
    charge(&mut caller, json_length as usize)?;
    let memory = memory_of(&caller)?;
    let (data, host) = memory.data_and_store_mut(&mut caller);
    Ok(host.start_operation(slice(data, kind, kind_length)?, slice(data, json, json_length)?))
}

fn cancel(mut caller: Caller<'_, Host>, id: u32) -> wasmtime::Result<()> {
    charge(&mut caller, 0)?;
    caller.data_mut().cancel_operation(id);
    Ok(())
}

fn ask(
    mut caller: Caller<'_, Host>,
    kind: u32,
    kind_length: u32,
    json: u32,
    json_length: u32,
) -> wasmtime::Result<i32> {
    charge(&mut caller, json_length as usize)?;
    let memory = memory_of(&caller)?;
    let (data, host) = memory.data_and_store_mut(&mut caller);
    Ok(host.call_outside(slice(data, kind, kind_length)?, slice(data, json, json_length)?))
}

/// Hands over the reply to the last call, whose length the guest knows.
fn reply(mut caller: Caller<'_, Host>, to: u32) -> wasmtime::Result<()> {
    let reply = std::mem::take(&mut caller.data_mut().operations.reply);
    charge(&mut caller, reply.len())?;
    memory_of(&caller)?.write(&mut caller, to as usize, &reply)?;
    Ok(())
}
