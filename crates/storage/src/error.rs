use std::error::Error;

use rusqlite::ffi::{SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE};
use tokio_postgres::error::SqlState;

/// Why the database did not answer.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The URL names no database that this build knows.
    /// It is not repeated: it may have a password.
    #[error("unknown kind of database URL: expected sqlite:path/to/file.db or postgres://user@host/database")]
    Url,
    /// The database's file could not be made.
    #[error("database file {path}: {source}")]
    File {
        /// Which file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The database refused a statement, or could not be reached.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// The same of a SQLite file.
    #[error("database: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The same of PostgreSQL. What it says of a statement is in the source.
    #[error("database: {}", with_source(.0))]
    Postgres(#[from] tokio_postgres::Error),
    /// The URL says something about TLS that cannot be done.
    #[error("database URL: {0}")]
    Tls(String),
    /// All connections were in use for too long, or none could be made in time.
    #[error("database: no connection was free in time")]
    Busy,
    /// The transaction was undone, by itself or with those that were to be committed with it.
    #[error("database: the transaction was undone")]
    Undone,
    /// The database was closed: the program ends.
    #[error("the database was closed")]
    Closed,
    /// A statement has no row where it always has one.
    #[error("database: no row")]
    NoRow,
    /// The tables could not be brought up to date.
    #[error("database migration: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// A row holds what this program never writes.
    #[error("table {table}, column {column}, row {id:?}: {reason}")]
    Row {
        /// Of which table.
        table: &'static str,
        /// In which column.
        column: &'static str,
        /// The row's id, or the hash that it is found by.
        id: String,
        /// What is wrong.
        reason: String,
    },
    /// A value could not be written as JSON.
    #[error("JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl StorageError {
    /// Whether a row with the same unique value (a name, an email address) is there already.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        match self {
            Self::Postgres(error) => error.code() == Some(&SqlState::UNIQUE_VIOLATION),
            Self::Sqlite(rusqlite::Error::SqliteFailure(error, _)) => {
                [SQLITE_CONSTRAINT_UNIQUE, SQLITE_CONSTRAINT_PRIMARYKEY].contains(&error.extended_code)
            }
            _ => false,
        }
    }
}

/// The error with its reason, which it does not tell by itself.
fn with_source(error: &tokio_postgres::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
