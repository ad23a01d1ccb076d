//! What is PostgreSQL's own. The contract runs here, too: see `sqlite.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use model::{LogoutInitiator, SessionId};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr};

use super::contract;
use super::fixtures::{acme, client, client_id, now, with_tenants};
use crate::statement::Statement;
use crate::{SchemaState, Sessions, Storage, StorageError, TenantTx};

/// A database that is this test's own, and its URL.
pub async fn open() -> (Storage, String) {
    let url = new_database().await;
    let storage = Storage::open(&url).await.unwrap();
    storage.migrate().await.unwrap();
    (storage, url)
}

async fn new_database() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let server = std::env::var("TEST_POSTGRES_URL").expect(
        "TEST_POSTGRES_URL is not set: `cargo xtask test` starts PostgreSQL; `cargo xtask test -- ARGUMENTS` runs \
         `cargo test ARGUMENTS` with it",
    );
    let name = format!("storage_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let admin = Storage::open(&server).await.unwrap();
    for statement in ["DROP DATABASE IF EXISTS", "CREATE DATABASE"] {
        sqlx::raw_sql(AssertSqlSafe(format!("{statement} {name}"))).execute(&admin.writer).await.unwrap();
    }
    admin.close().await;
    let (base, parameters) = server.split_once('?').unwrap();
    format!("{}/{name}?{parameters}", base.rsplit_once('/').unwrap().0)
}

#[tokio::test]
async fn the_schema_is_behind_then_current_then_ahead_then_incompatible() {
    let url = new_database().await;
    let storage = Storage::open(&url).await.unwrap();
    assert!(matches!(storage.check_schema().await.unwrap(), SchemaState::Behind { pending: 1.. }));
    let nodes: Vec<_> = (0..3)
        .map(|_| {
            let storage = storage.clone();
            tokio::spawn(async move { storage.migrate().await.unwrap() })
        })
        .collect();
    for node in nodes {
        node.await.unwrap();
    }
    assert_eq!(storage.check_schema().await.unwrap(), SchemaState::Current);
    for (version, description, expected) in
        [(9998, "later", SchemaState::Ahead), (9999, "breaking change", SchemaState::Incompatible)]
    {
        sqlx::query(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES ($1, $2, TRUE, '', 0)",
        )
        .bind(version)
        .bind(description)
        .execute(&storage.writer)
        .await
        .unwrap();
        assert_eq!(storage.check_schema().await.unwrap(), expected);
    }
}

