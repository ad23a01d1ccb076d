//! One login through any number of Actions, as the server runs it: the same engine, the same limits, the same fold of what they
//! ask for.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use action_api::{
    Artifact, Handler, Limits, OperationAnswer, OperationFuture, Operations, RunError, RunReport,
};
use action_build::{BuildError, Program, Source};
use action_runtime::{Environment, Position, Record, RunInput, Runtime};
use idp::{Decision, MODULE_SECRETS, Suspension, with_changes};
use model::Timestamp;
use serde_json::{Map, Value, json};

use super::stand_ins::World;
use crate::render::{escape, progress};

/// An Action that is built.
#[derive(Clone)]
pub struct Action {
    /// What it is called in what people read.
    pub name: String,
    /// The file that the author named.
    pub file: PathBuf,
    /// What it was built from.
    pub source: Source,
    /// What runs.
    pub artifact: Arc<Artifact>,
    /// Beside those of the event.
    pub secrets: BTreeMap<String, String>,
    /// Those of the `actions:` modules.
    pub module_secrets: ModuleSecrets,
    /// What a run may use.
    pub limits: Limits,
}

/// `actions.secrets` by the name of the module.
pub type ModuleSecrets = BTreeMap<String, BTreeMap<String, String>>;

/// A secret of an `actions:` module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleSecret {
    /// The module's name, in which there is no dot.
    pub module: String,
    /// The property of `actions.secrets`.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// The folder of `actions:` modules, beside an Action's file or in its folder.
pub const MODULES: &str = "modules";

impl Action {
    /// Takes secrets of `actions:` modules from a command line.
    pub fn take_module_secrets(&mut self, given: &[ModuleSecret]) {
        for ModuleSecret { module, name, value } in given {
            self.module_secrets.entry(module.clone()).or_default().insert(name.clone(), value.clone());
        }
    }

    /// Puts them where the engine looks for them; no script sees them there. A component has no modules.
    pub fn give_module_secrets(&self, event: &mut Value) {
        if !self.module_secrets.is_empty() && matches!(self.source.program, Program::Script { .. }) {
            event[MODULE_SECRETS] = json!(self.module_secrets);
        }
    }
}

/// What a login is run with.
#[derive(Debug, Clone)]
pub struct Login {
    /// As it is before the first Action.
    pub event: Value,
    /// The query with which the browser comes back: the first Action goes on in `onContinuePostLogin`.
    pub continues: Option<Map<String, Value>>,
    /// The clock at the beginning of each run.
    pub now: Timestamp,
    /// All randomness.
    pub seed: [u8; 32],
}

/// What came of a login.
#[derive(Debug)]
pub struct Outcome {
    /// In their order.
    pub runs: Vec<Run>,
    /// What the server would do.
    pub decision: Decision,
    /// What comes before it does.
    pub suspension: Option<Suspension>,
    /// Why the login failed.
    pub failure: Option<RunError>,
    /// The clock of the login.
    pub now: Timestamp,
    /// The protocol, which says whether there is a browser.
    pub protocol: String,
}

/// What came of one Action.
#[derive(Debug)]
pub struct Run {
    /// Which: an index into the login's Actions.
    pub action: usize,
    /// What it did.
    pub report: RunReport,
    /// What it asked of the world, each with how that ended.
    pub calls: Vec<String>,
    input: RunInput,
    record: Record,
    limits: Limits,
}

/// Reads an Action with the `actions:` modules of the folder `modules` in this folder; without it, beside the Action. The
/// names are those of all modules that it requires.
///
/// # Errors
/// [`BuildError`]: its author's.
pub fn source(file: &Path, folder: Option<&Path>) -> Result<(Source, BTreeSet<String>), BuildError> {
    let mut source = Source::read(file)?;
    let folder = folder.or(file.parent()).unwrap_or(Path::new(""));
    let required = source.add_shared_modules(&folder.join(MODULES))?;
    Ok((source, required))
}

