//! `postern action ...`

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};

use model::Timestamp;
use serde_json::Value;

use super::name_and_value;
use crate::kit::runner::ModuleSecret;
use crate::kit::stand_ins::parse_moment;
use crate::kit::{event, template};

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
    /// Show what Actions would make of a login: no server, no database, the server's engine and limits.
    #[command(after_help = format!("\
Examples:
  postern action run limit.js --event event.json
  postern action run limit.js --event native-to-web --set user.email=eve@example.com --secret API_KEY=s3cret
  postern action run first-action second.ts --event refresh --json
  postern action run ask-for-terms --event ordinary-login --continue session_token=eyJ...
  jq '.user.email = \"eve@example.com\"' event.json | postern action run limit.js --event -
  postern action run limit.js --event silent --module-secret shared.API_KEY=s3cret

What an Action requires as actions:NAME is the file modules/NAME.js in its folder, or beside its file.

Events that the program has: {}.

Ends with 0 when the Actions ran (also when they deny access: that is their decision), with 5 when one failed or asked for
something that has no stand-in, with 3 when action.toml or the stand-ins are wrong.", event::built_in_names()))]
    Run(ActionRunArgs),
    /// Run an Action on thousands of generated events, and show what goes wrong with the smallest event that shows it.
    #[command(after_help = "\
Examples:
  postern action check limit-sessions
  postern action check limit.js --events 100000 --seed 7 --secret API_KEY=s3cret

Of a folder, `action.toml` says which events must never be denied ([[never_deny]]), and what is found is saved as cases of
`postern action test`. Nothing is sent: requests are answered by the stand-ins, or by chance.
Ends with 0 when nothing is wrong, with 5 when something is.")]
    Check(ActionCheckArgs),
    /// Show what an Action may do, how large it is, and what a run of it costs.
    #[command(after_help = "\
Examples:
  postern action inspect limit-sessions
  postern action inspect action.wasm --json")]
    Inspect(ActionInspectArgs),
    /// Run the cases of an Action: files in its folder `tests`, as data (.toml, .json) or code (.test.js, .test.ts).
    #[command(after_help = "\
Examples:
  postern action test                        in the Action's folder
  postern action test my-action --watch      again at each change
  postern action test --update               write what came out into the cases as data
  postern action test --junit report.xml --coverage

What the Action requires as actions:NAME is modules/NAME.js in its folder; [module_secrets.NAME] of action.toml and of cases has
its secrets.

No case sends a request: what the Action asks for has a stand-in, or the case fails. Clock and randomness are the case's, so
it comes out the same on every machine, fuel included.

Ends with 0 when all cases passed, with 5 when one failed or the Action does not build, with 3 when action.toml is wrong, with
1 when there are no cases.")]
    Test(ActionTestArgs),
    /// Build an Action and make it the version that a tenant's next login runs. A running server needs no restart.
    #[command(after_help = "\
Examples:
  postern action deploy limit-sessions --tenant acme --secret API_KEY=s3cret
  postern action deploy limit.js --url https://acme.example --name limit-sessions
  postern action deploy limit-sessions --url https://acme.example --module-secret shared.API_KEY=s3cret

With --tenant it goes to the database of the configuration, with --url (or POSTERN_URL) to the Management API of a running
server. The access token comes from POSTERN_TOKEN, or POSTERN_CLIENT_ID and POSTERN_CLIENT_SECRET get one; its scopes must
be read:actions, create:actions and update:actions.

There is a new version where something changed, and none where nothing did.

Secrets are replaced as a whole: a deploy without --secret leaves the Action without secrets. [secrets] of action.toml are for
runs and cases; they are not sent.

What the Action requires as actions:NAME is modules/NAME.js in its folder, or beside its file. Such a module is made or changed
on the server first, and published where its code or its secrets changed; then the Action takes that version. Other Actions keep
the version that they have. A module that is not in the folder is the tenant's: in the version that the Action has, or the newest.
--module-secret replaces all secrets of its module; a module for which none is given keeps those that it has.

A component may do what it imports (`postern action inspect`). An update that may do more than the version that is
deployed needs --accept-permissions.")]
    Deploy(ActionDeployArgs),
    /// List the versions of an Action on a running server, newest first.
    #[command(after_help = REMOTE_HELP)]
    Versions(ActionVersionsArgs),
    /// Deploy an old version of an Action again, as its next version. Its draft stays as it is.
    #[command(after_help = REMOTE_HELP)]
    Rollback(ActionRollbackArgs),
    /// Show how versions of an Action on a running server differ, or what the deploy of a file would change.
    #[command(after_help = format!("\
