//! Real Actions for the tests: the server's own executor, on one sandbox engine for the whole process.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use action_api::{Artifact, Limits};
use action_build::Source;
use action_runtime::{ChildCompiler, CompileLimits, Compiler, Runtime, RuntimeConfig};
use idp::{ActionBuilder, ActionExecutor};
use ipnet::IpNet;
use model::ActionSource;
use postern::builder::SandboxBuilder;
use postern::executor::{Places, SandboxExecutor};
use postern::outgoing::Fetcher;
use postern::outside::Outside;
use storage::Storage;

/// What an Action may use in the tests.
pub const LIMITS: Limits = Limits {
    fuel: 50_000_000,
    wall_clock_ms: 5_000,
    memory_bytes: 64 << 20,
    stack_bytes: 512 << 10,
    event_bytes: 256 << 10,
    commands: 100,
    command_bytes: 256 << 10,
    console_bytes: 64 << 10,
    host_calls: 10_000,
    operations: 100,
    operation_bytes: 1 << 20,
    http_requests: 50,
    http_answer_bytes: 4 << 20,
};

/// How many may run at once in the tests.
pub const PLACES: Places = Places { runs: 64, runs_per_tenant: 48, queue: Duration::from_secs(30) };

/// What the compiler may take in the tests.
pub const COMPILE_LIMITS: CompileLimits =
    CompileLimits { cpu_seconds: 60, memory_bytes: 2 << 30, code_bytes: 256 << 20 };

/// The server's way to compile: a child process.
pub fn compiler(limits: CompileLimits) -> Compiler {
    let (program, arguments) = (crate::process::program().to_owned(), vec!["compile-component".to_owned()]);
    Compiler::Child(ChildCompiler { program, arguments, limits })
}

/// The sandbox engine. Its compiled code stays in the target folder, so that one run of the tests compiles it once.
pub fn runtime() -> &'static Arc<Runtime> {
    static RUNTIME: OnceLock<Arc<Runtime>> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let config = RuntimeConfig {
            compiler: compiler(COMPILE_LIMITS),
            ..RuntimeConfig::new(Some(compiled_folder()))
        };
        Arc::new(Runtime::new(config).expect("a sandbox engine"))
    })
}

/// The executor of a server on this database, whose Actions may send requests to two of this machine's addresses.
pub fn executor(storage: Storage, places: Places) -> Arc<dyn ActionExecutor> {
    executor_in(Arc::clone(runtime()), storage, places)
}

/// The same with a sandbox engine of its own.
pub fn executor_in(runtime: Arc<Runtime>, storage: Storage, places: Places) -> Arc<dyn ActionExecutor> {
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let fetcher = Fetcher::new(loopback.map(IpNet::from)).expect("root certificates");
    let outside = Arc::new(Outside::new(fetcher));
    Arc::new(SandboxExecutor::new(runtime, storage, outside, places, LIMITS))
}

/// The builder of a server.
pub fn builder() -> Arc<dyn ActionBuilder> {
    Arc::new(SandboxBuilder::new(Arc::clone(runtime()), LIMITS))
}

/// What is kept of a script.
pub fn kept(javascript: &str) -> ActionSource {
    postern::rebuild::kept(&Source::script("action.js", javascript))
}

/// The artifact of a script.
pub fn build(javascript: &str) -> Artifact {
    action_build::build(runtime(), &Source::script("action.js", javascript), &LIMITS)
        .expect("a script that builds")
}

/// Where compiled code is kept.
pub fn compiled_folder() -> PathBuf {
    scratch_folder().join("compiled-actions")
}

/// `tmp` in cargo's target folder.
pub fn scratch_folder() -> PathBuf {
    let this = std::env::current_exe().expect("this program");
    this.ancestors().nth(3).expect("the target folder").join("tmp")
}
