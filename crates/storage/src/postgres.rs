//! PostgreSQL's own: where it is, how its connections are made, and what a lost connection means.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use sqlx::AnyPool;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;
use url::Url;

use crate::StorageError;

/// A statement sees what was committed before it began. So a conditional `UPDATE` that waited for another transaction
/// looks at the row as that one left it: one caller spends it. What spans several statements takes
/// [`TenantTx::lock_user`](crate::TenantTx::lock_user) or [`TenantTx::lock_settings`](crate::TenantTx::lock_settings)
/// first. The alternative, SERIALIZABLE, would need every use case to be written so that it can be run again.
pub(crate) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
/// All statements see one moment, as in SQLite.
pub(crate) const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// A node that hangs in a transaction must not block the others for longer than a person waits. Each statement finds its
/// rows by a key, whatever the values are: one plan is enough, and to make one takes longer than to run it.
const SETUP: &str = "SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = '10s'; SET plan_cache_mode = force_generic_plan";
/// For tenants' transactions, on each node. PostgreSQL allows 100 in all when it is not told otherwise.
pub(crate) const CONNECTIONS: u32 = 16;
/// For migrations and for `postern doctor`.
pub(crate) const POOL_CONNECTIONS: u32 = 2;
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// Where the server is, and how it is reached.
#[derive(Clone)]
pub(crate) struct ServerAddress {
    config: Config,
    tls: Option<MakeRustlsConnect>,
}

impl fmt::Debug for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerAddress").field("hosts", &self.config.get_hosts()).finish_non_exhaustive()
    }
}

/// What the URL says of TLS.
#[derive(Default)]
struct Tls {
    mode: Option<String>,
    root_certificates: Option<String>,
    certificate: Option<String>,
    key: Option<String>,
}

pub(crate) fn is_url(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

/// The pool for migrations, and the server's address for all else.
pub(crate) async fn open(url: &str) -> Result<(AnyPool, ServerAddress), StorageError> {
    let mut url = Url::parse(url).map_err(|_| StorageError::Url)?;
    let tls = take_tls(&mut url);
    let mut config: Config = url.as_str().parse()?;
    if config.get_password().is_none()
        && let Ok(password) = std::env::var("PGPASSWORD")
    {
        config.password(password);
    }
    let with_tls = tls.is_on(&config)?;
    config.ssl_mode(if with_tls { SslMode::Require } else { SslMode::Disable });
    url.query_pairs_mut().append_pair("sslmode", if with_tls { "verify-full" } else { "disable" });
    for (name, file) in
        [("sslrootcert", &tls.root_certificates), ("sslcert", &tls.certificate), ("sslkey", &tls.key)]
    {
        if let Some(file) = file.as_ref().filter(|_| with_tls) {
            url.query_pairs_mut().append_pair(name, file);
        }
    }
    let connector = if with_tls { Some(MakeRustlsConnect::new(tls.client_config()?)) } else { None };
    let options: AnyConnectOptions = url.as_str().parse()?;
    let pool = AnyPoolOptions::new()
        .max_connections(POOL_CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .after_connect(|connection, _| {
            Box::pin(async move {
                sqlx::raw_sql(SETUP).execute(connection).await?;
                Ok(())
            })
        });
    Ok((pool.connect_with(options).await?, ServerAddress { config, tls: connector }))
}

/// Takes what is about TLS out of the URL.
fn take_tls(url: &mut Url) -> Tls {
    let mut tls = Tls::default();
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    url.set_query(None);
    for (name, value) in pairs {
        match name.as_str() {
            "sslmode" => tls.mode = Some(value),
            "sslrootcert" => tls.root_certificates = Some(value),
            "sslcert" => tls.certificate = Some(value),
            "sslkey" => tls.key = Some(value),
            _ => {
                url.query_pairs_mut().append_pair(&name, &value);
            }
        }
    }
    tls
}

impl Tls {
    /// The server's certificate and its name are always checked; without TLS only a server on this machine is reached, if
    /// nothing else is said.
    fn is_on(&self, config: &Config) -> Result<bool, StorageError> {
        let is_local = |host: &Host| match host {
            Host::Unix(_) => true,
            Host::Tcp(name) => ["localhost", "127.0.0.1", "::1"].contains(&name.as_str()),
        };
        match self.mode.as_deref() {
            None => Ok(!config.get_hosts().iter().all(is_local)),
            Some("disable") => Ok(false),
            Some("require" | "verify-ca" | "verify-full") => Ok(true),
            Some(other) => Err(StorageError::Tls(format!(
                "sslmode={other} is not supported: verify-full checks the server's certificate, disable does without \
                 TLS"
            ))),
        }
    }

    fn client_config(&self) -> Result<ClientConfig, StorageError> {
        let failed =
            |path: &str, error: &dyn fmt::Display| StorageError::Tls(format!("the file {path}: {error}"));
        let certificates = |path: &str| {
            let found: Result<Vec<_>, _> =
                CertificateDer::pem_file_iter(path).and_then(|certificates| certificates.collect());
            match found {
                Ok(found) if found.is_empty() => Err(failed(path, &"there is no certificate in it")),
                Ok(found) => Ok(found),
                Err(error) => Err(failed(path, &error)),
            }
        };
        let mut roots = RootCertStore::empty();
        match &self.root_certificates {
            None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Some(path) => {
                for certificate in certificates(path)? {
                    roots.add(certificate).map_err(|error| failed(path, &error))?;
                }
            }
        }
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| StorageError::Tls(error.to_string()))?
            .with_root_certificates(roots);
        match (&self.certificate, &self.key) {
            (None, None) => Ok(config.with_no_client_auth()),
            (Some(certificate), Some(key)) => {
                let chain = certificates(certificate)?;
                let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| failed(key, &error))?;
                config.with_client_auth_cert(chain, secret).map_err(|error| failed(certificate, &error))
            }
            _ => Err(StorageError::Tls("sslcert and sslkey go together".to_owned())),
        }
    }
}

