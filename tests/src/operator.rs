//! What an operator has: a folder with a configuration for a database, and the program.

use std::path::Path;

use tempfile::TempDir;

use crate::database::Database;
use crate::process::{Ended, Serve, free_port, run};

/// A configuration for the database. The key file is made when the server first needs it.
pub struct Operator {
    pub folder: TempDir,
    port: u16,
}

impl Operator {
    pub fn of(database: &Database) -> Self {
        let operator = Self { folder: tempfile::tempdir().unwrap(), port: free_port() };
        operator.configure(database, "");
        operator
    }

    /// Writes the configuration anew, with more TOML at its end.
    pub fn configure(&self, database: &Database, more: &str) {
        let Self { folder, port } = self;
        let key = folder.path().join("key").display().to_string();
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:{port}\"\nbase_domain = \"localhost:{port}\"\n\
             [database]\nurl = {:?}\n[encryption]\nkey_file = {key:?}\n{more}\n",
            database.url
        );
        std::fs::write(self.config(), text).unwrap();
    }

    /// Where `serve` answers.
    pub fn port(&self) -> u16 {
        self.port
    }

    fn config(&self) -> std::path::PathBuf {
        Path::new(self.folder.path()).join("postern.toml")
    }

    /// Runs a command of the program to its end.
    pub async fn run(&self, arguments: &[&str]) -> Ended {
        let config = self.config();
        run(["--config".as_ref(), config.as_os_str()].into_iter().chain(arguments.iter().map(AsRef::as_ref)))
            .await
    }

    /// `postern serve`.
    pub async fn serve(&self) -> Result<Serve, Ended> {
        Serve::start(self.config().to_str().unwrap(), &[], self.port).await
    }
}
