//! What the server counts, for Prometheus. The crates count through the facade `metrics`; here is the list of what there is, and
//! the recorder.

use std::time::Duration;

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// Seconds at which the buckets of all durations end.
const BUCKETS: [f64; 12] = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 20.0];
/// How often what has been measured is put into its buckets, so that it takes no memory where nobody asks.
const UPKEEP: Duration = Duration::from_secs(5);

/// A kind of series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Is what it is now.
    Gauge,
    /// Seconds, in buckets: `NAME_bucket`, `NAME_sum` and `NAME_count`.
    Histogram,
}

/// A metric.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// As Prometheus knows it.
    pub name: &'static str,
    /// Which.
    pub kind: Kind,
    /// What tells its series apart.
    pub labels: &'static [&'static str],
    /// What it is.
    pub help: &'static str,
}

const fn metric(
    kind: Kind,
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    Metric { name, kind, labels, help }
}

/// All of them.
pub const ALL: &[Metric] = &[
    metric(Kind::Gauge, "postern_build_info", &["version"], "1, with the version of the program"),
    metric(
        Kind::Counter,
        "postern_http_requests_total",
        &["method", "route", "status"],
        "Requests by route; what has no route is `none`",
    ),
    metric(
        Kind::Histogram,
        "postern_http_request_seconds",
        &["route"],
        "From a request's head to the head of its answer",
    ),
    metric(
        Kind::Counter,
        "postern_logins_total",
        &["tenant", "protocol", "outcome"],
        "Logins that came to an end: success, denied, wrong_credentials, limited",
    ),
    metric(
        Kind::Counter,
        "postern_transfers_total",
        &["tenant", "step"],
        "Session transfer tokens that were issued, redeemed, refused",
    ),
    metric(
        Kind::Counter,
        "postern_token_requests_total",
        &["tenant", "grant", "outcome"],
        "Answers of the token endpoint to clients that authenticated: success, or the error",
    ),
    metric(
        Kind::Counter,
        "postern_revocations_total",
        &["tenant", "event"],
        "Events that end sessions and tokens",
    ),
    metric(
        Kind::Counter,
        "postern_revoked_total",
        &["tenant", "kind"],
        "Sessions and refresh tokens that events named; what came from them is not counted",
    ),
    metric(
        Kind::Counter,
        "postern_action_runs_total",
        &["tenant", "action", "outcome", "blame"],
        "Runs of Actions: success, or the class of the error and whose fault it was",
    ),
    metric(Kind::Histogram, "postern_action_run_seconds", &["tenant", "action"], "A run, waiting included"),
    metric(Kind::Counter, "postern_action_fuel_total", &["tenant", "action"], "Fuel that runs used"),
    metric(
        Kind::Counter,
        "postern_action_cpu_microseconds_total",
        &["tenant", "action"],
        "Processor time that runs used",
    ),
    metric(
        Kind::Gauge,
        "postern_action_memory_bytes",
        &["tenant", "action"],
        "The most memory of the last run",
    ),
    metric(Kind::Gauge, "postern_action_runs_under_way", &[], "Sandboxes that are there now"),
    metric(Kind::Gauge, "postern_action_runs_waiting", &[], "Runs that wait for a place"),
    metric(Kind::Histogram, "postern_action_wait_seconds", &[], "How long runs waited for their place"),
    metric(
        Kind::Histogram,
        "postern_database_wait_seconds",
        &["kind"],
        "How long a transaction that reads, or writes, waited for its connection",
    ),
    metric(Kind::Histogram, "postern_database_commit_seconds", &[], "How long commits took"),
    metric(
        Kind::Counter,
        "postern_deliveries_total",
        &["kind", "outcome"],
        "Requests of log streams and back-channel logouts: success, failure",
    ),
];

/// Makes the process count from now on. Until then, counting costs nothing.
///
/// # Errors
/// [`BuildError`] when there is a recorder already.
pub fn install() -> Result<PrometheusHandle, BuildError> {
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS)?
        .install_recorder()?;
    for Metric { name, kind, help, .. } in ALL {
        match kind {
            Kind::Counter => describe_counter!(*name, *help),
            Kind::Gauge => describe_gauge!(*name, *help),
            Kind::Histogram => describe_histogram!(*name, Unit::Seconds, *help),
        }
    }
    metrics::gauge!("postern_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(recorder)
}

/// Keeps the recorder's memory small, for as long as the runtime lives.
pub async fn keep(recorder: PrometheusHandle) {
    loop {
        tokio::time::sleep(UPKEEP).await;
        recorder.run_upkeep();
    }
}
