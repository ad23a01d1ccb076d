//! Reading the tenant's log.

use model::search::Query;
use model::{ClientId, ConnectionId, GeoIp, OrganizationId, TenantId, UserId};
use serde::Serialize;
use serde_json::{Map, Value, json};
use storage::{LogCursor, LogId, LogSearch, StorageError, StoredLog};
use utoipa::ToSchema;

use super::object::as_object;
use super::{Listed, ManageError, Span};
use crate::{Idp, ServerError};

/// How deep pages reach, as in the dialect. Whoever wants all reads on from an id.
pub const DEEPEST_PAGE: i64 = 1000;

/// Why a search finds nothing to say.
#[derive(Debug, thiserror::Error)]
pub enum LogSearchError {
    /// The query is not understood, or goes too deep. For whoever wrote it.
    #[error("{0}")]
    Query(String),
    /// Ours.
    #[error(transparent)]
    Server(#[from] ServerError),
}

impl From<StorageError> for LogSearchError {
    fn from(error: StorageError) -> Self {
        Self::Server(error.into())
    }
}

/// Which entries of the log are wanted.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogQuery<'a> {
    /// `model::search`; `None`: everything.
    pub query: Option<&'a str>,
    /// The oldest first.
    pub ascending: bool,
}

/// Finds a part of the log, and counts its entries up to [`DEEPEST_PAGE`].
///
/// # Errors
/// [`LogSearchError`].
pub async fn search_logs(
    idp: &Idp,
    tenant: &TenantId,
    wanted: LogQuery<'_>,
    span: Span<'_>,
) -> Result<Listed<StoredLog>, LogSearchError> {
    if span.offset + span.limit > DEEPEST_PAGE {
        let text = format!("Only the first {DEEPEST_PAGE} entries have pages; read on with from and take");
        return Err(LogSearchError::Query(text));
    }
    let wrong = |error: &dyn std::error::Error| LogSearchError::Query(error.to_string());
    let query = wanted.query.map(Query::parse).transpose().map_err(|error| wrong(&error))?;
    let search = LogSearch {
        query: query.as_ref(),
        ascending: wanted.ascending,
        offset: span.offset,
        limit: span.limit,
    };
    let mut tx = idp.storage.begin_read(tenant).await?;
    let rows = tx.search_logs(&search).await?.map_err(|error| wrong(&error))?;
    let total = match span.counted {
        true => tx.count_logs(query.as_ref(), DEEPEST_PAGE).await?.map_err(|error| wrong(&error))?,
        false => 0,
    };
    Ok(Listed { rows, total, last_key: None })
}

/// The entries that were written after that one, in that order; none is passed over. `None`: from the beginning.
///
/// # Errors
/// [`ServerError`].
pub async fn logs_from(
    idp: &Idp,
    tenant: &TenantId,
    from: Option<LogId>,
    limit: i64,
) -> Result<Vec<StoredLog>, ServerError> {
    let mut tx = idp.storage.begin_read(tenant).await?;
    let cursor = match from {
        None => Some(LogCursor::default()),
        Some(from) => tx.cursor_after(from).await?,
    };
    match cursor {
        Some(cursor) => Ok(tx.logs_after(cursor, limit).await?),
        None => Ok(Vec::new()),
    }
}

/// One entry.
///
/// # Errors
/// [`ManageError::NotFound`].
pub async fn log(idp: &Idp, tenant: &TenantId, id: &str) -> Result<StoredLog, ManageError> {
    let found = match LogId::parse(id) {
        Some(id) => idp.storage.begin_read(tenant).await?.log(id).await?,
        None => None,
    };
    found.ok_or_else(|| ManageError::NotFound {
        error_code: Some("inexistent_log"),
        message: "The log does not exist".to_owned(),
    })
}

/// Where somebody is who follows the log.
#[derive(Debug, Clone, Copy)]
pub struct Follower(LogCursor);

impl Follower {
    /// Begins after that entry, or, without one, at the end.
    ///
    /// # Errors
    /// [`ServerError`].
    pub async fn begin(idp: &Idp, tenant: &TenantId, after: Option<LogId>) -> Result<Self, ServerError> {
        let mut tx = idp.storage.begin_read(tenant).await?;
        let cursor = match after {
            Some(after) => tx.cursor_after(after).await?,
            None => None,
        };
        match cursor {
            Some(cursor) => Ok(Self(cursor)),
            None => Ok(Self(tx.log_end().await?)),
        }
    }

    /// What was written since, at most `limit` entries.
    ///
    /// # Errors
    /// [`ServerError`].
    pub async fn next(
        &mut self,
        idp: &Idp,
        tenant: &TenantId,
        limit: i64,
    ) -> Result<Vec<StoredLog>, ServerError> {
        let found = idp.storage.begin_read(tenant).await?.logs_after(self.0, limit).await?;
        if let Some(last) = found.last() {
            self.0 = last.cursor;
        }
        Ok(found)
    }
}