/// Builds an Action on a thread for it. Its source is read as by [`source`].
///
/// # Errors
/// [`BuildError`]: its author's.
pub fn build(
    runtime: &Runtime,
    name: String,
    (file, folder): (PathBuf, Option<&Path>),
    build_limits: &Limits,
    limits: Limits,
) -> Result<Action, Box<BuildError>> {
    let (source, _) = source(&file, folder)?;
    if matches!(&source.program, Program::Component(bytes) if bytes.len() > LARGE_COMPONENT) {
        let file = escape(&file.display().to_string(), false);
        progress(format!("{file} is compiled: a component of this size takes up to minutes, the first time"));
    }
    let artifact = Arc::new(action_build::build(runtime, &source, build_limits)?);
    let (secrets, module_secrets) = (BTreeMap::new(), ModuleSecrets::new());
    Ok(Action { name, file, source, artifact, secrets, module_secrets, limits })
}

/// Bytes of a component beyond which its compilation is noticed.
const LARGE_COMPONENT: usize = 1 << 20;

/// Runs a login. `world` gives each run what it may ask.
pub async fn run(
    runtime: &Arc<Runtime>,
    actions: &[Action],
    login: &Login,
    world: impl Fn(&Limits) -> Arc<dyn Operations>,
) -> Outcome {
    let mut event = login.event.clone();
    if let Some(query) = &login.continues {
        event["request"]["method"] = json!("GET");
        event["request"]["query"] = json!(query);
    }
    let text = |path: &str| event.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut outcome = Outcome {
        runs: Vec::new(),
        decision: Decision::default(),
        suspension: None,
        failure: None,
        now: login.now,
        protocol: text("/transaction/protocol"),
    };
    // What Actions before those that are run here have left.
    if let Some(metadata) = event.pointer("/transaction/metadata").and_then(Value::as_object) {
        outcome.decision.transaction_metadata.clone_from(metadata);
    }
    let mut used_ms = 0;
    for (index, action) in actions.iter().enumerate() {
        let mut limits = action.limits;
        // The wall clock is shared by all Actions of a login.
        limits.wall_clock_ms = limits.wall_clock_ms.saturating_sub(used_ms);
        let mut own = with_changes(&event, &outcome.decision);
        let secrets = secrets(&event["secrets"], &action.secrets);
        own["secrets"] = json!(secrets);
        action.give_module_secrets(&mut own);
        let goes_on = index == 0 && login.continues.is_some();
        let handler = if goes_on { Handler::Continue } else { Handler::Execute };
        let input = RunInput { handler, event: own.to_string(), secrets };
        let mut seed = login.seed;
        seed[31] ^= u8::try_from(index).unwrap_or(u8::MAX);
        let watched = Arc::new(Watched { world: world(&limits), calls: Arc::default() });
        let environment = Environment {
            now_ms: login.now.as_ms(),
            seed,
            operations: Arc::clone(&watched) as Arc<dyn Operations>,
            turns: Vec::new(),
            held: Box::new(()),
        };
        let finished = runtime.run(&action.artifact, input.clone(), environment, &limits).await;
        used_ms += finished.report.elapsed_us / 1000;
        let taken = outcome.decision.take_in(&action.name, &finished.report, login.now);
        let calls = watched.calls.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (report, record) = (finished.report, finished.record);
        outcome.runs.push(Run { action: index, report, calls, input, record, limits });
        match taken {
            Ok(None) => {}
            Ok(Some(suspension)) => outcome.suspension = Some(suspension),
            Err(error) => outcome.failure = Some(error),
        }
        if outcome.suspension.is_some() || outcome.decision.denied.is_some() {
            break;
        }
    }
    outcome
}

/// Runs a login in a world of stand-ins, and waits for nothing.
///
/// # Errors
/// The text of what the system refused.
pub fn run_in(
    runtime: &Arc<Runtime>,
    actions: &[Action],
    login: &Login,
    world: &Arc<World>,
) -> Result<Outcome, String> {
    without_waiting(run_in_time(runtime, actions, login, world))
}

/// The same, inside of [`without_waiting`].
pub async fn run_in_time(
    runtime: &Arc<Runtime>,
    actions: &[Action],
    login: &Login,
    world: &Arc<World>,
) -> Outcome {
    run(runtime, actions, login, |limits| world.for_run(limits)).await
}

