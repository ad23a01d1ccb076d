//! `postern action check`: an Action on thousands of generated events.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use action_api::schema::Flow;
use action_runtime::sha256_hex;
use model::Timestamp;
use serde_json::{Value, json};

use super::run::{not_built, project_failure};
use crate::cli::action::ActionCheckArgs;
use crate::config::Config;
use crate::exit_code::{ExitCode, Failure, OrExit};
use crate::kit::check::problem::Problem;
use crate::kit::check::{Check, Count, Found, Outcome};
use crate::kit::frame::code_frame;
use crate::kit::project::{NotBuilt, Project};
use crate::kit::stand_ins::USUAL_NOW_MS;
use crate::kit::{hints, runner, suite};
use crate::render::{Output, Style, duration_us, escape, thousands};
use crate::wiring::start_runtime;

/// Runs the check and shows what it found.
pub async fn run(config: &Config, args: &ActionCheckArgs) -> Result<(), Failure> {
    let output = Output::stdout();
    let project =
        args.path.is_dir().then(|| Project::open(&args.path)).transpose().map_err(project_failure)?;
    let runtime = start_runtime(config).await?;
    let (limits, build_limits) = (config.actions.limits(), config.actions.build_limits());
    let (builder, given, path) = (Arc::clone(&runtime), project.clone(), args.path.clone());
    let build = move || match given {
        Some(project) => project.build(&builder, &limits, &build_limits),
        None => runner::build(&builder, String::new(), (path.clone(), None), &build_limits, limits)
            .map_err(|error| NotBuilt::Source(path, error)),
    };
    let built =
        tokio::task::spawn_blocking(build).await.or_exit(ExitCode::Failed, "the build did not end")?;
    let mut action = built.map_err(|error| not_built(&output, error, args.json))?;
    action.secrets.extend(args.secrets.iter().cloned());
    action.take_module_secrets(&args.module_secrets);
    let settings = project.as_ref().map(|project| project.settings.clone());
    let (stand_ins, never_deny) =
        settings.map(|settings| (settings.stand_ins, settings.never_deny)).unwrap_or_default();
    let file = action.file.clone();
    let check = Check {
        runtime,
        words: action_build::words(&action.source),
        now: stand_ins.now.unwrap_or(Timestamp::from_ms(USUAL_NOW_MS)),
        action,
        stand_ins,
        never_deny,
        events: args.events,
        seed: args.seed,
    };
    let began = Instant::now();
    let checked = tokio::task::spawn_blocking(move || check.run(&progress(check.events)));
    let outcome = checked
        .await
        .or_exit(ExitCode::Failed, "the check did not end")?
        .or_exit(ExitCode::Failed, "the check did not end")?;
    if std::io::stderr().is_terminal() {
        let _ = write!(std::io::stderr(), "\x1b[K");
    }
    let elapsed_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    let saved = match &project {
        Some(project) => save(project, &outcome)?,
        None => Vec::new(),
    };
    if args.json {
        output.json(&as_json(&outcome, &saved, args));
    } else {
        show(&output, &file, &outcome, &saved, args, elapsed_us);
    }
    if outcome.found.is_empty() { Ok(()) } else { Err(Failure::shown(ExitCode::Action)) }
}

/// Tells a person at a terminal how far it is.
fn progress(events: u64) -> impl Fn(u64) + Sync {
    let shown = std::io::stderr().is_terminal();
    move |index| {
        if shown && index.is_multiple_of(500) {
            let mut stderr = std::io::stderr().lock();
            let _ = write!(stderr, "\r{} of {} events\x1b[K\r", thousands(index), thousands(events));
            let _ = stderr.flush();
        }
    }
}

