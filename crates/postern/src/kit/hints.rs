//! What an author can do about a mistake that many make: one sentence below an error, or below what an Action asked for.

use std::path::Path;

use action_api::schema::{self, Flow, Shape};
use action_api::{Command, GuestException, Handler, RunError, check_claim_name};
use action_build::BuildError;
use model::Timestamp;
use serde_json::Value;

use super::check::problem::{Slip, claim_hint, claim_of, moment_of};
use super::frame::source_line;
use crate::render::{Output, Style, escape};

/// By how many characters a handler's name may be misspelt.
const NEAR: usize = 4;
/// Packages whose purpose `fetch` has.
const HTTP_PACKAGES: [&str; 6] = ["axios", "got", "node-fetch", "request", "superagent", "undici"];

/// Shows a hint, below what it is about.
pub fn show(output: &Output, hint: Option<String>) {
    if let Some(hint) = hint {
        output.line(format!("  {} {}", output.paint(Style::Green, "hint:"), escape(&hint, false)));
    }
}

/// About an Action that does not build. `main` is its file.
pub fn of_build(main: &Path, error: &BuildError) -> Option<String> {
    match error {
        BuildError::Script(error) => of_error(main, error, None),
        _ => None,
    }
}

/// About a run that failed on an event.
pub fn of_error(main: &Path, error: &RunError, event: Option<&Value>) -> Option<String> {
    match error {
        RunError::NoHandler { handler } => Some(of_handler(*handler, &std::fs::read_to_string(main).ok()?)),
        RunError::HandlerNotAsync { handler } => {
            let name = handler.export();
            Some(format!(
                "write `async` before its parameters: exports.{name} = async (event, api) => {{ ... }}"
            ))
        }
        RunError::NeverSettled => Some(
            "the handler awaits a promise that nothing resolves, as one whose callback is never called"
                .to_owned(),
        ),
        RunError::Limit { limit, .. } => of_limit(limit).map(str::to_owned),
        RunError::Exception { exception } => {
            of_exception(exception, &source_line(main, exception).unwrap_or_default(), event)
        }
        _ => None,
    }
}

/// About what an Action asked for on an event.
pub fn of_command(command: &Command, event: &Value, now: Timestamp) -> Option<String> {
    if let Some(Err(why)) = claim_of(command).map(check_claim_name) {
        return Some(format!("the token will not have this claim: {why}; {}", claim_hint(why)));
    }
    if let Some(slip) = moment_of(command).and_then(|ms| Slip::of(ms, now)) {
        return Some(slip.hint().to_owned());
    }
    let of_session = command.name().starts_with("session.");
    if of_session && event.get("session").is_none_or(Value::is_null) {
        return Some(format!("it has no effect: there is no session{}", flow_of(event)));
    }
    None
}

fn of_limit(limit: &str) -> Option<&'static str> {
    match limit {
        "fuel" => Some(
            "an endless loop, or too much work for a login: do it once at the top level, or keep it in api.cache",
        ),
        "wall_clock_ms" => {
            Some("give each request a time of its own: fetch(url, { signal: AbortSignal.timeout(2000) })")
        }
        "memory_bytes" => Some("something grows without end, or is kept whole where a part would do"),
        "http_requests" => Some("ask once and keep the answer in api.cache"),
        _ => None,
    }
}

/// About a handler that is not there, from the text of the file.
fn of_handler(handler: Handler, source: &str) -> String {
    let wanted = handler.export();
    if handler == Handler::Continue {
        return format!("an Action that sends the browser away needs exports.{wanted}, too; it may be empty");
    }
    let mut words = source.split(|letter: char| !letter.is_alphanumeric() && letter != '_' && letter != '$');
    let near = words.clone().find(|word| {
        *word != wanted
            && *word != Handler::Continue.export()
            && strsim::damerau_levenshtein(word, wanted) <= NEAR
    });
    if let Some(near) = near {
        return format!("the file says {near}; the handler's name is {wanted}");
    }
    let of_other_trigger =
        words.find(|word| word.starts_with("onExecute") && word.len() > "onExecute".len() && *word != wanted);
    if let Some(other) = of_other_trigger {
        return format!("{other} is of another trigger; this one runs exports.{wanted}");
    }
    // An ES module has another way of saying it.
    let is_module = source.lines().any(|line| line.starts_with("export ") || line.starts_with("import "));
    let export = if is_module { "export const " } else { "exports." };
    let write = format!("write {export}{wanted} = async (event, api) => {{ ... }}");
    if source.contains(wanted) {
        return format!("{wanted} is there, but not exported: {write}");
    }
    write
}

