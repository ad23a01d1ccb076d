//! `cargo xtask bench`: every bench of the workspace in the release profile, as one table for people or one JSON object,
//! with the machine beside it.

mod over_http;

use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};

use crate::packages;
use crate::postgres::{self, Postgres};
use crate::process::{self, block_on, cargo, note, say};

/// The benches whose figures stand under their own name. `sandbox` and the times over HTTP stand beside them; criterion's
/// `actions`, in the full form, measures the same as `sandbox` with its statistics.
const BENCHES: [&str; 8] = [
    "token_endpoint",
    "login_timing",
    "neighbour",
    "double_spend",
    "revocation",
    "lookups",
    "management",
    "kill",
];
/// Whole flows over HTTP.
const FLOWS: usize = 2_000;
const QUICK_FLOWS: usize = 200;

/// Runs everything, and goes on when one fails: the others' figures are worth as much.
pub(crate) fn run(quick: bool, as_json: bool) -> Result<()> {
    packages::wasm_toolchain()?;
    let postgres = Postgres::start()?;
    let mut report = Report { figures: Map::new(), failed: Vec::new(), as_json };
    let machine = machine();
    if !as_json {
        say(&format!("{}\n", machine.as_object().map(scalars).unwrap_or_default()));
    }
    report.figures.insert("machine".to_owned(), machine);
    if !quick {
        note("$ cargo bench --bench actions");
        let criterion = ["bench", "--quiet", "--locked", "--workspace", "--bench", "actions"];
        if process::run(&mut cargo(&criterion)).is_err() {
            report.failed.push("actions".to_owned());
        }
    }
    report.add("sandbox", cargo_bench("sandbox", quick, &postgres), |figures| figures);
    block_on(async {
        let flows = if quick { QUICK_FLOWS } else { FLOWS };
        let measured = over_http::measure(flows).await.map(|figures| (figures, true));
        report.add("over HTTP", measured, |figures| figures);
        Ok(())
    })?;
    for name in BENCHES {
        let named = |figures| Map::from_iter([(name.to_owned(), Value::Object(figures))]);
        report.add(name, cargo_bench(name, quick, &postgres), named);
    }
    if as_json {
        say(&Value::Object(report.figures).to_string());
    }
    ensure!(report.failed.is_empty(), "failed: {}", report.failed.join(", "));
    Ok(())
}

struct Report {
    figures: Map<String, Value>,
    failed: Vec<String>,
    as_json: bool,
}

impl Report {
    fn add(
        &mut self,
        name: &str,
        measured: Result<(Map<String, Value>, bool)>,
        place: impl FnOnce(Map<String, Value>) -> Map<String, Value>,
    ) {
        let (figures, good) = measured.unwrap_or_else(|error| {
            note(&format!("{name}: {error:#}"));
            (Map::new(), false)
        });
        if !good {
            self.failed.push(name.to_owned());
        }
        let figures = place(figures);
        if !self.as_json {
            lines(&figures, 0).iter().for_each(|line| say(line));
        }
        self.figures.extend(figures);
    }
}

/// Runs a bench; the figures that it prints as its last line, and whether they are as they must be.
fn cargo_bench(name: &str, quick: bool, postgres: &Postgres) -> Result<(Map<String, Value>, bool)> {
    note(&format!("$ cargo bench --bench {name}"));
    let mut command = cargo(&["bench", "--quiet", "--locked", "--workspace", "--bench", name, "--"]);
    if quick {
        command.arg("--quick");
    }
    let output = command.env(postgres::VARIABLE, postgres.url()).stderr(Stdio::inherit()).output()?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let last = printed.lines().rev().find(|line| line.starts_with('{'));
    let figures = serde_json::from_str(last.context("it printed no figures")?)?;
    Ok((figures, output.status.success()))
}

/// Figures for people: a line for each object, what is in it indented below.
fn lines(figures: &Map<String, Value>, depth: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, value) in figures {
        let indent = "  ".repeat(depth);
        match value {
            Value::Object(inner) => {
                lines.push(format!("{indent}{name:<34} {}", scalars(inner)).trim_end().to_owned());
                let nested = inner.iter().filter(|(_, value)| value.is_object());
                let nested = nested.map(|(name, value)| (name.clone(), value.clone())).collect();
                lines.extend(self::lines(&nested, depth + 1));
            }
            value => lines.push(format!("{indent}{name:<34} {}", plain(value))),
        }
    }
    lines
}

/// What is in an object, but for other objects.
fn scalars(object: &Map<String, Value>) -> String {
    let scalars = object.iter().filter(|(_, value)| !value.is_object());
    scalars.map(|(name, value)| format!("{name} {}", plain(value))).collect::<Vec<_>>().join("   ")
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What the figures were measured on.
fn machine() -> Value {
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.split_once(':'));
        value.map(|(_, value)| value.trim().to_owned())
    };
    let memory = field(&read("/proc/meminfo"), "MemTotal")
        .and_then(|text| text.trim_end_matches("kB").trim().parse::<f64>().ok());
    json!({
        "processor": field(&read("/proc/cpuinfo"), "model name"),
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "memory_gib": memory.map(|kib| (kib / 1024.0 / 1024.0).round()),
        "system": packages::output("uname", &["-sr"]).map(|text| text.trim().to_owned()),
        "compiler": packages::output("rustc", &["--version"]).map(|text| text.trim().to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_shown_with_what_they_belong_to() {
        let Value::Object(figures) =
            json!({ "bytes": 7, "spend": { "sqlite": { "lost": 0, "more": { "ok": true } } } })
        else {
            unreachable!()
        };
        let shown: Vec<String> = lines(&figures, 0)
            .iter()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(shown, ["bytes 7", "spend", "sqlite lost 0", "more ok true"]);
    }
}
