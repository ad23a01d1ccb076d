//! What the database says about itself and what is in it, for an operator.

use model::Timestamp;

use crate::{DatabaseKind, Storage, StorageError, postgres};

/// What the database says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseInfo {
    /// Which program it is.
    pub kind: DatabaseKind,
    /// Of which version.
    pub version: String,
    /// Its clock, when it is on another machine than ours may be.
    pub clock: Option<Timestamp>,
    /// The settings by which an answered request may be lost with the machine, or a login waits for others.
    pub settings: Vec<Setting>,
    /// How many connections it has for all nodes together, and how many one node may use.
    pub connections: Option<(i64, i64)>,
    /// The indexes that were left half made: no statement uses them.
    pub invalid_indexes: Vec<String>,
}

/// A setting of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its name there.
    pub name: String,
    /// Its value there.
    pub value: String,
    /// Whether it is as it should be.
    pub good: bool,
}

impl Storage {
    /// What the database says about itself.
    pub async fn info(&self) -> Result<DatabaseInfo, StorageError> {
        match self.kind() {
            DatabaseKind::Sqlite => self.sqlite_info().await,
            DatabaseKind::Postgres => self.postgres_info().await,
        }
    }

    async fn sqlite_info(&self) -> Result<DatabaseInfo, StorageError> {
        let version = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&self.reader).await?;
        let journal: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&self.writer).await?;
        let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(&self.writer).await?;
        // 2 is FULL, 3 is EXTRA.
        let setting = |name: &str, value: String, good| Setting { name: name.to_owned(), value, good };
        let settings = vec![
            setting("journal_mode", journal.clone(), journal == "wal"),
            setting("synchronous", synchronous.to_string(), synchronous >= 2),
        ];
        let (kind, clock, connections) = (DatabaseKind::Sqlite, None, None);
        Ok(DatabaseInfo { kind, version, clock, settings, connections, invalid_indexes: Vec::new() })
    }

    async fn postgres_info(&self) -> Result<DatabaseInfo, StorageError> {
        let (version, clock): (String, i64) = sqlx::query_as(
            "SELECT current_setting('server_version'), CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
        )
        .fetch_one(&self.reader)
        .await?;
        let settings: Vec<(String, String)> = sqlx::query_as(
            "SELECT CAST(name AS TEXT), CAST(setting AS TEXT) FROM pg_settings
             WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') ORDER BY name",
        )
        .fetch_all(&self.reader)
        .await?;
        let settings =
            settings.into_iter().map(|(name, value)| Setting { good: value != "off", name, value });
        let usable: i64 = sqlx::query_scalar(
            "SELECT CAST(SUM(CASE name WHEN 'max_connections' THEN 1 ELSE -1 END * CAST(setting AS BIGINT)) AS BIGINT)
             FROM pg_settings
             WHERE name IN ('max_connections', 'superuser_reserved_connections', 'reserved_connections')",
        )
        .fetch_one(&self.reader)
        .await?;
        let invalid_indexes = sqlx::query_scalar(
            "SELECT CAST(c.relname AS TEXT) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
             JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE NOT i.indisvalid AND n.nspname = current_schema() ORDER BY c.relname",
        )
        .fetch_all(&self.reader)
        .await?;
        Ok(DatabaseInfo {
            kind: DatabaseKind::Postgres,
            version,
            clock: Some(Timestamp::from_ms(clock)),
            settings: settings.collect(),
            connections: Some((usable, i64::from(postgres::CONNECTIONS + postgres::POOL_CONNECTIONS))),
            invalid_indexes,
        })
    }

    /// How many clients all tenants have together; no more than `limit` are counted.
    pub async fn count_clients(&self, limit: u32) -> Result<i64, StorageError> {
        let sql = "SELECT COUNT(*) FROM (SELECT 1 AS one FROM clients LIMIT $1) c";
        Ok(sqlx::query_scalar(sql).bind(i64::from(limit)).fetch_one(&self.reader).await?)
    }
}
