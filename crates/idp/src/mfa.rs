//! Second factors: one-time passwords of an authenticator app (RFC 6238), and a recovery code for who has lost it.
//!
//! [`browser`] asks for them on pages in a login under way, [`api`] at endpoints for clients without a browser. Here is
//! what both do: begin, confirm, check, spend.

pub mod api;
pub mod browser;
mod plan;
mod totp;

use data_encoding::BASE32_NOPAD;
use model::{
    Authenticator, AuthenticatorId, Client, FactorType, LogType, Timestamp, User, UserId, random_token,
};
use serde_json::{Value, json};
use storage::{StorageError, TenantTx};

pub(crate) use plan::{Standing, Step};

use crate::credential::hash_credential;
use crate::post_login::log_entry;
use crate::rate_limit::{self, Attempt};
use crate::{Idp, RequestContext, ServerError};

/// The random bytes of a recovery code: 24 characters.
const RECOVERY_CODE_BYTES: usize = 15;

/// What the user's app needs.
pub(crate) struct Enrolment {
    /// For people.
    pub secret: String,
    /// For the app's camera.
    pub uri: String,
}

/// What came of a code.
pub(crate) enum Shown {
    /// It was right, and is spent.
    Right {
        /// The recovery code that the user must keep from now on, to be shown once.
        recovery_code: Option<String>,
    },
    /// It was wrong, or used before.
    Wrong,
    /// Not before so many seconds.
    TooMany { retry_after_secs: i64 },
}

/// Whose factor it is, and in which login.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub client: &'a Client,
    pub user: &'a User,
    /// Names the login. A factor that it begins, no other one confirms.
    pub login: &'a str,
}

/// The factors by which the user can log in now: confirmed, and enabled in the tenant. A recovery code alone is none.
pub(crate) async fn usable_factors(
    idp: &Idp,
    ctx: &RequestContext,
    user: &User,
) -> Result<Vec<Authenticator>, ServerError> {
    if FactorType::ALL.into_iter().all(|factor| !ctx.tenant.has_factor(factor)) {
        return Ok(Vec::new());
    }
    let mut known = idp.storage.begin_read(&ctx.tenant.id).await?.authenticators_of(&user.user_id).await?;
    known.retain(|known| known.confirmed_at.is_some() && ctx.tenant.has_factor(known.factor));
    if known.iter().all(|known| known.factor == FactorType::RecoveryCode) {
        known.clear();
    }
    Ok(known)
}

/// Their kinds.
pub(crate) async fn usable_types(
    idp: &Idp,
    ctx: &RequestContext,
    user: &User,
) -> Result<Vec<FactorType>, ServerError> {
    Ok(usable_factors(idp, ctx, user).await?.into_iter().map(|known| known.factor).collect())
}

/// `event.user.enrolledFactors`. A recovery code is none of the dialect's list.
pub(crate) async fn enrolled_factors(
    idp: &Idp,
    ctx: &RequestContext,
    user: &User,
) -> Result<Value, ServerError> {
    let usable = usable_factors(idp, ctx, user).await?;
    let otp = usable.iter().find(|known| known.factor == FactorType::Otp);
    Ok(otp.map(|known| json!({ "type": known.factor })).into_iter().collect())
}

/// Begins to enrol an authenticator app, or goes on with what this login has begun. `None`: the user has one.
pub(crate) async fn begin_otp(
    idp: &Idp,
    ctx: &RequestContext,
    subject: Subject<'_>,
) -> Result<Option<Enrolment>, ServerError> {
    let user = subject.user;
    let account = user.email.as_deref().or(user.username.as_deref()).unwrap_or(user.user_id.as_str());
    let enrolment = |secret: &[u8]| Enrolment {
        secret: totp::secret_as_text(secret),
        uri: totp::uri(secret, &ctx.tenant.friendly_name, account),
    };
    let known = idp.storage.begin_read(&ctx.tenant.id).await?.authenticators_of(&user.user_id).await?;
    let begun = known.iter().find(|known| {
        known.factor == FactorType::Otp && known.confirmed_at.is_none() && known.begun_by == subject.login
    });
    if let Some(begun) = begun {
        return Ok(Some(enrolment(&open_secret(idp, ctx, begun)?)));
    }
    let secret = totp::new_secret(&*idp.random);
    let mut new = new_authenticator(idp, subject, FactorType::Otp, idp.now());
    new.sealed_secret = Some(idp.vault.seal(&*idp.random, &vault_context(ctx, &new), &secret)?);
    let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
    let is_begun = tx.begin_authenticator(&new, None).await?;
    tx.commit().await?;
    Ok(is_begun.then(|| enrolment(&secret)))
}

