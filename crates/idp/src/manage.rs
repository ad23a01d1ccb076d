//! Setting a tenant up: clients, APIs, users, Actions. What is stored here has been checked.

mod actions;
mod client_authentication;
mod client_rules;
mod clients;
mod credentials;
mod factors;
mod grants;
mod groups;
mod log_streams;
mod logs;
mod management_client;
mod modules;
mod object;
mod organizations;
mod resource_servers;
mod revoke;
mod roles;
mod sessions;
mod tenant_settings;
mod users;
mod validate;

use std::collections::BTreeMap;

use aws_lc_rs::digest::{Digest, SHA256, digest};
use model::{
    ClientGrant, Connection, ConnectionId, ResourceServer, Tenant, TenantId, Timestamp, random_token,
};
use storage::StorageError;

use crate::{Idp, ServerError, keys, management_api};

pub use actions::*;
pub use client_authentication::{CredentialType, GivenCredential};
pub use clients::*;
pub use credentials::*;
pub use factors::*;
pub use grants::*;
pub use groups::*;
pub use log_streams::*;
pub use logs::*;
pub use management_client::*;
pub use modules::*;
pub use organizations::*;
pub use resource_servers::*;
pub use revoke::*;
pub use roles::*;
pub use sessions::*;
pub use tenant_settings::*;
pub use users::*;

pub(crate) use actions::{open_module_secrets, open_secrets};

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
    /// Something else has to be done first.
    #[error("{0}")]
    PreconditionFailed(String),
    /// Ours.
    #[error(transparent)]
    Server(#[from] ServerError),
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

/// Stores an API.
///
/// # Errors
/// [`ManageError::Invalid`] with the rule that it breaks.
pub async fn put_resource_server(
    idp: &Idp,
    tenant: &TenantId,
    api: &ResourceServer,
) -> Result<(), ManageError> {
    validate::resource_server(api)?;
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    // An access token for the API would look like an ID token for the client.
    if tx.client(&model::ClientId::new(api.identifier.as_str())).await?.is_some() {
        return Err(ManageError::invalid("the identifier is a client_id"));
    }
    tx.put_resource_server(api).await?;
    // What nobody can ask for, nobody is permitted.
    tx.keep_permissions(&api.identifier, &api.scopes).await?;
    Ok(tx.commit().await?)
}

/// Lets a client have tokens of its own for an API.
///
/// # Errors
/// [`ManageError::Invalid`] when client or API are unknown, or the API has no such scope.
pub async fn put_client_grant(idp: &Idp, tenant: &TenantId, grant: &ClientGrant) -> Result<(), ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    if tx.client(&grant.client_id).await?.is_none() {
        return Err(ManageError::invalid(format!("unknown client: {}", grant.client_id)));
    }
    let scopes = match grant.audience == management_api::STORED_AUDIENCE {
        true => management_api::SCOPES.iter().map(|(scope, _)| (*scope).to_owned()).collect(),
        false => match tx.resource_server(&grant.audience).await? {
            Some(api) => api.scopes,
            None => return Err(ManageError::invalid(format!("unknown API: {}", grant.audience))),
        },
    };
    if let Some(unknown) = grant.scope.iter().find(|scope| !scopes.contains(scope)) {
        return Err(ManageError::invalid(format!("the API has no scope {unknown}")));
    }
    tx.put_client_grant(grant).await?;
    Ok(tx.commit().await?)
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
