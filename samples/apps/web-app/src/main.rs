//! A web application that lets people log in with an OpenID Connect server (a "relying party"). It passes a session
//! transfer token on to the server; all else is what any such application does.

mod oidc;
mod pages;
mod sessions;

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::Router;
use axum::routing::get;
use clap::Parser;
use url::Url;

use crate::oidc::Provider;
use crate::sessions::Sessions;

/// A web application in which people log in with an OpenID Connect server.
#[derive(Debug, Parser)]
#[command(after_help = "\
Example:
  WEB_APP_CLIENT_SECRET=... web-app --issuer http://demo.localhost:3000/ --client-id demo-web")]
struct Cli {
    /// The tenant's issuer.
    #[arg(long)]
    issuer: Url,
    /// The web client.
    #[arg(long)]
    client_id: String,
    /// Its secret, from the environment so that no process list shows it.
    #[arg(long, env = "WEB_APP_CLIENT_SECRET", hide_env_values = true)]
    client_secret: String,
    /// Where to listen. The callback is /callback at this address.
    #[arg(long, default_value = "127.0.0.1:3001")]
    listen: SocketAddr,
}

/// What every page works with.
pub(crate) struct App {
    provider: Provider,
    sessions: Sessions,
    /// As `http://127.0.0.1:3001`.
    base: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A standard error that is closed is no reason to panic.
            let _ = writeln!(std::io::stderr().lock(), "web-app: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> Result<()> {
    let provider = Provider::discover(cli.issuer, cli.client_id, cli.client_secret).await?;
    let listener = tokio::net::TcpListener::bind(cli.listen)
        .await
        .with_context(|| format!("cannot listen on {}", cli.listen))?;
    let base = format!("http://{}", listener.local_addr()?);
    writeln!(std::io::stdout().lock(), "{base}/")?;
    let app = Arc::new(App { provider, sessions: Sessions::default(), base });
    let routes = Router::new()
        .route("/", get(pages::home))
        .route("/login", get(pages::login))
        .route("/callback", get(pages::callback))
        .route("/claims", get(pages::claims))
        .route("/logout", get(pages::logout))
        .with_state(app);
    axum::serve(listener, routes).await.context("the server stopped")
}
