//! `postern client`

use idp::manage::{client_as_json, update_client};
use model::{AppType, ClientId};
use serde_json::Value;

use crate::cli::ClientCommand;
use crate::commands::patch;
use crate::config::Config;
use crate::exit_code::{ExitCode, Failure, OrExit};
use crate::render::{Output, escape};
use crate::wiring::{Schema, existing_tenant, open_idp, open_storage};

/// Lists, shows or changes clients.
pub async fn run(config: &Config, command: &ClientCommand) -> Result<(), Failure> {
    match command {
        ClientCommand::List { tenant } => list(config, tenant).await,
        ClientCommand::Show { client_id, tenant } => show(config, client_id, tenant).await,
        ClientCommand::Update { client_id, tenant, patch } => update(config, client_id, tenant, patch).await,
    }
}

async fn list(config: &Config, tenant: &str) -> Result<(), Failure> {
    let database = ExitCode::Database;
    let storage = open_storage(config, Schema::MustExist).await?;
    let tenant = existing_tenant(&storage, tenant).await?;
    let mut tx = storage.begin_read(&tenant).await.or_exit(database, "cannot read")?;
    let clients = tx.clients().await.or_exit(database, "cannot read the clients")?;
    let rows: Vec<_> = clients
        .iter()
        .map(|client| {
            vec![
                client.client_id.to_string(),
                escape(&client.name, false),
                match client.app_type {
                    AppType::Unspecified => String::new(),
                    known => known.as_str().to_owned(),
                },
                client.grant_types.join(" "),
            ]
        })
        .collect();
    Output::stdout().table(&rows);
    Ok(())
}

async fn show(config: &Config, client_id: &str, tenant: &str) -> Result<(), Failure> {
    let database = ExitCode::Database;
    let storage = open_storage(config, Schema::MustExist).await?;
    let tenant = existing_tenant(&storage, tenant).await?;
    let mut tx = storage.begin_read(&tenant).await.or_exit(database, "cannot read")?;
    let client = tx.managed_client(&ClientId::new(client_id)).await;
    let client = client
        .or_exit(database, "cannot read the client")?
        .ok_or_else(|| Failure::new(ExitCode::Failed, format!("there is no client {client_id:?}")))?;
    let object = client_as_json(&tenant, &client).or_exit(ExitCode::Failed, "the client cannot be shown")?;
    Output::stdout().json(&Value::Object(object));
    Ok(())
}

async fn update(config: &Config, client_id: &str, tenant: &str, patch: &str) -> Result<(), Failure> {
    let patch = patch::read(patch)?;
    let (idp, _) = open_idp(config, Schema::MustExist).await?;
    let tenant = existing_tenant(&idp.storage, tenant).await?;
    let changed = update_client(&idp, &tenant, &ClientId::new(client_id), &patch).await;
    let client = changed.or_exit(ExitCode::Failed, "the client was not changed")?;
    idp.storage.close().await;
    Output::stdout().json(&Value::Object(client));
    Ok(())
}
