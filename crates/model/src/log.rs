use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    Client, ClientId, Connection, ConnectionId, GeoIp, Organization, OrganizationId, Timestamp, User, UserId,
};

/// One entry of a tenant's log. Made by [`LogEntry::new`]; what is known besides is added.
#[derive(Debug, Clone, PartialEq)]
pub struct LogEntry {
    /// What happened.
    pub log_type: LogType,
    /// When.
    pub date: Timestamp,
    /// The client, when one is known.
    pub client_id: Option<ClientId>,
    /// Its name at that time.
    pub client_name: Option<String>,
    /// The user, when one is known.
    pub user_id: Option<UserId>,
    /// The user's e-mail address, or else another name, at that time; of a failed login, what was entered is not kept.
    pub user_name: Option<String>,
    /// The caller's address.
    pub ip: Option<String>,
    /// What the caller's program calls itself.
    pub user_agent: Option<String>,
    /// The host that was asked, without port.
    pub hostname: Option<String>,
    /// The name of the connection that the user came from.
    pub connection: Option<String>,
    /// Its id.
    pub connection_id: Option<ConnectionId>,
    /// The organization in whose name it happened.
    pub organization_id: Option<OrganizationId>,
    /// For people.
    pub description: String,
    /// For tools.
    pub details: Value,
    /// What nothing is searched by.
    pub more: LogContext,
}

/// The properties of a log entry that are stored together.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LogContext {
    /// The API that tokens were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// What was granted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<Vec<String>>,
    /// Of the connection: `auth0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<String>,
    /// Of the connection: `database`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy_type: Option<String>,
    /// The name of the organization at that time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization_name: Option<String>,
    /// The place of the caller's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<GeoIp>,
    /// What the caller of the Management API sent as `X-Correlation-ID`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
}

impl LogEntry {
    /// An entry that says no more than what happened, and when.
    #[must_use]
    pub fn new(log_type: LogType, date: Timestamp) -> Self {
        Self {
            log_type,
            date,
            client_id: None,
            client_name: None,
            user_id: None,
            user_name: None,
            ip: None,
            user_agent: None,
            hostname: None,
            connection: None,
            connection_id: None,
            organization_id: None,
            description: String::new(),
            details: json!({}),
            more: LogContext::default(),
        }
    }

    /// With the client.
    #[must_use]
    pub fn with_client(mut self, client: &Client) -> Self {
        self.client_id = Some(client.client_id.clone());
        self.client_name = Some(client.name.clone());
        self
    }

    /// With the user.
    #[must_use]
    pub fn with_user(mut self, user: &User) -> Self {
        self.user_id = Some(user.user_id.clone());
        let names = [&user.email, &user.username, &user.phone_number, &user.name];
        self.user_name = names.into_iter().flatten().next().cloned();
        self
    }

    /// With the connection that the user came from.
    #[must_use]
    pub fn with_connection(mut self, connection: &Connection) -> Self {
        self.connection = Some(connection.name.clone());
        self.connection_id = Some(connection.id.clone());
        self.more.strategy = Some(connection.strategy.clone());
        self.more.strategy_type = (connection.strategy == "auth0").then(|| "database".to_owned());
        self
    }

    /// With the organization in whose name it happened.
    #[must_use]
    pub fn with_organization(mut self, organization: Option<&Organization>) -> Self {
        self.organization_id = organization.map(|organization| organization.id.clone());
        self.more.organization_name = organization.map(|organization| organization.name.clone());
        self
    }

    /// With what the tokens are for.
    #[must_use]
    pub fn with_grant(mut self, audience: Option<&str>, scope: &[String]) -> Self {
        self.more.audience = audience.map(str::to_owned);
        self.more.scope = Some(scope.to_vec());
        self
    }
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
