//! Revoking one refresh token with 1 000 sessions made from it: the statements that it takes, and the time from the
//! request to the answer. Fails when a session survives, or when the number of statements depends on that of sessions.
#![allow(missing_docs, reason = "a benchmark")]

use std::process::ExitCode;

use end_to_end::statements::Recorder;
use end_to_end::{TestServer, bench, revocation};
use serde_json::json;

fn main() -> ExitCode {
    let (descendants, runs) = if bench::is_quick() { (50, 3) } else { (1_000, 7) };
    let recorder = Recorder::of_this_process();
    bench::on_both_databases(async |database| {
        let server = TestServer::start_on(database).await;
        let one = revocation::run(&server, recorder, 1).await;
        let (mut times, mut survivors, mut good) = (Vec::new(), one.survivors, true);
        for _ in 0..runs {
            let many = revocation::run(&server, recorder, descendants).await;
            survivors += many.survivors;
            good &= many.descendants == descendants;
            good &= many.that_revoke() == 1 && many.statements.len() == one.statements.len();
            times.push(many.time);
        }
        let figures = json!({
            "sessions": descendants,
            "runs": runs,
            "survivors": survivors,
            "statements_that_revoke": one.that_revoke(),
            "statements_of_the_request": one.statements.len(),
            "max_us": times.iter().max().copied().map(bench::micros),
            "median_us": bench::micros(bench::median(times)),
            "one_statement_for_all": good,
        });
        (figures, good && survivors == 0)
    })
}
