//! The host's side of asynchronous work: what a run has started and what it is told. The run only ever waits between two
//! parts, so nothing here waits.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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

/// The operations of one run. Who drives a component that waits reaches them here: its store is busy until it ends.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Mutex<Table>>);

impl Shared {
    pub(crate) fn new(source: Source) -> Self {
        Self(Arc::new(Mutex::new(Table::new(source))))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What [`Shared`] holds.
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
    /// Answers that a component is yet to take.
    pub(crate) answered: BTreeMap<u32, Reply>,
    /// The run's clock at the last answer of a component.
    pub(crate) answered_ms: Option<i64>,
    /// A component that waits is to end.
    pub(crate) out_of_time: bool,
}

impl Table {
    fn new(source: Source) -> Self {
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
            answered: BTreeMap::new(),
            answered_ms: None,
            out_of_time: false,
        }
    }

    /// Takes the operation off the table. `None`: it was cancelled.
    pub(crate) fn take(&mut self, id: u32) -> Option<String> {
        self.under_way.remove(&id)
    }

    pub(crate) fn cancel(&mut self, id: u32) {
        if self.take(id).is_some() {
            self.started.retain(|started| started.id != id);
            self.cancelled.push(id);
        }
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
        let mut table = self.operations.lock();
        table.bytes += bytes as u64;
        if table.bytes > self.limits.operation_bytes {
            self.over.get_or_insert("operation_bytes");
        }
        self.over.is_none()
    }

    pub(crate) fn start_operation(&mut self, kind: &[u8], json: &[u8]) -> i32 {
        if !self.reserve_request(json.len()) {
            return OVER_LIMIT;
        }
        let mut table = self.operations.lock();
        if table.under_way.len() as u64 >= u64::from(self.limits.operations) {
            self.over.get_or_insert("operations");
            return OVER_LIMIT;
        }
        let Ok(input) = serde_json::from_slice(json) else { return NOT_JSON };
        table.last_id += 1;
        let id = table.last_id;
        table.under_way.insert(id, identity(kind, json));
        table.started.push(Started { id, kind: String::from_utf8_lossy(kind).into_owned(), input });
        // There are fewer than `host_calls` of them.
        i32::try_from(id).unwrap_or(OVER_LIMIT)
    }

    /// Answers a call. `None`: the run ends here, by a limit or because it does not follow its record.
    pub(crate) fn ask(&mut self, kind: &[u8], json: &[u8]) -> Option<Reply> {
        if !self.reserve_request(json.len()) {
            return None;
        }
        let now_ms = self.now_ms;
        let request = identity(kind, json);
        let kind = String::from_utf8_lossy(kind);
        let mut table = self.operations.lock();
        let reply = match &mut table.source {
            Source::Nothing => Reply::Error("not available while a script is deployed".into()),
            Source::Live(outside) => match serde_json::from_slice(json) {
                Ok(input) => outside.call(&kind, input, now_ms).into(),
                Err(error) => Reply::Error(format!("the request is not JSON: {error}")),
            },
            Source::Record(entries) => match entries.pop_front() {
                Some(Entry::Called { request: recorded, answer }) if recorded == request => answer,
                other => {
                    let has = other.as_ref().map_or("its end", describe);
                    table.diverged = Some(format!("it calls {kind:?} where the record has {has}"));
                    return None;
                }
            },
        };
        table.entries.push(Entry::Called { request, answer: reply.clone() });
        Some(reply)
    }

    /// Answers a call of a script; the length of the reply, which [`reply`] hands over.
    fn call_outside(&mut self, kind: &[u8], json: &[u8]) -> i32 {
        let Some(reply) = self.ask(kind, json) else { return OVER_LIMIT };
        let bytes = match &reply {
            Reply::Json(json) => format!("{{\"ok\":{json}}}").into_bytes(),
            Reply::Error(text) => serde_json::json!({ "error": text }).to_string().into_bytes(),
        };
        let length = i32::try_from(bytes.len()).unwrap_or(OVER_LIMIT);
        self.operations.lock().reply = bytes;
        length
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
    caller.data_mut().operations.lock().cancel(id);
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
    let reply = std::mem::take(&mut caller.data_mut().operations.lock().reply);
    charge(&mut caller, reply.len())?;
    memory_of(&caller)?.write(&mut caller, to as usize, &reply)?;
    Ok(())
}
