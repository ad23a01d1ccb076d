//! `postern serve`

use std::net::SocketAddr;
use std::sync::Arc;

use idp::Idp;
use idp::backchannel_logout::Deliveries;
use idp::log_streams::LogDeliveries;
use model::TenantId;
use postern::housekeeping::Housekeeping;
use postern::metrics;
use postern::outgoing::Outgoing;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use web::{AppState, Hosts, Tls};

use crate::config::{Config, Scheme};
use crate::delivery;
use crate::exit_code::{ExitCode, Failure, OrExit};
use crate::wiring::{Schema, open_idp};

/// Serves all tenants until SIGTERM or ctrl-c.
pub async fn run(config: Config) -> Result<(), Failure> {
    let (idp, _) = open_idp(&config, Schema::CreateOnly).await?;
    // Before the port is open: nobody is to connect to a server that then ends.
    let tls = tls(&config).await?;
    let listener = bind(&config).await?;
    let address = listener.local_addr().or_exit(ExitCode::Failed, "the listener has no address")?;
    tracing::info!(
        %address,
        scheme = config.server.scheme.as_str(),
        base_domain = %config.server.base_domain,
        database = %config.database.shown(),
        "serving"
    );
    listen(&config, idp, listener, tls).await
}

/// The configured certificate and key.
pub async fn tls(config: &Config) -> Result<Option<Tls>, Failure> {
    let server = &config.server;
    let Some((certificate, key)) = server.tls_certificate.as_ref().zip(server.tls_key.as_ref()) else {
        return Ok(None);
    };
    let tls = Tls::read(certificate, key).await;
    tls.map(Some).or_exit(ExitCode::Configuration, "server.tls_certificate or server.tls_key")
}

/// Takes the configured address.
pub async fn bind(config: &Config) -> Result<TcpListener, Failure> {
    let address = config.server.listen;
    TcpListener::bind(address).await.or_exit(ExitCode::Failed, format!("cannot listen on {address}"))
}

/// Serves until SIGTERM or ctrl-c, then finishes what is under way.
pub async fn listen(
    config: &Config,
    idp: Arc<Idp>,
    listener: TcpListener,
    tls: Option<Tls>,
) -> Result<(), Failure> {
    let server = &config.server;
    let scheme = match server.scheme {
        Scheme::Http => web::Scheme::Http,
        Scheme::Https => web::Scheme::Https,
    };
    let custom =
        server.custom_domains.iter().map(|(host, tenant)| (host.clone(), TenantId::new(tenant.as_str())));
    let hosts = Hosts::new(scheme, &server.base_domain, custom)
        .or_exit(ExitCode::Configuration, "server.base_domain or server.custom_domains")?;
    let state =
        AppState::new(Arc::clone(&idp), hosts, server.trusted_proxies.iter().map(|proxy| proxy.0).collect());
    let mut terminate =
        signal(SignalKind::terminate()).or_exit(ExitCode::Failed, "cannot wait for SIGTERM")?;
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM: finishing what is under way"),
            _ = tokio::signal::ctrl_c() => tracing::info!("ctrl-c: finishing what is under way"),
        }
    };
    let http = Outgoing::new(config.outgoing.allowed_networks.iter().map(|network| network.0))
        .or_exit(ExitCode::Failed, "cannot send requests: are there root certificates on this machine?")?;
    let settings = config.housekeeping.settings();
    let housekeeping = Housekeeping::start(idp.storage.clone(), Arc::clone(&idp.clock), settings);
    let deliveries = deliver(&idp, Arc::new(http));
    let metrics = match config.telemetry.metrics_listen {
        Some(address) => Some(serve_metrics(address).await?),
        None => None,
    };
    let outcome = web::serve(listener, web::router(state), tls, shutdown).await;
    drop(metrics);
    for (serving, delivery) in deliveries {
        drop(serving);
        if let Err(error) = delivery.await {
            tracing::error!(%error, "a delivery failed");
        }
    }
    housekeeping.stop().await;
    idp.storage.close().await;
    outcome.or_exit(ExitCode::Failed, "the server stopped")
}

/// Starts to deliver what is due. Each delivery ends when its sender does.
fn deliver(idp: &Arc<Idp>, http: Arc<Outgoing>) -> [(oneshot::Sender<()>, JoinHandle<()>); 2] {
    let logouts = Deliveries::new(Arc::clone(idp), http.clone());
    let streams = LogDeliveries::new(Arc::clone(idp), http);
    let (stop_logouts, logouts_stopped) = oneshot::channel();
    let (stop_streams, streams_stopped) = oneshot::channel();
    [
        (stop_logouts, tokio::spawn(delivery::run("back-channel logout", logouts, logouts_stopped))),
        (stop_streams, tokio::spawn(delivery::run("log streams", streams, streams_stopped))),
    ]
}

/// Counts from now on, and shows it at this address until what it returns is dropped.
async fn serve_metrics(address: SocketAddr) -> Result<oneshot::Sender<()>, Failure> {
    let listener =
        TcpListener::bind(address).await.or_exit(ExitCode::Failed, format!("cannot listen on {address}"))?;
    let recorder = metrics::install().or_exit(ExitCode::Failed, "cannot count")?;
    tokio::spawn(metrics::keep(recorder.clone()));
    let (serving, ended) = oneshot::channel::<()>();
    tracing::info!(%address, "metrics");
    tokio::spawn(async move {
        let ended = async move { drop(ended.await) };
        let router = web::metrics_router(move || recorder.render());
        if let Err(error) = web::serve(listener, router, None, ended).await {
            tracing::error!(%error, "metrics are not served any more");
        }
    });
    Ok(serving)
}
