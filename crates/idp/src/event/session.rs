//! The browser's session, and the refresh token.

use std::collections::BTreeMap;

use model::{AuthenticationMethod, FactorType, RefreshToken, Session, Tenant};
use serde_json::{Value, json};

use super::put;

pub(super) fn method(method: &AuthenticationMethod) -> Value {
    let mut value = json!({ "name": method.name, "timestamp": method.timestamp.to_iso() });
    put(&mut value, "type", method.factor.map(FactorType::as_str));
    value
}

pub(super) fn session(session: &Session, parent_metadata: Option<&BTreeMap<String, String>>) -> Value {
    let mut value = json!({
        "id": session.id,
        "user_id": session.user_id,
        "created_at": session.created_at.to_iso(),
        "updated_at": session.updated_at.to_iso(),
        "authenticated_at": session.authenticated_at.to_iso(),
        "last_interacted_at": session.last_interacted_at.to_iso(),
        "expires_at": session.expires_at.to_iso(),
        "idle_expires_at": session.idle_expires_at.to_iso(),
        "clients": session.clients.iter().map(|id| json!({ "client_id": id })).collect::<Vec<_>>(),
        "device": session.device,
        "cookie": { "mode": session.cookie_mode },
        "metadata": session.metadata,
    });
    if let Some(parent) = &session.parent_refresh_token {
        value["session_transfer"] = json!({
            "parent_refresh_token": { "id": parent, "metadata": parent_metadata.cloned().unwrap_or_default() }
        });
    }
    value
}

pub(super) fn refresh_token(token: &RefreshToken, tenant: &Tenant) -> Value {
    let audience = token.audience.clone().unwrap_or_else(|| format!("urn:{}:userinfo", tenant.id));
    let mut value = json!({
        "id": token.id,
        "access": if token.online { "online" } else { "offline" },
        "client_id": token.client_id,
        "user_id": token.user_id,
        "created_at": token.created_at.to_iso(),
        "device": token.device,
        "metadata": token.metadata,
        "resource_servers": [{ "audience": audience, "scopes": token.scope.join(" ") }],
        "rotating": token.rotating,
    });
    put(&mut value, "session_id", token.session_id.as_ref().map(model::SessionId::as_str));
    put(&mut value, "expires_at", token.expires_at.map(model::Timestamp::to_iso).as_deref());
    put(&mut value, "idle_expires_at", token.idle_expires_at.map(model::Timestamp::to_iso).as_deref());
    put(&mut value, "last_exchanged_at", token.last_exchanged_at.map(model::Timestamp::to_iso).as_deref());
    if let Some(parent) = &token.parent_refresh_token {
        value["session_transfer"] = json!({ "parent_refresh_token": { "id": parent } });
    }
    value
}
