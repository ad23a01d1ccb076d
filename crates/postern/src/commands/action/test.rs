//! `postern action test`: the cases of a project.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use action_runtime::Runtime;

use super::run::project_failure;
use crate::cli::action::ActionTestArgs;
use crate::config::Config;
use crate::exit_code::{ExitCode, Failure, OrExit};
use crate::kit::coverage::Coverage;
use crate::kit::project::{NotBuilt, Project};
use crate::kit::script_cases::ScriptCases;
use crate::kit::suite::{self, Verdict, Wanted};
use crate::kit::{formats, show};
use crate::render::{self, Output, Style, escape, thousands};
use crate::wiring::start_runtime;

/// How often `--watch` looks for changes.
const POLL: Duration = Duration::from_millis(200);
/// What `--watch` does not look into: much of it is written by builds.
const NOT_WATCHED: [&str; 3] = ["target", "node_modules", "build"];
/// How many files and folders it looks at.
const MOST_WATCHED: usize = 10_000;

/// Runs the cases, once or at each change.
pub async fn run(config: &Config, args: &ActionTestArgs) -> Result<(), Failure> {
    let runtime = start_runtime(config).await?;
    if !args.watch {
        return once(config, args, &runtime).await;
    }
    loop {
        let before = state(args);
        if let Err(Failure { error: Some(error), .. }) = once(config, args, &runtime).await {
            render::error(&error);
        }
        render::note("Waiting for a change; Ctrl-C ends.");
        // What `--update` and `build` wrote is no change.
        let mut after = state(args);
        if !args.update && after != before && !has_build(&args.folder) {
            continue;
        }
        loop {
            tokio::time::sleep(POLL).await;
            let now = state(args);
            if now != after {
                break;
            }
            after = now;
        }
    }
}

fn has_build(folder: &Path) -> bool {
    Project::open(folder).is_ok_and(|project| project.settings.build.is_some())
}

async fn once(config: &Config, args: &ActionTestArgs, runtime: &Arc<Runtime>) -> Result<(), Failure> {
    let (config, args, runtime) = (config.clone(), args.clone(), Arc::clone(runtime));
    let tested = tokio::task::spawn_blocking(move || test(&config, &args, runtime));
    tested.await.or_exit(ExitCode::Failed, "the cases did not end")?
}

fn test(config: &Config, args: &ActionTestArgs, runtime: Arc<Runtime>) -> Result<(), Failure> {
    let began = Instant::now();
    let output = Output::stdout();
    let project = Project::open(&args.folder).map_err(project_failure)?;
    let (limits, build_limits) = (config.actions.limits(), config.actions.build_limits());
    let action = project.build(&runtime, &limits, &build_limits).map_err(|error| match error {
        NotBuilt::Project(error) => project_failure(error),
        NotBuilt::Source(file, error) => show::build_failure(&output, &file, &error, false),
    })?;
    let coverage = if args.coverage {
        Coverage::of(&runtime, &action, &build_limits).or_exit(ExitCode::Action, "no coverage")?.map(Arc::new)
    } else {
        None
    };
    let name = project.name();
    let cases = Arc::new(ScriptCases {
        project: Arc::new(project),
        action: Arc::new(action),
        runtime,
        limits: build_limits,
        build_limits,
        coverage: coverage.clone(),
    });
    let wanted = Wanted { filter: args.filter.clone(), update: args.update };
    let folder = args.folder.join(suite::FOLDER);
    let verdicts = suite::run(&cases, &wanted)
        .or_exit(ExitCode::Failed, format!("cannot read the cases in {}", folder.display()))?;
    let seconds = began.elapsed().as_secs_f64();
    if let Some(file) = &args.junit {
        std::fs::write(file, formats::junit(&name, &verdicts, seconds))
            .or_exit(ExitCode::Failed, format!("cannot write {}", file.display()))?;
    }
    if verdicts.is_empty() {
        return Err(Failure::new(ExitCode::Failed, format!("there is no such case in {}", folder.display())));
    }
    if args.tap {
        output.line(formats::tap(&verdicts).trim_end());
    } else {
        show_verdicts(&output, &name, &verdicts, seconds);
    }
    match coverage {
        Some(coverage) if !args.tap => show_coverage(&output, &coverage),
        None if args.coverage => render::note("There is no coverage of a component."),
        _ => {}
    }
    if verdicts.iter().all(Verdict::passed) { Ok(()) } else { Err(Failure::shown(ExitCode::Action)) }
}

fn show_verdicts(output: &Output, name: &str, verdicts: &[Verdict], seconds: f64) {
    output.line(output.paint(Style::Bold, escape(name, false)));
    for verdict in verdicts {
        let (style, word) = match (verdict.passed(), verdict.updated) {
            (true, false) => (Style::Green, "ok     "),
            (true, true) => (Style::Yellow, "updated"),
            (false, _) => (Style::Red, "FAILED "),
        };
        let fuel = output.paint(Style::Dim, format!("fuel {}", thousands(verdict.fuel)));
        output.line(format!("  {} {}  {fuel}", output.paint(style, word), escape(&verdict.name, false)));
        for line in verdict.wrong.iter().flat_map(|wrong| wrong.lines()) {
            let style = match line.trim_start().chars().next() {
                Some('-') => Style::Red,
                Some('+') => Style::Green,
                _ => Style::Bold,
            };
            output.line(format!("          {}", output.paint(style, escape(line, true))));
        }
    }
    let failed = verdicts.iter().filter(|verdict| !verdict.passed()).count();
    let passed = verdicts.len() - failed;
    let style = if failed == 0 { Style::Green } else { Style::Red };
    output.line(output.paint(style, format!("{passed} passed, {failed} failed, in {seconds:.2} s")));
}

fn show_coverage(output: &Output, coverage: &Coverage) {
    output.line(output.paint(Style::Bold, "coverage of lines within functions"));
    let rows = coverage.covered().into_iter().map(|file| {
        let ran = file.lines - file.missed_lines;
        let share = (ran * 100).checked_div(file.lines).unwrap_or(100);
        let missed = file
            .missed
            .iter()
            .map(|(from, to)| if from == to { from.to_string() } else { format!("{from}-{to}") });
        let missed = missed.collect::<Vec<_>>().join(", ");
        let missed = if missed.is_empty() { String::new() } else { format!("never ran: {missed}") };
        vec![
            format!("  {}", escape(&file.file, false)),
            format!("{share} %"),
            format!("{ran}/{}", file.lines),
            missed,
        ]
    });
    output.table(&rows.collect::<Vec<_>>());
}

/// When the files of the project were last written, and how long they are. The report is no file of the project.
fn state(args: &ActionTestArgs) -> BTreeMap<PathBuf, (Option<SystemTime>, u64)> {
    let mut found = BTreeMap::new();
    let report = args.junit.as_ref().and_then(|file| file.canonicalize().ok());
    let mut open = vec![args.folder.clone()];
    while let Some(folder) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with('.') || NOT_WATCHED.contains(&name.as_ref()) || found.len() >= MOST_WATCHED {
                continue;
            }
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                open.push(entry.path());
            } else if report.is_none() || entry.path().canonicalize().ok() != report {
                found.insert(entry.path(), (metadata.modified().ok(), metadata.len()));
            }
        }
    }
    found
}
