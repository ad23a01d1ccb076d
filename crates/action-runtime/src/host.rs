//! What a guest can reach: the host's side of one run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use action_api::{Command, ConsoleLevel, ConsoleLine, GuestException, Handler, Limits};
use serde_json::Value;
use wasmtime::{Memory, ResourceLimiter, Store};

use crate::functions::Randomness;
use crate::operations::{Shared, Source};
use crate::record::Record;
use crate::ticker::TICK_MS;
use crate::trace::Trace;

/// Bytes that a table element takes, for the memory limit.
const TABLE_ELEMENT_BYTES: u64 = 8;
/// Console text of the same level that counts as used for a line that is kept, besides its bytes.
const CONSOLE_LINE_BYTES: u64 = 8;
/// Fuel that a call from the guest to the host costs, so that a flood of calls ends by fuel as well.
const FUEL_PER_HOST_CALL: u64 = 200;

/// The state of one run.
pub(crate) struct Host {
    pub(crate) limits: Limits,
    pub(crate) memory: Option<Memory>,
    /// Milliseconds since the Unix epoch. It moves when the run goes on after it waited.
    pub(crate) now_ms: i64,
    /// Randomness that may be used for secrets.
    pub(crate) random: Randomness,
    /// What a pure function answered, until the guest takes it.
    pub(crate) answer: Vec<u8>,
    /// The clock at the run's beginning.
    pub(crate) began_ms: i64,
    pub(crate) seed: [u8; 32],
    pub(crate) secrets: BTreeMap<String, String>,
    /// A component's, for what the host computes of it.
    pub(crate) event: Arc<str>,
    pub(crate) parsed: Option<Value>,
    /// Which handler runs.
    pub(crate) handler: Handler,
    /// Whether clock and randomness were read: an image cannot hold what follows.
    pub(crate) touched: bool,
    pub(crate) commands: Vec<Command>,
    command_bytes: u64,
    pub(crate) console: Vec<ConsoleLine>,
    console_bytes: u64,
    pub(crate) console_dropped: u64,
    host_calls: u32,
    /// The limit that ended the run.
    pub(crate) over: Option<&'static str>,
    memory_used: u64,
    pub(crate) memory_peak: u64,
    pub(crate) memory_refused: bool,
    /// A script is stopped with its position when it has less fuel than this left. Below that, wasmtime stops it without.
    fuel_reserve: u64,
    pub(crate) began: Instant,
    /// When the wall clock limit is reached.
    pub(crate) deadline: Instant,
    pub(crate) operations: Shared,
    pub(crate) exception: Option<GuestException>,
    /// Where the script has been, for who asks.
    pub(crate) trace: Option<Trace>,
}

/// What a host function tells the guest.
pub(crate) enum Answer {
    Accepted,
    /// For the author: the command was refused.
    Refused(String),
    /// `Host::over` names the limit.
    OverLimit,
}

impl Host {
    pub(crate) fn new(limits: &Limits, now_ms: i64, seed: &[u8; 32], source: Source) -> Self {
        let began = Instant::now();
        Self {
            limits: *limits,
            memory: None,
            now_ms,
            random: Randomness::new(seed, "secrets"),
            answer: Vec::new(),
            began_ms: now_ms,
            seed: *seed,
            secrets: BTreeMap::new(),
            handler: Handler::Execute,
            touched: false,
            commands: Vec::new(),
            command_bytes: 0,
            console: Vec::new(),
            console_bytes: 0,
            console_dropped: 0,
            host_calls: 0,
            over: None,
            memory_used: 0,
            memory_peak: 0,
            memory_refused: false,
            fuel_reserve: (limits.fuel / 8).min(32_000_000),
            began,
            deadline: began + limits.wall_clock(),
            operations: Shared::new(source),
            event: Arc::from(""),
            parsed: None,
            exception: None,
            trace: None,
        }
    }

    /// For a replay.
    pub(crate) fn of_record(limits: &Limits, record: &Record) -> Self {
        let source = Source::Record(record.entries.iter().cloned().collect());
        Self::new(limits, record.now_ms, &record.seed, source)
    }

    /// Counts a call. `false` when there were too many.
    pub(crate) fn count_call(&mut self) -> bool {
        self.host_calls += 1;
        let within = self.host_calls <= self.limits.host_calls;
        if !within {
            self.over.get_or_insert("host_calls");
        }
        within
    }

