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
        assert!(read(&folder.path().join(&name), "README.md").contains(&format!("--name {name}")));
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
