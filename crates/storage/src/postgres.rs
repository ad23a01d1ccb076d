//! PostgreSQL's own: its connections, its transactions, and what a lost connection means.

use std::time::Duration;

use sqlx::AnyPool;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};

use crate::StorageError;

/// A statement sees what was committed before it began. So a conditional `UPDATE` that waited for another transaction
/// looks at the row as that one left it: one caller spends it. What spans several statements takes
/// [`TenantTx::lock_user`](crate::TenantTx::lock_user) or [`TenantTx::lock_settings`](crate::TenantTx::lock_settings)
/// first. The alternative, SERIALIZABLE, would need every use case to be written so that it can be run again.
pub(crate) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
/// All statements see one moment, as in SQLite.
pub(crate) const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// A node that hangs in a transaction must not block the others for longer than a person waits.
const SETUP: &str = "SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = '10s'";
/// For each node. PostgreSQL allows 100 in all when it is not told otherwise.
pub(crate) const CONNECTIONS: u32 = 16;
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// More than there are statements: each is parsed once for each connection.
const PREPARED_STATEMENTS: &str = "1000";

pub(crate) fn is_url(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

pub(crate) async fn open(url: &str) -> Result<AnyPool, StorageError> {
    let mut options: AnyConnectOptions = url.parse()?;
    options.database_url.query_pairs_mut().append_pair("statement-cache-capacity", PREPARED_STATEMENTS);
    let pool = AnyPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // A transaction that cannot begin is begun on another connection: no ping before each.
        .test_before_acquire(false)
        .after_connect(|connection, _| {
            Box::pin(async move {
                sqlx::raw_sql(SETUP).execute(connection).await?;
                Ok(())
            })
        });
    Ok(pool.connect_with(options).await?)
}

/// Whether the connection is gone: the server went away, or ended it. The pool drops it and opens another.
pub(crate) fn is_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        // Class 08: connection exception. 57P01 to 57P03: the server shuts down, has crashed, is starting.
        sqlx::Error::Database(error) => {
            error.code().is_some_and(|code| code.starts_with("08") || code.starts_with("57P0"))
        }
        _ => false,
    }
}
