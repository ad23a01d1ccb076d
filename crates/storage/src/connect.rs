//! The database: where it is, and transactions within one tenant.

use std::sync::Arc;
use std::time::Instant;

use metrics::histogram;
use model::{TenantId, UserId};
use sqlx::AnyPool;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::block_in_place;
use tracing::Span;

use crate::group::{Member, Writer};
use crate::lease::{Connections, Lease};
use crate::pipeline::{self, PostgresTx};
use crate::row::{Record, Row};
use crate::statement::{Statement, together};
use crate::{StorageError, postgres, sqlite};

/// The database. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Storage {
    /// For migrations, and for what the database says about itself.
    pub(crate) reader: AnyPool,
    pub(crate) writer: AnyPool,
    connections: Database,
}

/// The connections for all else.
#[derive(Debug, Clone)]
enum Database {
    Sqlite(Sqlite),
    Postgres(Arc<pipeline::Connections>),
}

#[derive(Debug, Clone)]
struct Sqlite {
    readers: Arc<Connections>,
    writer: Arc<Writer>,
}

/// Which program keeps the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseKind {
    /// A file, used by one node.
    Sqlite,
    /// A server, used by any number of nodes.
    Postgres,
}

impl Storage {
    /// Opens `sqlite:path/to/file.db` or `postgres://user:password@host/database`. A SQLite file that is not there is
    /// made, for its owner only. Tables are made by [`Storage::migrate`].
    pub async fn open(url: &str) -> Result<Self, StorageError> {
        sqlx::any::install_default_drivers();
        if postgres::is_url(url) {
            let (pool, address) = postgres::open(url).await?;
            let connections = Database::Postgres(pipeline::Connections::new(address));
            return Ok(Self { reader: pool.clone(), writer: pool, connections });
        }
        let path = sqlite::path(url).ok_or(StorageError::Url)?;
        let (reader, writer) = sqlite::open(path).await?;
        let sqlite = Sqlite {
            writer: Arc::new(Writer::open(path, sqlite::WRITER_SETUP)?),
            readers: Connections::open(path, sqlite::READERS, sqlite::READER_SETUP, sqlite::READER_BUSY)?,
        };
        Ok(Self { reader, writer, connections: Database::Sqlite(sqlite) })
    }

    /// Which program keeps the tables.
    #[must_use]
    pub fn kind(&self) -> DatabaseKind {
        match &self.connections {
            Database::Sqlite(_) => DatabaseKind::Sqlite,
            Database::Postgres(_) => DatabaseKind::Postgres,
        }
    }

    /// Ends all connections, when their transactions have ended.
    pub async fn close(&self) {
        match &self.connections {
            Database::Sqlite(sqlite) => {
                sqlite.readers.close().await;
                sqlite.writer.close().await;
            }
            Database::Postgres(connections) => connections.close().await,
        }
        self.reader.close().await;
        self.writer.close().await;
    }

    /// A transaction that may write. On SQLite there is one at a time: run no Action, password hash or outgoing request
    /// in it. On PostgreSQL they run side by side: one that reads and then writes by what it has read takes
    /// [`TenantTx::lock_user`] or [`TenantTx::lock_settings`] first.
    pub async fn begin(&self, tenant: &TenantId) -> Result<TenantTx, StorageError> {
        let span = tracing::trace_span!(target: "postern::trace", "database.write", tenant = %tenant);
        Ok(TenantTx::new(self.begin_any().await?, tenant, span))
    }

    /// A transaction that only reads, all from one moment. Dropping it is enough.
    pub async fn begin_read(&self, tenant: &TenantId) -> Result<TenantTx, StorageError> {
        let span = tracing::trace_span!(target: "postern::trace", "database.read", tenant = %tenant);
        let started = Instant::now();
        let tx = match &self.connections {
            Database::Sqlite(sqlite) => {
                let mut lease = sqlite.readers.lease().await?;
                lease.begin()?;
                Tx::SqliteRead(lease)
            }
            Database::Postgres(connections) => Tx::Postgres(connections.begin(postgres::BEGIN_READ).await?),
        };
        waited("read", started);
        Ok(TenantTx::new(tx, tenant, span))
    }

    /// A transaction that writes what is no tenant's.
    pub(crate) async fn begin_any(&self) -> Result<Tx, StorageError> {
        let started = Instant::now();
        let tx = match &self.connections {
            Database::Sqlite(sqlite) => Tx::Sqlite(sqlite.writer.begin().await?),
            Database::Postgres(connections) => Tx::Postgres(connections.begin(postgres::BEGIN).await?),
        };
        waited("write", started);
        Ok(tx)
    }

