use crate::{ClientId, SessionId, Timestamp, UserId};

/// A client that is to be told that a session has ended. Nothing else is needed to tell it: session and user may be gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackchannelLogout {
    /// The `sid`.
    pub session_id: SessionId,
    /// The `aud`.
    pub client_id: ClientId,
    /// The `sub`.
    pub user_id: UserId,
    /// The `iss` that the client knows the session by.
    pub issuer: String,
    /// When the session ended.
    pub created_at: Timestamp,
    /// How often it was tried, the one under way included.
    pub attempts: i64,
}
