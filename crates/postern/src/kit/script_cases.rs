//! Cases that are code. A file of them is a script: it runs in a sandbox of its own, and each `run` in it is a login in another.

use std::sync::{Arc, Mutex, PoisonError};

use action_api::{Limits, OperationAnswer, OperationFuture, Operations, unknown_operation};
use action_build::{BuildError, Program, Source};
use action_runtime::Runtime;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde_json::{Value, json};

use super::case::{self, Case};
use super::coverage::Coverage;
use super::project::Project;
use super::runner::{self, Action, Login};
use super::stand_ins::{USUAL_NOW_MS, World};
use super::suite::Verdict;
use model::Timestamp;

/// The module that a file of cases has as `postern:test`. The engine knows files only, so it is one beside them.
const MODULE: &str = include_str!("test_module.js");
const MODULE_NAME: &str = "postern:test";
const MODULE_FILE: &str = "postern-test-module.js";
/// What runs: the file, and then its cases.
const MAIN_FILE: &str = "postern-test-main.js";
/// Where the module sends what it asks for.
const ADDRESS: &str = "https://postern.test/";

/// All that the cases of a file need.
pub struct ScriptCases {
    /// Whose cases.
    pub project: Arc<Project>,
    /// What they run.
    pub action: Arc<Action>,
    /// The engine.
    pub runtime: Arc<Runtime>,
    /// What a file of cases may use itself.
    pub limits: Limits,
    /// For its top level.
    pub build_limits: Limits,
    /// Counts lines, when somebody wants that.
    pub coverage: Option<Arc<Coverage>>,
}

/// What the module says of a case.
#[derive(Deserialize)]
struct Told {
    name: String,
    error: Option<Thrown>,
}

#[derive(Deserialize)]
struct Thrown {
    name: String,
    message: String,
    stack: String,
}

/// The program's side of one file.
struct Harness {
    cases: Arc<ScriptCases>,
    /// `tests/limits.test.js` is `limits`.
    stem: String,
    filter: Option<String>,
    verdicts: Arc<Mutex<Vec<Verdict>>>,
    fuel: Arc<Mutex<u64>>,
}

impl ScriptCases {
    /// Runs the cases of a file, by its path from the project's folder: one verdict for each, and one more for a file that
    /// does not come to its end.
    pub fn run(self: &Arc<Self>, name: &str, stem: &str, filter: Option<&str>) -> Vec<Verdict> {
        let failed = |text: String| vec![Verdict::failed(stem, text)];
        let action = match self.build(name) {
            Ok(action) => action,
            Err(error) => return failed(format!("does not build: {error}")),
        };
        let harness = Arc::new(Harness {
            cases: Arc::clone(self),
            stem: stem.to_owned(),
            filter: filter.map(str::to_owned),
            verdicts: Arc::default(),
            fuel: Arc::default(),
        });
        let login =
            Login { event: json!({}), continues: None, now: Timestamp::from_ms(USUAL_NOW_MS), seed: [0; 32] };
        let actions = [action];
        let world = Arc::clone(&harness) as Arc<dyn Operations>;
        let asks = |_: &Limits| Arc::clone(&world);
        let ended = runner::without_waiting(runner::run(&self.runtime, &actions, &login, asks));
        let mut verdicts =
            std::mem::take(&mut *harness.verdicts.lock().unwrap_or_else(PoisonError::into_inner));
        match ended {
            Ok(outcome) => {
                if let Some(error) = &outcome.failure {
                    let place =
                        error.exception().map(|thrown| format!("\n{}", thrown.stack)).unwrap_or_default();
                    verdicts.push(Verdict::failed(stem, format!("{error}{place}")));
                }
            }
            Err(error) => verdicts.push(Verdict::failed(stem, error)),
        }
        verdicts
    }

    /// The file, the module and what runs both, as one script.
    fn build(&self, name: &str) -> Result<Action, String> {
        let source = Source::read_script(&self.project.folder, name).map_err(|error| explained(&error))?;
        let Program::Script { code, mut modules } = source.program else {
            return Err("it is no script".to_owned());
        };
        let (folder, depth) = match name.rsplit_once('/') {
            Some((folder, _)) => (format!("{folder}/"), format!("./{folder}/")),
            None => (String::new(), "./".to_owned()),
        };
        let mut code = code;
        for quote in ['\'', '"'] {
            let (asked, file) =
                (format!("{quote}{MODULE_NAME}{quote}"), format!("{quote}./{MODULE_FILE}{quote}"));
            code = code.replace(&asked, &file);
        }
        modules.insert(name.to_owned(), code);
        modules.insert(format!("{folder}{MODULE_FILE}"), MODULE.to_owned());
        let main = format!(
            "require({});\nexports.onExecutePostLogin = async () => require({}).runAll();\n",
            json!(format!("./{name}")),
            json!(format!("{depth}{MODULE_FILE}"))
        );
        let source =
            Source { file_name: MAIN_FILE.to_owned(), program: Program::Script { code: main, modules } };
        let artifact = action_build::build(&self.runtime, &source, &self.build_limits)
            .map_err(|error| explained(&error))?;
        Ok(Action {
            name: name.to_owned(),
            file: self.project.folder.join(name),
            source,
            artifact: Arc::new(artifact),
            secrets: Default::default(),
            module_secrets: Default::default(),
            limits: self.limits,
        })
    }

