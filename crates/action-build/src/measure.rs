//! Measurements as data: the benchmarks print them, `cargo xtask bench` too.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Instant;

use action_api::{Artifact, Limits};
use action_runtime::{Record, RunInput, Runtime};

use crate::{BuildError, Program, Source, build};

/// Runs before the ones that count.
const WARM_UP: usize = 10;

/// Microseconds of building a source, for each of `count` times.
///
/// # Errors
/// [`BuildError`] when the source does not build.
pub fn deploy(
    runtime: &Runtime,
    source: &Source,
    limits: &Limits,
    count: usize,
) -> Result<Vec<f64>, BuildError> {
    let mut samples = Vec::with_capacity(count);
    for _ in 0..count {
        let started = Instant::now();
        build(runtime, source, limits)?;
        samples.push(started.elapsed().as_secs_f64() * 1e6);
    }
    Ok(samples)
}

/// Microseconds of a run in a fresh sandbox that waits for nothing, tear-down included, for each of `count` times.
///
/// # Errors
/// The first failed run, as [`BuildError::Script`].
pub fn runs(
    runtime: &Runtime,
    artifact: &Artifact,
    event: &str,
    limits: &Limits,
    count: usize,
) -> Result<Vec<f64>, BuildError> {
    let input =
        RunInput { handler: action_api::Handler::Execute, event: event.to_owned(), secrets: BTreeMap::new() };
    let record = Record { now_ms: 1_780_000_000_000, seed: [7; 32], entries: Vec::new() };
    let mut samples = Vec::with_capacity(count);
    for index in 0..count + WARM_UP {
        let started = Instant::now();
        let report = runtime.replay(artifact, &input, &record, limits);
        let elapsed = started.elapsed().as_secs_f64() * 1e6;
        if let Some(error) = report.error {
            return Err(BuildError::Script(error));
        }
        if index >= WARM_UP {
            samples.push(elapsed);
        }
    }
    Ok(samples)
}

/// The value below which `share` (0 to 1) of the samples are; 0 for none.
#[must_use]
pub fn quantile(samples: &[f64], share: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * share).round() as usize).copied().unwrap_or(0.0)
}

/// The script with about `bytes` of further code in a module that it requires.
#[must_use]
pub fn with_module_code(source: &Source, bytes: usize) -> Source {
    let Program::Script { code, modules } = &source.program else { return source.clone() };
    let mut padding = String::with_capacity(bytes + 128);
    let mut index = 0;
    while padding.len() < bytes {
        // Writing to a String cannot fail.
        let _ = writeln!(
            padding,
            "exports.f{index} = function f{index}(a, b) {{ const c = [a, b, {index}]; return c.map((x) => x * {index} + 1); }};"
        );
        index += 1;
    }
    let mut modules = modules.clone();
    modules.insert("padding.js".into(), padding);
    // On one line, so that positions stay.
    let code = format!("require('./padding.js'); {code}");
    Source { file_name: source.file_name.clone(), program: Program::Script { code, modules } }
}
