//! What the runner shows is what the server does: the same reports, fuel included, and the same decision.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use action_api::{Artifact, Handler, Limits, RunReport};
use end_to_end::database::Database;
use end_to_end::flow::{code_of, native_tokens, transfer_token};
use end_to_end::{Login, TestServer, actions, seed};
use idp::{ActionExecutor, ActionRun, manage};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use tempfile::tempdir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{action, read, samples, write};
use crate::post_login::{sent_away, state_of};

/// What a run on the server was given, and what came of it.
struct Seen {
    event: Value,
    handler: Handler,
    now_ms: i64,
    report: RunReport,
}

/// The server's executor, with a known seed.
struct Watching {
    executor: Arc<dyn ActionExecutor>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl ActionExecutor for Watching {
    fn run<'a>(&'a self, mut run: ActionRun) -> Pin<Box<dyn Future<Output = RunReport> + Send + 'a>> {
        run.seed = [0; 32];
        run.seed[0] = 7;
        let (event, handler, now_ms) = (run.event.clone(), run.handler, run.now.as_ms());
        Box::pin(async move {
            let report = self.executor.run(run).await;
            self.seen.lock().unwrap().push(Seen { event, handler, now_ms, report: report.clone() });
            report
        })
    }
}

/// A service that knows nobody. It takes a moment, as services do: the clock of a run has moved when the answer is there.
async fn knows_nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 4096];
                while connection.read(&mut request).await.is_ok_and(|bytes| bytes > 0) {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    connection
                        .write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
                        .await
                        .unwrap();
                }
            });
        }
    });
    address
}

/// A server, and what its runs were given.
async fn watched(limits: Limits) -> (TestServer, Arc<Mutex<Vec<Seen>>>) {
    let database = Database::fresh().await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let executor = actions::executor(database.open().await, actions::PLACES);
    let watching = Arc::new(Watching { executor, seen: Arc::clone(&seen) });
    (TestServer::start_on_with(database, watching, limits).await, seen)
}

/// The runs of a native login and of its redemption by a browser, whose session the Action limits.
async fn transferred(server: &TestServer, seen: &Mutex<Vec<Seen>>) -> Vec<Seen> {
    let app = server.client();
    let tokens = native_tokens(&app, seed::ADA).await;
    let (token, _) = transfer_token(&app, &tokens).await;
    code_of(&Login::web().with("session_transfer_token", &token).begin(&server.client()).await);
    let runs = std::mem::take(&mut *seen.lock().unwrap());
    assert!(runs.len() >= 2 && runs.last().unwrap().report.commands.len() == 2);
    runs
}

/// The runner reports the same of this file, in this folder, with these stand-ins.
async fn runner_reports_the_same(folder: &Path, file: &str, stand_ins: &str, run: &Seen) {
    write(folder, &[("event.json", &run.event.to_string()), ("world.toml", stand_ins)]);
    let now = run.now_ms.to_string();
    let mut arguments = vec!["run", file, "--json", "--event", "event.json", "--now", &now, "--seed", "7"];
    arguments.extend(["--stand-ins", "world.toml"]);
    let query: Vec<String> = match run.handler {
        Handler::Execute => Vec::new(),
        Handler::Continue => {
            let query = run.event["request"]["query"].as_object().unwrap().iter();
            query.map(|(name, value)| format!("{name}={}", value.as_str().unwrap())).collect()
        }
    };
    arguments.extend(query.iter().flat_map(|pair| ["--continue", pair]));
    let answer = action(folder, &arguments).await.expect(0).json();
    assert_eq!(answer["unmatched"], json!([]));
    let mut shown: RunReport = serde_json::from_value(answer["runs"][0]["report"].clone()).unwrap();
    // Two machines never take the same time.
    (shown.elapsed_us, shown.cpu_us) = (run.report.elapsed_us, run.report.cpu_us);
    assert_eq!(shown, run.report, "{file}");
    assert!(shown.fuel > 0 && shown.error.is_none());
}

/// Server and runner report the same of the sample as a component.
pub async fn of_a_component(artifact: &Artifact, limits: Limits) {
    let folder = tempdir().unwrap();
    std::fs::write(folder.path().join("action.wasm"), &artifact.bytes).unwrap();
    let (server, seen) = watched(limits).await;
    let (none, source) = (BTreeMap::new(), actions::kept(""));
    let deployment =
        manage::Deployment { source: &source, artifact, secrets: &none, hosts: None, modules: None };
    manage::deploy_action(&server.idp, &server.acme(), "sample", deployment).await.unwrap();
    for run in transferred(&server, &seen).await {
        runner_reports_the_same(folder.path(), "action.wasm", "", &run).await;
    }
}

#[tokio::test]
async fn server_and_runner_report_the_same_of_every_sample() {
    let (server, seen) = watched(actions::LIMITS).await;
    let service = knows_nobody().await;
    let folder = tempdir().unwrap();

    // Each sample alone, so that each login is of one Action.
    let deploy = async |name: &str, from: &str, to: &str| {
        let code = read(&samples(), &format!("{name}/action.js")).replace(from, to);
        write(folder.path(), &[(&format!("{name}/action.js"), &code)]);
        let secrets = [("SHARED".to_owned(), "s3cret".to_owned())].into();
        let artifact = actions::build(&code);
        let source = &actions::kept(&code);
        let deployment =
            manage::Deployment { source, artifact: &artifact, secrets: &secrets, hosts: None, modules: None };
        manage::deploy_action(&server.idp, &server.acme(), "sample", deployment).await.unwrap();
    };
    deploy("limit-transferred-session", "", "").await;
    let limited = transferred(&server, &seen).await;

    deploy("ask-for-terms", "https://api.example", &format!("http://{service}")).await;
    let browser = server.client();
    let state = state_of(&sent_away(&browser).await);
    let user = server.user_id(seed::ADA).await;
    let expires = seen.lock().unwrap()[0].now_ms / 1000 + 600;
    let claims = json!({ "sub": user, "state": state, "exp": expires, "accepted": false });
    let key = EncodingKey::from_secret(b"s3cret");
    let answer = encode(&Header::new(Algorithm::HS256), &claims, &key).unwrap();
    let back = browser.get(&format!("/continue?state={state}&session_token={answer}")).await;
    assert_eq!(back.location_parameter("error_description").as_deref(), Some("The terms were not accepted"));
    let asked = std::mem::take(&mut *seen.lock().unwrap());
    assert_eq!(
        asked.iter().map(|run| run.handler).collect::<Vec<_>>(),
        [Handler::Execute, Handler::Continue]
    );

    let world = format!(
        "[[http]]\nurl = 'http://{service}/terms/*'\nstatus = 404\ndelay_ms = 7\nheaders = {{ content-length = '0' }}\n"
    );
    for (sample, runs) in [("limit-transferred-session", limited), ("ask-for-terms", asked)] {
        for run in runs {
            runner_reports_the_same(folder.path(), &format!("{sample}/action.js"), &world, &run).await;
        }
    }
}
