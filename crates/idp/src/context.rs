use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use action_api::{Artifact, Handler, Limits, Operations, RunReport};
use model::{
    ActionSource, AllowedHosts, BuildMessage, Clock, GeoIp, RandomSource, RequestOrigin, Tenant, TenantId,
    Timestamp,
};
use serde_json::Value;
use storage::Storage;

use crate::{PasswordQueue, Settings, Vault};

/// What every use case works with. One for the process.
pub struct Idp {
    /// The database.
    pub storage: Storage,
    /// What the tenants have set up.
    pub settings: Settings,
    /// The only source of time.
    pub clock: Arc<dyn Clock>,
    /// The only source of randomness.
    pub random: Arc<dyn RandomSource>,
    /// Runs Actions.
    pub actions: Arc<dyn ActionExecutor>,
    /// Builds what authors send.
    pub builder: Arc<dyn ActionBuilder>,
    /// Seals what is secret at rest.
    pub vault: Vault,
    /// Where password hashes wait for their turn.
    pub passwords: PasswordQueue,
    /// Knows the autonomous system and the place of an address.
    pub network: Arc<dyn NetworkData>,
    /// What one run of an Action may use. The wall clock is shared by all Actions of a login.
    pub limits: Limits,
}

impl Idp {
    /// Now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// The tenant and the caller of one request.
#[derive(Debug, Clone)]
pub struct RequestContext {
    /// Found by the host name.
    pub tenant: Tenant,
    /// With the final slash, from configuration: the `iss` of everything in this request.
    pub issuer: String,
    /// Every issuer of this tenant, one for each of its hosts.
    pub tenant_issuers: Vec<String>,
    /// The host without port, when the request came in through a custom domain.
    pub custom_domain: Option<String>,
    /// Where the request came from.
    pub origin: RequestOrigin,
    /// Hash of the secret cookie by which the browser is known again; for the assessment of risk.
    pub device: Option<String>,
}

/// One run of one Action.
pub struct ActionRun {
    /// The artifact, by digest.
    pub digest: String,
    /// Which of its handlers.
    pub handler: Handler,
    /// The event. `secrets` is in it.
    pub event: Value,
    /// The Action's own secrets, for components.
    pub secrets: BTreeMap<String, String>,
    /// The time that the Action sees at its beginning.
    pub now: Timestamp,
    /// The randomness that the Action sees.
    pub seed: [u8; 32],
    /// What it may use.
    pub limits: Limits,
    /// Where its requests may go.
    pub allowed_hosts: AllowedHosts,
    /// What it may ask of the server while it runs. The executor adds outgoing requests and the cache.
    pub operations: Arc<dyn Operations>,
}

/// Runs an artifact on an event in a fresh sandbox. It never fails: what goes wrong is in the report, with whose fault
/// it is.
pub trait ActionExecutor: Send + Sync {
    /// Runs one Action.
    fn run<'a>(&'a self, run: ActionRun) -> Pin<Box<dyn Future<Output = RunReport> + Send + 'a>>;
}

/// What is built.
#[derive(Debug, Clone)]
pub enum BuildInput {
    /// A script with its files.
    Script(ActionSource),
    /// A Wasm component, or a core module that bindings are linked to.
    Component(Vec<u8>),
}

/// Why there is no artifact.
#[derive(Debug)]
pub enum BuildProblem {
    /// The author's mistake.
    Author(BuildMessage),
    /// Ours. The text is for the operator.
    Server(String),
}

/// Makes artifacts: slowly, and so not for many at once.
pub trait ActionBuilder: Send + Sync {
    /// Builds for an author of this tenant.
    fn build<'a>(
        &'a self,
        tenant: &'a TenantId,
        input: BuildInput,
    ) -> Pin<Box<dyn Future<Output = Result<Artifact, BuildProblem>> + Send + 'a>>;
}

/// What the operator's data files know of an address.
pub trait NetworkData: Send + Sync {
    /// Whether ASN data is there at all: without it, `asn` binding is refused when it is configured.
    fn has_asn(&self) -> bool;
    /// As `AS64496`.
    fn asn(&self, ip: &str) -> Option<String>;
    /// The place.
    fn geoip(&self, ip: &str) -> Option<Box<GeoIp>>;
}

/// For an operator without data files.
#[derive(Debug, Clone, Copy)]
pub struct NoNetworkData;

impl NetworkData for NoNetworkData {
    fn has_asn(&self) -> bool {
        false
    }

    fn asn(&self, _ip: &str) -> Option<String> {
        None
    }

    fn geoip(&self, _ip: &str) -> Option<Box<GeoIp>> {
        None
    }
}

/// What the answer does to the browser's cookies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CookieChanges {
    /// The session cookie.
    pub session: CookieChange,
    /// The cookie that binds a login under way to this browser.
    pub browser: CookieChange,
    /// Expire `auth0_session_transfer_token`, whatever became of it.
    pub clear_session_transfer_token: bool,
}

/// What happens to one cookie.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum CookieChange {
    /// Nothing.
    #[default]
    Keep,
    /// A new value, until this moment.
    Set {
        /// The secret.
        value: String,
        /// When the browser may forget it; `None`: when it is closed.
        expires_at: Option<Timestamp>,
    },
    /// Expire it.
    Clear,
}
