//! `postern action inspect`: what an Action may do, before anybody deploys it.

use std::sync::Arc;

use action_api::{ArtifactKind, Command, Limits, NoOperations, RunReport};
use model::Timestamp;
use serde_json::{Value, json};

use super::permissions::{self, Permissions};
use super::run::{Given, not_built};
use crate::cli::action::ActionInspectArgs;
use crate::config::Config;
use crate::exit_code::{ExitCode, Failure, OrExit};
use crate::kit::event;
use crate::kit::runner::{self, Action, Login};
use crate::kit::stand_ins::USUAL_NOW_MS;
use crate::render::{Output, Style, duration_us, escape, thousands};
use crate::wiring::start_runtime;

/// The login that tells what a run costs.
const EVENT: &str = "native-to-web";

/// Builds the Action, reads what it imports, and runs it once, with nothing around it.
pub async fn run(config: &Config, args: &ActionInspectArgs) -> Result<(), Failure> {
    let output = Output::stdout();
    let given = Given::open(&args.path)?;
    let runtime = start_runtime(config).await?;
    let builder = Arc::clone(&runtime);
    let (limits, build_limits) = (config.actions.limits(), config.actions.build_limits());
    let built = tokio::task::spawn_blocking(move || given.build(&builder, &limits, &build_limits)).await;
    let built = built.or_exit(ExitCode::Failed, "the build did not end")?;
    let action = built.map_err(|error| not_built(&output, error, args.json))?;
    let event = event::built_in(EVENT).and_then(|text| serde_json::from_str(text).ok());
    let event = event.ok_or_else(|| Failure::new(ExitCode::Failed, format!("there is no event {EVENT}")))?;
    let login = Login { event, continues: None, now: Timestamp::from_ms(USUAL_NOW_MS), seed: [0; 32] };
    // As `action run` runs it, so that fuel is the same.
    let outcome =
        runner::run(&runtime, std::slice::from_ref(&action), &login, |_| Arc::new(NoOperations)).await;
    let Action { file, artifact, limits, .. } = action;
    let permissions = Permissions::of(&artifact);
    let report = outcome.runs.into_iter().next().map(|run| run.report);
    let report = report.ok_or_else(|| Failure::new(ExitCode::Failed, "it did not run"))?;
    if args.json {
        output.json(&json!({
            "file": file,
            "kind": if matches!(artifact.kind, ArtifactKind::Component) { "component" } else { "script" },
            "digest": artifact.digest,
            "bytes": artifact.bytes.len(),
            "permissions": permissions.json(),
            "limits": limits,
            "run": {
                "event": EVENT,
                "fuel": report.fuel,
                "memory_bytes": report.memory_bytes,
                "elapsed_us": report.elapsed_us,
                "commands": report.commands.iter().map(Command::name).collect::<Vec<_>>(),
                "error": report.error.as_ref().map(ToString::to_string),
            },
        }));
        return Ok(());
    }
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let kind = match &artifact.kind {
        ArtifactKind::Component => "a component",
        ArtifactKind::MemoryImage { evaluated_at_login: true, .. } => {
            "a script, whose top level is evaluated at each login"
        }
        ArtifactKind::MemoryImage { .. } => "a script",
    };
    output.table(&[
        row("file", escape(&file.display().to_string(), false)),
        row("kind", kind.to_owned()),
        row("digest", artifact.digest.clone()),
        row("size", format!("{} bytes", thousands(artifact.bytes.len() as u64))),
    ]);
    show_permissions(&output, &permissions);
    show_limits(&output, &limits).or_exit(ExitCode::Failed, "the limits")?;
    show_run(&output, &report);
    Ok(())
}

fn show_permissions(output: &Output, permissions: &Permissions) {
    match permissions {
        Permissions::All => {
            output.line(output.paint(Style::Bold, "It may do all that `api` has, and send requests."));
            output.line("  Which of it a script uses cannot be told from its source: only a component names what it uses.");
        }
        Permissions::Imports(powers) if powers.is_empty() => {
            output.line(output.paint(Style::Bold, "It may do nothing: it imports nothing."));
        }
        Permissions::Imports(powers) => {
            output.line(output.paint(Style::Bold, "It may, and nothing else:"));
            for power in powers {
                output.line(format!("  {}", escape(&permissions::in_words(power), false)));
            }
        }
    }
}

fn show_limits(output: &Output, limits: &Limits) -> serde_json::Result<()> {
    output.line(output.paint(Style::Bold, "A run of it has at most:"));
    if let Value::Object(limits) = serde_json::to_value(limits)? {
        let shown: Vec<String> = limits
            .iter()
            .filter_map(|(name, value)| Some(format!("{name} {}", thousands(value.as_u64()?))))
            .collect();
        for line in shown.chunks(4) {
            output.line(format!("  {}", line.join(", ")));
        }
    }
    Ok(())
}

fn show_run(output: &Output, report: &RunReport) {
    let text = format!("A run on the event {EVENT}, with nothing to ask, took:");
    output.line(output.paint(Style::Bold, &text));
    let memory = thousands(report.memory_bytes / 1024);
    output.line(format!(
        "  fuel {}, {}, {memory} KiB",
        thousands(report.fuel),
        duration_us(report.elapsed_us)
    ));
    match &report.error {
        Some(error) => output.line(format!("  and failed: {}", escape(&error.to_string(), false))),
        None if report.commands.is_empty() => output.line("  and asked for nothing"),
        None => {
            let names: Vec<&str> = report.commands.iter().map(Command::name).collect();
            output.line(format!("  and asked for {}", names.join(", ")));
        }
    }
}
