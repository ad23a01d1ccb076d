//! The program's commands for an operator, on the database of a running server.

use end_to_end::flow::{code_of, text};
use end_to_end::process::{NATIVE, Postern, WEB, free_port};
use serde_json::{Value, json};
use tempfile::tempdir;

#[tokio::test]
async fn settings_and_sessions_are_changed_from_the_command_line() {
    let folder = tempdir().unwrap();
    let postern = Postern::start(folder.path(), free_port()).await;
    let command = async |line: &str, more: &[&str]| {
        let words: Vec<&str> = line.split(' ').chain(more.iter().copied()).collect();
        postern.command(&words).await
    };

    let patch = json!({ "refresh_token": { "token_lifetime": 3600 }, "session_transfer": { "allow_refresh_token": true } });
    let answer = command("client update demo-native --tenant demo", &[&patch.to_string()]).await;
    let client = answer.expect(0).json();
    assert_eq!(client["refresh_token"]["idle_token_lifetime"], 3600, "{client}");
    assert_eq!(client["session_transfer"]["can_create_session_transfer_token"], true, "{client}");
    assert_eq!(command("client show demo-native --tenant demo", &[]).await.expect(0).json(), client);
    let refused = command("client update demo-native --tenant demo", &["{\"nmae\":1}"]).await;
    assert!(refused.expect(1).stderr.contains("Additional properties not allowed: nmae"), "{refused:?}");
    assert!(command("client list --tenant demo", &[]).await.expect(0).stdout.contains(WEB));
    command("client show nobody --tenant demo", &[]).await.expect(1);
    command("client update demo-native --tenant demo", &["[1]"]).await.expect(2);

    let file = folder.path().join("tenant.json");
    std::fs::write(&file, json!({ "session_lifetime_in_minutes": 90 }).to_string()).unwrap();
    let tenant = command("tenant update demo", &[&format!("@{}", file.display())]).await;
    assert_eq!(tenant.expect(0).json()["session_lifetime"], 1.5);
    assert_eq!(command("tenant show demo", &[]).await.expect(0).json()["session_lifetime"], 1.5);
    let refused = command("tenant update demo", &["{\"session_lifetime\":0}"]).await;
    assert!(refused.expect(1).stderr.contains("at least a minute"), "{refused:?}");

    // The running server has the new limit, and the session that is revoked here is over there.
    let app = postern.app();
    let claims = app.id_token_of_login(NATIVE).await.unwrap();
    let (sid, user) = (text(&claims, "sid"), text(&claims, "sub"));
    let shown: Value = command("session show", &[&sid, "--tenant", "demo", "--json"]).await.expect(0).json();
    assert_eq!(shown["lifetime_secs"], 90 * 60, "{shown}");
    let listed = command("session list --tenant demo --user", &[&user]).await;
    assert!(listed.expect(0).stdout.contains(&sid), "{listed:?}");
    let patch = json!({ "session_metadata": { "kiosk": "7" } }).to_string();
    let changed = command("session update", &[&sid, "--tenant", "demo", &patch]).await;
    assert_eq!(changed.expect(0).json()["session_metadata"]["kiosk"], "7");
    let bad = json!({ "session_metadata": { "no blanks": "7" } }).to_string();
    let refused = command("session update", &[&sid, "--tenant", "demo", &bad]).await;
    assert!(refused.expect(1).stderr.contains("letters, digits"), "{refused:?}");
    let shown: Value = command("session show", &[&sid, "--tenant", "demo", "--json"]).await.expect(0).json();
    assert_eq!(shown["session_metadata"], json!({ "kiosk": "7" }), "{shown}");
    code_of(&app.authorize(WEB, &[("prompt", "none")]).await.unwrap());
    command("session revoke", &[&sid, "--tenant", "demo"]).await.expect(0);
    let silent = app.authorize(WEB, &[("prompt", "none")]).await.unwrap();
    assert_eq!(silent.location_parameter("error").as_deref(), Some("login_required"));
    command("session revoke", &[&sid, "--tenant", "demo"]).await.expect(1);
    command("session revoke --tenant demo", &[]).await.expect(2);

    // Refresh tokens: the login above has one.
    let listed = command("refresh-token list --tenant demo --user", &[&user]).await.expect(0).stdout.clone();
    assert!(!listed.contains("rt_"), "the session took them along: {listed}");
    let tokens = app.tokens_of_login(NATIVE).await.unwrap();
    let listed = command("refresh-token list --tenant demo --user", &[&user]).await.expect(0).stdout.clone();
    let id = listed.split_whitespace().find(|word| word.starts_with("rt_")).expect("an id").to_owned();
    let patch = json!({ "refresh_token_metadata": { "device": "blue" } }).to_string();
    let changed = command("refresh-token update", &[&id, "--tenant", "demo", &patch]).await.expect(0).json();
    assert_eq!(changed["refresh_token_metadata"], json!({ "device": "blue" }), "{changed}");
    assert_eq!(changed["client_id"], NATIVE, "{changed}");
    let shown = command("refresh-token show", &[&id, "--tenant", "demo"]).await.expect(0).json();
    assert_eq!(shown["refresh_token_metadata"], json!({ "device": "blue" }), "{shown}");
    command("refresh-token revoke", &[&id, "--tenant", "demo"]).await.expect(0);
    let answer = app.refresh(&text(&tokens, "refresh_token")).await.unwrap();
    assert_eq!(answer.status, 403, "{answer:?}");
    command("refresh-token revoke", &[&id, "--tenant", "demo"]).await.expect(1);
}
