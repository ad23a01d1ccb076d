//! Logout: the dialect's `/v2/logout`, and OpenID Connect RP-Initiated Logout.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use model::{Client, ClientId, LogType, Session};
use oauth::{ErrorCode, Parameters};
use serde_json::json;

use crate::authorize::live_session;
use crate::credential::hash_credential;
use crate::error::{PageError, ServerError};
use crate::post_login::log_entry;
use crate::revocation::{self, Event};
use crate::{CookieChange, CookieChanges, Idp, RequestContext, tokens};

/// One request to log out.
pub struct LogoutInput<'a> {
    /// From the query or the form.
    pub parameters: Parameters,
    /// The session cookie.
    pub session_cookie: Option<&'a str>,
}

/// What becomes of it.
#[derive(Debug)]
pub enum LogoutOutcome {
    /// The session is over; to a registered address.
    Redirect {
        /// Where to.
        location: String,
        /// For this browser.
        cookies: CookieChanges,
    },
    /// The session is over; a page says so.
    LoggedOut {
        /// For this browser.
        cookies: CookieChanges,
    },
    /// A page asks the user, with a form that sends the parameters back.
    Confirm {
        /// Goes back with the form.
        csrf: String,
        /// Go back with the form.
        parameters: Vec<(String, String)>,
    },
}

/// Answers `/v2/logout`: no confirmation; `returnTo` only to a registered address.
///
/// # Errors
/// [`PageError`] for an unknown client or an address that is not registered; then nobody is logged out.
pub async fn v2_logout(
    idp: &Idp,
    ctx: &RequestContext,
    input: LogoutInput<'_>,
) -> Result<LogoutOutcome, PageError> {
    let client = match input.parameters.get("client_id") {
        Some(id) => Some(client(idp, ctx, &ClientId::new(id)).await?),
        None => None,
    };
    let registered = registered(ctx, client.as_deref());
    let location = match input.parameters.get("returnTo") {
        Some(return_to) if registered.iter().any(|known| same_but_query(known, return_to)) => {
            Some(return_to.to_owned())
        }
        Some(_) => return Err(bad("The returnTo address is not registered.")),
        None if client.is_some() => registered.first().cloned(),
        None => None,
    };
    let session = live_session(idp, ctx, input.session_cookie, idp.now()).await?;
    end(idp, ctx, client.as_deref(), session).await?;
    Ok(done(location.map(|location| oauth::redirect_with(&location, &[]))))
}

/// Answers `/oidc/logout` (OpenID Connect RP-Initiated Logout §2, §3). When no hint names the browser's session, the
/// user is asked; `confirmed_csrf` is what the form of that page sent.
///
/// # Errors
/// [`PageError`] for hints that are invalid or contradict each other, and for an address that is not registered; then
/// nobody is logged out.
pub async fn oidc_logout(
    idp: &Idp,
    ctx: &RequestContext,
    input: LogoutInput<'_>,
    confirmed_csrf: Option<&str>,
) -> Result<LogoutOutcome, PageError> {
    let parameters = &input.parameters;
    let hint = match parameters.get("id_token_hint") {
        Some(token) => Some(
            tokens::verify_id_token_hint(idp, ctx, token)
                .await?
                .ok_or_else(|| bad("id_token_hint is not an ID token of this server."))?,
        ),
        None => None,
    };
    let named = parameters.get("client_id").map(ClientId::new);
    let logout_hint = parameters.get("logout_hint");
    if let Some(hint) = &hint {
        if named.as_ref().is_some_and(|named| *named != hint.aud) {
            return Err(bad("client_id is not the audience of id_token_hint."));
        }
        if logout_hint.is_some_and(|sid| hint.sid.as_ref().is_none_or(|known| known.as_str() != sid)) {
            return Err(bad("logout_hint is not the session of id_token_hint."));
        }
    }
    let client = match hint.as_ref().map(|hint| hint.aud.clone()).or(named) {
        Some(id) => Some(client(idp, ctx, &id).await?),
        None => None,
    };
    let location = match parameters.get("post_logout_redirect_uri") {
        Some(uri) if registered(ctx, client.as_deref()).iter().any(|known| known == uri) => {
            let state = parameters.get("state").map(|state| ("state", state));
            Some(oauth::redirect_with(uri, state.as_slice()))
        }
        Some(_) => return Err(bad("The post_logout_redirect_uri is not registered.")),
        None => None,
    };
    let session = live_session(idp, ctx, input.session_cookie, idp.now()).await?;
    if let (Some(session), Some(cookie)) = (&session, input.session_cookie) {
        let hinted = hint.as_ref().and_then(|hint| hint.sid.as_ref().map(|sid| sid.as_str())).or(logout_hint);
        let asks = ctx.tenant.flags.oidc_logout_prompt_enabled;
        if asks && hinted != Some(session.id.as_str()) {
            let csrf = hash_credential(&format!("logout\0{cookie}"));
            let Some(confirmed) = confirmed_csrf else {
                return Ok(LogoutOutcome::Confirm { csrf, parameters: echoed(parameters) });
            };
            if verify_slices_are_equal(csrf.as_bytes(), confirmed.as_bytes()).is_err() {
                return Err(bad("This form was not sent by the logout page."));
            }
        }
    }
    end(idp, ctx, client.as_deref(), session).await?;
    Ok(done(location))
}

