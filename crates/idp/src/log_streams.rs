//! Sends tenants' logs to where they want them, by any number of nodes: a node takes what is due for itself in the database
//! (`storage::log_streams`), sends it with no transaction open, and writes down how far it came. What a node sent that then
//! died is sent again.

use std::sync::Arc;
use std::time::Duration;

use model::{
    LogEntry, LogFormat, LogStream, LogStreamStatus, LogType, PiiField, PiiMethod, TenantId, Timestamp,
};
use serde_json::json;
use storage::{ClaimedLogStream, LogCursor, StoredLog};
use tokio::task::JoinSet;
use xxhash_rust::xxh64::xxh64;

use crate::backchannel_logout::{OutgoingError, OutgoingHttp};
use crate::manage::{LogView, log_stream_secrets, sent_log};
use crate::{Idp, ServerError, measure};

/// The categories by which entries are chosen, as the dialect calls them.
pub const CATEGORIES: &[&str] = &[
    "auth.login.fail",
    "auth.login.notification",
    "auth.login.success",
    "auth.logout.fail",
    "auth.logout.success",
    "auth.signup.fail",
    "auth.signup.success",
    "auth.silent_auth.fail",
    "auth.silent_auth.success",
    "auth.token_exchange.fail",
    "auth.token_exchange.success",
    "management.fail",
    "management.success",
    "scim.event",
    "system.notification",
    "user.fail",
    "user.notification",
    "user.success",
    "actions",
    "other",
];

/// How many tenants get their turn at a time, how many streams of one of them (`storage::log_streams`), and how many requests
/// may be under way.
const TENANTS_AT_A_TIME: usize = 16;
const STREAMS_OF_TENANT: usize = 4;
const MOST_UNDER_WAY: usize = 128;
/// How long a round waits for answers.
const MOMENT: Duration = Duration::from_secs(1);
/// How long one node has what it has taken. More than [`OutgoingHttp`] takes.
const LEASE_SECS: i64 = 60;
/// The most entries of a request, and about how many bytes it has: the entry that reaches them is its last.
const BATCH_ENTRIES: i64 = 100;
const BATCH_BYTES: usize = 512 << 10;
/// From a failure to the next attempt; each further delay is twice as long, up to the longest.
const FIRST_DELAY_SECS: i64 = 5;
const LONGEST_DELAY_SECS: i64 = 15 * 60;
/// A stream that has failed for so long is suspended.
const SUSPENDED_AFTER_SECS: i64 = 24 * 3600;

/// What one node sends.
pub struct LogDeliveries {
    idp: Arc<Idp>,
    http: Arc<dyn OutgoingHttp>,
    /// Requests under way. A receiver that is slow holds up no other one.
    under_way: JoinSet<()>,
}

impl LogDeliveries {
    /// With this database and this client.
    pub fn new(idp: Arc<Idp>, http: Arc<dyn OutgoingHttp>) -> Self {
        Self { idp, http, under_way: JoinSet::new() }
    }

    /// Begins to send what is due, one request for each stream that gets its turn, and waits a moment for the answers; how
    /// many were begun, or were still under way.
    ///
    /// # Errors
    /// [`ServerError`] when it cannot be read what is due. What goes wrong with one stream is logged, and tried again.
    pub async fn round(&mut self) -> Result<usize, ServerError> {
        let (now, before) = (self.idp.now(), self.under_way.len());
        let room = (MOST_UNDER_WAY.saturating_sub(before) / STREAMS_OF_TENANT).min(TENANTS_AT_A_TIME);
        let room = i64::try_from(room).unwrap_or_default();
        for tenant in self.idp.storage.tenants_with_due_log_streams(now, room).await? {
            let mut tx = self.idp.storage.begin(&tenant).await?;
            let claimed = tx.claim_log_streams(now, now.plus_secs(LEASE_SECS)).await?;
            tx.commit().await?;
            for claimed in claimed {
                let (idp, http, tenant) = (Arc::clone(&self.idp), Arc::clone(&self.http), tenant.clone());
                self.under_way.spawn(async move {
                    if let Err(error) = deliver(&idp, &*http, &tenant, &claimed).await {
                        tracing::error!(%tenant, stream = claimed.stream.id, ?error, "log stream");
                    }
                });
            }
        }
        let count = self.under_way.len();
        // When it is over, what has been begun goes on.
        let _ = tokio::time::timeout(MOMENT, self.finish()).await;
        Ok(count)
    }