/// An entry of the log as the Management API shows it. What is not known is not there.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = LogEntry)]
pub struct LogView {
    /// The same as `log_id`.
    #[serde(rename = "_id")]
    pub id: String,
    /// The name of the entry.
    pub log_id: String,
    /// When it was written.
    #[schema(format = DateTime)]
    pub date: String,
    /// What happened: a code, as `s` for a login.
    pub r#type: String,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub description: Option<String>,
    /// The name of the connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub connection: Option<String>,
    /// The connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub connection_id: Option<ConnectionId>,
    /// At which client.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub client_id: Option<ClientId>,
    /// Its name at that time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub client_name: Option<String>,
    /// The caller's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub ip: Option<String>,
    /// Which host the caller asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub hostname: Option<String>,
    /// To whom it happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub user_id: Option<UserId>,
    /// Their address or user name at that time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub user_name: Option<String>,
    /// The caller's `User-Agent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub user_agent: Option<String>,
    /// The API that tokens were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub audience: Option<String>,
    /// What was granted, with spaces between.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub scope: Option<String>,
    /// Of the connection: `auth0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub strategy: Option<String>,
    /// Of the connection: `database`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub strategy_type: Option<String>,
    /// The organization in whose name it happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub organization_id: Option<OrganizationId>,
    /// Its name at that time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub organization_name: Option<String>,
    /// What else is known: depends on what happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object)]
    pub details: Option<Map<String, Value>>,
    /// The place of the caller's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub location_info: Option<LogLocation>,
    /// What it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub references: Option<LogReferences>,
    /// Whether the caller has a phone or a tablet.
    #[serde(rename = "isMobile")]
    pub is_mobile: bool,
}

/// The place of a caller's address.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct LogLocation {
    /// ISO 3166-1 alpha-2.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub country_code: Option<String>,
    /// ISO 3166-1 alpha-3.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub country_code3: Option<String>,
    /// In English.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub country_name: Option<String>,
    /// In English.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub city_name: Option<String>,
    /// Degrees north.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub latitude: Option<f64>,
    /// Degrees east.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub longitude: Option<f64>,
    /// Of the IANA database.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub time_zone: Option<String>,
    /// Two letters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub continent_code: Option<String>,
}

/// What an entry of the log belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LogReferences {
    /// What the caller of the Management API sent as `X-Correlation-ID`.
    pub correlation_id: String,
}

impl From<StoredLog> for LogView {
    fn from(log: StoredLog) -> Self {
        let more = log.more;
        let location = |place: GeoIp| LogLocation {
            country_code: place.country_code,
            country_code3: place.country_code3,
            country_name: place.country_name,
            city_name: place.city_name,
            latitude: place.latitude,
            longitude: place.longitude,
            time_zone: place.time_zone,
            continent_code: place.continent_code,
        };
        let details = match log.details {
            Value::Object(details) => Some(details).filter(|details| !details.is_empty()),
            _ => None,
        };
        Self {
            id: log.log_id.to_string(),
            log_id: log.log_id.to_string(),
            date: log.date.to_iso(),
            r#type: log.code,
            description: Some(log.description).filter(|text| !text.is_empty()),
            connection: log.connection,
            connection_id: log.connection_id,
            client_id: log.client_id,
            client_name: log.client_name,
            ip: log.ip,
            hostname: log.hostname,
            user_id: log.user_id,
            user_name: log.user_name,
            is_mobile: log.user_agent.as_deref().is_some_and(is_mobile),
            user_agent: log.user_agent,
            audience: more.audience,
            scope: more.scope.map(|scope| scope.join(" ")),
            strategy: more.strategy,
            strategy_type: more.strategy_type,
            organization_id: log.organization_id,
            organization_name: more.organization_name,
            details,
            location_info: more.location.map(location),
            references: more.correlation_id.map(|correlation_id| LogReferences { correlation_id }),
        }
    }
}

/// Phones and tablets say so.
fn is_mobile(user_agent: &str) -> bool {
    ["Mobi", "Android", "iPhone", "iPad"].iter().any(|word| user_agent.contains(word))
}

/// An entry as log streams send it: with the tenant's name, without `_id`, and with `is_mobile` for `isMobile`.
pub(crate) fn sent_log(tenant: &TenantId, log: &LogView) -> Result<Map<String, Value>, ServerError> {
    let mut object = as_object(log)?;
    object.remove("_id");
    let is_mobile = object.remove("isMobile");
    object.insert("is_mobile".to_owned(), json!(is_mobile));
    object.insert("tenant_name".to_owned(), json!(tenant));
    Ok(object)
}
