//! Setting a tenant up: clients, APIs, users, Actions. What is stored here has been checked.

mod actions;
mod client_authentication;
mod client_grants;
mod client_rules;
mod clients;
mod connections;
mod credentials;
mod factors;
mod grants;
mod groups;
pub mod limits;
mod listed;
mod log_streams;
mod logs;
mod management_client;
mod modules;
mod object;
mod organization_grants;
mod organizations;
mod password_options;
mod password_policy;
mod resource_servers;
mod revoke;
mod roles;
mod sessions;
mod signing_keys;
mod tenant_settings;
mod users;
mod validate;

use std::collections::BTreeMap;

use aws_lc_rs::digest::{Digest, SHA256, digest};
use model::{Connection, ConnectionId, Tenant, Timestamp, random_token};
use storage::StorageError;

use crate::{Idp, ServerError, keys};

pub use actions::*;
pub use client_authentication::{
    CredentialType, CredentialView, GivenCredential, GivenMethods, MethodsInUse,
};
pub use client_grants::*;
pub use clients::*;
pub use connections::*;
pub use credentials::*;
pub use factors::*;
pub use grants::*;
pub use groups::*;
pub use listed::*;
pub use log_streams::*;
pub use logs::*;
pub use management_client::*;
pub use modules::*;
pub use organization_grants::*;
pub use organizations::*;
pub use resource_servers::*;
pub use revoke::*;
pub use roles::*;
pub use sessions::*;
pub use signing_keys::*;
pub use tenant_settings::*;
pub use users::*;

pub(crate) use actions::{open_module_secrets, open_secrets};
pub(crate) use connections::takes_passwords;

/// The connection that each tenant has.
pub const DEFAULT_CONNECTION: &str = "Username-Password-Authentication";

/// Why something was not stored.
#[derive(Debug, thiserror::Error)]
pub enum ManageError {
    /// What was given breaks a rule.
    #[error("{0}")]
    Invalid(String),
    /// A list was asked for in a way that is not understood.
    #[error("{0}")]
    InvalidQuery(String),
    /// There is no such thing in this tenant.
    #[error("{message}")]
    NotFound {
        /// As tools compare it, where they do.
        error_code: Option<&'static str>,
        /// For people.
        message: String,
    },
    /// It is there already, or in use.
    #[error("{0}")]
    Conflict(String),
    /// It may not be done.
    #[error("{message}")]
    Forbidden {
        /// As tools compare it.
        error_code: &'static str,
        /// For people.
        message: String,
    },
    /// The connection does not take this password.
    #[error(transparent)]
    Password(#[from] PasswordFault),
    /// Something else has to be done first.
    #[error("{0}")]
    PreconditionFailed(String),
    /// Ours.
    #[error(transparent)]
    Server(#[from] ServerError),
}

/// Why a connection does not take a password, in the dialect's words. What tools compare has no details; `source` has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordFault {
    /// It is too easy to guess.
    #[error("PasswordStrengthError: Password is too weak")]
    Weak(#[source] WeakPassword),
    /// It is on the connection's list.
    #[error("PasswordDictionaryError: Password is too common")]
    Common,
    /// One of the user's names is in it.
    #[error("PasswordNoUserInfoError: Password contains user information")]
    Personal,
    /// It is the user's, or was.
    #[error("PasswordHistoryError: Password has previously been used")]
    Used,
}

/// What a password is short of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    /// Characters.
    #[error("the connection asks for at least {0} characters")]
    Short(usize),
    /// For `fair`.
    #[error("the connection asks for lower case letters (a-z), upper case letters (A-Z) and numbers")]
    LettersAndNumbers,
    /// For `good` and `excellent`.
    #[error(
        "the connection asks for at least 3 of: lower case letters (a-z), upper case letters (A-Z), numbers, special \
         characters"
    )]
    Kinds,
    /// For `excellent`.
    #[error("the connection takes no character three times in a row")]
    Repeats,
    /// For `password_options.complexity`.
    #[error("the connection asks for kinds of characters that are not all there")]
    Types,
    /// For `password_options.complexity`.
    #[error("the connection takes no three characters in their order, like abc or 321")]
    Sequence,
}

impl ManageError {
    fn not_found(error_code: &'static str, message: impl Into<String>) -> Self {
        Self::NotFound { error_code: Some(error_code), message: message.into() }
    }

    fn invalid(reason: impl Into<String>) -> Self {
        Self::Invalid(reason.into())
    }
}

impl From<StorageError> for ManageError {
    fn from(error: StorageError) -> Self {
        Self::Server(error.into())
    }
}

/// Stores the tenant, its default connection and its signing keys, current and next. What is there already stays.
///
/// # Errors
/// [`ServerError`].
pub async fn create_tenant(idp: &Idp, tenant: &Tenant) -> Result<(), ServerError> {
    idp.storage.put_tenant(tenant).await?;
    let mut tx = idp.storage.begin(&tenant.id).await?;
    tx.lock_settings().await?;
    if tx.connection_by_name(DEFAULT_CONNECTION).await?.is_none() {
        tx.put_connection(&Connection {
            id: ConnectionId::new(format!("con_{}", random_token(&*idp.random, 16))),
            name: DEFAULT_CONNECTION.to_owned(),
            strategy: "auth0".to_owned(),
            metadata: BTreeMap::new(),
            enabled_clients: Vec::new(),
        })
        .await?;
    }
    tx.commit().await?;
    keys::ensure(idp, &tenant.id).await
}

fn sha256(bytes: &[u8]) -> Digest {
    digest(&SHA256, bytes)
}

/// The key of a row in a list that is sorted by moment and id.
fn place_of(moment: Timestamp, id: &str) -> String {
    format!("{}:{id}", moment.as_ms())
}

/// The moment and id of such a key.
fn place(key: &str) -> Result<(Timestamp, &str), ManageError> {
    let parts = key.split_once(':').and_then(|(ms, id)| Some((ms.parse().ok()?, id)));
    let (ms, id) = parts.ok_or_else(|| ManageError::invalid("from is not what an answer gave as next"))?;
    Ok((Timestamp::from_ms(ms), id))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
