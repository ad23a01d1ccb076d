use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{AuthenticatorId, ClientId, Timestamp, UserId};

/// The kinds of second factor that this server has, by the dialect's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FactorType {
    /// Time-based one-time passwords of an authenticator app (RFC 6238).
    Otp,
    /// A code on paper, for a user whose other factors are lost. It is no factor to begin with.
    RecoveryCode,
}

impl FactorType {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Otp, Self::RecoveryCode];

    /// The dialect's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Otp => "otp",
            Self::RecoveryCode => "recovery-code",
        }
    }

    /// The factor of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|factor| factor.as_str() == name)
    }
}

/// A second factor of a user. There is one of each kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authenticator {
    /// As the MFA API names it.
    pub id: AuthenticatorId,
    /// Whose it is.
    pub user_id: UserId,
    /// Which kind.
    pub factor: FactorType,
    /// For [`FactorType::Otp`]: the shared secret, sealed with the installation's key.
    pub sealed_secret: Option<String>,
    /// The login in which it was begun: until it is confirmed, no other one may confirm it or see its secret again.
    pub begun_by: String,
    /// When it was begun.
    pub created_at: Timestamp,
    /// When the user showed that they have it. Before, it is no factor.
    pub confirmed_at: Option<Timestamp>,
    /// When it was last used to log in.
    pub last_used_at: Option<Timestamp>,
}

/// A login without a browser that waits for a second factor: what an `mfa_token` stands for.
#[derive(Debug, Clone, PartialEq)]
pub struct MfaToken {
    /// The client that alone may go on with it.
    pub client_id: ClientId,
    /// Who has shown the first factor.
    pub user_id: UserId,
    /// What goes on when the second was shown.
    pub login: Value,
    /// When it was issued.
    pub created_at: Timestamp,
    /// Its end.
    pub expires_at: Timestamp,
}