Examples:
  postern action diff limit-sessions                     what is deployed, and the draft
  postern action diff limit-sessions 3                   version 3, and what is deployed
  postern action diff limit-sessions 3 4
  postern action diff limit-sessions --file limit.js     what is deployed, and the file

The code of `actions:` modules is compared as well. Secrets are not.

Ends with 0 when nothing differs, with 1 when something does.

{REMOTE_HELP}"))]
    Diff(ActionDiffArgs),
    /// Show what Actions on a running server printed, oldest first.
    #[command(after_help = REMOTE_HELP)]
    Logs(ActionLogsArgs),
}

const REMOTE_HELP: &str = "\
The server is at --url or POSTERN_URL. The access token comes from POSTERN_TOKEN, or POSTERN_CLIENT_ID and POSTERN_CLIENT_SECRET
get one for the client with these credentials.";

/// Where a running server is.
#[derive(Debug, Args)]
pub struct RemoteArgs {
    /// The tenant's address, as https://acme.example. Without it, that of POSTERN_URL.
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
}

/// Arguments of `action versions`.
#[derive(Debug, Args)]
pub struct ActionVersionsArgs {
    /// The Action's name.
    pub name: String,
    #[command(flatten)]
    pub remote: RemoteArgs,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `action rollback`.
#[derive(Debug, Args)]
pub struct ActionRollbackArgs {
    /// The Action's name.
    pub name: String,
    /// The number of the version, as `action versions` lists it.
    pub version: u64,
    #[command(flatten)]
    pub remote: RemoteArgs,
    /// Print the new version as one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `action diff`.
#[derive(Debug, Args)]
pub struct ActionDiffArgs {
    /// The Action's name.
    pub name: String,
    /// One version, to compare with what is deployed, or two.
    #[arg(value_name = "VERSION", num_args = 0..=2)]
    pub versions: Vec<u64>,
    /// Compare what is deployed with this file, or with an Action's folder.
    #[arg(long, value_name = "FOLDER|FILE", conflicts_with = "versions")]
    pub file: Option<PathBuf>,
    #[command(flatten)]
    pub remote: RemoteArgs,
}

/// Arguments of `action logs`.
#[derive(Debug, Args)]
pub struct ActionLogsArgs {
    /// Only what this Action printed.
    pub name: Option<String>,
    /// Go on with what is printed from now on. Ctrl-c ends it.
    #[arg(long, short)]
    pub follow: bool,
    /// How many of the last runs.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub limit: u16,
    #[command(flatten)]
    pub remote: RemoteArgs,
    /// Print each run as one JSON object in a line.
    #[arg(long)]
    pub json: bool,
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
    /// The Actions in their order: folders with an action.toml, or files (.js, .ts, .wasm) without settings.
    #[arg(default_value = ".", value_name = "FOLDER|FILE")]
    pub actions: Vec<PathBuf>,
    /// The event: a file with JSON, the name of one that the program has, or `-` for standard input.
    #[arg(long, value_name = "EVENT")]
    pub event: String,
    /// Change the event: a path, and JSON or a text; null removes. May be given again.
    #[arg(long, value_name = "PATH=VALUE", value_parser = event::assignment)]
    pub set: Vec<(String, Value)>,
    /// A secret for `event.secrets`. May be given again.
    #[arg(long = "secret", value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub secrets: Vec<(String, String)>,
    /// A secret for `actions.secrets` of an `actions:` module. May be given again.
    #[arg(long = "module-secret", value_name = "MODULE.NAME=VALUE", value_parser = module_secret)]
    pub module_secrets: Vec<ModuleSecret>,
    /// A TOML file of stand-ins, as [stand_ins] of action.toml. With it, or with those of action.toml, no request is sent.
    #[arg(long, value_name = "FILE")]
    pub stand_ins: Option<PathBuf>,
    /// The browser is back with this in its query: the first Action goes on in onContinuePostLogin. May be given again.
    #[arg(long = "continue", value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub continues: Vec<(String, String)>,
    /// The time of the login, as 2026-01-15T09:00:00Z or in milliseconds.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub now: Option<Timestamp>,
    /// A number that all randomness comes from.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Print run reports, decision and places as one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// `MODULE.NAME=VALUE`
fn module_secret(text: &str) -> Result<ModuleSecret, String> {
    let expected = || "expected MODULE.NAME=VALUE".to_owned();
    let (named, value) = name_and_value(text).map_err(|_| expected())?;
    match named.split_once('.') {
        Some((module, name)) if !module.is_empty() && !name.is_empty() => {
            Ok(ModuleSecret { module: module.to_owned(), name: name.to_owned(), value })
        }
        _ => Err(expected()),
    }
}

/// Arguments of `action check`.
#[derive(Debug, Args)]
pub struct ActionCheckArgs {
    /// The Action's folder with its `action.toml`, or its file.
    #[arg(default_value = ".", value_name = "FOLDER|FILE")]
    pub path: PathBuf,
    /// How many events.
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    pub events: u64,
    /// What the events come from: the same seed makes the same ones.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// A secret for `event.secrets`. May be given again.
    #[arg(long = "secret", value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub secrets: Vec<(String, String)>,
    /// A secret for `actions.secrets` of an `actions:` module. May be given again.
    #[arg(long = "module-secret", value_name = "MODULE.NAME=VALUE", value_parser = module_secret)]
    pub module_secrets: Vec<ModuleSecret>,
    /// Print what was found as one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `action inspect`.
#[derive(Debug, Args)]
pub struct ActionInspectArgs {
    /// The Action's folder with its `action.toml`, or its file: a script (.js, .ts) or a component (.wasm).
    #[arg(default_value = ".", value_name = "FOLDER|FILE")]
    pub path: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

fn time(text: &str) -> Result<Timestamp, String> {
    parse_moment(text).ok_or_else(|| "expected a time, as 2026-01-15T09:00:00Z".to_owned())
}

/// Arguments of `action test`.
#[derive(Debug, Clone, Args)]
pub struct ActionTestArgs {
    /// The Action's folder.
    #[arg(default_value = ".")]
    pub folder: PathBuf,
    /// Only cases whose names have this in them.
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// Write what came out into the cases that are data, where it is not as expected.
    #[arg(long)]
    pub update: bool,
    /// Run again whenever a file of the folder changes.
    #[arg(long)]
    pub watch: bool,
    /// Say which lines of a script the cases ran.
    #[arg(long)]
    pub coverage: bool,
    /// Write a report as JUnit's XML, besides.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Print TAP 14.
    #[arg(long)]
    pub tap: bool,
}

/// Arguments of `action deploy`.
#[derive(Debug, Args)]
pub struct ActionDeployArgs {
    /// The Action's folder with its `action.toml`, or its file: a script (.js, .ts) or a component (.wasm).
    #[arg(default_value = ".", value_name = "FOLDER|FILE")]
    pub path: PathBuf,
    /// Whose it is: in the database of the configuration.
    #[arg(long, value_name = "NAME", conflicts_with = "url")]
    pub tenant: Option<String>,
    #[command(flatten)]
    pub remote: RemoteArgs,
    /// The Action's name in the tenant; of a folder, its name is the usual one. A new name is bound to the post-login
    /// trigger, after those that are there.
    #[arg(long)]
    pub name: Option<String>,
    /// A secret for `event.secrets`. May be given again.
    #[arg(long = "secret", value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub secrets: Vec<(String, String)>,
    /// A secret for `actions.secrets` of an `actions:` module that this deploys. May be given again.
    #[arg(long = "module-secret", value_name = "MODULE.NAME=VALUE", value_parser = module_secret)]
    pub module_secrets: Vec<ModuleSecret>,
    /// A host that its requests may go to, as api.example or *.example.com. May be given again; the Action reaches these
    /// and no others, also after the next deploy.
    #[arg(long = "allow-host", value_name = "HOST")]
    pub allowed_hosts: Vec<String>,
    /// Its requests may go to any public host, which is so for a new Action.
    #[arg(long, conflicts_with = "allowed_hosts")]
    pub allow_any_host: bool,
    /// Deploy it although it may do more than the version that is deployed.
    #[arg(long)]
    pub accept_permissions: bool,
    /// Print the deployed version as one JSON object.
    #[arg(long)]
    pub json: bool,
}
