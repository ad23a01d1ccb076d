//! The page that asks users whether a client may do what it wants in their name (OIDC Core §3.1.2.4), for a login under way
//! in this browser.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use model::{Client, PendingAuthorization, RefreshToken, User};
use oauth::ErrorCode;
use storage::ConsentKey;

use crate::authorize::{OFFLINE_ACCESS, ONLINE_ACCESS};
use crate::complete::{ConsentDue, resume_after_consent};
use crate::error::PageError;
use crate::login::{LoginOutcome, csrf, outcome, over, spend, under_way};
use crate::{Idp, RequestContext, ServerError};

/// The scopes that no API explains, in plain words (OIDC Core §5.4, §11).
const OF_THE_USER: [(&str, &str); 7] = [
    ("openid", "Know which account is yours"),
    ("profile", "See your profile: your names and your picture"),
    ("email", "See your e-mail address"),
    ("phone", "See your phone number"),
    ("address", "See your postal address"),
    ("offline_access", "Keep this access when you are not there"),
    ("online_access", "Keep this access as long as you are logged in"),
];

/// What a client wants.
#[derive(Debug)]
pub struct Wanted {
    /// At which API; `None`: at none.
    pub api_name: Option<String>,
    /// What, in the order in which it was asked for.
    pub scopes: Vec<WantedScope>,
}

/// A scope as people read it.
#[derive(Debug, PartialEq, Eq)]
pub struct WantedScope {
    /// Its value.
    pub name: String,
    /// What it is for; `None`: nobody has said.
    pub description: Option<String>,
}

/// What the page shows.
#[derive(Debug)]
pub struct ConsentPage {
    /// Goes back with the form as `state`.
    pub handle: String,
    /// Goes back with the form.
    pub csrf: String,
    /// Who asks.
    pub client_name: String,
    /// Whose page it is.
    pub tenant_name: String,
    /// Who is asked.
    pub user: String,
    /// In whose name the user is about to act.
    pub organization: Option<String>,
    /// For what.
    pub wanted: Wanted,
    /// Where the form's redirect leads in the end, for the page's `form-action`.
    pub redirect_uri: String,
}

/// The form of the page, sent back.
pub struct ConsentForm<'a> {
    /// As the page gave it.
    pub handle: &'a str,
    /// As the page gave it.
    pub csrf: &'a str,
    /// What the user said.
    pub accepts: bool,
    /// The cookie that binds the login to this browser.
    pub browser_cookie: Option<&'a str>,
}

/// Whether a client's users are asked before it has their access tokens for this API: those of third parties, and where
/// the API wants it.
pub(crate) async fn is_asked_for(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    audience: Option<&str>,
) -> Result<bool, ServerError> {
    if !client.is_first_party {
        return Ok(true);
    }
    let Some(audience) = audience else { return Ok(false) };
    let api = idp.settings.api(&ctx.tenant, audience).await?;
    Ok(api.is_some_and(|api| !api.server.skip_consent_for_verifiable_first_party_clients))
}

/// What a refresh token may still give. Its client's users may be asked now who were not when it was issued.
#[derive(Debug)]
pub(crate) enum Standing {
    /// All that it was issued with: nobody is asked.
    All,
    /// Of that, these scopes: its user has agreed to them.
    To(Vec<String>),
    /// Nothing: its user has not agreed, or not to a refresh token.
    Nothing,
}

/// What this refresh token of the client may still give.
pub(crate) async fn standing(
    idp: &Idp,
    ctx: &RequestContext,
    client: &Client,
    token: &RefreshToken,
) -> Result<Standing, ServerError> {
    if !is_asked_for(idp, ctx, client, token.audience.as_deref()).await? {
        return Ok(Standing::All);
    }
    let key = ConsentKey::of_refresh_token(token);
    let agreed = idp.storage.begin_read(&ctx.tenant.id).await?.consent(key).await?;
    let access = if token.online { ONLINE_ACCESS } else { OFFLINE_ACCESS };
    Ok(match agreed {
        Some(scope) if scope.iter().any(|name| name == access) => Standing::To(scope),
        _ => Standing::Nothing,
    })
}

