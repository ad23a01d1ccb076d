//! The person's browser: opens an address, and waits for it to come back to a loopback port (RFC 8252 §7.3).

use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use url::Url;

use crate::say;

/// How long a person may take to log in.
const PATIENCE: Duration = Duration::from_secs(300);

/// Opens the login page and yields the address to which the browser came back.
pub(crate) async fn log_in(address: &Url, listener: &TcpListener) -> Result<Url> {
    open(address)?;
    let listener = listener.try_clone()?;
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let base = Url::parse(&format!("http://{}/", listener.local_addr()?))?;
    tokio::time::timeout(PATIENCE, answer(&listener, &base))
        .await
        .context("nobody came back from the login page")?
}

/// Tries to open a browser, and always says the address.
pub(crate) fn open(address: &Url) -> Result<()> {
    let started = Command::new("xdg-open")
        .arg(address.as_str())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .is_ok();
    say(&format!("{}\n  {address}", if started { "Your browser opens:" } else { "Open in your browser:" }))
}

async fn answer(listener: &tokio::net::TcpListener, base: &Url) -> Result<Url> {
    loop {
        let (mut connection, _) = listener.accept().await?;
        let mut line = String::new();
        let mut reader = BufReader::new(&mut connection);
        // A browser may ask for an icon, or open a connection and send nothing.
        if tokio::time::timeout(Duration::from_secs(5), reader.read_line(&mut line)).await.is_err() {
            continue;
        }
        let target = line.split(' ').nth(1).unwrap_or_default();
        let found = base.join(target).ok().filter(|url| url.path() == "/callback" && url.query().is_some());
        let (status, text) = match found {
            Some(_) => ("200 OK", "You are logged in. Go back to the terminal."),
            None => ("404 Not Found", "Nothing here."),
        };
        let head = "Content-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\nConnection: close";
        let response = format!("HTTP/1.1 {status}\r\n{head}\r\nContent-Length: {}\r\n\r\n{text}", text.len());
        connection.write_all(response.as_bytes()).await?;
        connection.shutdown().await?;
        if let Some(url) = found {
            return Ok(url);
        }
    }
}
