//! One node of an installation: `postern serve` as a process, on a database that others may share.

use std::net::Ipv4Addr;
use std::sync::Arc;

use idp::{Idp, NoNetworkData, PasswordQueue, Settings, Vault, manage};
use model::{Client, SystemClock, SystemRandom, TenantId};
use tempfile::TempDir;

use crate::database::Database;
use crate::process::{Serve, free_port};
use crate::{Login, RawClient, actions, seed};

/// The installation's key. Each node has it in a file.
const KEY: [u8; 32] = [7; 32];

/// A running node. It is killed with the value.
pub struct Node {
    pub port: u16,
    idp: Arc<Idp>,
    pub server: Serve,
    _folder: TempDir,
}

impl Node {
    /// Starts a node on the database and waits until it listens.
    pub async fn start(database: &Database) -> Self {
        Self::start_with(database, &[]).await
    }

    /// The same, with settings as `POSTERN_SERVER__SCHEME`.
    pub async fn start_with(database: &Database, more: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let config = folder.path().join("postern.toml");
        std::fs::write(&config, "").unwrap();
        let key_file = folder.path().join("key");
        write_private(&key_file, &KEY);
        let listen = format!("127.0.0.1:{port}");
        let base_domain = format!("localhost:{port}");
        let mut settings = vec![
            ("POSTERN_DATABASE__URL", database.url.as_str()),
            ("POSTERN_ENCRYPTION__KEY_FILE", key_file.to_str().unwrap()),
            ("POSTERN_SERVER__LISTEN", &listen),
            ("POSTERN_SERVER__BASE_DOMAIN", &base_domain),
        ];
        settings.extend(more);
        let server = Serve::start(config.to_str().unwrap(), &settings, port).await;
        let storage = database.open().await;
        let idp = Arc::new(Idp {
            actions: actions::executor(storage.clone()),
            settings: Settings::new(storage.clone()),
            storage,
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            vault: Vault::new(KEY),
            passwords: PasswordQueue::new(2, 64),
            network: Arc::new(NoNetworkData),
            limits: actions::LIMITS,
        });
        Self { port, idp, server: server.unwrap_or_else(|ended| panic!("{ended:?}")), _folder: folder }
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

    /// A fresh browser or app on this machine.
    pub fn client(&self) -> RawClient {
        RawClient::new(self.port, Ipv4Addr::LOCALHOST)
    }

    pub fn host(&self) -> String {
        format!("{}.localhost:{}", seed::ACME, self.port)
    }

    /// Logs the user in; the session's cookie, as a `Cookie` header has it.
    pub async fn session_cookie(&self, user: &str) -> String {
        let browser = self.client();
        let code = Login::native().code(&browser, user).await;
        assert!(!code.is_empty());
        format!("auth0={}", browser.cookie("auth0").unwrap())
    }
}

fn write_private(path: &std::path::Path, bytes: &[u8]) {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).unwrap();
    file.write_all(bytes).unwrap();
}
