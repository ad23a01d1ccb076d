//! `cargo xtask`: the demo, the tests and the benchmarks, each as one command on a fresh machine.

mod bench;
mod clients;
mod declarations;
mod demo;
mod guests;
mod http;
mod packages;
mod postgres;
mod process;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Postern's chores.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Install what is missing, build, start a server and play the whole flow over real HTTP.
    Demo {
        /// End when the flow is over, instead of leaving the server up.
        #[arg(long)]
        exit: bool,
    },
    /// Install what is missing; check format, lints and every test.
    Test {
        /// Only `cargo test` with these arguments, with everything that the tests need: `-- --test e2e refresh`.
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Write what is made from tables of ours: the type declarations of `actions/sdk-js`.
    Generate,
    /// Measure everything in the release profile, on SQLite and PostgreSQL. Fails when a value was spent twice, an
    /// acknowledged answer was lost, or a statement reads more than it must.
    Bench {
        /// The same with small sizes; an hour becomes minutes.
        #[arg(long)]
        quick: bool,
        /// One JSON object on standard output, and no table.
        #[arg(long)]
        json: bool,
    },
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Demo { exit } => process::block_on(demo::run(exit)),
        Command::Test { arguments } => test::run(&arguments),
        Command::Generate => declarations::run(),
        Command::Bench { quick, json } => bench::run(quick, json),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            process::note(&format!("xtask: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
