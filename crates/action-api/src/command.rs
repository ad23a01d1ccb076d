use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

mod check;
mod factor;
mod saml;

pub use check::CommandError;
pub use factor::{Factor, FactorOptions, FactorType, MultifactorProvider, PhoneMethod};
pub use saml::SamlSetting;

/// Which of an Action's two handlers runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Handler {
    /// `onExecutePostLogin`.
    Execute,
    /// `onContinuePostLogin`: the browser is back from where this Action has sent it.
    Continue,
}

impl Handler {
    /// Its name among the exports of a script.
    #[must_use]
    pub fn export(self) -> &'static str {
        match self {
            Self::Execute => "onExecutePostLogin",
            Self::Continue => "onContinuePostLogin",
        }
    }

    /// Its name among the exports of a component.
    #[must_use]
    pub fn component_export(self) -> &'static str {
        match self {
            Self::Execute => "on-execute-post-login",
            Self::Continue => "on-continue-post-login",
        }
    }
}

/// Whether a session's cookie outlives the browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CookieMode {
    /// It does.
    #[serde(rename = "persistent")]
    Persistent,
    /// It ends with the browser.
    #[serde(rename = "non-persistent")]
    NonPersistent,
}

/// What an Action asked for. The server applies the commands of a login after its last Action, in one transaction.
///
/// The guest sends `{"command": "session.setExpiresAt", ...}`; this decoder is the only authority on what a command may
/// be, so a guest that bypasses the JavaScript `api` gains nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", deny_unknown_fields)]
pub enum Command {
    /// `api.access.deny(reason)`: the login ends with `access_denied` and this reason.
    #[serde(rename = "access.deny")]
    AccessDeny {
        /// Reaches the client as `error_description`.
        reason: String,
    },
    /// `api.session.setExpiresAt(absolute)`.
    #[serde(rename = "session.setExpiresAt")]
    SessionSetExpiresAt {
        /// Milliseconds since the Unix epoch; fractions are cut off by the server.
        absolute: f64,
    },
    /// `api.session.setIdleExpiresAt(inactivity)`.
    #[serde(rename = "session.setIdleExpiresAt")]
    SessionSetIdleExpiresAt {
        /// Milliseconds since the Unix epoch: a moment, not a duration.
        inactivity: f64,
    },
    /// `api.session.revoke(reason, options)`: deny, and end the session.
    #[serde(rename = "session.revoke", rename_all = "camelCase")]
    SessionRevoke {
        /// Reaches the client as `error_description`.
        reason: String,
        /// Keep the refresh tokens that are bound to the session.
        #[serde(default)]
        preserve_refresh_tokens: bool,
    },
    /// `api.idToken.setCustomClaim(key, value)`.
    #[serde(rename = "idToken.setCustomClaim")]
    IdTokenSetCustomClaim {
        /// Claim name.
        key: String,
        /// Any JSON value.
        value: Value,
    },
    /// `api.accessToken.setCustomClaim(key, value)`.
    #[serde(rename = "accessToken.setCustomClaim")]
    AccessTokenSetCustomClaim {
        /// Claim name.
        key: String,
        /// Any JSON value.
        value: Value,
    },
    /// `api.user.setUserMetadata(key, value)`; `null` removes the key.
    #[serde(rename = "user.setUserMetadata")]
    UserSetUserMetadata {
        /// Top-level key, without `.` and `$`.
        key: String,
        /// Any JSON value.
        value: Value,
    },
    /// `api.user.setAppMetadata(key, value)`; `null` removes the key.
    #[serde(rename = "user.setAppMetadata")]
    UserSetAppMetadata {
        /// Top-level key, without `.` and `$`.
        key: String,
        /// Any JSON value.
        value: Value,
    },
    /// `api.session.setCookieMode(mode)`: of several calls, the last one counts.
    #[serde(rename = "session.setCookieMode")]
    SessionSetCookieMode {
        /// The mode.
        mode: CookieMode,
    },
    /// `api.session.setMetadata(key, value)`.
    #[serde(rename = "session.setMetadata")]
    SessionSetMetadata {
        /// Letters, digits, `_` and `-`; 1 to 255 of them.
        key: String,
        /// At most 255 characters; `None` removes the key.
        value: Option<String>,
    },
    /// `api.session.deleteMetadata(key)`.
    #[serde(rename = "session.deleteMetadata")]
    SessionDeleteMetadata {
        /// Which entry.
        key: String,
    },
    /// `api.session.evictMetadata()`: no entry stays.
    #[serde(rename = "session.evictMetadata")]
    SessionEvictMetadata,
    /// `api.refreshToken.revoke(reason)`: deny the exchange, and revoke the token.
    #[serde(rename = "refreshToken.revoke")]
    RefreshTokenRevoke {
        /// Reaches the client as `error_description`; at most 1,024 characters.
        reason: String,
    },
    /// `api.refreshToken.setExpiresAt(absolute)`.
    #[serde(rename = "refreshToken.setExpiresAt")]
    RefreshTokenSetExpiresAt {
        /// Milliseconds since the Unix epoch.
        absolute: f64,
    },
    /// `api.refreshToken.setIdleExpiresAt(inactivity)`.
    #[serde(rename = "refreshToken.setIdleExpiresAt")]
    RefreshTokenSetIdleExpiresAt {
        /// Milliseconds since the Unix epoch: a moment, not a duration.
        inactivity: f64,
    },
    /// `api.refreshToken.setMetadata(key, value)`, also for the token that is yet to be issued.
    #[serde(rename = "refreshToken.setMetadata")]
    RefreshTokenSetMetadata {
        /// Letters, digits, `_` and `-`; 1 to 255 of them.
        key: String,
        /// At most 255 characters; `None` removes the key.
        value: Option<String>,
    },
    /// `api.refreshToken.deleteMetadata(key)`.
    #[serde(rename = "refreshToken.deleteMetadata")]
    RefreshTokenDeleteMetadata {
        /// Which entry.
        key: String,
    },
    /// `api.refreshToken.evictMetadata()`: no entry stays.
    #[serde(rename = "refreshToken.evictMetadata")]
    RefreshTokenEvictMetadata,
    /// `api.accessToken.addScope(scope)`.
    #[serde(rename = "accessToken.addScope")]
    AccessTokenAddScope {
        /// 1 to 280 characters without white space.
        scope: String,
    },
    /// `api.accessToken.removeScope(scope)`.
    #[serde(rename = "accessToken.removeScope")]
    AccessTokenRemoveScope {
        /// 1 to 280 characters without white space.
        scope: String,
    },
    /// `api.transaction.setMetadata(key, value)`, for the Actions that follow in this login.
    #[serde(rename = "transaction.setMetadata")]
    TransactionSetMetadata {
        /// 1 to 64 characters.
        key: String,
        /// A string of at most 8 kB, a number, a boolean; `null` removes the key.
        value: Value,
    },
    /// `api.validation.error(errorCode, errorMessage)`: the login ends.
    #[serde(rename = "validation.error", rename_all = "camelCase")]
    ValidationError {
        /// At most 100 characters.
        error_code: String,
        /// At most 100 characters. Reaches the client.
        error_message: String,
    },
    /// `api.authentication.recordMethod(provider_url)`: a method of authentication of the session.
    #[serde(rename = "authentication.recordMethod")]
    AuthenticationRecordMethod {
        /// An http or https URL that names it.
        provider_url: String,
    },
    /// `api.authentication.setPrimaryUser(primary_user_id)`: another subject for this login.
    #[serde(rename = "authentication.setPrimaryUser")]
    AuthenticationSetPrimaryUser {
        /// 1 to 128 characters.
        primary_user_id: String,
    },
    /// `api.authentication.challengeWith(factor, options)`: a second factor after this Action.
    #[serde(rename = "authentication.challengeWith", rename_all = "camelCase")]
    AuthenticationChallengeWith {
        /// The one to ask for.
        factor: Factor,
        /// What the user may take instead.
        #[serde(default)]
        additional_factors: Vec<Factor>,
    },
    /// `api.authentication.challengeWithAny(factors)`.
    #[serde(rename = "authentication.challengeWithAny")]
    AuthenticationChallengeWithAny {
        /// The user picks one.
        factors: Vec<Factor>,
    },
    /// `api.authentication.enrollWith(factor, options)`: the user sets up a factor after this Action.
    #[serde(rename = "authentication.enrollWith", rename_all = "camelCase")]
    AuthenticationEnrollWith {
        /// The one to set up.
        factor: Factor,
        /// What the user may take instead.
        #[serde(default)]
        additional_factors: Vec<Factor>,
    },
    /// `api.authentication.enrollWithAny(factors)`.
    #[serde(rename = "authentication.enrollWithAny")]
    AuthenticationEnrollWithAny {
        /// The user picks one.
        factors: Vec<Factor>,
    },
    /// `api.multifactor.enable(provider, options)`: a second factor after the last Action.
    #[serde(rename = "multifactor.enable", rename_all = "camelCase")]
    MultifactorEnable {
        /// Which one; `none` asks for none.
        provider: MultifactorProvider,
        /// Whether the browser may be remembered.
        #[serde(default)]
        allow_remember_browser: bool,
    },
    /// `api.redirect.sendUserTo(url, options)`: the browser leaves after this Action.
    #[serde(rename = "redirect.sendUserTo")]
    RedirectSendUserTo {
        /// Absolute, with the query of the options.
        url: String,
    },
    /// `api.prompt.render(promptId, promptOptions)`: a form after this Action.
    #[serde(rename = "prompt.render", rename_all = "camelCase")]
    PromptRender {
        /// At most 48 characters.
        prompt_id: String,
        /// Values for the browser.
        #[serde(default)]
        fields: Map<String, Value>,
        /// Values for the server.
        #[serde(default)]
        vars: Map<String, Value>,
    },
    /// Any of `api.samlResponse.*`: this server has no SAML, so it has no effect.
    #[serde(rename = "samlResponse")]
    SamlResponse {
        /// Which setting.
        setting: SamlSetting,
        /// Its value; `null` is the default.
        value: Value,
    },
}

