use serde_json::Value;

use crate::{ClientId, Timestamp, UserId};

/// One entry of a tenant's log.
#[derive(Debug, Clone, PartialEq)]
pub struct LogEntry {
    /// What happened.
    pub log_type: LogType,
    /// When.
    pub date: Timestamp,
    /// The client, when one is known.
    pub client_id: Option<ClientId>,
    /// The user, when one is known.
    pub user_id: Option<UserId>,
    /// The caller's address.
    pub ip: Option<String>,
    /// For people.
    pub description: String,
    /// For tools.
    pub details: Value,
}

/// The type codes of the dialect's tenant logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant's code is spelled in `code`")]
pub enum LogType {
    SuccessLogin,
    FailedLogin,
    FailedLoginWrongPassword,
    SuccessSilentAuth,
    FailedSilentAuth,
    SuccessExchangeCode,
    FailedExchangeCode,
    SuccessExchangeRefreshToken,
    FailedExchangeRefreshToken,
    SuccessExchangeClientCredentials,
    FailedExchangeClientCredentials,
    SuccessExchangeDeviceCode,
    FailedExchangeDeviceCode,
    SuccessExchangePassword,
    FailedExchangePassword,
    SuccessExchangeOtp,
    FailedExchangeOtp,
    SuccessExchangeRecoveryCode,
    FailedExchangeRecoveryCode,
    FactorSucceeded,
    FactorFailed,
    FactorEnrolled,
    FactorRemoved,
    FactorLimitReached,
    RecoverySucceeded,
    RecoveryFailed,
    FailedDeviceAuthorization,
    FailedDeviceActivation,
    CancelledDeviceConfirmation,
    RefreshTokenReused,
    RefreshTokenRevoked,
    SuccessLogout,
    SessionRevoked,
    SuccessChangePassword,
    SuccessUserDeletion,
    Warning,
    ActionExecutionFailed,
    LimitReached,
    BackchannelLogoutSucceeded,
    BackchannelLogoutFailed,
    ApiOperationSucceeded,
    ApiOperationFailed,
}

impl LogType {
    /// The code as tools read it.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::SuccessLogin => "s",
            Self::FailedLogin => "f",
            Self::FailedLoginWrongPassword => "fp",
            Self::SuccessSilentAuth => "ssa",
            Self::FailedSilentAuth => "fsa",
            Self::SuccessExchangeCode => "seacft",
            Self::FailedExchangeCode => "feacft",
            Self::SuccessExchangeRefreshToken => "sertft",
            Self::FailedExchangeRefreshToken => "fertft",
            Self::SuccessExchangeClientCredentials => "seccft",
            Self::FailedExchangeClientCredentials => "feccft",
            Self::SuccessExchangeDeviceCode => "sede",
            Self::FailedExchangeDeviceCode => "fede",
            Self::SuccessExchangePassword => "sepft",
            Self::FailedExchangePassword => "fepft",
            Self::SuccessExchangeOtp => "seotpft",
            Self::FailedExchangeOtp => "feotpft",
            Self::SuccessExchangeRecoveryCode => "sercft",
            Self::FailedExchangeRecoveryCode => "fercft",
            Self::FactorSucceeded => "gd_auth_succeed",
            Self::FactorFailed => "gd_auth_failed",
            Self::FactorEnrolled => "gd_enrollment_complete",
            Self::FactorRemoved => "gd_unenroll",
            Self::FactorLimitReached => "gd_otp_rate_limit_exceed",
            Self::RecoverySucceeded => "gd_recovery_succeed",
            Self::RecoveryFailed => "gd_recovery_failed",
            Self::FailedDeviceAuthorization => "fdeaz",
            Self::FailedDeviceActivation => "fdeac",
            Self::CancelledDeviceConfirmation => "fdecc",
            Self::RefreshTokenReused => "ferrt",
            Self::RefreshTokenRevoked => "srrt",
            Self::SuccessLogout => "slo",
            Self::SessionRevoked => "session_revoked",
            Self::SuccessChangePassword => "scp",
            Self::SuccessUserDeletion => "sdu",
            Self::Warning => "w",
            Self::ActionExecutionFailed => "actions_execution_failed",
            Self::LimitReached => "limit_wc",
            Self::BackchannelLogoutSucceeded => "oidc_backchannel_logout_succeeded",
            Self::BackchannelLogoutFailed => "oidc_backchannel_logout_failed",
            Self::ApiOperationSucceeded => "sapi",
            Self::ApiOperationFailed => "fapi",
        }
    }
}
