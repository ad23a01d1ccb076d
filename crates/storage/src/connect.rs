//! Where the database is, and how its connections are set up.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::path::Path;

use model::TenantId;
use sqlx::any::{AnyArguments, AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::Migrator;
use sqlx::query::Query;
use sqlx::{Any, AnyPool, Transaction};

use crate::StorageError;
use crate::row::Record;

static SQLITE: Migrator = sqlx::migrate!("./migrations/sqlite");

/// WAL: readers do not wait for the writer. FULL: what is committed survives a power cut.
const WRITER_SETUP: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 10000";
const READER_SETUP: &str = "PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 10000; PRAGMA query_only = ON";
const READERS: u32 = 8;

/// The database. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Storage {
    pub(crate) reader: AnyPool,
    pub(crate) writer: AnyPool,
}

/// How the tables compare with this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaState {
    /// They are of this program's version.
    Current,
    /// `migrate` has work to do.
    Behind {
        /// So many migrations.
        pending: usize,
    },
    /// A newer program has changed them.
    Ahead,
}

impl Storage {
    /// Opens `sqlite:path/to/file.db`. A file that is not there is made, for its owner only. Tables are made by
    /// [`Storage::migrate`].
    pub async fn open(url: &str) -> Result<Self, StorageError> {
        let path = url
            .strip_prefix("sqlite:")
            .map(|rest| rest.strip_prefix("//").unwrap_or(rest))
            .filter(|path| {
                !path.is_empty() && !path.starts_with(":memory:") && !path.contains(['?', '#', '\0'])
            })
            .ok_or_else(|| StorageError::Url(url.to_owned()))?;
        create_file(Path::new(path))
            .map_err(|source| StorageError::File { path: path.to_owned(), source })?;

        sqlx::any::install_default_drivers();
        let options: AnyConnectOptions = format!("sqlite:{}?mode=rw", escape(path)).parse()?;
        // The writer comes first: it sets the journal's mode, which is the file's.
        let writer = pool(1, WRITER_SETUP).connect_with(options.clone()).await?;
        let reader = pool(READERS, READER_SETUP).connect_with(options).await?;
        Ok(Self { reader, writer })
    }

    /// Brings the tables up to date. Harmless when they are.
    pub async fn migrate(&self) -> Result<(), StorageError> {
        Ok(SQLITE.run(&self.writer).await?)
    }

    /// Compares the tables with this program; changes nothing.
    pub async fn check_schema(&self) -> Result<SchemaState, StorageError> {
        let known: Vec<i64> = SQLITE.iter().map(|migration| migration.version).collect();
        let there: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = '_sqlx_migrations'",
        )
        .fetch_one(&self.reader)
        .await?;
        let applied: Vec<i64> = if there == 0 {
            Vec::new()
        } else {
            sqlx::query_scalar("SELECT version FROM _sqlx_migrations WHERE success")
                .fetch_all(&self.reader)
                .await?
        };
        if applied.iter().any(|version| !known.contains(version)) {
            return Ok(SchemaState::Ahead);
        }
        Ok(match known.iter().filter(|version| !applied.contains(version)).count() {
            0 => SchemaState::Current,
            pending => SchemaState::Behind { pending },
        })
    }

    /// Ends all connections, when their transactions have ended.
    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }

    /// A transaction that may write. There is one at a time: run no Action, password hash or outgoing request in it.
    pub async fn begin(&self, tenant: &TenantId) -> Result<TenantTx, StorageError> {
        Ok(TenantTx::new(self.writer.begin_with("BEGIN IMMEDIATE").await?, tenant))
    }

    /// A transaction that only reads, all from one moment. Dropping it is enough.
    pub async fn begin_read(&self, tenant: &TenantId) -> Result<TenantTx, StorageError> {
        Ok(TenantTx::new(self.reader.begin().await?, tenant))
    }
}

/// A transaction within one tenant. Dropped without [`TenantTx::commit`], it is undone.
#[derive(Debug)]
pub struct TenantTx {
    tx: Transaction<'static, Any>,
    tenant: String,
    /// All statements so far, for the test of their query plans.
    #[cfg(test)]
    pub(crate) seen: std::sync::Mutex<Vec<&'static str>>,
}

type Statement = Query<'static, Any, AnyArguments>;

impl TenantTx {
    fn new(tx: Transaction<'static, Any>, tenant: &TenantId) -> Self {
        Self {
            tx,
            tenant: tenant.as_str().to_owned(),
            #[cfg(test)]
            seen: std::sync::Mutex::default(),
        }
    }

    /// Makes what was written last.
    pub async fn commit(self) -> Result<(), StorageError> {
        Ok(self.tx.commit().await?)
    }

    /// A statement whose `$1` is the tenant. All statements of a tenant come from here.
    pub(crate) fn sql(&self, sql: &'static str) -> Statement {
        debug_assert!(sql.contains("$1"), "a statement without its tenant: {sql}");
        #[cfg(test)]
        if let Ok(mut seen) = self.seen.lock() {
            seen.push(sql);
        }
        sqlx::query(sql).bind(self.tenant.clone())
    }

    /// Runs a statement; how many rows it changed.
    pub(crate) async fn run(&mut self, statement: Statement) -> Result<u64, StorageError> {
        Ok(statement.execute(&mut *self.tx).await?.rows_affected())
    }

    /// All rows of a statement.
    pub(crate) async fn rows(
        &mut self,
        table: &'static str,
        id_column: &'static str,
        statement: Statement,
    ) -> Result<Vec<Record>, StorageError> {
        let rows = statement.fetch_all(&mut *self.tx).await?;
        Ok(rows.into_iter().map(|row| Record { table, id_column, row }).collect())
    }

    /// The first row of a statement. It runs to its end, so that a statement that writes has written.
    pub(crate) async fn row(
        &mut self,
        table: &'static str,
        id_column: &'static str,
        statement: Statement,
    ) -> Result<Option<Record>, StorageError> {
        Ok(self.rows(table, id_column, statement).await?.into_iter().next())
    }

    /// For the one table without a tenant.
    pub(crate) async fn run_for_all(&mut self, statement: Statement) -> Result<(), StorageError> {
        statement.execute(&mut *self.tx).await?;
        Ok(())
    }
}

fn pool(connections: u32, setup: &'static str) -> AnyPoolOptions {
    AnyPoolOptions::new()
        .max_connections(connections)
        .min_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                sqlx::raw_sql(setup).execute(connection).await?;
                Ok(())
            })
        })
}

/// Makes the file with the owner's permission only; SQLite gives its journal the same. What is there already is left
/// as it is.
fn create_file(path: &Path) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(error),
    }
    // The folder's entry must survive, too.
    #[cfg(unix)]
    File::open(path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")))?
        .sync_all()?;
    Ok(())
}

/// The path for a URL: sqlx decodes it.
fn escape(path: &str) -> String {
    path.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}
