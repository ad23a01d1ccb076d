//! The database: where it is, and transactions within one tenant.

use std::sync::Arc;

use model::{TenantId, UserId};
use sqlx::{Any, AnyPool, Transaction};

use crate::group::{Member, Writer};
use crate::lease::{Connections, Lease};
use crate::row::{Record, Row};
use crate::statement::Statement;
use crate::{StorageError, postgres, sqlite};

/// The database. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Storage {
    pub(crate) reader: AnyPool,
    pub(crate) writer: AnyPool,
    /// Of a SQLite file: what tenants' transactions run on. The pools are for what is not a tenant's.
    sqlite: Option<Sqlite>,
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
            let pool = postgres::open(url).await?;
            return Ok(Self { reader: pool.clone(), writer: pool, sqlite: None });
        }
        let path = sqlite::path(url).ok_or(StorageError::Url)?;
        let (reader, writer) = sqlite::open(path).await?;
        let sqlite = Sqlite {
            writer: Arc::new(Writer::open(path, sqlite::WRITER_SETUP)?),
            readers: Connections::open(path, sqlite::READERS, sqlite::READER_SETUP, sqlite::READER_BUSY)?,
        };
        Ok(Self { reader, writer, sqlite: Some(sqlite) })
    }

    /// Which program keeps the tables.
    #[must_use]
    pub fn kind(&self) -> DatabaseKind {
        if self.sqlite.is_some() { DatabaseKind::Sqlite } else { DatabaseKind::Postgres }
    }

    /// Ends all connections, when their transactions have ended.
    pub async fn close(&self) {
        if let Some(sqlite) = &self.sqlite {
            sqlite.readers.close().await;
            sqlite.writer.close().await;
        }
        self.reader.close().await;
        self.writer.close().await;
    }

    /// A transaction that may write. On SQLite there is one at a time: run no Action, password hash or outgoing request
    /// in it. On PostgreSQL they run side by side: one that reads and then writes by what it has read takes
    /// [`TenantTx::lock_user`] or [`TenantTx::lock_settings`] first.
    pub async fn begin(&self, tenant: &TenantId) -> Result<TenantTx, StorageError> {
        Ok(TenantTx::new(self.begin_any().await?, tenant))
    }

    /// A transaction that only reads, all from one moment. Dropping it is enough.
    pub async fn begin_read(&self, tenant: &TenantId) -> Result<TenantTx, StorageError> {
        let tx = match &self.sqlite {
            Some(sqlite) => {
                let mut lease = sqlite.readers.lease().await?;
                lease.begin()?;
                Tx::SqliteRead(lease)
            }
            None => Tx::Postgres(self.begin_postgres(postgres::BEGIN_READ).await?),
        };
        Ok(TenantTx::new(tx, tenant))
    }

    async fn begin_any(&self) -> Result<Tx, StorageError> {
        match &self.sqlite {
            Some(sqlite) => Ok(Tx::Sqlite(sqlite.writer.begin().await?)),
            None => Ok(Tx::Postgres(self.begin_postgres(postgres::BEGIN).await?)),
        }
    }

    /// Runs a statement that is no tenant's, in a transaction of its own; how many rows it changed.
    pub(crate) async fn write(&self, statement: &Statement) -> Result<u64, StorageError> {
        let mut tx = self.begin_any().await?;
        let changed = tx.run(statement).await?.1;
        tx.commit().await?;
        Ok(changed)
    }

    /// Nothing has happened yet in a transaction that cannot begin: after the server was away, each connection of the
    /// pool may be a dead one.
    async fn begin_postgres(&self, begin: &'static str) -> Result<Transaction<'static, Any>, sqlx::Error> {
        for _ in 0..postgres::CONNECTIONS {
            match self.writer.begin_with(begin).await {
                Err(error) if postgres::is_lost(&error) => {}
                outcome => return outcome,
            }
        }
        self.writer.begin_with(begin).await
    }

    /// All rows of a statement that reads, outside of any transaction.
    pub(crate) async fn read(&self, statement: &Statement) -> Result<Vec<Row>, StorageError> {
        if let Some(sqlite) = &self.sqlite {
            let (rows, _) = sqlite.readers.lease().await?.run(statement)?;
            return Ok(rows.into_iter().map(Row::Sqlite).collect());
        }
        let mut outcome = statement.query().fetch_all(&self.reader).await;
        for _ in 0..postgres::CONNECTIONS {
            match &outcome {
                Err(error) if postgres::is_lost(error) => {}
                _ => break,
            }
            outcome = statement.query().fetch_all(&self.reader).await;
        }
        Ok(outcome?.into_iter().map(Row::Postgres).collect())
    }
}