    /// Runs a statement that is no tenant's, in a transaction of its own; how many rows it changed.
    pub(crate) async fn write(&self, statement: &Statement) -> Result<u64, StorageError> {
        let mut tx = self.begin_any().await?;
        let changed = tx.run(statement.clone()).await?.1;
        tx.commit().await?;
        Ok(changed)
    }

    /// All rows of a statement that reads, outside of any transaction.
    pub(crate) async fn read(&self, statement: Statement) -> Result<Vec<Row>, StorageError> {
        let [rows] = self.read_all([statement]).await?;
        Ok(rows)
    }

    /// The same of several statements: on PostgreSQL they are sent together. They need not see one moment.
    pub(crate) async fn read_all<const N: usize>(
        &self,
        statements: [Statement; N],
    ) -> Result<[Vec<Row>; N], StorageError> {
        let mut all = [const { Vec::new() }; N];
        match &self.connections {
            Database::Sqlite(sqlite) => {
                let mut lease = sqlite.readers.lease().await?;
                for (found, statement) in all.iter_mut().zip(&statements) {
                    *found = lease.run(statement)?.0.into_iter().map(Row::Sqlite).collect();
                }
            }
            Database::Postgres(connections) => {
                for (found, rows) in all.iter_mut().zip(connections.read(&statements).await?) {
                    *found = rows.into_iter().map(Row::Postgres).collect();
                }
            }
        }
        Ok(all)
    }
}

/// How long a transaction waited for its connection.
fn waited(kind: &'static str, since: Instant) {
    histogram!("postern_database_wait_seconds", "kind" => kind).record(since.elapsed().as_secs_f64());
}

/// A transaction within one tenant. Dropped without [`TenantTx::commit`], it is undone.
#[derive(Debug)]
pub struct TenantTx {
    tx: Tx,
    tenant: String,
    /// From its beginning to its end, for traces.
    _span: Span,
    /// All statements so far, for the test of their query plans.
    #[cfg(test)]
    pub(crate) seen: std::sync::Mutex<Vec<&'static str>>,
}

/// What came of a statement: its rows, and how many rows it changed or found.
pub(crate) type Outcome = (Vec<Row>, u64);

/// A transaction of no tenant: one with a tenant in it is a [`TenantTx`].
#[derive(Debug)]
pub(crate) enum Tx {
    Postgres(PostgresTx),
    Sqlite(Member),
    SqliteRead(Lease),
}

impl Tx {
    pub(crate) async fn commit(self) -> Result<(), StorageError> {
        match self {
            Self::Postgres(tx) => tx.commit().await,
            Self::Sqlite(member) => member.commit().await,
            Self::SqliteRead(_) => Ok(()),
        }
    }

    pub(crate) async fn run(&mut self, statement: Statement) -> Result<Outcome, StorageError> {
        let (rows, count) = match self {
            Self::Sqlite(member) => member.run(&statement)?,
            Self::SqliteRead(lease) => lease.run(&statement)?,
            Self::Postgres(tx) => {
                let (rows, count) = tx.run(statement).await?;
                return Ok((rows.into_iter().map(Row::Postgres).collect(), count));
            }
        };
        Ok((rows.into_iter().map(Row::Sqlite).collect(), count))
    }
}

impl TenantTx {
    fn new(tx: Tx, tenant: &TenantId, span: Span) -> Self {
        Self {
            tx,
            tenant: tenant.as_str().to_owned(),
            _span: span,
            #[cfg(test)]
            seen: std::sync::Mutex::default(),
        }
    }

    /// The tenant.
    #[must_use]
    pub fn tenant_id(&self) -> &str {
        &self.tenant
    }

