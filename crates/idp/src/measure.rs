//! What is counted. Nothing is, until somebody has installed a recorder (`metrics`).
//!
//! Each series takes memory for as long as the process lives, and tenants and Actions have no end: the first ones that appear have
//! series of their own, all others share those of `other`.

use std::collections::HashSet;
use std::sync::{LazyLock, PoisonError, RwLock};

use action_api::{Blame, RunReport};
use metrics::{counter, gauge, histogram};
use model::{ActionBinding, LogType, TenantId};

use crate::IdpError;
use crate::revocation::{Ended, Event};

/// Tenants with series of their own.
const TENANTS: usize = 200;
/// Actions with series of their own, of all tenants.
const ACTIONS: usize = 500;
/// What all others are called.
const OTHER: &str = "other";

static TENANT_NAMES: LazyLock<Names> = LazyLock::new(|| Names::new(TENANTS));
static ACTION_NAMES: LazyLock<Names> = LazyLock::new(|| Names::new(ACTIONS));

/// The first names that were asked for.
struct Names {
    limit: usize,
    known: RwLock<HashSet<String>>,
}

impl Names {
    fn new(limit: usize) -> Self {
        Self { limit, known: RwLock::default() }
    }

    /// Whether the name is one of the first.
    fn has(&self, name: &str) -> bool {
        if self.known.read().unwrap_or_else(PoisonError::into_inner).contains(name) {
            return true;
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let is_first = known.len() < self.limit;
        if is_first {
            known.insert(name.to_owned());
        }
        is_first
    }
}

fn tenant_label(tenant: &str) -> String {
    if TENANT_NAMES.has(tenant) { tenant.to_owned() } else { OTHER.to_owned() }
}

/// A login came to its end.
pub(crate) fn login(tenant: &TenantId, protocol: &'static str, outcome: &'static str) {
    let tenant = tenant_label(tenant.as_str());
    counter!("postern_logins_total", "tenant" => tenant, "protocol" => protocol, "outcome" => outcome)
        .increment(1);
}

/// A login failed at its password, by this entry of the log.
pub(crate) fn failed_login(tenant: &TenantId, log_type: LogType) {
    let outcome = if log_type == LogType::LimitReached { "limited" } else { "wrong_credentials" };
    login(tenant, "password", outcome);
}

/// A session transfer token was `issued`, `redeemed` or `refused`.
pub(crate) fn transfer(tenant: &TenantId, step: &'static str) {
    counter!("postern_transfers_total", "tenant" => tenant_label(tenant.as_str()), "step" => step)
        .increment(1);
}

/// A request to the token endpoint was answered.
pub(crate) fn token_request<T>(tenant: &TenantId, grant: &'static str, result: &Result<T, IdpError>) {
    let outcome = match result {
        Ok(_) => "success",
        Err(IdpError::OAuth(error)) => error.code.as_str(),
        Err(IdpError::Server(_)) => "server_error",
    };
    let tenant = tenant_label(tenant.as_str());
    counter!("postern_token_requests_total", "tenant" => tenant, "grant" => grant, "outcome" => outcome)
        .increment(1);
}

/// An event ended so much. What came from it by a mark is not counted.
pub(crate) fn revocation(tenant: &str, event: &Event<'_>, ended: Ended) {
    let tenant = tenant_label(tenant);
    counter!("postern_revocations_total", "tenant" => tenant.clone(), "event" => event.name()).increment(1);
    for (kind, count) in [("session", ended.sessions), ("refresh_token", ended.refresh_tokens)] {
        counter!("postern_revoked_total", "tenant" => tenant.clone(), "kind" => kind).increment(count);
    }
}

/// An Action has run.
pub(crate) fn run(tenant: &TenantId, binding: &ActionBinding, report: &RunReport) {
    let own = ACTION_NAMES.has(&format!("{tenant}/{}", binding.name));
    let labels = || {
        let action = if own { binding.name.clone() } else { OTHER.to_owned() };
        [("tenant", tenant_label(tenant.as_str())), ("action", action)]
    };
    let (outcome, blame) = match &report.error {
        None => ("success", "none"),
        Some(error) => (error.class(), if error.blame() == Blame::Guest { "guest" } else { "host" }),
    };
    let [tenant_label, action] = labels();
    counter!(
        "postern_action_runs_total",
        "tenant" => tenant_label.1, "action" => action.1, "outcome" => outcome, "blame" => blame
    )
    .increment(1);
    counter!("postern_action_fuel_total", &labels()).increment(report.fuel);
    counter!("postern_action_cpu_microseconds_total", &labels()).increment(report.cpu_us);
    gauge!("postern_action_memory_bytes", &labels()).set(lossy(report.memory_bytes));
    histogram!("postern_action_run_seconds", &labels()).record(lossy(report.elapsed_us) / 1e6);
}

/// A request of a log stream or a back-channel logout was answered, or not.
pub(crate) fn delivery(kind: &'static str, outcome: &'static str) {
    counter!("postern_deliveries_total", "kind" => kind, "outcome" => outcome).increment(1);
}

#[expect(clippy::cast_precision_loss, reason = "gauges and histograms have floating-point values")]
fn lossy(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_names_are_known() {
        let names = Names::new(2);
        assert!(names.has("a") && names.has("b") && names.has("a"));
        assert!(!names.has("c") && names.has("b"));
    }
}
