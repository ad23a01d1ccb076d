//! `postern action diff`: how versions of an Action differ.

use std::collections::{BTreeMap, BTreeSet};

use action_build::{Program, Source};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use idp::manage::COMPONENT_RUNTIME;
use serde_json::Value;
use similar::TextDiff;

use super::versions::{all, find};
use crate::cli::action::ActionDiffArgs;
use crate::exit_code::{ExitCode, Failure};
use crate::kit::show::build_failure;
use crate::remote::Remote;
use crate::render::{Output, Style, escape};

/// One side of the comparison.
struct Side {
    name: String,
    /// By their paths; a component has one, which is its base64.
    files: BTreeMap<String, String>,
}

impl Side {
    /// A version or a draft, as the server answers it.
    fn of(name: String, stored: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let is_component = stored["runtime"] == COMPONENT_RUNTIME;
        let files = stored["files"].as_object().into_iter().flatten();
        let mut files: BTreeMap<_, _> = files.map(|(name, value)| (name.clone(), text(value))).collect();
        let main = stored["file_name"].as_str().unwrap_or("action.js").to_owned();
        let code = text(&stored["code"]);
        let code = if is_component { code.split_ascii_whitespace().collect() } else { code };
        files.insert(if is_component { "action.wasm".to_owned() } else { main }, code);
        Self { name, files }
    }

    fn list(&self) -> Vec<(&String, &String)> {
        self.files.iter().collect()
    }

    fn local(name: String, source: Source) -> Self {
        match source.program {
            Program::Script { code, mut modules } => {
                modules.insert(source.file_name, code);
                Self { name, files: modules }
            }
            Program::Component(bytes) => {
                let files = [("action.wasm".to_owned(), STANDARD.encode(bytes))].into();
                Self { name, files }
            }
        }
    }
}

/// Shows the differences. Ends with 1 when there are any.
pub async fn run(args: &ActionDiffArgs) -> Result<(), Failure> {
    let output = Output::stdout();
    let local = match &args.file {
        Some(file) => {
            let source = Source::read(file).map_err(|error| build_failure(&output, file, &error, false))?;
            Some(Side::local(file.display().to_string(), source))
        }
        None => None,
    };
    let remote = Remote::connect(&args.remote).await?;
    let (action, path) = remote.action(&args.name).await?;
    let (from, to) = match (&args.versions[..], local) {
        ([], Some(local)) => (deployed(&action, &args.name)?, local),
        ([], None) => (deployed(&action, &args.name)?, Side::of("draft".to_owned(), &action)),
        (numbers, _) => {
            let versions = all(&remote, &path).await?;
            let side = |number: &u64| {
                let version = find(&versions, *number, &args.name)?;
                Ok::<_, Failure>(Side::of(format!("version {number}"), version))
            };
            match numbers {
                [from, to, ..] => (side(from)?, side(to)?),
                [from] => (side(from)?, deployed(&action, &args.name)?),
                [] => return Ok(()),
            }
        }
    };
    if show(&output, &from, &to) { Err(Failure::shown(ExitCode::Failed)) } else { Ok(()) }
}

fn deployed(action: &Value, name: &str) -> Result<Side, Failure> {
    let version = &action["deployed_version"];
    if version.is_object() {
        return Ok(Side::of(format!("version {}", version["number"]), version));
    }
    let text = format!("nothing of {} is deployed", escape(name, false));
    Err(Failure::new(ExitCode::Failed, text))
}

/// Whether anything differs.
fn show(output: &Output, from: &Side, to: &Side) -> bool {
    // One file on each side is the same one, whatever it is called there.
    if let ([(_, old)], [(name, new)]) = (&from.list()[..], &to.list()[..]) {
        return one(output, (from, to), name, old, new);
    }
    let mut differs = false;
    let names: BTreeSet<&String> = from.files.keys().chain(to.files.keys()).collect();
    for name in names {
        let text = |side: &Side| side.files.get(name).cloned().unwrap_or_default();
        differs |= one(output, (from, to), name, &text(from), &text(to));
    }
    differs
}

fn one(output: &Output, (from, to): (&Side, &Side), name: &str, old: &str, new: &str) -> bool {
    if old == new {
        return false;
    }
    let shown = escape(name, false);
    if name.ends_with(".wasm") {
        output.line(format!("{shown}: the components of {} and {} differ", from.name, to.name));
        return true;
    }
    let header = |side: &Side| format!("{} {shown}", escape(&side.name, false));
    let diff = TextDiff::from_lines(old, new);
    let text = diff.unified_diff().context_radius(3).header(&header(from), &header(to)).to_string();
    for line in text.lines() {
        let style = match line.as_bytes().first() {
            Some(b'+') => Some(Style::Green),
            Some(b'-') => Some(Style::Red),
            Some(b'@') => Some(Style::Dim),
            _ => None,
        };
        let line = escape(line, false);
        output.line(style.map_or(line.clone(), |style| output.paint(style, line)));
    }
    true
}