/// The migrations of a later version of this program.
fn later(storage: &Storage, more: &[&'static str]) -> Migrator {
    let mut migrations: Vec<_> = storage.migrator().iter().cloned().collect();
    for (version, sql) in (9001..).zip(more) {
        let no_tx = sql.starts_with("-- no-transaction");
        let kind = MigrationType::Simple;
        migrations.push(Migration::new(version, "later".into(), kind, sql.into_sql_str(), no_tx));
    }
    Migrator::with_migrations(migrations)
}

/// Waits until so many migrations wait for a table.
async fn until_migrations_wait(storage: &Storage, expected: i64) {
    let waits = "SELECT COUNT(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let wanted = async {
        while sqlx::query_scalar::<_, i64>(waits).fetch_one(&storage.reader).await.unwrap() != expected {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wanted).await.expect("it waits, gives up and tries again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_migration_and_a_request_that_wait_for_one_another_the_migration_gives_way() {
    let (storage, _) = open().await;
    with_tenants(&storage).await;
    let mut request = storage.begin(&acme()).await.unwrap();
    put_client_now(&mut request).await;
    let migration = {
        let storage = storage.clone();
        let two = "ALTER TABLE signing_keys ADD COLUMN later TEXT; ALTER TABLE clients ADD COLUMN later TEXT";
        let migrator = later(&storage, &[two]);
        tokio::spawn(async move { storage.migrate_by(&migrator).await })
    };
    until_migrations_wait(&storage, 1).await;
    request.signing_keys().await.expect("it is not the one that fails");
    request.commit().await.unwrap();
    migration.await.unwrap().unwrap();
    assert_eq!(storage.check_schema().await.unwrap(), SchemaState::Ahead);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_waits_for_a_migration_that_waits_for_a_transaction() {
    let (storage, _) = open().await;
    with_tenants(&storage).await;
    let mut long = storage.begin(&acme()).await.unwrap();
    put_client_now(&mut long).await;
    let migration = {
        let storage = storage.clone();
        let migrator = later(&storage, &["ALTER TABLE clients ADD COLUMN later TEXT"]);
        tokio::spawn(async move { storage.migrate_by(&migrator).await })
    };
    // It waits for the table; and then it does not, and others go on, who have come after it.
    for expected in [1, 0, 1] {
        until_migrations_wait(&storage, expected).await;
        let mut tx = storage.begin_read(&acme()).await.unwrap();
        assert_eq!(tx.client(&client_id()).await.unwrap(), None);
        assert!(!migration.is_finished());
    }
    long.commit().await.unwrap();
    migration.await.unwrap().unwrap();
    assert_eq!(storage.check_schema().await.unwrap(), SchemaState::Ahead);
    let mut tx = storage.begin_read(&acme()).await.unwrap();
    assert_eq!(tx.client(&client_id()).await.unwrap(), Some(client()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_that_migrate_at_once_make_an_index_concurrently_once() {
    let (storage, _) = open().await;
    let index = "-- no-transaction\nCREATE INDEX CONCURRENTLY later ON logs (code)";
    let migrator = Arc::new(later(&storage, &["CREATE TABLE later_table (id BIGINT)", index]));
    let nodes: Vec<_> = (0..4)
        .map(|_| {
            let (storage, migrator) = (storage.clone(), Arc::clone(&migrator));
            tokio::spawn(async move { storage.migrate_by(&migrator).await })
        })
        .collect();
    for node in nodes {
        node.await.unwrap().unwrap();
    }
    let applied = "SELECT COUNT(*) FROM _sqlx_migrations WHERE version > 9000";
    assert_eq!(sqlx::query_scalar::<_, i64>(applied).fetch_one(&storage.reader).await.unwrap(), 2);
    assert_eq!(storage.info().await.unwrap().invalid_indexes, Vec::<String>::new());
    let versions = storage.schema_versions().await.unwrap();
    assert!(versions.database == Some(9002) && versions.program < 9000, "{versions:?}");
}

#[tokio::test]
async fn connections_that_the_server_ended_are_replaced() {
    let (storage, _) = open().await;
    with_tenants(&storage).await;
    for _ in 0..3 {
        // Several idle connections, and then none of them alive.
        let open = several(&storage, 5).await;
        drop(open);
        sqlx::query(
            "SELECT CAST(COUNT(pg_terminate_backend(pid)) AS BIGINT) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .execute(&storage.writer)
        .await
        .unwrap();
        assert!(storage.tenant(&acme()).await.unwrap().is_some());
        let mut tx = storage.begin(&acme()).await.unwrap();
        tx.put_client(&client()).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = storage.begin_read(&acme()).await.unwrap();
        assert_eq!(tx.client(&client_id()).await.unwrap(), Some(client()));
    }
}

/// The statement goes to the server with the next one whose result is needed.
async fn put_client_now(tx: &mut TenantTx) {
    tx.put_client(&client()).await.unwrap();
    assert_eq!(tx.client(&client_id()).await.unwrap(), Some(client()));
}

async fn several(storage: &Storage, count: usize) -> Vec<TenantTx> {
    let mut open = Vec::new();
    for _ in 0..count {
        let mut tx = storage.begin(&acme()).await.unwrap();
        tx.client(&client_id()).await.unwrap();
        open.push(tx);
    }
    open
}

#[tokio::test]
async fn a_transaction_that_loses_its_connection_is_an_error_and_did_not_happen() {
    let (storage, _) = open().await;
    with_tenants(&storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    put_client_now(&mut tx).await;
    sqlx::query(
        "SELECT CAST(COUNT(pg_terminate_backend(pid)) AS BIGINT) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    .execute(&storage.writer)
    .await
    .unwrap();
    assert!(tx.commit().await.is_err());
    let mut tx = storage.begin_read(&acme()).await.unwrap();
    assert_eq!(tx.client(&client_id()).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_session_that_is_held_is_revoked_after_and_one_that_is_revoked_is_not_held() {
    let (storage, _) = open().await;
    with_tenants(&storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    contract::fill(&mut tx).await;
    tx.commit().await.unwrap();
    let id = SessionId::new("session");
    let revoke = |mut tx: TenantTx| {
        let id = id.clone();
        async move {
            let count =
                tx.revoke_sessions(Sessions::One(&id), LogoutInitiator::RpLogout, now()).await.unwrap();
            (tx, count)
        }
    };
    let pause = Duration::from_millis(100);

    let mut holds = storage.begin(&acme()).await.unwrap();
    assert!(holds.hold_session(&id, now()).await.unwrap());
    let waiting = tokio::spawn(revoke(storage.begin(&acme()).await.unwrap()));
    tokio::time::sleep(pause).await;
    assert!(!waiting.is_finished(), "it would not see what is issued here");
    holds.commit().await.unwrap();
    let (tx, count) = waiting.await.unwrap();
    assert_eq!(count, 1);
    drop(tx);

    let (revokes, _) = revoke(storage.begin(&acme()).await.unwrap()).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    let waiting = tokio::spawn({
        let id = id.clone();
        async move { tx.hold_session(&id, now()).await.unwrap() }
    });
    tokio::time::sleep(pause).await;
    assert!(!waiting.is_finished(), "it does not know yet whether the session has ended");
    revokes.commit().await.unwrap();
    assert!(!waiting.await.unwrap());
}

#[tokio::test]
async fn a_statement_that_was_not_waited_for_fails_the_transaction() {
    let (storage, _) = open().await;
    with_tenants(&storage).await;
    // A role that is not there: the error comes with the next statement, and then nothing goes on.
    let wrong =
        Statement::new("INSERT INTO user_roles (tenant_id, user_id, role_id) VALUES ('acme', 'u', 'r')");
    let mut tx = storage.begin(&acme()).await.unwrap();
    tx.put_client(&client()).await.unwrap();
    tx.write(wrong.clone()).unwrap();
    tx.hit_rate_limit("login", 60, now()).await.unwrap_err();
    assert!(matches!(tx.hit_rate_limit("login", 60, now()).await, Err(StorageError::Undone)));
    assert!(matches!(tx.commit().await, Err(StorageError::Undone)));
    // Or with the commit.
    let mut tx = storage.begin(&acme()).await.unwrap();
    tx.hit_rate_limit("login", 60, now()).await.unwrap();
    tx.put_client(&client()).await.unwrap();
    tx.write(wrong).unwrap();
    assert!(matches!(tx.commit().await, Err(StorageError::Postgres(_))));
    let mut tx = storage.begin(&acme()).await.unwrap();
    assert_eq!(tx.client(&client_id()).await.unwrap(), None);
    assert_eq!(tx.hit_rate_limit("login", 60, now()).await.unwrap(), 1);
}

#[tokio::test]
async fn a_transaction_that_only_writes_is_committed_and_one_that_is_dropped_is_not() {
    let (storage, _) = open().await;
    with_tenants(&storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    tx.put_client(&client()).await.unwrap();
    drop(tx);
    let mut tx = storage.begin(&acme()).await.unwrap();
    put_client_now(&mut tx).await;
    drop(tx);
    // More than there are connections: each comes back when its transaction is undone.
    for _ in 0..40 {
        let mut tx = storage.begin(&acme()).await.unwrap();
        assert_eq!(tx.client(&client_id()).await.unwrap(), None);
    }
    let mut tx = storage.begin(&acme()).await.unwrap();
    tx.put_client(&client()).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = storage.begin_read(&acme()).await.unwrap();
    assert_eq!(tx.client(&client_id()).await.unwrap(), Some(client()));
}

#[tokio::test]
async fn the_database_tells_its_version_and_its_clock() {
    let (storage, _) = open().await;
    let info = storage.info().await.unwrap();
    assert_eq!(info.kind, crate::DatabaseKind::Postgres);
    assert!(info.version.starts_with(|first: char| first.is_ascii_digit()), "{info:?}");
    assert!(info.clock.unwrap().as_ms() > 1_700_000_000_000);
    assert!(info.settings.len() == 3 && info.settings.iter().all(|setting| setting.good), "{info:?}");
    assert!(matches!(info.connections, Some((18.., 18))), "{info:?}");
    assert!(info.invalid_indexes.is_empty(), "{info:?}");
}
