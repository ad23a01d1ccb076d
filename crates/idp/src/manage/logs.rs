//! Reading the tenant's log.

use model::TenantId;
use model::search::Query;
use serde_json::{Map, Value, json};
use storage::{LogCursor, LogId, LogSearch, StorageError, StoredLog};

use super::ManageError;
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

/// A part of the log, by time.
#[derive(Debug, Clone, Default)]
pub struct LogPage<'a> {
    /// `model::search`; `None`: everything.
    pub query: Option<&'a str>,
    /// The oldest first.
    pub ascending: bool,
    /// How many are passed over.
    pub offset: i64,
    /// How many are wanted.
    pub limit: i64,
    /// Whether they are counted.
    pub counted: bool,
}

/// Finds a part of the log; and how many entries there are, up to [`DEEPEST_PAGE`], where they are counted.
///
/// # Errors
/// [`LogSearchError`].
pub async fn search_logs(
    idp: &Idp,
    tenant: &TenantId,
    page: &LogPage<'_>,
) -> Result<(Vec<StoredLog>, Option<i64>), LogSearchError> {
    if page.offset + page.limit > DEEPEST_PAGE {
        let text = format!("Only the first {DEEPEST_PAGE} entries have pages; read on with from and take");
        return Err(LogSearchError::Query(text));
    }
    let wrong = |error: &dyn std::error::Error| LogSearchError::Query(error.to_string());
    let query = page.query.map(Query::parse).transpose().map_err(|error| wrong(&error))?;
    let search = LogSearch {
        query: query.as_ref(),
        ascending: page.ascending,
        offset: page.offset,
        limit: page.limit,
    };
    let mut tx = idp.storage.begin_read(tenant).await?;
    let found = tx.search_logs(&search).await?.map_err(|error| wrong(&error))?;
    let total = match page.counted {
        true => Some(tx.count_logs(query.as_ref(), DEEPEST_PAGE).await?.map_err(|error| wrong(&error))?),
        false => None,
    };
    Ok((found, total))
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

/// An entry as the Management API shows it. What is not known is not there.
#[must_use]
pub fn shown_log(log: &StoredLog) -> Map<String, Value> {
    let mut object = common(log);
    object.insert("_id".to_owned(), json!(log.log_id.to_string()));
    object.insert("isMobile".to_owned(), json!(is_mobile(log)));
    object
}

/// An entry as log streams send it.
pub(crate) fn sent_log(tenant: &TenantId, log: &StoredLog) -> Map<String, Value> {
    let mut object = common(log);
    object.insert("tenant_name".to_owned(), json!(tenant));
    object.insert("is_mobile".to_owned(), json!(is_mobile(log)));
    object
}

fn common(log: &StoredLog) -> Map<String, Value> {
    let more = &log.more;
    let location = more.location.as_ref().map(|place| {
        let values = [
            ("country_code", json!(place.country_code)),
            ("country_code3", json!(place.country_code3)),
            ("country_name", json!(place.country_name)),
            ("city_name", json!(place.city_name)),
            ("latitude", json!(place.latitude)),
            ("longitude", json!(place.longitude)),
            ("time_zone", json!(place.time_zone)),
            ("continent_code", json!(place.continent_code)),
        ];
        Value::Object(present(values))
    });
    let details = log.details.as_object().filter(|details| !details.is_empty());
    present([
        ("log_id", json!(log.log_id.to_string())),
        ("date", json!(log.date.to_iso())),
        ("type", json!(log.code)),
        ("description", json!(Some(&log.description).filter(|text| !text.is_empty()))),
        ("connection", json!(log.connection)),
        ("connection_id", json!(log.connection_id)),
        ("client_id", json!(log.client_id)),
        ("client_name", json!(log.client_name)),
        ("ip", json!(log.ip)),
        ("hostname", json!(log.hostname)),
        ("user_id", json!(log.user_id)),
        ("user_name", json!(log.user_name)),
        ("user_agent", json!(log.user_agent)),
        ("audience", json!(more.audience)),
        ("scope", json!(more.scope.as_ref().map(|scope| scope.join(" ")))),
        ("strategy", json!(more.strategy)),
        ("strategy_type", json!(more.strategy_type)),
        ("organization_id", json!(log.organization_id)),
        ("organization_name", json!(more.organization_name)),
        ("details", json!(details)),
        ("location_info", json!(location)),
        (
            "references",
            more.correlation_id.as_ref().map_or(Value::Null, |id| json!({ "correlation_id": id })),
        ),
    ])
}

fn present<const N: usize>(values: [(&str, Value); N]) -> Map<String, Value> {
    values
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// Phones and tablets say so.
fn is_mobile(log: &StoredLog) -> bool {
    let agent = log.user_agent.as_deref().unwrap_or_default();
    ["Mobi", "Android", "iPhone", "iPad"].iter().any(|word| agent.contains(word))
}
