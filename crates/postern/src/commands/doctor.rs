//! `postern doctor`: checks everything that `serve` needs, changes nothing, and says what is wrong.

use std::path::Path;

use model::{Clock, SystemClock};
use storage::{DatabaseKind, SchemaState, Storage};

use crate::config::Config;
use crate::encryption::{self, KeyError};
use crate::exit_code::{ExitCode, Failure};
use crate::network::AsnDatabase;
use crate::render::{Output, Style, escape};
use crate::wiring::anything_sealed;

/// The shortest lifetimes are 60 s.
const MAX_CLOCK_DIFFERENCE_MS: i64 = 1000;

/// One row of the table.
struct Check {
    what: &'static str,
    finding: Finding,
}

/// What a check found.
enum Finding {
    Good(String),
    Note(String),
    Wrong(ExitCode, String),
}

/// Runs all checks. The exit code is that of the first one that failed.
pub async fn run(file: Option<&Path>) -> Result<(), Failure> {
    let mut checks = Vec::new();
    match Config::load(file) {
        Err(error) => checks.push(wrong("configuration", ExitCode::Configuration, error)),
        Ok(config) => {
            let server = &config.server;
            checks.push(good("configuration", "complete, no unknown keys"));
            checks.push(good(
                "addresses",
                format!(
                    "{} for {}://<tenant>.{}/ and {} custom domains",
                    server.listen,
                    server.scheme.as_str(),
                    server.base_domain,
                    server.custom_domains.len()
                ),
            ));
            checks.push(tls(&config));
            database(&config, &mut checks).await;
            checks.push(network(&config));
            checks.push(cache(&config));
            checks.push(match crate::wiring::start_runtime(&config).await {
                Ok(runtime) => {
                    good("sandbox engine", format!("ready, engine {:.12}", runtime.engine_digest()))
                }
                Err(failure) => wrong_with(
                    "sandbox engine",
                    ExitCode::Failed,
                    failure.error.map_or_else(String::new, |error| format!("{error:#}")),
                ),
            });
        }
    }
    let output = Output::stdout();
    let rows: Vec<_> = checks
        .iter()
        .map(|check| {
            let (mark, text) = match &check.finding {
                Finding::Good(text) => (output.paint(Style::Green, "ok"), text),
                Finding::Note(text) => (output.paint(Style::Yellow, "note"), text),
                Finding::Wrong(_, text) => (output.paint(Style::Red, "WRONG"), text),
            };
            vec![mark, check.what.to_owned(), escape(text, false)]
        })
        .collect();
    output.table(&rows);
    let failed = checks.iter().find_map(|check| match check.finding {
        Finding::Wrong(code, _) => Some(code),
        _ => None,
    });
    failed.map_or(Ok(()), |code| Err(Failure::shown(code)))
}

fn good(what: &'static str, text: impl Into<String>) -> Check {
    Check { what, finding: Finding::Good(text.into()) }
}

fn note(what: &'static str, text: impl Into<String>) -> Check {
    Check { what, finding: Finding::Note(text.into()) }
}

fn wrong(what: &'static str, code: ExitCode, error: impl Into<anyhow::Error>) -> Check {
    wrong_with(what, code, format!("{:#}", error.into()))
}

fn wrong_with(what: &'static str, code: ExitCode, text: String) -> Check {
    Check { what, finding: Finding::Wrong(code, text) }
}

fn tls(config: &Config) -> Check {
    let (Some(certificate), Some(key)) = (&config.server.tls_certificate, &config.server.tls_key) else {
        return note("TLS", "none here: plain HTTP on loopback, or a proxy in front");
    };
    for file in [certificate, key] {
        if let Err(error) = std::fs::File::open(file) {
            let text = format!("cannot read {}: {error}", file.display());
            return wrong_with("TLS", ExitCode::Configuration, text);
        }
    }
    good("TLS", certificate.display().to_string())
}

