//! The use cases: authorize, login, transfer, post-login, token, introspect, userinfo, revoke, logout, manage.
//!
//! Each takes parsed input, opens and commits its own transactions, and yields an outcome. No HTTP, no SQL, no Wasm. No
//! transaction is open while an Action, a password hash or a request to elsewhere runs.

mod api_access;
mod authorization_response;
pub mod authorize;
pub mod backchannel_logout;
mod by_name;
mod certificate;
mod complete;
pub mod consent;
mod context;
mod credential;
mod decision;
pub mod device;
pub mod dpop;
mod error;
mod event;
pub mod introspect;
mod jws;
mod jws_algorithm;
pub mod keys;
pub mod log_streams;
pub mod login;
pub mod logout;
pub mod lookups;
pub mod manage;
pub mod management_api;
mod measure;
pub mod mfa;
mod organizations;
pub mod par;
mod password;
mod password_login;
mod post_login;
mod public_key;
mod rate_limit;
mod revocation;
pub mod revoke;
mod risk;
mod served;
mod settings;
pub mod token;
mod tokens;
mod transfer;
pub mod userinfo;
mod vault;

pub use by_name::ByName;
pub use context::{
    ActionBuilder, ActionExecutor, ActionRun, BuildInput, BuildProblem, CookieChange, CookieChanges, Idp,
    NetworkData, NoNetworkData, RequestContext,
};
pub use credential::hash_credential;
pub use decision::{Decision, FactorRequest, Suspension};
pub use error::{IdpError, PageError, ServerError};
pub use event::{ContinueRequest, with_changes};
pub use password::{PasswordPlace, PasswordQueue};
pub use post_login::MODULE_SECRETS;
pub use revocation::Ended;
pub use settings::Settings;
pub use vault::Vault;
