//! The configuration of the process: defaults, then a TOML file, then the environment. A key that nobody reads is an
//! error. What belongs to one tenant is in the database, not here.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use action_api::Limits;
use action_runtime::CompileLimits;
use figment::Figment;
use figment::providers::{Env, Format, Toml};
use ipnet::IpNet;
use postern::housekeeping;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::encryption::KeySource;
use crate::remote;

/// The defaults, as an operator would write them.
const DEFAULTS: &str = include_str!("default.toml");
/// Read when no `--config` is given and it is there.
const DEFAULT_FILE: &str = "postern.toml";

/// The whole configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub server: Server,
    pub database: Database,
    pub encryption: Encryption,
    pub actions: Actions,
    pub network: Network,
    pub housekeeping: Housekeeping,
    pub outgoing: Outgoing,
    pub telemetry: Telemetry,
}

/// `[server]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    pub listen: SocketAddr,
    pub scheme: Scheme,
    pub base_domain: String,
    #[serde(default)]
    pub custom_domains: BTreeMap<String, String>,
    pub tls_certificate: Option<PathBuf>,
    pub tls_key: Option<PathBuf>,
    #[serde(default)]
    pub trusted_proxies: Vec<AddressRange>,
}

/// What browsers speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    Http,
    Https,
}

impl Scheme {
    /// As in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// An address, or a network as `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct AddressRange(pub IpNet);

impl TryFrom<String> for AddressRange {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let address = text.parse::<IpAddr>().map(IpNet::from);
        address
            .or_else(|_| text.parse())
            .map(Self)
            .map_err(|_| format!("{text:?} is neither an address nor a network"))
    }
}

/// `[database]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    pub url: String,
}

impl Database {
    /// The URL for people: without user, password and parameters.
    pub fn shown(&self) -> String {
        let Some((scheme, rest)) = self.url.split_once("://").filter(|_| !self.url.starts_with("sqlite:"))
        else {
            return self.url.clone();
        };
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let host = authority.rsplit('@').next().unwrap_or_default();
        format!("{scheme}://{host}/{path}")
    }
}

/// `[encryption]`: where the key is, in one way.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Encryption {
    pub key_file: Option<PathBuf>,
    pub key: Option<String>,
    pub key_command: Option<Vec<String>>,
}

/// Without the key.
impl std::fmt::Debug for Encryption {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encryption").field("key_file", &self.key_file).finish_non_exhaustive()
    }
}

/// `[actions]`. The limits stand here by themselves, so that an unknown key among them is noticed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Actions {
    pub fuel: u64,
    pub build_fuel: u64,
    pub wall_clock_ms: u64,
    pub memory_bytes: u64,
    pub stack_bytes: u64,
    pub event_bytes: u64,
    pub commands: u32,
    pub command_bytes: u64,
    pub console_bytes: u64,
    pub host_calls: u32,
    pub operations: u32,
    pub operation_bytes: u64,
    pub http_requests: u32,
    pub http_answer_bytes: u64,
    pub concurrent_runs: u32,
    pub concurrent_runs_per_tenant: u32,
    pub queue_ms: u64,
    pub linked_component_bytes: u64,
    pub compile_cpu_seconds: u64,
    pub compile_memory_bytes: u64,
    pub compiled_bytes: u64,
    pub cache_dir: Option<PathBuf>,
}

impl Actions {
    /// What the compiler may use for one component.
    pub fn compile_limits(&self) -> CompileLimits {
        CompileLimits {
            cpu_seconds: self.compile_cpu_seconds,
            memory_bytes: self.compile_memory_bytes,
            code_bytes: self.compiled_bytes,
        }
    }

    /// What one run may use.
    pub fn limits(&self) -> Limits {
        Limits {
            fuel: self.fuel,
            wall_clock_ms: self.wall_clock_ms,
            memory_bytes: self.memory_bytes,
            stack_bytes: self.stack_bytes,
            event_bytes: self.event_bytes,
            commands: self.commands,
            command_bytes: self.command_bytes,
            console_bytes: self.console_bytes,
            host_calls: self.host_calls,
            operations: self.operations,
            operation_bytes: self.operation_bytes,
            http_requests: self.http_requests,
            http_answer_bytes: self.http_answer_bytes,
        }
    }

