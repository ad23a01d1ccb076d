//! The bounds of commands (`reference/post-login.md` sections 3 and 4). The JavaScript `api` checks the same at the call,
//! with the texts of the dialect; this is for guests that go round it.

use serde_json::Value;

use super::{Command, Factor, FactorType};

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
    /// Any other argument that is out of bounds.
    #[error("{method}: {rule}")]
    Argument {
        /// The method, after `api.`.
        method: &'static str,
        /// What it asks for.
        rule: &'static str,
    },
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
/// Bytes of a string in the transaction's metadata.
const MAX_TRANSACTION_VALUE_BYTES: usize = 8 << 10;
/// The largest integer that a JavaScript number holds exactly.
const MAX_SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;

impl Command {
    /// Checks the arguments. Components build commands without JSON and call this.
    ///
    /// # Errors
    /// [`CommandError`] when an argument is out of bounds.
    pub fn check(&self) -> Result<(), CommandError> {
        let argument = |holds: bool, rule| {
            if holds { Ok(()) } else { Err(CommandError::Argument { method: self.name(), rule }) }
        };
        match self {
            Self::SessionSetExpiresAt { absolute: moment }
            | Self::SessionSetIdleExpiresAt { inactivity: moment }
            | Self::RefreshTokenSetExpiresAt { absolute: moment }
            | Self::RefreshTokenSetIdleExpiresAt { inactivity: moment }
                if !moment.is_finite() =>
            {
                Err(CommandError::NotAMoment(self.name()))
            }
            Self::IdTokenSetCustomClaim { key, .. } | Self::AccessTokenSetCustomClaim { key, .. }
                if key == "scope" =>
            {
                Err(CommandError::ScopeClaim(self.name()))
            }
            Self::UserSetUserMetadata { key, .. } if !profile_key_is_allowed(key, &[]) => {
                Err(CommandError::MetadataKey(key.clone()))
            }
            Self::UserSetAppMetadata { key, .. } if !profile_key_is_allowed(key, &RESERVED_APP_METADATA) => {
                Err(CommandError::MetadataKey(key.clone()))
            }
            Self::SessionSetMetadata { key, value } | Self::RefreshTokenSetMetadata { key, value } => {
                argument(is_metadata_key(key), "a key has 1 to 255 letters, digits, `_` and `-`")?;
                let fits = |value: &String| value.chars().count() <= 255 && !value.contains('\0');
                argument(
                    value.as_ref().is_none_or(fits),
                    "a value has at most 255 characters, and no null byte",
                )
            }
            Self::AccessTokenAddScope { scope } | Self::AccessTokenRemoveScope { scope } => {
                let fits = (1..=280).contains(&scope.chars().count()) && !scope.contains(char::is_whitespace);
                argument(fits, "a scope has 1 to 280 characters and no white space")
            }
            Self::TransactionSetMetadata { key, value } => {
                argument((1..=64).contains(&key.chars().count()), "a key has 1 to 64 characters")?;
                argument(
                    is_transaction_value(value),
                    "a value is a string of at most 8 kB, a safe number or a boolean",
                )
            }
            Self::ValidationError { error_code, error_message } => {
                let fits = error_code.chars().count() <= 100 && error_message.chars().count() <= 100;
                argument(fits, "code and message have at most 100 characters")
            }
            Self::RefreshTokenRevoke { reason } => {
                argument(reason.chars().count() <= 1024, "a reason has at most 1,024 characters")
            }
            Self::AuthenticationSetPrimaryUser { primary_user_id } => argument(
                (1..=128).contains(&primary_user_id.chars().count()),
                "a user id has 1 to 128 characters",
            ),
            Self::AuthenticationRecordMethod { provider_url } => {
                argument(is_web_url(provider_url), "a method is named by an http or https URL")
            }
            Self::AuthenticationChallengeWithAny { factors } => {
                argument(!factors.is_empty(), "there must be a factor")
            }
            Self::AuthenticationEnrollWith { factor, additional_factors } => {
                let all = additional_factors.iter().chain([factor]);
                argument(can_be_enrolled(all), "`email` is no factor to enroll")
            }
            Self::AuthenticationEnrollWithAny { factors } => {
                argument(!factors.is_empty(), "there must be a factor")?;
                argument(can_be_enrolled(factors.iter()), "`email` is no factor to enroll")
            }
            Self::RedirectSendUserTo { url } => {
                argument(is_web_url(url), "the user is sent to an absolute http or https URL")
            }
            Self::PromptRender { prompt_id, fields, vars } => {
                argument(prompt_id.chars().count() <= 48, "the id of a form has at most 48 characters")?;
                argument(
                    fields.len() <= 24 && vars.len() <= 24,
                    "`fields` and `vars` have at most 24 keys each",
                )
            }
            _ => Ok(()),
        }
    }
}

fn profile_key_is_allowed(key: &str, reserved: &[&str]) -> bool {
    !key.is_empty() && !key.contains(['.', '$', '\0']) && !reserved.contains(&key)
}

fn is_metadata_key(key: &str) -> bool {
    (1..=255).contains(&key.len())
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

fn is_transaction_value(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) => true,
        Value::Number(number) => number.as_f64().is_some_and(|number| {
            number.is_finite() && (number.fract() != 0.0 || number.abs() <= MAX_SAFE_INTEGER)
        }),
        Value::String(text) => text.len() <= MAX_TRANSACTION_VALUE_BYTES,
        Value::Array(_) | Value::Object(_) => false,
    }
}

/// Begins as one. Whoever uses it parses it.
fn is_web_url(url: &str) -> bool {
    let lower: String = url.chars().take(8).collect::<String>().to_ascii_lowercase();
    (lower.starts_with("https://") || lower.starts_with("http://")) && !url.contains(char::is_whitespace)
}

fn can_be_enrolled<'a>(mut factors: impl Iterator<Item = &'a Factor>) -> bool {
    factors.all(|factor| factor.factor_type != FactorType::Email)
}