/// The texts of the event's own secrets, and the Action's, which come first.
fn secrets(of_event: &Value, of_action: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let held = of_event.as_object().into_iter().flatten();
    let held = held.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
    held.chain(of_action.clone()).collect()
}

impl Run {
    /// The event as the Action saw it.
    pub fn event(&self) -> Value {
        let mut event: Value = serde_json::from_str(&self.input.event).unwrap_or_default();
        event.as_object_mut().map(|event| event.remove(MODULE_SECRETS));
        event
    }

    /// Where each command was asked for. The run is repeated for it.
    pub fn places(&self, runtime: &Runtime, actions: &[Action]) -> Vec<Option<Position>> {
        let Some(action) = actions.get(self.action).filter(|_| !self.report.commands.is_empty()) else {
            return Vec::new();
        };
        let limits = Limits { fuel: self.limits.fuel.saturating_add(self.limits.fuel / 8), ..self.limits };
        runtime.trace(&action.artifact, &self.input, &self.record, &limits).1.commands
    }

    /// How often each line ran, of the same script built to tell. The run is repeated for it.
    pub fn lines(&self, runtime: &Runtime, telling: &Artifact) -> BTreeMap<(u32, u32), u64> {
        // Telling takes fuel as well; a run that ended at its limit goes a little further.
        let limits = Limits {
            fuel: self.report.fuel.saturating_mul(8).saturating_add(100_000_000),
            host_calls: u32::MAX,
            ..self.limits
        };
        runtime.trace(telling, &self.input, &self.record, &limits).1.lines
    }

    /// As JSON.
    pub fn to_json(&self, runtime: &Runtime, actions: &[Action]) -> Value {
        json!({
            "action": actions.get(self.action).map(|action| &action.name),
            "handler": self.input.handler.export(),
            "report": self.report,
            "places": self.places(runtime, actions),
            "calls": self.calls,
        })
    }
}

/// Runs what waits with a clock that stands still while something computes, and goes to the next moment at which anything is due
/// when nothing does. So no time is waited, and the same login always sees the same times.
///
/// # Errors
/// The text of what the system refused.
pub fn without_waiting<T: Send>(work: impl Future<Output = T> + Send) -> Result<T, String> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let mut tasks = tokio::runtime::Builder::new_current_thread();
            let tasks = tasks.enable_time().start_paused(true).build().map_err(|error| error.to_string())?;
            Ok(tasks.block_on(work))
        });
        thread.join().unwrap_or_else(|_| Err("a run panicked".to_owned()))
    })
}

/// Keeps what a run asks of the world.
struct Watched {
    world: Arc<dyn Operations>,
    calls: Arc<Mutex<Vec<String>>>,
}

impl Operations for Watched {
    fn start(&self, kind: &str, input: Value) -> OperationFuture {
        let asked = match kind {
            "http.fetch" => format!(
                "{} {}",
                input["method"].as_str().unwrap_or_default(),
                input["url"].as_str().unwrap_or_default()
            ),
            _ => format!("{kind} {input}"),
        };
        let place = {
            let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
            calls.push(format!("{asked}: no answer"));
            calls.len() - 1
        };
        let (calls, operation) = (Arc::clone(&self.calls), self.world.start(kind, input));
        Box::pin(async move {
            let answer = operation.await;
            let ended = match &answer {
                Ok(value) => {
                    value["status"].as_u64().map_or("answered".to_owned(), |status| status.to_string())
                }
                Err(error) => format!("failed: {error}"),
            };
            if let Some(call) = calls.lock().unwrap_or_else(PoisonError::into_inner).get_mut(place) {
                *call = format!("{asked}: {ended}");
            }
            answer
        })
    }

    fn call(&self, kind: &str, input: Value, now_ms: i64) -> OperationAnswer {
        let key = input["key"].as_str().unwrap_or_default().to_owned();
        let answer = self.world.call(kind, input, now_ms);
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{kind} {key}"));
        answer
    }
}
