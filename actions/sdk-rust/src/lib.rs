//! Write an Action of Postern in Rust: a function from a login's [`Event`] to what this crate's modules ask for.
//!
//! ```ignore
//! use postern_actions::{Error, Event, clock, post_login, session};
//!
//! #[post_login]
//! fn limit_transferred_session(event: Event) -> Result<(), Error> {
//!     if event.session_transfer_token.is_some() {
//!         session::set_expires_at(clock::now_ms() + 30 * 60 * 1000)?;
//!     }
//!     Ok(())
//! }
//! ```
//!
//! One module is one capability: what an Action calls, it imports, and `postern action inspect` lists what it imports. A
//! moment is milliseconds since the Unix epoch.

mod api;
mod event;

use std::fmt;

pub use api::*;
pub use event::*;
pub use postern_actions_macros::{post_login, post_login_continue};
pub use serde_json::{Value, json};

/// Why a login fails. The text reaches the client as `error_description`: to refuse a login on purpose, call
/// [`access::deny`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(String);

impl Error {
    /// An error with this text.
    pub fn new(message: impl fmt::Display) -> Self {
        Self(message.to_string())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl From<String> for Error {
    fn from(message: String) -> Self {
        Self(message)
    }
}

impl From<&str> for Error {
    fn from(message: &str) -> Self {
        Self(message.to_owned())
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string())
    }
}

/// What a call answers.
pub type Result<T = (), E = Error> = std::result::Result<T, E>;

/// For the attributes.
#[doc(hidden)]
pub mod __private {
    pub use wit_bindgen;

    use crate::{Error, Event};

    /// Reads the event and calls the handler.
    pub fn run(event: &str, handler: fn(Event) -> Result<(), Error>) -> Result<(), String> {
        let event = serde_json::from_str(event).map_err(|error| format!("the event: {error}"))?;
        handler(event).map_err(|error| error.0)
    }
}
