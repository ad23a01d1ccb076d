use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{ClientId, ConnectionId, CookieMode, FactorType, RefreshTokenId, SessionId, Timestamp, UserId};

/// A browser's session. It is alive when it is not revoked and both ends lie ahead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The `sid` of ID tokens. Not the cookie's secret.
    pub id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// The connection of its last authentication.
    pub connection_id: ConnectionId,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// When the user last authenticated: `auth_time`.
    pub authenticated_at: Timestamp,
    /// When it was last used.
    pub last_interacted_at: Timestamp,
    /// Its absolute end.
    pub expires_at: Timestamp,
    /// Its end unless it is used again before.
    pub idle_expires_at: Timestamp,
    /// When it was ended by a logout or a revocation.
    pub revoked_at: Option<Timestamp>,
    /// The methods by which the user authenticated in it.
    pub methods: Vec<AuthenticationMethod>,
    /// Where it was used from.
    pub device: Device,
    /// The clients that logged in within it.
    pub clients: Vec<ClientId>,
    /// The native refresh token that it was made from, by a session transfer token.
    pub parent_refresh_token: Option<RefreshTokenId>,
    /// Whether its cookie outlives the browser.
    pub cookie_mode: CookieMode,
    /// The tenant's idle lifetime in seconds when it was made: to raise the limit later does not concern it.
    pub idle_lifetime_secs: i64,
    /// Set by the Management API and Actions; at most 25 entries ([`check_metadata`]).
    pub metadata: BTreeMap<String, String>,
}

impl Session {
    /// Whether it may be used at this moment.
    #[must_use]
    pub fn is_alive(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && now < self.expires_at && now < self.idle_expires_at
    }
}

/// How many entries the metadata of a session or refresh token may have.
pub const MAX_METADATA_ENTRIES: usize = 25;
/// Characters of a key or value of such metadata.
const MAX_METADATA_CHARS: usize = 255;

/// Checks the metadata of a session or refresh token: at most 25 entries, keys and values of at most 255 characters,
/// keys of letters, digits, `_` and `-` (`reference/native-to-web.md` section 3.1).
///
/// # Errors
/// Which rule it breaks, for whoever sent it.
pub fn check_metadata(metadata: &BTreeMap<String, String>) -> Result<(), String> {
    if metadata.len() > MAX_METADATA_ENTRIES {
        return Err(format!("metadata may have at most {MAX_METADATA_ENTRIES} entries"));
    }
    for (key, value) in metadata {
        let of_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if key.is_empty() || !key.chars().all(of_key) {
            return Err(format!("metadata key {key:?} may have letters, digits, _ and - only"));
        }
        if key.len() > MAX_METADATA_CHARS || value.chars().count() > MAX_METADATA_CHARS {
            return Err(format!("metadata keys and values may have at most {MAX_METADATA_CHARS} characters"));
        }
    }
    Ok(())
}

/// One change to the metadata of a session or refresh token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MetadataChange {
    /// Key and value.
    Set(String, String),
    /// The key.
    Delete(String),
    /// All entries.
    Evict,
}

impl MetadataChange {
    /// Makes these changes, in order.
    pub fn apply(changes: &[Self], metadata: &mut BTreeMap<String, String>) {
        for change in changes {
            match change {
                Self::Set(key, value) => {
                    metadata.insert(key.clone(), value.clone());
                }
                Self::Delete(key) => {
                    metadata.remove(key);
                }
                Self::Evict => metadata.clear(),
            }
        }
    }
}

/// One authentication in a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthenticationMethod {
    /// `pwd`, or another name of the event's list.
    pub name: String,
    /// For `mfa`: which factor was shown.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub factor: Option<FactorType>,
    /// When.
    pub timestamp: Timestamp,
}

impl AuthenticationMethod {
    /// A first factor, or what an Action recorded.
    pub fn new(name: impl Into<String>, timestamp: Timestamp) -> Self {
        Self { name: name.into(), factor: None, timestamp }
    }

    /// A second factor.
    #[must_use]
    pub fn mfa(factor: FactorType, timestamp: Timestamp) -> Self {
        Self { name: "mfa".to_owned(), factor: Some(factor), timestamp }
    }
}

/// Where a session or refresh token was first and last used from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[expect(missing_docs, reason = "the fields are those of the event")]
pub struct Device {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub initial_ip: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub initial_asn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub initial_user_agent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub last_ip: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub last_asn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub last_user_agent: Option<String>,
}
