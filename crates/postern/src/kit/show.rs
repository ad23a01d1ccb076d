//! What came of a login, for people.

use std::path::Path;

use action_api::{Command, ConsoleLevel, GuestException, RunError, RunReport};
use action_build::BuildError;
use action_runtime::{Position, Runtime};
use idp::{Decision, Suspension};
use model::Timestamp;
use serde_json::{Map, Value, json};

use super::runner::{Action, Outcome, Run};
use crate::exit_code::{ExitCode, Failure};
use crate::render::{Output, Style, duration_us, escape, thousands};

/// Shows a login: each Action with what it said and asked for, and then what becomes of the login.
pub fn outcome(output: &Output, runtime: &Runtime, actions: &[Action], outcome: &Outcome) {
    for run in &outcome.runs {
        let Some(action) = actions.get(run.action) else { continue };
        if actions.len() > 1 {
            output.line(output.paint(Style::Bold, escape(&action.name, false)));
        }
        one_run(output, runtime, actions, action, run, outcome.now);
    }
    for later in actions.iter().skip(outcome.runs.len()) {
        let text = format!("{} does not run in this part of the login.", escape(&later.name, false));
        output.line(output.paint(Style::Dim, text));
    }
    decision(output, outcome);
    for run in &outcome.runs {
        let name = actions.get(run.action).filter(|_| actions.len() > 1);
        let name = name.map_or(String::new(), |action| format!("{}: ", escape(&action.name, false)));
        cost(output, &name, &run.report);
    }
}

fn one_run(
    output: &Output,
    runtime: &Runtime,
    actions: &[Action],
    action: &Action,
    run: &Run,
    now: Timestamp,
) {
    console(output, &run.report);
    for call in &run.calls {
        output.line(format!("{} {}", output.paint(Style::Dim, "asked:"), escape(call, false)));
    }
    if let Some(error) = &run.report.error {
        let host = matches!(error, RunError::Host { .. });
        let what = if host { "could not be run:" } else { "failed:" };
        output.line(format!("{} {}", output.paint(Style::Red, what), escape(&error.to_string(), true)));
        if let Some(exception) = error.exception() {
            code_frame(output, &action.file, exception);
        }
    }
    if run.report.commands.is_empty() {
        return;
    }
    let places = run.places(runtime, actions);
    let rows = run.report.commands.iter().enumerate().map(|(index, command)| {
        let place = places.get(index).and_then(Option::as_ref).map(place_of).unwrap_or_default();
        let said = format!("  {}. {}", index + 1, escape(&command_text(command, now), false));
        vec![said, output.paint(Style::Dim, escape(&place, false))]
    });
    output.line("It asks for:");
    output.table(&rows.collect::<Vec<_>>());
}

fn place_of(place: &Position) -> String {
    format!("{}:{}", place.file, place.line)
}

fn console(output: &Output, report: &RunReport) {
    for line in &report.console {
        let style = match line.level {
            ConsoleLevel::Error => Style::Red,
            ConsoleLevel::Warn => Style::Yellow,
            _ => Style::Dim,
        };
        let level = level_name(line.level);
        output.line(format!(
            "{} {}",
            output.paint(style, format!("console.{level}:")),
            escape(&line.text, true)
        ));
    }
    if report.console_dropped_bytes > 0 {
        output.line(format!("console: {} bytes more were dropped", report.console_dropped_bytes));
    }
}

/// The name of the method of `console`.
pub fn level_name(level: ConsoleLevel) -> String {
    format!("{level:?}").to_lowercase()
}

fn cost(output: &Output, name: &str, report: &RunReport) {
    let memory = thousands(report.memory_bytes / 1024);
    let cost =
        format!("{name}fuel {}, {}, {memory} KiB", thousands(report.fuel), duration_us(report.elapsed_us));
    output.line(output.paint(Style::Dim, cost));
    if report.evaluated_at_login {
        let text =
            "The top level reads the clock or randomness, so it is evaluated at each login, not at deploy.";
        output.line(output.paint(Style::Dim, format!("{name}{text}")));
    }
}

/// What becomes of the login.
fn decision(output: &Output, outcome: &Outcome) {
    let say = |style, text: String| output.line(output.paint(style, escape(&text, false)));
    let Outcome { decision, suspension, now, protocol, .. } = outcome;
    let has_browser = !matches!(protocol.as_str(), "oauth2-refresh-token" | "oauth2-password");
    let needs_browser = match suspension {
        Some(Suspension::Factors(_)) => protocol != "oauth2-password",
        Some(_) => true,
        None => decision.multifactor.is_some() && protocol == "oauth2-refresh-token",
    };
    if let Some(reason) = &decision.denied {
        say(Style::Yellow, format!("The login is refused: {reason}"));
    } else if !has_browser && needs_browser {
        let text = "The login is refused: this flow has no browser (interaction_required).";
        say(Style::Yellow, text.to_owned());
    } else {
        match suspension {
            None => say(Style::Green, "The login goes on.".to_owned()),
            Some(Suspension::Redirect(url)) => {
                say(Style::Yellow, format!("The browser is sent to {url}"));
                say(Style::Dim, "  and comes back with a query: --continue NAME=VALUE".to_owned());
            }
            Some(Suspension::Form(id)) => {
                say(Style::Yellow, format!("The login is refused: Postern cannot show the form {id}."));
            }
            Some(Suspension::Factors(requests)) => {
                for request in requests {
                    let names = request.factors.iter().map(|factor| json!(factor.factor_type));
                    let names: Vec<_> =
                        names.map(|name| name.as_str().unwrap_or_default().to_owned()).collect();
                    let what = if request.enroll { "set up" } else { "show" };
                    say(
                        Style::Yellow,
                        format!("The user must {what} a second factor: {}", names.join(" or ")),
                    );
                }
            }
        }
    }
    for line in effects(decision, *now) {
        output.line(format!("  {}", escape(&line, false)));
    }
    for warning in &decision.warnings {
        say(Style::Yellow, format!("  warning: {warning}"));
    }
}

