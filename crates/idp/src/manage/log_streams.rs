//! Setting log streams up. `crate::log_streams` sends.

use model::{
    LogFormat, LogStream, LogStreamSecrets, LogStreamSettings, LogStreamStatus, PiiConfig, TenantId,
    Timestamp, random_token,
};
use url::Url;

use super::ManageError;
use super::limits::{LOG_STREAM_HEADERS, LOG_STREAM_NAME_CHARS, LOG_STREAM_URL_BYTES};
use crate::log_streams::CATEGORIES;
use crate::{Idp, ServerError};

/// The most streams of a tenant.
const MAX_STREAMS: usize = 10;
const MAX_HEADER_BYTES: usize = 2048;
/// Headers that the request has by itself.
const OWN_HEADERS: [&str; 8] = [
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "host",
    "proxy-authorization",
    "transfer-encoding",
    "upgrade",
];

/// What changes of a stream, or what a new one has; what is `None` stays, or has its default.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "the fields are those of `model::LogStream` and what it holds")]
pub struct LogStreamChanges {
    pub name: Option<String>,
    pub status: Option<LogStreamStatus>,
    pub endpoint: Option<String>,
    pub content_type: Option<String>,
    pub content_format: Option<LogFormat>,
    /// An empty text removes it.
    pub authorization: Option<String>,
    pub headers: Option<Vec<(String, String)>>,
    pub categories: Option<Vec<String>>,
    pub is_priority: Option<bool>,
    /// `Some(None)` removes it.
    pub pii: Option<Option<PiiConfig>>,
    /// Of a new stream only.
    pub start_from: Option<Timestamp>,
}

/// All streams with their secrets, the oldest first.
///
/// # Errors
/// [`ServerError`].
pub async fn log_streams(
    idp: &Idp,
    tenant: &TenantId,
) -> Result<Vec<(LogStream, LogStreamSecrets)>, ServerError> {
    let streams = idp.storage.begin_read(tenant).await?.log_streams().await?;
    streams
        .into_iter()
        .map(|stream| {
            let secrets = log_stream_secrets(idp, tenant, &stream)?;
            Ok((stream, secrets))
        })
        .collect()
}

/// One stream with its secrets.
///
/// # Errors
/// [`ManageError::NotFound`].
pub async fn log_stream(
    idp: &Idp,
    tenant: &TenantId,
    id: &str,
) -> Result<(LogStream, LogStreamSecrets), ManageError> {
    let stream = idp.storage.begin_read(tenant).await?.log_stream(id).await?.ok_or_else(unknown)?;
    let secrets = log_stream_secrets(idp, tenant, &stream)?;
    Ok((stream, secrets))
}

/// Makes a stream. It sends what is written from now on, or what was written since `start_from` as well.
///
/// # Errors
/// [`ManageError::Invalid`] with the rule that it breaks, [`ManageError::Conflict`] for a name that is there,
/// [`ManageError::Forbidden`] for one too many.
pub async fn create_log_stream(
    idp: &Idp,
    tenant: &TenantId,
    new: &LogStreamChanges,
) -> Result<(LogStream, LogStreamSecrets), ManageError> {
    let now = idp.now();
    let Some(endpoint) = new.endpoint.clone() else {
        return Err(ManageError::invalid("sink.httpEndpoint is missing"));
    };
    let id = format!("lst_{}", random_token(&*idp.random, 16));
    let mut stream = LogStream {
        name: id.clone(),
        id,
        status: LogStreamStatus::Active,
        settings: LogStreamSettings {
            endpoint,
            content_type: "application/json".to_owned(),
            content_format: LogFormat::JsonLines,
            categories: Vec::new(),
            is_priority: false,
            pii: None,
            start_from: new.start_from,
        },
        sealed_secrets: None,
        failures: 0,
        failing_since: None,
        last_error: None,
        created_at: now,
        updated_at: now,
    };
    let mut secrets = LogStreamSecrets::default();
    apply(&mut stream, &mut secrets, new)?;
    stream.sealed_secrets = seal(idp, tenant, &stream.id, &secrets)?;
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    if tx.log_streams().await?.len() >= MAX_STREAMS {
        return Err(ManageError::Forbidden {
            error_code: "too_many_entities",
            message: format!("There are {MAX_STREAMS} log streams already: no tenant has more"),
        });
    }
    let cursor = match new.start_from {
        Some(date) => tx.cursor_at(date).await?,
        None => None,
    };
    let cursor = match cursor {
        Some(cursor) => cursor,
        None => tx.log_end().await?,
    };
    if !tx.insert_log_stream(&stream, cursor).await? {
        return Err(taken());
    }
    tx.commit().await?;
    Ok((stream, secrets))
}

/// Changes a stream. One that was suspended or paused and is active again goes on where it was.
///
/// # Errors
/// As [`create_log_stream`], and [`ManageError::NotFound`].
pub async fn update_log_stream(
    idp: &Idp,
    tenant: &TenantId,
    id: &str,
    changes: &LogStreamChanges,
) -> Result<(LogStream, LogStreamSecrets), ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    let mut stream = tx.log_stream(id).await?.ok_or_else(unknown)?;
    let mut secrets = log_stream_secrets(idp, tenant, &stream)?;
    apply(&mut stream, &mut secrets, changes)?;
    if tx.log_stream_by_name(&stream.name).await?.is_some_and(|other| other.id != stream.id) {
        return Err(taken());
    }
    stream.sealed_secrets = seal(idp, tenant, id, &secrets)?;
    stream.updated_at = idp.now();
    tx.update_log_stream(&stream).await?;
    tx.commit().await?;
    Ok((stream, secrets))
}

