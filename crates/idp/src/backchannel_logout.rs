//! OpenID Connect Back-Channel Logout: telling clients that sessions have ended. What is to be told comes into the queue
//! with the end itself, in its transaction (`crate::revocation`); here it is delivered, by any number of nodes. A client
//! that does not answer never holds up a logout.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use model::{BackchannelLogout, LogEntry, LogType, Tenant, TenantId, Timestamp};
use serde_json::json;
use tokio::task::JoinSet;

use crate::{Idp, IdpError, ServerError, measure, tokens};

/// How many tenants get their turn at a time; one of them has a few requests in it, so that none takes the others' turn.
const TENANTS_AT_A_TIME: i64 = 16;
/// How long one node has what it has claimed. More than [`OutgoingHttp`] takes.
const LEASE_SECS: i64 = 60;
/// How often a client is tried. With the delays between, for six hours.
const MAX_ATTEMPTS: i64 = 7;
/// From the first attempt to the second. Each further delay is four times as long.
const FIRST_DELAY_SECS: i64 = 15;
/// A session that has ended by itself is let rest for so long: a request may be under way that used it before, on a node
/// whose clock is behind.
const SETTLE_SECS: i64 = 60;
/// How far a node looks back for such sessions when it starts.
const LOOK_BACK_SECS: i64 = 24 * 3600;
/// How long it is known that a client was told: longer than a node looks back.
const KEPT_SECS: i64 = 48 * 3600;

/// Requests to addresses that tenants choose.
pub trait OutgoingHttp: Send + Sync {
    /// Sends the form to the URL; the status of the answer. Redirects are not followed; it does not take longer than a
    /// few seconds.
    fn post_form<'a>(
        &'a self,
        url: &'a str,
        form: &'a [(&'a str, &'a str)],
    ) -> Pin<Box<dyn Future<Output = Result<u16, OutgoingError>> + Send + 'a>>;

    /// The same with a body and these headers.
    fn post_body<'a>(
        &'a self,
        url: &'a str,
        headers: &'a [(String, String)],
        body: Vec<u8>,
    ) -> Pin<Box<dyn Future<Output = Result<u16, OutgoingError>> + Send + 'a>>;
}

/// Why there was no answer. The texts are for the tenant; causes are for the operator.
#[derive(Debug, thiserror::Error)]
pub enum OutgoingError {
    /// The URL, or an address of its host, is not one that tenants may make this server reach. It was not contacted.
    #[error("this server may not send requests to that address")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// There was no complete answer in time.
    #[error("there was no answer in time")]
    TimedOut,
    /// No connection, or no HTTP.
    #[error("the address could not be reached")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The deliveries of one node.
pub struct Deliveries {
    idp: Arc<Idp>,
    http: Arc<dyn OutgoingHttp>,
    /// Sessions that ended by themselves until then are in the queue.
    expired_until: Option<Timestamp>,
}

impl Deliveries {
    /// With this database and this client.
    pub fn new(idp: Arc<Idp>, http: Arc<dyn OutgoingHttp>) -> Self {
        Self { idp, http, expired_until: None }
    }

    /// Delivers what is due, as far as it gets its turn; how many attempts were made. No transaction is open meanwhile.
    ///
    /// # Errors
    /// [`ServerError`] when the queue cannot be read. What goes wrong with one delivery is logged, and tried again.
    pub async fn round(&mut self) -> Result<usize, ServerError> {
        let now = self.idp.now();
        self.queue_expired(now).await?;
        let mut deliveries = JoinSet::new();
        for id in self.idp.storage.tenants_with_due_logouts(now, TENANTS_AT_A_TIME).await? {
            let Some(tenant) = self.idp.storage.tenant(&id).await?.map(Arc::new) else { continue };
            let mut tx = self.idp.storage.begin(&id).await?;
            let claimed = tx.claim_backchannel_logouts(now, now.plus_secs(LEASE_SECS)).await?;
            tx.commit().await?;
            for logout in claimed {
                let (idp, http, tenant) =
                    (Arc::clone(&self.idp), Arc::clone(&self.http), Arc::clone(&tenant));
                deliveries.spawn(async move {
                    if let Err(error) = deliver(&idp, &*http, &tenant, &logout).await {
                        let (tenant, client) = (&tenant.id, &logout.client_id);
                        tracing::error!(%tenant, %client, ?error, "back-channel logout");
                    }
                });
            }
        }
        let attempts = deliveries.len();
        while let Some(delivery) = deliveries.join_next().await {
            if let Err(error) = delivery {
                tracing::error!(%error, "back-channel logout");
            }
        }
        Ok(attempts)
    }

