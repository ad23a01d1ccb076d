//! The event of the post-login trigger (`reference/post-login.md` section 2): what this server knows is filled, what it
//! does not know is absent, never null.

use std::collections::BTreeMap;

use model::{
    AuthorizationRequest, Client, Connection, RefreshToken, RequestOrigin, Role, Session,
    SessionTransferToken, Tenant, User,
};
use serde_json::{Map, Value, json};

use crate::RequestContext;

/// What the event is made of.
pub(crate) struct EventSource<'a> {
    pub ctx: &'a RequestContext,
    pub client: &'a Client,
    pub user: &'a User,
    pub connection: &'a Connection,
    pub roles: &'a [Role],
    /// This login included, when it is one.
    pub logins_count: i64,
    pub audience: Option<&'a str>,
    pub flow: Flow<'a>,
}

/// What differs between the flows in which the trigger runs.
pub(crate) enum Flow<'a> {
    /// `/authorize`: interactive, SSO, silent or transferred.
    Browser {
        transaction_id: &'a str,
        request: &'a AuthorizationRequest,
        session: &'a Session,
        /// Metadata of the refresh token behind a transferred session.
        parent_metadata: Option<&'a BTreeMap<String, String>>,
        session_transfer_token: Option<&'a SessionTransferToken>,
    },
    /// `grant_type=refresh_token`.
    Refresh {
        refresh_token: &'a RefreshToken,
        requested_scope: &'a [String],
        /// The body without credentials.
        body: &'a Map<String, Value>,
    },
}

/// The event without `secrets`, which differ for each Action.
pub(crate) fn post_login_event(source: &EventSource<'_>) -> Value {
    let mut event = json!({
        "client": { "client_id": source.client.client_id, "name": source.client.name, "metadata": source.client.metadata },
        "connection": {
            "id": source.connection.id,
            "name": source.connection.name,
            "strategy": source.connection.strategy,
            "metadata": source.connection.metadata,
        },
        "authorization": { "roles": source.roles.iter().map(|role| &role.name).collect::<Vec<_>>() },
        "stats": { "logins_count": source.logins_count },
        "tenant": { "id": source.ctx.tenant.id },
        "user": user(source.user, source.connection),
    });
    if let Some(domain) = &source.ctx.custom_domain {
        event["custom_domain"] = json!({ "domain": domain, "domain_metadata": {} });
    }
    if let Some(audience) = source.audience {
        event["resource_server"] = json!({ "identifier": audience });
    }
    match &source.flow {
        Flow::Browser { transaction_id, request, session, parent_metadata, session_transfer_token } => {
            event["transaction"] = browser_transaction(transaction_id, request);
            event["request"] = http_request(&source.ctx.origin, "GET", &request.query, &Map::new());
            event["session"] = self::session(session, *parent_metadata);
            event["authentication"] = json!({ "methods": methods(session) });
            if let Some(token) = session_transfer_token {
                event["session_transfer_token"] = transfer_token(token);
            }
        }
        Flow::Refresh { refresh_token, requested_scope, body } => {
            event["transaction"] = json!({
                "protocol": "oauth2-refresh-token",
                "requested_scopes": requested_scope,
                "metadata": {},
            });
            event["request"] = http_request(&source.ctx.origin, "POST", &Map::new(), body);
            event["refresh_token"] = self::refresh_token(refresh_token, &source.ctx.tenant);
        }
    }
    event
}

fn browser_transaction(id: &str, request: &AuthorizationRequest) -> Value {
    if request.device_code_hash.is_some() {
        return json!({
            "id": id,
            "protocol": "oauth2-device-code",
            "requested_scopes": request.requested_scopes,
            "locale": "en",
            "metadata": {},
        });
    }
    let mut transaction = json!({
        "id": id,
        "protocol": "oidc-basic-profile",
        "requested_scopes": request.requested_scopes,
        "acr_values": request.acr_values,
        "ui_locales": request.ui_locales,
        "redirect_uri": request.redirect_uri,
        "response_type": ["code"],
        "prompt": request.prompt,
        "locale": "en",
        "metadata": {},
    });
    put(&mut transaction, "state", request.state.as_deref());
    put(&mut transaction, "login_hint", request.login_hint.as_deref());
    put(&mut transaction, "response_mode", request.response_mode.as_deref());
    transaction
}

fn http_request(
    origin: &RequestOrigin,
    method: &str,
    query: &Map<String, Value>,
    body: &Map<String, Value>,
) -> Value {
    let mut request = json!({
        "ip": origin.ip,
        "method": method,
        "query": query,
        "body": body,
        "geoip": {},
        "hostname": origin.hostname,
    });
    put(&mut request, "asn", origin.asn.as_deref());
    put(&mut request, "language", origin.language.as_deref());
    put(&mut request, "user_agent", origin.user_agent.as_deref());
    request
}

fn methods(session: &Session) -> Vec<Value> {
    session
        .methods
        .iter()
        .map(|method| json!({ "name": method.name, "timestamp": method.timestamp.to_iso() }))
        .collect()
}

fn session(session: &Session, parent_metadata: Option<&BTreeMap<String, String>>) -> Value {
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

fn transfer_token(token: &SessionTransferToken) -> Value {
    let mut request = json!({ "ip": token.request.ip });
    put(&mut request, "asn", token.request.asn.as_deref());
    put(&mut request, "user_agent", token.request.user_agent.as_deref());
    json!({ "client_id": token.client_id, "scope": token.scope, "request": request })
}

fn refresh_token(token: &RefreshToken, tenant: &Tenant) -> Value {
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

fn user(user: &User, connection: &Connection) -> Value {
    let id_at_provider = user.user_id.as_str().split_once('|').map_or(user.user_id.as_str(), |(_, id)| id);
    let mut value = json!({
        "user_id": user.user_id,
        "email_verified": user.email_verified,
        "created_at": user.created_at.to_iso(),
        "updated_at": user.updated_at.to_iso(),
        "user_metadata": user.user_metadata,
        "app_metadata": user.app_metadata,
        "identities": [model::Identity {
            connection: connection.name.clone(),
            provider: connection.strategy.clone(),
            user_id: id_at_provider.to_owned(),
            is_social: false,
        }],
        "enrolledFactors": [],
    });
    put(&mut value, "email", user.email.as_deref());
    put(&mut value, "username", user.username.as_deref());
    put(&mut value, "name", user.name.as_deref());
    put(&mut value, "given_name", user.given_name.as_deref());
    put(&mut value, "family_name", user.family_name.as_deref());
    put(&mut value, "nickname", user.nickname.as_deref());
    put(&mut value, "picture", user.picture.as_deref());
    put(&mut value, "phone_number", user.phone_number.as_deref());
    if let Some(verified) = user.phone_verified {
        value["phone_verified"] = json!(verified);
    }
    put(&mut value, "last_password_reset", user.last_password_reset.map(model::Timestamp::to_iso).as_deref());
    value
}

fn put(object: &mut Value, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        object[key] = json!(value);
    }
}
