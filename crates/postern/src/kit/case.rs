//! A case: a login, and what an Action must make of it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::diff::differences;
use super::event::{self, EventError};
use super::project::{Project, ProjectError, read_toml};
use super::runner::{Action, Login, ModuleSecrets, Outcome};
use super::show::level_name;
use super::stand_ins::{StandIns, USUAL_NOW_MS, World};
use crate::render::thousands;
use model::Timestamp;

/// What a file in `tests/` says, or a call of `run` in a case that is code.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The name of an event that the program has, a file from the project's folder, or the event itself.
    event: Value,
    /// Changes to the event.
    #[serde(default)]
    set: Map<String, Value>,
    /// The query with which the browser comes back, for `onContinuePostLogin`.
    #[serde(rename = "continue")]
    continues: Option<Map<String, Value>>,
    /// Secrets, besides those of `action.toml`.
    #[serde(default)]
    secrets: BTreeMap<String, String>,
    /// The same of `actions:` modules, by their names.
    #[serde(default)]
    module_secrets: ModuleSecrets,
    /// They come before those of `action.toml`.
    #[serde(default)]
    stand_ins: StandIns,
    /// The most fuel that the run may use.
    fuel: Option<u64>,
    /// What must come out. Without it, the run must not fail.
    expect: Option<Expect>,
}

/// What must come out: of each, nothing when it is not there.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    /// All commands, in order.
    commands: Option<Vec<Value>>,
    /// These parts of the decision.
    decision: Option<Map<String, Value>>,
    /// Where the browser goes first: `{redirect = "..."}`, `{form = "..."}` or `{factors = [...]}`.
    suspension: Option<Value>,
    /// All lines of the console, each as `log: text`.
    console: Option<Vec<String>>,
    /// A part of the text with which the run fails.
    error: Option<String>,
}