async fn database(config: &Config, checks: &mut Vec<Check>) {
    let what = "database";
    let url = config.database.shown();
    if config.sqlite_path().is_some_and(|path| !path.exists()) {
        checks.push(note(what, format!("{url} is not there yet; `postern serve` creates it")));
        checks.push(key(config, false));
        return;
    }
    let storage = match Storage::open(&config.database.url).await {
        Ok(storage) => storage,
        Err(error) => {
            checks.push(wrong(what, ExitCode::Database, error));
            return;
        }
    };
    checks.extend(server(&url, &storage).await);
    match storage.check_schema().await {
        Ok(state @ (SchemaState::Current | SchemaState::Ahead)) => {
            checks.push(match state {
                SchemaState::Ahead => note("schema", "a newer version of postern has added to it"),
                _ => good("schema", "current"),
            });
            match storage.tenants().await {
                Ok(tenants) if tenants.is_empty() => {
                    checks.push(note("tenants", "none; `postern tenant create NAME` makes one"));
                }
                Ok(tenants) => {
                    checks.push(good("tenants", tenants.len().to_string()));
                    checks.push(signing_keys(&storage, &tenants).await);
                }
                Err(error) => checks.push(wrong("tenants", ExitCode::Database, error)),
            }
            checks.push(match anything_sealed(&storage).await {
                Ok(sealed) => key(config, sealed),
                Err(_) => {
                    wrong_with("encryption key", ExitCode::Database, "the database cannot be read".to_owned())
                }
            });
        }
        Ok(SchemaState::Behind { pending }) => {
            let text = format!("behind by {pending} migrations: run `postern migrate`");
            checks.push(wrong_with("schema", ExitCode::Database, text));
        }
        Ok(SchemaState::Incompatible) => {
            let text = "changed by a newer version of postern: use that version".to_owned();
            checks.push(wrong_with("schema", ExitCode::Database, text));
        }
        Err(error) => checks.push(wrong("schema", ExitCode::Database, error)),
    }
    storage.close().await;
}

/// What the database is, whether it keeps what it acknowledges, and whether its clock is ours.
async fn server(url: &str, storage: &Storage) -> Vec<Check> {
    let before = SystemClock.now();
    let info = match storage.info().await {
        Ok(info) => info,
        Err(error) => return vec![wrong("database", ExitCode::Database, error)],
    };
    let after = SystemClock.now();
    let name = match info.kind {
        DatabaseKind::Sqlite => "SQLite",
        DatabaseKind::Postgres => "PostgreSQL",
    };
    let mut checks = vec![good("database", format!("{url}, {name} {}", info.version))];
    if !info.not_durable.is_empty() {
        let text =
            format!("{}: an answered request may be lost with the machine", info.not_durable.join(", "));
        checks.push(wrong_with("durability", ExitCode::Database, text));
    }
    if let Some(clock) = info.clock {
        // At which moment between the two it was read is unknown.
        let ahead = clock.as_ms() - after.as_ms();
        let behind = before.as_ms() - clock.as_ms();
        let difference = ahead.max(behind).max(0);
        let text = format!("{difference} ms from the database's");
        checks.push(match difference {
            ..=MAX_CLOCK_DIFFERENCE_MS => good("clock", text),
            _ => note(
                "clock",
                format!("{text}: nodes that disagree about the time end sessions and codes early or late"),
            ),
        });
    }
    checks
}

/// Each tenant has a key that signs, and one that is published to sign next.
async fn signing_keys(storage: &Storage, tenants: &[model::Tenant]) -> Check {
    for tenant in tenants {
        let keys = match storage.begin_read(&tenant.id).await {
            Ok(mut tx) => tx.signing_keys().await,
            Err(error) => Err(error),
        };
        match keys {
            Err(error) => return wrong("signing keys", ExitCode::Database, error),
            Ok(keys) if !keys.iter().any(|key| key.state == model::SigningKeyState::Current) => {
                let text = format!("tenant {} has no key that signs: run `postern keys rotate`", tenant.id);
                return wrong_with("signing keys", ExitCode::Failed, text);
            }
            Ok(_) => {}
        }
    }
    good("signing keys", "every tenant has one that signs")
}

fn key(config: &Config, sealed: bool) -> Check {
    let what = "encryption key";
    let path = match config.key_file() {
        Ok(path) => path,
        Err(error) => return wrong(what, ExitCode::Configuration, error),
    };
    match encryption::read(&path) {
        Ok(_) => good(what, format!("{}, mode 0600", path.display())),
        Err(KeyError::Missing(path)) if sealed => wrong(what, ExitCode::Configuration, KeyError::Lost(path)),
        Err(error @ KeyError::Missing(_)) => note(what, error.to_string()),
        Err(error) => wrong(what, ExitCode::Configuration, error),
    }
}

fn network(config: &Config) -> Check {
    match &config.network.asn_database {
        None => note("ASN data", "none: device binding by \"asn\" is refused when it is configured"),
        Some(file) => match AsnDatabase::open(file) {
            Ok(database) => good("ASN data", format!("{} ({})", file.display(), database.name())),
            Err(error) => wrong("ASN data", ExitCode::Configuration, error),
        },
    }
}

fn cache(config: &Config) -> Check {
    match config.actions.cache_dir() {
        None => note("compiled code", "no cache folder: the engine is compiled at each start"),
        Some(folder) => good("compiled code", format!("kept in {}", folder.display())),
    }
}