    /// Whether other transactions may write at the same time, so that what is read must be locked.
    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self.tx, Tx::Postgres(_))
    }

    /// Makes what was written last.
    pub async fn commit(self) -> Result<(), StorageError> {
        let started = Instant::now();
        let outcome = self.tx.commit().await;
        histogram!("postern_database_commit_seconds").record(started.elapsed().as_secs_f64());
        outcome
    }

    /// From here on, until this transaction ends, no other one that has called this for the user goes on: what belongs
    /// to one user (sessions, codes, tokens, metadata) is read and written as if there were no other transaction. On
    /// SQLite that holds by itself. Call it before the first statement whose result the transaction acts on, and once:
    /// two users' locks, taken by two transactions in different order, would wait for each other.
    pub async fn lock_user(&mut self, user: &UserId) -> Result<(), StorageError> {
        if self.is_postgres() {
            let query = self
                .sql("SELECT id FROM users WHERE tenant_id = $1 AND id = $2 FOR NO KEY UPDATE")
                .bind(user.as_str().to_owned());
            self.write(query)?;
        }
        Ok(())
    }

    /// The same for the tenant's settings: clients, APIs, connections, keys, Actions, and who has which name.
    pub async fn lock_settings(&mut self) -> Result<(), StorageError> {
        if self.is_postgres() {
            let query = self.sql("SELECT id FROM tenants WHERE id = $1 FOR NO KEY UPDATE");
            self.write(query)?;
        }
        Ok(())
    }

    /// A statement whose `$1` is the tenant. All statements of a tenant come from here.
    pub(crate) fn sql(&self, sql: &'static str) -> Statement {
        debug_assert!(sql.contains("$1"), "a statement without its tenant: {sql}");
        #[cfg(test)]
        if let Ok(mut seen) = self.seen.lock() {
            seen.push(sql);
        }
        Statement::new(sql).bind(self.tenant.clone())
    }

    /// The same of a statement that is to be made of parts; its text comes with [`Statement::sql`] later.
    pub(crate) fn sql_of_parts(&self) -> Statement {
        Statement::new("").bind(self.tenant.clone())
    }

    /// Runs a statement; how many rows it changed.
    pub(crate) async fn run(&mut self, statement: Statement) -> Result<u64, StorageError> {
        Ok(self.tx.run(statement).await?.1)
    }

    /// Runs statements that do not depend on each other; how many rows each changed or found.
    pub(crate) async fn run_all<const N: usize>(
        &mut self,
        statements: [Statement; N],
    ) -> Result<[u64; N], StorageError> {
        let mut counts = [0; N];
        if self.is_postgres() {
            let (rows, _) = self.tx.run(together(statements.into())).await?;
            for (index, count) in counts.iter_mut().enumerate() {
                let found = rows.first().map_or(Ok(None), |row| row.int(&format!("c{index}")));
                *count = found
                    .ok()
                    .flatten()
                    .and_then(|found| found.try_into().ok())
                    .ok_or(StorageError::Undone)?;
            }
        } else {
            for (count, statement) in counts.iter_mut().zip(statements) {
                *count = self.tx.run(statement).await?.1;
            }
        }
        Ok(counts)
    }

    /// Runs statements that do not depend on each other, and whose results nobody needs, as [`TenantTx::write`] does.
    pub(crate) fn write_all<const N: usize>(
        &mut self,
        statements: [Statement; N],
    ) -> Result<(), StorageError> {
        if self.is_postgres() {
            return self.write(together(statements.into()));
        }
        statements.into_iter().try_for_each(|statement| self.write(statement))
    }

    /// Runs a statement whose result nobody needs. On PostgreSQL it goes with the next one, and its error is that one's.
    pub(crate) fn write(&mut self, statement: Statement) -> Result<(), StorageError> {
        match &mut self.tx {
            Tx::Sqlite(member) => member.run(&statement).map(drop),
            Tx::SqliteRead(lease) => lease.run(&statement).map(drop),
            Tx::Postgres(tx) => {
                tx.defer(statement);
                Ok(())
            }
        }
    }

    /// All rows of a statement.
    pub(crate) async fn rows(
        &mut self,
        table: &'static str,
        id_column: &'static str,
        statement: Statement,
    ) -> Result<Vec<Record>, StorageError> {
        let (rows, _) = self.tx.run(statement).await?;
        Ok(rows.into_iter().map(|row| Record { table, id_column, row }).collect())
    }

    /// The same of a statement that somebody's query is in, and that may read a whole table: on SQLite, where a statement
    /// runs on the thread of its caller, the runtime's other tasks go on meanwhile.
    pub(crate) async fn search(
        &mut self,
        table: &'static str,
        id_column: &'static str,
        statement: Statement,
    ) -> Result<Vec<Record>, StorageError> {
        let has_others =
            Handle::try_current().is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread);
        let Tx::SqliteRead(lease) = &mut self.tx else { return self.rows(table, id_column, statement).await };
        let (rows, _) = match has_others {
            true => block_in_place(|| lease.run(&statement))?,
            false => lease.run(&statement)?,
        };
        Ok(rows.into_iter().map(|row| Record { table, id_column, row: Row::Sqlite(row) }).collect())
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

    /// For the tables without a tenant.
    pub(crate) async fn run_for_all(&mut self, statement: Statement) -> Result<(), StorageError> {
        self.tx.run(statement).await.map(drop)
    }
}
