//! A user name and a password, on the login page or at the token endpoint: one road, with the same limits, the same work
//! for whoever exists or not, and the same entries in the log.

use model::{Client, Connection, LogType, Timestamp, User};

use crate::manage::{DEFAULT_CONNECTION, takes_passwords};
use crate::post_login::log_entry;
use crate::rate_limit::{self, Attempt};
use crate::{Idp, PasswordPlace, RequestContext, ServerError, measure, password};

/// What the user reads when name and password do not fit, whatever the reason.
pub(crate) const WRONG_CREDENTIALS: &str = "Wrong email or password.";

/// What came of an attempt.
pub(crate) enum LoginAttempt {
    /// They are this user's, who is not blocked.
    Right(Box<User>),
    /// They are nobody's.
    Wrong,
    /// Not before so many seconds.
    TooMany { retry_after_secs: i64 },
    /// Too many hashes are under way. The attempt does not count.
    Busy,
}

/// Checks name and password of a user of this connection. No transaction may be open.
///
/// # Errors
/// [`ServerError`], but for [`ServerError::Busy`].
pub(crate) async fn attempt(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    connection: &Connection,
    username: &str,
    password: &str,
) -> Result<LoginAttempt, ServerError> {
    let now = idp.now();
    // Before the attempt is counted: our load is not the user's mistake.
    let place = match idp.passwords.place() {
        Err(ServerError::Busy) => return Ok(LoginAttempt::Busy),
        place => place?,
    };
    if let Attempt::TooMany { retry_after_secs } =
        rate_limit::login_attempt(idp, ctx, connection, username).await?
    {
        failed(idp, ctx, (client, connection), LogType::LimitReached, "Too many failed logins", now).await?;
        return Ok(LoginAttempt::TooMany { retry_after_secs });
    }
    let Some(user) = check(idp, ctx, connection, username, password, place).await? else {
        failed(idp, ctx, (client, connection), LogType::FailedLoginWrongPassword, WRONG_CREDENTIALS, now)
            .await?;
        return Ok(LoginAttempt::Wrong);
    };
    rate_limit::login_succeeded(idp, ctx, connection, username).await?;
    Ok(LoginAttempt::Right(Box::new(user)))
}

/// Unknown user, wrong password, blocked user and a connection without passwords take the same work and give the same
/// answer.
async fn check(
    idp: &Idp,
    ctx: &RequestContext,
    connection: &Connection,
    username: &str,
    password: &str,
    place: PasswordPlace,
) -> Result<Option<User>, ServerError> {
    let (user, profile) = {
        let mut tx = idp.storage.begin_read(&ctx.tenant.id).await?;
        let user = tx.user_by_login(&connection.id, username).await?;
        (
            user,
            tx.managed_connection(&connection.id).await?.map(|managed| managed.profile).unwrap_or_default(),
        )
    };
    let hash = user.as_ref().and_then(|user| user.password_hash.as_deref());
    let right = password::verify(idp, place, hash, password).await?;
    Ok(user.filter(|user| right && !user.blocked && takes_passwords(&profile)))
}

async fn failed(
    idp: &Idp,
    ctx: &RequestContext,
    (client, connection): (&Client, &Connection),
    log_type: LogType,
    description: &str,
    now: Timestamp,
) -> Result<(), ServerError> {
    let mut entry = log_entry(log_type, Some(client), None, &ctx.origin, now).with_connection(connection);
    entry.description = description.to_owned();
    measure::failed_login(&ctx.tenant.id, log_type);
    let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
    tx.insert_log(&entry).await?;
    Ok(tx.commit().await?)
}

/// The connection whose users log in at this client: the one that is named, or else the default one, or else its first
/// database.
///
/// # Errors
/// [`ServerError`].
pub(crate) async fn connection_of(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    name: Option<&str>,
) -> Result<Option<Connection>, ServerError> {
    let connections = idp.storage.begin_read(&ctx.tenant.id).await?.connections().await?;
    let fits = |known: &Connection| {
        known.strategy == "auth0"
            && known.enabled_clients.contains(&client.client_id)
            && name.is_none_or(|name| known.name == name)
    };
    Ok(connections.into_iter().filter(fits).min_by_key(|known| known.name != DEFAULT_CONNECTION))
}
