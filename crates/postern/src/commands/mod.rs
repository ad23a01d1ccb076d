//! One module for each subcommand.

mod action;
mod client;
mod demo_tenant;
mod dev;
mod directory;
mod doctor;
mod keys;
mod logs;
mod logs_tail;
mod manual;
mod migrate;
mod patch;
mod refresh_token;
mod serve;
mod session;
mod tenant;
mod user;

use crate::cli::{Cli, Command, LogsArgs, LogsCommand};
use crate::config::Config;
use crate::exit_code::{ExitCode, Failure, OrExit};

/// Does what the command line asks for.
pub async fn run(cli: Cli) -> Result<(), Failure> {
    let file = cli.config.as_deref();
    let config = || Config::load(file).or_exit(ExitCode::Configuration, "the configuration is wrong");
    match cli.command {
        Command::Serve => serve::run(config()?).await,
        Command::Dev(args) => dev::run(&args).await,
        Command::Action(command) => action::run(&config()?, command).await,
        Command::Keys(command) => keys::run(&config()?, &command).await,
        Command::Tenant(command) => tenant::run(&config()?, command).await,
        Command::Client(command) => client::run(&config()?, &command).await,
        Command::Organization(command) => directory::organization(&config()?, command).await,
        Command::Group(command) => directory::group(&config()?, command).await,
        Command::Role(command) => directory::role(&config()?, command).await,
        Command::User(command) => user::run(&config()?, &command).await,
        Command::Session(command) => session::run(&config()?, &command).await,
        Command::RefreshToken(command) => refresh_token::run(&config()?, &command).await,
        Command::Logs(LogsArgs { command: Some(LogsCommand::Tail(args)), .. }) => {
            logs_tail::run(config, &args).await
        }
        Command::Logs(args) => logs::run(&config()?, &args).await,
        Command::Migrate => migrate::run(&config()?).await,
        Command::Doctor => doctor::run(file).await,
        Command::Man { folder } => manual::pages(&folder),
        Command::Completions { shell } => manual::completions(shell),
        Command::CompileComponent(_) => Err(Failure::new(ExitCode::Usage, "it is no command for people")),
    }
}
