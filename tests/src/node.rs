//! One node of an installation: `postern serve` as a process, on a database that others may share.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use idp::{Idp, NoNetworkData, PasswordQueue, Settings, Vault, manage};
use model::{Client, SystemClock, SystemRandom, TenantId};
use serde_json::json;
use tempfile::TempDir;

use crate::database::Database;
use crate::management::Api;
use crate::process::{Ended, Serve, free_port, run};
use crate::wire::Wire;
use crate::{Login, RawClient, actions, seed};

/// The installation's key. Each node has it in a file.
const KEY: [u8; 32] = [7; 32];

/// The base domain of nodes behind one name: a port of its own would make each of them an issuer of its own.
pub const SHARED_DOMAIN: &str = "localhost";

/// A running node. It is killed with the value.
pub struct Node {
    pub port: u16,
    pub server: Serve,
    idp: Arc<Idp>,
    base_domain: String,
    folder: TempDir,
    /// Settings beside those of its file.
    more: Vec<(String, String)>,
}

impl Node {
    /// Starts a node on the database and waits until it listens.
    pub async fn start(database: &Database) -> Self {
        Self::start_with(database, &[]).await
    }

    /// The same, with settings as `POSTERN_SERVER__SCHEME`.
    pub async fn start_with(database: &Database, more: &[(&str, &str)]) -> Self {
        let port = free_port();
        Self::start_at(database, port, format!("localhost:{port}"), more).await
    }

    /// Starts nodes on one database, behind one name.
    pub async fn start_several(database: &Database, count: usize) -> Vec<Self> {
        let mut nodes = Vec::new();
        for _ in 0..count {
            nodes.push(Self::start_at(database, free_port(), SHARED_DOMAIN.to_owned(), &[]).await);
        }
        nodes
    }

    async fn start_at(database: &Database, port: u16, base_domain: String, more: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key_file = folder.path().join("key");
        write_private(&key_file, &KEY);
        // Strings are written as JSON, whose strings are TOML strings, too.
        let settings = format!(
            "[server]\nlisten = \"127.0.0.1:{port}\"\nbase_domain = \"{base_domain}\"\n\
             [database]\nurl = {}\n[encryption]\nkey_file = {}\n",
            json!(database.url),
            json!(key_file)
        );
        let config = folder.path().join("postern.toml");
        std::fs::write(&config, settings).unwrap();
        let more: Vec<_> =
            more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let server = serve(&config, &more, port).await;
        let storage = database.open().await;
        let idp = Arc::new(Idp {
            actions: actions::executor(storage.clone(), actions::PLACES),
            builder: actions::builder(),
            settings: Settings::new(storage.clone()),
            storage,
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            vault: Vault::new(KEY),
            passwords: PasswordQueue::new(2, 64),
            network: Arc::new(NoNetworkData),
            limits: actions::LIMITS,
        });
        Self { port, server, idp, base_domain, folder, more }
    }

    /// Starts it anew, when it was killed. How long it took from the start of the process to the first answer that
    /// needs the database.
    pub async fn start_again(&mut self) -> Duration {
        let started = Instant::now();
        self.server = serve(&self.config(), &self.more, self.port).await;
        Wire::connect(self.port, &self.host()).await.get("/.well-known/jwks.json", "").await.expect(200);
        started.elapsed()
    }

    /// Runs another command with the node's configuration.
    pub async fn command(&self, arguments: &[&str]) -> Ended {
        let config = self.config();
        run(["--config", config.to_str().unwrap()].iter().chain(arguments)).await
    }

    /// An access token for the Management API of `acme`, with every scope.
    pub async fn management_token(&self) -> String {
        Api::connect(&self.idp, self.client(), seed::ACME, None).await.token().to_owned()
    }

    /// The node's configuration file.
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("postern.toml")
    }

    /// The two tenants.
    pub async fn seed(&self) {
        seed::seed(&self.idp).await;
    }

    /// Further users of `acme`.
    pub async fn add_users(&self, users: &[String]) {
        for email in users {
            let user = manage::NewUser {
                email: email.clone(),
                password: seed::PASSWORD.to_owned(),
                ..manage::NewUser::default()
            };
            manage::create_user(&self.idp, &TenantId::new(seed::ACME), user).await.unwrap();
        }
    }

    /// Puts a client of `acme`, changed.
    pub async fn change_client(&self, id: &str, change: impl FnOnce(&mut Client)) {
        seed::change_client(&self.idp, id, change).await;
    }

    /// Builds the script as `postern action deploy` does, and binds it in `acme`.
    pub async fn deploy_action(&self, name: &str, javascript: &str) {
        let (artifact, none) = (actions::build(javascript), Default::default());
        let tenant = TenantId::new(seed::ACME);
        let source = &actions::kept(javascript);
        let deployment =
            manage::Deployment { source, artifact: &artifact, secrets: &none, hosts: None, modules: None };
        manage::deploy_action(&self.idp, &tenant, name, deployment).await.unwrap();
    }

    /// The host name of `acme`, with the port where one is visible.
    pub fn host(&self) -> String {
        format!("{}.{}", seed::ACME, self.base_domain)
    }

    /// A fresh browser or app at this node.
    pub fn client(&self) -> RawClient {
        match self.base_domain == SHARED_DOMAIN {
            true => RawClient::spread(&[self.port]),
            false => RawClient::new(self.port, Ipv4Addr::LOCALHOST),
        }
    }

    /// Logs the user in; the session's cookie, as a `Cookie` header has it. Logins are limited by address: at a node that
    /// is not one of several, each fiftieth comes from another one of this machine.
    pub async fn session_cookie(&self, user: &str) -> String {
        static LOGINS: AtomicU32 = AtomicU32::new(0);
        let address = LOGINS.fetch_add(1, Ordering::Relaxed) / 50;
        let from = Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 1, 0, 1)) + address);
        let browser = match self.base_domain == SHARED_DOMAIN {
            true => RawClient::spread(&[self.port]),
            false => RawClient::new(self.port, from),
        };
        let code = Login::native().code(&browser, user).await;
        assert!(!code.is_empty());
        format!("auth0={}", browser.cookie("auth0").unwrap())
    }
}

async fn serve(config: &Path, more: &[(String, String)], port: u16) -> Serve {
    let more: Vec<_> = more.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let started = Serve::start(config.to_str().unwrap(), &more, port).await;
    started.unwrap_or_else(|ended| panic!("{ended:?}"))
}

fn write_private(path: &Path, bytes: &[u8]) {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).unwrap();
    file.write_all(bytes).unwrap();
}
