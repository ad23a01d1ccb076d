use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use action_api::{Artifact, ArtifactKind, Handler, Limits, Operations, RunError, RunReport};
use tokio::sync::Semaphore;
use wasmtime::component::Linker;
use wasmtime::{Engine, Module};

use crate::cache::{CodeCache, sha256_hex};
use crate::compiler::Compiler;
use crate::engine::{self, JsEngine};
use crate::host::Host;
use crate::record::Record;
use crate::sandbox::{Sandbox, Step};
use crate::script::{Evaluated, ScriptPackage};
use crate::ticker::Ticker;
use crate::trace::Trace;
use crate::{RuntimeConfig, RuntimeError, component, config, script};

/// How many loaded artifacts are kept at hand.
const LOADED_ARTIFACTS: usize = 256;

/// Runs Actions. One for each process; it may be shared between threads.
pub struct Runtime {
    pub(crate) engine: Engine,
    js: JsEngine,
    cache: CodeCache,
    compiler: Compiler,
    components: Linker<Host>,
    linked_component_bytes: u64,
    loaded: Mutex<Loaded>,
    _ticker: Ticker,
}

/// What a run gets from whoever wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunInput {
    /// Which of the Action's handlers runs.
    pub handler: Handler,
    /// The event, a JSON document.
    pub event: String,
    /// For components, which have secrets by an import. Scripts find theirs in the event.
    pub secrets: BTreeMap<String, String>,
}

/// What a run gets from around it.
pub struct Environment {
    /// The clock at the run's beginning, in milliseconds since the Unix epoch. It stands still while the Action computes,
    /// and moves by what passed when the Action waited for something.
    pub now_ms: i64,
    /// All randomness of the run. A new one for every login.
    pub seed: [u8; 32],
    /// What the run may ask of the world.
    pub operations: Arc<dyn Operations>,
    /// Where the run takes a permit, in this order, while it computes; it has none while it waits.
    pub turns: Vec<Arc<Semaphore>>,
    /// Dropped after the sandbox, whatever becomes of the run: a permit for it.
    pub held: Box<dyn Any + Send>,
}

/// A finished run.
#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    /// What it did.
    pub report: RunReport,
    /// What it was told, for [`Runtime::replay`].
    pub record: Record,
    /// Where the script has been, when somebody asked ([`Runtime::trace`]).
    pub trace: Option<Trace>,
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
    Component(component::Action),
}

impl Runtime {
    /// Makes the engine, from the cache when it was compiled before.
    ///
    /// # Errors
    /// [`RuntimeError`] when the cache folder cannot be used or wasmtime cannot start on this machine.
    pub fn new(config: RuntimeConfig) -> Result<Self, RuntimeError> {
        let engine = Engine::new(&config::wasmtime_config(&config))?;
        let linked_component_bytes = config.linked_component_bytes;
        let cache = CodeCache::open(config.cache_dir)?;
        let js = JsEngine::load(&engine, &cache)?;
        let ticker = Ticker::start(&engine).map_err(|error| RuntimeError::Wasm(error.to_string()))?;
        let components = component::linker(&engine)?;
        let (compiler, loaded) = (config.compiler, Mutex::default());
        Ok(Self { engine, js, cache, compiler, components, linked_component_bytes, loaded, _ticker: ticker })
    }

    /// Names the JS engine. An image runs only on the engine whose digest it carries; after an upgrade, scripts are
    /// built again from their source.
    #[must_use]
    pub fn engine_digest(&self) -> &str {
        &self.js.digest
    }

    /// The most bytes of a component that is made of linked libraries.
    #[must_use]
    pub fn linked_component_bytes(&self) -> u64 {
        self.linked_component_bytes
    }

    /// Evaluates a script's top level, for an image.
    ///
    /// # Errors
    /// What the script did: it threw, has no handler, or reached a limit. [`RunError::Host`] is not its fault.
    pub fn evaluate(&self, package: &ScriptPackage<'_>, limits: &Limits) -> Result<Evaluated, RunError> {
        guarded(|| script::evaluate(&self.engine, &self.js, package, limits))
    }

