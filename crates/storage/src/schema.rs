//! The schema and its migrations, in `migrations/sqlite` and `migrations/postgres`: a number, a name, and SQL. One that
//! was released never changes.
//!
//! **Additive first.** Nodes of the version before go on serving while a migration is applied and after it. So it may add
//! tables, indexes, and columns that are nullable or have a constant default; it may not rename, remove or tighten what
//! that version reads or writes. Statements name their columns, so that one that is added disturbs nobody. Where new
//! columns must be filled, the program of the same version fills them as it writes and takes rows without them.
//!
//! **Contract later.** What no supported version uses any more is removed by a later version's migration, whose name
//! begins with `breaking`. It is applied when no node of an older version runs: such a one refuses to start on it
//! ([`SchemaState::Incompatible`]). [`SchemaState::Behind`] refuses, too; [`SchemaState::Ahead`] serves.
//!
//! **Nobody waits for it.** On PostgreSQL, a migration that waits for a table holds up every statement on that table
//! that comes after it. It gives up after half a second and is tried again, so that it never waits long behind a long
//! transaction, and that, where the two wait for one another, it is not the request that fails. On a table that grows with requests, an index is made by a migration of its own, which begins with
//! `-- no-transaction` and is one `CREATE INDEX CONCURRENTLY` (without `IF NOT EXISTS`, which passes over an index that
//! was left half made). On SQLite all pending migrations are one transaction: logins wait for it.

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{AnyConnection, AnyPool, Connection};

use crate::{DatabaseKind, Storage, StorageError};

static SQLITE: Migrator = sqlx::migrate!("./migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("./migrations/postgres");

/// How the description of a migration begins that programs of before it cannot work with. All others only add.
const BREAKING: &str = "breaking";
/// Which advisory lock of the database whoever migrates has: `postern`, in ASCII.
const LOCK: i64 = 0x0070_6f73_7465_726e;
/// How long a migration waits for a table. Less than PostgreSQL's `deadlock_timeout` (1 s), after which it ends one of those
/// that wait for one another: the request as well as the migration.
const LOCK_TIMEOUT: &str = "SET lock_timeout = '500ms'";
/// How often a migration is tried that does not get its table, with a second between two tries.
const ATTEMPTS: u32 = 30;

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

/// The newest migrations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SchemaVersions {
    /// That the database has. `None`: none at all.
    pub database: Option<i64>,
    /// That this program knows.
    pub program: i64,
}

impl Storage {
    pub(crate) fn migrator(&self) -> &'static Migrator {
        match self.kind() {
            DatabaseKind::Sqlite => &SQLITE,
            DatabaseKind::Postgres => &POSTGRES,
        }
    }

    /// Brings the tables up to date. Harmless when they are. Of several that do it at once, one does, the others wait.
    pub async fn migrate(&self) -> Result<(), StorageError> {
        self.migrate_by(self.migrator()).await
    }

    /// The same with the migrations of another version.
    pub async fn migrate_by(&self, migrator: &Migrator) -> Result<(), StorageError> {
        match self.kind() {
            DatabaseKind::Sqlite => {
                let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
                migrator.run_direct(None, &mut *tx, false).await?;
                Ok(tx.commit().await?)
            }
            DatabaseKind::Postgres => migrate_postgres(&self.writer, migrator).await,
        }
    }

    /// The migrations that the database has, with their descriptions.
    async fn applied(&self) -> Result<Vec<(i64, String)>, StorageError> {
        let table = match self.kind() {
            DatabaseKind::Sqlite => {
                "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = '_sqlx_migrations'"
            }
            DatabaseKind::Postgres => {
                "SELECT COUNT(*) FROM information_schema.tables
                 WHERE table_schema = current_schema() AND table_name = '_sqlx_migrations'"
            }
        };
        let there: i64 = sqlx::query_scalar(table).fetch_one(&self.reader).await?;
        if there == 0 {
            return Ok(Vec::new());
        }
        let applied = "SELECT version, description FROM _sqlx_migrations WHERE success ORDER BY version";
        Ok(sqlx::query_as(applied).fetch_all(&self.reader).await?)
    }

    /// Compares the tables with this program; changes nothing.
    pub async fn check_schema(&self) -> Result<SchemaState, StorageError> {
        let known: Vec<i64> = self.migrator().iter().map(|migration| migration.version).collect();
        let applied = self.applied().await?;
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

    /// The newest migrations of the tables and of this program.
    pub async fn schema_versions(&self) -> Result<SchemaVersions, StorageError> {
        let program = self.migrator().iter().map(|migration| migration.version).max().unwrap_or(0);
        Ok(SchemaVersions { database: self.applied().await?.last().map(|(version, _)| *version), program })
    }
}

async fn migrate_postgres(pool: &AnyPool, migrator: &Migrator) -> Result<(), StorageError> {
    // Not of the pool any more: it goes with its settings and its locks.
    let mut connection = pool.acquire().await?.detach();
    let outcome = migrate_on(&mut connection, migrator).await;
    connection.close().await?;
    outcome
}

async fn migrate_on(connection: &mut AnyConnection, migrator: &Migrator) -> Result<(), StorageError> {
    // To wait in `pg_advisory_lock` would be to hold a snapshot, which the other's CREATE INDEX CONCURRENTLY waits for.
    let lock = "SELECT CASE WHEN pg_try_advisory_lock($1) THEN 1 ELSE 0 END";
    while sqlx::query_scalar::<_, i32>(lock).bind(LOCK).fetch_one(&mut *connection).await? == 0 {
        sqlx::raw_sql("SELECT 1 FROM pg_sleep(0.2)").execute(&mut *connection).await?;
    }
    for migration in migrator.iter() {
        // Making an index concurrently waits for transactions, but nobody waits for it.
        let timeout = if migration.no_tx { "SET lock_timeout = 0" } else { LOCK_TIMEOUT };
        sqlx::raw_sql(timeout).execute(&mut *connection).await?;
        let mut attempt = 1;
        loop {
            match migrator.run_direct(Some(migration.version), &mut *connection, false).await {
                Err(error) if attempt < ATTEMPTS && is_lock_timeout(&error) => {
                    attempt += 1;
                    sqlx::raw_sql("SELECT 1 FROM pg_sleep(1)").execute(&mut *connection).await?;
                }
                outcome => break outcome?,
            }
        }
    }
    Ok(())
}

fn is_lock_timeout(error: &MigrateError) -> bool {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            // 55P03: lock_not_available.
            error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("55P03"))
        }
        _ => false,
    }
}
