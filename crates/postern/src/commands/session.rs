//! `postern session`

use std::collections::BTreeMap;

use idp::manage::{SessionView, delete_session, revoke_access, revoke_session, set_session_metadata};
use model::{Clock, SessionId, SystemClock, UserId};
use serde::Deserialize;
use serde_json::json;

use crate::cli::SessionCommand;
use crate::commands::patch;
use crate::config::Config;
use crate::exit_code::{ExitCode, Failure, OrExit};
use crate::render::Output;
use crate::wiring::{Schema, existing_tenant, open_idp, open_storage};

/// How many sessions are listed.
const LISTED: i64 = 100;

/// Shows, lists, changes or ends sessions.
pub async fn run(config: &Config, command: &SessionCommand) -> Result<(), Failure> {
    match command {
        SessionCommand::Show { id, tenant, json } => show(config, id, tenant, *json).await,
        SessionCommand::Update { id, tenant, patch } => update(config, id, tenant, patch).await,
        SessionCommand::List { user, tenant } => list(config, user, tenant).await,
        SessionCommand::Revoke { id, user, tenant, preserve_refresh_tokens } => {
            revoke(config, id.as_deref(), user.as_deref(), tenant, *preserve_refresh_tokens).await
        }
    }
}

async fn list(config: &Config, user: &str, tenant: &str) -> Result<(), Failure> {
    let database = ExitCode::Database;
    let storage = open_storage(config, Schema::MustExist).await?;
    let tenant = existing_tenant(&storage, tenant).await?;
    let mut tx = storage.begin_read(&tenant).await.or_exit(database, "cannot read")?;
    let sessions = tx.sessions_of(&UserId::new(user), None, LISTED, SystemClock.now()).await;
    let sessions = sessions.or_exit(database, "cannot read the sessions")?;
    let mut rows = vec![
        ["session", "created", "ends at the latest", "if not used", "address"].map(str::to_owned).to_vec(),
    ];
    rows.extend(sessions.iter().map(|session| {
        vec![
            session.id.to_string(),
            session.created_at.to_iso(),
            session.expires_at.to_iso(),
            session.idle_expires_at.to_iso(),
            session.device.last_ip.clone().unwrap_or_default(),
        ]
    }));
    Output::stdout().table(&rows);
    Ok(())
}

async fn update(config: &Config, id: &str, tenant: &str, patch: &str) -> Result<(), Failure> {
    let SessionPatch { session_metadata } = patch::parse(patch)?;
    let (idp, _) = open_idp(config, Schema::MustExist).await?;
    let tenant = existing_tenant(&idp.storage, tenant).await?;
    let metadata = session_metadata.unwrap_or_default();
    let changed = set_session_metadata(&idp, &tenant, &SessionId::new(id), &metadata).await;
    let session = changed.or_exit(ExitCode::Failed, "the session was not changed")?;
    idp.storage.close().await;
    Output::stdout().json(&SessionView::from(&session));
    Ok(())
}

/// What may be changed of a session. `null` clears it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SessionPatch {
    #[serde(deserialize_with = "Option::deserialize")]
    session_metadata: Option<BTreeMap<String, String>>,
}

async fn revoke(
    config: &Config,
    id: Option<&str>,
    user: Option<&str>,
    tenant: &str,
    preserve_refresh_tokens: bool,
) -> Result<(), Failure> {
    let (idp, _) = open_idp(config, Schema::MustExist).await?;
    let tenant = existing_tenant(&idp.storage, tenant).await?;
    let ended = match (id.map(SessionId::new), user.map(UserId::new)) {
        (_, Some(user)) => revoke_access(&idp, &tenant, &user, None, preserve_refresh_tokens).await,
        (Some(id), None) if preserve_refresh_tokens => delete_session(&idp, &tenant, &id).await,
        (Some(id), None) => revoke_session(&idp, &tenant, &id).await,
        (None, None) => return Err(Failure::new(ExitCode::Usage, "which session, or whose?")),
    };
    let ended = ended.or_exit(ExitCode::Failed, "nothing was revoked")?;
    idp.storage.close().await;
    Output::stdout().line(format!(
        "{} sessions and {} refresh tokens ended, with what was made from them",
        ended.sessions, ended.refresh_tokens
    ));
    if ended.any() { Ok(()) } else { Err(Failure::shown(ExitCode::Failed)) }
}

async fn show(config: &Config, id: &str, tenant: &str, json: bool) -> Result<(), Failure> {
    let storage = open_storage(config, Schema::MustExist).await?;
    let tenant = existing_tenant(&storage, tenant).await?;
    let mut tx = storage.begin_read(&tenant).await.or_exit(ExitCode::Database, "cannot read")?;
    let session = tx
        .session(&SessionId::new(id))
        .await
        .or_exit(ExitCode::Database, "cannot read the session")?
        .ok_or_else(|| Failure::new(ExitCode::Failed, format!("there is no session {id:?}")))?;
    let iso = |moment: Option<model::Timestamp>| moment.map(model::Timestamp::to_iso);
    let clients: Vec<_> = session.clients.iter().map(ToString::to_string).collect();
    let parent = session.parent_refresh_token.as_ref().map(ToString::to_string);
    let output = Output::stdout();
    if json {
        let mut shown = json!(SessionView::from(&session));
        shown["revoked_at"] = json!(iso(session.revoked_at));
        shown["lifetime_secs"] = json!(session.expires_at.ms_since(session.created_at) / 1000);
        shown["idle_lifetime_secs"] =
            json!(session.idle_expires_at.ms_since(session.last_interacted_at) / 1000);
        shown["parent_refresh_token"] = json!(parent);
        output.json(&shown);
        return Ok(());
    }
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    output.table(&[
        row("session", session.id.to_string()),
        row("user", session.user_id.to_string()),
        row("created", session.created_at.to_iso()),
        row("ends at the latest", session.expires_at.to_iso()),
        row("ends if it is not used", session.idle_expires_at.to_iso()),
        row("revoked", iso(session.revoked_at).unwrap_or_else(|| "no".to_owned())),
        row("clients", clients.join(", ")),
        row("made from refresh token", parent.unwrap_or_else(|| "none".to_owned())),
    ]);
    Ok(())
}
