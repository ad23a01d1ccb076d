//! The event of the post-login trigger (`reference/post-login.md` section 2): what this server knows is filled, what it
//! does not know is absent, never null.

mod request;
mod session;
mod user;

use std::collections::BTreeMap;

use model::{
    AuthorizationRequest, Client, Connection, RefreshToken, Role, Session, SessionTransferToken, User,
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
        "user": user::user(source.user, source.connection),
    });
    if let Some(domain) = &source.ctx.custom_domain {
        event["custom_domain"] = json!({ "domain": domain, "domain_metadata": {} });
    }
    if let Some(audience) = source.audience {
        event["resource_server"] = json!({ "identifier": audience });
    }
    match &source.flow {
        Flow::Browser { transaction_id, request, session, parent_metadata, session_transfer_token } => {
            event["transaction"] = request::browser_transaction(transaction_id, request);
            event["request"] = request::http_request(&source.ctx.origin, "GET", &request.query, &Map::new());
            event["session"] = session::session(session, *parent_metadata);
            event["authentication"] = json!({ "methods": session::methods(session) });
            if let Some(token) = session_transfer_token {
                event["session_transfer_token"] = request::transfer_token(token);
            }
        }
        Flow::Refresh { refresh_token, requested_scope, body } => {
            event["transaction"] = json!({
                "protocol": "oauth2-refresh-token",
                "requested_scopes": requested_scope,
                "metadata": {},
            });
            event["request"] = request::http_request(&source.ctx.origin, "POST", &Map::new(), body);
            event["refresh_token"] = session::refresh_token(refresh_token, &source.ctx.tenant);
        }
    }
    event
}

fn put(object: &mut Value, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        object[key] = json!(value);
    }
}
