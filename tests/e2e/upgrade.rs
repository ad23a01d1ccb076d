//! A new version of the schema, made under servers that are running.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use end_to_end::database::Database;
use end_to_end::flow::{exchange_native, refresh, text};
use end_to_end::node::Node;
use end_to_end::operator::Operator;
use end_to_end::{Login, RawClient, seed};
use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// This version's migrations.
async fn migrations(database: &Database) -> Vec<Migration> {
    let kind = if database.url.starts_with("sqlite:") { "sqlite" } else { "postgres" };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/storage/migrations").join(kind);
    Migrator::new(folder).await.unwrap().iter().cloned().collect()
}

/// Migrates as another version of the program does.
async fn migrate(database: &Database, migrations: Vec<Migration>) {
    let storage = database.open().await;
    storage.migrate_by(&Migrator::with_migrations(migrations)).await.unwrap();
    storage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_answers_while_a_newer_version_adds_to_its_schema() {
    let database = Database::fresh().await;
    let node = Node::start(&database).await;
    node.seed().await;
    let port = node.port;
    let (ended, logins) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let user = {
        let (ended, logins) = (Arc::clone(&ended), Arc::clone(&logins));
        tokio::spawn(async move {
            let browser = RawClient::new(port, std::net::Ipv4Addr::LOCALHOST);
            Login::native().code(&browser, seed::ADA).await;
            while !ended.load(Ordering::SeqCst) {
                let code = Login::native().code_of_session(&browser).await;
                let tokens = exchange_native(&browser, &code).await.expect(200).json();
                refresh(&browser, seed::NATIVE, &text(&tokens, "refresh_token")).await.expect(200);
                logins.fetch_add(1, Ordering::SeqCst);
            }
        })
    };
    let three_more = async || {
        let wanted = logins.load(Ordering::SeqCst) + 3;
        let reached = async {
            while logins.load(Ordering::SeqCst) < wanted && !user.is_finished() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(120), reached).await.expect("logins go on");
    };
    three_more().await;
    let mut all = migrations(&database).await;
    let added = "ALTER TABLE sessions ADD COLUMN later TEXT;
         ALTER TABLE refresh_tokens ADD COLUMN later BIGINT NOT NULL DEFAULT 7;
         CREATE TABLE later (id BIGINT NOT NULL PRIMARY KEY);
         CREATE INDEX codes_later ON codes (user_id)";
    all.push(Migration::new(9001, "later".into(), MigrationType::Simple, added.into_sql_str(), false));
    migrate(&database, all).await;
    three_more().await;
    ended.store(true, Ordering::SeqCst);
    user.await.expect("all answers were good");

    // One that is started anew serves, too.
    drop(node);
    let node = Node::start(&database).await;
    node.session_cookie(seed::BOB).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_that_migrate_at_once_all_succeed() {
    let database = Database::empty();
    let operator = Arc::new(Operator::of(&database));
    let runs: Vec<_> = (0..3)
        .map(|_| {
            let operator = Arc::clone(&operator);
            tokio::spawn(async move { operator.run(&["migrate"]).await })
        })
        .collect();
    for run in runs {
        run.await.unwrap().expect(0);
    }
    let again = operator.run(&["migrate"]).await;
    assert!(again.expect(0).stdout.contains("nothing to do"), "{again:?}");
}

#[tokio::test]
async fn an_older_schema_is_refused_until_it_is_migrated() {
    let database = Database::empty();
    let operator = Operator::of(&database);
    let mut older = migrations(&database).await;
    let newest = older.pop().unwrap().version;
    let version = older.last().unwrap().version;
    migrate(&database, older).await;

    let refused = operator.serve().await.map(drop).unwrap_err();
    assert!(refused.expect(4).stderr.contains("run `postern migrate`"), "{refused:?}");
    let doctor = operator.run(&["doctor"]).await;
    let told = format!("version {version}, this program needs version {newest}");
    assert!(doctor.expect(4).stdout.contains(&told), "{doctor:?}");

    let migrated = operator.run(&["migrate"]).await;
    assert!(migrated.expect(0).stdout.contains("1 migrations applied"), "{migrated:?}");
    operator.serve().await.map(drop).unwrap();
    // A file in place of the cache's folder.
    let file = operator.folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    operator.configure(&database, &format!("[actions]\ncache_dir = {:?}", file.display().to_string()));
    let doctor = operator.run(&["doctor"]).await;
    assert!(doctor.expect(3).stdout.contains("set actions.cache_dir"), "{doctor:?}");
    assert!(doctor.stdout.contains(&format!("version {newest}")), "{doctor:?}");
}
