//! Other people's programs against a running server: each is a script in `tests/clients`, which uses the package as anybody
//! would, and asks the test for what only a person at a browser can do.
//!
//! The script reads one line of JSON, its configuration, and then writes lines of JSON: `{"visit": URL, "until": START}` asks
//! for a walk of the browser ([`App::walk`]; `"fresh": true` in one without cookies) and is answered by `{"url", "form"}`. It
//! ends with status 0 when all was as it should be.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use idp::{Idp, NoNetworkData, PasswordQueue, Settings, Vault, hash_credential, manage};
use model::{Client, ClientId, ResourceServer, SystemClock, SystemRandom, TenantId, TokenEndpointAuthMethod};
use serde_json::{Value, json};
use storage::Storage;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};

use crate::actions;
use crate::flow::text;
use crate::process::{App, Postern, free_port};
use crate::seed;

/// How long a script may take on a busy machine. The deploy tool compiles its own schemas for 10 to 40 seconds at each import.
const PATIENCE: Duration = Duration::from_secs(600);
/// A secret of clients in these tests.
pub const SECRET: &str = "outside-secret-outside-secret-outside";

/// A running `postern dev --tls`, and further clients in its tenant.
pub struct Outside {
    pub server: Postern,
    folder: TempDir,
}

impl Outside {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Postern::start_tls(folder.path(), free_port()).await;
        Self { server, folder }
    }

    /// The issuer whose host every system finds.
    pub fn issuer(&self) -> String {
        format!("https://localhost:{}/", self.server.port)
    }

    /// `tests/clients`.
    pub fn scripts() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("clients")
    }

    /// The tenant's use cases, beside the running server.
    pub async fn idp(&self) -> Idp {
        let database = self.folder.path().join("postern.db");
        let key = std::fs::read(self.folder.path().join("postern.db.key")).unwrap();
        let storage = Storage::open(&format!("sqlite:{}", database.display())).await.unwrap();
        Idp {
            actions: actions::executor(storage.clone(), actions::PLACES),
            builder: actions::builder(),
            settings: Settings::new(storage.clone()),
            storage,
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            vault: Vault::new(key.try_into().unwrap()),
            passwords: PasswordQueue::new(2, 64),
            network: Arc::new(NoNetworkData),
            limits: actions::LIMITS,
        }
    }

    pub fn tenant() -> TenantId {
        TenantId::new("demo")
    }

    /// A confidential client with HTTP Basic and [`SECRET`], changed.
    pub async fn add_client(&self, id: &str, change: impl FnOnce(&mut Client)) {
        let mut client = seed::client(seed::BASIC);
        client.client_id = ClientId::new(id);
        client.client_secret_hashes = vec![hash_credential(SECRET)];
        client.token_endpoint_auth_method = TokenEndpointAuthMethod::ClientSecretBasic;
        change(&mut client);
        manage::put_client(&self.idp().await, &Self::tenant(), &client).await.unwrap();
    }

    /// The API of all tests with this identifier, changed.
    pub async fn add_api(&self, identifier: &str, change: impl FnOnce(&mut ResourceServer)) {
        let mut api = ResourceServer { identifier: identifier.to_owned(), ..seed::api() };
        change(&mut api);
        manage::put_resource_server(&self.idp().await, &Self::tenant(), &api).await.unwrap();
    }

    /// Runs a script of Node.js to its end.
    pub async fn node(&self, script: &str, config: &Value) {
        self.run(self.node_command(script), config).await;
    }

    /// Starts an application of Node.js, at a port of its own (`port` in its configuration), and waits until it serves.
    pub async fn serve_node(&self, script: &str, config: &Value) -> Application {
        self.serve(self.node_command(script), config).await
    }

    /// Node.js in the folder with the packages.
    fn node_command(&self, script: &str) -> Command {
        let folder = Self::scripts().join("node");
        assert!(
            folder.join("node_modules").is_dir(),
            "`npm ci` in {}, or `cargo xtask test` does it",
            folder.display()
        );
        let mut command = Command::new("node");
        command.arg(script).current_dir(folder).env("NODE_EXTRA_CA_CERTS", self.ca_file());
        command
    }

    pub fn ca_file(&self) -> String {
        self.server.demo["ca_file"].as_str().unwrap().to_owned()
    }

    /// What a script is told: `config`, the issuer and what `postern dev --print-json` said.
    fn config(&self, config: &Value) -> Value {
        let mut all = json!({ "issuer": self.issuer(), "demo": self.server.demo, "secret": SECRET });
        all.as_object_mut().unwrap().extend(config.as_object().unwrap().clone());
        all
    }

    /// Starts an application, which writes `{"ready": URL}` when it serves.
    pub async fn serve(&self, mut command: Command, config: &Value) -> Application {
        let log = self.folder.path().join("application.log");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log).unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut input = child.stdin.take().unwrap();
        input.write_all(format!("{}\n", self.config(config)).as_bytes()).await.unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = tokio::time::timeout(PATIENCE, lines.next_line()).await;
        let Ok(Ok(Some(line))) = ready else {
            panic!("{command:?} does not serve: {}", std::fs::read_to_string(log).unwrap());
        };
        let ready: Value = serde_json::from_str(&line).unwrap();
        Application { url: text(&ready, "ready"), _child: child, _input: input }
    }

    /// Runs a script to its end.
    pub async fn run(&self, mut command: Command, config: &Value) {
        let all = self.config(config);
        let name = format!("{:?}", command.as_std());
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut errors = child.stderr.take().unwrap();
        let errors = tokio::spawn(async move {
            let mut text = String::new();
            let _ = errors.read_to_string(&mut text).await;
            text
        });
        let mut input = child.stdin.take().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let browser = self.server.app();
        let talk = async {
            input.write_all(format!("{all}\n").as_bytes()).await.unwrap();
            let mut said = Vec::new();
            while let Some(line) = lines.next_line().await.unwrap() {
                match serde_json::from_str::<Value>(&line) {
                    Ok(wish) if wish["visit"].is_string() => {
                        let answer = visit(&browser, &wish).await;
                        // A script that has failed reads no more.
                        let _ = input.write_all(format!("{answer}\n").as_bytes()).await;
                    }
                    _ => said.push(line),
                }
            }
            said
        };
        let said =
            tokio::time::timeout(PATIENCE, talk).await.unwrap_or_else(|_| panic!("{name} takes too long"));
        let status = child.wait().await.unwrap();
        assert!(status.success(), "{name}: {status}\n{}\n{}", said.join("\n"), errors.await.unwrap());
    }
}

/// Somebody else's application, which serves. It is killed with the value.
pub struct Application {
    pub url: String,
    _child: Child,
    _input: ChildStdin,
}

async fn visit(browser: &App, wish: &Value) -> Value {
    let browser = match wish["fresh"] == true {
        true => browser.without_cookies(),
        false => browser.clone(),
    };
    let (start, until) = (wish["visit"].as_str().unwrap(), wish["until"].as_str().unwrap());
    let arrival = browser.walk(start, until).await.unwrap();
    json!({ "url": arrival.url, "form": arrival.form })
}
