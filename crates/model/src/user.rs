use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{ClientId, ConnectionId, RoleId, Timestamp, UserId};

/// A person who logs in. Stored as JSON but for what is looked up or counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are the claims of OIDC Core §5.1 and of the dialect's profile")]
pub struct User {
    pub user_id: UserId,
    pub connection_id: ConnectionId,
    pub email: Option<String>,
    #[serde(default)]
    pub email_verified: bool,
    pub username: Option<String>,
    pub name: Option<String>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    pub nickname: Option<String>,
    pub picture: Option<String>,
    pub phone_number: Option<String>,
    pub phone_verified: Option<bool>,
    #[serde(default)]
    pub user_metadata: Map<String, Value>,
    #[serde(default)]
    pub app_metadata: Map<String, Value>,
    #[serde(default)]
    pub blocked: bool,
    /// Argon2id in PHC form; `None`: this user has no password.
    pub password_hash: Option<String>,
    pub last_password_reset: Option<Timestamp>,
    #[serde(default)]
    pub logins_count: i64,
    pub last_login: Option<Timestamp>,
    pub last_ip: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl User {
    /// Whether a login may go on that began at this moment: the user is not blocked, and has no other password since.
    #[must_use]
    pub fn may_go_on(&self, began_at: Timestamp) -> bool {
        !self.blocked && self.last_password_reset.is_none_or(|reset| reset <= began_at)
    }
}

/// One identity of a user at a connection, as `event.user.identities` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are those of the event")]
pub struct Identity {
    /// The connection's name.
    pub connection: String,
    /// `auth0` for a database of users.
    pub provider: String,
    /// What follows `auth0|` in the user's id.
    #[serde(rename = "user_id")]
    pub user_id: String,
    pub is_social: bool,
}

impl Identity {
    /// The one that the user has, at their connection.
    #[must_use]
    pub fn of(user: &User, connection: &Connection) -> Self {
        let id = user.user_id.as_str();
        Self {
            connection: connection.name.clone(),
            provider: connection.strategy.clone(),
            user_id: id.split_once('|').map_or(id, |(_, id)| id).to_owned(),
            is_social: false,
        }
    }
}

/// Where users come from: in this version, the tenant's own database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// As `con_...`.
    pub id: ConnectionId,
    /// As `Username-Password-Authentication`.
    pub name: String,
    /// `auth0` for a database of users.
    pub strategy: String,
    /// Free data for Actions.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    /// The clients whose users may log in with it.
    pub enabled_clients: Vec<ClientId>,
}

/// A named role. Actions see the names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Role {
    /// As `rol_...`.
    pub id: RoleId,
    /// What Actions see.
    pub name: String,
    /// For people.
    #[schema(required = true)]
    pub description: Option<String>,
}

/// What somebody may do: a scope of an API.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Permission {
    /// Which API.
    pub resource_server_identifier: String,
    /// Which of its scopes.
    pub permission_name: String,
}
