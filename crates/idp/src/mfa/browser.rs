//! The pages of second factors, in a login under way whose Actions asked for one. The login belongs to its browser, and goes
//! on when the factor was shown.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use model::{Client, FactorType, PendingAuthorization, User};
use oauth::ErrorCode;
use serde_json::Map;

use super::{Shown, Standing, Step, Subject, begin_otp, show_otp, show_recovery_code, usable_types};
use crate::complete::{Completed, FactorsDue, resume_after_factor, wait_for_code_kept};
use crate::error::PageError;
use crate::event::ContinueRequest;
use crate::login::{LoginOutcome, csrf, outcome, over, spend, under_way};
use crate::{Idp, RequestContext};

const WRONG_CODE: &str = "This code is wrong, or was used before. Wait for the next one and try again.";
const WRONG_RECOVERY_CODE: &str = "This is not your recovery code.";
const TOO_MANY: &str = "Too many wrong codes. Wait a few minutes and try again.";

/// What a page of a second factor shows.
#[derive(Debug)]
pub struct FactorPage {
    /// Goes back with the form as `state`.
    pub handle: String,
    /// Goes back with the form.
    pub csrf: String,
    /// Where the user is about to log in.
    pub client_name: String,
    /// Whose page it is.
    pub tenant_name: String,
    /// Where the form's redirect leads in the end, for the page's `form-action`.
    pub redirect_uri: String,
    /// Which page.
    pub asks: Asks,
    /// What was wrong with the last attempt.
    pub error: Option<&'static str>,
    /// HTTP status of the page.
    pub status: u16,
    /// When the form may be sent again.
    pub retry_after_secs: Option<i64>,
}

/// What the user is asked to do.
#[derive(Debug)]
pub enum Asks {
    /// To type a code of their authenticator app.
    Otp {
        /// A recovery code will do.
        or_recovery_code: bool,
    },
    /// To type their recovery code.
    RecoveryCode {
        /// A code of the app will do.
        or_otp: bool,
    },
    /// To set up an authenticator app, and to type its first code.
    Enrollment {
        /// For people.
        secret: String,
        /// For the app's camera.
        uri: String,
    },
    /// To keep their new recovery code.
    KeepRecoveryCode {
        /// Shown once; `None`: it was.
        code: Option<String>,
    },
}

/// The form of one of the pages, sent back.
pub struct FactorInput<'a> {
    /// As the page gave it.
    pub handle: &'a str,
    /// As the page gave it.
    pub csrf: &'a str,
    /// What the code belongs to.
    pub factor: Option<FactorType>,
    /// As typed.
    pub code: &'a str,
    /// The cookie that binds the login to this browser.
    pub browser_cookie: Option<&'a str>,
}

/// What becomes of the form.
#[derive(Debug)]
pub enum FactorOutcome {
    /// A page: the same again with what was wrong, or the next one.
    Page(Box<FactorPage>),
    /// The login goes on.
    Login(LoginOutcome),
}

/// A login that waits for a factor, with what was read about it.
struct UnderWay<'a> {
    pending: PendingAuthorization,
    client: Arc<Client>,
    user: User,
    /// `None`: the user is to keep a recovery code.
    step: Option<Step>,
    handle: &'a str,
    browser: &'a str,
}

/// The page that is due in a login under way. `factor`: the one that the user wants to show.
///
/// # Errors
/// [`PageError`] when no such login waits in this browser, or the factor that it waits for is gone.
pub async fn page(
    idp: &Idp,
    ctx: &RequestContext,
    handle: &str,
    factor: Option<FactorType>,
    browser_cookie: Option<&str>,
) -> Result<FactorPage, PageError> {
    let waits = find(idp, ctx, handle, browser_cookie).await?;
    waits.page(idp, ctx, factor).await
}

/// Checks the code, and goes on with the login.
///
/// # Errors
/// As [`page`]; also when the form was not ours.
pub async fn submit(
    idp: &Idp,
    ctx: &RequestContext,
    input: FactorInput<'_>,
) -> Result<FactorOutcome, PageError> {
    let waits = find(idp, ctx, input.handle, input.browser_cookie).await?;
    let token = csrf(waits.browser, input.handle);
    if verify_slices_are_equal(token.as_bytes(), input.csrf.as_bytes()).is_err() {
        return Err(PageError::oauth(ErrorCode::InvalidRequest, "This form was not sent by our page."));
    }
    let Some(step) = &waits.step else { return waits.go_on(idp, ctx, None).await };
    let subject = Subject { client: &waits.client, user: &waits.user, login: waits.pending.id.as_str() };
    let (shown, factor) = match (step, input.factor) {
        (Step::Enroll, Some(FactorType::Otp)) => {
            (show_otp(idp, ctx, subject, input.code).await?, FactorType::Otp)
        }
        (Step::Challenge(usable), Some(factor)) if usable.contains(&factor) => match factor {
            FactorType::Otp => (show_otp(idp, ctx, subject, input.code).await?, factor),
            FactorType::RecoveryCode => (show_recovery_code(idp, ctx, subject, input.code).await?, factor),
        },
        _ => {
            let text = "This login does not ask for this factor.";
            return Err(PageError::oauth(ErrorCode::InvalidRequest, text));
        }
    };
    let mut page = match shown {
        Shown::Right { recovery_code: None } => return waits.go_on(idp, ctx, Some(factor)).await,
        Shown::Right { recovery_code: Some(code) } => return waits.keep(idp, ctx, factor, code).await,
        Shown::Wrong | Shown::TooMany { .. } => waits.page(idp, ctx, Some(factor)).await?,
    };
    (page.error, page.status) = match (&shown, factor) {
        (Shown::TooMany { .. }, _) => (Some(TOO_MANY), 429),
        (_, FactorType::Otp) => (Some(WRONG_CODE), 400),
        (_, FactorType::RecoveryCode) => (Some(WRONG_RECOVERY_CODE), 400),
    };
    if let Shown::TooMany { retry_after_secs } = shown {
        page.retry_after_secs = Some(retry_after_secs);
    }
    Ok(FactorOutcome::Page(Box::new(page)))
}

