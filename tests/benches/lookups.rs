//! The statements of `/authorize` and `/oauth/token` with 10 thousand and with 10 million sessions in the database, over
//! HTTP. Fails when one of them reads more of a table than it must.
#![allow(clippy::print_stderr, missing_docs, reason = "a benchmark")]

use std::process::ExitCode;

use end_to_end::statements::Recorder;
use end_to_end::{bench, lookups};

fn main() -> ExitCode {
    let (few, many, flows) =
        if bench::is_quick() { (10_000, 200_000, 40) } else { (10_000, 10_000_000, 500) };
    let recorder = Recorder::of_this_process();
    bench::on_both_databases(async |database| {
        let comparison = lookups::compare(database, recorder, few, many, flows).await;
        comparison.faults.iter().for_each(|fault| eprintln!("{fault}"));
        (comparison.figures, comparison.faults.is_empty())
    })
}
