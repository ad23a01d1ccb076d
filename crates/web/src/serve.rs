use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use axum::{Extension, Router};
use axum_server::Handle;
use axum_server::accept::NoDelayAcceptor;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use hyper_util::rt::TokioTimer;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest head of a request.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// How long requests under way may take to end at shutdown.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(10);

/// A certificate and its key, read and found to fit.
#[derive(Debug, Clone)]
pub struct Tls(RustlsConfig);

impl Tls {
    /// Reads both from PEM files: the certificate, then those between it and the root; the private key.
    ///
    /// # Errors
    /// [`ServeError::Tls`] when a file cannot be read, or they do not fit.
    pub async fn read(certificate: &Path, private_key: &Path) -> Result<Self, ServeError> {
        let config = RustlsConfig::from_pem_file(certificate, private_key).await;
        config.map(Self).map_err(|source| ServeError::Tls {
            certificate: certificate.display().to_string(),
            private_key: private_key.display().to_string(),
            source,
        })
    }
}

/// Why the server does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The certificate or key is missing or wrong.
    #[error("cannot use the certificate {certificate} with the key {private_key}")]
    Tls {
        /// As configured.
        certificate: String,
        /// As configured.
        private_key: String,
        /// Why.
        source: io::Error,
    },
    /// The socket failed.
    #[error("cannot serve on the listening socket")]
    Socket(#[from] io::Error),
}

/// For answers that have no end of their own: the server is to stop. Each request has it as an extension.
#[derive(Debug, Clone)]
pub(crate) struct Stopping(watch::Receiver<bool>);

impl Stopping {
    /// Waits until it is so.
    pub(crate) async fn begun(&mut self) {
        // The sender is gone when the server is.
        let _ = self.0.wait_for(|stops| *stops).await;
    }
}

/// Serves until `shutdown` is ready; then ends the answers without an end, and lets other requests under way end.
///
/// # Errors
/// [`ServeError::Socket`] when the socket fails.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    tls: Option<Tls>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let handle = Handle::new();
    let on_shutdown = handle.clone();
    let (stop, stopping) = watch::channel(false);
    tokio::spawn(async move {
        shutdown.await;
        stop.send_replace(true);
        on_shutdown.graceful_shutdown(Some(SHUTDOWN_GRACE));
    });
    let service =
        router.layer(Extension(Stopping(stopping))).into_make_service_with_connect_info::<SocketAddr>();
    let listener = listener.into_std()?;
    // Without it, the end of an answer that is longer than a segment waits until the client acknowledges what came
    // before, and clients take 40 ms for that.
    match tls {
        None => {
            let mut server = axum_server::from_tcp(listener)?
                .acceptor(NoDelayAcceptor)
                .handle(handle)
                .first_request_timeout(HEAD_TIMEOUT);
            limit(server.http_builder());
            server.serve(service).await?;
        }
        Some(Tls(config)) => {
            let mut server = axum_server::from_tcp(listener)?
                .acceptor(RustlsAcceptor::new(config).acceptor(NoDelayAcceptor))
                .handle(handle)
                .first_request_timeout(HEAD_TIMEOUT);
            limit(server.http_builder());
            server.serve(service).await?;
        }
    }
    Ok(())
}

fn limit<E>(builder: &mut hyper_util::server::conn::auto::Builder<E>) {
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(MAX_HEAD_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(Duration::from_secs(20)))
        .max_header_list_size(u32::try_from(MAX_HEAD_BYTES).unwrap_or(u32::MAX))
        .max_concurrent_streams(64);
}
