//! `postern doctor`: checks everything that `serve` needs, changes nothing, and says what is wrong.

use std::path::{Path, PathBuf};

use model::{Clock, SystemClock};
use storage::{DatabaseKind, SchemaState, Storage};

use crate::config::Config;
use crate::encryption::{self, KeyError};
use crate::exit_code::{ExitCode, Failure};
use crate::render::{Output, Style, escape};
use crate::wiring::anything_sealed;
use postern::network::DataFile;

/// The shortest lifetimes are 60 s.
const MAX_CLOCK_DIFFERENCE_MS: i64 = 1000;
/// Beyond this, rows and clients are not counted on.
const COUNT_LIMIT: u32 = 10_000;
/// A sweep that works has passed by then.
const OVERDUE_SECS: i64 = 24 * 3600;
/// A key that signs for longer is worth a rotation (NIST SP 800-57 Part 1 §5.3.6: one to three years).
const OLD_KEY_SECS: i64 = 365 * 24 * 3600;

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
            checks.extend(network(&config));
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
    let (usable, check) = schema(&storage).await;
    checks.push(check);
    if usable {
        contents(config, &storage, checks).await;
    }
    storage.close().await;
}

/// Whether this program can use the tables, and what it says about them.
async fn schema(storage: &Storage) -> (bool, Check) {
    let what = "schema";
    let (state, versions) = match (storage.check_schema().await, storage.schema_versions().await) {
        (Ok(state), Ok(versions)) => (state, versions),
        (Err(error), _) | (_, Err(error)) => return (false, wrong(what, ExitCode::Database, error)),
    };
    let there =
        versions.database.map_or_else(|| "none yet".to_owned(), |version| format!("version {version}"));
    let needed = versions.program;
    match state {
        SchemaState::Current => (true, good(what, there)),
        SchemaState::Ahead => {
            let text = format!(
                "{there}: a newer version of postern has added to version {needed}; this one can use it"
            );
            (true, note(what, text))
        }
        SchemaState::Behind { pending } => {
            let text = format!(
                "{there}, this program needs version {needed}, and {pending} migrations are not applied: back the \
                 database up, then run `postern migrate`"
            );
            (false, wrong_with(what, ExitCode::Database, text))
        }
        SchemaState::Incompatible => {
            let text = format!("{there}: changed by a newer version of postern; use that version");
            (false, wrong_with(what, ExitCode::Database, text))
        }
    }
}

/// What the tables hold.
async fn contents(config: &Config, storage: &Storage, checks: &mut Vec<Check>) {
    match storage.tenants().await {
        Ok(tenants) if tenants.is_empty() => {
            checks.push(note("tenants", "none; `postern tenant create NAME` makes one"));
        }
        Ok(tenants) => {
            checks.push(match storage.count_clients(COUNT_LIMIT).await {
                Ok(0) => {
                    note("tenants", format!("{}, without clients: nobody can log in yet", tenants.len()))
                }
                Ok(clients) => {
                    good("tenants", format!("{}, with {} clients", tenants.len(), counted(clients)))
                }
                Err(error) => wrong("tenants", ExitCode::Database, error),
            });
            checks.push(signing_keys(storage, &tenants).await);
        }
        Err(error) => checks.push(wrong("tenants", ExitCode::Database, error)),
    }
    checks.push(match anything_sealed(storage).await {
        Ok(sealed) => key(config, sealed),
        Err(_) => wrong_with("encryption key", ExitCode::Database, "the database cannot be read".to_owned()),
    });
    checks.push(housekeeping(config, storage).await);
}

/// What has ended and is still there.
async fn housekeeping(config: &Config, storage: &Storage) -> Check {
    let what = "ended rows";
    let now = SystemClock.now();
    let log_secs = config.housekeeping.settings().log_secs;
    let (rows, overdue) = match (
        storage.ended_rows(now, log_secs, COUNT_LIMIT).await,
        storage.ended_rows(now.plus_secs(-OVERDUE_SECS), log_secs, COUNT_LIMIT).await,
    ) {
        (Ok(rows), Ok(overdue)) => (rows, overdue),
        (Err(error), _) | (_, Err(error)) => return wrong(what, ExitCode::Database, error),
    };
    let list = |rows: &[(&str, i64)]| -> String {
        rows.iter().map(|(table, rows)| format!("{table} {}", counted(*rows))).collect::<Vec<_>>().join(", ")
    };
    if overdue.is_empty() {
        let text =
            if rows.is_empty() { "none".to_owned() } else { list(&rows) + ": the servers remove them" };
        return good(what, text);
    }
    note(
        what,
        format!(
            "waiting for more than a day: {}. Servers remove them while they run; where they do run, raise \
             housekeeping.batch_rows or lower housekeeping.pause_ms",
            list(&overdue)
        ),
    )
}