fn bad(description: &str) -> PageError {
    PageError::oauth(ErrorCode::InvalidRequest, description)
}

async fn client(idp: &Idp, ctx: &RequestContext, id: &ClientId) -> Result<Arc<Client>, PageError> {
    let client = idp.settings.client(&ctx.tenant, id).await?;
    client.ok_or_else(|| bad("Unknown client."))
}

/// The addresses of the client, or of the tenant when no client is named.
fn registered<'a>(ctx: &'a RequestContext, client: Option<&'a Client>) -> &'a [String] {
    client.map_or(&ctx.tenant.allowed_logout_urls, |client| &client.allowed_logout_urls)
}

/// `returnTo` may differ from the registered address in query and fragment only.
fn same_but_query(registered: &str, presented: &str) -> bool {
    fn base(uri: &str) -> &str {
        uri.split(['?', '#']).next().unwrap_or_default()
    }
    !presented.chars().any(|c| c.is_control() || c.is_whitespace()) && base(registered) == base(presented)
}

fn echoed(parameters: &Parameters) -> Vec<(String, String)> {
    parameters
        .iter()
        .filter(|(name, _)| *name != "csrf")
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

async fn end(
    idp: &Idp,
    ctx: &RequestContext,
    client: Option<&Client>,
    session: Option<Session>,
) -> Result<(), ServerError> {
    let Some(session) = session else { return Ok(()) };
    let now = idp.now();
    let mut entry = log_entry(LogType::SuccessLogout, client, Some(&session.user_id), &ctx.origin, now);
    entry.description = "User successfully logged out".to_owned();
    entry.details = json!({ "session_id": session.id });
    let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
    tx.lock_user(&session.user_id).await?;
    revocation::apply(&mut tx, Event::Logout(&session.id), now).await?;
    tx.insert_log(&entry).await?;
    Ok(tx.commit().await?)
}

fn done(location: Option<String>) -> LogoutOutcome {
    let cookies = CookieChanges { session: CookieChange::Clear, ..CookieChanges::default() };
    match location {
        Some(location) => LogoutOutcome::Redirect { location, cookies },
        None => LogoutOutcome::LoggedOut { cookies },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn return_to_differs_in_query_and_fragment_only() {
        let registered = "https://app.example/bye";
        for right in [
            registered,
            "https://app.example/bye?a=b",
            "https://app.example/bye#x",
            "https://app.example/bye?",
        ] {
            assert!(same_but_query(registered, right), "{right}");
        }
        for wrong in [
            "",
            "https://app.example/",
            "https://app.example/bye/",
            "https://app.example/BYE",
            "https://evil.example/bye",
            "https://app.example/bye/..",
            "//app.example/bye",
            "https://app.example\\bye",
            "https://app.example/bye?\r\nSet-Cookie: a=b",
            " https://app.example/bye",
            "https://user@app.example/bye",
            "javascript:alert(1)",
            "https://app.example/bye%3Fx",
        ] {
            assert!(!same_but_query(registered, wrong), "{wrong}");
        }
    }
}
