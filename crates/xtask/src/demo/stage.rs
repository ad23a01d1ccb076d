//! What the demo plays on: `postern dev --ephemeral` and the sample web application, on free ports.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;
use url::Url;

use crate::http::text;
use crate::process::{Server, free_port, note};

/// Both servers, and what the demo tenant is.
pub(crate) struct Stage {
    postern: Server,
    web_app: Option<Server>,
    program: PathBuf,
    logs: TempDir,
    /// What `postern dev --print-json` printed.
    pub(crate) demo: Value,
    /// As `http://demo.localhost:PORT/`.
    pub(crate) issuer: Url,
    /// As `http://127.0.0.1:PORT`.
    pub(crate) web_app_url: String,
}

impl Stage {
    /// Starts the programs that were built into this folder.
    pub(crate) async fn set(programs: &Path) -> Result<Self> {
        let mut stage = Self::server_only(programs).await?;
        let mut command = Command::new(programs.join("web-app"));
        command.args(["--issuer", stage.issuer.as_str()]);
        command.args(["--client-id", text(&stage.demo["web_client"], "client_id")?]);
        command.args(["--listen", stage.web_app_url.trim_start_matches("http://")]);
        command.env("WEB_APP_CLIENT_SECRET", text(&stage.demo["web_client"], "client_secret")?);
        let (web_app, _) = Server::start(command, &stage.logs.path().join("web-app.log")).await?;
        stage.web_app = Some(web_app);
        Ok(stage)
    }

    /// Starts only the server.
    pub(crate) async fn server_only(programs: &Path) -> Result<Self> {
        let logs = tempfile::tempdir()?;
        let program = programs.join("postern");
        let (port, web_app_port) = (free_port()?, free_port()?);
        let mut command = Command::new(&program);
        command.args(["dev", "--ephemeral", "--print-json"]);
        command.args(["--port", &port.to_string(), "--web-app-port", &web_app_port.to_string()]);
        command.env("RUST_LOG", "info");
        let (postern, line) = Server::start(command, &logs.path().join("postern.log")).await?;
        let demo: Value =
            serde_json::from_str(&line).with_context(|| format!("`postern dev` printed {line}"))?;
        let issuer = text(&demo, "issuer")?.parse()?;
        let web_app_url = text(&demo["web_client"], "url")?.to_owned();
        Ok(Self { postern, web_app: None, program, logs, demo, issuer, web_app_url })
    }

    /// An address of the server.
    pub(crate) fn at(&self, path: &str) -> Result<Url> {
        Ok(self.issuer.join(path)?)
    }

    /// Asks the program itself, beside the running server, and reads its JSON.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Result<Value> {
        let mut command = Command::new(&self.program);
        command.args(["--config", text(&self.demo, "config_file")?]).args(arguments);
        command.args(["--tenant", text(&self.demo, "tenant")?, "--json"]);
        let output = command.output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "postern {} failed: {said}", arguments.join(" "));
        serde_json::from_slice(&output.stdout).context("the program printed no JSON")
    }

    /// What can be opened in a browser.
    pub(crate) fn addresses(&self) -> Vec<(&'static str, String)> {
        let user = &self.demo["user"];
        let string = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        vec![
            ("web app", format!("{}/", self.web_app_url)),
            ("issuer", self.issuer.to_string()),
            ("user", string(&user["email"])),
            ("password", string(&user["password"])),
            (
                "logs",
                format!(
                    "{} --config {} logs --tenant demo",
                    self.program.display(),
                    string(&self.demo["config_file"])
                ),
            ),
        ]
    }

    /// Shows what the servers logged.
    pub(crate) fn complain(&self) {
        for name in ["postern.log", "web-app.log"] {
            let log = std::fs::read_to_string(self.logs.path().join(name)).unwrap_or_default();
            let lines: Vec<_> = log.lines().collect();
            let last = &lines[lines.len().saturating_sub(30)..];
            note(&format!("--- {name}, last {} lines\n{}", last.len(), last.join("\n")));
        }
    }

    /// Ends both.
    pub(crate) async fn clear(self) -> Result<()> {
        if let Some(web_app) = self.web_app {
            web_app.stop().await?;
        }
        self.postern.stop().await
    }

    /// Stays until ctrl-c, which both programs get, too.
    pub(crate) async fn wait(self) -> Result<()> {
        tokio::signal::ctrl_c().await?;
        if let Some(web_app) = self.web_app {
            web_app.wait().await?;
        }
        self.postern.wait().await
    }
}
