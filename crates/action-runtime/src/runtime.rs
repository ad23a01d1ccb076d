use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use action_api::{Artifact, ArtifactKind, Limits, RunError, RunReport};
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Module};

use crate::cache::{CodeCache, sha256_hex};
use crate::engine::{self, JsEngine};
use crate::host::Host;
use crate::script::{Evaluated, ScriptPackage};
use crate::ticker::Ticker;
use crate::{RuntimeConfig, RuntimeError, component, config, script};

/// How many loaded artifacts are kept at hand.
const LOADED_ARTIFACTS: usize = 256;

/// Runs Actions. One for each process; it may be shared between threads.
pub struct Runtime {
    engine: Engine,
    js: JsEngine,
    cache: CodeCache,
    components: Linker<Host>,
    loaded: Mutex<Loaded>,
    _ticker: Ticker,
}

/// What a run gets. Together with the artifact it decides the run's result.
#[derive(Debug, Clone, Copy)]
pub struct RunInput<'a> {
    /// The event, a JSON document.
    pub event: &'a str,
    /// For components, which have secrets by an import. Scripts find theirs in the event.
    pub secrets: &'a BTreeMap<String, String>,
    /// Milliseconds since the Unix epoch; the clock stands still during the run.
    pub now_ms: i64,
    /// All randomness of the run. A new one for every login.
    pub seed: [u8; 32],
}

/// Artifacts by digest, with the time of their last use.
#[derive(Default)]
struct Loaded {
    uses: u64,
    artifacts: HashMap<String, (u64, Program)>,
}

#[derive(Clone)]
enum Program {
    Image(Module),
    Component(Component),
}

impl Runtime {
    /// Makes the engine, from the cache when it was compiled before.
    ///
    /// # Errors
    /// [`RuntimeError`] when the cache folder cannot be used or wasmtime cannot start on this machine.
    pub fn new(config: RuntimeConfig) -> Result<Self, RuntimeError> {
        let engine = Engine::new(&config::wasmtime_config(&config))?;
        let cache = CodeCache::open(config.cache_dir)?;
        let js = JsEngine::load(&engine, &cache)?;
        let ticker = Ticker::start(&engine).map_err(|error| RuntimeError::Wasm(error.to_string()))?;
        let components = component::linker(&engine)?;
        Ok(Self { engine, js, cache, components, loaded: Mutex::default(), _ticker: ticker })
    }

    /// Names the JS engine. An image runs only on the engine whose digest it carries; after an upgrade, scripts are
    /// built again from their source.
    #[must_use]
    pub fn engine_digest(&self) -> &str {
        &self.js.digest
    }

    /// Evaluates a script's top level, for an image.
    ///
    /// # Errors
    /// What the script did: it threw, has no handler, or reached a limit. [`RunError::Host`] is not its fault.
    pub fn evaluate(&self, package: &ScriptPackage<'_>, limits: &Limits) -> Result<Evaluated, RunError> {
        guarded(|| script::evaluate(&self.engine, &self.js, package, limits))
    }

    /// Runs an artifact in a sandbox of its own. It blocks for as long as the Action runs, and never panics.
    #[must_use]
    pub fn run(&self, artifact: &Artifact, input: RunInput<'_>, limits: &Limits) -> RunReport {
        let started = Instant::now();
        let mut report = RunReport {
            digest: artifact.digest.clone(),
            commands: Vec::new(),
            console: Vec::new(),
            console_dropped_bytes: 0,
            fuel: 0,
            elapsed_us: 0,
            memory_bytes: 0,
            evaluated_at_login: matches!(
                artifact.kind,
                ArtifactKind::MemoryImage { evaluated_at_login: true, .. }
            ),
            error: None,
        };
        let result = guarded(|| self.attempt(artifact, &input, limits, &mut report));
        if let Err(error) = result {
            // A failed run decides nothing.
            report.commands.clear();
            report.error = Some(error);
        }
        report.elapsed_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        report
    }

    /// Forgets a loaded artifact. Runs that use it go on.
    pub fn evict(&self, digest: &str) {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner).artifacts.remove(digest);
    }

    fn attempt(
        &self,
        artifact: &Artifact,
        input: &RunInput<'_>,
        limits: &Limits,
        report: &mut RunReport,
    ) -> Result<(), RunError> {
        if input.event.len() as u64 > limits.event_bytes {
            return Err(RunError::Limit { limit: "event_bytes".into(), exception: None });
        }
        let program =
            self.program(artifact).map_err(|error| RunError::Host { message: error.to_string() })?;
        let mut store = crate::host::store(&self.engine, Host::new(limits, input.now_ms, &input.seed))
            .map_err(|error| RunError::Host { message: format!("{error:#}") })?;
        let result = match &program {
            Program::Image(image) => script::run(&mut store, &self.js, image, input),
            Program::Component(action) => {
                store.data_mut().secrets.clone_from(input.secrets);
                component::run(&mut store, &self.components, action, input.event)
            }
        };
        report.fuel = limits.fuel.saturating_sub(store.get_fuel().unwrap_or(0));
        let host = store.into_data();
        report.commands = host.commands;
        report.console = host.console;
        report.console_dropped_bytes = host.console_dropped;
        report.memory_bytes = host.memory_peak;
        result
    }

    fn program(&self, artifact: &Artifact) -> Result<Program, RuntimeError> {
        {
            let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
            loaded.uses += 1;
            let uses = loaded.uses;
            if let Some((last_use, program)) = loaded.artifacts.get_mut(&artifact.digest) {
                *last_use = uses;
                return Ok(program.clone());
            }
        }
        // Outside of the lock: other Actions run meanwhile. Two logins may load the same artifact; one wins.
        let program = self.load(artifact)?;
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if loaded.artifacts.len() >= LOADED_ARTIFACTS {
            let oldest = loaded.artifacts.iter().min_by_key(|(_, (last_use, _))| *last_use);
            if let Some(digest) = oldest.map(|(digest, _)| digest.clone()) {
                loaded.artifacts.remove(&digest);
            }
        }
        let uses = loaded.uses;
        loaded.artifacts.insert(artifact.digest.clone(), (uses, program.clone()));
        Ok(program)
    }

    fn load(&self, artifact: &Artifact) -> Result<Program, RuntimeError> {
        let wrong = |message: &str| RuntimeError::Artifact {
            digest: artifact.digest.clone(),
            message: message.into(),
        };
        if sha256_hex(&artifact.bytes) != artifact.digest {
            return Err(wrong("its bytes have another digest"));
        }
        match &artifact.kind {
            ArtifactKind::MemoryImage { engine, .. } if *engine != self.js.digest => {
                Err(wrong("another JS engine made it; build the Action again from its source"))
            }
            ArtifactKind::MemoryImage { .. } => {
                let image = Module::new(&self.engine, &artifact.bytes)?;
                let only_memory = image.imports().len() == 0 && image.exports().len() == 1;
                if only_memory { Ok(Program::Image(image)) } else { Err(wrong("it is not a memory image")) }
            }
            ArtifactKind::Component => {
                let compiled = self.cache.get(&self.engine, &artifact.digest, || {
                    self.engine.precompile_component(&artifact.bytes)
                })?;
                Ok(Program::Component(engine::deserialize_component(&self.engine, &compiled)?))
            }
        }
    }
}

/// A panic of ours fails the one run.
fn guarded<T>(run: impl FnOnce() -> Result<T, RunError>) -> Result<T, RunError> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(ToString::to_string);
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        Err(RunError::Host { message: format!("a panic: {}", text.unwrap_or_default()) })
    })
}