/// A number that was not counted beyond the limit.
fn counted(rows: i64) -> String {
    if rows >= i64::from(COUNT_LIMIT) { format!("{COUNT_LIMIT} or more") } else { rows.to_string() }
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
    let list = |good: bool| -> Vec<String> {
        let settings = info.settings.iter().filter(|setting| setting.good == good);
        settings.map(|setting| format!("{} = {}", setting.name, setting.value)).collect()
    };
    checks.push(match list(false).as_slice() {
        [] => good("durability", list(true).join(", ")),
        bad => {
            let mend = match info.kind {
                // This program sets them itself.
                DatabaseKind::Sqlite => "put the file on a local disk, where SQLite can share memory",
                DatabaseKind::Postgres => "turn them on in postgresql.conf",
            };
            let text =
                format!("{}: an answered request may be lost with the machine; {mend}", bad.join(", "));
            wrong_with("durability", ExitCode::Database, text)
        }
    });
    checks.extend(info.connections.map(|(usable, of_node)| {
        let text = format!("{usable} for all nodes, up to {of_node} for each: {} nodes", usable / of_node);
        match usable / of_node {
            0 | 1 => note("connections", format!("{text}; raise max_connections before you add one")),
            _ => good("connections", text),
        }
    }));
    if !info.invalid_indexes.is_empty() {
        let text = format!(
            "{} half made by a migration that was broken off: `DROP INDEX CONCURRENTLY` each, then run `postern migrate`",
            info.invalid_indexes.join(", ")
        );
        checks.push(wrong_with("indexes", ExitCode::Database, text));
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
                format!(
                    "{text}: nodes that disagree about the time end sessions and codes early or late; set both \
                     machines' clocks by NTP"
                ),
            ),
        });
    }
    checks
}

/// Each tenant has a key that signs, and has it not for too long.
async fn signing_keys(storage: &Storage, tenants: &[model::Tenant]) -> Check {
    let now = SystemClock.now();
    let mut oldest: Option<(model::Timestamp, &model::TenantId)> = None;
    for tenant in tenants {
        let keys = match storage.begin_read(&tenant.id).await {
            Ok(mut tx) => tx.signing_keys().await,
            Err(error) => Err(error),
        };
        match keys {
            Err(error) => return wrong("signing keys", ExitCode::Database, error),
            Ok(keys) => match keys.iter().find(|key| key.state == model::SigningKeyState::Current) {
                None => {
                    let text =
                        format!("tenant {} has no key that signs: run `postern keys rotate`", tenant.id);
                    return wrong_with("signing keys", ExitCode::Failed, text);
                }
                Some(key) => {
                    let made = (key.created_at, &tenant.id);
                    oldest = Some(oldest.map_or(made, |oldest| oldest.min(made)));
                }
            },
        }
    }
    let Some((made, tenant)) = oldest else { return good("signing keys", "none is needed yet") };
    let age = now.ms_since(made) / 1000;
    let text = format!("every tenant has one that signs; the oldest is {} days old", age / (24 * 3600));
    match age {
        ..=OLD_KEY_SECS => good("signing keys", text),
        _ => note("signing keys", format!("{text}: run `postern keys rotate --tenant {tenant}`")),
    }
}

fn key(config: &Config, sealed: bool) -> Check {
    let what = "encryption key";
    let source = match config.key_source() {
        Ok(source) => source,
        Err(error) => return wrong(what, ExitCode::Configuration, error),
    };
    match encryption::read(&source) {
        Ok(_) => good(what, source.to_string()),
        Err(KeyError::Missing(path)) if sealed => wrong(what, ExitCode::Configuration, KeyError::Lost(path)),
        Err(error @ KeyError::Missing(_)) => note(what, error.to_string()),
        Err(error) => wrong(what, ExitCode::Configuration, error),
    }
}

fn network(config: &Config) -> [Check; 2] {
    let check = |what: &'static str, file: &Option<PathBuf>, without: &str| match file {
        None => note(what, format!("none: {without}")),
        Some(file) => match DataFile::open(file) {
            Ok(database) => good(what, format!("{} ({})", file.display(), database.name())),
            Err(error) => wrong(what, ExitCode::Configuration, error),
        },
    };
    let without_asn = "device binding by \"asn\" is refused when it is configured";
    [
        check("ASN data", &config.network.asn_database, without_asn),
        check("City data", &config.network.city_database, "Actions see no place of an address"),
    ]
}

/// Where compiled code is kept: a folder that can be written, or that can be made.
fn cache(config: &Config) -> Check {
    let what = "compiled code";
    let Some(folder) = config.actions.cache_dir() else {
        return note(what, "no cache folder: the engine is compiled at each start; set actions.cache_dir");
    };
    let shown = folder.display();
    match std::fs::read_dir(&folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            note(what, format!("{shown} is not there yet; the first start makes it, and takes some seconds"))
        }
        Err(error) => {
            let text =
                format!("cannot read {shown}: {error}; give it to this user, or set actions.cache_dir");
            wrong_with(what, ExitCode::Configuration, text)
        }
        // The file has no name: nothing is left of it.
        Ok(files) => match tempfile::tempfile_in(&folder) {
            Err(error) => {
                let text = format!("cannot write in {shown}: {error}; free space, or set actions.cache_dir");
                wrong_with(what, ExitCode::Configuration, text)
            }
            Ok(_) => {
                let sizes = files.flatten().filter_map(|file| file.metadata().ok()).map(|file| file.len());
                let (count, bytes) = sizes.fold((0_u64, 0), |(count, sum), size| (count + 1, sum + size));
                good(what, format!("{count} files in {shown}, {} MB", bytes / 1_000_000))
            }
        },
    }
}
