use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, LazyLock};

use action_api::{Limits, RunReport};
use idp::backchannel_logout::{Deliveries, OutgoingHttp};
use idp::log_streams::LogDeliveries;
use idp::{ActionExecutor, Idp, NetworkData, NoNetworkData, PasswordQueue, Settings, Vault, manage};
use ipnet::IpNet;
use model::{Client, ResourceServer, SystemRandom, TenantId, UserId};
use postern::executor::Places;
use postern::outgoing::Outgoing;
use serde_json::Value;
use storage::{Storage, StoredLog};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tracing::Level;
use web::{AppState, Hosts, Scheme, ServeError};

use crate::database::Database;
use crate::{FakeClock, RawClient, actions, seed};

/// How many password hashes may be under way.
pub const PASSWORD_PLACES: usize = 256;

/// A server of its own for each test. It ends with the value.
pub struct TestServer {
    pub port: u16,
    pub clock: Arc<FakeClock>,
    pub idp: Arc<Idp>,
    pub database: Arc<Database>,
    shutdown: oneshot::Sender<()>,
    serving: JoinHandle<Result<(), ServeError>>,
}

/// What differs from a developer's server.
struct Setup {
    scheme: Scheme,
    trusted_proxies: Vec<IpNet>,
    /// Instead of the one of all tests.
    executor: Option<Arc<dyn ActionExecutor>>,
    network: Arc<dyn NetworkData>,
    limits: Limits,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            scheme: Scheme::Http,
            trusted_proxies: Vec::new(),
            executor: None,
            network: no_network(),
            limits: actions::LIMITS,
        }
    }
}

impl TestServer {
    /// With the two seeded tenants and no Action, as a developer runs it: plain HTTP on loopback.
    pub async fn start() -> Self {
        Self::start_on(Database::fresh().await).await
    }

    /// The same on this database, which is fresh.
    pub async fn start_on(database: Database) -> Self {
        Self::start_with(database, Setup::default()).await
    }

    /// On this database, with this executor and these limits for Actions.
    pub async fn start_on_with(
        database: Database,
        executor: Arc<dyn ActionExecutor>,
        limits: Limits,
    ) -> Self {
        Self::start_with(database, Setup { executor: Some(executor), limits, ..Setup::default() }).await
    }

    /// Where an Action may use so much.
    pub async fn start_with_limits(limits: Limits) -> Self {
        Self::start_with(Database::fresh().await, Setup { limits, ..Setup::default() }).await
    }

    /// Where so many Actions may run at once.
    pub async fn start_with_places(places: Places) -> Self {
        let database = Database::fresh().await;
        let executor = actions::executor(database.open().await, places);
        Self::start_on_with(database, executor, actions::LIMITS).await
    }

    /// Another instance on the same database, with the same clock and a port of its own.
    pub async fn beside(&self) -> Self {
        let Setup { scheme, trusted_proxies, .. } = Setup::default();
        let (database, idp) = (Arc::clone(&self.database), self.other_node().await);
        Self::serve(database, idp, self.clock.clone(), scheme, trusted_proxies).await
    }

    /// Behind a proxy on this machine that terminates TLS: the outside sees https.
    pub async fn start_behind_proxy() -> Self {
        let trusted_proxies = vec![IpNet::from(IpAddr::V4(Ipv4Addr::LOCALHOST))];
        let setup = Setup { scheme: Scheme::Https, trusted_proxies, ..Setup::default() };
        Self::start_with(Database::fresh().await, setup).await
    }

    /// With an executor that does what no Action can do.
    pub async fn start_with_executor(executor: Arc<dyn ActionExecutor>) -> Self {
        let setup = Setup { executor: Some(executor), ..Setup::default() };
        Self::start_with(Database::fresh().await, setup).await
    }

    /// With an operator's data files.
    pub async fn start_with_network(network: Arc<dyn NetworkData>) -> Self {
        Self::start_with(Database::fresh().await, Setup { network, ..Setup::default() }).await
    }

    async fn start_with(database: Database, setup: Setup) -> Self {
        let Setup { scheme, trusted_proxies, executor, network, limits } = setup;
        // What the server logs as an error is shown with a test that fails.
        let _ = tracing_subscriber::fmt().with_max_level(Level::ERROR).with_test_writer().try_init();
        let storage = database.open().await;
        let clock = Arc::new(FakeClock::default());
        let idp = Arc::new(idp_on(storage, clock.clone(), executor, network, limits));
        seed::seed(&idp).await;
        Self::serve(Arc::new(database), idp, clock, scheme, trusted_proxies).await
    }

    async fn serve(
        database: Arc<Database>,
        idp: Arc<Idp>,
        clock: Arc<FakeClock>,
        scheme: Scheme,
        trusted_proxies: Vec<IpNet>,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a socket");
        let port = listener.local_addr().expect("an address").port();
        let hosts = Hosts::new(scheme, &format!("localhost:{port}"), []).expect("host names");
        let router = web::router(AppState::new(idp.clone(), hosts, trusted_proxies));
        let (shutdown, ended) = oneshot::channel::<()>();
        let serving = tokio::spawn(web::serve(listener, router, None, async move {
            let _ = ended.await;
        }));
        Self { port, clock, idp, database, shutdown, serving }
    }