fn of_exception(exception: &GuestException, line: &str, event: Option<&Value>) -> Option<String> {
    let message = exception.message.as_str();
    if let Some(package) =
        message.strip_prefix("Cannot find module '").and_then(|rest| rest.split('\'').next())
    {
        return Some(of_module(package));
    }
    if message.starts_with("api.") && message.contains("must be a finite number") {
        return Some(
            "it takes milliseconds since 1970, as Date.now() + 30 * 60 * 1000, or date.getTime()".to_owned(),
        );
    }
    if message == "fetch failed" {
        return Some(
            "a request can fail at any login: catch it, and say what the login does then".to_owned(),
        );
    }
    if exception.name == "SyntaxError" && message.contains("JSON") && line.contains(".json()") {
        return Some(
            "an answer need not be JSON, also where it mostly is: look at its `ok` first".to_owned(),
        );
    }
    let event = event?;
    if message.contains("this flow has no session") {
        return Some(format!("there is no session{}: ask `if (event.session)` first", flow_of(event)));
    }
    event_paths(line).iter().find_map(|path| of_path(path, event, message))
}

fn of_module(name: &str) -> String {
    if let Some(shared) = name.strip_prefix("actions:") {
        return format!(
            "a module that Actions share is the file modules/{shared}.js beside the Action; on a server, it is among the Action's modules"
        );
    }
    if HTTP_PACKAGES.contains(&name) {
        return format!("fetch is there, and does what {name} is for");
    }
    if name.starts_with('.') {
        return "files are found beside the Action and in folders below it, by a name that stands in the code".to_owned();
    }
    format!("bundle {name} into the Action's file, as with: esbuild --bundle --platform=node --format=cjs")
}

/// About the first part of a path that the event has not got, if the error can come from it.
fn of_path(path: &[Part<'_>], event: &Value, message: &str) -> Option<String> {
    let mut shape = Some(schema::event_shape());
    let mut value = event;
    let mut said = "event".to_owned();
    for (index, part) in path.iter().enumerate() {
        said = format!("{said}.{}", part.name);
        let below = shape.and_then(|shape: &Shape| shape.named.get(part.name));
        match value.get(part.name) {
            Some(there) if !there.is_null() => (shape, value) = (below, there),
            _ => {
                let next = path.get(index + 1);
                if let Some(secret) = said.strip_prefix("event.secrets.") {
                    return Some(format!(
                        "there is no secret {secret}: give it with --secret {secret}=VALUE, or in [secrets] of action.toml"
                    ));
                }
                // What is read next is what the engine could not read.
                let is_cause =
                    next.is_some_and(|next| !next.guarded && message.contains(&format!("'{}'", next.name)));
                if !is_cause {
                    return None;
                }
                let known = shape.filter(|shape| !shape.named.is_empty());
                if let (None, Some(known)) = (below, known) {
                    let names = known.named.keys();
                    let near = names.min_by_key(|name| strsim::damerau_levenshtein(part.name, name));
                    let near =
                        near.filter(|name| strsim::damerau_levenshtein(part.name, name) <= name.len() / 3);
                    return Some(match near {
                        Some(near) => format!("{said} is not there in the dialect; did you mean {near}?"),
                        None => format!("{said} is not there in the dialect"),
                    });
                }
                let next = next.map(|next| next.name).unwrap_or_default();
                let place = if below.is_some() { flow_of(event) } else { String::new() };
                return Some(format!(
                    "{said} is not there{place}: ask `if ({said})` first, or write {said}?.{next}"
                ));
            }
        }
    }
    None
}

/// One name of a path.
#[derive(Debug, PartialEq)]
struct Part<'a> {
    name: &'a str,
    /// Whether `?.` stands before it.
    guarded: bool,
}

/// The paths of `event` in a line of code, without the word itself.
fn event_paths(line: &str) -> Vec<Vec<Part<'_>>> {
    let is_name = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '$';
    let mut paths = Vec::new();
    for (at, word) in line.match_indices("event") {
        let before = line[..at].chars().next_back();
        if before.is_some_and(|letter| is_name(letter) || letter == '.') {
            continue;
        }
        let mut rest = &line[at + word.len()..];
        let mut path = Vec::new();
        loop {
            let guarded = rest.starts_with("?.");
            let Some(name) = rest.strip_prefix("?.").or_else(|| rest.strip_prefix('.')) else { break };
            let end = name.find(|letter| !is_name(letter)).unwrap_or(name.len());
            if end == 0 {
                break;
            }
            path.push(Part { name: &name[..end], guarded });
            rest = &name[end..];
        }
        paths.push(path);
    }
    paths
}

