//! The connections to a SQLite file that read. Statements run where they are called: one takes microseconds, and to hand
//! it to another thread takes more.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, ToSql};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::StorageError;
use crate::statement::{Statement, Value};

/// More than there are statements: each is parsed once for each connection.
const PREPARED_STATEMENTS: usize = 1000;

/// Some connections, each used by one at a time.
#[derive(Debug)]
pub(crate) struct Connections {
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
    count: u32,
}

/// The use of one connection. What is not committed when it ends is undone.
#[derive(Debug)]
pub(crate) struct Lease {
    /// There until the lease ends.
    connection: Option<Connection>,
    home: Arc<Connections>,
    _permit: OwnedSemaphorePermit,
}

/// A row that was read.
#[derive(Debug)]
pub(crate) struct SqliteRow {
    columns: Arc<[String]>,
    values: Vec<rusqlite::types::Value>,
}

/// Opens a connection with these settings. `busy_timeout` is how long a statement may block for another process.
pub(crate) fn connect(path: &str, setup: &str, busy_timeout: Duration) -> Result<Connection, StorageError> {
    let connection = Connection::open(path)?;
    connection.execute_batch(setup)?;
    connection.busy_timeout(busy_timeout)?;
    connection.set_prepared_statement_cache_capacity(PREPARED_STATEMENTS);
    Ok(connection)
}

/// Runs a statement to its end: its rows, and how many rows it changed or found.
pub(crate) fn run(
    connection: &Connection,
    statement: &Statement,
) -> Result<(Vec<SqliteRow>, u64), StorageError> {
    let started = Instant::now();
    let mut prepared = connection.prepare_cached(&statement.sql)?;
    for index in 1..=prepared.parameter_count() {
        // SQLite numbers `$3` by where it stands, not by what it is called.
        let number = prepared.parameter_name(index).and_then(|name| name.strip_prefix('$'));
        let number = number.and_then(|number| number.parse::<usize>().ok());
        let value = number.and_then(|number| statement.values.get(number.checked_sub(1)?));
        let value = value.ok_or(rusqlite::Error::InvalidParameterCount(statement.values.len(), index))?;
        prepared.raw_bind_parameter(index, value)?;
    }
    let columns: Arc<[String]> = prepared.column_names().into_iter().map(str::to_owned).collect();
    let mut rows = Vec::new();
    let mut found = prepared.raw_query();
    while let Some(row) = found.next()? {
        let values = (0..columns.len()).map(|index| row.get(index)).collect::<Result<_, _>>()?;
        rows.push(SqliteRow { columns: Arc::clone(&columns), values });
    }
    drop(found);
    drop(prepared);
    let count = if columns.is_empty() { connection.changes() } else { rows.len() as u64 };
    let elapsed_secs = started.elapsed().as_secs_f64();
    tracing::debug!(target: "storage::sqlite", statement = &*statement.sql, elapsed_secs);
    Ok((rows, count))
}

impl Connections {
    /// Opens so many, each with these settings.
    pub fn open(
        path: &str,
        count: u32,
        setup: &str,
        busy_timeout: Duration,
    ) -> Result<Arc<Self>, StorageError> {
        let idle = (0..count).map(|_| connect(path, setup, busy_timeout)).collect::<Result<Vec<_>, _>>()?;
        let permits = Arc::new(Semaphore::new(idle.len()));
        Ok(Arc::new(Self { idle: Mutex::new(idle), permits, count }))
    }

    /// Waits for its turn, first come, first served.
    pub async fn lease(self: &Arc<Self>) -> Result<Lease, StorageError> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| StorageError::Closed)?;
        let connection = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = Some(connection.ok_or(StorageError::Closed)?);
        Ok(Lease { connection, home: Arc::clone(self), _permit: permit })
    }

    /// Ends them all when they are not in use any more.
    pub async fn close(&self) {
        // Fails when they are closed already.
        if let Ok(all) = self.permits.acquire_many(self.count).await {
            self.permits.close();
            drop(all);
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }
}

impl Lease {
    /// Begins a transaction: from here on, all statements see one moment.
    pub fn begin(&mut self) -> Result<(), StorageError> {
        self.connection()?.prepare_cached("BEGIN")?.execute([])?;
        Ok(())
    }

    /// Runs a statement to its end: its rows, and how many rows it changed or found.
    pub fn run(&mut self, statement: &Statement) -> Result<(Vec<SqliteRow>, u64), StorageError> {
        run(self.connection()?, statement)
    }

    fn connection(&self) -> Result<&Connection, StorageError> {
        self.connection.as_ref().ok_or(StorageError::Closed)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        let is_usable = connection.is_autocommit() || connection.execute_batch("ROLLBACK").is_ok();
        if !is_usable {
            tracing::error!("a transaction could not be undone: its connection is not used any more");
            return;
        }
        self.home.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }
}

impl SqliteRow {
    /// The value in that column.
    pub fn value(&self, column: &str) -> Option<&rusqlite::types::Value> {
        let index = self.columns.iter().position(|name| name == column)?;
        self.values.get(index)
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self {
            Self::Integer(value) => value.to_sql(),
            Self::Text(value) => value.to_sql(),
            Self::Blob(value) => value.to_sql(),
        }
    }
}