/// Checks a code of the user's app. In a login that has begun to enrol it, a right one confirms it.
pub(crate) async fn show_otp(
    idp: &Idp,
    ctx: &RequestContext,
    subject: Subject<'_>,
    code: &str,
) -> Result<Shown, ServerError> {
    if let Some(stopped) = attempt(idp, ctx, subject, FactorType::Otp).await? {
        return Ok(stopped);
    }
    let user_id = &subject.user.user_id;
    let now = idp.now();
    let known = idp.storage.begin_read(&ctx.tenant.id).await?.authenticators_of(user_id).await?;
    let usable = |known: &&Authenticator| {
        known.factor == FactorType::Otp && (known.confirmed_at.is_some() || known.begun_by == subject.login)
    };
    let Some(otp) = known.iter().find(usable) else {
        return failed(idp, ctx, subject, LogType::FactorFailed, FactorType::Otp).await;
    };
    let Some(step) = totp::step_of(&open_secret(idp, ctx, otp)?, code, now) else {
        return failed(idp, ctx, subject, LogType::FactorFailed, FactorType::Otp).await;
    };
    let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
    tx.lock_user(user_id).await?;
    let (is_first, recovery_code, log_type) = match otp.confirmed_at {
        Some(_) => (tx.spend_otp_step(user_id, step, now).await?, None, LogType::FactorSucceeded),
        None => {
            let confirmed =
                tx.confirm_authenticator(user_id, FactorType::Otp, subject.login, step, now).await?;
            let code =
                if confirmed { new_recovery_code(idp, ctx, subject, &mut tx, now).await? } else { None };
            (confirmed, code, LogType::FactorEnrolled)
        }
    };
    if !is_first {
        drop(tx);
        return failed(idp, ctx, subject, LogType::FactorFailed, FactorType::Otp).await;
    }
    succeeded(ctx, subject, &mut tx, log_type, FactorType::Otp, now).await?;
    tx.commit().await?;
    Ok(Shown::Right { recovery_code })
}

/// Checks the user's recovery code, which is spent for the next one.
pub(crate) async fn show_recovery_code(
    idp: &Idp,
    ctx: &RequestContext,
    subject: Subject<'_>,
    code: &str,
) -> Result<Shown, ServerError> {
    if let Some(stopped) = attempt(idp, ctx, subject, FactorType::RecoveryCode).await? {
        return Ok(stopped);
    }
    let user_id = &subject.user.user_id;
    let now = idp.now();
    let next = random_recovery_code(idp);
    let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
    tx.lock_user(user_id).await?;
    let hashes = (recovery_code_hash(code), recovery_code_hash(&next));
    if !tx.spend_recovery_code(user_id, &hashes.0, &hashes.1, now).await? {
        drop(tx);
        return failed(idp, ctx, subject, LogType::RecoveryFailed, FactorType::RecoveryCode).await;
    }
    succeeded(ctx, subject, &mut tx, LogType::RecoverySucceeded, FactorType::RecoveryCode, now).await?;
    tx.commit().await?;
    Ok(Shown::Right { recovery_code: Some(next) })
}

/// A recovery code for a user who begins to enrol: it counts when the first factor is confirmed. `None`: the tenant has
/// none.
pub(crate) async fn begin_recovery_code(
    idp: &Idp,
    ctx: &RequestContext,
    subject: Subject<'_>,
) -> Result<Option<String>, ServerError> {
    if !ctx.tenant.has_factor(FactorType::RecoveryCode) {
        return Ok(None);
    }
    let code = random_recovery_code(idp);
    let new = new_authenticator(idp, subject, FactorType::RecoveryCode, idp.now());
    let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
    let is_begun = tx.begin_authenticator(&new, Some(&recovery_code_hash(&code))).await?;
    tx.commit().await?;
    Ok(is_begun.then_some(code))
}

/// The recovery code comes to count with the first factor: the one that this login has begun, or else a new one.
async fn new_recovery_code(
    idp: &Idp,
    ctx: &RequestContext,
    subject: Subject<'_>,
    tx: &mut TenantTx,
    now: Timestamp,
) -> Result<Option<String>, ServerError> {
    let (user_id, factor) = (&subject.user.user_id, FactorType::RecoveryCode);
    if !ctx.tenant.has_factor(factor)
        || tx.confirm_authenticator(user_id, factor, subject.login, 0, now).await?
    {
        return Ok(None);
    }
    let code = random_recovery_code(idp);
    let new = Authenticator { confirmed_at: Some(now), ..new_authenticator(idp, subject, factor, now) };
    Ok(tx.begin_authenticator(&new, Some(&recovery_code_hash(&code))).await?.then_some(code))
}

