use serde::{Deserialize, Serialize};
use serde_json::Value;

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
}

/// Why a command was refused. The text is for the Action's author.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// Not a command at all: wrong shape, unknown name, wrong types.
    #[error("not a command of this trigger: {0}")]
    Malformed(String),
    /// A moment that is not a finite number.
    #[error("{0} needs a finite number of milliseconds since the Unix epoch")]
    NotAMoment(&'static str),
    /// `scope` as a custom claim.
    #[error("{0} cannot set `scope`")]
    ScopeClaim(&'static str),
    /// A metadata key that the profile store does not allow.
    #[error("metadata key `{0}` is empty, reserved, or holds `.` or `$`")]
    MetadataKey(String),
}

/// Names that `app_metadata` may not hold at its top level (`reference/post-login.md` section 4).
const RESERVED_APP_METADATA: [&str; 18] = [
    "__tenant",
    "_id",
    "blocked",
    "clientID",
    "created_at",
    "email",
    "email_verified",
    "globalClientID",
    "global_client_id",
    "identities",
    "lastIP",
    "lastLogin",
    "loginsCount",
    "metadata",
    "multifactor",
    "multifactor_last_modified",
    "updated_at",
    "user_id",
];

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

    /// Checks the arguments. Components build commands without JSON and call this.
    ///
    /// # Errors
    /// [`CommandError`] when an argument is out of bounds.
    pub fn check(&self) -> Result<(), CommandError> {
        match self {
            Self::SessionSetExpiresAt { absolute: moment }
            | Self::SessionSetIdleExpiresAt { inactivity: moment }
                if !moment.is_finite() =>
            {
                Err(CommandError::NotAMoment(self.name()))
            }
            Self::IdTokenSetCustomClaim { key, .. } | Self::AccessTokenSetCustomClaim { key, .. }
                if key == "scope" =>
            {
                Err(CommandError::ScopeClaim(self.name()))
            }
            Self::UserSetUserMetadata { key, .. } if !metadata_key_is_allowed(key, &[]) => {
                Err(CommandError::MetadataKey(key.clone()))
            }
            Self::UserSetAppMetadata { key, .. } if !metadata_key_is_allowed(key, &RESERVED_APP_METADATA) => {
                Err(CommandError::MetadataKey(key.clone()))
            }
            _ => Ok(()),
        }
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
        }
    }

    /// Whether this command ends the login: later Actions do not run.
    #[must_use]
    pub fn ends_the_login(&self) -> bool {
        matches!(self, Self::AccessDeny { .. } | Self::SessionRevoke { .. })
    }
}

fn metadata_key_is_allowed(key: &str, reserved: &[&str]) -> bool {
    !key.is_empty() && !key.contains(['.', '$', '\0']) && !reserved.contains(&key)
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
