//! The command line.

pub mod action;
pub mod directory;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::cli::action::{ActionCommand, RemoteArgs};
use crate::cli::directory::{GroupCommand, OrganizationCommand, RoleCommand};
use crate::exit_code;

const EXAMPLES: &str = "\
Examples:
  postern dev                                            a server to try things on, with a demo tenant
  postern action run my-action.js --event event.json     what would this Action decide? (no server needed)
  postern action deploy my-action.js --tenant acme --name my-action
  postern serve --config /etc/postern.toml               the real thing
  postern logs --tenant acme                             what happened, newest first

Configuration: a TOML file and environment variables POSTERN_SECTION__KEY, as
  POSTERN_SERVER__LISTEN=127.0.0.1:8080
`postern doctor` checks it all and says what is wrong.
";

/// An OAuth 2.0 / OpenID Connect authorization server whose post-login decisions are made by tenants' own Actions, run
/// in WebAssembly, a fresh sandbox for every login.
#[derive(Debug, Parser)]
#[command(version, after_help = format!("{EXAMPLES}\n{}", exit_code::HELP))]
pub struct Cli {
    /// The configuration file. Without it, ./postern.toml when it is there, and the defaults.
    #[arg(long, global = true, env = "POSTERN_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve all tenants of the database.
    Serve,
    /// Serve on loopback with a demo tenant: clients, an API, a user and one deployed Action.
    Dev(DevArgs),
    /// Write, run, test and deploy Actions.
    #[command(subcommand)]
    Action(ActionCommand),
    /// A tenant's signing keys.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Tenants.
    #[command(subcommand)]
    Tenant(TenantCommand),
    /// A tenant's clients ("applications").
    #[command(subcommand)]
    Client(ClientCommand),
    /// A tenant's organizations and their members.
    #[command(subcommand)]
    Organization(OrganizationCommand),
    /// A tenant's groups of users.
    #[command(subcommand)]
    Group(GroupCommand),
    /// A tenant's roles, and its users' roles.
    #[command(subcommand)]
    Role(RoleCommand),
    /// A tenant's users.
    #[command(subcommand)]
    User(UserCommand),
    /// Browser sessions.
    #[command(subcommand)]
    Session(SessionCommand),
    /// Refresh tokens, by the ids that the tenant's log names.
    #[command(subcommand)]
    RefreshToken(RefreshTokenCommand),
    /// Show a tenant's log and the runs of its Actions, newest first.
    #[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
    Logs(LogsArgs),
    /// Bring the database's schema up to date. Creates the SQLite database when there is none.
    Migrate,
    /// Check the configuration, the database, the keys and the files that they name.
    Doctor,
    /// Write the manual's pages into a folder: one for each command, as `postern-action-run.1`.
    Man {
        /// It is made when it is not there.
        folder: PathBuf,
    },
    /// Print the completions of a shell: bash, elvish, fish, powershell or zsh.
    #[command(after_help = "\
Examples:
  postern completions bash > /usr/share/bash-completion/completions/postern
  postern completions fish > ~/.config/fish/completions/postern.fish")]
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// The child process in which components are compiled: a component on standard input, its code on standard output.
    #[command(hide = true)]
    CompileComponent(CompileComponentArgs),
}

impl Command {
    /// Whether the command keeps running and logs what it does.
    pub fn is_server(&self) -> bool {
        matches!(self, Self::Serve | Self::Dev(_))
    }
}

/// What the child process may take.
#[derive(Debug, Args)]
pub struct CompileComponentArgs {
    /// Seconds of a processor.
    pub cpu_seconds: u64,
    /// Bytes of address space.
    pub memory_bytes: u64,
}

impl CompileComponentArgs {
    /// The subcommand.
    pub const NAME: &str = "compile-component";
}

