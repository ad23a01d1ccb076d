//! `postern user`

use idp::manage::remove_factors;
use model::{Timestamp, UserId};

use crate::cli::{FactorsCommand, UserCommand};
use crate::config::Config;
use crate::exit_code::{ExitCode, Failure, OrExit};
use crate::render::Output;
use crate::wiring::{Schema, existing_tenant, open_idp, open_storage};

/// Lists or removes users' second factors.
pub async fn run(config: &Config, command: &UserCommand) -> Result<(), Failure> {
    match command {
        UserCommand::Factors(FactorsCommand::List { user, tenant }) => list(config, user, tenant).await,
        UserCommand::Factors(FactorsCommand::Remove { user, tenant }) => remove(config, user, tenant).await,
    }
}

async fn list(config: &Config, user: &str, tenant: &str) -> Result<(), Failure> {
    let database = ExitCode::Database;
    let storage = open_storage(config, Schema::MustExist).await?;
    let tenant = existing_tenant(&storage, tenant).await?;
    let mut tx = storage.begin_read(&tenant).await.or_exit(database, "cannot read")?;
    let factors = tx.authenticators_of(&UserId::new(user)).await;
    let factors = factors.or_exit(database, "cannot read the factors")?;
    let iso = |moment: Option<Timestamp>| moment.map(Timestamp::to_iso);
    let mut rows = vec![["factor", "id", "enrolled", "last used"].map(str::to_owned).to_vec()];
    rows.extend(factors.iter().map(|known| {
        vec![
            known.factor.as_str().to_owned(),
            known.id.to_string(),
            iso(known.confirmed_at).unwrap_or_else(|| "begun, not confirmed".to_owned()),
            iso(known.last_used_at).unwrap_or_default(),
        ]
    }));
    Output::stdout().table(&rows);
    Ok(())
}

async fn remove(config: &Config, user: &str, tenant: &str) -> Result<(), Failure> {
    let (idp, _) = open_idp(config, Schema::MustExist).await?;
    let tenant = existing_tenant(&idp.storage, tenant).await?;
    let removed = remove_factors(&idp, &tenant, &UserId::new(user)).await;
    let removed = removed.or_exit(ExitCode::Failed, "nothing was removed")?;
    idp.storage.close().await;
    let names: Vec<_> = removed.iter().map(|factor| factor.as_str()).collect();
    match names.is_empty() {
        false => Output::stdout().line(format!("removed: {}", names.join(", "))),
        true => Output::stdout().line("the user has no second factor"),
    }
    if names.is_empty() { Err(Failure::shown(ExitCode::Failed)) } else { Ok(()) }
}