    /// Compiles a component, and checks that it asks for nothing that a sandbox does not have.
    ///
    /// # Errors
    /// [`RunError::Refused`] is the component's fault, [`RunError::Host`] ours.
    pub fn check_component(&self, artifact: &Artifact) -> Result<(), RunError> {
        guarded(|| {
            let refused = |message| RunError::Refused { message };
            match self.read(artifact) {
                Ok(Program::Component(_)) => Ok(()),
                Ok(Program::Image(_)) => Err(refused("not a component".into())),
                Err(RuntimeError::Wasm(message)) => Err(refused(message)),
                Err(error) => Err(RunError::Host { message: error.to_string() }),
            }
        })
    }

    /// Repeats a run from its record: the same commands, console and fuel, and nothing is asked of the world. It blocks
    /// for as long as the Action computes, and never panics.
    #[must_use]
    pub fn replay(
        &self,
        artifact: &Artifact,
        input: &RunInput,
        record: &Record,
        limits: &Limits,
    ) -> RunReport {
        self.replay_on(Host::of_record(limits, record), artifact, input).report
    }

    /// Repeats a run on this host, which has its record.
    pub(crate) fn replay_on(&self, host: Host, artifact: &Artifact, input: &RunInput) -> Finished {
        let mut step = self.begin(artifact, input, Sandbox::new(&self.engine, artifact, host, Box::new(())));
        loop {
            match step {
                Step::Waiting(sandbox) => step = sandbox.replay_one(),
                Step::Finished(finished) => return *finished,
            }
        }
    }

    /// Loads an artifact, so that its next run finds it. It blocks for as long as a component takes to compile, when its
    /// code is not in the cache.
    ///
    /// # Errors
    /// [`RuntimeError`]: it cannot be run here.
    pub fn load(&self, artifact: &Artifact) -> Result<(), RuntimeError> {
        self.program(artifact).map(drop)
    }

    /// Forgets a loaded artifact. Runs that use it go on.
    pub fn evict(&self, digest: &str) {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner).artifacts.remove(digest);
    }

    /// Runs the first part.
    pub(crate) fn begin(&self, artifact: &Artifact, input: &RunInput, sandbox: Box<Sandbox>) -> Step {
        sandbox.compute(|sandbox| {
            let store = sandbox.store()?;
            if input.event.len() as u64 > store.data().limits.event_bytes {
                return Err(RunError::Limit { limit: "event_bytes".into(), exception: None });
            }
            store.data_mut().handler = input.handler;
            let host_error = |message| RunError::Host { message };
            crate::host::set_limits(store).map_err(|error| host_error(format!("{error:#}")))?;
            match self.program(artifact).map_err(|error| host_error(error.to_string()))? {
                Program::Image(image) => {
                    let seed = store.data().seed;
                    let (running, state) = script::run(store, &self.js, &image, &seed, input)?;
                    sandbox.running = Some(running);
                    Ok(state)
                }
                Program::Component(action) => {
                    store.data_mut().secrets.clone_from(&input.secrets);
                    store.data_mut().event = input.event.as_str().into();
                    sandbox.execute(|store| action.execute(store))
                }
            }
        })
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
        let program = self.read(artifact)?;
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

    fn read(&self, artifact: &Artifact) -> Result<Program, RuntimeError> {
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
                let compile = || self.compiler.compile(&self.engine, &artifact.bytes);
                let compiled = self.cache.get(&self.engine, &artifact.digest, compile)?;
                let component = engine::deserialize_component(&self.engine, &compiled)?;
                Ok(Program::Component(component::Action::new(&self.components, &component)?))
            }
        }
    }
}

/// A panic of ours fails the one run.
pub(crate) fn guarded<T>(run: impl FnOnce() -> Result<T, RunError>) -> Result<T, RunError> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(ToString::to_string);
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        Err(RunError::Host { message: format!("a panic: {}", text.unwrap_or_default()) })
    })
}
