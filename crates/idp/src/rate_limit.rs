//! Limits on guessing (RFC 6749 §10.10). Each count is one atomic statement in a transaction of its own, made before
//! the guess is checked: parallel guesses cannot exceed a limit.

use model::{ClientId, Connection, LogEntry, Timestamp, UserId};

use crate::credential::hash_credential;
use crate::{Idp, RequestContext, ServerError};

const WINDOW_SECS: i64 = 15 * 60;
/// Attempts on one account in a window. A right password begins anew.
const LOGINS_PER_ACCOUNT: i64 = 10;
/// Attempts from one address in a window, on whatever accounts.
const LOGINS_PER_ADDRESS: i64 = 100;
/// User codes of devices from one address in a window, right or wrong: with 20^8 of them, one address finds one of 100
/// waiting devices once in 240 years.
const USER_CODES_PER_ADDRESS: i64 = 30;
/// Attempts at a second factor of one user in a window, by whichever factor and client. A right one begins anew. Whoever
/// has the password finds one of the three codes that are right at a time once in two years.
const FACTORS_PER_USER: i64 = 5;
/// Wrong secrets and assertions for one client from one address in a window.
const FAILURES_PER_CLIENT: i64 = 20;

/// Whether a guess may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// It may.
    Allowed,
    /// Not before the window ends.
    TooMany {
        /// So many seconds from now.
        retry_after_secs: i64,
    },
}

/// Counts an attempt to log in with a password.
pub(crate) async fn login_attempt(
    idp: &Idp,
    ctx: &RequestContext,
    connection: &Connection,
    identifier: &str,
) -> Result<Attempt, ServerError> {
    let now = idp.now();
    let account = account_key(idp, ctx, connection, identifier).await?;
    let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
    let address = format!("login/address/{}", ctx.origin.ip);
    let of_address = tx.hit_rate_limit(&address, WINDOW_SECS, now).await?;
    let of_account = tx.hit_rate_limit(&account, WINDOW_SECS, now).await?;
    tx.commit().await?;
    Ok(within(of_address <= LOGINS_PER_ADDRESS && of_account <= LOGINS_PER_ACCOUNT, now))
}

/// The password was right: the account's count begins anew.
pub(crate) async fn login_succeeded(
    idp: &Idp,
    ctx: &RequestContext,
    connection: &Connection,
    identifier: &str,
) -> Result<(), ServerError> {
    let account = account_key(idp, ctx, connection, identifier).await?;
    let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
    tx.clear_rate_limit(&account).await?;
    Ok(tx.commit().await?)
}

/// Counts an attempt to enter a device's user code (RFC 8628 §5.1).
pub(crate) async fn user_code_attempt(idp: &Idp, ctx: &RequestContext) -> Result<Attempt, ServerError> {
    let now = idp.now();
    let key = format!("user_code/{}", ctx.origin.ip);
    let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
    let hits = tx.hit_rate_limit(&key, WINDOW_SECS, now).await?;
    tx.commit().await?;
    Ok(within(hits <= USER_CODES_PER_ADDRESS, now))
}

/// Counts an attempt at a second factor.
pub(crate) async fn factor_attempt(
    idp: &Idp,
    ctx: &RequestContext,
    user: &UserId,
) -> Result<Attempt, ServerError> {
    let now = idp.now();
    let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
    let hits = tx.hit_rate_limit(&factor_key(user), WINDOW_SECS, now).await?;
    tx.commit().await?;
    Ok(within(hits <= FACTORS_PER_USER, now))
}

/// The name of the counter, for whoever sets it back.
pub(crate) fn factor_key(user: &UserId) -> String {
    format!("factor/{}", hash_credential(user.as_str()))
}

/// Counts a wrong client secret or assertion, and makes the entry in the log unless there were too many. A right one is
/// never counted nor refused, so that nobody can lock a client out.
pub(crate) async fn client_failed(
    idp: &Idp,
    ctx: &RequestContext,
    client_id: &ClientId,
    entry: Option<&LogEntry>,
) -> Result<Attempt, ServerError> {
    // Hashed: the id is whatever was sent.
    let key = format!("client/{}/{}", ctx.origin.ip, hash_credential(client_id.as_str()));
    let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
    let now = idp.now();
    let allowed = tx.hit_rate_limit(&key, WINDOW_SECS, now).await? <= FAILURES_PER_CLIENT;
    if let Some(entry) = entry.filter(|_| allowed) {
        tx.insert_log(entry).await?;
    }
    tx.commit().await?;
    Ok(within(allowed, now))
}

fn within(allowed: bool, now: Timestamp) -> Attempt {
    if allowed {
        Attempt::Allowed
    } else {
        Attempt::TooMany { retry_after_secs: WINDOW_SECS - now.as_secs().rem_euclid(WINDOW_SECS) }
    }
}

/// One key for all names of an account: user name, e-mail address, in any case. A name that nobody has is counted in
/// the same way.
async fn account_key(
    idp: &Idp,
    ctx: &RequestContext,
    connection: &Connection,
    identifier: &str,
) -> Result<String, ServerError> {
    let user =
        idp.storage.begin_read(&ctx.tenant.id).await?.user_by_login(&connection.id, identifier).await?;
    let account = user.map_or_else(
        || format!("name\0{}", identifier.trim().to_lowercase()),
        |user| format!("user\0{}", user.user_id),
    );
    Ok(format!("login/account/{}/{}", connection.id, hash_credential(&account)))
}
