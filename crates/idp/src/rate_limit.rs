//! Limits on guessing (RFC 6749 §10.10). Each count is one atomic statement in a transaction of its own, made before
//! the guess is checked: parallel guesses cannot exceed a limit.

use model::{ClientId, Connection};

use crate::credential::hash_credential;
use crate::{Idp, RequestContext, ServerError};

const WINDOW_SECS: i64 = 15 * 60;
/// Attempts on one account in a window. A right password begins anew.
const LOGINS_PER_ACCOUNT: i64 = 10;
/// Attempts from one address in a window, on whatever accounts.
const LOGINS_PER_ADDRESS: i64 = 100;
/// Wrong secrets for one client from one address in a window.
const FAILURES_PER_CLIENT: i64 = 20;

/// Whether a guess may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// It may.
    Allowed,
    /// Not before the window ends.
    TooMany,
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
    Ok(within(of_address <= LOGINS_PER_ADDRESS && of_account <= LOGINS_PER_ACCOUNT))
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

/// Counts a wrong client secret. A right one is never counted nor refused, so that nobody can lock a client out.
pub(crate) async fn client_failed(
    idp: &Idp,
    ctx: &RequestContext,
    client_id: &ClientId,
) -> Result<Attempt, ServerError> {
    // Hashed: the id is whatever was sent.
    let key = format!("client/{}/{}", ctx.origin.ip, hash_credential(client_id.as_str()));
    let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
    let hits = tx.hit_rate_limit(&key, WINDOW_SECS, idp.now()).await?;
    tx.commit().await?;
    Ok(within(hits <= FAILURES_PER_CLIENT))
}

fn within(allowed: bool) -> Attempt {
    if allowed { Attempt::Allowed } else { Attempt::TooMany }
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
