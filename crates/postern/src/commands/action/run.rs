//! `postern action run`: what would become of a login. The engine, the limits and the errors are the server's.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use action_api::{Limits, RunError};
use action_runtime::Runtime;
use model::{Clock, RandomSource, SystemClock, SystemRandom};
use serde_json::{Map, Value, json};

use crate::cli::action::ActionRunArgs;
use crate::config::Config;
use crate::exit_code::{ExitCode, Failure, OrExit};
use crate::kit::project::{Authored, NotBuilt, Project, ProjectError, read_toml};
use crate::kit::real_world::RealWorld;
use crate::kit::runner::{self, Action, Login, Outcome};
use crate::kit::stand_ins::{StandIns, World};
use crate::kit::{event, show};
use crate::render::{Output, Style, escape};
use crate::wiring::{outside, start_runtime};

/// Builds the Actions, runs the login and shows what became of it.
pub async fn run(config: &Config, args: &ActionRunArgs) -> Result<(), Failure> {
    let (projects, stand_ins) = projects(&args.actions, args.stand_ins.as_deref())?;
    let now = args.now.or(stand_ins.now).unwrap_or_else(|| SystemClock.now());
    let seed = match args.seed.or(stand_ins.seed) {
        Some(seed) => StandIns { seed: Some(seed), ..StandIns::default() }.seed_bytes(),
        None => {
            let mut seed = [0; 32];
            SystemRandom.fill(&mut seed);
            seed
        }
    };
    let login = Login { event: read_event(args)?, continues: continues(args), now, seed };
    let output = Output::stdout();
    let runtime = start_runtime(config).await?;
    let builder = Arc::clone(&runtime);
    let (limits, build_limits) = (config.actions.limits(), config.actions.build_limits());
    let (secrets, module_secrets) = (args.secrets.clone(), args.module_secrets.clone());
    let built = tokio::task::spawn_blocking(move || {
        let each = projects.iter().map(|given| given.build(&builder, &limits, &build_limits));
        each.map(|action| {
            action.map(|mut action| {
                action.secrets.extend(secrets.iter().cloned());
                action.take_module_secrets(&module_secrets);
                action
            })
        })
        .collect::<Result<Vec<_>, _>>()
    });
    let built = built.await.or_exit(ExitCode::Failed, "the build did not end")?;
    let actions = built.map_err(|error| not_built(&output, error, args.json))?;
    let (outcome, unmatched) = if stand_ins.is_empty() && args.stand_ins.is_none() {
        let config = config.clone();
        let make = move || outside(&config).map_err(|failure| format!("{:?}", failure.error));
        let world = RealWorld::new(make);
        (runner::run(&runtime, &actions, &login, |limits| world.for_run(limits)).await, Vec::new())
    } else {
        let world = World::new(stand_ins, now);
        let outcome = runner::run_in(&runtime, &actions, &login, &world)
            .map_err(|text| Failure::new(ExitCode::Failed, text))?;
        (outcome, world.unmatched())
    };
    answer(&output, &runtime, &actions, &outcome, &unmatched, args.json)
}

fn answer(
    output: &Output,
    runtime: &Runtime,
    actions: &[Action],
    outcome: &Outcome,
    unmatched: &[String],
    as_json: bool,
) -> Result<(), Failure> {
    if as_json {
        let runs: Vec<Value> = outcome.runs.iter().map(|run| run.to_json(runtime, actions)).collect();
        output.json(&json!({
            "runs": runs,
            "decision": outcome.decision,
            "suspension": outcome.suspension,
            "unmatched": unmatched,
        }));
    } else {
        show::outcome(output, runtime, actions, outcome);
        for call in unmatched {
            output.line(format!("{} {}", output.paint(Style::Red, "no stand-in:"), escape(call, true)));
        }
    }
    match &outcome.failure {
        Some(RunError::Host { .. }) => Err(Failure::shown(ExitCode::Failed)),
        Some(_) => Err(Failure::shown(ExitCode::Action)),
        None if !unmatched.is_empty() => Err(Failure::shown(ExitCode::Action)),
        None => Ok(()),
    }
}

/// What the command line names: a folder with settings, or a file.
pub enum Given {
    Project(Box<Project>),
    File(PathBuf),
}

impl Given {
    pub fn open(path: &Path) -> Result<Self, Failure> {
        if path.is_dir() {
            let project = Project::open(path).map_err(project_failure)?;
            return Ok(Self::Project(Box::new(project)));
        }
        Ok(Self::File(path.to_path_buf()))
    }

    pub fn build(&self, runtime: &Runtime, server: &Limits, build: &Limits) -> Result<Action, NotBuilt> {
        match self {
            Self::Project(project) => project.build(runtime, server, build),
            Self::File(file) => {
                let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
                runner::build(runtime, name, (file.clone(), None), build, *server)
                    .map_err(|error| NotBuilt::Source(file.clone(), error))
            }
        }
    }
}

/// Reads the settings of the folders, and all stand-ins: those of the command line come first.
fn projects(named: &[PathBuf], file: Option<&Path>) -> Result<(Vec<Given>, StandIns), Failure> {
    let mut stand_ins = match file {
        Some(file) => read_toml(file).map_err(project_failure)?,
        None => StandIns::default(),
    };
    let mut given = Vec::with_capacity(named.len());
    for path in named {
        let one = Given::open(path)?;
        if let Given::Project(project) = &one {
            stand_ins = stand_ins.before(&project.settings.stand_ins);
        }
        given.push(one);
    }
    Ok((given, stand_ins))
}

/// How the process ends when a project's files are wrong.
pub fn project_failure(error: ProjectError) -> Failure {
    let code =
        if matches!(error, ProjectError::Build { .. }) { ExitCode::Action } else { ExitCode::Configuration };
    Failure::new(code, error)
}

/// How the process ends when an Action was not built, which is shown.
pub fn not_built(output: &Output, error: NotBuilt, as_json: bool) -> Failure {
    match error {
        NotBuilt::Project(error) => project_failure(error),
        NotBuilt::Source(file, error) => show::build_failure(output, &file, &error, as_json),
    }
}

/// Reads an Action on a thread for it: its `build` takes what it takes.
pub async fn read(output: &Output, path: &Path, as_json: bool) -> Result<Authored, Failure> {
    let path = path.to_path_buf();
    let read = tokio::task::spawn_blocking(move || Authored::read(&path)).await;
    let read = read.or_exit(ExitCode::Failed, "the Action was not read")?;
    read.map_err(|error| not_built(output, error, as_json))
}

fn continues(args: &ActionRunArgs) -> Option<Map<String, Value>> {
    let query = args.continues.iter().map(|(name, value)| (name.clone(), json!(value)));
    (!args.continues.is_empty()).then(|| query.collect())
}

fn read_event(args: &ActionRunArgs) -> Result<Value, Failure> {
    let wrong = |error| Failure::new(ExitCode::Failed, error);
    let mut read = event::read(&args.event, Path::new("")).map_err(wrong)?;
    for (path, value) in &args.set {
        let change = Map::from_iter([(path.clone(), value.clone())]);
        event::change(&mut read, &change).map_err(|error| Failure::new(ExitCode::Usage, error))?;
    }
    event::check(&read).map_err(wrong)?;
    Ok(read)
}
