use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What one run may use. There is no default: whoever runs an Action states every limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Wasm fuel, the deterministic measure of work: about one unit an instruction, one a byte for bulk moves.
    pub fuel: u64,
    /// Milliseconds of real time, waiting included.
    pub wall_clock_ms: u64,
    /// Bytes of linear memory and tables, summed over everything in the sandbox.
    pub memory_bytes: u64,
    /// Bytes of native stack for the Wasm code.
    pub stack_bytes: u64,
    /// Bytes of the event as JSON.
    pub event_bytes: u64,
    /// How many commands.
    pub commands: u32,
    /// Bytes of all commands as JSON.
    pub command_bytes: u64,
    /// Bytes of console output kept; the rest is counted and dropped.
    pub console_bytes: u64,
    /// Calls from the guest to the host of any kind.
    pub host_calls: u32,
    /// Operations under way at once: outgoing requests, look-ups and timers.
    pub operations: u32,
    /// Bytes of all that a run passes to operations and to calls that answer at once, as JSON.
    pub operation_bytes: u64,
    /// Outgoing HTTP requests, each redirect counted. One more fails, and the Action may catch that.
    pub http_requests: u32,
    /// Bytes of the heads and bodies of all HTTP answers, after decompression. The request that passes it fails, and the
    /// Action may catch that.
    pub http_answer_bytes: u64,
}

impl Limits {
    /// The wall-clock limit as a duration.
    #[must_use]
    pub fn wall_clock(&self) -> Duration {
        Duration::from_millis(self.wall_clock_ms)
    }
}