/// The page for a login under way.
///
/// # Errors
/// [`PageError`] when no such login waits in this browser, or it is over.
pub async fn page(
    idp: &Idp,
    ctx: &RequestContext,
    handle: &str,
    browser_cookie: Option<&str>,
) -> Result<ConsentPage, PageError> {
    let (pending, due, browser) = find(idp, ctx, handle, browser_cookie).await?;
    let client = client(idp, ctx, &pending).await?;
    let request = &pending.request;
    let mut tx = idp.storage.begin_read(&ctx.tenant.id).await?;
    let user = tx.user(&due.user_id).await?.filter(|user| !user.blocked).ok_or_else(over)?;
    let organization = match &request.organization_id {
        Some(id) => tx.organization(id).await?,
        None => None,
    };
    drop(tx);
    Ok(ConsentPage {
        handle: handle.to_owned(),
        csrf: csrf(browser, handle),
        client_name: client.name.clone(),
        tenant_name: ctx.tenant.friendly_name.clone(),
        user: shown_name(user),
        organization: organization.map(|known| match known.display_name.is_empty() {
            true => known.name,
            false => known.display_name,
        }),
        wanted: wanted(idp, ctx, request.audience.as_deref(), &due.scope).await?,
        redirect_uri: request.redirect_uri.clone(),
    })
}

/// Takes the user's word, once, and ends the login with it.
///
/// # Errors
/// As [`page`]; also when the form was not ours.
pub async fn submit(
    idp: &Idp,
    ctx: &RequestContext,
    form: ConsentForm<'_>,
) -> Result<LoginOutcome, PageError> {
    let (pending, _, browser) = find(idp, ctx, form.handle, form.browser_cookie).await?;
    if verify_slices_are_equal(csrf(browser, form.handle).as_bytes(), form.csrf.as_bytes()).is_err() {
        return Err(PageError::oauth(ErrorCode::InvalidRequest, "This form was not sent by our page."));
    }
    let client = client(idp, ctx, &pending).await?;
    let pending = spend(idp, ctx, form.handle, browser, idp.now()).await?;
    outcome(resume_after_consent(idp, ctx, &client, &pending, form.accepts).await?)
}

async fn find<'a>(
    idp: &Idp,
    ctx: &RequestContext,
    handle: &str,
    browser_cookie: Option<&'a str>,
) -> Result<(PendingAuthorization, ConsentDue, &'a str), PageError> {
    let found = under_way(idp, ctx, handle, browser_cookie).await?;
    let Some((pending, browser)) = found else { return Err(over()) };
    let due = ConsentDue::of(&pending)?.ok_or_else(over)?;
    Ok((pending, due, browser))
}

async fn client(
    idp: &Idp,
    ctx: &RequestContext,
    pending: &PendingAuthorization,
) -> Result<Arc<Client>, PageError> {
    idp.settings.client(&ctx.tenant, &pending.request.client_id).await?.ok_or_else(over)
}

/// What a client wants that asks for these scopes at this API.
pub(crate) async fn wanted(
    idp: &Idp,
    ctx: &RequestContext,
    audience: Option<&str>,
    scope: &[String],
) -> Result<Wanted, ServerError> {
    let api = match audience {
        Some(audience) => {
            idp.storage.begin_read(&ctx.tenant.id).await?.managed_resource_server(audience).await?
        }
        None => None,
    };
    let descriptions = api.as_ref().and_then(|api| api.profile.scope_descriptions.as_ref());
    Ok(Wanted {
        scopes: scope.iter().map(|name| explained(name, descriptions)).collect(),
        api_name: api.map(|api| api.server.name),
    })
}

fn explained(name: &str, descriptions: Option<&BTreeMap<String, String>>) -> WantedScope {
    let ours = OF_THE_USER.iter().find(|(scope, _)| *scope == name).map(|(_, text)| (*text).to_owned());
    let description = ours.or_else(|| descriptions?.get(name).filter(|text| !text.is_empty()).cloned());
    WantedScope { name: name.to_owned(), description }
}

/// As users know themselves.
pub(crate) fn shown_name(user: User) -> String {
    user.email.or(user.username).unwrap_or_else(|| user.user_id.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_has_our_words_or_those_of_its_api() {
        let descriptions =
            BTreeMap::from([("read", "Read all"), ("email", "An API's own words"), ("write", "")]);
        let descriptions =
            descriptions.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
        let text = |name| explained(name, Some(&descriptions)).description;
        assert_eq!(text("read").as_deref(), Some("Read all"));
        assert_eq!(text("email").as_deref(), Some("See your e-mail address"));
        assert_eq!(text("write"), None);
        assert_eq!(explained("read", None), WantedScope { name: "read".to_owned(), description: None });
    }
}
