//! `postern logs tail`

use std::time::Duration;

use idp::manage::LogView;
use reqwest::StatusCode;
use serde_json::{Value, json};
use storage::{LogCursor, LogId, Storage};

use crate::cli::LogsTailArgs;
use crate::commands::logs::code_style;
use crate::config::Config;
use crate::exit_code::{ExitCode, Failure, OrExit};
use crate::remote::Remote;
use crate::render::{Output, Style, escape, note};
use crate::wiring::{Schema, existing_tenant, open_storage};

const PAUSE: Duration = Duration::from_secs(1);
const BATCH: i64 = 100;

/// Prints the log as it is written.
pub async fn run(
    config: impl FnOnce() -> Result<Config, Failure>,
    args: &LogsTailArgs,
) -> Result<(), Failure> {
    let from = args.from.as_deref().map(|text| {
        LogId::parse(text).ok_or_else(|| Failure::new(ExitCode::Usage, format!("{text:?} is no log_id")))
    });
    let (from, output) = (from.transpose()?, Output::stdout());
    let print = |entry: &Value| show(&output, entry, args.json);
    let follow = async {
        match &args.tenant {
            None => {
                let remote = Remote::connect(&args.remote).await?;
                by_server(&remote, from.map(|from| from.to_string()), print).await
            }
            Some(tenant) => {
                let storage = open_storage(&config()?, Schema::MustExist).await?;
                by_database(&storage, tenant, from, print).await
            }
        }
    };
    tokio::select! {
        outcome = follow => outcome,
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}

async fn by_database(
    storage: &Storage,
    tenant: &str,
    from: Option<LogId>,
    print: impl Fn(&Value),
) -> Result<(), Failure> {
    let (database, cannot) = (ExitCode::Database, "cannot read the log");
    let tenant = existing_tenant(storage, tenant).await?;
    let mut cursor: Option<LogCursor> = None;
    loop {
        let mut tx = storage.begin_read(&tenant).await.or_exit(database, cannot)?;
        let after = match (cursor, from) {
            (Some(cursor), _) => cursor,
            (None, Some(from)) => match tx.cursor_after(from).await.or_exit(database, cannot)? {
                Some(cursor) => cursor,
                None => tx.log_end().await.or_exit(database, cannot)?,
            },
            (None, None) => tx.log_end().await.or_exit(database, cannot)?,
        };
        let found = tx.logs_after(after, BATCH).await.or_exit(database, cannot)?;
        drop(tx);
        cursor = Some(found.last().map_or(after, |last| last.cursor));
        if found.is_empty() {
            tokio::time::sleep(PAUSE).await;
        }
        found.into_iter().for_each(|log| print(&json!(LogView::from(log))));
    }
}

/// Goes on where it was when the connection breaks.
async fn by_server(remote: &Remote, mut last: Option<String>, print: impl Fn(&Value)) -> Result<(), Failure> {
    let mut was_connected = false;
    loop {
        let request = remote.follow("/logs/stream", last.as_deref())?;
        match request.send().await {
            Ok(response) if response.status() == StatusCode::OK => {
                was_connected = true;
                if let Err(error) = read(response, &mut last, &print).await {
                    note(format!("The connection broke ({error}); it is made again."));
                }
            }
            Ok(response) if !response.status().is_server_error() => {
                let status = response.status();
                let body = response.text().await.unwrap_or_default();
                let text = format!("the server answered {status}: {}", escape(&body, false));
                return Err(Failure::new(ExitCode::Failed, text));
            }
            Ok(response) if was_connected => note(format!("The server answered {}.", response.status())),
            Err(error) if was_connected => note(format!("The server cannot be reached: {error}")),
            outcome => {
                outcome
                    .and_then(reqwest::Response::error_for_status)
                    .or_exit(ExitCode::Failed, "cannot follow the log")?;
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The entries of a connection, until it ends.
async fn read(
    mut response: reqwest::Response,
    last: &mut Option<String>,
    print: &impl Fn(&Value),
) -> Result<(), reqwest::Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        bytes.extend_from_slice(&chunk);
        while let Some(end) = bytes.windows(2).position(|two| two == b"\n\n") {
            let event: Vec<u8> = bytes.drain(..end + 2).collect();
            let event = String::from_utf8_lossy(&event);
            let field =
                |name: &str| event.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            if let Some(Ok(entry)) = field("data").map(serde_json::from_str) {
                print(&entry);
                *last = field("id").map(str::to_owned);
            }
        }
    }
    Ok(())
}

fn show(output: &Output, entry: &Value, json: bool) {
    if json {
        return output.line(entry);
    }
    let text = |name: &str| escape(entry[name].as_str().unwrap_or("-"), false);
    let code = text("type");
    output.line(format!(
        "{}  {}  {}  {}  {}  {}",
        text("date"),
        output.paint(code_style(&code), &code),
        text("client_id"),
        text("user_id"),
        text("ip"),
        output.paint(Style::Bold, text("description")),
    ));
}
