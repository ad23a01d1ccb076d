//! `postern migrate`

use storage::{SchemaState, Storage};

use crate::config::Config;
use crate::exit_code::{ExitCode, Failure, OrExit};
use crate::render::Output;

/// Brings the schema up to date.
pub async fn run(config: &Config) -> Result<(), Failure> {
    let url = &config.database.url;
    let storage =
        Storage::open(url).await.or_exit(ExitCode::Database, format!("cannot open the database {url}"))?;
    let before = storage.check_schema().await.or_exit(ExitCode::Database, "cannot read the schema")?;
    storage.migrate().await.or_exit(ExitCode::Database, "the migration failed; nothing was changed")?;
    storage.close().await;
    let output = Output::stdout();
    match before {
        SchemaState::Behind { pending } => output.line(format!("{url}: {pending} migrations applied")),
        SchemaState::Current | SchemaState::Ahead => output.line(format!("{url}: nothing to do")),
    }
    Ok(())
}
