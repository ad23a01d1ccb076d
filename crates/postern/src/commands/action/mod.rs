//! `postern action ...`: what an Action's author does.

mod check;
mod deploy;
mod inspect;
mod new;
mod permissions;
mod run;
mod test;

pub use deploy::build;

use crate::cli::action::ActionCommand;
use crate::config::Config;
use crate::exit_code::Failure;

/// Does what the command line asks for.
pub async fn run(config: &Config, command: ActionCommand) -> Result<(), Failure> {
    match command {
        ActionCommand::New(args) => new::run(&args),
        ActionCommand::Run(args) => run::run(config, &args).await,
        ActionCommand::Check(args) => check::run(config, &args).await,
        ActionCommand::Inspect(args) => inspect::run(config, &args).await,
        ActionCommand::Test(args) => test::run(config, &args).await,
        ActionCommand::Deploy(args) => deploy::run(config, &args).await,
    }
}