/// A transaction within one tenant. Dropped without [`TenantTx::commit`], it is undone.
#[derive(Debug)]
pub struct TenantTx {
    tx: Tx,
    tenant: String,
    /// All statements so far, for the test of their query plans.
    #[cfg(test)]
    pub(crate) seen: std::sync::Mutex<Vec<&'static str>>,
}

#[derive(Debug)]
enum Tx {
    Postgres(Transaction<'static, Any>),
    Sqlite(Member),
    SqliteRead(Lease),
}

impl Tx {
    async fn commit(self) -> Result<(), StorageError> {
        match self {
            Self::Postgres(tx) => Ok(tx.commit().await?),
            Self::Sqlite(member) => member.commit().await,
            Self::SqliteRead(_) => Ok(()),
        }
    }

    /// Runs a statement to its end: its rows, or how many it changed.
    async fn run(&mut self, statement: &Statement) -> Result<(Vec<Row>, u64), StorageError> {
        let (rows, changed) = match self {
            Self::Sqlite(member) => member.run(statement)?,
            Self::SqliteRead(lease) => lease.run(statement)?,
            Self::Postgres(tx) => {
                return Ok((Vec::new(), statement.query().execute(&mut **tx).await?.rows_affected()));
            }
        };
        Ok((rows.into_iter().map(Row::Sqlite).collect(), changed))
    }

    async fn rows(&mut self, statement: &Statement) -> Result<Vec<Row>, StorageError> {
        match self {
            Self::Sqlite(_) | Self::SqliteRead(_) => Ok(self.run(statement).await?.0),
            Self::Postgres(tx) => {
                let rows = statement.query().fetch_all(&mut **tx).await?;
                Ok(rows.into_iter().map(Row::Postgres).collect())
            }
        }
    }
}

impl TenantTx {
    fn new(tx: Tx, tenant: &TenantId) -> Self {
        Self {
            tx,
            tenant: tenant.as_str().to_owned(),
            #[cfg(test)]
            seen: std::sync::Mutex::default(),
        }
    }

    /// Makes what was written last.
    pub async fn commit(self) -> Result<(), StorageError> {
        self.tx.commit().await
    }

    /// From here on, until this transaction ends, no other one that has called this for the user goes on: what belongs
    /// to one user (sessions, codes, tokens, metadata) is read and written as if there were no other transaction. On
    /// SQLite that holds by itself. Call it before the first statement whose result the transaction acts on, and once:
    /// two users' locks, taken by two transactions in different order, would wait for each other.
    pub async fn lock_user(&mut self, user: &UserId) -> Result<(), StorageError> {
        if matches!(self.tx, Tx::Postgres(_)) {
            let query = self
                .sql("SELECT id FROM users WHERE tenant_id = $1 AND id = $2 FOR NO KEY UPDATE")
                .bind(user.as_str().to_owned());
            self.run(query).await?;
        }
        Ok(())
    }

    /// The same for the tenant's settings: clients, APIs, connections, keys, Actions, and who has which name.
    pub async fn lock_settings(&mut self) -> Result<(), StorageError> {
        if matches!(self.tx, Tx::Postgres(_)) {
            let query = self.sql("SELECT id FROM tenants WHERE id = $1 FOR NO KEY UPDATE");
            self.run(query).await?;
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

    /// Runs a statement; how many rows it changed.
    pub(crate) async fn run(&mut self, statement: Statement) -> Result<u64, StorageError> {
        Ok(self.tx.run(&statement).await?.1)
    }

    /// All rows of a statement.
    pub(crate) async fn rows(
        &mut self,
        table: &'static str,
        id_column: &'static str,
        statement: Statement,
    ) -> Result<Vec<Record>, StorageError> {
        let rows = self.tx.rows(&statement).await?;
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
        self.tx.run(&statement).await.map(drop)
    }
}
