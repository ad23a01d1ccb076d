//! From an empty folder to a green first test.

use tempfile::tempdir;

use super::{action, read, samples, shows};

#[tokio::test]
async fn a_new_action_passes_its_test_at_once() {
    let folder = tempdir().unwrap();
    for language in ["javascript", "typescript", "ts"] {
        let name = format!("limit-{language}");
        action(folder.path(), &["new", &name, "--language", language]).await.expect(0);
        let tested = action(&folder.path().join(&name), &["test"]).await;
        shows(tested.expect(0), &[&name, "native-to-web", "ordinary-login", "4 passed, 0 failed"]);
        let ran = action(folder.path(), &["run", &name, "--event", "native-to-web"]).await;
        shows(
            ran.expect(0),
            &["session.setExpiresAt: 2026-01-15T09:30:00.000Z (in 30 min)", "The login goes on"],
        );
        // What its README says to type.
        let new = folder.path().join(&name);
        let readme = read(&new, "README.md");
        let commands = readme.lines().filter_map(|line| line.strip_prefix("postern action "));
        let commands = commands.map(|line| line.split('#').next().unwrap_or_default());
        let (mut typed, mut deploys) = (0, 0);
        for command in commands.filter(|command| !command.contains("--watch")) {
            let words: Vec<&str> = command.split_whitespace().collect();
            let ended = action(&new, &words).await;
            if words[0] == "deploy" {
                deploys += 1;
                assert_ne!(ended.code, 2, "{command}: {ended:?}");
            } else {
                typed += 1;
                assert_eq!(ended.code, 0, "{command}: {ended:?}");
            }
        }
        assert_eq!((typed, deploys), (3, 1), "{readme}");
        let shown = action(&new, &["inspect"]).await;
        shows(shown.expect(0), &["./action.", "fuel 50_000_000", "and asked for session.setExpiresAt"]);
        let sheet = action(&new, &["inspect", "--json"]).await.expect(0).json();
        let run = action(&new, &["run", "--event", "native-to-web", "--json"]).await.expect(0).json();
        assert_eq!(sheet["run"]["fuel"], run["runs"][0]["report"]["fuel"], "a budget is taken from either");
        action(&new, &["check", "--events", "60"]).await.expect(0);
    }
}

#[tokio::test]
async fn nothing_is_overwritten_and_nothing_half_is_left() {
    let folder = tempdir().unwrap();
    action(folder.path(), &["new", "limit"]).await.expect(0);
    std::fs::write(folder.path().join("limit/action.js"), "mine").unwrap();
    shows(
        action(folder.path(), &["new", "limit"]).await.expect(1),
        &["is there already; nothing was written"],
    );
    assert_eq!(read(folder.path(), "limit/action.js"), "mine");
    shows(action(folder.path(), &["new", "Limit It"]).await.expect(2), &["is no name for an Action"]);
    shows(action(folder.path(), &["new", "x", "--language", "cobol"]).await.expect(2), &["typescript"]);
    shows(action(folder.path(), &["new", "nowhere/x"]).await.expect(1), &["cannot write"]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn the_cases_of_the_samples_pass() {
    for sample in ["limit-transferred-session", "ask-for-terms"] {
        let tested = action(&samples(), &["test", sample, "--coverage"]).await;
        shows(tested.expect(0), &[" 0 failed", "100 %"]);
    }
}
