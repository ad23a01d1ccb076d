//! Setting a tenant up: clients, APIs, users, Actions. What is stored here has been checked.

mod client_authentication;
mod client_grants;
mod client_rules;
mod clients;
mod connections;
mod credentials;
mod directory;
mod factors;
mod log_streams;
mod logs;
mod management_client;
mod metadata;
mod object;
mod resource_servers;
mod revoke;
mod signing_keys;
mod tenant_settings;
mod validate;

use std::collections::BTreeMap;

use action_api::Artifact;
use aws_lc_rs::digest::{SHA256, digest};
use model::{
    ActionId, ActionSource, ActionVersion, AllowedHosts, Connection, ConnectionId, Tenant, TenantId, Timestamp, User, UserId, random_token,
};
use serde_json::{Map, Value};
use storage::StorageError;

use crate::{Idp, ServerError, keys, password};

pub use client_authentication::{CredentialType, GivenCredential};
pub use client_grants::*;
pub use clients::*;
pub use connections::*;
pub use credentials::*;
pub use directory::*;
pub use factors::*;
pub use log_streams::*;
pub use logs::*;
pub use management_client::*;
pub use metadata::*;
pub use resource_servers::*;
pub use revoke::*;
pub use signing_keys::*;
pub use tenant_settings::*;

/// The connection that each tenant has.
pub const DEFAULT_CONNECTION: &str = "Username-Password-Authentication";

/// Why something was not stored.
#[derive(Debug, thiserror::Error)]
pub enum ManageError {
    /// What was given breaks a rule.
    #[error("{0}")]
    Invalid(String),
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
    fn invalid(reason: impl Into<String>) -> Self {
        Self::Invalid(reason.into())
    }
}

impl From<StorageError> for ManageError {
    fn from(error: StorageError) -> Self {
        Self::Server(error.into())
    }
}

/// A user to be made.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "the fields are those of `model::User`")]
pub struct NewUser {
    pub email: String,
    pub email_verified: bool,
    pub username: Option<String>,
    /// 8 to 256 characters, any of Unicode, taken as typed.
    pub password: String,
    pub name: Option<String>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    pub nickname: Option<String>,
    pub picture: Option<String>,
    pub user_metadata: Map<String, Value>,
    pub app_metadata: Map<String, Value>,
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

/// Makes a user of the default connection.
///
/// # Errors
/// [`ManageError::Invalid`] for a bad e-mail address or password, or a name that is taken.
pub async fn create_user(idp: &Idp, tenant: &TenantId, new: NewUser) -> Result<User, ManageError> {
    let email = new.email.trim().to_owned();
    validate::user(&email, new.username.as_deref(), &new.password)?;
    let password_hash = password::hash(idp, &new.password).await?;
    let now = idp.now();
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    let connection = tx
        .connection_by_name(DEFAULT_CONNECTION)
        .await?
        .ok_or_else(|| ServerError::Inconsistent(format!("tenant {tenant} has no default connection")))?;
    for name in std::iter::once(email.as_str()).chain(new.username.as_deref()) {
        if tx.user_by_login(&connection.id, name).await?.is_some() {
            return Err(ManageError::invalid("The user already exists."));
        }
    }
    let mut id = [0; 12];
    idp.random.fill(&mut id);
    let user = User {
        user_id: UserId::new(format!("auth0|{}", hex(&id))),
        connection_id: connection.id,
        email_verified: new.email_verified,
        username: new.username,
        name: Some(new.name.unwrap_or_else(|| email.clone())),
        given_name: new.given_name,
        family_name: new.family_name,
        nickname: new.nickname.or_else(|| email.split('@').next().map(str::to_owned)),
        picture: new.picture,
        phone_number: None,
        phone_verified: None,
        email: Some(email),
        user_metadata: new.user_metadata,
        app_metadata: new.app_metadata,
        blocked: false,
        password_hash: Some(password_hash),
        last_password_reset: None,
        logins_count: 0,
        last_login: None,
        last_ip: None,
        created_at: now,
        updated_at: now,
    };
    tx.put_user(&user).await?;
    tx.commit().await?;
    Ok(user)
}

/// Actions of a tenant (`reference/post-login.md` section 4): each one that is deployed is bound to the one trigger.
const MAX_BOUND_ACTIONS: usize = 20;

/// Deploys a new version of the Action of this name, with these secrets and no others. `hosts` is where its requests may go
/// from now on; without it that stays as it is, which is anywhere for a new Action.
///
/// # Errors
/// [`ManageError::Invalid`] for a bad name, too many secrets, too much code, a 21st Action, or an artifact that is not what
/// its digest says.
pub async fn deploy_action(
    idp: &Idp,
    tenant: &TenantId,
    name: &str,
    source: &ActionSource,
    artifact: &Artifact,
    secrets: &BTreeMap<String, String>,
    hosts: Option<&AllowedHosts>,
) -> Result<ActionVersion, ManageError> {
    validate::action(name, &source.code, secrets)?;
    if let Some(AllowedHosts::Only(hosts)) = hosts {
        validate::hosts(hosts)?;
    }
    if hex(digest(&SHA256, &artifact.bytes).as_ref()) != artifact.digest {
        return Err(ManageError::invalid("the artifact does not have its digest"));
    }
    let kind = serde_json::to_string(&artifact.kind)
        .map_err(|error| ServerError::Inconsistent(format!("artifact kind: {error}")))?;
    let sealed = if secrets.is_empty() {
        None
    } else {
        let plain = serde_json::to_vec(secrets)
            .map_err(|error| ServerError::Inconsistent(format!("Action secrets: {error}")))?;
        Some(idp.vault.seal(&*idp.random, &secrets_context(tenant, name), &plain)?)
    };
    let new_id = ActionId::new(format!("act_{}", random_token(&*idp.random, 16)));
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    let bound = tx.bindings().await?;
    if bound.len() >= MAX_BOUND_ACTIONS && !bound.iter().any(|binding| binding.name == name) {
        return Err(ManageError::invalid("at most 20 Actions are bound to a trigger"));
    }
    tx.put_artifact(&artifact.digest, &kind, &artifact.bytes).await?;
    let version =
        tx.deploy_action(&new_id, name, source, &artifact.digest, sealed.as_deref(), idp.now()).await?;
    if let Some(hosts) = hosts {
        tx.set_allowed_hosts(&version.action_id, hosts).await?;
    }
    tx.commit().await?;
    Ok(version)
}

/// Where an Action's secrets are stored, for the vault.
pub(crate) fn secrets_context(tenant: &TenantId, action: &str) -> String {
    format!("{tenant}/action_secrets/{action}")
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