impl ServerAddress {
    /// Opens a connection. What reads from it ends with it.
    pub async fn connect(&self) -> Result<Client, StorageError> {
        let client = match &self.tls {
            Some(tls) => {
                let (client, connection) = self.config.connect(tls.clone()).await?;
                tokio::spawn(async move { note(connection.await) });
                client
            }
            None => {
                let (client, connection) = self.config.connect(NoTls).await?;
                tokio::spawn(async move { note(connection.await) });
                client
            }
        };
        client.batch_execute(SETUP).await?;
        Ok(client)
    }
}

/// Whoever uses the connection gets the error, too; this is for one that nobody uses.
fn note(outcome: Result<(), tokio_postgres::Error>) {
    if let Err(error) = outcome {
        tracing::debug!(%error, "a connection to PostgreSQL ended");
    }
}

/// Whether the connection is gone: the server went away, or ended it.
pub(crate) fn is_lost(error: &tokio_postgres::Error) -> bool {
    let is_io = || std::error::Error::source(error).is_some_and(|source| source.is::<std::io::Error>());
    match error.code() {
        // Class 08: connection exception. 57P01 to 57P03: the server shuts down, has crashed, is starting.
        Some(state) => state.code().starts_with("08") || state.code().starts_with("57P0"),
        None => error.is_closed() || is_io(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_is_off_only_for_a_server_on_this_machine_or_where_the_url_says_so() {
        let is_on = |url: &str| {
            let mut url = Url::parse(url).unwrap();
            let tls = take_tls(&mut url);
            tls.is_on(&url.as_str().parse().unwrap())
        };
        for (url, expected) in [
            ("postgres:///postern?host=/run/postgresql", false),
            ("postgres://ann@localhost/postern", false),
            ("postgres://ann@127.0.0.1:5433/postern", false),
            ("postgres://ann@db.example/postern", true),
            ("postgres://ann@db.example/postern?sslmode=disable", false),
            ("postgres://ann@db.example/postern?application_name=postern&sslmode=require", true),
            ("postgres://ann@localhost/postern?sslmode=verify-full&sslrootcert=/ca.pem", true),
        ] {
            assert_eq!(is_on(url).unwrap(), expected, "{url}");
        }
        for mode in ["prefer", "allow", ""] {
            let error = is_on(&format!("postgres://ann@db.example/postern?sslmode={mode}")).unwrap_err();
            assert!(matches!(error, StorageError::Tls(_)), "{error}");
        }
    }
}
