//! Kills the server at random moments under load, 200 times on each database, and fails when anything that it had
//! acknowledged is lost, spent twice or inconsistent.
#![allow(clippy::print_stderr, missing_docs, reason = "a benchmark")]

use std::process::ExitCode;

use end_to_end::{bench, kill};

fn main() -> ExitCode {
    let kills = if bench::is_quick() { 5 } else { 200 };
    bench::on_both_databases(async |database| {
        let outcome = kill::run(&database, kills).await;
        outcome.lost.iter().for_each(|lost| eprintln!("{lost}"));
        (outcome.json(), outcome.lost.is_empty())
    })
}
