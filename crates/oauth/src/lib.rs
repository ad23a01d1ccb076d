//! The protocol, as pure functions: parameters, errors, redirect URIs, PKCE, scopes, client credentials and metadata.
//! No database, no clock, no HTTP.

mod basic;
mod error;
mod metadata;
mod parameters;
pub mod pkce;
mod redirect;
mod response;
mod scope;

pub use basic::{BasicCredentials, parse_basic};
pub use error::{ErrorCode, OAuthError, sanitize_description};
pub use metadata::{Metadata, Offers, metadata};
pub use parameters::Parameters;
pub use redirect::{redirect_uri_matches, redirect_with};
pub use response::{AuthorizationResponse, ResponseMode};
pub use scope::parse_scope;