/// Arguments of `dev`.
#[derive(Debug, Args)]
pub struct DevArgs {
    /// The port on 127.0.0.1. The demo tenant answers at http://demo.localhost:PORT/ and http://localhost:PORT/.
    #[arg(long, default_value_t = 3000)]
    pub port: u16,
    /// The port at which the demo's web application is expected; its callback URL is registered.
    #[arg(long, default_value_t = 3001)]
    pub web_app_port: u16,
    /// The folder of the database, the keys and the demo's credentials.
    #[arg(long, default_value = ".postern-dev", value_name = "FOLDER")]
    pub dir: PathBuf,
    /// Use a temporary folder that is removed at the end.
    #[arg(long, conflicts_with = "dir")]
    pub ephemeral: bool,
    /// Serve https, with a certificate of a local CA that is made in the folder at the first such start, and say how other
    /// tools come to trust it.
    #[arg(long)]
    pub tls: bool,
    /// Print one JSON object with all addresses and credentials of the demo on standard output, when ready.
    #[arg(long)]
    pub print_json: bool,
}

/// `keys ...`
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Sign with the next key from now on. The key before stays published until its last token has ended.
    Rotate {
        /// Whose keys.
        #[arg(long, value_name = "NAME")]
        tenant: String,
    },
}

/// `tenant ...`
#[derive(Debug, Subcommand)]
pub enum TenantCommand {
    /// Create a tenant with its signing keys, a database of users and a client for its Management API, whose secret is shown once.
    Create {
        /// Lower-case letters, digits and hyphens: the first label of its host name.
        name: String,
        /// What its pages call it. Without it, the name.
        #[arg(long)]
        friendly_name: Option<String>,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// List the tenants.
    List,
    /// Print a tenant's settings as one JSON object, with the names of the Management API.
    Show {
        /// Which tenant.
        name: String,
    },
    /// Change a tenant's settings by a partial object. What it does not name stays; null puts the default back.
    #[command(after_help = "\
Examples:
  postern tenant update acme '{\"session_lifetime\": 24, \"idle_session_lifetime_in_minutes\": 30}'
  postern tenant update acme '{\"factors\": {\"otp\": true, \"recovery-code\": true}}'
  postern tenant update acme @settings.json")]
    Update {
        /// Which tenant.
        name: String,
        /// A JSON object; @FILE reads it from a file, - from standard input.
        #[arg(value_name = "JSON")]
        patch: String,
    },
}

/// `client ...`
#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    /// List the tenant's clients.
    List {
        /// Whose clients.
        #[arg(long, value_name = "NAME")]
        tenant: String,
    },
    /// Print a client as one JSON object, with the names of the Management API.
    Show {
        /// Which client.
        #[arg(allow_hyphen_values = true)]
        client_id: String,
        /// Whose client.
        #[arg(long, value_name = "NAME")]
        tenant: String,
    },
    /// Change a client by a partial object. What it does not name stays; null puts the default back.
    #[command(after_help = "\
Examples:
  postern client update my-app --tenant acme '{\"session_transfer\": {\"can_create_session_transfer_token\": true}}'
  postern client update my-site --tenant acme '{\"session_transfer\": {\"allowed_authentication_methods\": [\"cookie\"]}}'")]
    Update {
        /// Which client.
        #[arg(allow_hyphen_values = true)]
        client_id: String,
        /// Whose client.
        #[arg(long, value_name = "NAME")]
        tenant: String,
        /// A JSON object; @FILE reads it from a file, - from standard input.
        #[arg(value_name = "JSON")]
        patch: String,
    },
}

/// `user ...`
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// List or search users, by id.
    #[command(after_help = "\
Example:
  postern user list --tenant acme --search 'email:\"ann@acme.test\" OR app_metadata.plan:gold'")]
    List {
        /// Whose users.
        #[arg(long, value_name = "NAME")]
        tenant: String,
        /// What must hold of them, as the Management API's parameter `q` takes it.
        #[arg(long, value_name = "QUERY")]
        search: Option<String>,
        /// How many.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: u16,
    },
    /// Print a user as one JSON object, with the names of the Management API.
    Show {
        /// As `auth0|...`: the `sub` of tokens.
        id: String,
        /// Whose user.
        #[arg(long, value_name = "NAME")]
        tenant: String,
    },
    /// Create a user.
    #[command(after_help = "\