    /// One `run`. The error is for the case's author.
    async fn login(&self, input: Value) -> Result<(Value, u64), String> {
        let case: Case = serde_json::from_value(input).map_err(|error| format!("run: {error}"))?;
        let prepared = case.prepare(&self.project).map_err(|error| error.to_string())?;
        let actions = [case::with_secrets(&self.action, &prepared)];
        let world = World::new(prepared.stand_ins, prepared.login.now);
        let outcome = runner::run_in_time(&self.runtime, &actions, &prepared.login, &world).await;
        if let Some(coverage) = &self.coverage {
            coverage.count(&self.runtime, &outcome);
        }
        let wrong = case.check_code(&outcome, &world);
        if wrong.is_empty() {
            Ok((case::to_json(&outcome), case::fuel(&outcome)))
        } else {
            Err(wrong.join("\n"))
        }
    }
}

impl Operations for Harness {
    fn start(&self, kind: &str, input: Value) -> OperationFuture {
        let what =
            input["url"].as_str().and_then(|url| url.strip_prefix(ADDRESS)).filter(|_| kind == "http.fetch");
        let Some(what) = what.map(str::to_owned) else {
            let text = "a case sends no requests: the Action that it runs does, to stand-ins";
            return Box::pin(async move { Err(text.to_owned()) });
        };
        let body = input["body"].as_str().and_then(|body| BASE64.decode(body).ok()).unwrap_or_default();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let (cases, verdicts, fuel) =
            (Arc::clone(&self.cases), Arc::clone(&self.verdicts), Arc::clone(&self.fuel));
        let (stem, filter) = (self.stem.clone(), self.filter.clone());
        Box::pin(async move {
            let answered = match what.as_str() {
                "run" => cases.login(body).await.map(|(answer, used)| {
                    *fuel.lock().unwrap_or_else(PoisonError::into_inner) += used;
                    answer
                }),
                "wants" => {
                    let name = full_name(&stem, body["name"].as_str().unwrap_or_default());
                    Ok(json!(filter.is_none_or(|part| name.contains(&part))))
                }
                "result" => {
                    let told: Told = serde_json::from_value(body).map_err(|error| error.to_string())?;
                    let used = std::mem::take(&mut *fuel.lock().unwrap_or_else(PoisonError::into_inner));
                    let wrong = told.error.map(|thrown| thrown.text()).into_iter().collect();
                    let verdict =
                        Verdict { name: full_name(&stem, &told.name), wrong, fuel: used, updated: false };
                    verdicts.lock().unwrap_or_else(PoisonError::into_inner).push(verdict);
                    Ok(Value::Null)
                }
                other => Err(unknown_operation(other)),
            };
            Ok(as_answer(answered))
        })
    }

    fn call(&self, kind: &str, _input: Value, _now_ms: i64) -> OperationAnswer {
        Err(unknown_operation(kind))
    }
}

fn full_name(stem: &str, name: &str) -> String {
    format!("{stem}: {name}")
}

impl Thrown {
    /// What was thrown, and the lines of the author's files.
    fn text(&self) -> String {
        let own = self.stack.lines().filter(|line| !line.contains(MODULE_FILE) && line.contains(':'));
        let own = own.filter(|line| !line.contains("(native)") && !line.contains("postern:"));
        let stack: Vec<_> = own.map(|line| format!("\n  {}", line.trim())).collect();
        let name = if self.name == "Error" { String::new() } else { format!("{}: ", self.name) };
        format!("{name}{}{}", self.message, stack.concat())
    }
}

/// Why a file of cases does not build, with the place.
fn explained(error: &BuildError) -> String {
    let stack = error.exception().map(|thrown| format!("\n{}", thrown.stack)).unwrap_or_default();
    format!("{error}{stack}")
}

/// An answer to `fetch`.
fn as_answer(answered: Result<Value, String>) -> Value {
    let (status, body) = match answered {
        Ok(value) => (200, value.to_string()),
        Err(text) => (400, text),
    };
    json!({
        "status": status, "status_text": "", "url": ADDRESS, "redirected": false, "headers": [],
        "body": BASE64.encode(body),
    })
}
