//! `postern refresh-token`

use std::collections::BTreeMap;

use idp::manage::{
    RefreshTokenSelector, RefreshTokenView, delete_refresh_token, revoke_refresh_tokens,
    set_refresh_token_metadata,
};
use model::{Clock, RefreshToken, RefreshTokenId, SystemClock, Timestamp, UserId};
use serde::Deserialize;
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
    let tokens = tx.refresh_tokens_of(&UserId::new(user), None, None, LISTED, SystemClock.now()).await;
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
    let RefreshTokenPatch { refresh_token_metadata } = patch::parse(patch)?;
    let (idp, _) = open_idp(config, Schema::MustExist).await?;
    let tenant = existing_tenant(&idp.storage, tenant).await?;
    let metadata = refresh_token_metadata.unwrap_or_default();
    let changed = set_refresh_token_metadata(&idp, &tenant, &RefreshTokenId::new(id), metadata).await;
    let token = changed.or_exit(ExitCode::Failed, "the refresh token was not changed")?;
    idp.storage.close().await;
    print(&token);
    Ok(())
}

async fn revoke(config: &Config, id: Option<&str>, user: Option<&str>, tenant: &str) -> Result<(), Failure> {
    let (idp, _) = open_idp(config, Schema::MustExist).await?;
    let tenant = existing_tenant(&idp.storage, tenant).await?;
    let ended = match (id, user) {
        (_, Some(user)) => {
            let all = RefreshTokenSelector::User(UserId::new(user));
            revoke_refresh_tokens(&idp, &tenant, &all).await
        }
        (Some(id), None) => delete_refresh_token(&idp, &tenant, &RefreshTokenId::new(id)).await,
        (None, None) => return Err(Failure::new(ExitCode::Usage, "which refresh token, or whose?")),
    };
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

/// What may be changed of a refresh token. `null` clears it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RefreshTokenPatch {
    #[serde(deserialize_with = "Option::deserialize")]
    refresh_token_metadata: Option<BTreeMap<String, String>>,
}

/// As the Management API shows it, and whether it was revoked.
fn print(token: &RefreshToken) {
    let mut shown = json!(RefreshTokenView::from(token));
    shown["revoked_at"] = json!(iso(token.revoked_at));
    Output::stdout().json(&shown);
}