    /// Waits for what is under way.
    pub async fn finish(&mut self) {
        while let Some(delivery) = self.under_way.join_next().await {
            if let Err(error) = delivery {
                tracing::error!(%error, "log stream");
            }
        }
    }
}

async fn deliver(
    idp: &Idp,
    http: &dyn OutgoingHttp,
    tenant: &TenantId,
    claimed: &ClaimedLogStream,
) -> Result<(), ServerError> {
    let stream = &claimed.stream;
    let entries = idp.storage.begin_read(tenant).await?.logs_after(claimed.cursor, BATCH_ENTRIES).await?;
    let (body, cursor) = batch(tenant, stream, entries, claimed.cursor)?;
    if let Some(body) = body {
        let secrets = log_stream_secrets(idp, tenant, stream)?;
        let mut headers = vec![("content-type".to_owned(), stream.settings.content_type.clone())];
        headers.extend(secrets.authorization.map(|value| ("authorization".to_owned(), value)));
        headers.extend(secrets.headers);
        let outcome = http.post_body(&stream.settings.endpoint, &headers, body).await;
        let refused = matches!(outcome, Err(OutgoingError::Refused(_)));
        let reason = match outcome {
            Ok(200..=299) => None,
            Ok(status) => Some(format!("it answered with status {status}")),
            Err(error) => {
                let cause = std::error::Error::source(&error).map(|cause| format!("{cause:?}"));
                tracing::info!(%tenant, stream = stream.id, %error, cause, "log stream");
                Some(error.to_string())
            }
        };
        measure::delivery("log_stream", if reason.is_none() { "success" } else { "failure" });
        if let Some(reason) = reason {
            return put_off(idp, tenant, claimed, &reason, refused).await;
        }
    }
    let mut tx = idp.storage.begin(tenant).await?;
    tx.advance_log_stream(claimed, cursor, idp.now()).await?;
    Ok(tx.commit().await?)
}

async fn put_off(
    idp: &Idp,
    tenant: &TenantId,
    claimed: &ClaimedLogStream,
    reason: &str,
    refused: bool,
) -> Result<(), ServerError> {
    let now = idp.now();
    let since = claimed.stream.failing_since.unwrap_or(now);
    let is_over = refused || now.ms_since(since) >= SUSPENDED_AFTER_SECS * 1000;
    let status = if is_over { LogStreamStatus::Suspended } else { LogStreamStatus::Active };
    let due_at = now.plus_secs(delay_secs(claimed.stream.failures));
    let mut tx = idp.storage.begin(tenant).await?;
    if tx.put_off_log_stream(claimed, status, reason, since, due_at).await? && is_over {
        tx.insert_log(&suspension(&claimed.stream, reason, now)).await?;
    }
    Ok(tx.commit().await?)
}

fn suspension(stream: &LogStream, reason: &str, now: Timestamp) -> LogEntry {
    LogEntry {
        description: format!("The log stream {} is suspended: {reason}", stream.name),
        details: json!({ "log_stream_id": stream.id }),
        ..LogEntry::new(LogType::Warning, now)
    }
}

fn delay_secs(failures: i64) -> i64 {
    let doublings = u32::try_from(failures.clamp(0, 20)).unwrap_or_default();
    (FIRST_DELAY_SECS << doublings).min(LONGEST_DELAY_SECS)
}

