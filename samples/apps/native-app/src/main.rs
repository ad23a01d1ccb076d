//! A native application, as a command-line program: logs a person in, keeps the refresh token, and opens a web
//! application in which that person is logged in already.

mod browser;
mod form;
mod keep;
mod oidc;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use url::Url;

use crate::keep::Kept;
use crate::oidc::Provider;

/// A native application that logs in and hands its login over to a web application.
#[derive(Debug, Parser)]
#[command(after_help = "\
Examples:
  native-app login --issuer http://demo.localhost:3000/ --client-id demo-native
  native-app open-web --url http://127.0.0.1:3001/login
  native-app logout")]
struct Cli {
    /// Where the refresh token is kept, with mode 0600.
    #[arg(long, global = true, default_value = ".native-app.json", value_name = "FILE")]
    store: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Log in with the browser, by authorization code and PKCE.
    Login(LoginArgs),
    /// Open the web application, logged in: trade the refresh token for a session transfer token, right before.
    OpenWeb {
        /// The web application's login address.
        #[arg(long)]
        url: Url,
        /// Print the address instead of opening a browser. It holds a credential that lives for a minute.
        #[arg(long)]
        print: bool,
    },
    /// Revoke the refresh token. Web sessions that were made from it end, too.
    Logout,
}

#[derive(Debug, Args)]
struct LoginArgs {
    /// The tenant's issuer.
    #[arg(long)]
    issuer: Url,
    /// The native client.
    #[arg(long)]
    client_id: String,
    /// The API that the access token is for.
    #[arg(long)]
    audience: Option<String>,
    /// For demos and tests: fill the server's login form with this name instead of opening a browser.
    #[arg(long, requires = "password")]
    username: Option<String>,
    /// For demos and tests: the password, from the environment so that no process list shows it.
    #[arg(long, env = "NATIVE_APP_PASSWORD", hide_env_values = true, requires = "username")]
    password: Option<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A standard error that is closed is no reason to panic.
            let _ = writeln!(std::io::stderr().lock(), "native-app: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> Result<()> {
    match cli.command {
        Command::Login(args) => {
            let provider = Provider::discover(&args.issuer).await?;
            let who = args.username.as_deref().zip(args.password.as_deref());
            let login = oidc::Login::new(&provider, &args.client_id, args.audience.as_deref())?;
            let answer = match who {
                Some((username, password)) => {
                    form::log_in(login.address(), login.redirect_uri(), username, password).await?
                }
                None => browser::log_in(login.address(), login.listener()).await?,
            };
            let tokens = login.finish(&provider, &answer).await?;
            Kept {
                issuer: args.issuer,
                client_id: args.client_id,
                refresh_token: tokens.refresh_token.context("the server gave no refresh token")?,
            }
            .write(&cli.store)?;
            say("Logged in.")
        }
        Command::OpenWeb { mut url, print } => {
            let mut kept = Kept::read(&cli.store)?;
            let provider = Provider::discover(&kept.issuer).await?;
            let transfer =
                oidc::session_transfer_token(&provider, &kept.client_id, &kept.refresh_token).await?;
            // With rotation the old refresh token is spent: keep the new one before anything else.
            if let Some(refresh_token) = transfer.refresh_token {
                kept.refresh_token = refresh_token;
                kept.write(&cli.store)?;
            }
            url.query_pairs_mut().append_pair("session_transfer_token", &transfer.access_token);
            if print { say(url.as_str()) } else { browser::open(&url) }
        }
        Command::Logout => {
            let kept = Kept::read(&cli.store)?;
            let provider = Provider::discover(&kept.issuer).await?;
            oidc::revoke(&provider, &kept.client_id, &kept.refresh_token).await?;
            std::fs::remove_file(&cli.store).context("cannot remove the kept token")?;
            say("Logged out; the refresh token is revoked.")
        }
    }
}

/// One line for the person at the terminal.
pub(crate) fn say(text: &str) -> Result<()> {
    writeln!(std::io::stdout().lock(), "{text}").context("cannot write")
}
