//! `postern action diff`: how versions of an Action differ.

use std::collections::{BTreeMap, BTreeSet};

use action_build::{Program, SHARED, Source};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use idp::manage::COMPONENT_RUNTIME;
use serde_json::Value;
use similar::TextDiff;

use super::module_store::{Pin, Place};
use super::modules::{Plan, Planned};
use super::run::read;
use super::versions::{all, find};
use crate::cli::action::ActionDiffArgs;
use crate::exit_code::{ExitCode, Failure};
use crate::remote::Remote;
use crate::render::{Output, Style, escape};

/// One side of the comparison.
struct Side {
    name: String,
    /// By their paths; a component has one, which is its base64.
    files: BTreeMap<String, String>,
    /// The `actions:` modules that it requires, by their names.
    modules: BTreeMap<String, Module>,
}

/// A module of one side.
struct Module {
    /// `None`: no such version is published yet.
    version: Option<i64>,
    /// `None`: it is not there any more.
    code: Option<String>,
}

impl Side {
    /// A version or a draft, as the server answers it.
    async fn of(place: &Place<'_>, name: String, stored: &Value) -> Result<Self, Failure> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let is_component = stored["runtime"] == COMPONENT_RUNTIME;
        let files = stored["files"].as_object().into_iter().flatten();
        let mut files: BTreeMap<_, _> = files.map(|(name, value)| (name.clone(), text(value))).collect();
        let main = stored["file_name"].as_str().unwrap_or("action.js").to_owned();
        let code = text(&stored["code"]);
        let code = if is_component { code.split_ascii_whitespace().collect() } else { code };
        files.insert(if is_component { "action.wasm".to_owned() } else { main }, code);
        let mut modules = BTreeMap::new();
        for pin in Pin::answered(stored) {
            let code = place.code_of(&pin.version).await?;
            modules.insert(pin.name, Module { version: Some(pin.version.number), code });
        }
        Ok(Self { name, files, modules })
    }

    fn list(&self) -> Vec<(&String, &String)> {
        self.files.iter().collect()
    }

    /// What a deploy would make of what the author has.
    fn local(name: String, source: Source, plan: &Plan) -> Self {
        let files = match source.program {
            Program::Script { code, modules } => {
                let own = modules.into_iter().filter(|(name, _)| !name.starts_with(SHARED));
                own.chain([(source.file_name, code)]).collect()
            }
            Program::Component(bytes) => [("action.wasm".to_owned(), STANDARD.encode(bytes))].into(),
        };
        let module = |(planned, version): (&Planned, Option<i64>)| {
            (planned.name.clone(), Module { version, code: Some(planned.code.clone()) })
        };
        Self { name, files, modules: plan.modules().map(module).collect() }
    }
}

/// Shows the differences. Ends with 1 when there are any.
pub async fn run(args: &ActionDiffArgs) -> Result<(), Failure> {
    let output = Output::stdout();
    let local = match &args.file {
        Some(path) => Some(read(&output, path, false).await?),
        None => None,
    };
    let remote = Remote::connect(&args.remote).await?;
    let place = Place::Server(&remote);
    let (action, path) = remote.action(&args.name).await?;
    let (from, to) = match (&args.versions[..], local) {
        ([], Some(local)) => {
            let plan = Plan::make(&place, &local, &Pin::answered(&action), &[]).await?;
            let name = local.file.display().to_string();
            (deployed(&place, &action, &args.name).await?, Side::local(name, local.source, &plan))
        }
        ([], None) => {
            let draft = Side::of(&place, "draft".to_owned(), &action).await?;
            (deployed(&place, &action, &args.name).await?, draft)
        }
        (numbers, _) => {
            let versions = all(&remote, &path).await?;
            let side = async |number: &u64| {
                let version = find(&versions, *number, &args.name)?;
                Side::of(&place, format!("version {number}"), version).await
            };
            match numbers {
                [from, to, ..] => (side(from).await?, side(to).await?),
                [from] => (side(from).await?, deployed(&place, &action, &args.name).await?),
                [] => return Ok(()),
            }
        }
    };
    let differs = show(&output, &from, &to);
    if show_modules(&output, &from, &to) || differs { Err(Failure::shown(ExitCode::Failed)) } else { Ok(()) }
}

async fn deployed(place: &Place<'_>, action: &Value, name: &str) -> Result<Side, Failure> {
    let version = &action["deployed_version"];
    if version.is_object() {
        return Side::of(place, format!("version {}", version["number"]), version).await;
    }
    let text = format!("nothing of {} is deployed", escape(name, false));
    Err(Failure::new(ExitCode::Failed, text))
}

/// Whether any of the Action's own files differs.
fn show(output: &Output, from: &Side, to: &Side) -> bool {
    // One file on each side is the same one, whatever it is called there.
    if let ([(_, old)], [(name, new)]) = (&from.list()[..], &to.list()[..]) {
        return one(output, (&from.name, &to.name), name, old, new);
    }
    let mut differs = false;
    let names: BTreeSet<&String> = from.files.keys().chain(to.files.keys()).collect();
    for name in names {
        let text = |side: &Side| side.files.get(name).cloned().unwrap_or_default();
        differs |= one(output, (&from.name, &to.name), name, &text(from), &text(to));
    }
    differs
}

/// Whether any module differs, or is there in another version.
fn show_modules(output: &Output, from: &Side, to: &Side) -> bool {
    let mut differs = false;
    let names: BTreeSet<&String> = from.modules.keys().chain(to.modules.keys()).collect();
    for name in names {
        let (old, new) = (from.modules.get(name), to.modules.get(name));
        let number = |module: Option<&Module>| module.and_then(|module| module.version);
        if old.is_some() && number(old) == number(new) {
            continue;
        }
        differs = true;
        let said = |side: &Side, module: Option<&Module>| match number(module) {
            Some(number) => format!("{}, module version {number}:", side.name),
            None => side.name.clone(),
        };
        let shown = format!("{SHARED}{name}");
        let code = |module: Option<&Module>| module.map_or(Some(String::new()), |module| module.code.clone());
        match (code(old), code(new)) {
            (Some(old_code), Some(new_code)) if old_code != new_code => {
                one(output, (&said(from, old), &said(to, new)), &shown, &old_code, &new_code);
            }
            (Some(_), Some(_)) => {
                let text = format!("{}: another version, with the same code", escape(&shown, false));
                output.line(text);
            }
            _ => output.line(format!(
                "{}: another version; one of the two is not there any more",
                escape(&shown, false)
            )),
        }
    }
    differs
}

fn one(output: &Output, (from, to): (&str, &str), name: &str, old: &str, new: &str) -> bool {
    if old == new {
        return false;
    }
    let shown = escape(name, false);
    if name.ends_with(".wasm") {
        output.line(format!(
            "{shown}: the components of {} and {} differ",
            escape(from, false),
            escape(to, false)
        ));
        return true;
    }
    let header = |side: &str| format!("{} {shown}", escape(side, false));
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
