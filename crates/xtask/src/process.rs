//! Other programs: cargo, the server, the sample applications. And lines for the person at the terminal.

use std::future::Future;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

/// How long a server may take until it is ready. Its first start on a machine compiles the JavaScript engine.
const START: Duration = Duration::from_secs(120);

/// A line on standard output.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// A line on standard error.
pub(crate) fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Runs the future to its end.
pub(crate) fn block_on(future: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(future)
}

/// The workspace's folder.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// cargo, in the workspace's folder.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    command
}

/// Runs a program to its end; its output goes to standard error, so that standard output stays ours.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let name = format!("{command:?}").replace('"', "");
    let status = command.stdout(std::io::stderr()).status().with_context(|| format!("cannot run {name}"))?;
    ensure!(status.success(), "{name} failed");
    Ok(())
}

/// Builds these programs and yields the folder that they are in. The whole workspace is named, as the tests do: to name
/// packages selects other features, with which wasmtime would be compiled again.
pub(crate) fn build(programs: &[&str]) -> Result<PathBuf> {
    let mut arguments = vec!["build", "--workspace"];
    programs.iter().for_each(|program| arguments.extend(["--bin", program]));
    run(&mut cargo(&arguments))?;
    Ok(target_folder()?.join("debug"))
}

/// Where cargo builds to.
pub(crate) fn target_folder() -> Result<PathBuf> {
    let output = cargo(&["metadata", "--no-deps", "--format-version", "1"]).output()?;
    let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata")?;
    Ok(PathBuf::from(metadata["target_directory"].as_str().context("no target_directory")?))
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// A program that stays up. It ends with this value, by SIGTERM first.
pub(crate) struct Server {
    child: Child,
    name: String,
}

impl Server {
    /// Starts the program and waits for its first line on standard output.
    pub(crate) async fn start(command: Command, log: &Path) -> Result<(Self, String)> {
        let name =
            Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
        let log_file =
            std::fs::File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut command = tokio::process::Command::from(command);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log_file).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        let output = child.stdout.take().context("no standard output")?;
        let mut lines = BufReader::new(output).lines();
        let first = tokio::time::timeout(START, lines.next_line())
            .await
            .with_context(|| format!("{name} was not ready within {START:?}"))??;
        let Some(first) = first else {
            let said = std::fs::read_to_string(log).unwrap_or_default();
            bail!("{name} ended at once:\n{said}");
        };
        // The pipe stays open: a server that prints more must not be stopped by it.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok((Self { child, name }, first))
    }

    /// Asks the program to end, and waits.
    pub(crate) async fn stop(mut self) -> Result<()> {
        if let Some(id) = self.child.id() {
            // `kill` from the shell: no unsafe code and no crate for one call.
            let sent = Command::new("sh").args(["-c", &format!("kill -TERM {id}")]).status();
            ensure!(sent.is_ok_and(|status| status.success()), "cannot send SIGTERM to {}", self.name);
        }
        let ended = tokio::time::timeout(Duration::from_secs(20), self.child.wait()).await;
        ended.with_context(|| format!("{} did not end", self.name))??;
        Ok(())
    }

    /// Waits until the program ends by itself, or by ctrl-c, which reaches it as well.
    pub(crate) async fn wait(mut self) -> Result<()> {
        self.child.wait().await?;
        Ok(())
    }
}
