//! The program `postern`: an OAuth 2.0 / OpenID Connect authorization server whose post-login decisions are made by
//! tenants' own Actions in WebAssembly.
//!
//! Everything it does is in the other crates; here it is configured, wired together and shown to people.

mod cli;
mod commands;
mod config;
mod delivery;
mod encryption;
mod exit_code;
mod kit;
mod remote;
mod render;
mod telemetry;
mod wiring;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::exit_code::{ExitCode, Failure};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    let cli = Cli::parse();
    if let Command::CompileComponent(args) = &cli.command {
        let code = action_runtime::compile_in_this_child(args.cpu_seconds, args.memory_bytes);
        return std::process::ExitCode::from(code);
    }
    let outcome = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => {
            let telemetry = telemetry::start(&cli, runtime.handle());
            let outcome = runtime.block_on(commands::run(cli));
            telemetry.stop();
            outcome
        }
        Err(error) => Err(Failure::new(ExitCode::Failed, format!("cannot start the async runtime: {error}"))),
    };
    let code = match outcome {
        Ok(()) => ExitCode::Ok,
        Err(failure) => {
            if let Some(error) = &failure.error {
                render::error(error);
            }
            failure.code
        }
    };
    std::process::ExitCode::from(code as u8)
}
