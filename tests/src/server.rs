use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use action_api::{Artifact, ArtifactKind, Limits};
use aws_lc_rs::digest::{SHA256, digest};
use idp::{ActionExecutor, Idp, NoNetworkData, Vault, manage};
use ipnet::IpNet;
use model::{SystemRandom, TenantId};
use storage::Storage;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tracing::Level;
use web::{AppState, Hosts, Scheme};

use crate::{FakeActions, FakeClock, RawClient, seed};

/// What an Action may use in the tests.
pub const LIMITS: Limits = Limits {
    fuel: 50_000_000,
    wall_clock_ms: 5_000,
    memory_bytes: 64 << 20,
    stack_bytes: 512 << 10,
    event_bytes: 256 << 10,
    commands: 100,
    command_bytes: 256 << 10,
    console_bytes: 64 << 10,
    host_calls: 10_000,
};

/// A server of its own for each test. It ends with the value.
pub struct TestServer {
    pub port: u16,
    pub clock: Arc<FakeClock>,
    pub actions: Arc<FakeActions>,
    pub idp: Arc<Idp>,
    directory: TempDir,
    _shutdown: oneshot::Sender<()>,
}

impl TestServer {
    /// With the two seeded tenants and no Action, as a developer runs it: plain HTTP on loopback.
    pub async fn start() -> Self {
        let actions = Arc::new(FakeActions::default());
        Self::start_with(Scheme::Http, Vec::new(), actions.clone(), actions).await
    }

    /// Behind a proxy on this machine that terminates TLS: the outside sees https.
    pub async fn start_behind_proxy() -> Self {
        let actions = Arc::new(FakeActions::default());
        let proxy = IpNet::from(IpAddr::V4(Ipv4Addr::LOCALHOST));
        Self::start_with(Scheme::Https, vec![proxy], actions.clone(), actions).await
    }

    /// With Actions that this executor runs.
    pub async fn start_with(
        scheme: Scheme,
        trusted_proxies: Vec<IpNet>,
        executor: Arc<dyn ActionExecutor>,
        actions: Arc<FakeActions>,
    ) -> Self {
        // What the server logs as an error is shown with a test that fails.
        let _ = tracing_subscriber::fmt().with_max_level(Level::ERROR).with_test_writer().try_init();
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("postern.db");
        let storage = Storage::open(&format!("sqlite:{}", path.display())).await.expect("a database");
        storage.migrate().await.expect("a schema");
        let clock = Arc::new(FakeClock::default());
        let idp = Arc::new(Idp {
            storage,
            clock: clock.clone(),
            random: Arc::new(SystemRandom),
            actions: executor,
            vault: Vault::new([7; 32]),
            network: Arc::new(NoNetworkData),
            limits: LIMITS,
        });
        seed::seed(&idp).await;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a socket");
        let port = listener.local_addr().expect("an address").port();
        let hosts = Hosts::new(scheme, &format!("localhost:{port}"), []).expect("host names");
        let router = web::router(AppState::new(idp.clone(), hosts, trusted_proxies));
        let (shutdown, ended) = oneshot::channel::<()>();
        tokio::spawn(web::serve(listener, router, None, async move {
            let _ = ended.await;
        }));
        Self { port, clock, actions, idp, directory, _shutdown: shutdown }
    }

    /// A fresh browser or app on this machine.
    pub fn client(&self) -> RawClient {
        self.client_from(Ipv4Addr::LOCALHOST)
    }

    /// The same, from another address.
    pub fn client_from(&self, address: Ipv4Addr) -> RawClient {
        RawClient::new(self.port, address)
    }

    pub fn issuer(&self, tenant: &str) -> String {
        format!("http://{tenant}.localhost:{}/", self.port)
    }

    pub fn acme(&self) -> TenantId {
        TenantId::new(seed::ACME)
    }

    /// Binds an Action that does what [`FakeActions::set`] says.
    pub async fn deploy_fake_action(&self, name: &str) {
        let bytes = name.as_bytes().to_vec();
        let digest = digest(&SHA256, &bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let artifact = Artifact { kind: ArtifactKind::Component, digest, bytes };
        manage::deploy_action(&self.idp, &self.acme(), name, "// a test", &artifact, &BTreeMap::new())
            .await
            .expect("an Action");
    }

    /// Everything that the database has on disk, as raw bytes.
    pub fn database_bytes(&self) -> Vec<u8> {
        let files = std::fs::read_dir(self.directory.path()).expect("the directory");
        files.flat_map(|file| std::fs::read(file.expect("a file").path()).expect("its bytes")).collect()
    }

    /// The codes of the tenant's log, newest first.
    pub async fn log_codes(&self) -> Vec<String> {
        let mut tx = self.idp.storage.begin_read(&self.acme()).await.expect("a transaction");
        tx.logs(100).await.expect("the log").into_iter().map(|entry| entry.code).collect()
    }
}