    /// What making an artifact may use: the same, but for the fuel.
    pub fn build_limits(&self) -> Limits {
        Limits { fuel: self.build_fuel, ..self.limits() }
    }

    /// Where compiled code is kept: the configured folder, or `postern` in the user's cache folder.
    pub fn cache_dir(&self) -> Option<PathBuf> {
        self.cache_dir.clone().or_else(|| {
            std::env::var_os("XDG_CACHE_HOME")
                .filter(|folder| !folder.is_empty())
                .map(PathBuf::from)
                .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))
                .map(|folder| folder.join("postern"))
        })
    }
}

/// `[network]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    pub asn_database: Option<PathBuf>,
    pub city_database: Option<PathBuf>,
}

/// `[housekeeping]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Housekeeping {
    pub interval_secs: u64,
    pub batch_rows: u32,
    pub pause_ms: u64,
    pub log_days: u32,
}

impl Housekeeping {
    /// How it is done.
    pub fn settings(&self) -> housekeeping::Settings {
        housekeeping::Settings {
            interval: Duration::from_secs(self.interval_secs),
            batch_rows: self.batch_rows,
            pause: Duration::from_millis(self.pause_ms),
            log_secs: i64::from(self.log_days) * 24 * 3600,
        }
    }
}

/// `[outgoing]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outgoing {
    pub allowed_networks: Vec<AddressRange>,
}

/// `[telemetry]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    pub metrics_listen: Option<SocketAddr>,
    pub traces_endpoint: Option<String>,
}

/// What is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// `--config` names no file.
    #[error("there is no configuration file {}", .0.display())]
    Missing(PathBuf),
    /// A key is unknown, missing or of a wrong type. The text names it and where it came from.
    #[error("{0}")]
    Invalid(Box<figment::Error>),
    /// The values do not go together.
    #[error("{0}")]
    Contradiction(String),
}

