//! `postern action ...`

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};

use super::name_and_value;
use crate::kit::template;

/// `action ...`
#[derive(Debug, Subcommand)]
pub enum ActionCommand {
    /// Make a folder with a new Action: its source, settings, two events and cases that pass.
    #[command(after_help = "\
Examples:
  postern action new limit-sessions
  postern action new limit-sessions --language typescript
  postern action test limit-sessions")]
    New(ActionNewArgs),
    /// Run an Action on a saved event: no server, no database, the server's limits.
    #[command(after_help = "\
Examples:
  postern action run limit.js --event event.json
  postern action run limit.js --event event.json --secret API_KEY=s3cret --json
  jq '.user.email = \"eve@example.com\"' event.json | postern action run limit.js --event -

Ends with 0 when the Action ran (also when it denies access: that is its decision), with 5 when it failed.")]
    Run(ActionRunArgs),
    /// Show what an Action may do, how large it is, and what a run of it costs.
    #[command(after_help = "\
Examples:
  postern action inspect action.wasm
  postern action inspect limit.js --json")]
    Inspect(ActionInspectArgs),
    /// Build an Action and make it the version that a tenant's next login runs. A running server needs no restart.
    #[command(after_help = "\
Example:
  postern action deploy limit.js --tenant acme --name limit-sessions --secret API_KEY=s3cret

Secrets are replaced as a whole: a deploy without --secret leaves the Action without secrets.

A component may do what it imports (`postern action inspect`). An update that may do more than the version that is
deployed needs --accept-permissions.")]
    Deploy(ActionDeployArgs),
}

/// Arguments of `action new`.
#[derive(Debug, Args)]
pub struct ActionNewArgs {
    /// The folder, which must not be there yet. Its last part is the Action's name: lower-case letters, digits, `-` and `_`.
    #[arg(value_name = "NAME")]
    pub folder: PathBuf,
    /// What to write it in.
    #[arg(long, default_value = "javascript", value_parser = language())]
    pub language: String,
}

/// The languages that there are templates for, some with a shorter name.
fn language() -> impl TypedValueParser<Value = String> {
    PossibleValuesParser::new(template::languages().into_iter().map(|language| {
        let value = PossibleValue::new(language);
        match language {
            "javascript" => value.alias("js"),
            "typescript" => value.alias("ts"),
            _ => value,
        }
    }))
    .map(|chosen| match chosen.as_str() {
        "js" => "javascript".to_owned(),
        "ts" => "typescript".to_owned(),
        _ => chosen,
    })
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

/// Arguments of `action inspect`.
#[derive(Debug, Args)]
pub struct ActionInspectArgs {
    /// The Action: a script (.js, .ts) or a component (.wasm).
    pub file: PathBuf,
    /// Print one JSON object.
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
    /// Deploy it although it may do more than the version that is deployed.
    #[arg(long)]
    pub accept_permissions: bool,
    /// Print the deployed version as one JSON object.
    #[arg(long)]
    pub json: bool,
}
