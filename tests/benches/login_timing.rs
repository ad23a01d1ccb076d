//! Whether the time of an answer tells an unknown user from a wrong password: failed logins of both kinds, in turn. Of two
//! that are drawn, one of each kind, the slower one is as often of one kind as of the other, but for chance. Fails when
//! that is off by more than three standard errors of the rank-sum test (Mann and Whitney 1947).
#![allow(missing_docs, reason = "a benchmark")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use end_to_end::{Login, RawClient, TestServer, bench, seed};
use serde_json::json;

/// As long as the known one's.
const UNKNOWN: &str = "eva@example.com";
/// Fewer than an account may have at one time.
const OF_ONE_LOGIN: usize = 4;
/// Until an account may fail again.
const WINDOW_SECS: i64 = 15 * 60;

fn main() -> ExitCode {
    let logins = if bench::is_quick() { 10 } else { 125 };
    bench::on_both_databases(async |database| {
        let server = TestServer::start_on(database).await;
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for login in 0..=logins {
            let browser = server.client();
            let begun = Login::web().begin(&browser).await;
            let page = begun.location().to_owned();
            let csrf = browser.get(&page).await.expect(200).field("csrf");
            for pair in 0..OF_ONE_LOGIN {
                // Neither is always the first one.
                let order = if pair % 2 == 0 { [seed::ADA, UNKNOWN] } else { [UNKNOWN, seed::ADA] };
                for user in order {
                    let time = fail(&browser, &page, &csrf, user).await;
                    // The first login of all is not counted.
                    let times = if user == seed::ADA { &mut known } else { &mut unknown };
                    times.extend(Some(time).filter(|_| login > 0));
                }
            }
            server.clock.advance_secs(WINDOW_SECS);
        }
        let (slower, standard_error) = known_is_slower(&known, &unknown);
        let deviation = (slower - 0.5) / standard_error;
        let figures = json!({
            "failed_logins_of_each": known.len(),
            "wrong_password_median_us": bench::micros(bench::median(known)),
            "unknown_user_median_us": bench::micros(bench::median(unknown)),
            "wrong_password_is_slower": (slower * 1000.0).round() / 1000.0,
            "standard_errors_from_chance": (deviation * 100.0).round() / 100.0,
        });
        (figures, deviation.abs() <= 3.0)
    })
}

async fn fail(browser: &RawClient, page: &str, csrf: &str, user: &str) -> Duration {
    let form = [("csrf", csrf), ("username", user), ("password", "not the password")];
    let started = Instant::now();
    let answer = browser.post_form(page, &form).await;
    let time = started.elapsed();
    answer.expect(400);
    time
}

/// In which share of all pairs the known one is the slower one, and the standard error of that when it is chance.
fn known_is_slower(known: &[Duration], unknown: &[Duration]) -> (f64, f64) {
    let (m, n) = (known.len() as f64, unknown.len() as f64);
    let slower = |time: &Duration| unknown.iter().filter(|other| *other < time).count() as f64;
    let equal = |time: &Duration| unknown.iter().filter(|other| *other == time).count() as f64;
    let wins: f64 = known.iter().map(|time| slower(time) + equal(time) / 2.0).sum();
    (wins / (m * n), ((m + n + 1.0) / (12.0 * m * n)).sqrt())
}
