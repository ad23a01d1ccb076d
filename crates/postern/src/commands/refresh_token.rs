//! `postern refresh-token`

use idp::manage::{RefreshTokenSelector, revoke_refresh_tokens, update_refresh_token};
use model::{RefreshToken, RefreshTokenId, Timestamp, UserId};
use serde_json::json;

use crate::cli::RefreshTokenCommand;
use crate::commands::patch;
use crate::config::Config;
use crate::exit_code::{ExitCode, Failure, OrExit};
use crate::render::Output;
use crate::wiring::{Schema, existing_tenant, open_idp, open_storage};

/// How many refresh tokens are listed.
const LISTED: i64 = 100;

/// Lists, shows, changes or ends refresh tokens.
pub async fn run(config: &Config, command: &RefreshTokenCommand) -> Result<(), Failure> {
    match command {
        RefreshTokenCommand::List { user, tenant } => list(config, user, tenant).await,
        RefreshTokenCommand::Show { id, tenant } => show(config, id, tenant).await,
        RefreshTokenCommand::Update { id, tenant, patch } => update(config, id, tenant, patch).await,
        RefreshTokenCommand::Revoke { id, user, tenant } => {
            revoke(config, id.as_deref(), user.as_deref(), tenant).await
        }
    }
}

async fn list(config: &Config, user: &str, tenant: &str) -> Result<(), Failure> {
    let database = ExitCode::Database;
    let storage = open_storage(config, Schema::MustExist).await?;
    let tenant = existing_tenant(&storage, tenant).await?;
    let mut tx = storage.begin_read(&tenant).await.or_exit(database, "cannot read")?;
    let tokens = tx.refresh_tokens_of(&UserId::new(user), LISTED).await;
    let tokens = tokens.or_exit(database, "cannot read the refresh tokens")?;
    let mut rows = vec![
        ["refresh token", "client", "API", "created", "last exchanged", "session"]
            .map(str::to_owned)
            .to_vec(),
    ];
    rows.extend(tokens.iter().map(|token| {
        vec![
            token.id.to_string(),
            token.client_id.to_string(),
            token.audience.clone().unwrap_or_default(),
            token.created_at.to_iso(),
            iso(token.last_exchanged_at).unwrap_or_default(),
            token.session_id.as_ref().map(ToString::to_string).unwrap_or_default(),
        ]
    }));
    Output::stdout().table(&rows);
    Ok(())
}

async fn show(config: &Config, id: &str, tenant: &str) -> Result<(), Failure> {
    let storage = open_storage(config, Schema::MustExist).await?;
    let tenant = existing_tenant(&storage, tenant).await?;
    let mut tx = storage.begin_read(&tenant).await.or_exit(ExitCode::Database, "cannot read")?;
    let token = tx.refresh_token(&RefreshTokenId::new(id)).await;
    let token = token
        .or_exit(ExitCode::Database, "cannot read the refresh token")?
        .ok_or_else(|| Failure::new(ExitCode::Failed, format!("there is no refresh token {id:?}")))?;
    print(&token);
    Ok(())
}

async fn update(config: &Config, id: &str, tenant: &str, patch: &str) -> Result<(), Failure> {
    let patch = patch::read(patch)?;
    let (idp, _) = open_idp(config, Schema::MustExist).await?;
    let tenant = existing_tenant(&idp.storage, tenant).await?;
    let changed = update_refresh_token(&idp, &tenant, &RefreshTokenId::new(id), &patch).await;
    let token = changed.or_exit(ExitCode::Failed, "the refresh token was not changed")?;
    idp.storage.close().await;
    print(&token);
    Ok(())
}

async fn revoke(config: &Config, id: Option<&str>, user: Option<&str>, tenant: &str) -> Result<(), Failure> {
    let which = match (id, user) {
        (_, Some(user)) => RefreshTokenSelector::User(UserId::new(user)),
        (Some(id), None) => RefreshTokenSelector::Ids(vec![RefreshTokenId::new(id)]),
        (None, None) => return Err(Failure::new(ExitCode::Usage, "which refresh token, or whose?")),
    };
    let (idp, _) = open_idp(config, Schema::MustExist).await?;
    let tenant = existing_tenant(&idp.storage, tenant).await?;
    let ended = revoke_refresh_tokens(&idp, &tenant, &which).await;
    let ended = ended.or_exit(ExitCode::Failed, "nothing was revoked")?;
    idp.storage.close().await;
    Output::stdout().line(format!(
        "{} sessions and {} refresh tokens ended, with what was made from them",
        ended.sessions, ended.refresh_tokens
    ));
    if ended.any() { Ok(()) } else { Err(Failure::shown(ExitCode::Failed)) }
}

fn iso(moment: Option<Timestamp>) -> Option<String> {
    moment.map(Timestamp::to_iso)
}

/// As the Management API shows it (`reference/native-to-web.md` section 3.2).
fn print(token: &RefreshToken) {
    let resource_servers = token
        .audience
        .iter()
        .map(|audience| json!({ "audience": audience, "scopes": token.scope.join(" ") }))
        .collect::<Vec<_>>();
    Output::stdout().json(&json!({
        "id": token.id,
        "user_id": token.user_id,
        "client_id": token.client_id,
        "session_id": token.session_id,
        "created_at": token.created_at.to_iso(),
        "expires_at": iso(token.expires_at),
        "idle_expires_at": iso(token.idle_expires_at),
        "last_exchanged_at": iso(token.last_exchanged_at),
        "revoked_at": iso(token.revoked_at),
        "rotating": token.rotating,
        "device": token.device,
        "resource_servers": resource_servers,
        "refresh_token_metadata": token.metadata,
    }));
}
