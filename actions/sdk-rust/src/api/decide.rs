use serde::Serialize;

use super::bindings::postern::actions as wit;
use crate::Result;

fn json(value: impl Serialize) -> Result<String> {
    Ok(serde_json::to_string(&value)?)
}

/// Refuse the login.
pub mod access {
    use super::*;

    /// The login ends with `access_denied`; the reason reaches the client. The rest of the handler still runs.
    pub fn deny(reason: &str) -> Result {
        Ok(wit::access::deny(reason)?)
    }
}

/// The browser session that this login makes or renews.
pub mod session {
    use super::*;

    pub use wit::session::CookieMode;

    /// When the session ends at the latest. Of several calls, the earliest moment counts.
    pub fn set_expires_at(absolute_ms: i64) -> Result {
        Ok(wit::session::set_expires_at(absolute_ms as f64)?)
    }

    /// When the session ends without activity: a moment, not a duration.
    pub fn set_idle_expires_at(inactivity_ms: i64) -> Result {
        Ok(wit::session::set_idle_expires_at(inactivity_ms as f64)?)
    }

    /// Deny the login and end the session; its refresh tokens are revoked unless they are to be preserved.
    pub fn revoke(reason: &str, preserve_refresh_tokens: bool) -> Result {
        Ok(wit::session::revoke(reason, preserve_refresh_tokens)?)
    }

    /// Whether the session's cookie outlives the browser.
    pub fn set_cookie_mode(mode: CookieMode) -> Result {
        Ok(wit::session::set_cookie_mode(mode)?)
    }

    /// Set an entry of the session's metadata; `None` removes it.
    pub fn set_metadata(key: &str, value: Option<&str>) -> Result {
        Ok(wit::session::set_metadata(key, value)?)
    }

    /// Remove an entry.
    pub fn delete_metadata(key: &str) -> Result {
        Ok(wit::session::delete_metadata(key)?)
    }

    /// Remove all entries.
    pub fn evict_metadata() -> Result {
        Ok(wit::session::evict_metadata()?)
    }
}

/// The ID token.
pub mod id_token {
    use super::*;

    /// Add a claim.
    pub fn set_custom_claim(key: &str, value: impl Serialize) -> Result {
        Ok(wit::id_token::set_custom_claim(key, &json(value)?)?)
    }
}

/// The access token.
pub mod access_token {
    use super::*;

    /// Add a claim.
    pub fn set_custom_claim(key: &str, value: impl Serialize) -> Result {
        Ok(wit::access_token::set_custom_claim(key, &json(value)?)?)
    }

    /// Add a scope.
    pub fn add_scope(scope: &str) -> Result {
        Ok(wit::access_token::add_scope(scope)?)
    }

    /// Take a scope away.
    pub fn remove_scope(scope: &str) -> Result {
        Ok(wit::access_token::remove_scope(scope)?)
    }
}

/// The refresh token that is exchanged, or the one that this login is yet to issue.
pub mod refresh_token {
    use super::*;

    /// Deny the exchange, and revoke the token.
    pub fn revoke(reason: &str) -> Result {
        Ok(wit::refresh_token::revoke(reason)?)
    }

    /// When the token ends at the latest.
    pub fn set_expires_at(absolute_ms: i64) -> Result {
        Ok(wit::refresh_token::set_expires_at(absolute_ms as f64)?)
    }

    /// When the token ends without use: a moment, not a duration.
    pub fn set_idle_expires_at(inactivity_ms: i64) -> Result {
        Ok(wit::refresh_token::set_idle_expires_at(inactivity_ms as f64)?)
    }

    /// Set an entry of the token's metadata; `None` removes it.
    pub fn set_metadata(key: &str, value: Option<&str>) -> Result {
        Ok(wit::refresh_token::set_metadata(key, value)?)
    }

    /// Remove an entry.
    pub fn delete_metadata(key: &str) -> Result {
        Ok(wit::refresh_token::delete_metadata(key)?)
    }

    /// Remove all entries.
    pub fn evict_metadata() -> Result {
        Ok(wit::refresh_token::evict_metadata()?)
    }
}

/// The user's profile, written when the login completes.
pub mod user {
    use super::*;

    /// Set a top-level key; `null` removes it.
    pub fn set_user_metadata(key: &str, value: impl Serialize) -> Result {
        Ok(wit::user::set_user_metadata(key, &json(value)?)?)
    }