Example:
  postern user create --tenant acme @ann.json      # {\"email\": \"ann@acme.test\", \"password\": \"...\"}")]
    Create {
        /// Whose user.
        #[arg(long, value_name = "NAME")]
        tenant: String,
        /// A JSON object; @FILE reads it from a file, - from standard input.
        #[arg(value_name = "JSON")]
        user: String,
    },
    /// Change a user by a partial object. What it does not name stays; metadata are merged. A new password ends all that the
    /// old one opened.
    #[command(after_help = "\
Example:
  postern user update 'auth0|5f7c8ec7c33c6c004bbafe82' --tenant acme '{\"blocked\": true}'")]
    Update {
        /// As `auth0|...`: the `sub` of tokens.
        id: String,
        /// Whose user.
        #[arg(long, value_name = "NAME")]
        tenant: String,
        /// A JSON object; @FILE reads it from a file, - from standard input.
        #[arg(value_name = "JSON")]
        patch: String,
    },
    /// Remove a user, and end all that is theirs.
    Delete {
        /// As `auth0|...`: the `sub` of tokens.
        id: String,
        /// Whose user.
        #[arg(long, value_name = "NAME")]
        tenant: String,
    },
    /// Second factors: authenticator apps and recovery codes.
    #[command(subcommand)]
    Factors(FactorsCommand),
}

/// `user factors ...`
#[derive(Debug, Subcommand)]
pub enum FactorsCommand {
    /// List a user's second factors.
    List {
        /// As `auth0|...`: the `sub` of tokens.
        #[arg(long, value_name = "USER_ID")]
        user: String,
        /// Whose user.
        #[arg(long, value_name = "NAME")]
        tenant: String,
    },
    /// Remove all second factors of a user who has lost them, with the count of wrong codes: they enrol anew at the next
    /// login that asks for one. Make sure that it is the user who asks.
    Remove {
        /// As `auth0|...`: the `sub` of tokens.
        #[arg(long, value_name = "USER_ID")]
        user: String,
        /// Whose user.
        #[arg(long, value_name = "NAME")]
        tenant: String,
    },
}

