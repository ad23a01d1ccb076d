//! `postern action ...`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::name_and_value;

/// `action ...`
#[derive(Debug, Subcommand)]
pub enum ActionCommand {
    /// Run an Action on a saved event: no server, no database, the server's limits.
    #[command(after_help = "\
Examples:
  postern action run limit.js --event event.json
  postern action run limit.js --event event.json --secret API_KEY=s3cret --json
  jq '.user.email = \"eve@example.com\"' event.json | postern action run limit.js --event -

Ends with 0 when the Action ran (also when it denies access: that is its decision), with 5 when it failed.")]
    Run(ActionRunArgs),
    /// Build an Action and make it the version that a tenant's next login runs. A running server needs no restart.
    #[command(after_help = "\
Example:
  postern action deploy limit.js --tenant acme --name limit-sessions --secret API_KEY=s3cret

Secrets are replaced as a whole: a deploy without --secret leaves the Action without secrets.")]
    Deploy(ActionDeployArgs),
}

/// Arguments of `action run`.
#[derive(Debug, Args)]
pub struct ActionRunArgs {
    /// The Action: JavaScript (.js) or a component (.wasm).
    pub file: PathBuf,
    /// The event as JSON; `-` reads it from standard input.
    #[arg(long, value_name = "FILE")]
    pub event: PathBuf,
    /// A secret for `event.secrets`. May be given again.
    #[arg(long = "secret", value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub secrets: Vec<(String, String)>,
    /// Print the whole run report as one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `action deploy`.
#[derive(Debug, Args)]
pub struct ActionDeployArgs {
    /// The Action: JavaScript (.js) or a component (.wasm).
    pub file: PathBuf,
    /// Whose it is.
    #[arg(long, value_name = "NAME")]
    pub tenant: String,
    /// The Action's name in the tenant. A new name is bound to the post-login trigger, after those that are there.
    #[arg(long)]
    pub name: String,
    /// A secret for `event.secrets`. May be given again.
    #[arg(long = "secret", value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub secrets: Vec<(String, String)>,
    /// A host that its requests may go to, as api.example or *.example.com. May be given again; the Action reaches these
    /// and no others, also after the next deploy.
    #[arg(long = "allow-host", value_name = "HOST")]
    pub allowed_hosts: Vec<String>,
    /// Its requests may go to any public host, which is so for a new Action.
    #[arg(long, conflicts_with = "allowed_hosts")]
    pub allow_any_host: bool,
    /// Print the deployed version as one JSON object.
    #[arg(long)]
    pub json: bool,
}
