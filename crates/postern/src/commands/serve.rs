//! `postern serve`

use std::sync::Arc;

use idp::Idp;
use model::TenantId;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use web::{AppState, Hosts, TlsPaths};

use crate::config::{Config, Scheme};
use crate::exit_code::{ExitCode, Failure, OrExit};
use crate::wiring::{Schema, open_idp};

/// Serves all tenants until SIGTERM or ctrl-c.
pub async fn run(config: Config) -> Result<(), Failure> {
    let (idp, _) = open_idp(&config, Schema::CreateOnly).await?;
    let listener = bind(&config).await?;
    let address = listener.local_addr().or_exit(ExitCode::Failed, "the listener has no address")?;
    tracing::info!(
        %address,
        scheme = config.server.scheme.as_str(),
        base_domain = %config.server.base_domain,
        database = %config.database.shown(),
        "serving"
    );
    listen(&config, idp, listener).await
}

/// Takes the configured address.
pub async fn bind(config: &Config) -> Result<TcpListener, Failure> {
    let address = config.server.listen;
    TcpListener::bind(address).await.or_exit(ExitCode::Failed, format!("cannot listen on {address}"))
}

/// Serves until SIGTERM or ctrl-c, then finishes what is under way.
pub async fn listen(config: &Config, idp: Arc<Idp>, listener: TcpListener) -> Result<(), Failure> {
    let server = &config.server;
    let scheme = match server.scheme {
        Scheme::Http => web::Scheme::Http,
        Scheme::Https => web::Scheme::Https,
    };
    let custom =
        server.custom_domains.iter().map(|(host, tenant)| (host.clone(), TenantId::new(tenant.as_str())));
    let hosts = Hosts::new(scheme, &server.base_domain, custom)
        .or_exit(ExitCode::Configuration, "server.base_domain or server.custom_domains")?;
    let tls = server.tls_certificate.clone().zip(server.tls_key.clone());
    let tls = tls.map(|(certificate, private_key)| TlsPaths { certificate, private_key });
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
    let outcome = web::serve(listener, web::router(state), tls, shutdown).await;
    idp.storage.close().await;
    let code = match &outcome {
        Err(web::ServeError::Tls { .. }) => ExitCode::Configuration,
        _ => ExitCode::Failed,
    };
    outcome.or_exit(code, "the server stopped")
}
