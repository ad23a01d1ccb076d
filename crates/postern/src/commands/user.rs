//! `postern user`

use idp::manage::{self, NewUser, Span, UserSearch, remove_factors};
use model::{Timestamp, UserId};

use crate::cli::{FactorsCommand, UserCommand};
use crate::commands::patch;
use crate::config::Config;
use crate::exit_code::{ExitCode, Failure, OrExit};
use crate::render::{Output, escape};
use crate::wiring::{Schema, existing_tenant, open_idp, open_storage};

const NOT_CHANGED: &str = "nothing was changed";

/// Lists, shows, changes or removes users, and their second factors.
pub async fn run(config: &Config, command: &UserCommand) -> Result<(), Failure> {
    match command {
        UserCommand::List { tenant, search, limit } => {
            list_users(config, tenant, search.as_deref(), *limit).await
        }
        UserCommand::Show { id, tenant } => {
            let (idp, _) = open_idp(config, Schema::MustExist).await?;
            let tenant = existing_tenant(&idp.storage, tenant).await?;
            let user = manage::get_user(&idp, &tenant, &UserId::new(id)).await;
            let user = user.or_exit(ExitCode::Failed, "cannot show the user")?;
            idp.storage.close().await;
            Output::stdout().json(&user);
            Ok(())
        }
        UserCommand::Create { tenant, user } => {
            let new: NewUser = patch::parse(user)?;
            let (idp, _) = open_idp(config, Schema::MustExist).await?;
            let tenant = existing_tenant(&idp.storage, tenant).await?;
            let made =
                manage::create_user(&idp, &tenant, new).await.or_exit(ExitCode::Failed, NOT_CHANGED)?;
            let made = manage::get_user(&idp, &tenant, &made.user_id).await;
            let made = made.or_exit(ExitCode::Failed, "cannot show the user")?;
            idp.storage.close().await;
            Output::stdout().json(&made);
            Ok(())
        }
        UserCommand::Update { id, tenant, patch } => {
            let changes = patch::parse(patch)?;
            let (idp, _) = open_idp(config, Schema::MustExist).await?;
            let tenant = existing_tenant(&idp.storage, tenant).await?;
            let changed = manage::update_user(&idp, &tenant, &UserId::new(id), changes).await;
            let changed = changed.or_exit(ExitCode::Failed, NOT_CHANGED)?;
            idp.storage.close().await;
            Output::stdout().json(&changed);
            Ok(())
        }
        UserCommand::Delete { id, tenant } => {
            let (idp, _) = open_idp(config, Schema::MustExist).await?;
            let tenant = existing_tenant(&idp.storage, tenant).await?;
            let deleted = manage::delete_user(&idp, &tenant, &UserId::new(id)).await;
            deleted.or_exit(ExitCode::Failed, NOT_CHANGED)?;
            idp.storage.close().await;
            Ok(())
        }
        UserCommand::Factors(FactorsCommand::List { user, tenant }) => list(config, user, tenant).await,
        UserCommand::Factors(FactorsCommand::Remove { user, tenant }) => remove(config, user, tenant).await,
    }
}

async fn list_users(config: &Config, tenant: &str, search: Option<&str>, limit: u16) -> Result<(), Failure> {
    let (idp, _) = open_idp(config, Schema::MustExist).await?;
    let tenant = existing_tenant(&idp.storage, tenant).await?;
    let search = UserSearch { query: search, ..UserSearch::default() };
    let span = Span { limit: i64::from(limit), ..Span::ALL };
    let users = manage::list_users(&idp, &tenant, search, span).await.or_exit(ExitCode::Failed, "no list")?;
    idp.storage.close().await;
    let mut rows = vec![["user", "address", "name", "last login"].map(str::to_owned).to_vec()];
    rows.extend(users.rows.into_iter().map(|user| {
        vec![
            escape(user.user_id.as_str(), false),
            escape(&user.email.unwrap_or_default(), false),
            escape(&user.name.unwrap_or_default(), false),
            user.last_login.unwrap_or_default(),
        ]
    }));
    Output::stdout().table(&rows);
    Ok(())
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
