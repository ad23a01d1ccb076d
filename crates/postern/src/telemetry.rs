//! What the process tells of itself. Log lines: for people on a terminal, JSON otherwise, both on standard error, so that standard
//! output is only answers. Traces: the spans of the target `postern::trace`, by OTLP over HTTP, where an endpoint is configured.

use std::io::IsTerminal;
use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::Handle;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::cli::{Cli, Command};
use crate::config::Config;

/// The target of spans that are for traces. Their level is TRACE: where nobody traces, one comparison leaves them out.
const TRACED: &str = "postern::trace";
/// How long the collector may take for an answer.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);

/// What was started.
pub struct Telemetry(Option<SdkTracerProvider>);

impl Telemetry {
    /// Sends what is left of the traces. The runtime must still be there.
    pub fn stop(self) {
        if let Some(Err(error)) = self.0.map(|provider| provider.shutdown()) {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }
}

/// Starts the process's trace subscriber. `RUST_LOG` overrides the level of log lines.
pub fn start(cli: &Cli, runtime: &Handle) -> Telemetry {
    let default = if cli.command.is_server() { "info" } else { "warn" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match std::io::stderr().is_terminal() {
        true => lines.with_target(false).with_filter(filter).boxed(),
        false => lines.json().flatten_event(true).with_filter(filter).boxed(),
    };
    // The command reads it again, and says what is wrong with it.
    let endpoint = match cli.command {
        Command::Serve => {
            Config::load(cli.config.as_deref()).ok().and_then(|config| config.telemetry.traces_endpoint)
        }
        _ => None,
    };
    let provider = match endpoint.map(|endpoint| provider(&endpoint, runtime)) {
        None => Ok(None),
        Some(Ok(provider)) => Ok(Some(provider)),
        Some(Err(error)) => Err(error),
    };
    let spans = provider.as_ref().ok().and_then(Option::as_ref).map(|provider| {
        tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("postern"))
            .with_location(false)
            .with_threads(false)
            .with_level(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(Targets::new().with_target(TRACED, LevelFilter::TRACE))
    });
    tracing_subscriber::registry().with(lines).with(spans).init();
    match provider {
        Ok(provider) => Telemetry(provider),
        Err(error) => {
            tracing::error!(%error, "there will be no traces");
            Telemetry(None)
        }
    }
}

/// Collects spans and sends them in batches, by a thread of its own.
fn provider(endpoint: &str, runtime: &Handle) -> Result<SdkTracerProvider, Box<dyn std::error::Error>> {
    let client = reqwest::Client::builder()
        .timeout(EXPORT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .build()?;
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(OtlpClient { client, runtime: runtime.clone() })
        .with_endpoint(endpoint)
        .with_timeout(EXPORT_TIMEOUT)
        .build()?;
    let resource = Resource::builder_empty()
        .with_attributes([
            opentelemetry::KeyValue::new("service.name", "postern"),
            opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        ])
        .build();
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}

/// The thread that exports is not one of the runtime's; the HTTP client needs one.
#[derive(Debug)]
struct OtlpClient {
    client: reqwest::Client,
    runtime: Handle,
}

#[async_trait::async_trait]
impl HttpClient for OtlpClient {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let request = reqwest::Request::try_from(request)?;
        let client = self.client.clone();
        let sent = self.runtime.spawn(async move {
            let answer = client.execute(request).await?;
            let status = answer.status();
            Ok::<_, reqwest::Error>((status, answer.bytes().await?))
        });
        let (status, body) = sent.await??;
        Ok(Response::builder().status(status).body(body)?)
    }
}
