//! `postern migrate`

use storage::{SchemaState, Storage};

use crate::config::Config;
use crate::exit_code::{ExitCode, Failure, OrExit};
use crate::render::Output;

/// Brings the schema up to date.
pub async fn run(config: &Config) -> Result<(), Failure> {
    let url = config.database.shown();
    let storage = Storage::open(&config.database.url)
        .await
        .or_exit(ExitCode::Database, format!("cannot open the database {url}"))?;
    let before = storage.check_schema().await.or_exit(ExitCode::Database, "cannot read the schema")?;
    let outcome = match before {
        SchemaState::Behind { pending } => {
            storage.migrate().await.or_exit(ExitCode::Database, "a migration failed")?;
            Ok(format!("{url}: {pending} migrations applied"))
        }
        SchemaState::Current => Ok(format!("{url}: nothing to do")),
        SchemaState::Ahead => Ok(format!("{url}: nothing to do; the schema is newer than this program")),
        SchemaState::Incompatible => Err(Failure::new(
            ExitCode::Database,
            format!("{url}: a newer version of postern has changed the schema: use that version"),
        )),
    };
    storage.close().await;
    Output::stdout().line(outcome?);
    Ok(())
}
