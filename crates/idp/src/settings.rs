//! What the tenants have set up, kept in memory: clients, APIs, connections, signing keys and the Actions of a login.
//!
//! Each request reads its tenant, and so the tenant's `settings_version`, from the database; what is kept counts for
//! one version. So a change on any node is seen by the next request on every node, and nothing is read twice in
//! between. What a use case decides and then writes (a session, a token, a user) is never kept.

use std::hash::Hash;
use std::sync::Arc;

use model::{
    ActionBinding, Client, ClientId, Connection, ConnectionId, DefaultTokenQuota, ResourceServer, SigningKey,
    Tenant,
};
use quick_cache::sync::Cache;
use serde_json::Value;
use storage::{Storage, StorageError};

use crate::ServerError;

/// How many of each kind are kept, of all tenants. The least used ones give way.
const KEPT: usize = 10_000;

/// An API, and whether a client introspects its access tokens, which are then stored.
#[derive(Debug)]
pub(crate) struct Api {
    pub server: ResourceServer,
    pub is_introspected: bool,
}

/// Whose it is, as of which version, and its name.
type Key<K> = (String, i64, K);

/// What is kept. One for the process.
#[derive(Debug)]
pub struct Settings {
    storage: Storage,
    clients: Cache<Key<ClientId>, Arc<Client>>,
    apis: Cache<Key<String>, Arc<Api>>,
    connections: Cache<Key<ConnectionId>, Arc<Connection>>,
    signing_keys: Cache<Key<()>, Arc<Vec<SigningKey>>>,
    client_signing_keys: Cache<Key<()>, Arc<Value>>,
    bindings: Cache<Key<()>, Arc<Vec<ActionBinding>>>,
    default_token_quotas: Cache<Key<()>, Arc<DefaultTokenQuota>>,
}

impl Settings {
    /// Of the tenants in this database.
    #[must_use]
    pub fn new(storage: Storage) -> Self {
        Self {
            storage,
            clients: Cache::new(KEPT),
            apis: Cache::new(KEPT),
            connections: Cache::new(KEPT),
            signing_keys: Cache::new(KEPT),
            client_signing_keys: Cache::new(KEPT),
            bindings: Cache::new(KEPT),
            default_token_quotas: Cache::new(KEPT),
        }
    }

    pub(crate) async fn client(
        &self,
        tenant: &Tenant,
        id: &ClientId,
    ) -> Result<Option<Arc<Client>>, StorageError> {
        keep(&self.clients, tenant, id, async { self.storage.begin_read(&tenant.id).await?.client(id).await })
            .await
    }

    pub(crate) async fn api(
        &self,
        tenant: &Tenant,
        identifier: &str,
    ) -> Result<Option<Arc<Api>>, StorageError> {
        keep(&self.apis, tenant, &identifier.to_owned(), async {
            let mut tx = self.storage.begin_read(&tenant.id).await?;
            let Some(server) = tx.resource_server(identifier).await? else { return Ok(None) };
            let is_introspected = tx.has_introspecting_client(identifier).await?;
            Ok(Some(Api { server, is_introspected }))
        })
        .await
    }

    pub(crate) async fn connection(
        &self,
        tenant: &Tenant,
        id: &ConnectionId,
    ) -> Result<Option<Arc<Connection>>, StorageError> {
        keep(&self.connections, tenant, id, async {
            self.storage.begin_read(&tenant.id).await?.connection(id).await
        })
        .await
    }

    /// All signing keys, oldest first.
    pub(crate) async fn signing_keys(&self, tenant: &Tenant) -> Result<Arc<Vec<SigningKey>>, StorageError> {
        let read = async { self.storage.begin_read(&tenant.id).await?.signing_keys().await.map(Some) };
        Ok(keep(&self.signing_keys, tenant, &(), read).await?.unwrap_or_default())
    }

    /// What `make` makes of the signing keys for clients: a signature for each certificate. A key whose time ends is in it
    /// until something changes in the tenant.
    pub(crate) async fn client_signing_keys(
        &self,
        tenant: &Tenant,
        make: impl Future<Output = Result<Value, ServerError>>,
    ) -> Result<Arc<Value>, ServerError> {
        let made = async { make.await.map(Some) };
        Ok(keep(&self.client_signing_keys, tenant, &(), made).await?.unwrap_or_default())
    }

    /// The `default_token_quota` of the tenant.
    pub(crate) async fn default_token_quota(
        &self,
        tenant: &Tenant,
    ) -> Result<Arc<DefaultTokenQuota>, StorageError> {
        let read = async {
            let found = self.storage.begin_read(&tenant.id).await?.tenant().await?;
            Ok(Some(found.and_then(|(_, profile)| profile.default_token_quota).unwrap_or_default()))
        };
        let kept: Result<_, StorageError> = keep(&self.default_token_quotas, tenant, &(), read).await;
        Ok(kept?.unwrap_or_default())
    }

    /// What runs at a login, in its order.
    pub(crate) async fn bindings(&self, tenant: &Tenant) -> Result<Arc<Vec<ActionBinding>>, StorageError> {
        let read = async { self.storage.begin_read(&tenant.id).await?.bindings().await.map(Some) };
        Ok(keep(&self.bindings, tenant, &(), read).await?.unwrap_or_default())
    }
}

/// What is kept under that name, or else what is read, and then kept. That there is no such thing is not kept: whoever
/// asks could fill the memory with names.
///
/// What is read is at least as new as the version that it is kept for, because the version was read before.
async fn keep<K: Clone + Eq + Hash, V, E>(
    cache: &Cache<Key<K>, Arc<V>>,
    tenant: &Tenant,
    name: &K,
    read: impl Future<Output = Result<Option<V>, E>>,
) -> Result<Option<Arc<V>>, E> {
    let key = (tenant.id.as_str().to_owned(), tenant.settings_version, name.clone());
    if let Some(kept) = cache.get(&key) {
        return Ok(Some(kept));
    }
    let Some(value) = read.await?.map(Arc::new) else { return Ok(None) };
    cache.insert(key, Arc::clone(&value));
    Ok(Some(value))
}