/// Why a case cannot be run. The texts are for its author.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// Its file, as TOML or as such.
    #[error(transparent)]
    File(#[from] ProjectError),
    /// Its file, as JSON.
    #[error("{path}: {cause}")]
    Json {
        /// The file.
        path: String,
        /// With line and column.
        cause: serde_json::Error,
    },
    /// Its event.
    #[error(transparent)]
    Event(#[from] EventError),
    /// Its event is neither.
    #[error("`event` is a name, a file, or an object")]
    NoEvent,
}

/// What a case is run with.
pub struct Prepared {
    /// The login.
    pub login: Login,
    /// What stands in for the world.
    pub stand_ins: StandIns,
    /// The case's own secrets.
    pub secrets: BTreeMap<String, String>,
    /// The same of modules.
    pub module_secrets: ModuleSecrets,
}

impl Case {
    /// Reads a case, `.toml` or `.json`.
    ///
    /// # Errors
    /// [`CaseError`], with line and column.
    pub fn read(path: &Path) -> Result<Self, CaseError> {
        if path.extension().is_some_and(|ending| ending == "toml") {
            return Ok(read_toml(path)?);
        }
        let text = std::fs::read_to_string(path)
            .map_err(|cause| ProjectError::Read { path: path.to_path_buf(), cause })?;
        serde_json::from_str(&text)
            .map_err(|cause| CaseError::Json { path: path.display().to_string(), cause })
    }

    /// Reads its event and puts everything together.
    ///
    /// # Errors
    /// [`CaseError`]
    pub fn prepare(&self, project: &Project) -> Result<Prepared, CaseError> {
        let mut event = match &self.event {
            Value::String(name) => event::read(name, &project.folder)?,
            Value::Object(_) => self.event.clone(),
            _ => return Err(CaseError::NoEvent),
        };
        event::change(&mut event, &self.set)?;
        event::check(&event)?;
        let stand_ins = self.stand_ins.clone().before(&project.settings.stand_ins);
        let login = Login {
            event,
            continues: self.continues.clone(),
            now: stand_ins.now.unwrap_or(Timestamp::from_ms(USUAL_NOW_MS)),
            seed: stand_ins.seed_bytes(),
        };
        let (secrets, module_secrets) = (self.secrets.clone(), self.module_secrets.clone());
        Ok(Prepared { login, stand_ins, secrets, module_secrets })
    }

    /// Whether it says what must come out.
    pub fn expects(&self) -> bool {
        self.expect.is_some()
    }

    /// What is not as it must be, each in a few lines.
    pub fn check(&self, outcome: &Outcome, world: &World) -> Vec<String> {
        self.check_with(outcome, world, true)
    }

    /// The same for a case that is code: unless it says what it expects, it looks itself whether the run failed.
    pub fn check_code(&self, outcome: &Outcome, world: &World) -> Vec<String> {
        self.check_with(outcome, world, self.expects())
    }

    fn check_with(&self, outcome: &Outcome, world: &World, must_not_fail: bool) -> Vec<String> {
        let expect = self.expect.clone().unwrap_or_default();
        let mut wrong = world.unmatched();
        match (&expect.error, &outcome.failure) {
            (None, Some(_)) if !must_not_fail => {}
            (None, None) => {}
            (None, Some(error)) => wrong.push(format!("the Action failed: {error}")),
            (Some(wanted), None) => wrong.push(format!("it must fail with {wanted:?}, and did not")),
            (Some(wanted), Some(error)) => {
                let error = error.to_string();
                if !error.contains(wanted) {
                    wrong.push(format!("error\n  - {wanted}\n  + {error}"));
                }
            }
        }
        let fuel = fuel(outcome);
        if let Some(most) = self.fuel.filter(|most| fuel > *most) {
            wrong.push(format!(
                "fuel: {} is more than the {} of this case",
                thousands(fuel),
                thousands(most)
            ));
        }
        let came = Came::of(outcome);
        if let Some(wanted) = &expect.commands {
            wrong.extend(differences("commands", &json!(wanted), &came.commands));
        }
        for (name, value) in expect.decision.iter().flatten() {
            let there = came.decision.get(name).unwrap_or(&Value::Null);
            wrong.extend(differences(&format!("decision.{name}"), value, there));
        }
        if let Some(wanted) = &expect.suspension {
            wrong.extend(differences("suspension", wanted, &came.suspension));
        }
        if let Some(wanted) = &expect.console {
            wrong.extend(differences("console", &json!(wanted), &came.console));
        }
        wrong
    }

    /// `expect` as it would be right, with the parts that it has; commands always.
    pub fn updated(&self, outcome: &Outcome) -> Map<String, Value> {
        let expect = self.expect.clone().unwrap_or_default();
        let came = Came::of(outcome);
        let mut updated = Map::new();
        if let Some(error) = &outcome.failure {
            updated.insert("error".into(), json!(error.to_string()));
        } else {
            updated.insert("commands".into(), came.commands);
        }
        if let Some(wanted) = expect.decision {
            let parts = wanted.keys().map(|name| (name.clone(), came.decision[name].clone()));
            updated.insert("decision".into(), Value::Object(parts.collect()));
        }
        if expect.suspension.is_some() {
            updated.insert("suspension".into(), came.suspension);
        }
        if expect.console.is_some() || came.console.as_array().is_some_and(|lines| !lines.is_empty()) {
            updated.insert("console".into(), came.console);
        }
        updated
    }
}

/// What came out, as JSON.
struct Came {
    commands: Value,
    decision: Value,
    suspension: Value,
    console: Value,
}

impl Came {
    fn of(outcome: &Outcome) -> Self {
        let reports = || outcome.runs.iter().map(|run| &run.report);
        let console = reports().flat_map(|report| &report.console);
        Self {
            commands: reports()
                .flat_map(|report| &report.commands)
                .map(|command| whole(json!(command)))
                .collect(),
            decision: json!(outcome.decision),
            suspension: json!(outcome.suspension),
            console: console.map(|line| format!("{}: {}", level_name(line.level), line.text)).collect(),
        }
    }
}

/// Numbers that are whole without a fraction, as JavaScript writes them.
fn whole(value: Value) -> Value {
    match value {
        Value::Number(number) => match number.as_f64() {
            #[expect(clippy::cast_possible_truncation, reason = "only whole numbers that a script can hold")]
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 9e15 => {
                json!(float as i64)
            }
            _ => Value::Number(number),
        },
        Value::Array(entries) => entries.into_iter().map(whole).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, whole(value))).collect(),
        other => other,
    }
}

/// Of all runs.
pub fn fuel(outcome: &Outcome) -> u64 {
    outcome.runs.iter().map(|run| run.report.fuel).sum()
}

/// A login as a case that is code sees it.
pub fn to_json(outcome: &Outcome) -> Value {
    let came = Came::of(outcome);
    json!({
        "commands": came.commands,
        "decision": came.decision,
        "suspension": came.suspension,
        "console": came.console,
        "error": outcome.failure.as_ref().map(ToString::to_string),
        "fuel": fuel(outcome),
        "calls": outcome.runs.iter().flat_map(|run| &run.calls).collect::<Vec<_>>(),
    })
}

/// The Action with a case's secrets.
pub fn with_secrets(action: &Action, case: &Prepared) -> Action {
    let mut own = action.clone();
    own.secrets.extend(case.secrets.clone());
    for (module, secrets) in case.module_secrets.clone() {
        own.module_secrets.entry(module).or_default().extend(secrets);
    }
    own
}