impl Config {
    /// Reads and checks the configuration.
    ///
    /// # Errors
    /// [`ConfigError`], naming the key.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let mut figment = Figment::from(Toml::string(DEFAULTS));
        match file {
            Some(file) if !file.is_file() => return Err(ConfigError::Missing(file.to_owned())),
            Some(file) => figment = figment.merge(Toml::file_exact(file)),
            None if Path::new(DEFAULT_FILE).is_file() => {
                figment = figment.merge(Toml::file_exact(DEFAULT_FILE))
            }
            None => {}
        }
        // POSTERN_CONFIG is the command line's, and the others are for other servers.
        let ignored: Vec<&str> = ["config"].into_iter().chain(remote::VARIABLES).collect();
        Self::extract(&figment.merge(Env::prefixed("POSTERN_").ignore(&ignored).split("__")))
    }

    /// The defaults and this TOML text, without any file or the environment.
    ///
    /// # Errors
    /// [`ConfigError`], naming the key.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        Self::extract(&Figment::from(Toml::string(DEFAULTS)).merge(Toml::string(text)))
    }

    fn extract(figment: &Figment) -> Result<Self, ConfigError> {
        let config: Self = figment.extract().map_err(|error| ConfigError::Invalid(Box::new(error)))?;
        config.check()?;
        Ok(config)
    }

    /// The path of the SQLite file, when the database is one.
    pub fn sqlite_path(&self) -> Option<&Path> {
        let path = self.database.url.strip_prefix("sqlite:")?;
        let path = path.strip_prefix("//").unwrap_or(path);
        Some(Path::new(path.split('?').next().unwrap_or(path)))
    }

    /// Where the encryption key is: as configured, or in the file `<database>.key` beside the SQLite database.
    ///
    /// # Errors
    /// [`ConfigError`] for more than one place, an empty command, or none with PostgreSQL.
    pub fn key_source(&self) -> Result<KeySource, ConfigError> {
        let wrong = |text: &str| Err(ConfigError::Contradiction(text.to_owned()));
        let Encryption { key_file, key, key_command } = &self.encryption;
        match (key_file, key, key_command) {
            (Some(file), None, None) => Ok(KeySource::File(file.clone())),
            (None, Some(key), None) => Ok(KeySource::Given(key.clone())),
            (None, None, Some(words)) if words.is_empty() => wrong("encryption.key_command names no program"),
            (None, None, Some(words)) => Ok(KeySource::Command(words.clone())),
            (None, None, None) => {
                let Some(database) = self.sqlite_path() else {
                    return wrong("encryption.key_file, key or key_command is needed with this database.url");
                };
                let mut name = database.as_os_str().to_owned();
                name.push(".key");
                Ok(KeySource::File(PathBuf::from(name)))
            }
            _ => wrong("of encryption.key_file, key and key_command only one may be given"),
        }
    }

    fn check(&self) -> Result<(), ConfigError> {
        let server = &self.server;
        let contradiction = |text: String| Err(ConfigError::Contradiction(text));
        if server.tls_certificate.is_some() != server.tls_key.is_some() {
            return contradiction("server.tls_certificate and server.tls_key belong together".to_owned());
        }
        let tls = server.tls_certificate.is_some();
        if tls && server.scheme == Scheme::Http {
            return contradiction(
                "server.tls_certificate is given: server.scheme must be \"https\"".to_owned(),
            );
        }
        if server.scheme == Scheme::Https && !tls && server.trusted_proxies.is_empty() {
            return contradiction(
                "server.scheme is \"https\", so either tls_certificate and tls_key or trusted_proxies must be given"
                    .to_owned(),
            );
        }
        if server.scheme == Scheme::Http && !server.listen.ip().is_loopback() {
            return contradiction(format!(
                "server.listen is {}: plain HTTP is served on loopback addresses only. Give tls_certificate and \
                 tls_key, or put a proxy with TLS in front and set scheme = \"https\" and trusted_proxies",
                server.listen
            ));
        }
        if server.base_domain.is_empty() || server.base_domain.contains(['/', '@', ' ']) {
            return contradiction(format!("server.base_domain {:?} is no host name", server.base_domain));
        }
        for (key, value) in [
            ("fuel", self.actions.fuel),
            ("build_fuel", self.actions.build_fuel),
            ("wall_clock_ms", self.actions.wall_clock_ms),
            ("memory_bytes", self.actions.memory_bytes),
            ("stack_bytes", self.actions.stack_bytes),
            ("event_bytes", self.actions.event_bytes),
            ("commands", self.actions.commands.into()),
            ("command_bytes", self.actions.command_bytes),
            ("host_calls", self.actions.host_calls.into()),
            ("concurrent_runs", self.actions.concurrent_runs.into()),
            ("concurrent_runs_per_tenant", self.actions.concurrent_runs_per_tenant.into()),
            ("compile_cpu_seconds", self.actions.compile_cpu_seconds),
            ("compile_memory_bytes", self.actions.compile_memory_bytes),
            ("compiled_bytes", self.actions.compiled_bytes),
        ] {
            if value == 0 {
                return contradiction(format!("actions.{key} is 0: no Action could ever run"));
            }
        }
        for (key, value) in [
            ("interval_secs", self.housekeeping.interval_secs),
            ("batch_rows", self.housekeeping.batch_rows.into()),
            ("log_days", self.housekeeping.log_days.into()),
        ] {
            if value == 0 {
                return contradiction(format!("housekeeping.{key} must be at least 1"));
            }
        }
        if let Some(endpoint) = &self.telemetry.traces_endpoint
            && !Url::parse(endpoint).is_ok_and(|url| ["http", "https"].contains(&url.scheme()))
        {
            return contradiction(format!("telemetry.traces_endpoint {endpoint:?} is no http or https URL"));
        }
        if self.telemetry.metrics_listen.is_some_and(|address| address == server.listen) {
            return contradiction("telemetry.metrics_listen must not be server.listen".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Config::from_toml(text).expect_err(text).to_string()
    }

    #[test]
    fn the_defaults_are_complete() {
        let config = Config::from_toml("").expect("the defaults");
        assert!(config.server.listen.ip().is_loopback());
        assert_eq!(config.key_source().expect("SQLite"), KeySource::File("postern.db.key".into()));
    }

    #[test]
    fn the_encryption_key_is_in_one_place_and_in_no_debug_output() {
        let source =
            |text: &str| Config::from_toml(&format!("[encryption]\n{text}")).expect("it reads").key_source();
        assert_eq!(source("key = 's3cret'").expect("given"), KeySource::Given("s3cret".to_owned()));
        let words = ["vault", "read", "key"].map(str::to_owned).to_vec();
        assert_eq!(
            source("key_command = ['vault', 'read', 'key']").expect("told"),
            KeySource::Command(words)
        );
        for text in ["key = 'a'\nkey_file = 'b'", "key_command = []", "key_file = 'b'\nkey_command = ['a']"] {
            assert!(source(text).is_err(), "{text}");
        }
        let config = Config::from_toml("[encryption]\nkey = 's3cret'").expect("it reads");
        assert!(!format!("{config:?} {:?}", config.key_source()).contains("s3cret"));
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_it() {
        for text in ["[server]\nlisten_on = 1", "[actions]\nfule = 1", "[serve]\nx = 1", "colour = 1"] {
            let name = text.rsplit('\n').next().and_then(|line| line.split(' ').next()).expect("a key");
            let message = error(text);
            assert!(message.contains(name) || message.contains("serve"), "{text}: {message}");
        }
        assert!(error("[actions]\nfuel = \"much\"").contains("fuel"));
    }

    #[test]
    fn plain_http_is_served_on_loopback_only() {
        assert!(error("[server]\nlisten = \"0.0.0.0:80\"").contains("loopback"));
        assert!(error("[server]\nscheme = \"https\"").contains("trusted_proxies"));
        assert!(error("[server]\ntls_key = \"a\"").contains("belong together"));
        assert!(error("[server]\ntls_key = \"a\"\ntls_certificate = \"b\"").contains("https"));
        let proxied = "[server]\nlisten = \"0.0.0.0:80\"\nscheme = \"https\"\ntrusted_proxies = [\"10.0.0.1\", \"10.1.0.0/16\"]";
        assert!(Config::from_toml(proxied).is_ok());
    }

    #[test]
    fn a_database_is_shown_without_its_password() {
        for (url, shown) in [
            ("sqlite:a@b.db", "sqlite:a@b.db"),
            ("sqlite://a@b.db", "sqlite://a@b.db"),
            ("postgres://db.example/postern", "postgres://db.example/postern"),
            (
                "postgresql://ann:secret@db.example:5432/postern?sslmode=require",
                "postgresql://db.example:5432/postern",
            ),
            ("postgres://ann:s@cret@db.example?password=secret", "postgres://db.example/"),
            ("postgres:///postern?host=/run/postgresql&password=secret", "postgres:///postern"),
        ] {
            let config = Config::from_toml(&format!("[database]\nurl = \"{url}\"")).expect("valid");
            assert_eq!(config.database.shown(), shown);
        }
    }

    #[test]
    fn telemetry_is_off_and_has_an_address_of_its_own() {
        let config = Config::from_toml("").expect("the defaults");
        assert!(config.telemetry.metrics_listen.is_none() && config.telemetry.traces_endpoint.is_none());
        assert!(error("[telemetry]\ntraces_endpoint = \"collector:4318\"").contains("traces_endpoint"));
        assert!(error("[telemetry]\nmetrics_listen = \"127.0.0.1:3000\"").contains("server.listen"));
    }

    #[test]
    fn a_limit_of_zero_is_refused() {
        assert!(error("[actions]\nfuel = 0").contains("actions.fuel"));
        assert!(error("[housekeeping]\nbatch_rows = 0").contains("housekeeping.batch_rows"));
    }

    #[test]
    fn a_custom_domain_keeps_its_dots() {
        let config =
            Config::from_toml("[server.custom_domains]\n\"login.acme.example\" = \"acme\"").expect("valid");
        assert_eq!(config.server.custom_domains.get("login.acme.example").map(String::as_str), Some("acme"));
    }

    #[test]
    fn the_path_of_the_database_is_found() {
        for url in ["sqlite:a/b.db", "sqlite://a/b.db", "sqlite:a/b.db?mode=rwc"] {
            let config = Config::from_toml(&format!("[database]\nurl = \"{url}\"")).expect("valid");
            assert_eq!(config.sqlite_path(), Some(Path::new("a/b.db")), "{url}");
        }
    }
}
