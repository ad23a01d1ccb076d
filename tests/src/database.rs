//! A database of its own for each test: SQLite, or PostgreSQL where `TEST_DATABASE=postgres` says so. `cargo xtask test`
//! runs the tests on both.

use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::any::AnyPoolOptions;
use sqlx::{AnyPool, AssertSqlSafe};
use storage::Storage;
use tempfile::TempDir;
use tokio::sync::OnceCell;

/// The database of one test.
pub struct Database {
    pub url: String,
    /// SQLite's folder.
    folder: Option<TempDir>,
    /// For statements of the test's own.
    pool: OnceCell<AnyPool>,
}

impl Database {
    /// A fresh one, with its schema.
    pub async fn fresh() -> Self {
        match std::env::var("TEST_DATABASE").as_deref() {
            Ok("postgres") => Self::postgres().await,
            Ok("sqlite") | Err(_) => Self::sqlite().await,
            Ok(other) => panic!("TEST_DATABASE is neither sqlite nor postgres: {other}"),
        }
    }

    /// One without its schema.
    pub fn empty() -> Self {
        if std::env::var("TEST_DATABASE").as_deref() == Ok("postgres") {
            let name = new_name();
            psql(&format!("DROP DATABASE IF EXISTS {name}"));
            psql(&format!("CREATE DATABASE {name}"));
            return Self { url: postgres_url(&name), folder: None, pool: OnceCell::new() };
        }
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite:{}", folder.path().join("postern.db").display());
        Self { url, folder: Some(folder), pool: OnceCell::new() }
    }

    /// A fresh SQLite file.
    pub async fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite:{}", folder.path().join("postern.db").display());
        migrate(&url).await;
        Self { url, folder: Some(folder), pool: OnceCell::new() }
    }

    /// A fresh database on the server that `TEST_POSTGRES_URL` names.
    pub async fn postgres() -> Self {
        static TEMPLATE: OnceCell<String> = OnceCell::const_new();
        let template = TEMPLATE
            .get_or_init(|| async {
                let name = format!("e2e_{}", std::process::id());
                psql(&format!("DROP DATABASE IF EXISTS {name}"));
                psql(&format!("CREATE DATABASE {name}"));
                migrate(&postgres_url(&name)).await;
                name
            })
            .await;
        let name = new_name();
        psql(&format!("DROP DATABASE IF EXISTS {name}"));
        psql(&format!("CREATE DATABASE {name} TEMPLATE {template}"));
        Self { url: postgres_url(&name), folder: None, pool: OnceCell::new() }
    }

    pub fn is_postgres(&self) -> bool {
        self.folder.is_none()
    }

    /// A connection beside the server's, for statements of the test's own. There is one: its settings hold.
    pub async fn pool(&self) -> &AnyPool {
        self.pool
            .get_or_init(|| async {
                sqlx::any::install_default_drivers();
                let pool = AnyPoolOptions::new().max_connections(1);
                pool.connect(&self.url).await.expect("a database")
            })
            .await
    }

    /// The one number that the statement yields.
    pub async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql)
            .fetch_one(self.pool().await)
            .await
            .unwrap_or_else(|error| panic!("{error}: {sql}"))
    }

    /// The table's columns, without those that count by themselves.
    pub async fn columns(&self, table: &str) -> Vec<String> {
        let sql = match self.is_postgres() {
            true => {
                "SELECT CAST(column_name AS TEXT) FROM information_schema.columns
                     WHERE table_schema = 'public' AND table_name = $1 AND is_identity = 'NO'"
            }
            false => "SELECT name FROM pragma_table_info($1)",
        };
        let columns = sqlx::query_scalar(sql).bind(table.to_owned()).fetch_all(self.pool().await).await;
        columns.expect("the columns")
    }

    /// Runs statements; how many rows they changed.
    pub async fn execute(&self, sql: String) -> u64 {
        let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(self.pool().await).await;
        done.expect("a statement that works").rows_affected()
    }

    /// Gives its space back to PostgreSQL's disk. A SQLite file goes with the value.
    pub fn discard(&self) {
        if self.is_postgres() {
            let name = self.url.split('?').next().and_then(|url| url.rsplit('/').next()).expect("a name");
            psql(&format!("DROP DATABASE {name} WITH (FORCE)"));
        }
    }

    /// What SQLite's own checks find wrong with the file. PostgreSQL has no such check that is always there.
    pub async fn damage(&self) -> Vec<String> {
        if self.is_postgres() {
            return Vec::new();
        }
        let pool = self.pool().await;
        let mut damage: Vec<String> =
            sqlx::query_scalar("PRAGMA integrity_check").fetch_all(pool).await.expect("a check");
        damage.retain(|line| line != "ok");
        let foreign = sqlx::query("PRAGMA foreign_key_check").fetch_all(pool).await.expect("a check");
        if !foreign.is_empty() {
            damage.push(format!("{} rows without the row that they refer to", foreign.len()));
        }
        damage
    }

    /// Opens it once more, as another node does.
    pub async fn open(&self) -> Storage {
        Storage::open(&self.url).await.expect("a database")
    }

    /// Everything in it: SQLite's files, or PostgreSQL's dump.
    pub fn bytes(&self) -> Vec<u8> {
        let Some(folder) = &self.folder else {
            let dump = Command::new("pg_dump").arg("--dbname").arg(&self.url).output().expect("pg_dump");
            assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
            return dump.stdout;
        };
        let files = std::fs::read_dir(folder.path()).expect("the folder");
        files.flat_map(|file| std::fs::read(file.expect("a file").path()).expect("its bytes")).collect()
    }
}

fn new_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("e2e_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

async fn migrate(url: &str) {
    let storage = Storage::open(url).await.expect("a database");
    storage.migrate().await.expect("a schema");
    storage.close().await;
}

fn server() -> &'static str {
    static SERVER: OnceLock<String> = OnceLock::new();
    SERVER.get_or_init(|| {
        std::env::var("TEST_POSTGRES_URL").expect(
            "TEST_POSTGRES_URL is not set: `cargo xtask test` starts PostgreSQL; `cargo xtask test -- ARGUMENTS` runs \
             `cargo test ARGUMENTS` with it",
        )
    })
}

fn postgres_url(name: &str) -> String {
    let (base, parameters) = server().split_once('?').expect("parameters");
    format!("{}/{name}?{parameters}", base.rsplit_once('/').expect("a database").0)
}

fn psql(statement: &str) {
    let output = Command::new("psql").args(["--quiet", "--command", statement]).arg(server()).output();
    let output = output.expect("psql");
    assert!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
}
