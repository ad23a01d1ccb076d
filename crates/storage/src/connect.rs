//! The database: where it is, and transactions within one tenant.

use model::{TenantId, UserId};
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AnyPool, Transaction};

use crate::row::Record;
use crate::{StorageError, postgres, sqlite};

/// The database. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Storage {
    pub(crate) reader: AnyPool,
    pub(crate) writer: AnyPool,
    kind: DatabaseKind,
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
            return Ok(Self { reader: pool.clone(), writer: pool, kind: DatabaseKind::Postgres });
        }
        let (reader, writer) = sqlite::open(sqlite::path(url).ok_or(StorageError::Url)?).await?;
        Ok(Self { reader, writer, kind: DatabaseKind::Sqlite })
    }

    /// Which program keeps the tables.
    #[must_use]
    pub fn kind(&self) -> DatabaseKind {
        self.kind
    }

    /// Ends all connections, when their transactions have ended.
    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }

    /// A transaction that may write. On SQLite there is one at a time: run no Action, password hash or outgoing request
    /// in it. On PostgreSQL they run side by side: one that reads and then writes by what it has read takes
    /// [`TenantTx::lock_user`] or [`TenantTx::lock_settings`] first.
    pub async fn begin(&self, tenant: &TenantId) -> Result<TenantTx, StorageError> {
        let tx = match self.kind {
            DatabaseKind::Sqlite => self.writer.begin_with("BEGIN IMMEDIATE").await?,
            DatabaseKind::Postgres => self.begin_postgres(postgres::BEGIN).await?,
        };
        Ok(TenantTx::new(tx, tenant, self.kind))
    }

    /// A transaction that only reads, all from one moment. Dropping it is enough.
    pub async fn begin_read(&self, tenant: &TenantId) -> Result<TenantTx, StorageError> {
        let tx = match self.kind {
            DatabaseKind::Sqlite => self.reader.begin().await?,
            DatabaseKind::Postgres => self.begin_postgres(postgres::BEGIN_READ).await?,
        };
        Ok(TenantTx::new(tx, tenant, self.kind))
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
    pub(crate) async fn read(&self, statement: impl Fn() -> Statement) -> Result<Vec<AnyRow>, sqlx::Error> {
        for _ in 0..postgres::CONNECTIONS {
            match statement().fetch_all(&self.reader).await {
                Err(error) if postgres::is_lost(&error) => {}
                outcome => return outcome,
            }
        }
        statement().fetch_all(&self.reader).await
    }
}

/// A transaction within one tenant. Dropped without [`TenantTx::commit`], it is undone.
#[derive(Debug)]
pub struct TenantTx {
    tx: Transaction<'static, Any>,
    tenant: String,
    kind: DatabaseKind,
    /// All statements so far, for the test of their query plans.
    #[cfg(test)]
    pub(crate) seen: std::sync::Mutex<Vec<&'static str>>,
}

pub(crate) type Statement = Query<'static, Any, AnyArguments>;

impl TenantTx {
    fn new(tx: Transaction<'static, Any>, tenant: &TenantId, kind: DatabaseKind) -> Self {
        Self {
            tx,
            tenant: tenant.as_str().to_owned(),
            kind,
            #[cfg(test)]
            seen: std::sync::Mutex::default(),
        }
    }

    /// Makes what was written last.
    pub async fn commit(self) -> Result<(), StorageError> {
        Ok(self.tx.commit().await?)
    }

    /// From here on, until this transaction ends, no other one that has called this for the user goes on: what belongs
    /// to one user (sessions, codes, tokens, metadata) is read and written as if there were no other transaction. On
    /// SQLite that holds by itself. Call it before the first statement whose result the transaction acts on, and once:
    /// two users' locks, taken by two transactions in different order, would wait for each other.
    pub async fn lock_user(&mut self, user: &UserId) -> Result<(), StorageError> {
        if self.kind == DatabaseKind::Postgres {
            let query = self
                .sql("SELECT id FROM users WHERE tenant_id = $1 AND id = $2 FOR NO KEY UPDATE")
                .bind(user.as_str().to_owned());
            self.run(query).await?;
        }
        Ok(())
    }

    /// The same for the tenant's settings: clients, APIs, connections, keys, Actions, and who has which name.
    pub async fn lock_settings(&mut self) -> Result<(), StorageError> {
        if self.kind == DatabaseKind::Postgres {
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
