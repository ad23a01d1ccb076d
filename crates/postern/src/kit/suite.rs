//! All cases of a project, on all processors.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::case::{self, Case};
use super::hints;
use super::runner::{self, Run};
use super::script_cases::ScriptCases;
use super::stand_ins::World;
use super::update::update;

/// Where cases are.
pub const FOLDER: &str = "tests";

/// What came of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The file without its ending; for code, with the case's own name.
    pub name: String,
    /// What is not as it must be. Nothing: the case passed.
    pub wrong: Vec<String>,
    /// Of all its runs.
    pub fuel: u64,
    /// What came out was written into its file.
    pub updated: bool,
}

impl Verdict {
    /// That of a case that could not even be run.
    pub fn failed(name: &str, why: String) -> Self {
        Self { name: name.to_owned(), wrong: vec![why], fuel: 0, updated: false }
    }

    /// Whether all was as it must be.
    pub fn passed(&self) -> bool {
        self.wrong.is_empty()
    }
}

/// Which cases, and what else is done with them.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Only cases whose names have this in them.
    pub filter: Option<String>,
    /// Write what comes out into the cases that are files.
    pub update: bool,
}

/// A file of cases.
struct CaseFile {
    /// From the project's folder, with `/`.
    path: String,
    stem: String,
    is_code: bool,
}

/// Runs them, in the order of their files.
///
/// # Errors
/// The folder of cases cannot be read.
pub fn run(cases: &Arc<ScriptCases>, wanted: &Wanted) -> std::io::Result<Vec<Verdict>> {
    let files = files(&cases.project.folder)?;
    let next = AtomicUsize::new(0);
    let verdicts = Mutex::new(Vec::with_capacity(files.len()));
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(files.len());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = of_file(cases, file, wanted);
                    let mut verdicts = verdicts.lock().unwrap_or_else(PoisonError::into_inner);
                    verdicts.push((&file.path, found));
                }
            });
        }
    });
    let mut verdicts = verdicts.into_inner().unwrap_or_else(PoisonError::into_inner);
    verdicts.sort_by_key(|(path, _)| *path);
    Ok(verdicts.into_iter().flat_map(|(_, found)| found).collect())
}

fn files(folder: &Path) -> std::io::Result<Vec<CaseFile>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder.join(FOLDER))? {
        let name = entry?.file_name();
        let Some(name) = name.to_str() else { continue };
        let code = [".test.js", ".test.mjs", ".test.cjs", ".test.ts", ".test.mts", ".test.cts"];
        let data = [".toml", ".json"];
        let stem_of = |endings: &[&str]| endings.iter().find_map(|ending| name.strip_suffix(ending));
        let (stem, is_code) = match (stem_of(&code), stem_of(&data)) {
            (Some(stem), _) => (stem, true),
            (None, Some(stem)) => (stem, false),
            (None, None) => continue,
        };
        files.push(CaseFile { path: format!("{FOLDER}/{name}"), stem: stem.to_owned(), is_code });
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

fn of_file(cases: &Arc<ScriptCases>, file: &CaseFile, wanted: &Wanted) -> Vec<Verdict> {
    if file.is_code {
        return cases.run(&file.path, &file.stem, wanted.filter.as_deref());
    }
    if wanted.filter.as_ref().is_some_and(|part| !file.stem.contains(part)) {
        return Vec::new();
    }
    let verdict = of_data(cases, &cases.project.folder.join(&file.path), &file.stem, wanted.update);
    vec![verdict.unwrap_or_else(|why| Verdict::failed(&file.stem, why))]
}

/// The error: why the case could not be run.
fn of_data(cases: &ScriptCases, path: &Path, name: &str, writes: bool) -> Result<Verdict, String> {
    let case = Case::read(path).map_err(|error| error.to_string())?;
    let prepared = case.prepare(&cases.project).map_err(|error| format!("{}: {error}", path.display()))?;
    let actions = [case::with_secrets(&cases.action, &prepared)];
    let world = World::new(prepared.stand_ins, prepared.login.now);
    let outcome = runner::run_in(&cases.runtime, &actions, &prepared.login, &world)?;
    if let Some(coverage) = &cases.coverage {
        coverage.count(&cases.runtime, &outcome);
    }
    let mut verdict = Verdict {
        name: name.to_owned(),
        wrong: case.check(&outcome, &world),
        fuel: case::fuel(&outcome),
        updated: false,
    };
    if let Some(error) = outcome.failure.as_ref().filter(|_| !verdict.passed()) {
        let event = outcome.runs.last().map(Run::event);
        let hint = hints::of_error(&cases.action.file, error, event.as_ref());
        verdict.wrong.extend(hint.map(|hint| format!("hint: {hint}")));
    }
    // What a missing stand-in leads to is not what is expected.
    if writes && (!verdict.passed() || !case.expects()) && world.unmatched().is_empty() {
        update(path, case.updated(&outcome)).map_err(|error| error.to_string())?;
        let again = Case::read(path).map_err(|error| error.to_string())?;
        verdict.wrong = again.check(&outcome, &world);
        verdict.updated = true;
    }
    Ok(verdict)
}
