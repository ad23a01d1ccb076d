//! The event of the post-login trigger (`reference/post-login.md` section 2): what this server knows is filled, what it
//! does not know is absent, never null.

mod request;
mod session;
mod user;

use std::collections::BTreeMap;

use model::{
    AuthenticationMethod, AuthorizationRequest, Client, Connection, MetadataChange, Organization,
    RefreshToken, Role, Session, SessionTransferToken, User,
};
use serde_json::{Map, Value, json};

use crate::RequestContext;
use crate::decision::Decision;

/// What the event is made of.
pub(crate) struct EventSource<'a> {
    pub ctx: &'a RequestContext,
    pub client: &'a Client,
    pub user: &'a User,
    pub connection: &'a Connection,
    pub roles: &'a [Role],
    pub organization: Option<&'a Organization>,
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
        risk: Option<&'a Value>,
        /// Metadata of the refresh token behind a transferred session.
        parent_metadata: Option<&'a BTreeMap<String, String>>,
        session_transfer_token: Option<&'a SessionTransferToken>,
        /// The request with which the browser came back from where an Action had sent it.
        continued: Option<&'a ContinueRequest>,
    },
    /// A password at the token endpoint.
    Password {
        /// How the user has authenticated so far.
        methods: &'a [AuthenticationMethod],
        requested_scope: &'a [String],
        /// The body without credentials.
        body: &'a Map<String, Value>,
    },
    /// `grant_type=refresh_token`.
    Refresh {
        refresh_token: &'a RefreshToken,
        /// The session of an online one.
        session: Option<&'a Session>,
        requested_scope: &'a [String],
        /// The body without credentials.
        body: &'a Map<String, Value>,
    },
}

/// A request to `/continue`.
#[derive(Debug, Clone, Default)]
pub struct ContinueRequest {
    /// The HTTP method.
    pub method: String,
    /// The query.
    pub query: Map<String, Value>,
    /// The form.
    pub body: Map<String, Value>,
}

/// The event with what the Actions before have changed of the transaction, the session and the refresh token: nothing else
/// that an Action asks for is seen by the next one (`reference/post-login.md` section 1.2). `event` is as it was before the
/// first of them.
#[must_use]
pub fn with_changes(event: &Value, decision: &Decision) -> Value {
    let mut event = event.clone();
    event["transaction"]["metadata"] = json!(decision.transaction_metadata);
    if event["session"].is_object() {
        change_metadata(&mut event["session"], &decision.session_metadata);
        if let Some(mode) = decision.cookie_mode {
            event["session"]["cookie"]["mode"] = json!(mode);
        }
    }
    if let Some(methods) = event.pointer_mut("/authentication/methods").and_then(Value::as_array_mut) {
        methods.extend(decision.methods.iter().map(session::method));
    }
    if event["refresh_token"].is_object() {
        change_metadata(&mut event["refresh_token"], &decision.refresh_token.metadata);
    }
    event
}

fn change_metadata(of: &mut Value, changes: &[MetadataChange]) {
    if !changes.is_empty() {
        let mut metadata = serde_json::from_value(of["metadata"].take()).unwrap_or_default();
        MetadataChange::apply(changes, &mut metadata);
        of["metadata"] = json!(metadata);
    }
}

/// The event without `secrets`, which differ for each Action.
pub(crate) fn post_login_event(source: &EventSource<'_>) -> Value {
    let mut event = json!({
        "client": client(source.client),
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
    if let Some(organization) = source.organization {
        event["organization"] = json!(organization);
    }
    if let Some(audience) = source.audience {
        event["resource_server"] = json!({ "identifier": audience });
    }
    match &source.flow {
        Flow::Browser {
            transaction_id,
            request,
            session,
            risk,
            parent_metadata,
            session_transfer_token,
            continued,
        } => {
            event["transaction"] = request::browser_transaction(transaction_id, request);
            event["request"] = match continued {
                None => request::http_request(&source.ctx.origin, "GET", &request.query, &Map::new()),
                Some(back) => {
                    request::http_request(&source.ctx.origin, &back.method, &back.query, &back.body)
                }
            };
            event["session"] = session::session(session, *parent_metadata);
            event["authentication"] = json!({ "methods": methods(&session.methods) });
            if let Some(risk) = risk {
                event["authentication"]["riskAssessment"] = (*risk).clone();
            }
            if let Some(token) = session_transfer_token {
                event["session_transfer_token"] = request::transfer_token(token);
            }
        }
        Flow::Password { methods: used, requested_scope, body } => {
            event["transaction"] = request::token_transaction("oauth2-password", requested_scope, body);
            event["request"] = request::http_request(&source.ctx.origin, "POST", &Map::new(), body);
            event["authentication"] = json!({ "methods": methods(used) });
        }
        Flow::Refresh { refresh_token, session, requested_scope, body } => {
            event["transaction"] = request::token_transaction("oauth2-refresh-token", requested_scope, body);
            event["request"] = request::http_request(&source.ctx.origin, "POST", &Map::new(), body);
            event["refresh_token"] = session::refresh_token(refresh_token, &source.ctx.tenant);
            if let Some(session) = session {
                event["session"] = session::session(session, None);
                event["authentication"] = json!({ "methods": methods(&session.methods) });
            }
        }
    }
    event
}

fn methods(methods: &[AuthenticationMethod]) -> Value {
    methods.iter().map(session::method).collect()
}

fn client(client: &Client) -> Value {
    let mut value =
        json!({ "client_id": client.client_id, "name": client.name, "metadata": client.metadata });
    if !client.refresh_token.policies.is_empty() {
        value["refresh_token"] = json!({ "policies": client.refresh_token.policies });
    }
    value
}

fn put(object: &mut Value, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        object[key] = json!(value);
    }
}