/// `session ...`
#[derive(Debug, Subcommand)]
pub enum SessionCommand {
    /// Show a session: when it ends, and what it was made from.
    Show {
        /// The `sid` of an ID token. It may begin with a hyphen.
        #[arg(allow_hyphen_values = true)]
        id: String,
        /// Whose session.
        #[arg(long, value_name = "NAME")]
        tenant: String,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// List a user's living sessions, newest first.
    List {
        /// As `auth0|...`: the `sub` of tokens.
        #[arg(long, value_name = "USER_ID")]
        user: String,
        /// Whose user.
        #[arg(long, value_name = "NAME")]
        tenant: String,
    },
    /// Change what may be changed of a session: its metadata, which Actions and logout tokens see.
    #[command(after_help = "\
Example:
  postern session update 3WlU2eV0 --tenant acme '{\"session_metadata\": {\"kiosk\": \"7\"}}'")]
    Update {
        /// The `sid` of an ID token. It may begin with a hyphen.
        #[arg(allow_hyphen_values = true)]
        id: String,
        /// Whose session.
        #[arg(long, value_name = "NAME")]
        tenant: String,
        /// A JSON object with what changes, `@FILE`, or `-` for standard input.
        #[arg(value_name = "JSON")]
        patch: String,
    },
    /// End a session, or all of a user, with the refresh tokens that were issued in them and what was made from those.
    #[command(after_help = "\
Examples:
  postern session revoke 3WlU2eV0 --tenant acme
  postern session revoke --user 'auth0|5f7c8ec7c33c6c004bbafe82' --tenant acme --preserve-refresh-tokens")]
    Revoke {
        /// The `sid` of an ID token. It may begin with a hyphen.
        #[arg(allow_hyphen_values = true, required_unless_present = "user", conflicts_with = "user")]
        id: Option<String>,
        /// All sessions of this user, and all of their refresh tokens.
        #[arg(long, value_name = "USER_ID")]
        user: Option<String>,
        /// Whose session.
        #[arg(long, value_name = "NAME")]
        tenant: String,
        /// Refresh tokens live on, but for those that are bound to a session.
        #[arg(long)]
        preserve_refresh_tokens: bool,
    },
}

/// `refresh-token ...`
#[derive(Debug, Subcommand)]
pub enum RefreshTokenCommand {
    /// List a user's living refresh tokens, newest first. Online ones are their sessions'.
    List {
        /// As `auth0|...`: the `sub` of tokens.
        #[arg(long, value_name = "USER_ID")]
        user: String,
        /// Whose user.
        #[arg(long, value_name = "NAME")]
        tenant: String,
    },
    /// Show a refresh token as one JSON object: whose it is, what it is for, when it ends.
    Show {
        /// Its id, as `rt_...`; not the secret.
        id: String,
        /// Whose refresh token.
        #[arg(long, value_name = "NAME")]
        tenant: String,
    },
    /// Change what may be changed of a refresh token: its metadata, which Actions see.
    #[command(after_help = "\
Example:
  postern refresh-token update rt_5f7c8ec7 --tenant acme '{\"refresh_token_metadata\": {\"device\": \"blue\"}}'")]
    Update {
        /// Its id, as `rt_...`; not the secret.
        id: String,
        /// Whose refresh token.
        #[arg(long, value_name = "NAME")]
        tenant: String,
        /// A JSON object with what changes, `@FILE`, or `-` for standard input.
        #[arg(value_name = "JSON")]
        patch: String,
    },
    /// End a refresh token, or all of a user but the online ones, with the sessions that were made from them.
    Revoke {
        /// Its id, as `rt_...`; not the secret.
        #[arg(required_unless_present = "user", conflicts_with = "user")]
        id: Option<String>,
        /// All refresh tokens of this user.
        #[arg(long, value_name = "USER_ID")]
        user: Option<String>,
        /// Whose refresh token.
        #[arg(long, value_name = "NAME")]
        tenant: String,
    },
}

/// Arguments of `logs`.
#[derive(Debug, Args)]
pub struct LogsArgs {
    /// Instead.
    #[command(subcommand)]
    pub command: Option<LogsCommand>,
    /// Whose log.
    #[arg(long, value_name = "NAME", required = true)]
    pub tenant: Option<String>,
    /// How many entries.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub limit: u16,
    /// Print one JSON object: `logs` and `executions`, newest first.
    #[arg(long)]
    pub json: bool,
}

/// `logs ...`
#[derive(Debug, Subcommand)]
pub enum LogsCommand {
    /// Print the log as it is written, until ctrl-c.
    #[command(after_help = "\
Examples:
  postern logs tail --tenant acme                        by the database of the configuration
  POSTERN_URL=https://acme.example POSTERN_TOKEN=... postern logs tail       by a server's Management API")]
    Tail(LogsTailArgs),
}

/// Arguments of `logs tail`.
#[derive(Debug, Args)]
pub struct LogsTailArgs {
    /// Whose log, by the database. Without it, by a server's Management API.
    #[arg(long, value_name = "NAME", conflicts_with = "url")]
    pub tenant: Option<String>,
    /// Which server.
    #[command(flatten)]
    pub remote: RemoteArgs,
    /// Begin with what was written after this entry.
    #[arg(long, value_name = "LOG_ID")]
    pub from: Option<String>,
    /// Print each entry as one JSON object on a line.
    #[arg(long)]
    pub json: bool,
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent_and_its_help_lists_the_exit_codes() {
        Cli::command().debug_assert();
        let help = Cli::command().render_help().to_string();
        for text in ["Exit codes:", "Examples:", "action", "doctor"] {
            assert!(help.contains(text), "{text}\n{help}");
        }
    }

    #[test]
    fn a_secret_keeps_what_follows_the_first_equals_sign() {
        assert_eq!(name_and_value("A=b=c"), Ok(("A".into(), "b=c".into())));
        assert!(name_and_value("=b").is_err());
        assert!(name_and_value("A").is_err());
    }

    #[test]
    fn a_session_id_may_begin_with_a_hyphen() {
        let line = ["postern", "session", "show", "-Fxy", "--tenant", "demo", "--json"];
        let command = Cli::try_parse_from(line).map(|cli| cli.command);
        assert!(
            matches!(command, Ok(Command::Session(SessionCommand::Show { ref id, json: true, .. })) if id == "-Fxy")
        );
    }
}