    /// Whether the script must stop now, given the fuel that it has left.
    pub(crate) fn budget_is_used_up(&mut self, fuel_left: u64) -> bool {
        if fuel_left < self.fuel_reserve {
            self.over.get_or_insert("fuel");
        } else if Instant::now() >= self.deadline {
            self.over.get_or_insert("wall_clock_ms");
        }
        self.over.is_some()
    }

    /// Takes a command as JSON.
    pub(crate) fn command_json(&mut self, json: &[u8]) -> Answer {
        if !self.reserve_command(json.len()) {
            return Answer::OverLimit;
        }
        match Command::decode(json) {
            Ok(command) => {
                self.commands.push(command);
                Answer::Accepted
            }
            Err(error) => Answer::Refused(error.to_string()),
        }
    }

    /// Takes a command that a component built; `bytes` is the size of its arguments.
    pub(crate) fn command(&mut self, command: Command, bytes: usize) -> Answer {
        if !self.reserve_command(bytes) {
            return Answer::OverLimit;
        }
        match command.check() {
            Ok(()) => {
                self.commands.push(command);
                Answer::Accepted
            }
            Err(error) => Answer::Refused(error.to_string()),
        }
    }

    fn reserve_command(&mut self, bytes: usize) -> bool {
        if !self.count_call() {
            return false;
        }
        self.command_bytes += bytes as u64;
        if self.commands.len() as u64 >= u64::from(self.limits.commands) {
            self.over.get_or_insert("commands");
        } else if self.command_bytes > self.limits.command_bytes {
            self.over.get_or_insert("command_bytes");
        }
        self.over.is_none()
    }

    /// Keeps console output up to its limit and counts the rest.
    pub(crate) fn print(&mut self, level: ConsoleLevel, text: &[u8]) -> Answer {
        if !self.count_call() {
            return Answer::OverLimit;
        }
        let room = self.limits.console_bytes.saturating_sub(self.console_bytes + CONSOLE_LINE_BYTES);
        let keep = usize::try_from(room).unwrap_or(usize::MAX).min(text.len());
        let kept = text.get(..keep).unwrap_or_default();
        self.console_dropped += (text.len() - keep) as u64;
        if keep > 0 || (text.is_empty() && room > 0) {
            self.console_bytes += keep as u64 + CONSOLE_LINE_BYTES;
            self.console.push(ConsoleLine { level, text: String::from_utf8_lossy(kept).into_owned() });
        }
        Answer::Accepted
    }

    fn reserve_memory(&mut self, current: u64, desired: u64) -> bool {
        let used = self.memory_used.saturating_sub(current).saturating_add(desired);
        if used > self.limits.memory_bytes {
            self.memory_refused = true;
            return false;
        }
        self.memory_used = used;
        self.memory_peak = self.memory_peak.max(used);
        true
    }
}

/// Sums all memories and tables of the sandbox; wasmtime's own limiter counts each alone.
impl ResourceLimiter for Host {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(self.reserve_memory(current as u64, desired as u64))
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.memory_refused = true;
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(self.reserve_memory(current as u64 * TABLE_ELEMENT_BYTES, desired as u64 * TABLE_ELEMENT_BYTES))
    }
}

/// A store under the limits of its host state.
pub(crate) fn store(engine: &wasmtime::Engine, host: Host) -> wasmtime::Result<Store<Host>> {
    let mut store = Store::new(engine, host);
    set_limits(&mut store)?;
    Ok(store)
}

/// Puts a new store under the limits of its host state.
pub(crate) fn set_limits(store: &mut Store<Host>) -> wasmtime::Result<()> {
    store.limiter(|host| host);
    store.set_fuel(store.data().limits.fuel)?;
    set_epoch(store);
    Ok(())
}

/// Sets anew when the epoch stops the guest: a little after the deadline, for what nothing else did.
pub(crate) fn set_epoch(store: &mut Store<Host>) {
    let left = store.data().deadline.saturating_duration_since(Instant::now());
    store.set_epoch_deadline(epoch_ticks(left));
}

pub(crate) fn epoch_ticks(wall_clock: Duration) -> u64 {
    u64::try_from(wall_clock.as_millis()).unwrap_or(u64::MAX / 2) / TICK_MS + 3
}

/// Charges the guest for a call and for the bytes that it passed.
pub(crate) fn charge(store: &mut impl wasmtime::AsContextMut, bytes: usize) -> wasmtime::Result<()> {
    let mut store = store.as_context_mut();
    let left = store.get_fuel()?;
    let price = FUEL_PER_HOST_CALL + bytes as u64;
    if left < price {
        store.set_fuel(0)?;
        return Err(wasmtime::Trap::OutOfFuel.into());
    }
    store.set_fuel(left - price)
}
