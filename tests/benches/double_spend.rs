//! 100 000 attempts on each database to spend what may be spent once, over HTTP: codes, session transfer tokens and
//! refresh tokens without leeway, each wanted by 8 connections at once. SQLite has one node, PostgreSQL three. Fails
//! when any value was spent twice, or not at all.
#![allow(clippy::print_stderr, missing_docs, reason = "a benchmark")]

use std::process::ExitCode;
use std::time::Instant;

use end_to_end::node::Node;
use end_to_end::{bench, double_spend, invariants};
use serde_json::json;

const ATTEMPTS: usize = 100_000;
const QUICK_ATTEMPTS: usize = 2_400;

fn main() -> ExitCode {
    let attempts = if bench::is_quick() { QUICK_ATTEMPTS } else { ATTEMPTS };
    bench::on_both_databases(async |database| {
        let count = if database.is_postgres() { 3 } else { 1 };
        let nodes = Node::start_several(&database, count).await;
        nodes[0].seed().await;
        let started = Instant::now();
        let values = attempts.div_ceil(double_spend::ATTEMPTS_PER_ROUND);
        let outcome = double_spend::run(&nodes, values).await;
        let mut figures = outcome.json();
        figures["nodes"] = json!(count);
        figures["attempts"] = json!(outcome.attempts());
        figures["spent_twice_or_never"] = json!(outcome.wrong());
        figures["seconds"] = json!(started.elapsed().as_secs());
        let violations = invariants::violations(&database).await;
        violations.iter().for_each(|violation| eprintln!("{violation}"));
        (figures, outcome.wrong() == 0 && violations.is_empty())
    })
}