fn show(
    output: &Output,
    file: &Path,
    outcome: &Outcome,
    saved: &[PathBuf],
    args: &ActionCheckArgs,
    elapsed_us: u64,
) {
    let all: u64 = outcome.flows.values().map(|count| count.events).sum();
    output.line(format!("{} events from seed {}, {}", thousands(all), args.seed, duration_us(elapsed_us)));
    let mut rows = vec![["", "events", "ask for nothing", "refused", "failed"].map(str::to_owned).to_vec()];
    rows.extend(outcome.flows.iter().map(|(flow, count)| row(*flow, count)));
    output.table(&rows);
    if outcome.cut_short {
        let text = "Ended early: too many runs reached a limit.";
        output.line(output.paint(Style::Yellow, text));
    }
    for (index, _) in outcome.met.iter().enumerate().filter(|(_, met)| **met == 0) {
        let text = format!("[[never_deny]] number {} is about none of these events.", index + 1);
        output.line(output.paint(Style::Yellow, text));
    }
    if outcome.found.is_empty() {
        output.line(output.paint(Style::Green, "Nothing is wrong."));
    }
    for (index, found) in outcome.found.iter().enumerate() {
        output.line("");
        show_found(output, file, found);
        match saved.get(index) {
            Some(path) => output.line(format!("  saved as {}", escape(&path.display().to_string(), false))),
            None => output.line(format!("  event: {}", escape(&found.case.event.to_string(), false))),
        }
    }
    if outcome.more > 0 {
        output.line(format!("\n{} other kinds of problems are not shown.", outcome.more));
    }
}

fn row(flow: Flow, count: &Count) -> Vec<String> {
    let mut row = vec![flow.describe().to_owned()];
    row.extend([count.events, count.nothing, count.denied, count.failed].map(thousands));
    row
}

fn show_found(output: &Output, file: &Path, found: &Found) {
    let title = escape(&found.problem.to_string(), false);
    let count = format!("({} events)", thousands(found.events));
    output.line(format!("{} {}", output.paint(Style::Red, title), output.paint(Style::Dim, count)));
    if let (Problem::Fails { .. }, Some(error)) = (&found.problem, &found.report.error) {
        output.line(format!("  {}", escape(&error.to_string(), true)));
        if let Some(exception) = error.exception() {
            code_frame(output, file, exception);
        }
        hints::show(output, hints::of_error(file, error, Some(&found.case.event)));
    }
}

fn as_json(outcome: &Outcome, saved: &[PathBuf], args: &ActionCheckArgs) -> Value {
    let flows = outcome.flows.iter().map(|(flow, count)| {
        let count = json!({
            "events": count.events, "nothing": count.nothing, "refused": count.denied, "failed": count.failed,
        });
        (flow.as_str().to_owned(), count)
    });
    let found = outcome.found.iter().enumerate().map(|(index, found)| {
        json!({
            "kind": found.problem.word(),
            "message": found.problem.to_string(),
            "events": found.events,
            "event": found.case.event,
            "stand_ins": found.case.stand_ins,
            "report": found.report,
            "saved": saved.get(index),
        })
    });
    json!({
        "seed": args.seed,
        "flows": Value::Object(flows.collect()),
        "problems": found.collect::<Vec<_>>(),
        "more_problems": outcome.more,
        "never_deny": outcome.met,
        "cut_short": outcome.cut_short,
    })
}

/// Writes each problem's case into the project's `tests/`, for `postern action test`. A case of a problem that was found
/// before is written anew.
fn save(project: &Project, outcome: &Outcome) -> Result<Vec<PathBuf>, Failure> {
    let folder = project.folder.join(suite::FOLDER);
    let mut saved = Vec::with_capacity(outcome.found.len());
    for found in &outcome.found {
        let digest = sha256_hex(found.problem.to_string().as_bytes());
        let path = folder.join(format!("check-{}-{}.json", found.problem.word(), &digest[..8]));
        let write = || -> std::io::Result<()> {
            std::fs::create_dir_all(&folder)?;
            let mut file = tempfile::NamedTempFile::new_in(&folder)?;
            writeln!(file, "{:#}", found.as_case())?;
            file.persist(&path)?;
            Ok(())
        };
        write().or_exit(ExitCode::Failed, format!("cannot write {}", path.display()))?;
        saved.push(path);
    }
    Ok(saved)
}