/// The next request, and what has been sent when it has arrived. There is none when the stream wants none of the entries.
fn batch(
    tenant: &TenantId,
    stream: &LogStream,
    entries: Vec<StoredLog>,
    cursor: LogCursor,
) -> Result<(Option<Vec<u8>>, LogCursor), ServerError> {
    let (mut items, mut bytes, mut cursor) = (Vec::new(), 0, cursor);
    for log in entries {
        cursor = log.cursor;
        if !is_wanted(stream, &log.code) {
            continue;
        }
        let mut entry = LogView::from(log);
        protect(stream, &mut entry);
        let text = json!({ "log_id": entry.log_id, "data": sent_log(tenant, &entry)? }).to_string();
        bytes += text.len();
        items.push(text);
        if bytes >= BATCH_BYTES {
            break;
        }
    }
    if items.is_empty() {
        return Ok((None, cursor));
    }
    let body = match stream.settings.content_format {
        LogFormat::JsonLines => items.join("\n") + "\n",
        LogFormat::JsonArray => format!("[{}]", items.join(",")),
        LogFormat::JsonObject => format!("{{\"logs\":[{}]}}", items.join(",")),
    };
    Ok((Some(body.into_bytes()), cursor))
}

fn is_wanted(stream: &LogStream, code: &str) -> bool {
    let wanted = &stream.settings.categories;
    wanted.is_empty() || wanted.iter().any(|name| name == category(code))
}

/// The category of an entry of this type.
#[must_use]
pub fn category(code: &str) -> &'static str {
    match code {
        "f" | "fp" | "fu" => "auth.login.fail",
        "s" => "auth.login.success",
        "flo" | "oidc_backchannel_logout_failed" => "auth.logout.fail",
        "slo" | "oidc_backchannel_logout_succeeded" => "auth.logout.success",
        "fs" => "auth.signup.fail",
        "ss" => "auth.signup.success",
        "fsa" => "auth.silent_auth.fail",
        "ssa" => "auth.silent_auth.success",
        "feacft" | "fertft" | "feccft" | "fede" | "fepft" | "feotpft" | "fercft" | "ferrt" => {
            "auth.token_exchange.fail"
        }
        "seacft" | "sertft" | "seccft" | "sede" | "sepft" | "seotpft" | "sercft" => {
            "auth.token_exchange.success"
        }
        "fapi" => "management.fail",
        "sapi" => "management.success",
        "w" | "limit_wc" | "limit_mu" => "system.notification",
        "fdeaz"
        | "fdeac"
        | "fdecc"
        | "gd_auth_failed"
        | "gd_recovery_failed"
        | "gd_otp_rate_limit_exceed"
        | "fdu" => "user.fail",
        "session_revoked" | "srrt" => "user.notification",
        "scp"
        | "sdu"
        | "gd_auth_succeed"
        | "gd_enrollment_complete"
        | "gd_unenroll"
        | "gd_recovery_succeed" => "user.success",
        "actions_execution_failed" => "actions",
        _ => "other",
    }
}

/// Takes personal data out. Of what may be named, an entry has the user's name alone, which is an address, a user name or a
/// telephone number.
fn protect(stream: &LogStream, entry: &mut LogView) {
    let (Some(pii), Some(name)) = (&stream.settings.pii, &mut entry.user_name) else { return };
    let field = match name.as_str() {
        name if name.contains('@') => PiiField::Email,
        name if name.starts_with('+') => PiiField::Phone,
        _ => PiiField::Username,
    };
    if pii.log_fields.contains(&field) {
        *name = match pii.method {
            PiiMethod::Mask => "*".repeat(name.chars().count()),
            PiiMethod::Hash => format!("{:016x}", xxh64(name.as_bytes(), 0)),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_up_to_a_quarter_of_an_hour() {
        assert_eq!([0, 1, 2, 7, 8, 1000].map(delay_secs), [5, 10, 20, 640, 900, 900]);
    }

    #[test]
    fn each_type_has_a_category_that_there_is() {
        for code in
            ["s", "f", "fp", "ssa", "seacft", "fertft", "sapi", "w", "slo", "actions_execution_failed", "?"]
        {
            assert!(CATEGORIES.contains(&category(code)), "{code}");
        }
    }
}
