//! `postern action logs`: what Actions printed, as it comes.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::action::ActionLogsArgs;
use crate::exit_code::Failure;
use crate::remote::Remote;
use crate::render::{Output, Style, escape};

/// Between two questions.
const PAUSE: Duration = Duration::from_secs(1);
/// Runs of one answer.
const PAGE: usize = 100;
/// Runs of the last two answers, at the least.
const REMEMBERED: usize = 3 * PAGE;

pub async fn run(args: &ActionLogsArgs) -> Result<(), Failure> {
    let remote = Remote::connect(&args.remote).await?;
    let output = Output::stdout();
    let mut follower = Follower::default();
    loop {
        let page = follower.page(&remote, args).await?;
        for run in page["runs"].as_array().into_iter().flatten() {
            if follower.is_new(run) {
                show(&output, run, args.json);
            }
        }
        if !args.follow {
            return Ok(());
        }
        follower.go_on(&page);
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
    }
}

/// Where it stands. With several nodes a run may come to be seen after one that began later: each question goes back to where the
/// one before began.
#[derive(Default)]
struct Follower {
    from: Option<String>,
    next: Option<String>,
    /// The last runs that were shown.
    shown: VecDeque<String>,
}

impl Follower {
    async fn page(&self, remote: &Remote, args: &ActionLogsArgs) -> Result<Value, Failure> {
        let take = if self.from.is_none() { args.limit.to_string() } else { PAGE.to_string() };
        let mut query = vec![("take", take.as_str())];
        query.extend(self.from.as_deref().map(|from| ("from", from)));
        query.extend(args.name.as_deref().map(|name| ("action_name", name)));
        remote.get("/actions/executions", &query).await
    }

    fn is_new(&mut self, run: &Value) -> bool {
        let id = run["id"].as_str().unwrap_or_default().to_owned();
        if self.shown.contains(&id) {
            return false;
        }
        self.shown.push_back(id);
        if self.shown.len() > REMEMBERED {
            self.shown.pop_front();
        }
        true
    }

    fn go_on(&mut self, page: &Value) {
        let next = page["next"].as_str().map(str::to_owned);
        let is_full = page["runs"].as_array().is_some_and(|runs| runs.len() >= PAGE);
        let before = if is_full { None } else { self.next.take() };
        self.from = before.or_else(|| next.clone());
        self.next = next;
    }
}

fn show(output: &Output, run: &Value, as_json: bool) {
    if as_json {
        // One line each, also on a terminal: it is read by other programs.
        output.line(run);
        return;
    }
    let text = |value: &Value| escape(value.as_str().unwrap_or_default(), true);
    let head =
        format!("{} {} v{}", text(&run["started_at"]), text(&run["action_name"]), run["action_version"]);
    for line in run["logs"].as_array().into_iter().flatten() {
        let level = text(&line["level"]);
        let style = match level.as_str() {
            "error" => Style::Red,
            "warn" => Style::Yellow,
            _ => Style::Dim,
        };
        output.line(format!(
            "{} {} {}",
            output.paint(Style::Dim, &head),
            output.paint(style, level),
            text(&line["text"])
        ));
    }
    if run["error"] != json!(null) {
        let said = text(&run["error"]["msg"]);
        output.line(format!(
            "{} {} {said}",
            output.paint(Style::Dim, &head),
            output.paint(Style::Red, "failed:")
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_run_is_shown_once_and_one_that_comes_late_as_well() {
        let mut follower = Follower::default();
        let mut shown = Vec::new();
        let pages: [(&[&str], &str, &str); 4] =
            [(&["3", "4"], "4", "4"), (&["6"], "6", "4"), (&["5", "6", "7"], "7", "6"), (&["7"], "7", "7")];
        for (ids, next, from) in pages {
            for id in ids {
                if follower.is_new(&json!({ "id": id })) {
                    shown.push(*id);
                }
            }
            let runs: Vec<_> = ids.iter().map(|id| json!({ "id": id })).collect();
            follower.go_on(&json!({ "runs": runs, "next": next }));
            assert_eq!(follower.from.as_deref(), Some(from));
        }
        assert_eq!(shown, ["3", "4", "6", "5", "7"]);
    }

    #[test]
    fn a_full_page_is_not_asked_for_again() {
        let mut follower = Follower::default();
        follower.go_on(&json!({ "runs": [], "next": "0" }));
        follower.go_on(&json!({ "runs": vec![json!({}); PAGE], "next": "100" }));
        assert_eq!(follower.from.as_deref(), Some("100"));
    }
}