async fn find<'a>(
    idp: &Idp,
    ctx: &RequestContext,
    handle: &'a str,
    browser_cookie: Option<&'a str>,
) -> Result<UnderWay<'a>, PageError> {
    let found = under_way(idp, ctx, handle, browser_cookie).await?;
    let Some((pending, browser)) = found else { return Err(over()) };
    let Some(mut due) = FactorsDue::of(&pending)? else { return Err(over()) };
    let client = idp.settings.client(&ctx.tenant, &pending.request.client_id).await?.ok_or_else(over)?;
    let user = idp.storage.begin_read(&ctx.tenant.id).await?.user(&due.user_id).await?;
    let user = user.filter(|user| !user.blocked).ok_or_else(over)?;
    let step = if due.code_kept {
        None
    } else {
        let usable = usable_types(idp, ctx, &user).await?;
        let standing = Standing { tenant: &ctx.tenant, usable: &usable, shown: &due.shown };
        let step = standing
            .next(&mut due.requests)
            .map_err(|reason| PageError::oauth(ErrorCode::AccessDenied, reason))?;
        // Whoever has set one up elsewhere since shows it here: this login may not pass by that.
        Some(step.unwrap_or(Step::Challenge(usable)))
    };
    Ok(UnderWay { pending, client, user, step, handle, browser })
}

impl UnderWay<'_> {
    async fn page(
        &self,
        idp: &Idp,
        ctx: &RequestContext,
        factor: Option<FactorType>,
    ) -> Result<FactorPage, PageError> {
        let (otp, recovery) = (FactorType::Otp, FactorType::RecoveryCode);
        let asks = match &self.step {
            None => Asks::KeepRecoveryCode { code: None },
            Some(Step::Challenge(usable)) => {
                match usable.contains(&recovery) && (factor == Some(recovery) || !usable.contains(&otp)) {
                    true => Asks::RecoveryCode { or_otp: usable.contains(&otp) },
                    false => Asks::Otp { or_recovery_code: usable.contains(&recovery) },
                }
            }
            Some(Step::Enroll) => {
                let login = self.pending.id.as_str();
                let subject = Subject { client: &self.client, user: &self.user, login };
                let enrolment = begin_otp(idp, ctx, subject).await?.ok_or_else(over)?;
                Asks::Enrollment { secret: enrolment.secret, uri: enrolment.uri }
            }
        };
        Ok(self.page_at(ctx, self.handle, asks))
    }

    fn page_at(&self, ctx: &RequestContext, handle: &str, asks: Asks) -> FactorPage {
        FactorPage {
            handle: handle.to_owned(),
            csrf: csrf(self.browser, handle),
            client_name: self.client.name.clone(),
            tenant_name: ctx.tenant.friendly_name.clone(),
            redirect_uri: self.pending.request.redirect_uri.clone(),
            asks,
            error: None,
            status: 200,
            retry_after_secs: None,
        }
    }

    /// The login is taken, and goes on.
    async fn go_on(
        &self,
        idp: &Idp,
        ctx: &RequestContext,
        shown: Option<FactorType>,
    ) -> Result<FactorOutcome, PageError> {
        let pending = spend(idp, ctx, self.handle, self.browser, idp.now()).await?;
        // The request with which the browser came back. Actions do not see the code.
        let request = ContinueRequest { method: "POST".to_owned(), query: Map::new(), body: Map::new() };
        let browser = Some(self.browser);
        let completed: Completed =
            resume_after_factor(idp, ctx, &self.client, &pending, shown, &request, browser).await?;
        Ok(FactorOutcome::Login(outcome(completed)?))
    }

    /// The login is taken, and waits until the user keeps their new recovery code.
    async fn keep(
        &self,
        idp: &Idp,
        ctx: &RequestContext,
        shown: FactorType,
        code: String,
    ) -> Result<FactorOutcome, PageError> {
        let pending = spend(idp, ctx, self.handle, self.browser, idp.now()).await?;
        let handle = wait_for_code_kept(idp, ctx, &self.client, &pending, shown, self.browser).await?;
        let handle = handle.ok_or_else(over)?;
        let page = self.page_at(ctx, &handle, Asks::KeepRecoveryCode { code: Some(code) });
        Ok(FactorOutcome::Page(Box::new(page)))
    }
}
