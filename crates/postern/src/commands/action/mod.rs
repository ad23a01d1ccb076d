//! `postern action ...`: what an Action's author does.

mod check;
mod deploy;
mod deploy_remote;
mod diff;
mod inspect;
mod logs;
mod module_store;
mod modules;
mod new;
mod permissions;
mod run;
mod test;
mod versions;

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
        ActionCommand::Deploy(args) => match &args.tenant {
            Some(tenant) => deploy::run(config, tenant, &args).await,
            None => deploy_remote::run(config, &args).await,
        },
        ActionCommand::Versions(args) => versions::list(&args).await,
        ActionCommand::Rollback(args) => versions::rollback(&args).await,
        ActionCommand::Diff(args) => diff::run(&args).await,
        ActionCommand::Logs(args) => logs::run(&args).await,
    }
}