    /// Queues what is told of sessions that ended by themselves: no event says that they did.
    async fn queue_expired(&mut self, now: Timestamp) -> Result<(), ServerError> {
        let after = self.expired_until.unwrap_or(now.plus_secs(-LOOK_BACK_SECS));
        let until = now.plus_secs(-SETTLE_SECS);
        if until <= after {
            return Ok(());
        }
        for tenant in self.idp.storage.tenants_with_expired_sessions(after, until).await? {
            let mut tx = self.idp.storage.begin(&tenant).await?;
            tx.queue_expired_sessions(after, until, now).await?;
            tx.commit().await?;
        }
        self.expired_until = Some(until);
        Ok(())
    }
}

async fn deliver(
    idp: &Idp,
    http: &dyn OutgoingHttp,
    tenant: &Tenant,
    logout: &BackchannelLogout,
) -> Result<(), IdpError> {
    // The client as it is now: a URL that was wrong may have been put right.
    let client = idp.settings.client(tenant, &logout.client_id).await?;
    let url = client.as_ref().and_then(|client| client.oidc_logout.as_ref()?.backchannel_logout_urls.first());
    let (Some(client), Some(url)) = (&client, url) else {
        return Ok(finish(idp, &tenant.id, logout, None).await?);
    };
    let token = tokens::logout_token(idp, tenant, client, logout, idp.now()).await?;
    let reason = match http.post_form(url, &[("logout_token", &token)]).await {
        // §2.8. Some frameworks make a 204 of an answer without content.
        Ok(200 | 204) => {
            measure::delivery("backchannel_logout", "success");
            let told = "The client was told".to_owned();
            let entry = entry(LogType::BackchannelLogoutSucceeded, logout, told, idp.now());
            return Ok(finish(idp, &tenant.id, logout, Some(entry)).await?);
        }
        Ok(status) => format!("the client answered with status {status}"),
        Err(error) => {
            let cause = std::error::Error::source(&error).map(|cause| format!("{cause:?}"));
            tracing::info!(tenant = %tenant.id, client = %logout.client_id, %error, cause, "back-channel logout");
            match error {
                OutgoingError::Refused(_) => {
                    measure::delivery("backchannel_logout", "failure");
                    return Ok(give_up(idp, &tenant.id, logout, error.to_string()).await?);
                }
                OutgoingError::TimedOut | OutgoingError::Failed(_) => error.to_string(),
            }
        }
    };
    measure::delivery("backchannel_logout", "failure");
    match delay_secs(logout.attempts) {
        None => Ok(give_up(idp, &tenant.id, logout, reason).await?),
        Some(delay_secs) => {
            let mut tx = idp.storage.begin(&tenant.id).await?;
            tx.put_off_backchannel_logout(logout, idp.now().plus_secs(delay_secs)).await?;
            Ok(tx.commit().await?)
        }
    }
}

/// Seconds to the next attempt; `None`: there is none.
fn delay_secs(attempts: i64) -> Option<i64> {
    let exponent = u32::try_from(attempts - 1).ok()?;
    (attempts < MAX_ATTEMPTS).then(|| FIRST_DELAY_SECS * 4_i64.pow(exponent))
}

async fn give_up(
    idp: &Idp,
    tenant: &TenantId,
    logout: &BackchannelLogout,
    reason: String,
) -> Result<(), ServerError> {
    let entry = entry(LogType::BackchannelLogoutFailed, logout, reason, idp.now());
    finish(idp, tenant, logout, Some(entry)).await
}

/// Takes it out of the queue, with its entry in the log. One who lost the claim writes nothing.
async fn finish(
    idp: &Idp,
    tenant: &TenantId,
    logout: &BackchannelLogout,
    entry: Option<LogEntry>,
) -> Result<(), ServerError> {
    let mut tx = idp.storage.begin(tenant).await?;
    if tx.finish_backchannel_logout(logout, idp.now().plus_secs(KEPT_SECS)).await?
        && let Some(entry) = entry
    {
        tx.insert_log(&entry).await?;
    }
    Ok(tx.commit().await?)
}

fn entry(log_type: LogType, logout: &BackchannelLogout, description: String, now: Timestamp) -> LogEntry {
    LogEntry {
        client_id: Some(logout.client_id.clone()),
        user_id: Some(logout.user_id.clone()),
        description,
        details: json!({
            "session_id": logout.session_id,
            "session_ended_at": logout.created_at.to_iso(),
            "attempts": logout.attempts,
        }),
        ..LogEntry::new(log_type, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_until_the_last_attempt() {
        let delays: Vec<_> = (1..=MAX_ATTEMPTS).map(delay_secs).collect();
        assert_eq!(delays[..3], [Some(15), Some(60), Some(240)]);
        assert_eq!(delays.last(), Some(&None));
        let all: i64 = delays.into_iter().flatten().sum();
        assert!((5 * 3600..7 * 3600).contains(&all), "{all} s");
    }
}
