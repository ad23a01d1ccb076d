//! Runs Actions: each in a sandbox of its own that is gone when the run is over.
//!
//! A script is a memory image for the one JS engine whose compiled code all scripts share; a component is a Wasm
//! component of the world `postern:actions/post-login`. Both yield the same [`action_api::RunReport`]. A run is a pure
//! function of the artifact, the event and its [`Record`] (clock, seed, and what it was told while it ran), down to the
//! fuel that it uses; only the wall clock limit depends on the machine.
//!
//! A script that waits is only memory: it computes in parts, each on a thread for blocking work, and holds none between
//! two parts.

mod cache;
mod compiler;
mod component;
mod config;
mod drive;
mod engine;
mod functions;
mod host;
mod operations;
mod outcome;
mod prelude;
mod record;
mod runtime;
mod sandbox;
mod script;
mod ticker;
mod trace;

pub use cache::sha256_hex;
pub use compiler::{ChildCompiler, CompileLimits, Compiler, compile_in_this_child};
pub use config::{RuntimeConfig, RuntimeError};
pub use engine::STACK_BYTES as ENGINE_STACK_BYTES;
pub use record::{Entry, Record, Reply};
pub use runtime::{Environment, Finished, RunInput, Runtime};
pub use script::{Evaluated, ScriptPackage};
pub use trace::{Position, Trace};
