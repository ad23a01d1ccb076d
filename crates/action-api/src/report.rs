use serde::{Deserialize, Serialize};

use crate::{Command, Handler};

/// What one run did: the only thing that leaves the sandbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    /// The digest of the artifact that ran.
    pub digest: String,
    /// In the order in which the Action asked. Empty when the run failed: a failed run decides nothing.
    pub commands: Vec<Command>,
    /// What the Action printed, cut at the limit.
    pub console: Vec<ConsoleLine>,
    /// Bytes of console output that were dropped.
    pub console_dropped_bytes: u64,
    /// Fuel used. The same artifact, event and record use the same fuel on every machine.
    pub fuel: u64,
    /// Microseconds of real time, from instantiation to the answer, waiting included.
    pub elapsed_us: u64,
    /// Microseconds of processor time, over all parts of the run.
    pub cpu_us: u64,
    /// The most linear memory that the run had, in bytes.
    pub memory_bytes: u64,
    /// Whether the script's top level ran at this run, because at deploy it reads the clock or randomness.
    pub evaluated_at_login: bool,
    /// Why the run failed.
    pub error: Option<RunError>,
}

impl RunReport {
    /// The report of a run that never began.
    #[must_use]
    pub fn failed(digest: String, error: RunError) -> Self {
        Self {
            digest,
            commands: Vec::new(),
            console: Vec::new(),
            console_dropped_bytes: 0,
            fuel: 0,
            elapsed_us: 0,
            cpu_us: 0,
            memory_bytes: 0,
            evaluated_at_login: false,
            error: Some(error),
        }
    }
}

/// Whose fault a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Blame {
    /// The Action: its author can mend it.
    Guest,
    /// The server: its operator can.
    Host,
}

/// One line of the Action's console.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsoleLine {
    /// `console.error` is an error, and so on.
    pub level: ConsoleLevel,
    /// As the guest wrote it. Whoever shows it escapes it.
    pub text: String,
}

/// The `console` method that was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the variants are the names of the console methods")]
pub enum ConsoleLevel {
    Trace,
    Debug,
    Log,
    Info,
    Warn,
    Error,
}

/// An uncaught JavaScript exception, with the position in the author's own source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct GuestException {
    /// The class name, as `TypeError`.
    pub name: String,
    /// The message. It may reach the user of the login, as it does in the dialect we speak.
    pub message: String,
    /// The file as the author named it.
    pub file: Option<String>,
    /// From 1.
    pub line: Option<u32>,
    /// From 1.
    pub column: Option<u32>,
    /// The whole trace.
    pub stack: String,
}

/// Why a run failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RunError {
    /// The script threw, or its promise was rejected.
    #[error("{}: {}", .exception.name, .exception.message)]
    Exception {
        /// What was thrown.
        exception: GuestException,
    },
    /// The handler is not there.
    #[error("the Action has no handler: it must set `exports.{}`, or as a component export `{}`", .handler.export(), .handler.component_export())]
    NoHandler {
        /// Which one.
        handler: Handler,
    },
    /// A handler that is not an async function.
    #[error("`{}` must be an async function", .handler.export())]
    HandlerNotAsync {
        /// Which one.
        handler: Handler,
    },
    /// The handler's promise is pending and nothing is left that could settle it.
    #[error("the handler's promise never settled and nothing is left to wait for")]
    NeverSettled,
    /// A limit of [`crate::Limits`] was reached.
    #[error("the {limit} limit was reached{}", position(.exception))]
    Limit {
        /// The name of the field of [`crate::Limits`], as `fuel`.
        limit: String,
        /// Where the script was, when the engine could still say.
        exception: Option<GuestException>,
    },
    /// The guest sent something that the host does not accept.
    #[error("{message}")]
    Refused {
        /// For the author.
        message: String,
    },
    /// The guest trapped.
    #[error("the Action trapped: {message}")]
    Trap {
        /// wasmtime's name of the trap.
        message: String,
    },
    /// A replay asked for something else than the record holds, so the record is of another artifact, event or engine.
    #[error("the run does not follow its record: {message}")]
    Diverged {
        /// What was asked for, and what the record has.
        message: String,
    },
    /// No sandbox was free in time: too many runs are under way.
    #[error("resource_exhausted: {message}")]
    Exhausted {
        /// How long it waited.
        message: String,
    },
    /// Something of ours failed. The text is for the operator only.
    #[error("the server could not run the Action: {message}")]
    Host {
        /// The cause.
        message: String,
    },
}

impl RunError {
    /// Whose fault it is.
    #[must_use]
    pub fn blame(&self) -> Blame {
        match self {
            Self::Host { .. } | Self::Exhausted { .. } | Self::Diverged { .. } => Blame::Host,
            _ => Blame::Guest,
        }
    }

    /// The dialect's `error_class` of the log entry of a failed run (`reference/post-login.md` section 1.5).
    #[must_use]
    pub fn class(&self) -> &'static str {
        match self {
            Self::Limit { limit, .. } if limit == "wall_clock_ms" => "action_timeout",
            Self::Exhausted { .. } => "rate_limited",
            _ if self.blame() == Blame::Host => "platform_error",
            _ => "action_error",
        }
    }

    /// The exception with its position, where there is one.
    #[must_use]
    pub fn exception(&self) -> Option<&GuestException> {
        match self {
            Self::Exception { exception } => Some(exception),
            Self::Limit { exception, .. } => exception.as_ref(),
            _ => None,
        }
    }
}

fn position(exception: &Option<GuestException>) -> String {
    match exception {
        Some(GuestException { file: Some(file), line: Some(line), .. }) => format!(" at {file}:{line}"),
        _ => String::new(),
    }
}
