//! `postern session`

use model::SessionId;
use serde_json::json;

use crate::cli::SessionCommand;
use crate::config::Config;
use crate::exit_code::{ExitCode, Failure, OrExit};
use crate::render::Output;
use crate::wiring::{Schema, existing_tenant, open_storage};

/// Shows a session.
pub async fn run(config: &Config, command: &SessionCommand) -> Result<(), Failure> {
    let SessionCommand::Show { id, tenant, json } = command;
    let storage = open_storage(config, Schema::MustExist).await?;
    let tenant = existing_tenant(&storage, tenant).await?;
    let mut tx = storage.begin_read(&tenant).await.or_exit(ExitCode::Database, "cannot read")?;
    let session = tx
        .session(&SessionId::new(id.as_str()))
        .await
        .or_exit(ExitCode::Database, "cannot read the session")?
        .ok_or_else(|| Failure::new(ExitCode::Failed, format!("there is no session {id:?}")))?;
    let iso = |moment: Option<model::Timestamp>| moment.map(model::Timestamp::to_iso);
    let clients: Vec<_> = session.clients.iter().map(ToString::to_string).collect();
    let parent = session.parent_refresh_token.as_ref().map(ToString::to_string);
    let output = Output::stdout();
    if *json {
        output.json(&json!({
            "id": session.id,
            "user_id": session.user_id,
            "created_at": session.created_at.to_iso(),
            "authenticated_at": session.authenticated_at.to_iso(),
            "expires_at": session.expires_at.to_iso(),
            "idle_expires_at": session.idle_expires_at.to_iso(),
            "revoked_at": iso(session.revoked_at),
            "lifetime_secs": session.expires_at.ms_since(session.created_at) / 1000,
            "idle_lifetime_secs": session.idle_expires_at.ms_since(session.last_interacted_at) / 1000,
            "clients": clients,
            "parent_refresh_token": parent,
        }));
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
