//! `postern man` and `postern completions`: from the command line's own definition.

use std::io::Write;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::exit_code::{ExitCode, Failure, OrExit};

const PROGRAM: &str = "postern";

/// Writes the manual's pages.
pub fn pages(folder: &Path) -> Result<(), Failure> {
    let write = || {
        std::fs::create_dir_all(folder)?;
        clap_mangen::generate_to(Cli::command(), folder)
    };
    write().or_exit(ExitCode::Failed, format!("cannot write the manual into {}", folder.display()))
}

/// Prints the completions.
pub fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), PROGRAM, &mut script);
    std::io::stdout().write_all(&script).or_exit(ExitCode::Failed, "cannot print the completions")
}
