//! What the README says to type is what works.

use std::path::Path;

use super::action;

/// The commands of `postern action` that need no server, as the README has them, in their order and in one folder.
#[tokio::test]
async fn the_readmes_commands_for_authors_work_as_they_stand() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let commands: Vec<Vec<&str>> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("cargo run --bin postern -- action "))
        .map(|line| line.split('#').next().unwrap_or_default().split_whitespace().collect())
        .filter(|words: &Vec<&str>| words.first() != Some(&"deploy"))
        .collect();
    let folder = tempfile::tempdir().unwrap();
    for command in &commands {
        let ended = action(folder.path(), command).await;
        assert_eq!(ended.code, 0, "{command:?}: {ended:?}");
    }
    for wanted in ["new", "test", "run", "check", "inspect"] {
        assert!(commands.iter().any(|command| command.first() == Some(&wanted)), "no example of {wanted}");
    }
}