/// ` in the password grant`, where the event's flow is known.
fn flow_of(event: &Value) -> String {
    Flow::of(event).map(|flow| format!(" in {}", flow.describe())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn thrown(message: &str, line: &str, event: &Value) -> Option<String> {
        let exception = GuestException { message: message.into(), ..GuestException::default() };
        of_exception(&exception, line, Some(event))
    }

    #[test]
    fn what_a_flow_has_not_is_said_with_the_flow() {
        let refresh = json!({ "transaction": { "protocol": "oauth2-refresh-token" }, "user": { "user_metadata": {} }, "secrets": {} });
        for (message, line, hint) in [
            (
                "cannot read property 'id' of undefined",
                "  const id = event.session.id;",
                "event.session is not there in the exchange of an offline refresh token: ask `if (event.session)` \
                 first, or write event.session?.id",
            ),
            (
                "cannot read property 'id' of undefined",
                "if (event.user?.user_metadata && event.sesion.id)",
                "event.sesion is not there in the dialect; did you mean session?",
            ),
            (
                "cannot read property 'name' of undefined",
                "f(event.user.user_metadata.pet.name)",
                "event.user.user_metadata.pet is not there: ask `if (event.user.user_metadata.pet)` first, or write \
                 event.user.user_metadata.pet?.name",
            ),
            (
                "api.redirect.encodeToken: `secret` must be a string",
                "api.redirect.encodeToken({ secret: event.secrets.SHARED })",
                "there is no secret SHARED: give it with --secret SHARED=VALUE, or in [secrets] of action.toml",
            ),
            (
                "Failed to set session metadata: this flow has no session",
                "api.session.setMetadata('a', 'b')",
                "there is no session in the exchange of an offline refresh token: ask `if (event.session)` first",
            ),
            ("Cannot find module 'axios': ...", "", "fetch is there, and does what axios is for"),
        ] {
            assert_eq!(thrown(message, line, &refresh).as_deref(), Some(hint), "{line}");
        }
        for (message, line) in [
            ("cannot read property 'id' of undefined", "other.session.id + event.session?.id"),
            ("cannot read property 'x' of undefined", "event.session.id"),
            ("boom", "throw new Error('boom') // event.session.id"),
            ("cannot read property 'id' of undefined", "myevent.session.id"),
        ] {
            assert_eq!(thrown(message, line, &refresh), None, "{line}");
        }
    }

    #[test]
    fn a_handler_that_is_not_there_is_looked_for() {
        for (source, hint) in [
            (
                "exports.onExecutePostlogin = async () => {};",
                "the file says onExecutePostlogin; the handler's name is onExecutePostLogin",
            ),
            (
                "exports.onExecuteCredentialsExchange = 1",
                "onExecuteCredentialsExchange is of another trigger; this one runs exports.onExecutePostLogin",
            ),
            (
                "async function onExecutePostLogin() {}",
                "onExecutePostLogin is there, but not exported: write exports.onExecutePostLogin = async (event, api) => { ... }",
            ),
            ("", "write exports.onExecutePostLogin = async (event, api) => { ... }"),
            (
                "import a from './a';\nconst onExecutePostLogin = async () => {};",
                "onExecutePostLogin is there, but not exported: write export const onExecutePostLogin = async (event, api) \
                 => { ... }",
            ),
        ] {
            assert_eq!(of_handler(Handler::Execute, source), hint, "{source}");
        }
    }

    #[test]
    fn commands_that_will_have_no_effect_are_explained() {
        let now = Timestamp::from_ms(1_780_000_000_000);
        let event = json!({ "transaction": { "protocol": "oauth2-password" } });
        let said =
            |command: Value| of_command(&serde_json::from_value(command).expect("a command"), &event, now);
        let hint = said(json!({ "command": "session.setExpiresAt", "absolute": 1_800_000 })).expect("a hint");
        assert!(hint.contains("looks like a duration"), "{hint}");
        let hint = said(json!({ "command": "session.setExpiresAt", "absolute": 1_780_001_800_000_i64 }));
        assert_eq!(hint.as_deref(), Some("it has no effect: there is no session in the password grant"));
        let hint =
            said(json!({ "command": "idToken.setCustomClaim", "key": "roles", "value": 1 })).expect("a hint");
        assert!(hint.contains("the name is reserved; choose a name of your own"), "{hint}");
        assert_eq!(said(json!({ "command": "access.deny", "reason": "" })), None);
    }
}
