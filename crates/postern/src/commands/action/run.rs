//! `postern action run`: what an Action would decide. The engine, the limits and the errors are the server's.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use action_api::{Command, ConsoleLevel, NoOperations, RunError, RunReport};
use action_build::{BuildError, Source};
use action_runtime::{Environment, RunInput};
use model::{Clock, RandomSource, SystemClock, SystemRandom, Timestamp};
use serde_json::{Value, json};

use crate::cli::action::ActionRunArgs;
use crate::config::Config;
use crate::exit_code::{ExitCode, Failure, OrExit};
use crate::kit::frame::code_frame;
use crate::kit::hints;
use crate::render::{Output, Style, duration_us, escape, thousands};
use crate::wiring::{outside, start_runtime};

/// Builds the Action, runs it on the event and shows what it decided.
pub async fn run(config: &Config, args: &ActionRunArgs) -> Result<(), Failure> {
    let secrets: BTreeMap<String, String> = args.secrets.iter().cloned().collect();
    let event = read_event(&args.event, &secrets)?;
    let seen = serde_json::from_str(&event).unwrap_or_default();
    let (limits, build_limits) = (config.actions.limits(), config.actions.build_limits());
    let output = Output::stdout();
    let runtime = start_runtime(config).await?;
    let file = args.file.clone();
    let builder = Arc::clone(&runtime);
    let build = move || {
        let source = Source::read(&file).map_err(Box::new)?;
        action_build::build(&builder, &source, &build_limits).map_err(Box::new)
    };
    let built =
        tokio::task::spawn_blocking(build).await.or_exit(ExitCode::Failed, "the build did not end")?;
    let artifact = Arc::new(built.map_err(|error| build_failure(&output, &args.file, &error, args.json))?);
    let operations = outside(config)?
        .for_run("", &limits, Arc::new(NoOperations))
        .or_exit(ExitCode::Failed, "cannot send requests")?;
    let mut seed = [0; 32];
    SystemRandom.fill(&mut seed);
    let environment = Environment {
        now_ms: SystemClock.now().as_ms(),
        seed,
        operations,
        turns: Vec::new(),
        held: Box::new(()),
    };
    let report = runtime
        .run(
            &artifact,
            RunInput { handler: action_api::Handler::Execute, event, secrets },
            environment,
            &limits,
        )
        .await
        .report;
    if args.json {
        output.json(&report);
    } else {
        show(&output, &args.file, &seen, &report);
    }
    match &report.error {
        None => Ok(()),
        Some(RunError::Host { .. }) => Err(Failure::shown(ExitCode::Failed)),
        Some(_) => Err(Failure::shown(ExitCode::Action)),
    }
}

/// Shows why an Action did not build, and yields how the process ends.
pub fn build_failure(output: &Output, file: &Path, error: &BuildError, as_json: bool) -> Failure {
    if as_json {
        output.json(
            &json!({ "build_error": { "message": error.to_string(), "exception": error.exception() } }),
        );
    } else {
        output.line(format!(
            "{} {}",
            output.paint(Style::Red, "does not build:"),
            escape(&error.to_string(), true)
        ));
        if let Some(exception) = error.exception() {
            code_frame(output, file, exception);
        }
        hints::show(output, hints::of_build(file, error));
    }
    match error {
        BuildError::Script(RunError::Host { .. }) => Failure::shown(ExitCode::Failed),
        _ => Failure::shown(ExitCode::Action),
    }
}

/// The event, with the secrets where a script looks for them.
fn read_event(file: &Path, secrets: &BTreeMap<String, String>) -> Result<String, Failure> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map(|_| ())
    } else {
        std::fs::read_to_string(file).map(|content| text = content)
    };
    let name = file.display();
    read.or_exit(ExitCode::Failed, format!("cannot read the event {name}"))?;
    let mut event: Value =
        serde_json::from_str(&text).or_exit(ExitCode::Failed, format!("the event {name} is not JSON"))?;
    let Some(fields) = event.as_object_mut() else {
        return Err(Failure::new(ExitCode::Failed, format!("the event {name} is not a JSON object")));
    };
    // Secrets that the saved event holds stay, unless the command line names them.
    let held = fields.entry("secrets").or_insert_with(|| json!({}));
    if let Some(held) = held.as_object_mut() {
        held.extend(secrets.iter().map(|(name, value)| (name.clone(), json!(value))));
    } else {
        return Err(Failure::new(ExitCode::Failed, format!("event.secrets in {name} is not an object")));
    }
    Ok(event.to_string())
}

