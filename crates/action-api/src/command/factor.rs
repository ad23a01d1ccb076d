use serde::{Deserialize, Serialize};

/// A factor that an Action asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Factor {
    /// Its kind.
    #[serde(rename = "type")]
    pub factor_type: FactorType,
    /// How it is to be asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<FactorOptions>,
}

/// The factors of the dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant is spelled as the dialect does")]
pub enum FactorType {
    Otp,
    Email,
    Phone,
    #[serde(alias = "push")]
    PushNotification,
    WebauthnPlatform,
    WebauthnRoaming,
    RecoveryCode,
}

/// What may be said of a factor besides its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FactorOptions {
    /// For a phone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred_method: Option<PhoneMethod>,
    /// For push notifications: whether a one-time code will do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otp_fallback: Option<bool>,
}

/// How a code reaches a phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "each variant is spelled as the dialect does")]
pub enum PhoneMethod {
    Sms,
    Voice,
    Both,
}

/// The first argument of `api.multifactor.enable`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant is spelled as the dialect does")]
pub enum MultifactorProvider {
    None,
    Any,
    Guardian,
    GoogleAuthenticator,
    Duo,
}
