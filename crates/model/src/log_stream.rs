use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// Where a tenant's log is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogStream {
    /// As `lst_...`.
    pub id: String,
    /// Unique in the tenant.
    pub name: String,
    /// Whether anything is sent.
    pub status: LogStreamStatus,
    /// What and where.
    pub settings: LogStreamSettings,
    /// The sealed [`LogStreamSecrets`], when there are any.
    pub sealed_secrets: Option<String>,
    /// How often sending has failed since it last succeeded.
    pub failures: i64,
    /// Since when.
    pub failing_since: Option<Timestamp>,
    /// Why, the last time.
    pub last_error: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its settings last changed.
    pub updated_at: Timestamp,
}

/// Whether a log stream sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogStreamStatus {
    /// It does.
    Active,
    /// Somebody has stopped it.
    Paused,
    /// It failed for too long.
    Suspended,
}

impl LogStreamStatus {
    /// As it is stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Suspended => "suspended",
        }
    }
}

/// What is sent where. Stored as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogStreamSettings {
    /// An HTTP endpoint that takes POST.
    pub endpoint: String,
    /// What the entries are sent as.
    pub content_type: String,
    /// How several entries make one request.
    pub content_format: LogFormat,
    /// The categories that are sent (`idp::log_streams::CATEGORIES`). Empty: all.
    #[serde(default)]
    pub categories: Vec<String>,
    /// Kept for other tools: here all streams are alike.
    #[serde(default)]
    pub is_priority: bool,
    /// What happens to personal data before it is sent.
    #[serde(default)]
    pub pii: Option<PiiConfig>,
    /// From when on entries are sent; only those that are written after the stream was made, when there is none.
    #[serde(default)]
    pub start_from: Option<Timestamp>,
}

/// What must not be readable in the database.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LogStreamSecrets {
    /// The header `Authorization`.
    pub authorization: Option<String>,
    /// Further headers: name and value.
    pub headers: Vec<(String, String)>,
}

/// How several entries make one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum LogFormat {
    /// One to a line.
    JsonLines,
    /// A list.
    JsonArray,
    /// An object whose `logs` is a list.
    JsonObject,
}

/// What happens to personal data before an entry is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PiiConfig {
    /// Which data.
    pub log_fields: Vec<PiiField>,
    /// What is done.
    pub method: PiiMethod,
}

/// Personal data in a log entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "they are what they are called")]
pub enum PiiField {
    FirstName,
    LastName,
    Username,
    Email,
    Phone,
    Address,
}

/// What is done to personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PiiMethod {
    /// Stars instead of characters.
    Mask,
    /// A number that is the same for the same text.
    Hash,
}