fn show(output: &Output, file: &Path, event: &Value, report: &RunReport) {
    for line in &report.console {
        let style = match line.level {
            ConsoleLevel::Error => Style::Red,
            ConsoleLevel::Warn => Style::Yellow,
            _ => Style::Dim,
        };
        let level = format!("{:?}", line.level).to_lowercase();
        output.line(format!(
            "{} {}",
            output.paint(style, format!("console.{level}:")),
            escape(&line.text, true)
        ));
    }
    if report.console_dropped_bytes > 0 {
        output.line(format!("console: {} bytes more were dropped", report.console_dropped_bytes));
    }
    match &report.error {
        Some(error) => {
            let host = matches!(error, RunError::Host { .. });
            let what = if host { "could not be run:" } else { "failed:" };
            output.line(format!("{} {}", output.paint(Style::Red, what), escape(&error.to_string(), true)));
            if let Some(exception) = error.exception() {
                code_frame(output, file, exception);
            }
            hints::show(output, hints::of_error(file, error, Some(event)));
        }
        None if report.commands.is_empty() => {
            output.line(output.paint(Style::Green, "The login goes on; the Action asks for nothing."));
        }
        None => {
            let denied = report.commands.iter().any(Command::ends_the_login);
            let (style, text) = if denied {
                (Style::Yellow, "The login is refused:")
            } else {
                (Style::Green, "The login goes on, and the Action asks for:")
            };
            output.line(output.paint(style, text));
            for (index, command) in report.commands.iter().enumerate() {
                output.line(format!("  {}. {}", index + 1, escape(&describe(command), false)));
                hints::show(output, hints::of_command(command, event, SystemClock.now()));
            }
        }
    }
    let memory = thousands(report.memory_bytes / 1024);
    let cost = format!("fuel {}, {}, {memory} KiB", thousands(report.fuel), duration_us(report.elapsed_us));
    output.line(output.paint(Style::Dim, cost));
    if report.evaluated_at_login {
        let text =
            "The top level reads the clock or randomness, so it is evaluated at each login, not at deploy.";
        output.line(output.paint(Style::Dim, text));
    }
}

/// A command as its author would say it.
fn describe(command: &Command) -> String {
    let name = command.name();
    match command {
        Command::AccessDeny { reason } => format!("{name}: {reason}"),
        Command::SessionSetExpiresAt { absolute: moment }
        | Command::SessionSetIdleExpiresAt { inactivity: moment }
        | Command::RefreshTokenSetExpiresAt { absolute: moment }
        | Command::RefreshTokenSetIdleExpiresAt { inactivity: moment } => {
            format!("{name}: {}", describe_moment(*moment, SystemClock.now()))
        }
        Command::SessionRevoke { reason, preserve_refresh_tokens } => {
            let kept = if *preserve_refresh_tokens { " (its refresh tokens stay)" } else { "" };
            format!("{name}: {reason}{kept}")
        }
        Command::IdTokenSetCustomClaim { key, value } | Command::AccessTokenSetCustomClaim { key, value } => {
            format!("{name}: {key} = {value}")
        }
        Command::UserSetUserMetadata { key, value: Value::Null }
        | Command::UserSetAppMetadata { key, value: Value::Null } => format!("{name}: remove {key}"),
        Command::UserSetUserMetadata { key, value } | Command::UserSetAppMetadata { key, value } => {
            format!("{name}: {key} = {value}")
        }
        Command::RedirectSendUserTo { url } => format!("{name}: {url}"),
        Command::AccessTokenAddScope { scope } | Command::AccessTokenRemoveScope { scope } => {
            format!("{name}: {scope}")
        }
        Command::SamlResponse { value, .. } => format!("{name}: {value} (no effect: there is no SAML)"),
        other => match serde_json::to_value(other) {
            Ok(Value::Object(mut arguments)) => {
                arguments.remove("command");
                let shown: Vec<String> =
                    arguments.iter().map(|(key, value)| format!("{key} = {value}")).collect();
                if shown.is_empty() { name.to_owned() } else { format!("{name}: {}", shown.join(", ")) }
            }
            _ => name.to_owned(),
        },
    }
}

/// The moment, and how far off it is.
fn describe_moment(ms: f64, now: Timestamp) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "the cast saturates, and so does the server")]
    let moment = Timestamp::from_ms(ms as i64);
    let seconds = moment.ms_since(now).saturating_add(500).div_euclid(1000);
    let distance = match seconds.unsigned_abs() {
        s @ 0..120 => format!("{s} s"),
        s @ 120..7_200 => format!("{} min", (s + 30) / 60),
        s @ 7_200..172_800 => format!("{} h", (s + 1_800) / 3_600),
        s => format!("{} days", (s + 43_200) / 86_400),
    };
    let when = if seconds < 0 { format!("{distance} ago") } else { format!("in {distance}") };
    format!("{} ({when})", moment.to_iso())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_said_with_its_distance() {
        let now = Timestamp::from_ms(1_700_000_000_000);
        assert_eq!(describe_moment(1_700_001_800_000.0, now), "2023-11-14T22:43:20.000Z (in 30 min)");
        assert!(describe_moment(1_699_992_800_000.0, now).ends_with("(2 h ago)"));
        assert!(describe_moment(f64::MAX, now).starts_with("9999"));
    }

    #[test]
    fn secrets_of_the_command_line_join_those_of_the_event() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("event.json");
        std::fs::write(&file, r#"{"user":{},"secrets":{"A":"1","B":"2"}}"#).expect("written");
        let event = read_event(&file, &BTreeMap::from([("B".to_owned(), "3".to_owned())])).expect("read");
        let event: Value = serde_json::from_str(&event).expect("JSON");
        assert_eq!(event["secrets"], json!({ "A": "1", "B": "3" }));
        std::fs::write(&file, "[]").expect("written");
        assert!(read_event(&file, &BTreeMap::new()).is_err());
    }
}
