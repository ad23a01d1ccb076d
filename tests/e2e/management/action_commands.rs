//! `postern action deploy`, `versions`, `rollback`, `diff` and `logs`, at a running server.

use std::process::Stdio;
use std::time::Duration;

use end_to_end::management::Api;
use end_to_end::process::{Ended, program, run_in};
use end_to_end::{TestServer, seed};
use idp::manage;
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};
use tokio::io::{AsyncBufReadExt, BufReader};

use super::actions::{claims, says};
use crate::components::guest;
use crate::post_login::handler;

/// A terminal of somebody who has a token for the tenant.
pub struct Terminal {
    folder: TempDir,
    url: String,
    token: String,
}

impl Terminal {
    pub async fn at(server: &TestServer) -> Self {
        Self::with(server, &Api::of(server).await)
    }

    /// Of somebody who has this caller's token.
    pub fn with(server: &TestServer, api: &Api) -> Self {
        Self { folder: tempdir().unwrap(), url: server.issuer(seed::ACME), token: api.token().to_owned() }
    }

    /// Writes a file, by its path from the terminal's folder.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// `postern action`
    pub async fn run(&self, arguments: &[&str]) -> Ended {
        let variables = [("POSTERN_URL", self.url.as_str()), ("POSTERN_TOKEN", &self.token)];
        run_in(&variables, ["action"].iter().chain(arguments)).await
    }
}

#[tokio::test]
async fn an_author_deploys_compares_and_goes_back_over_the_api() {
    let server = TestServer::start().await;
    let terminal = Terminal::at(&server).await;
    // In TypeScript, with a file beside it.
    terminal.file("lib/plan.ts", "export const plan: string = 'gold';");
    let file = terminal.file("greet.ts", "import { plan } from './lib/plan';\nexport const onExecutePostLogin = async (event: any, api: any) => {\n  api.idToken.setCustomClaim('says', [plan, event.secrets.KEY]);\n};\n");
    let deploy = ["deploy", &file, "--name", "greet", "--secret", "KEY=s3cret", "--json"];
    let first = terminal.run(&deploy).await.expect(0).json();
    assert_eq!(
        (&first["version"], &first["name"], &first["permissions"]),
        (&json!(1), &json!("greet"), &Value::Null)
    );
    assert_eq!(claims(&server).await["says"], json!(["gold", "s3cret"]), "it is deployed and bound");

    // The next one, in JavaScript, with the same place and no secrets.
    server.deploy_action("after", &handler("")).await;
    let file = terminal.file("greet.js", says("'two'"));
    let shown = terminal
        .run(&["deploy", &file, "--name", "greet", "--allow-host", "api.example"])
        .await
        .expect(0)
        .stdout
        .clone();
    assert!(shown.contains("greet version 2 at http://acme.localhost"), "{shown}");
    assert_eq!(claims(&server).await["says"], "two");
    let api = Api::of(&server).await;
    let bound = api.get("/actions/triggers/post-login/bindings").await.expect_json(200);
    let names: Vec<_> = bound["bindings"].as_array().unwrap().iter().map(|it| &it["display_name"]).collect();
    assert_eq!(names, ["greet", "after"]);
    let action = &bound["bindings"][0]["action"];
    assert_eq!(
        (&action["allowed_hosts"], &action["secrets"], &action["files"]),
        (&json!(["api.example"]), &json!([]), &Value::Null)
    );

    let versions = terminal.run(&["versions", "greet", "--json"]).await.expect(0).json();
    let rows = versions["versions"].as_array().unwrap();
    let numbers: Vec<_> = rows.iter().map(|row| (row["number"].clone(), row["deployed"].clone())).collect();
    assert_eq!(numbers, [(json!(2), json!(true)), (json!(1), json!(false))]);
    assert_eq!(rows[1]["digest"], first["digest"]);
    let shown = terminal.run(&["versions", "greet"]).await.expect(0).stdout.clone();
    assert!(
        shown.lines().nth(1).is_some_and(|line| line.starts_with('2') && line.ends_with("runs")),
        "{shown}"
    );

    // What a file would change, and what a version did.
    let file = terminal.file("greet.js", says("'three'"));
    let same = terminal.run(&["diff", "greet"]).await;
    assert_eq!(same.expect(0).stdout, "", "the draft is what runs");
    let diff = terminal.run(&["diff", "greet", "--file", &file]).await.expect(1).stdout.clone();
    assert!(diff.starts_with("--- version 2 greet.js\n+++ "), "{diff}");
    assert!(
        diff.contains(&format!("-{}", says("'two'"))) && diff.contains(&format!("+{}", says("'three'"))),
        "{diff}"
    );
    let diff = terminal.run(&["diff", "greet", "1", "2"]).await.expect(1).stdout.clone();
    assert!(
        diff.contains("-export const plan: string = 'gold';") && diff.contains("+++ version 2 greet.js"),
        "{diff}"
    );
    assert_eq!(terminal.run(&["diff", "greet", "1", "1"]).await.expect(0).stdout, "");
    assert!(terminal.run(&["diff", "greet", "9"]).await.expect(1).stderr.contains("there is no version 9"));

    let back = terminal.run(&["rollback", "greet", "1", "--json"]).await.expect(0).json();
    assert_eq!(
        (&back["version"], &back["same_as"], &back["digest"]),
        (&json!(3), &json!(1), &first["digest"])
    );
    assert_eq!(claims(&server).await["says"], json!(["gold", "s3cret"]), "with the secrets that it had");
    let shown = terminal.run(&["versions", "greet"]).await.expect(0).stdout.clone();
    assert!(shown.contains("The draft has changes that are not deployed."), "{shown}");
    assert!(
        terminal.run(&["rollback", "greet", "9"]).await.expect(1).stderr.contains("there is no version 9")
    );
    assert!(
        terminal
            .run(&["rollback", "nobody", "1"])
            .await
            .expect(1)
            .stderr
            .contains("there is no Action nobody")
    );
}