/// What the decision changes, each as a sentence.
fn effects(decision: &Decision, now: Timestamp) -> Vec<String> {
    let mut lines = Vec::new();
    let mut end = |what: &str, moment: Option<Timestamp>| {
        if let Some(moment) = moment {
            lines.push(format!(
                "{what} {}, or when the tenant says, if that is earlier",
                moment_text(moment, now)
            ));
        }
    };
    end("The session ends", decision.session_expires_at);
    end("The session ends without activity", decision.session_idle_expires_at);
    end("The refresh token ends", decision.refresh_token.expires_at);
    end("The refresh token ends without use", decision.refresh_token.idle_expires_at);
    if decision.revoke_session.is_some() {
        lines.push("The session is revoked.".to_owned());
    }
    if decision.revoke_refresh_token {
        lines.push("The refresh token is revoked.".to_owned());
    }
    if let Some(user) = &decision.primary_user {
        lines.push(format!("The login is that of {user}."));
    }
    if decision.due_at_the_end().is_some() {
        lines.push("A second factor is due after the last Action.".to_owned());
    }
    for (scope, added) in &decision.scopes {
        lines.push(format!("The access token {} the scope {scope}.", if *added { "gets" } else { "loses" }));
    }
    let mut fields = |what: &str, fields: &Map<String, Value>| {
        for (name, value) in fields {
            lines.push(if value.is_null() && what.ends_with("metadata") {
                format!("{what} loses {name}")
            } else {
                format!("{what} has {name} = {value}")
            });
        }
    };
    fields("The ID token", &decision.id_token_claims);
    fields("The access token", &decision.access_token_claims);
    fields("user_metadata", &decision.user_metadata);
    fields("app_metadata", &decision.app_metadata);
    lines
}

/// A command as its author would say it.
pub fn command_text(command: &Command, now: Timestamp) -> String {
    let name = command.name();
    match command {
        Command::AccessDeny { reason } => format!("{name}: {reason}"),
        Command::SessionSetExpiresAt { absolute: moment }
        | Command::SessionSetIdleExpiresAt { inactivity: moment }
        | Command::RefreshTokenSetExpiresAt { absolute: moment }
        | Command::RefreshTokenSetIdleExpiresAt { inactivity: moment } => {
            #[expect(clippy::cast_possible_truncation, reason = "the cast saturates, and so does the server")]
            let moment = Timestamp::from_ms(*moment as i64);
            format!("{name}: {}", moment_text(moment, now))
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
fn moment_text(moment: Timestamp, now: Timestamp) -> String {
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
    }
    match error {
        BuildError::Script(RunError::Host { .. }) => Failure::shown(ExitCode::Failed),
        _ => Failure::shown(ExitCode::Action),
    }
}

/// `file:line:column`, and the line with a mark below it.
pub fn code_frame(output: &Output, file: &Path, exception: &GuestException) {
    let Some(line) = exception.line else { return };
    let named = exception.file.clone().unwrap_or_else(|| file.display().to_string());
    let column = exception.column.unwrap_or(1).max(1);
    output.line(format!(
        "  {} {}",
        output.paint(Style::Bold, "at"),
        escape(&format!("{named}:{line}:{column}"), false)
    ));
    // Only the file that the person named, or a module in its folder, is read.
    let folder = file.parent().unwrap_or_else(|| Path::new("."));
    let stays_within =
        Path::new(&named).components().all(|part| matches!(part, std::path::Component::Normal(_)));
    let beside = folder.join(&named);
    let path = if stays_within && beside.is_file() { beside.as_path() } else { file };
    let Ok(source) = std::fs::read_to_string(path) else { return };
    let Some(text) = (line as usize).checked_sub(1).and_then(|index| source.lines().nth(index)) else {
        return;
    };
    let number = line.to_string();
    let blank = " ".repeat(number.len());
    let shown: String = escape(&text.replace('\t', " "), false).chars().take(160).collect();
    output.line(format!("  {blank} |"));
    output.line(format!("  {number} | {shown}"));
    if column <= 160 {
        let mark = output.paint(Style::Red, "^");
        output.line(format!("  {blank} | {}{mark}", " ".repeat(column as usize - 1)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_said_with_its_distance() {
        let now = Timestamp::from_ms(1_700_000_000_000);
        let text = |ms| moment_text(Timestamp::from_ms(ms), now);
        assert_eq!(text(1_700_001_800_000), "2023-11-14T22:43:20.000Z (in 30 min)");
        assert!(text(1_699_992_800_000).ends_with("(2 h ago)"));
        assert!(text(i64::MAX).starts_with("9999"));
    }
}
