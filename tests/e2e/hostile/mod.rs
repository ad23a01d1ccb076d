//! Guests that mean harm (security checklist, section 3), each deployed to a tenant and run in its real logins, beside
//! a second tenant that means none. After each guest: the login is denied unless the row says otherwise, what the browser
//! gets says nothing internal, the report names who is at fault, and the next login works.

mod boundary;
mod deploy;
mod guest;
mod isolation;
mod memory;
mod time;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use action_api::{Artifact, Blame, Handler, Limits, NoOperations, RunError, RunReport};
use action_build::{BuildError, Source};
use end_to_end::database::Database;
use end_to_end::flow::{code_of, log_in};
use end_to_end::{Login, RawClient, Response, TestServer, actions, bench, seed};
use idp::{ActionRun, Idp, manage};
use model::TenantId;
use postern::executor::Places;
use serde_json::json;
use tokio::sync::OnceCell;
use tokio::task::JoinHandle;

/// A place that a guest does not give back is missed soon.
const PLACES: Places = Places { runs: 5, runs_per_tenant: 3, queue: Duration::from_secs(10) };

/// What a deploy may use.
const BUILD_FUEL: u64 = 200_000_000;

/// Fuel that nothing uses up, for what the clock must end.
const ENDLESS_FUEL: u64 = u64::MAX / 2;

/// A server with a tenant of a hostile author, `acme`, and one that only wants to log in, `other`.
struct Scene {
    server: TestServer,
    /// Has a session at the hostile author's tenant.
    user: RawClient,
    neighbour: Neighbour,
}

impl Deref for Scene {
    type Target = TestServer;

    fn deref(&self) -> &TestServer {
        &self.server
    }
}

/// The other tenant. Its user logs in again and again until it is asked to stop.
struct Neighbour {
    stop: Arc<AtomicBool>,
    logins: JoinHandle<Vec<Duration>>,
}

impl Scene {
    async fn start() -> Self {
        Self::with_limits(actions::LIMITS).await
    }

    async fn with_limits(limits: Limits) -> Self {
        let database = Database::fresh().await;
        let executor = actions::executor(database.open().await, PLACES);
        Self::on(TestServer::start_on_with(database, executor, limits).await).await
    }

    /// Beside a neighbour on this server.
    async fn on(server: TestServer) -> Self {
        deploy(&server.idp, seed::OTHER, "good", &script(GOOD)).await.expect("it builds");
        let (user, browser) = (server.client(), server.client());
        Login::web().code(&user, seed::ADA).await;
        let begun = Login::web().begin_at(&browser, seed::OTHER).await;
        let page = browser.url_of(seed::OTHER, begun.expect(302).location());
        code_of(&log_in(&browser, &page, seed::ADA, seed::PASSWORD).await);
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&stop);
        let logins = tokio::spawn(async move {
            let mut times = Vec::new();
            while !asked.load(Ordering::Relaxed) || times.is_empty() {
                let started = Instant::now();
                code_of(&Login::web().begin_at(&browser, seed::OTHER).await);
                times.push(started.elapsed());
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            times
        });
        Self { server, user, neighbour: Neighbour { stop, logins } }
    }

    async fn deploy(&self, guest: &Source) -> Result<(), BuildError> {
        deploy(&self.idp, seed::ACME, "guest", guest).await
    }

    /// A fresh browser. Logins are limited by address.
    fn browser(&self) -> RawClient {
        static BROWSERS: AtomicU32 = AtomicU32::new(0);
        let number = BROWSERS.fetch_add(1, Ordering::Relaxed);
        self.client_from(Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 2, 0, 1)) + number / 4))
    }

    /// A login with the guest: the answer, and the guest's report.
    async fn log_in(&self, guest: &Source) -> (Response, RunReport) {
        self.deploy(guest).await.unwrap_or_else(|error| panic!("{error}: {guest:?}"));
        self.log_in_again().await
    }

    async fn log_in_again(&self) -> (Response, RunReport) {
        let answer = Login::web().finish(&self.browser(), seed::ADA).await;
        says_nothing_internal(&answer);
        let mut reports = self.reports().await;
        (answer, reports.pop().expect("a run"))
    }

    /// The guest's login is denied, by the guest's own fault of one of these kinds (`|` between them), and the next one
    /// works.
    async fn denied(&self, guest: &Source, kinds: &str) -> RunReport {
        let (answer, report) = self.log_in(guest).await;
        let error = answer.expect(303).location_parameter("error");
        assert_eq!(error.as_deref(), Some("access_denied"), "{report:?} of {guest:?}");
        assert_eq!(answer.location_parameter("code"), None);
        let failed = report.error.as_ref().unwrap_or_else(|| panic!("{report:?} of {guest:?}"));
        assert_eq!(failed.blame(), Blame::Guest, "{failed:?} of {guest:?}");
        let kind = kind(failed);
        assert!(kinds.split('|').any(|wanted| kind.starts_with(wanted)), "{kind} of {guest:?}");
        assert!(report.commands.is_empty(), "a failed run decides nothing: {report:?}");
        assert!(report.memory_bytes <= self.idp.limits.memory_bytes, "{report:?} of {guest:?}");
        self.a_good_login().await;
        report
    }

    /// The guest's login works, whatever it tried.
    async fn harmless(&self, guest: &Source) -> RunReport {
        let (answer, report) = self.log_in(guest).await;
        assert_eq!(report.error, None, "{guest:?}");
        code_of(&answer);
        self.a_good_login().await;
        report
    }

    /// It is refused at deploy with a text that has one of these pieces (`|` between them), and what was deployed before
    /// goes on.
    async fn not_deployed(&self, guest: &Source, texts: &str) {
        let stored = self.stored().await;
        let refused = self.deploy(guest).await.expect_err("it was deployed").to_string();
        assert!(texts.split('|').any(|text| refused.contains(text)), "{refused}");
        for internal in [".rs:", "/home/", "/root/", "panick"] {
            assert!(!refused.contains(internal), "{refused}");
        }
        assert_eq!(self.stored().await, stored, "nothing is stored of {refused}");
    }

    async fn stored(&self) -> (i64, i64) {
        let versions = self.database.count("SELECT COUNT(*) FROM action_versions").await;
        (versions, self.database.count("SELECT COUNT(*) FROM artifacts").await)
    }

    /// A login of the same tenant with an Action that means no harm.
    async fn a_good_login(&self) {
        static BUILT: OnceCell<Artifact> = OnceCell::const_new();
        let build = async || build(&script(GOOD), actions::LIMITS).await.expect("it builds");
        bind(&self.idp, seed::ACME, "guest", BUILT.get_or_init(build).await).await;
        code_of(&Login::web().begin(&self.user).await);
        let report = self.reports().await.pop().expect("a run");
        assert_eq!(report.error, None);
        assert_eq!(report.console[0].text, "{}", "nothing of the failed login is applied");
    }

    /// The neighbour's logins all worked.
    #[expect(
        clippy::print_stdout,
        reason = "how long the neighbour waited is worth a look; no test fails by it"
    )]
    async fn end(self) {
        self.neighbour.stop.store(true, Ordering::Relaxed);
        let times = self.neighbour.logins.await.expect("each login of the neighbour works");
        println!(
            "{} logins of the neighbour, median {} us",
            times.len(),
            bench::micros(bench::median(times.clone()))
        );
    }
}

