//! `cargo xtask test`: format, lints, every test, the end-to-end tests on both databases, and one line that sums it up.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};

use crate::clients;
use crate::guests::{self, Guests};
use crate::packages;
use crate::postgres::{self, Postgres};
use crate::process::{self, cargo, note, say};

/// The variable that says on which database the end-to-end tests run.
const DATABASE: &str = "TEST_DATABASE";
/// Modules of the end-to-end tests that choose their database themselves, or depend on none: they run once.
const OF_THEIR_OWN_DATABASE: [&str; 11] = [
    "check",
    "chromium",
    "command_line",
    "components::python",
    "components::rust",
    "double_spend",
    "kill",
    "nodes",
    "outside",
    "process",
    "tls",
];

/// What the test runner said.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
    ignored: u64,
}

/// Runs everything. A test that is ignored is a failure: this machine can run them all.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    packages::wasm_toolchain()?;
    packages::browser()?;
    let mut guests = guests::compilers()?;
    clients::fetch(&mut guests)?;
    let postgres = Postgres::start()?;
    if !arguments.is_empty() {
        // At the root of a workspace, that is all of it unless the arguments name a package.
        let mut command = cargo(&["test"]);
        command.envs(guests.variables).env(postgres::VARIABLE, postgres.url());
        return process::run(command.args(arguments));
    }
    note("$ cargo fmt --check");
    process::run(&mut cargo(&["fmt", "--all", "--check"]))?;
    note("$ cargo clippy");
    process::run(&mut cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "-D",
        "warnings",
    ]))?;
    let mut counts = Counts::default();
    let mut closing = Vec::new();
    // Without --no-fail-fast the count would end at the first crate that fails.
    let all = ["test", "--workspace", "--locked", "--no-fail-fast"];
    note("$ cargo test");
    let mut once = cargo(&all);
    if !guests.missing.is_empty() {
        once.arg("--");
    }
    for (module, _) in &guests.missing {
        once.args(["--skip", module]);
    }
    let mut succeeded = run_tests(&mut once, &postgres, &guests, &mut counts, &mut closing)?;
    note("$ cargo test --test e2e, on PostgreSQL");
    let mut again = cargo(&[&all[..], &["--test", "e2e", "--"]].concat());
    again.env(DATABASE, "postgres");
    for module in OF_THEIR_OWN_DATABASE {
        again.args(["--skip", &format!("{module}::")]);
    }
    succeeded &= run_tests(&mut again, &postgres, &guests, &mut counts, &mut closing)?;
    say("");
    closing.iter().for_each(|line| say(line));
    for (module, why) in &guests.missing {
        say(&format!("not run: {module}: {why}"));
    }
    if counts.ignored > 0 {
        say(&format!("{} ignored: nothing may be skipped on a machine that can run it", counts.ignored));
    }
    say(&format!("{} passed, {} failed", counts.passed, counts.failed));
    ensure!(succeeded && counts.failed == 0, "tests failed");
    ensure!(counts.ignored == 0, "tests were skipped");
    ensure!(counts.passed > 0, "no test ran");
    Ok(())
}

/// Runs tests and shows what they say; whether all went well.
fn run_tests(
    command: &mut Command,
    postgres: &Postgres,
    guests: &Guests,
    counts: &mut Counts,
    closing: &mut Vec<String>,
) -> Result<bool> {
    command.envs(guests.variables.iter().cloned()).env(postgres::VARIABLE, postgres.url());
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).lines() {
            let line = line?;
            say(&line);
            if counts.add(&line) {
                closing.push(line);
            }
        }
    }
    Ok(child.wait()?.success())
}

impl Counts {
    /// Adds a closing line of the runner. `false`: it is none.
    fn add(&mut self, line: &str) -> bool {
        let Some(rest) = line.strip_prefix("test result: ") else { return false };
        for part in rest.split([';', '.']) {
            let mut words = part.split_whitespace();
            let number = words.next().and_then(|word| word.parse::<u64>().ok());
            match (number, words.next()) {
                (Some(number), Some("passed")) => self.passed += number,
                (Some(number), Some("failed")) => self.failed += number,
                (Some(number), Some("ignored")) => self.ignored += number,
                _ => {}
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runners_closing_lines_are_summed() {
        let mut counts = Counts::default();
        assert!(counts.add(
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s"
        ));
        assert!(counts.add("test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s"));
        assert!(!counts.add("test a ... ok"));
        assert_eq!(counts, Counts { passed: 15, failed: 2, ignored: 1 });
    }
}
