//! What a tenant's logins take while another tenant of the same server runs hostile Actions: the median of logins by a
//! session, each with an Action, at a modest rate; alone, and beside each family of guests. Fails when a login fails, or
//! when a median is more than twice of what it is alone.
#![allow(clippy::expect_used, missing_docs, reason = "a benchmark")]

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use action_api::Limits;
use end_to_end::flow::{code_of, log_in};
use end_to_end::gate::Gate;
use end_to_end::{Login, RawClient, TestServer, actions, bench, seed};
use idp::manage;
use model::TenantId;
use postern::executor::Places;
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

/// A login of the neighbour every so often.
const PERIOD: Duration = Duration::from_millis(20);
/// Browsers of the hostile tenant that log in without a pause.
const BROWSERS: usize = 8;
const MANY_BROWSERS: usize = 100;
/// What the server has by default.
const PLACES: Places = Places { runs: 64, runs_per_tenant: 48, queue: Duration::from_secs(5) };

fn main() -> ExitCode {
    let logins = if bench::is_quick() { 50 } else { 400 };
    bench::on_both_databases(async |database| {
        let limits = Limits { wall_clock_ms: 2_000, ..actions::LIMITS };
        let executor = actions::executor(database.open().await, PLACES);
        let server = TestServer::start_on_with(database, executor, limits).await;
        let gate = Gate::closed().await;
        let neighbour = session(&server, seed::OTHER).await;
        let hostile = Arc::new(session(&server, seed::ACME).await);
        deploy(
            &server,
            seed::OTHER,
            "api.idToken.setCustomClaim('plan', event.user.app_metadata.plan ?? 'none')",
        )
        .await;
        median(&neighbour, logins / 10).await;
        let mut figures = Map::new();
        let mut good = true;
        for (name, body, browsers) in [
            ("endless_loops", "for (;;) {}".to_owned(), BROWSERS),
            (
                "memory",
                "const all = []; for (;;) all.push(new Uint8Array(1 << 20).fill(1))".to_owned(),
                BROWSERS,
            ),
            ("host_calls", "for (;;) api.cache.set('key', 'value')".to_owned(), BROWSERS),
            ("never_settling", "setTimeout(() => {}, 1e9); await new Promise(() => {})".to_owned(), BROWSERS),
            ("slow_http", format!("await fetch('{}')", gate.url), BROWSERS),
            (
                "parallel_logins",
                "await new Promise((done) => setTimeout(done, 1500))".to_owned(),
                MANY_BROWSERS,
            ),
        ] {
            // Each beside what it is alone at that time: a machine is not the same for minutes.
            let alone = median(&neighbour, logins).await;
            deploy(&server, seed::ACME, &body).await;
            let attack = Attack::start(&hostile, browsers);
            attack.is_under_way().await;
            let beside = median(&neighbour, logins).await;
            let hostile_logins = attack.stop().await;
            let ratio = beside.as_secs_f64() / alone.as_secs_f64();
            good &= ratio <= 2.0;
            let figure = json!({
                "alone_median_us": bench::micros(alone),
                "median_us": bench::micros(beside),
                "ratio": (ratio * 100.0).round() / 100.0,
                "hostile_logins": hostile_logins,
            });
            figures.insert(name.to_owned(), figure);
        }
        (Value::Object(figures), good)
    })
}

/// A browser that is logged in at this tenant.
async fn session(server: &TestServer, tenant: &str) -> RawClient {
    let browser = server.client();
    let begun = Login::web().begin_at(&browser, tenant).await;
    let page = browser.url_of(tenant, begun.expect(302).location());
    code_of(&log_in(&browser, &page, seed::ADA, seed::PASSWORD).await);
    browser
}

async fn deploy(server: &TestServer, tenant: &str, body: &str) {
    let artifact =
        actions::build(&format!("exports.onExecutePostLogin = async (event, api) => {{ {body} }};"));
    let none = Default::default();
    let source = &actions::kept("");
    let deployment =
        manage::Deployment { source, artifact: &artifact, secrets: &none, hosts: None, modules: None };
    let tenant = TenantId::new(tenant);
    manage::deploy_action(&server.idp, &tenant, "action", deployment).await.expect("an Action");
}

/// The median of so many logins of the neighbour, of which each works.
async fn median(browser: &RawClient, logins: usize) -> Duration {
    let mut times = Vec::with_capacity(logins);
    let mut turns = tokio::time::interval(PERIOD);
    turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for _ in 0..logins {
        turns.tick().await;
        let started = Instant::now();
        code_of(&Login::web().begin_at(browser, seed::OTHER).await);
        times.push(started.elapsed());
    }
    bench::median(times)
}

/// The hostile tenant's logins, until they are stopped.
struct Attack {
    browsers: JoinSet<()>,
    ended: Arc<AtomicUsize>,
}

impl Attack {
    fn start(browser: &Arc<RawClient>, browsers: usize) -> Self {
        let ended = Arc::new(AtomicUsize::new(0));
        let mut tasks = JoinSet::new();
        for _ in 0..browsers {
            let (browser, ended) = (Arc::clone(browser), Arc::clone(&ended));
            tasks.spawn(async move {
                loop {
                    Login::web().begin(&browser).await;
                    ended.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        Self { browsers: tasks, ended }
    }

    /// Returns when the first one has ended, so that all have begun.
    async fn is_under_way(&self) {
        while self.ended.load(Ordering::Relaxed) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// How many logins ended. The browsers go away; their guests end with their limits at the latest.
    async fn stop(mut self) -> usize {
        self.browsers.shutdown().await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        self.ended.load(Ordering::Relaxed)
    }
}
