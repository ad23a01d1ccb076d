use oauth::{ErrorCode, OAuthError};
use storage::StorageError;

/// Something of ours failed. The client learns no more than that; the cause goes to the log, once.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The database.
    #[error("the database failed")]
    Storage(#[from] StorageError),
    /// A key, a hash or a seal.
    #[error("cryptography failed: {0}")]
    Crypto(String),
    /// There is more to do than this process takes on at a time. The same request may do a moment later.
    #[error("too many password hashes are under way")]
    Busy,
    /// A rule of our own was broken.
    #[error("inconsistent data: {0}")]
    Inconsistent(String),
}

impl ServerError {
    /// When a [`ServerError::Busy`] may be over.
    pub const BUSY_RETRY_SECS: i64 = 2;
}

/// What a JSON endpoint answers when it does not succeed.
#[derive(Debug, thiserror::Error)]
pub enum IdpError {
    /// The client's mistake, as its RFC words it.
    #[error("{0}")]
    OAuth(#[from] OAuthError),
    /// Ours.
    #[error(transparent)]
    Server(#[from] ServerError),
}

impl IdpError {
    /// An OAuth error with this code and description.
    pub fn oauth(code: ErrorCode, description: impl Into<String>) -> Self {
        Self::OAuth(OAuthError::new(code, description))
    }
}

impl From<StorageError> for IdpError {
    fn from(error: StorageError) -> Self {
        Self::Server(error.into())
    }
}

/// What a page endpoint shows when it cannot go on and may not redirect.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The request cannot be trusted to name where to redirect to (RFC 6749 §4.1.2.1).
    #[error("{0}")]
    OAuth(#[from] OAuthError),
    /// Ours.
    #[error(transparent)]
    Server(#[from] ServerError),
}

impl PageError {
    /// An error page with this code and text.
    pub fn oauth(code: ErrorCode, description: impl Into<String>) -> Self {
        Self::OAuth(OAuthError::new(code, description))
    }
}

impl From<StorageError> for PageError {
    fn from(error: StorageError) -> Self {
        Self::Server(error.into())
    }
}