/// Removes a stream; one that is not there is no error, as in the dialect.
///
/// # Errors
/// [`ServerError`].
pub async fn delete_log_stream(idp: &Idp, tenant: &TenantId, id: &str) -> Result<(), ServerError> {
    let mut tx = idp.storage.begin(tenant).await?;
    tx.delete_log_stream(id).await?;
    Ok(tx.commit().await?)
}

/// Opens a stream's secrets.
///
/// # Errors
/// [`ServerError::Crypto`] when they were sealed with another key.
pub(crate) fn log_stream_secrets(
    idp: &Idp,
    tenant: &TenantId,
    stream: &LogStream,
) -> Result<LogStreamSecrets, ServerError> {
    let Some(sealed) = &stream.sealed_secrets else { return Ok(LogStreamSecrets::default()) };
    let opened = idp.vault.open(&context(tenant, &stream.id), sealed)?;
    serde_json::from_slice(&opened)
        .map_err(|error| ServerError::Inconsistent(format!("secrets of a log stream: {error}")))
}

fn seal(
    idp: &Idp,
    tenant: &TenantId,
    id: &str,
    secrets: &LogStreamSecrets,
) -> Result<Option<String>, ServerError> {
    if *secrets == LogStreamSecrets::default() {
        return Ok(None);
    }
    let plain = serde_json::to_vec(secrets)
        .map_err(|error| ServerError::Inconsistent(format!("secrets of a log stream: {error}")))?;
    idp.vault.seal(&*idp.random, &context(tenant, id), &plain).map(Some)
}

fn context(tenant: &TenantId, id: &str) -> String {
    format!("{tenant}/log_stream_secrets/{id}")
}

fn unknown() -> ManageError {
    ManageError::NotFound {
        error_code: Some("inexistent_log_stream"),
        message: "The log stream does not exist".into(),
    }
}

fn taken() -> ManageError {
    ManageError::Conflict("A log stream with this name already exists".to_owned())
}

fn apply(
    stream: &mut LogStream,
    secrets: &mut LogStreamSecrets,
    changes: &LogStreamChanges,
) -> Result<(), ManageError> {
    let settings = &mut stream.settings;
    let set = |value: &mut String, change: &Option<String>| {
        if let Some(change) = change {
            value.clone_from(change);
        }
    };
    set(&mut stream.name, &changes.name);
    set(&mut settings.endpoint, &changes.endpoint);
    set(&mut settings.content_type, &changes.content_type);
    if changes.status == Some(LogStreamStatus::Suspended) {
        return Err(ManageError::invalid("status can be set to active or paused"));
    }
    stream.status = changes.status.unwrap_or(stream.status);
    settings.content_format = changes.content_format.unwrap_or(settings.content_format);
    settings.is_priority = changes.is_priority.unwrap_or(settings.is_priority);
    if let Some(categories) = &changes.categories {
        settings.categories.clone_from(categories);
    }
    if let Some(pii) = &changes.pii {
        settings.pii.clone_from(pii);
    }
    if let Some(authorization) = &changes.authorization {
        secrets.authorization = Some(authorization.clone()).filter(|value| !value.is_empty());
    }
    if let Some(headers) = &changes.headers {
        secrets.headers.clone_from(headers);
    }
    check(stream, secrets)
}

fn check(stream: &LogStream, secrets: &LogStreamSecrets) -> Result<(), ManageError> {
    let invalid = |text: String| Err(ManageError::invalid(text));
    if stream.name.trim().is_empty() || stream.name.chars().count() > LOG_STREAM_NAME_CHARS {
        return invalid(format!("name must have 1 to {LOG_STREAM_NAME_CHARS} characters"));
    }
    let settings = &stream.settings;
    let is_url = Url::parse(&settings.endpoint).is_ok_and(|url| {
        ["http", "https"].contains(&url.scheme()) && url.username().is_empty() && url.password().is_none()
    });
    if !is_url || settings.endpoint.len() > LOG_STREAM_URL_BYTES {
        return invalid("sink.httpEndpoint must be an http or https URL without credentials".to_owned());
    }
    if !is_header_value(&settings.content_type) || !settings.content_type.contains('/') {
        return invalid("sink.httpContentType must be a media type".to_owned());
    }
    if let Some(unknown) = settings.categories.iter().find(|name| !CATEGORIES.contains(&name.as_str())) {
        return invalid(format!("filters: there is no category {unknown}"));
    }
    if let Some(PiiConfig { log_fields, .. }) = &settings.pii
        && log_fields.is_empty()
    {
        return invalid("pii_config.log_fields must name at least one field".to_owned());
    }
    if secrets.authorization.as_ref().is_some_and(|value| !is_header_value(value)) {
        return invalid("sink.httpAuthorization is no value of a header".to_owned());
    }
    if secrets.headers.len() > LOG_STREAM_HEADERS {
        return invalid(format!("sink.httpCustomHeaders has more than {LOG_STREAM_HEADERS} headers"));
    }
    for (name, value) in &secrets.headers {
        let is_name =
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !is_name || OWN_HEADERS.contains(&name.to_ascii_lowercase().as_str()) || !is_header_value(value) {
            return invalid(format!("sink.httpCustomHeaders: {name:?} cannot be set"));
        }
    }
    Ok(())
}

fn is_header_value(value: &str) -> bool {
    value.len() <= MAX_HEADER_BYTES && value.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}
