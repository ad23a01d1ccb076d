//! Which lines of a script its cases have run.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use action_api::{Artifact, Limits};
use action_build::{BuildError, Lines};
use action_runtime::Runtime;

use super::runner::{Action, Outcome};

/// Counts the lines that run.
pub struct Coverage {
    telling: Artifact,
    lines: Lines,
    hits: Mutex<BTreeMap<(u32, u32), u64>>,
}

/// One file.
pub struct Covered {
    /// As the author named it.
    pub file: String,
    /// How many lines have statements.
    pub lines: usize,
    /// Those that never ran, as ranges of lines that follow one another among those with statements.
    pub missed: Vec<(u32, u32)>,
    /// How many they are.
    pub missed_lines: usize,
}

impl Coverage {
    /// For a script; `None` for a component, which cannot tell.
    ///
    /// # Errors
    /// [`BuildError`]
    pub fn of(runtime: &Runtime, action: &Action, limits: &Limits) -> Result<Option<Self>, BuildError> {
        let built = action_build::build_traced(runtime, &action.source, limits)?;
        Ok(built.map(|(telling, lines)| Self { telling, lines, hits: Mutex::default() }))
    }

    /// Repeats the runs of a login and counts.
    pub fn count(&self, runtime: &Runtime, outcome: &Outcome) {
        for run in &outcome.runs {
            let told = run.lines(runtime, &self.telling);
            let mut hits = self.hits.lock().unwrap_or_else(PoisonError::into_inner);
            for (place, count) in told {
                *hits.entry(place).or_default() += count;
            }
        }
    }

    /// What has run so far, by file.
    pub fn covered(&self) -> Vec<Covered> {
        let hits = self.hits.lock().unwrap_or_else(PoisonError::into_inner);
        let files = (0..).zip(&self.lines);
        files
            .map(|(number, (file, lines))| {
                let mut missed: Vec<(u32, u32)> = Vec::new();
                let (mut count, mut open) = (0, false);
                for line in lines {
                    let runs = hits.contains_key(&(number, *line));
                    match missed.last_mut() {
                        _ if runs => {}
                        Some(last) if open => last.1 = *line,
                        _ => missed.push((*line, *line)),
                    }
                    open = !runs;
                    count += usize::from(!runs);
                }
                Covered { file: file.clone(), lines: lines.len(), missed, missed_lines: count }
            })
            .collect()
    }
}