    /// Begins to end it, as SIGTERM does: what is waited for is its end.
    pub fn shut_down(self) -> JoinHandle<Result<(), ServeError>> {
        drop(self.shutdown);
        self.serving
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

    /// Puts a client of `acme`, changed.
    pub async fn change_client(&self, id: &str, change: impl FnOnce(&mut Client)) {
        seed::change_client(&self.idp, id, change).await;
    }

    /// The id of the user of `acme` with this e-mail address.
    pub async fn user_id(&self, email: &str) -> UserId {
        let mut tx = self.idp.storage.begin_read(&self.acme()).await.expect("a transaction");
        let connection = tx.connection_by_name(manage::DEFAULT_CONNECTION).await.expect("a connection");
        let connection = connection.expect("a connection").id;
        tx.user_by_login(&connection, email).await.expect("a user").expect("a user").user_id
    }

    /// Puts the API of `acme`, changed.
    pub async fn change_api(&self, change: impl FnOnce(&mut ResourceServer)) {
        let mut api = seed::api();
        change(&mut api);
        manage::put_resource_server(&self.idp, &self.acme(), &api).await.expect("an API");
    }

    /// Delivers the back-channel logouts that are due, to receivers on this machine; how many attempts that took.
    pub async fn deliver(&self) -> usize {
        deliver_all(&self.idp).await
    }

    /// Sends the logs that are due, to receivers on this machine; how many requests' turns that took.
    pub async fn send_logs(&self) -> usize {
        send_all_logs(&self.idp).await
    }

    /// The use cases of another node on the same database, with the same clock.
    pub async fn other_node(&self) -> Arc<Idp> {
        let storage = self.database.open().await;
        Arc::new(idp_on(storage, self.clock.clone(), None, no_network(), actions::LIMITS))
    }

    /// The nonce that proofs at `acme` must have now, as the header `DPoP-Nonce` gives it.
    pub fn dpop_nonce(&self) -> String {
        idp::dpop::nonce(&self.idp, &self.acme())
    }

    /// Builds the script as `postern action deploy` does, and binds it. The same name again is its next version.
    pub async fn deploy_action(&self, name: &str, javascript: &str) {
        let artifact = actions::build(javascript);
        let (source, none) = (&actions::kept(javascript), BTreeMap::new());
        let deployment =
            manage::Deployment { source, artifact: &artifact, secrets: &none, hosts: None, modules: None };
        manage::deploy_action(&self.idp, &self.acme(), name, deployment).await.expect("an Action");
    }

    /// What the Actions' runs printed by `console.log(JSON.stringify(...))`, oldest first.
    pub async fn printed(&self) -> Vec<Value> {
        let reports = self.reports().await;
        let lines = reports.iter().flat_map(|report| &report.console);
        lines.map(|line| serde_json::from_str(&line.text).expect("JSON")).collect()
    }

    /// The reports of all runs of Actions, oldest first.
    pub async fn reports(&self) -> Vec<RunReport> {
        let mut tx = self.idp.storage.begin_read(&self.acme()).await.expect("a transaction");
        let runs = tx.executions(100).await.expect("the runs").into_iter().rev();
        runs.map(|run| serde_json::from_value(run.execution.report).expect("a report")).collect()
    }

    /// The tenant's log, newest first.
    pub async fn logs(&self) -> Vec<StoredLog> {
        let mut tx = self.idp.storage.begin_read(&self.acme()).await.expect("a transaction");
        tx.logs(100).await.expect("the log")
    }

    /// The codes of the tenant's log, newest first.
    pub async fn log_codes(&self) -> Vec<String> {
        self.logs().await.into_iter().map(|entry| entry.code).collect()
    }
}

fn no_network() -> Arc<dyn NetworkData> {
    Arc::new(NoNetworkData)
}

fn idp_on(
    storage: Storage,
    clock: Arc<FakeClock>,
    executor: Option<Arc<dyn ActionExecutor>>,
    network: Arc<dyn NetworkData>,
    limits: Limits,
) -> Idp {
    Idp {
        actions: executor.unwrap_or_else(|| actions::executor(storage.clone(), actions::PLACES)),
        builder: actions::builder(),
        settings: Settings::new(storage.clone()),
        storage,
        clock,
        random: Arc::new(SystemRandom),
        vault: Vault::new([7; 32]),
        passwords: PasswordQueue::new(8, PASSWORD_PLACES),
        network,
        limits,
    }
}

/// Reaches this machine.
static HTTP: LazyLock<Arc<dyn OutgoingHttp>> = LazyLock::new(|| {
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    Arc::new(Outgoing::new(loopback.map(IpNet::from)).expect("root certificates"))
});

/// The client of the server, which reaches this machine as well.
pub fn loopback() -> Arc<dyn OutgoingHttp> {
    HTTP.clone()
}

/// Sends logs until nothing is due any more.
pub async fn send_all_logs(idp: &Arc<Idp>) -> usize {
    let mut deliveries = LogDeliveries::new(idp.clone(), loopback());
    let mut turns = 0;
    loop {
        match deliveries.round().await.expect("what is due") {
            0 => return turns,
            count => turns += count,
        }
    }
}

/// Delivers until nothing is due any more.
pub async fn deliver_all(idp: &Arc<Idp>) -> usize {
    let mut deliveries = Deliveries::new(idp.clone(), loopback());
    let mut attempts = 0;
    loop {
        match deliveries.round().await.expect("the queue") {
            0 => return attempts,
            count => attempts += count,
        }
    }
}