#[tokio::test]
async fn what_does_not_build_or_may_do_more_is_not_deployed() {
    let server = TestServer::start().await;
    let terminal = Terminal::at(&server).await;
    let broken = terminal.file("broken.js", "const a = 1;\nconst b = a.b.c;\n");
    let ended = terminal.run(&["deploy", &broken, "--name", "broken"]).await;
    assert!(ended.expect(5).stdout.contains("broken.js:2:"), "{ended:?}");
    let errors = terminal.run(&["deploy", &broken, "--name", "broken", "--json"]).await.expect(5).json();
    assert_eq!(errors["build_errors"][0]["id"], "TypeError", "{errors}");

    let action_build::Program::Component(bytes) = guest("terms.c").program else { panic!("a component") };
    let component = terminal.file("terms.wasm", bytes);
    let deployed = terminal.run(&["deploy", &component, "--name", "terms", "--json"]).await.expect(0).json();
    assert!(deployed["permissions"].as_array().is_some_and(|all| !all.is_empty()), "{deployed}");
    let again = terminal.run(&["deploy", &component, "--name", "terms"]).await;
    assert!(again.expect(0).stdout.contains("unchanged  terms version 1"), "{again:?}");
    // Their code is in their artifacts alone: nothing else tells them apart.
    let action_build::Program::Component(bytes) = guest("fetches.c").program else { panic!("a component") };
    terminal.file("terms.wasm", bytes);
    let other = terminal.run(&["deploy", &component, "--name", "terms", "--accept-permissions"]).await;
    assert!(other.expect(0).stdout.contains("deployed  terms version 2"), "{other:?}");
    let script = terminal.file("terms.js", handler(""));
    let refused = terminal.run(&["deploy", &script, "--name", "terms"]).await;
    assert!(refused.expect(1).stdout.contains("everything: it is a script now"), "{refused:?}");
    terminal.run(&["deploy", &script, "--name", "terms", "--accept-permissions"]).await.expect(0);
}

