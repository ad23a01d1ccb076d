//! A PostgreSQL server of our own: in a temporary folder, behind a Unix socket that only its user can reach, with
//! PostgreSQL's own defaults for what is durable. It ends with the value.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::packages;

/// The variable that tells the tests where it is.
pub(crate) const VARIABLE: &str = "TEST_POSTGRES_URL";
/// The user that Debian's package makes. PostgreSQL refuses to run as root.
const UNPRIVILEGED: &str = "postgres";
/// The tests run side by side, each with a pool of connections for each of its nodes.
const MAX_CONNECTIONS: &str = "max_connections=500";
const START: Duration = Duration::from_secs(30);

/// The running server.
pub(crate) struct Postgres {
    child: Child,
    folder: TempDir,
}

impl Postgres {
    /// Installs PostgreSQL when it is missing, makes an empty cluster and starts it.
    pub(crate) fn start() -> Result<Self> {
        let programs = packages::postgres()?;
        let folder = tempfile::Builder::new().prefix("postgres").tempdir()?;
        let root = id(&["-u"])? == 0;
        if root {
            chown(folder.path(), Some(id(&["-u", UNPRIVILEGED])?), Some(id(&["-g", UNPRIVILEGED])?))?;
        }
        let program = |name: &str| -> Result<Command> {
            let mut command = Command::new(programs.join(name));
            command.current_dir(folder.path()).stdin(Stdio::null());
            if root {
                command.uid(id(&["-u", UNPRIVILEGED])?).gid(id(&["-g", UNPRIVILEGED])?);
            }
            Ok(command)
        };
        let data = folder.path().join("data");
        let made = program("initdb")?
            .args(["--username=postern", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--pgdata"])
            .arg(&data)
            .output()?;
        ensure!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let log = std::fs::File::create(folder.path().join("log"))?;
        let child = program("postgres")?
            .args(["-c", "listen_addresses=", "-c", MAX_CONNECTIONS, "-k"])
            .arg(folder.path())
            .arg("-D")
            .arg(&data)
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("cannot start postgres")?;
        let mut server = Self { child, folder };
        server.wait_until_ready(&programs)?;
        Ok(server)
    }

    /// The URL of the database `postgres` on it.
    pub(crate) fn url(&self) -> String {
        format!("postgres://postern@localhost/postgres?host={}", self.folder.path().display())
    }

    fn wait_until_ready(&mut self, programs: &Path) -> Result<()> {
        let step = Duration::from_millis(50);
        for _ in 0..START.as_millis() / step.as_millis() {
            let mut ready = Command::new(programs.join("pg_isready"));
            ready.args(["--quiet", "--dbname=postgres", "--host"]).arg(self.folder.path());
            if ready.status().is_ok_and(|status| status.success()) {
                return Ok(());
            }
            if self.child.try_wait()?.is_some() {
                break;
            }
            std::thread::sleep(step);
        }
        bail!(
            "postgres is not ready: {}",
            std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
        );
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGINT: it ends its connections, then itself. `kill` from the shell: no unsafe code and no crate for one call.
        let interrupt = format!("kill -INT {}", self.child.id());
        let _ = Command::new("sh").args(["-c", &interrupt]).status();
        let _ = self.child.wait();
    }
}

fn id(arguments: &[&str]) -> Result<u32> {
    let said =
        packages::output("id", arguments).with_context(|| format!("there is no user {UNPRIVILEGED}"))?;
    Ok(said.trim().parse()?)
}
