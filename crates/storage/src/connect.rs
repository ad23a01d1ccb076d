//! The database: where it is, its schema, and transactions within one tenant.

use model::{TenantId, Timestamp, UserId};
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::migrate::Migrator;
use sqlx::query::Query;
use sqlx::{Any, AnyPool, Transaction};

use crate::row::Record;
use crate::{StorageError, postgres, sqlite};

static SQLITE: Migrator = sqlx::migrate!("./migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("./migrations/postgres");

/// How the description of a migration begins that programs of before it cannot work with. All others only add.
const BREAKING: &str = "breaking";

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

/// What the database says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseInfo {
    /// Which program it is.
    pub kind: DatabaseKind,
    /// Of which version.
    pub version: String,
    /// Its clock, when it is on another machine than ours may be.
    pub clock: Option<Timestamp>,
    /// The settings by which an answered request may be lost with the machine, as `name = value`.
    pub not_durable: Vec<String>,
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
    /// A newer program has added to them: this one works as before.
    Ahead,
    /// A newer program has changed them: this one must not use them.
    Incompatible,
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

    fn migrator(&self) -> &'static Migrator {
        match self.kind {
            DatabaseKind::Sqlite => &SQLITE,
            DatabaseKind::Postgres => &POSTGRES,
        }
    }

    /// Brings the tables up to date. Harmless when they are. Of several that do it at once, one does, the others wait.
    pub async fn migrate(&self) -> Result<(), StorageError> {
        Ok(self.migrator().run(&self.writer).await?)
    }

    /// Compares the tables with this program; changes nothing.
    pub async fn check_schema(&self) -> Result<SchemaState, StorageError> {
        let known: Vec<i64> = self.migrator().iter().map(|migration| migration.version).collect();
        let table = match self.kind {
            DatabaseKind::Sqlite => {
                "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = '_sqlx_migrations'"
            }
            DatabaseKind::Postgres => {
                "SELECT COUNT(*) FROM information_schema.tables
                 WHERE table_schema = current_schema() AND table_name = '_sqlx_migrations'"
            }
        };
        let there: i64 = sqlx::query_scalar(table).fetch_one(&self.reader).await?;
        let applied: Vec<(i64, String)> = if there == 0 {
            Vec::new()
        } else {
            sqlx::query_as("SELECT version, description FROM _sqlx_migrations WHERE success")
                .fetch_all(&self.reader)
                .await?
        };
        let pending =
            known.iter().filter(|version| !applied.iter().any(|(applied, _)| applied == *version)).count();
        let mut newer = applied.iter().filter(|(version, _)| !known.contains(version));
        let mut breaks = newer.clone().filter(|(_, description)| description.starts_with(BREAKING));
        Ok(if breaks.next().is_some() {
            SchemaState::Incompatible
        } else if pending > 0 {
            SchemaState::Behind { pending }
        } else if newer.next().is_some() {
            SchemaState::Ahead
        } else {
            SchemaState::Current
        })
    }

    /// What the database says about itself.
    pub async fn info(&self) -> Result<DatabaseInfo, StorageError> {
        let kind = self.kind;
        let (version, clock, not_durable) = match kind {
            DatabaseKind::Sqlite => {
                let version = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&self.reader).await?;
                (version, None, Vec::new())
            }
            DatabaseKind::Postgres => {
                let (version, clock): (String, i64) = sqlx::query_as(
                    "SELECT current_setting('server_version'),
                         CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
                )
                .fetch_one(&self.reader)
                .await?;
                let off = sqlx::query_scalar(
                    "SELECT CAST(name || ' = ' || setting AS TEXT) FROM pg_settings
                     WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'off'
                     ORDER BY name",
                )
                .fetch_all(&self.reader)
                .await?;
                (version, Some(Timestamp::from_ms(clock)), off)
            }
        };
        Ok(DatabaseInfo { kind, version, clock, not_durable })
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