#[tokio::test]
async fn who_asks_is_in_the_environment_and_what_is_wrong_is_said() {
    let server = TestServer::start().await;
    let terminal = Terminal::at(&server).await;
    server.deploy_action("greet", &says("1")).await;
    let versions = ["action", "versions", "greet"];
    let made = manage::create_management_client(&server.idp, &server.acme(), "A tool").await.unwrap();
    let id = made.client_id.as_str();
    let credentials = [("POSTERN_CLIENT_ID", id), ("POSTERN_CLIENT_SECRET", made.client_secret.as_str())];
    let at = ["--url", terminal.url.as_str()];
    let ended = run_in(&credentials, versions.iter().chain(&at)).await;
    assert!(ended.expect(0).stdout.contains("runs"), "{ended:?}");
    let wrong = [("POSTERN_CLIENT_ID", id), ("POSTERN_CLIENT_SECRET", "wrong")];
    let ended = run_in(&wrong, versions.iter().chain(&at)).await;
    assert!(ended.expect(1).stderr.contains("the server refused (401"), "{ended:?}");
    let ended = run_in(&[("POSTERN_TOKEN", "x")], versions.iter().chain(&at)).await;
    assert!(ended.expect(1).stderr.contains("Invalid token"), "{ended:?}");
    let ended = run_in(&[], versions.iter().chain(&at)).await;
    assert!(ended.expect(2).stderr.contains("POSTERN_TOKEN, or POSTERN_CLIENT_ID"), "{ended:?}");
    let ended = run_in(&[("POSTERN_TOKEN", "x")], &versions).await;
    assert!(ended.expect(2).stderr.contains("--url or POSTERN_URL"), "{ended:?}");
    let ended =
        run_in(&[("POSTERN_TOKEN", "x")], versions.iter().chain(&["--url", "http://acme.example"])).await;
    assert!(ended.expect(2).stderr.contains("must begin with https"), "{ended:?}");
    let ended =
        run_in(&[("POSTERN_TOKEN", "x")], versions.iter().chain(&["--url", "http://localhost:1"])).await;
    assert!(ended.expect(1).stderr.contains("cannot reach http://localhost:1"), "{ended:?}");
    let lacking = Api::with_scopes(&server, &["read:clients"]).await;
    let ended = run_in(&[("POSTERN_TOKEN", lacking.token())], versions.iter().chain(&at)).await;
    assert!(
        ended.expect(1).stderr.contains("Insufficient scope, expected any of: read:actions"),
        "{ended:?}"
    );
}

#[tokio::test]
async fn what_actions_print_is_followed() {
    let server = TestServer::start().await;
    let terminal = Terminal::at(&server).await;
    server.deploy_action("talks", &handler("console.log('one\\u001b[31m'); console.warn('two');")).await;
    server.deploy_action("quiet", &handler("console.log('three')")).await;
    claims(&server).await;
    let shown = terminal.run(&["logs", "talks"]).await.expect(0).stdout.clone();
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines.len(), 2, "{shown}");
    assert!(lines[0].contains(" talks v1 log one") && lines[1].ends_with("warn two"), "{shown}");
    assert!(!shown.contains('\u{1b}'), "{shown}");
    let all = terminal.run(&["logs", "--json"]).await.expect(0).stdout.clone();
    let runs: Vec<Value> = all.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(runs.iter().map(|run| &run["action_name"]).collect::<Vec<_>>(), ["talks", "quiet"]);

    let mut following = tokio::process::Command::new(program())
        .args(["action", "logs", "--follow"])
        .envs([("POSTERN_URL", &terminal.url), ("POSTERN_TOKEN", &terminal.token)])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    let mut next = async || {
        let line = tokio::time::timeout(Duration::from_secs(60), lines.next_line()).await;
        line.expect("in time").unwrap().expect("a line")
    };
    for expected in ["one", "two", "three"] {
        assert!(next().await.contains(expected));
    }
    server.deploy_action("talks", &handler("throw new Error('four')")).await;
    crate::post_login::refused(&server, "it throws").await;
    let line = next().await;
    assert!(line.contains("talks v2 failed: Error: four"), "{line}");
    following.kill().await.unwrap();
}