    /// Set a top-level key; `null` removes it.
    pub fn set_app_metadata(key: &str, value: impl Serialize) -> Result {
        Ok(wit::user::set_app_metadata(key, &json(value)?)?)
    }
}

/// What the Actions of one login tell each other.
pub mod transaction {
    use super::*;

    /// Set an entry: a string, a number or a boolean; `null` removes it.
    pub fn set_metadata(key: &str, value: impl Serialize) -> Result {
        Ok(wit::transaction::set_metadata(key, &json(value)?)?)
    }
}

/// How the user proves who they are.
pub mod authentication {
    use super::*;

    pub use wit::authentication::{Factor, FactorType, MultifactorProvider, PhoneMethod};

    /// A factor without options.
    pub fn factor(kind: FactorType) -> Factor {
        Factor { kind, preferred_method: None, otp_fallback: None }
    }

    /// Ask for a factor after this Action. The user may take one of the others instead.
    pub fn challenge_with(factor: Factor, others: &[Factor]) -> Result {
        Ok(wit::authentication::challenge_with(factor, others)?)
    }

    /// Ask for one of these, which the user picks.
    pub fn challenge_with_any(factors: &[Factor]) -> Result {
        Ok(wit::authentication::challenge_with_any(factors)?)
    }

    /// Have the user set up a factor after this Action, or one of the others.
    pub fn enroll_with(factor: Factor, others: &[Factor]) -> Result {
        Ok(wit::authentication::enroll_with(factor, others)?)
    }

    /// Have the user set up one of these, which the user picks.
    pub fn enroll_with_any(factors: &[Factor]) -> Result {
        Ok(wit::authentication::enroll_with_any(factors)?)
    }

    /// Ask for a second factor after the last Action, unless one was shown before.
    pub fn enable_multifactor(provider: MultifactorProvider, allow_remember_browser: bool) -> Result {
        Ok(wit::authentication::enable_multifactor(provider, allow_remember_browser)?)
    }

    /// Note a method of authentication, by a URL that names it. In the continuing handler only.
    pub fn record_method(provider_url: &str) -> Result {
        Ok(wit::authentication::record_method(provider_url)?)
    }

    /// Log in another user, of whom this one is a linked account.
    pub fn set_primary_user(primary_user_id: &str) -> Result {
        Ok(wit::authentication::set_primary_user(primary_user_id)?)
    }
}

/// Send the browser away. It comes back to the handler with `#[post_login_continue]`.
pub mod redirect {
    use super::*;
    use serde::de::DeserializeOwned;

    /// Whether the browser can be sent anywhere in this login.
    pub fn can_redirect() -> bool {
        wit::redirect::can_redirect()
    }

    /// Send the browser to an absolute http or https URL after this Action, with these parameters in its query.
    pub fn send_user_to(url: &str, query: &[(&str, &str)]) -> Result {
        let query: Vec<(String, String)> =
            query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Ok(wit::redirect::send_user_to(url, &query)?)
    }

    /// A JWT (HS256) for the other site, about this login. It lives 900 seconds unless said otherwise.
    pub fn encode_token(
        secret: &str,
        payload: impl Serialize,
        expires_in_seconds: Option<f64>,
    ) -> Result<String> {
        Ok(wit::redirect::encode_token(secret, &json(payload)?, expires_in_seconds)?)
    }

    /// The payload of the JWT that came back in a parameter, `session_token` unless said otherwise.
    pub fn validate_token<T: DeserializeOwned>(secret: &str, parameter: Option<&str>) -> Result<T> {
        Ok(serde_json::from_str(&wit::redirect::validate_token(secret, parameter)?)?)
    }
}

/// Show a form.
pub mod prompt {
    use super::*;

    /// Render the form of this id after this Action. `fields` and `vars` are JSON objects.
    pub fn render(prompt_id: &str, fields: impl Serialize, vars: impl Serialize) -> Result {
        Ok(wit::prompt::render(prompt_id, &json(fields)?, &json(vars)?)?)
    }
}

/// End the login for an error that the client can tell from others.
pub mod validation {
    use super::*;

    /// Code and message have at most 100 characters each. The message reaches the client.
    pub fn error(code: &str, message: &str) -> Result {
        Ok(wit::validation::error(code, message)?)
    }
}
