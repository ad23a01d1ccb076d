//! Where components are compiled. Cranelift bounds neither its time nor its memory, and small components are known that
//! take minutes and gigabytes (`security-checklist.md`, HD2), so the server compiles in a child process with limits.

use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, Signal, nice, set_parent_process_death_signal, setrlimit};
use wasmtime::Engine;

use crate::RuntimeError;
use crate::config::compiling_config;

/// The child gives way to whatever the server has to do.
const NICENESS: i32 = 10;
/// A child that has been given no processor for so many times its limit is stopped all the same.
const PATIENCE: u32 = 20;

/// Where components are compiled.
#[derive(Debug, Clone)]
pub enum Compiler {
    /// In this process, with no limit on time and memory: for components that one trusts.
    Here,
    /// In a process of its own.
    Child(ChildCompiler),
}

/// A program that calls [`compile_in_this_child`] when it is started with these arguments.
#[derive(Debug, Clone)]
pub struct ChildCompiler {
    /// The program, of the very same build as this one.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// What the child sets itself.
    pub limits: CompileLimits,
}

/// What one compilation may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompileLimits {
    /// Seconds of a processor.
    pub cpu_seconds: u64,
    /// Bytes of address space.
    pub memory_bytes: u64,
    /// Bytes of compiled code.
    pub code_bytes: u64,
}

impl Compiler {
    /// The code of a component for this engine.
    ///
    /// # Errors
    /// [`RuntimeError::Wasm`] is the component's fault, [`RuntimeError::Compiler`] ours.
    pub(crate) fn compile(&self, engine: &Engine, component: &[u8]) -> Result<Vec<u8>, RuntimeError> {
        match self {
            Self::Here => Ok(engine.precompile_component(component)?),
            Self::Child(child) => child.compile(component),
        }
    }
}

impl ChildCompiler {
    fn compile(&self, component: &[u8]) -> Result<Vec<u8>, RuntimeError> {
        let ours =
            |what: &str, error: &dyn std::fmt::Display| RuntimeError::Compiler(format!("{what}: {error}"));
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .args([self.limits.cpu_seconds, self.limits.memory_bytes].map(|limit| limit.to_string()))
            // Nothing that the server was told in its environment is for a compiler.
            .env_clear()
            // What mimalloc reserves at its start would lie outside of the limit.
            .env("MIMALLOC_ARENA_RESERVE", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| ours("the compiler does not start", &error))?;
        let talk = self.talk(&mut child, component);
        let status = child.wait().map_err(|error| ours("the compiler was lost", &error))?;
        match talk {
            // Its pipe was closed before it had said everything.
            Some(Told { code, .. }) if code.len() as u64 > self.limits.code_bytes => {
                let text = format!("compiled, it has more than {} bytes", self.limits.code_bytes);
                Err(RuntimeError::Wasm(text))
            }
            Some(Told { code, .. }) if status.success() => Ok(code),
            Some(Told { said, .. }) if status.code() == Some(REFUSED) => Err(RuntimeError::Wasm(said)),
            Some(Told { said, .. }) => Err(self.ended(status, &said)),
            None => Err(self.too_slow()),
        }
    }

    /// Gives it the component and takes what it answers. `None`: it answers nothing.
    fn talk(&self, child: &mut Child, component: &[u8]) -> Option<Told> {
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let most = self.limits.code_bytes.saturating_add(1);
        let wait = Duration::from_secs(self.limits.cpu_seconds).saturating_mul(PATIENCE);
        std::thread::scope(|scope| {
            let (answers, answered) = channel();
            let talking = scope.spawn(move || {
                // A child that ends early has said why, or is known by its signal.
                let _ = stdin.map(|mut stdin| stdin.write_all(component));
                let (mut code, mut said) = (Vec::new(), String::new());
                let _ = stdout.map(|stdout| stdout.take(most).read_to_end(&mut code));
                let _ = stderr.map(|stderr| stderr.take(4_096).read_to_string(&mut said));
                let _ = answers.send(());
                Told { code, said }
            });
            if answered.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
                // Its pipes close with it, so the thread ends. It may have ended by itself just now.
                let _ = child.kill();
                let _ = talking.join();
                return None;
            }
            talking.join().ok()
        })
    }

    /// Why it ended without an answer.
    fn ended(&self, status: ExitStatus, said: &str) -> RuntimeError {
        let is = |signal: Signal| status.signal() == Some(signal.as_raw());
        if is(Signal::XCPU) || is(Signal::KILL) {
            self.too_slow()
        } else if is(Signal::ABORT) || is(Signal::SEGV) || is(Signal::BUS) {
            // Where memory ends, an allocation aborts the process.
            let text = format!("compiling it takes more than {} bytes of memory", self.limits.memory_bytes);
            RuntimeError::Wasm(text)
        } else if status.code() == Some(PANICKED) {
            RuntimeError::Wasm("the compiler fails on it".to_owned())
        } else {
            RuntimeError::Compiler(format!("the compiler ended with {status}: {said}"))
        }
    }

    fn too_slow(&self) -> RuntimeError {
        let text = format!("compiling it takes more than {} s of a processor", self.limits.cpu_seconds);
        RuntimeError::Wasm(text)
    }
}

/// What the child answered.
struct Told {
    code: Vec<u8>,
    said: String,
}

/// How the child ends when the component does not compile.
const REFUSED: i32 = 10;
/// How a Rust program ends after a panic.
const PANICKED: i32 = 101;

/// The child's part: takes a component from standard input and writes its code to standard output. It first limits this
/// process for good. Yields what the process is to end with; the reason of a refusal is on standard error.
#[must_use]
pub fn compile_in_this_child(cpu_seconds: u64, memory_bytes: u64) -> u8 {
    let compile = || -> Result<Result<Vec<u8>, wasmtime::Error>, Box<dyn std::error::Error>> {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        let limit = |resource, most| setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) });
        limit(Resource::Core, 0)?;
        limit(Resource::Cpu, cpu_seconds)?;
        limit(Resource::As, memory_bytes)?;
        nice(NICENESS)?;
        let engine = Engine::new(&compiling_config())?;
        let mut component = Vec::new();
        io::stdin().lock().read_to_end(&mut component)?;
        Ok(engine.precompile_component(&component))
    };
    let (code, text) = match compile() {
        Ok(Ok(code)) => match io::stdout().lock().write_all(&code) {
            Ok(()) => (0, String::new()),
            Err(error) => (1, error.to_string()),
        },
        Ok(Err(error)) => (REFUSED as u8, format!("{error:#}")),
        Err(error) => (1, error.to_string()),
    };
    // Without its text, the code says as much.
    let _ = io::stderr().lock().write_all(text.as_bytes());
    code
}
