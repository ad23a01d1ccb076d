//! A database of its own for each test: SQLite, or PostgreSQL where `TEST_DATABASE=postgres` says so. `cargo xtask test`
//! runs the tests on both.

use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use storage::Storage;
use tempfile::TempDir;

/// The database of one test.
pub struct Database {
    pub url: String,
    /// SQLite's folder.
    folder: Option<TempDir>,
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
            return Self { url: postgres_url(&name), folder: None };
        }
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite:{}", folder.path().join("postern.db").display());
        Self { url, folder: Some(folder) }
    }

    /// A fresh SQLite file.
    pub async fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite:{}", folder.path().join("postern.db").display());
        migrate(&url).await;
        Self { url, folder: Some(folder) }
    }

    /// A fresh database on the server that `TEST_POSTGRES_URL` names.
    pub async fn postgres() -> Self {
        static TEMPLATE: tokio::sync::OnceCell<String> = tokio::sync::OnceCell::const_new();
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
        Self { url: postgres_url(&name), folder: None }
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
