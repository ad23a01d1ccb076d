//! Traces: for people on a terminal, JSON otherwise. Both on standard error, so that standard output is only answers.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::cli::Cli;

/// Starts the process's trace subscriber. `RUST_LOG` overrides the level.
pub fn start(cli: &Cli) {
    let default = if cli.command.is_server() { "info" } else { "warn" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        builder.with_target(false).init();
    } else {
        builder.json().flatten_event(true).init();
    }
}
