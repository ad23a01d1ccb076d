use serde_json::{Map, Value};

/// The error codes that this server uses (RFC 6749 §4.1.2.1 and §5.2, OIDC Core §3.1.2.6, RFC 6750 §3.1, RFC 9449
/// §5 and §8, and those of the dialect).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each variant's code is spelled in `as_str`")]
pub enum ErrorCode {
    InvalidRequest,
    InvalidClient,
    InvalidGrant,
    UnauthorizedClient,
    UnsupportedGrantType,
    UnsupportedResponseType,
    InvalidScope,
    AccessDenied,
    LoginRequired,
    ConsentRequired,
    InteractionRequired,
    AccountSelectionRequired,
    RequestNotSupported,
    RequestUriNotSupported,
    InvalidRequestUri,
    AuthorizationPending,
    SlowDown,
    ExpiredToken,
    InvalidToken,
    InsufficientScope,
    InvalidDpopProof,
    UseDpopNonce,
    TooManyRequests,
    TooManyAttempts,
    MfaRequired,
    UnsupportedChallengeType,
    AssociationRequired,
    ServerError,
    TemporarilyUnavailable,
}

impl ErrorCode {
    /// The code on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::InvalidScope => "invalid_scope",
            Self::AccessDenied => "access_denied",
            Self::LoginRequired => "login_required",
            Self::ConsentRequired => "consent_required",
            Self::InteractionRequired => "interaction_required",
            Self::AccountSelectionRequired => "account_selection_required",
            Self::RequestNotSupported => "request_not_supported",
            Self::RequestUriNotSupported => "request_uri_not_supported",
            Self::InvalidRequestUri => "invalid_request_uri",
            Self::AuthorizationPending => "authorization_pending",
            Self::SlowDown => "slow_down",
            Self::ExpiredToken => "expired_token",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
            Self::InvalidDpopProof => "invalid_dpop_proof",
            Self::UseDpopNonce => "use_dpop_nonce",
            Self::TooManyRequests => "too_many_requests",
            Self::TooManyAttempts => "too_many_attempts",
            Self::MfaRequired => "mfa_required",
            Self::UnsupportedChallengeType => "unsupported_challenge_type",
            Self::AssociationRequired => "association_required",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
        }
    }

    /// The HTTP status of this code at an endpoint that answers JSON. The dialect uses 403 where RFC 6749 §5.2 has 400:
    /// its SDKs compare it.
    #[must_use]
    pub fn default_status(self) -> u16 {
        match self {
            Self::InvalidClient | Self::InvalidToken => 401,
            Self::InvalidGrant
            | Self::UnauthorizedClient
            | Self::AccessDenied
            | Self::InsufficientScope
            | Self::AuthorizationPending
            | Self::MfaRequired
            | Self::AssociationRequired
            | Self::ExpiredToken => 403,
            Self::TooManyRequests | Self::TooManyAttempts | Self::SlowDown => 429,
            Self::ServerError => 500,
            Self::TemporarilyUnavailable => 503,
            _ => 400,
        }
    }
}

/// An error of the protocol: the client's mistake, or the user's refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {description}", code.as_str())]
pub struct OAuthError {
    /// `error`.
    pub code: ErrorCode,
    /// `error_description`.
    pub description: String,
    /// Overrides the status of the code at an endpoint that answers JSON.
    pub status: Option<u16>,
    /// `Retry-After` (RFC 9110 §10.2.3): the same request may do after so many seconds.
    pub retry_after_secs: Option<i64>,
    /// What a JSON answer has besides: the dialect's `mfa_token` and `mfa_requirements`.
    pub members: Map<String, Value>,
}

impl OAuthError {
    /// With the status of the code.
    pub fn new(code: ErrorCode, description: impl Into<String>) -> Self {
        Self {
            code,
            description: description.into(),
            status: None,
            retry_after_secs: None,
            members: Map::new(),
        }
    }

    /// `invalid_request` with this description.
    pub fn invalid_request(description: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidRequest, description)
    }

    /// The HTTP status at an endpoint that answers JSON.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status.unwrap_or_else(|| self.code.default_status())
    }
}

/// Only the characters that `error_description` may have in a redirect (RFC 6749 §4.1.2.1, Appendix A.8):
/// `%x20-21 / %x23-5B / %x5D-7E`. A double quote becomes a single one, a backslash a slash, any other a question mark.
#[must_use]
pub fn sanitize_description(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '"' => '\'',
            '\\' => '/',
            ' '..='~' => c,
            '\t' | '\r' | '\n' => ' ',
            _ => '?',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_have_only_the_characters_of_the_grammar() {
        assert_eq!(sanitize_description("a \"b\" \\ c\r\nd é"), "a 'b' / c  d ?");
        let all: String = (0..0x300_u32).filter_map(char::from_u32).collect();
        for c in sanitize_description(&all).bytes() {
            assert!(matches!(c, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e), "{c:#x}");
        }
    }

    #[test]
    fn statuses_are_those_of_the_dialect() {
        for (code, status) in [
            (ErrorCode::InvalidRequest, 400),
            (ErrorCode::UnsupportedGrantType, 400),
            (ErrorCode::InvalidScope, 400),
            (ErrorCode::InvalidClient, 401),
            (ErrorCode::InvalidToken, 401),
            (ErrorCode::InvalidGrant, 403),
            (ErrorCode::UnauthorizedClient, 403),
            (ErrorCode::AccessDenied, 403),
            (ErrorCode::AuthorizationPending, 403),
            (ErrorCode::ExpiredToken, 403),
            (ErrorCode::SlowDown, 429),
            (ErrorCode::TooManyAttempts, 429),
            (ErrorCode::MfaRequired, 403),
            (ErrorCode::ServerError, 500),
        ] {
            assert_eq!(OAuthError::new(code, "").status(), status, "{}", code.as_str());
        }
        let overridden = OAuthError { status: Some(400), ..OAuthError::new(ErrorCode::InvalidGrant, "") };
        assert_eq!(overridden.status(), 400);
    }
}
