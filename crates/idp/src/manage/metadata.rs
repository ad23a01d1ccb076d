//! What the Management API changes of a session or a refresh token: its metadata (`PATCH /api/v2/sessions/{id}`,
//! `PATCH /api/v2/refresh-tokens/{id}`).

use std::collections::BTreeMap;

use model::{RefreshToken, RefreshTokenId, Session, SessionId, TenantId, check_metadata};
use serde_json::{Map, Value};

use super::ManageError;
use crate::Idp;

/// Replaces the `session_metadata` of a session by that of the partial object; `null` and `{}` clear it. The session
/// after it.
///
/// # Errors
/// [`ManageError::Invalid`] for an unknown session or name, or metadata that break a rule of
/// [`model::check_metadata`].
pub async fn update_session(
    idp: &Idp,
    tenant: &TenantId,
    id: &SessionId,
    patch: &Map<String, Value>,
) -> Result<Session, ManageError> {
    let metadata = metadata(patch, "session_metadata")?;
    let mut tx = idp.storage.begin(tenant).await?;
    if let Some(metadata) = &metadata {
        tx.set_session_metadata(id, metadata, idp.now()).await?;
    }
    let session = tx.session(id).await?;
    tx.commit().await?;
    session.ok_or_else(|| ManageError::invalid(format!("there is no session {id}")))
}

/// The same with the `refresh_token_metadata` of a refresh token. An online one is managed by its session.
///
/// # Errors
/// As [`update_session`].
pub async fn update_refresh_token(
    idp: &Idp,
    tenant: &TenantId,
    id: &RefreshTokenId,
    patch: &Map<String, Value>,
) -> Result<RefreshToken, ManageError> {
    let metadata = metadata(patch, "refresh_token_metadata")?;
    let mut tx = idp.storage.begin(tenant).await?;
    let known = tx.refresh_token(id).await?;
    let known = known.ok_or_else(|| ManageError::invalid(format!("there is no refresh token {id}")))?;
    if known.online {
        return Err(ManageError::invalid("an online refresh token is managed by its session"));
    }
    if let Some(metadata) = &metadata {
        tx.set_refresh_token_metadata(id, metadata).await?;
    }
    tx.commit().await?;
    Ok(match metadata {
        Some(metadata) => RefreshToken { metadata, ..known },
        None => known,
    })
}

/// What the object sets; `None`: nothing.
fn metadata(patch: &Map<String, Value>, only: &str) -> Result<Option<BTreeMap<String, String>>, ManageError> {
    if let Some(unknown) = patch.keys().find(|name| *name != only) {
        return Err(ManageError::invalid(format!("unknown setting: {unknown}")));
    }
    let metadata: BTreeMap<String, String> = match patch.get(only) {
        None => return Ok(None),
        Some(Value::Null) => BTreeMap::new(),
        Some(value) => serde_json::from_value(value.clone())
            .map_err(|_| ManageError::invalid(format!("{only} is an object of strings")))?,
    };
    check_metadata(&metadata).map_err(ManageError::Invalid)?;
    Ok(Some(metadata))
}