/// Prints the profile's metadata, which nobody is to change.
const GOOD: &str = "exports.onExecutePostLogin = async (event, api) => {
    api.idToken.setCustomClaim('plan', [].concat({}).length);
    console.log(JSON.stringify(event.user.app_metadata));
};";

fn script(code: &str) -> Source {
    Source::script("action.js", code)
}

/// A script whose handler has this body.
fn handler(body: &str) -> Source {
    script(&format!("exports.onExecutePostLogin = async (event, api) => {{\n{body}\n}};"))
}

/// The same; before it does harm, it asks for what must not come of it.
fn handler_after_commands(body: &str) -> Source {
    handler(&format!(
        "api.idToken.setCustomClaim('before', 1); api.user.setAppMetadata('before', 1);\n{body}"
    ))
}

/// As `postern action deploy` does it, on a thread for blocking work.
async fn deploy(idp: &Idp, tenant: &str, name: &str, guest: &Source) -> Result<(), BuildError> {
    let artifact = build(guest, idp.limits).await?;
    bind(idp, tenant, name, &artifact).await;
    Ok(())
}

async fn bind(idp: &Idp, tenant: &str, name: &str, artifact: &Artifact) {
    let (tenant, none) = (TenantId::new(tenant), BTreeMap::new());
    let source = &actions::kept("");
    let deployment = manage::Deployment { source, artifact, secrets: &none, hosts: None, modules: None };
    manage::deploy_action(idp, &tenant, name, deployment).await.expect("a deploy");
}

async fn build(guest: &Source, limits: Limits) -> Result<Artifact, BuildError> {
    let (guest, limits) = (guest.clone(), Limits { fuel: BUILD_FUEL, ..limits });
    let built = tokio::task::spawn_blocking(move || action_build::build(actions::runtime(), &guest, &limits));
    built.await.expect("no panic")
}

/// A run of this artifact, as a login asks for it.
fn run_of(scene: &Scene, digest: &str) -> ActionRun {
    ActionRun {
        digest: digest.to_owned(),
        handler: Handler::Execute,
        event: json!({ "tenant": { "id": seed::ACME } }),
        secrets: BTreeMap::new(),
        now: scene.idp.now(),
        seed: [7; 32],
        allowed_hosts: model::AllowedHosts::Any,
        limits: scene.idp.limits,
        operations: Arc::new(NoOperations),
    }
}

/// The name of the limit, or what else it was.
fn kind(error: &RunError) -> String {
    match error {
        RunError::Limit { limit, .. } => limit.clone(),
        RunError::Exception { exception } => format!("exception {}", exception.message),
        RunError::Trap { message } => format!("trap {message}"),
        RunError::Refused { message } => format!("refused {message}"),
        RunError::NeverSettled => "never settled".to_owned(),
        other => format!("{other:?}"),
    }
}

/// No name of ours, no place in our code or on our disk.
#[track_caller]
fn says_nothing_internal(answer: &Response) {
    let told = answer.header("location").and_then(|_| answer.location_parameter("error_description"));
    let shown = format!("{} {}", told.unwrap_or_default(), answer.body);
    for internal in ["wasm", "::", ".rs", "/src/", "panick", "backtrace", "RunError", "postern:", "sql"] {
        assert!(!shown.contains(internal), "{internal}: {answer:?}");
    }
}