/// Removes a factor. With the last one goes the recovery code, which recovers nothing any more.
///
/// # Errors
/// [`StorageError`].
pub(crate) async fn remove_factor(
    tx: &mut TenantTx,
    user_id: &UserId,
    factor: FactorType,
) -> Result<(), StorageError> {
    tx.delete_authenticator(user_id, factor).await?;
    tx.delete_authenticator(user_id, FactorType::RecoveryCode).await.map(drop)
}

/// Counts an attempt, before it is checked. `Some`: it may not be made.
async fn attempt(
    idp: &Idp,
    ctx: &RequestContext,
    subject: Subject<'_>,
    factor: FactorType,
) -> Result<Option<Shown>, ServerError> {
    match rate_limit::factor_attempt(idp, ctx, &subject.user.user_id).await? {
        Attempt::Allowed if ctx.tenant.has_factor(factor) => Ok(None),
        Attempt::Allowed => {
            let text = "The factor is not enabled for the tenant";
            log(idp, ctx, subject, LogType::FactorFailed, text, Some(factor)).await?;
            Ok(Some(Shown::Wrong))
        }
        Attempt::TooMany { retry_after_secs } => {
            log(idp, ctx, subject, LogType::FactorLimitReached, "Too many wrong codes", Some(factor)).await?;
            Ok(Some(Shown::TooMany { retry_after_secs }))
        }
    }
}

async fn succeeded(
    ctx: &RequestContext,
    subject: Subject<'_>,
    tx: &mut TenantTx,
    log_type: LogType,
    factor: FactorType,
    now: Timestamp,
) -> Result<(), ServerError> {
    tx.clear_rate_limit(&rate_limit::factor_key(&subject.user.user_id)).await?;
    let mut entry = log_entry(log_type, Some(subject.client), None, &ctx.origin, now).with_user(subject.user);
    entry.description = match log_type {
        LogType::FactorEnrolled => "A second factor was enrolled",
        _ => "A second factor was shown",
    }
    .to_owned();
    entry.details = json!({ "factor": factor });
    Ok(tx.insert_log(&entry).await?)
}

async fn failed(
    idp: &Idp,
    ctx: &RequestContext,
    subject: Subject<'_>,
    log_type: LogType,
    factor: FactorType,
) -> Result<Shown, ServerError> {
    log(idp, ctx, subject, log_type, "The code is wrong or was used before", Some(factor)).await?;
    Ok(Shown::Wrong)
}

async fn log(
    idp: &Idp,
    ctx: &RequestContext,
    subject: Subject<'_>,
    log_type: LogType,
    description: &str,
    factor: Option<FactorType>,
) -> Result<(), ServerError> {
    let mut entry =
        log_entry(log_type, Some(subject.client), None, &ctx.origin, idp.now()).with_user(subject.user);
    entry.description = description.to_owned();
    if let Some(factor) = factor {
        entry.details = json!({ "factor": factor });
    }
    let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
    tx.insert_log(&entry).await?;
    Ok(tx.commit().await?)
}

fn new_authenticator(idp: &Idp, subject: Subject<'_>, factor: FactorType, now: Timestamp) -> Authenticator {
    let kind = match factor {
        FactorType::Otp => "totp",
        FactorType::RecoveryCode => "recovery-code",
    };
    Authenticator {
        id: AuthenticatorId::new(format!("{kind}|dev_{}", random_token(&*idp.random, 16))),
        user_id: subject.user.user_id.clone(),
        factor,
        sealed_secret: None,
        begun_by: subject.login.to_owned(),
        created_at: now,
        confirmed_at: None,
        last_used_at: None,
    }
}

/// Where a secret is stored, for the vault.
fn vault_context(ctx: &RequestContext, authenticator: &Authenticator) -> String {
    format!("{}/authenticators/{}/{}", ctx.tenant.id, authenticator.user_id, authenticator.id)
}

fn open_secret(
    idp: &Idp,
    ctx: &RequestContext,
    authenticator: &Authenticator,
) -> Result<Vec<u8>, ServerError> {
    let sealed = authenticator.sealed_secret.as_deref().ok_or_else(|| {
        ServerError::Inconsistent(format!("the authenticator {} has no secret", authenticator.id))
    })?;
    idp.vault.open(&vault_context(ctx, authenticator), sealed)
}

/// 24 letters and digits: 120 bits.
fn random_recovery_code(idp: &Idp) -> String {
    let mut bytes = [0; RECOVERY_CODE_BYTES];
    idp.random.fill(&mut bytes);
    BASE32_NOPAD.encode(&bytes)
}

/// However it is written.
fn recovery_code_hash(code: &str) -> String {
    let typed: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
    hash_credential(&typed.to_ascii_uppercase())
}