impl Command {
    /// Decodes and checks one command as the guest sent it.
    ///
    /// # Errors
    /// [`CommandError`] when it is no command of this trigger or its arguments are out of bounds.
    pub fn decode(json: &[u8]) -> Result<Self, CommandError> {
        let command: Self =
            serde_json::from_slice(json).map_err(|error| CommandError::Malformed(error.to_string()))?;
        command.check()?;
        Ok(command)
    }

    /// The name as the Action's author writes it after `api.`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::AccessDeny { .. } => "access.deny",
            Self::SessionSetExpiresAt { .. } => "session.setExpiresAt",
            Self::SessionSetIdleExpiresAt { .. } => "session.setIdleExpiresAt",
            Self::SessionRevoke { .. } => "session.revoke",
            Self::IdTokenSetCustomClaim { .. } => "idToken.setCustomClaim",
            Self::AccessTokenSetCustomClaim { .. } => "accessToken.setCustomClaim",
            Self::UserSetUserMetadata { .. } => "user.setUserMetadata",
            Self::UserSetAppMetadata { .. } => "user.setAppMetadata",
            Self::SessionSetCookieMode { .. } => "session.setCookieMode",
            Self::SessionSetMetadata { .. } => "session.setMetadata",
            Self::SessionDeleteMetadata { .. } => "session.deleteMetadata",
            Self::SessionEvictMetadata => "session.evictMetadata",
            Self::RefreshTokenRevoke { .. } => "refreshToken.revoke",
            Self::RefreshTokenSetExpiresAt { .. } => "refreshToken.setExpiresAt",
            Self::RefreshTokenSetIdleExpiresAt { .. } => "refreshToken.setIdleExpiresAt",
            Self::RefreshTokenSetMetadata { .. } => "refreshToken.setMetadata",
            Self::RefreshTokenDeleteMetadata { .. } => "refreshToken.deleteMetadata",
            Self::RefreshTokenEvictMetadata => "refreshToken.evictMetadata",
            Self::AccessTokenAddScope { .. } => "accessToken.addScope",
            Self::AccessTokenRemoveScope { .. } => "accessToken.removeScope",
            Self::TransactionSetMetadata { .. } => "transaction.setMetadata",
            Self::ValidationError { .. } => "validation.error",
            Self::AuthenticationRecordMethod { .. } => "authentication.recordMethod",
            Self::AuthenticationSetPrimaryUser { .. } => "authentication.setPrimaryUser",
            Self::AuthenticationChallengeWith { .. } => "authentication.challengeWith",
            Self::AuthenticationChallengeWithAny { .. } => "authentication.challengeWithAny",
            Self::AuthenticationEnrollWith { .. } => "authentication.enrollWith",
            Self::AuthenticationEnrollWithAny { .. } => "authentication.enrollWithAny",
            Self::MultifactorEnable { .. } => "multifactor.enable",
            Self::RedirectSendUserTo { .. } => "redirect.sendUserTo",
            Self::PromptRender { .. } => "prompt.render",
            Self::SamlResponse { setting, .. } => setting.method(),
        }
    }

    /// Whether this command ends the login: later Actions do not run.
    #[must_use]
    pub fn ends_the_login(&self) -> bool {
        matches!(
            self,
            Self::AccessDeny { .. }
                | Self::SessionRevoke { .. }
                | Self::RefreshTokenRevoke { .. }
                | Self::ValidationError { .. }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_read_as_the_prelude_writes_it() {
        let command = Command::decode(br#"{"command":"session.setExpiresAt","absolute":1700000000000.5}"#);
        assert_eq!(command, Ok(Command::SessionSetExpiresAt { absolute: 1_700_000_000_000.5 }));
        let revoke =
            Command::decode(br#"{"command":"session.revoke","reason":"x","preserveRefreshTokens":true}"#);
        assert_eq!(revoke, Ok(Command::SessionRevoke { reason: "x".into(), preserve_refresh_tokens: true }));
    }

    #[test]
    fn what_is_no_command_is_refused() {
        for bad in [
            r#"{}"#,
            r#"{"command":"session.setExpiresAt"}"#,
            r#"{"command":"session.setExpiresAt","absolute":"1"}"#,
            r#"{"command":"session.setExpiresAt","absolute":1e400}"#,
            r#"{"command":"session.setExpiresAt","absolute":1,"more":2}"#,
            r#"{"command":"idToken.setCustomClaim","key":"scope","value":1}"#,
            r#"{"command":"user.setAppMetadata","key":"a.b","value":1}"#,
            r#"{"command":"user.setAppMetadata","key":"blocked","value":1}"#,
            r#"{"command":"launch"}"#,
            "[",
        ] {
            assert!(Command::decode(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
