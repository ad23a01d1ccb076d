use std::path::PathBuf;

use wasmtime::{
    Config, Enabled, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, RegallocAlgorithm,
    Strategy,
};

use crate::compiler::Compiler;

/// Bytes of native stack for Wasm code. Exhausting it is a trap; exhausting the thread's own stack would end the
/// process, so every thread that runs Actions needs well over this (Tokio's blocking threads have 2 MiB).
pub(crate) const MAX_WASM_STACK: usize = 512 * 1024;

/// Bytes of a component's own stack. What Wasm code leaves of it is for the host's functions.
const FIBER_STACK: usize = 2 << 20;
/// Parts of one component. An interpreter with its libraries is many of them; they take nothing until they are there.
const CORE_INSTANCES: u32 = 256;

/// What a [`crate::Runtime`] is made with.
#[derive(Debug, Clone)]
pub struct RuntimeConfig {
    /// The folder that keeps compiled code between processes; it is created with mode 0700 and must belong to this
    /// user alone. Without it the JS engine is compiled at each start, which takes seconds.
    pub cache_dir: Option<PathBuf>,
    /// How many sandboxes may be alive at once. A run beyond that fails with a host error: whoever calls queues.
    pub concurrent_runs: u32,
    /// The most linear memory that any run may have, in bytes; `Limits::memory_bytes` cuts further.
    pub max_memory_bytes: usize,
    /// The most bytes of a component that is made of linked libraries: an interpreter with what it needs.
    pub linked_component_bytes: u64,
    /// Where components are compiled.
    pub compiler: Compiler,
}

impl RuntimeConfig {
    /// 64 sandboxes of up to 64 MiB; components of linked libraries have up to 32 MiB; they are compiled here.
    #[must_use]
    pub fn new(cache_dir: Option<PathBuf>) -> Self {
        Self {
            cache_dir,
            concurrent_runs: 64,
            max_memory_bytes: 64 << 20,
            linked_component_bytes: 32 << 20,
            compiler: Compiler::Here,
        }
    }
}

/// Why there is no runtime, or why something could not be loaded into it. All of it is for the operator.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// wasmtime refused.
    #[error("the Wasm engine: {0}")]
    Wasm(String),
    /// The folder of compiled code cannot be used.
    #[error("the cache folder {path}: {message}")]
    Cache {
        /// The folder or file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// The process that compiles components could not be used.
    #[error("{0}")]
    Compiler(String),
    /// The artifact's bytes are not what its digest says, or another engine made it.
    #[error("the artifact {digest}: {message}")]
    Artifact {
        /// The artifact's name.
        digest: String,
        /// What is wrong with it.
        message: String,
    },
}

impl From<wasmtime::Error> for RuntimeError {
    fn from(error: wasmtime::Error) -> Self {
        Self::Wasm(format!("{error:#}"))
    }
}

/// The settings of `security-checklist.md`, "Engine settings".
pub(crate) fn wasmtime_config(config: &RuntimeConfig) -> Config {
    let mut wasm = compiling_config();
    wasm.memory_init_cow(true).wasm_backtrace_max_frames(None);
    wasm.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(config)));
    wasm
}

/// Those that decide what code comes out.
pub(crate) fn compiling_config() -> Config {
    let mut wasm = Config::new();
    wasm.strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        .cranelift_regalloc_algorithm(RegallocAlgorithm::Backtracking)
        .cranelift_nan_canonicalization(true);
    wasm.consume_fuel(true).epoch_interruption(true).max_wasm_stack(MAX_WASM_STACK);
    // Of components; a script runs on its thread's own.
    wasm.async_stack_size(FIBER_STACK).async_stack_zeroing(true);
    // Some of these are on by default. What is off by default stays listed: defaults change.
    wasm.wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_relaxed_simd(false)
        .wasm_tail_call(false)
        .wasm_custom_page_sizes(false)
        .wasm_wide_arithmetic(false)
        // Libraries that are linked when they are instantiated need it.
        .wasm_extended_const(true)
        .wasm_component_model(true);
    wasm.wasm_features(
        wasmtime::WasmFeatures::FUNCTION_REFERENCES | wasmtime::WasmFeatures::EXCEPTIONS,
        false,
    );
    wasm
}

fn pool(config: &RuntimeConfig) -> PoolingAllocationConfig {
    let runs = config.concurrent_runs;
    let mut pool = PoolingAllocationConfig::new();
    // A script is two instances (its image, the engine) and one memory; a component is a few instances and one memory.
    pool.total_core_instances(runs.saturating_mul(CORE_INSTANCES))
        .total_stacks(runs)
        .total_component_instances(runs)
        .total_memories(runs)
        .total_tables(runs * 4)
        .max_core_instances_per_component(CORE_INSTANCES)
        .max_memories_per_component(1)
        .max_tables_per_component(4)
        .max_tables_per_module(1)
        .max_memories_per_module(1)
        .table_elements(20_000)
        .max_memory_size(config.max_memory_bytes);
    // What a run wrote is put back by copying, up to this much; the rest is given up and mapped afresh. Where the kernel
    // can list the written pages (Linux 6.7) the first 512 of them count, elsewhere the first 2 MiB of memory.
    pool.pagemap_scan(Enabled::Auto).linear_memory_keep_resident(2 << 20);
    pool.table_keep_resident(64 << 10).async_stack_keep_resident(64 << 10);
    pool
}
