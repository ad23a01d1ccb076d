//! `postern tenant`

use idp::manage::{tenant_as_json, update_tenant};
use idp::management_api::STORED_AUDIENCE;
use model::{SessionSettings, Tenant, TenantFlags, TenantId};
use serde_json::{Value, json};

use crate::cli::TenantCommand;
use crate::commands::patch;
use crate::config::Config;
use crate::exit_code::{ExitCode, Failure, OrExit};
use crate::render::{Output, escape};
use crate::wiring::{Schema, existing_tenant, open_idp, open_storage};

/// What the client of a new tenant is called.
const MANAGEMENT_CLIENT: &str = "Management";

/// Creates or lists tenants.
pub async fn run(config: &Config, command: TenantCommand) -> Result<(), Failure> {
    match command {
        TenantCommand::Create { name, friendly_name, json } => {
            create(config, name, friendly_name, json).await
        }
        TenantCommand::List => list(config).await,
        TenantCommand::Show { name } => show(config, &name).await,
        TenantCommand::Update { name, patch } => update(config, &name, &patch).await,
    }
}

async fn create(
    config: &Config,
    name: String,
    friendly_name: Option<String>,
    json: bool,
) -> Result<(), Failure> {
    let good = (1..=63).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-');
    if !good {
        let text = "a tenant's name is a label of a host name: lower-case letters, digits and inner hyphens, at most 63";
        return Err(Failure::new(ExitCode::Usage, text));
    }
    let (idp, _) = open_idp(config, Schema::CreateOnly).await?;
    let id = TenantId::new(name);
    let there = idp.storage.tenant(&id).await.or_exit(ExitCode::Database, "cannot read the tenants")?;
    if there.is_some() {
        return Err(Failure::new(ExitCode::Failed, format!("there is a tenant {id} already")));
    }
    let tenant = Tenant {
        friendly_name: friendly_name.unwrap_or_else(|| id.to_string()),
        id,
        default_audience: None,
        allowed_logout_urls: Vec::new(),
        sessions: SessionSettings::default(),
        flags: TenantFlags::default(),
        created_at: idp.now(),
        settings_version: 0,
    };
    idp::manage::create_tenant(&idp, &tenant)
        .await
        .or_exit(ExitCode::Failed, "the tenant was not created")?;
    let client = idp::manage::create_management_client(&idp, &tenant.id, MANAGEMENT_CLIENT)
        .await
        .or_exit(ExitCode::Failed, "the tenant has no client for its Management API")?;
    idp.storage.close().await;
    let (output, issuer) = (Output::stdout(), issuer(config, &tenant.id));
    if json {
        output.json(&json!({
            "tenant": tenant.id,
            "issuer": issuer,
            "management_client": {
                "client_id": client.client_id,
                "client_secret": client.client_secret,
                "audience": format!("{issuer}{STORED_AUDIENCE}"),
            },
        }));
        return Ok(());
    }
    output.line(format!("{} answers at {issuer}", tenant.id));
    output.line("\nThe client that manages it. Its secret is shown this once:\n");
    let row = |name: &str, value: &str| vec![name.to_owned(), value.to_owned()];
    output.table(&[
        row("client_id", client.client_id.as_str()),
        row("client_secret", &client.client_secret),
        row("audience", &format!("{issuer}{STORED_AUDIENCE}")),
    ]);
    Ok(())
}

async fn list(config: &Config) -> Result<(), Failure> {
    let storage = open_storage(config, Schema::MustExist).await?;
    let tenants = storage.tenants().await.or_exit(ExitCode::Database, "cannot read the tenants")?;
    let rows: Vec<_> = tenants
        .iter()
        .map(|tenant| {
            vec![tenant.id.to_string(), issuer(config, &tenant.id), escape(&tenant.friendly_name, false)]
        })
        .collect();
    Output::stdout().table(&rows);
    Ok(())
}

async fn show(config: &Config, name: &str) -> Result<(), Failure> {
    let storage = open_storage(config, Schema::MustExist).await?;
    let id = existing_tenant(&storage, name).await?;
    let cannot_read = "cannot read the tenant";
    let mut tx = storage.begin_read(&id).await.or_exit(ExitCode::Database, cannot_read)?;
    if let Some((tenant, profile)) = tx.tenant().await.or_exit(ExitCode::Database, cannot_read)? {
        let object = tenant_as_json(&tenant, &profile).or_exit(ExitCode::Failed, "it cannot be shown")?;
        Output::stdout().json(&Value::Object(object));
    }
    Ok(())
}

async fn update(config: &Config, name: &str, patch: &str) -> Result<(), Failure> {
    let patch = patch::read(patch)?;
    let (idp, _) = open_idp(config, Schema::MustExist).await?;
    let id = existing_tenant(&idp.storage, name).await?;
    let tenant =
        update_tenant(&idp, &id, &patch).await.or_exit(ExitCode::Failed, "the tenant was not changed")?;
    idp.storage.close().await;
    Output::stdout().json(&Value::Object(tenant));
    Ok(())
}

/// A tenant's address at the base domain.
pub fn issuer(config: &Config, tenant: &TenantId) -> String {
    format!("{}://{tenant}.{}/", config.server.scheme.as_str(), config.server.base_domain)
}
