//! Connections, by objects of the Management API. There are databases of users, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    ClientId, Connection, ConnectionId, ConnectionProfile, ManagedConnection, TenantId, random_token,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use storage::TenantTx;
use utoipa::ToSchema;

use super::clients::no_client;
use super::object::{Object, as_object, from_object, invalid, merge, only_known, patch, read};
use super::password_policy::PasswordPolicy;
use super::validate::{is_metadata, rule};
use super::{DEFAULT_CONNECTION, Listed, ManageError, Span, limits};
use crate::{Idp, ServerError};

/// The strategy of a database of users.
const DATABASE: &str = "auth0";
const MAX_OPTIONS_BYTES: usize = 100 << 10;

/// A connection as it is sent, but for what has no effect.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ConnectionSettings {
    /// At most 128 letters, digits and single hyphens. It does not change.
    name: String,
    /// `auth0`. It does not change.
    strategy: String,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
    /// Whose users may log in with it.
    #[serde(default)]
    enabled_clients: Vec<String>,
}

/// Which connections. Without anything: all.
#[derive(Debug, Clone, Default)]
pub struct ConnectionFilter {
    /// Of one of these strategies.
    pub strategies: Vec<String>,
    /// Of this name.
    pub name: Option<String>,
    /// Enabled for this client.
    pub client_id: Option<ClientId>,
}

impl ConnectionFilter {
    fn stored(&self) -> storage::ConnectionFilter<'_> {
        storage::ConnectionFilter {
            strategies: &self.strategies,
            name: self.name.as_deref(),
            client: self.client_id.as_ref(),
        }
    }
}

/// Connections by name.
///
/// # Errors
/// [`ServerError`].
pub async fn list_connections(
    idp: &Idp,
    tenant: &TenantId,
    filter: &ConnectionFilter,
    span: Span<'_>,
) -> Result<Listed, ServerError> {
    let (filter, after) = (filter.stored(), span.after.unwrap_or_default());
    let mut tx = idp.storage.begin_read(tenant).await?;
    let total = if span.counted { tx.count_connections(filter).await? } else { 0 };
    let connections = tx.managed_connections(filter, after, span.offset, span.limit).await?;
    let rows = connections.iter().map(|known| shown(known).map(Value::Object));
    Ok(Listed {
        rows: rows.collect::<Result<_, _>>()?,
        total,
        last_key: connections.last().map(|last| last.connection.name.clone()),
    })
}

/// The connections that are enabled for a client.
///
/// # Errors
/// [`ManageError::NotFound`] for the client.
pub async fn connections_of_client(
    idp: &Idp,
    tenant: &TenantId,
    client: &ClientId,
    span: Span<'_>,
) -> Result<Listed, ManageError> {
    if idp.storage.begin_read(tenant).await?.client(client).await?.is_none() {
        return Err(no_client());
    }
    let filter = ConnectionFilter { client_id: Some(client.clone()), ..ConnectionFilter::default() };
    Ok(list_connections(idp, tenant, &filter, span).await?)
}

/// The connection of that id.
///
/// # Errors
/// [`ManageError::NotFound`].
pub async fn get_connection(
    idp: &Idp,
    tenant: &TenantId,
    id: &ConnectionId,
) -> Result<Map<String, Value>, ManageError> {
    let found = idp.storage.begin_read(tenant).await?.managed_connection(id).await?;
    Ok(shown(&found.ok_or_else(no_connection)?)?)
}

/// Makes a database of users.
///
/// # Errors
/// [`ManageError::Invalid`] with the rule that is broken; [`ManageError::Conflict`] for a name that is taken.
pub async fn create_connection(
    idp: &Idp,
    tenant: &TenantId,
    sent: &Map<String, Value>,
) -> Result<Map<String, Value>, ManageError> {
    let id = ConnectionId::new(format!("con_{}", random_token(&*idp.random, 16)));
    // A name that is unknown is told before one that is missing.
    patched(id.clone(), nothing(), sent)?;
    let made = patched(id, Object::new(), sent)?;
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    if tx.connection_by_name(&made.connection.name).await?.is_some() {
        return Err(ManageError::Conflict("A connection with the same name already exists".to_owned()));
    }
    put(&mut tx, &made).await?;
    tx.commit().await?;
    Ok(shown(&made)?)
}

/// Changes a connection; the connection after it. `options` replace those that were there.
///
/// # Errors
/// [`ManageError::NotFound`]; [`ManageError::Invalid`] with the rule that is broken.
pub async fn update_connection(
    idp: &Idp,
    tenant: &TenantId,
    id: &ConnectionId,
    sent: &Map<String, Value>,
) -> Result<Map<String, Value>, ManageError> {
    if let Some(name) = ["name", "strategy"].into_iter().find(|name| sent.contains_key(*name)) {
        return Err(invalid(&format!("Additional properties not allowed: {name}"), ""));
    }
    // What is malformed is so for whichever connection.
    patched(id.clone(), nothing(), sent)?;
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    let known = tx.managed_connection(id).await?.ok_or_else(no_connection)?;
    let changed = patched(id.clone(), whole(&known)?, sent)?;
    put(&mut tx, &changed).await?;
    tx.commit().await?;
    Ok(shown(&changed)?)
}

/// Removes a connection without users.
///
/// # Errors
/// [`ManageError::NotFound`]; [`ManageError::Conflict`] for one that has users, or the default one.
pub async fn delete_connection(idp: &Idp, tenant: &TenantId, id: &ConnectionId) -> Result<(), ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    let known = tx.connection(id).await?.ok_or_else(no_connection)?;
    if known.name == DEFAULT_CONNECTION {
        return Err(ManageError::Conflict("Each tenant has this connection: it stays".to_owned()));
    }
    if tx.connection_has_users(id).await? {
        return Err(ManageError::Conflict("The connection has users: delete them first".to_owned()));
    }
    tx.delete_connection(id).await?;
    Ok(tx.commit().await?)
}

/// The clients that a connection is enabled for, by id.
///
/// # Errors
/// [`ManageError::NotFound`].
pub async fn clients_of_connection(
    idp: &Idp,
    tenant: &TenantId,
    id: &ConnectionId,
    span: Span<'_>,
) -> Result<Listed, ManageError> {
    let known = idp.storage.begin_read(tenant).await?.connection(id).await?.ok_or_else(no_connection)?;
    let clients: BTreeSet<&str> = known.enabled_clients.iter().map(ClientId::as_str).collect();
    let rest = clients.into_iter().filter(|client| span.after.is_none_or(|after| *client > after));
    let page = span.of(rest.collect());
    let last_key = page.rows.last().map(|last| (*last).to_owned());
    Ok(Listed { last_key, ..page.map(|client| json!({ "client_id": client })) })
}

/// Enables a connection for clients, or not any more.
///
/// # Errors
/// [`ManageError::NotFound`] for the connection, or a client that it is to be enabled for.
pub async fn set_clients_of_connection(
    idp: &Idp,
    tenant: &TenantId,
    id: &ConnectionId,
    changes: &[(ClientId, bool)],
) -> Result<(), ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    let mut connection = tx.connection(id).await?.ok_or_else(no_connection)?;
    for (client, is_enabled) in changes {
        connection.enabled_clients.retain(|known| known != client);
        if *is_enabled {
            if tx.client(client).await?.is_none() {
                return Err(no_client());
            }
            connection.enabled_clients.push(client.clone());
        }
    }
    tx.put_connection(&connection).await?;
    Ok(tx.commit().await?)
}

/// Checks the connection and stores it.
async fn put(tx: &mut TenantTx, changed: &ManagedConnection) -> Result<(), ManageError> {
    let connection = &changed.connection;
    for client in &connection.enabled_clients {
        if tx.client(client).await?.is_none() {
            return Err(ManageError::invalid(format!("enabled_clients: there is no client {client}")));
        }
    }
    tx.put_connection(connection).await?;
    Ok(tx.put_connection_profile(&connection.id, &changed.profile).await?)
}

/// What a connection has in any case.
fn nothing() -> Object {
    Object::from_iter([("name".to_owned(), json!("x")), ("strategy".to_owned(), json!(DATABASE))])
}

fn patched(id: ConnectionId, mut object: Object, sent: &Object) -> Result<ManagedConnection, ManageError> {
    patch(&mut object, sent, &["metadata"]);
    if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
        metadata.retain(|_, value| !value.is_null());
    }
    let settings: ConnectionSettings = from_object(&object)?;
    let name = &settings.name;
    rule(
        settings.strategy == DATABASE,
        format!("strategy {}: this server has databases of users (auth0) and no other", settings.strategy),
    )?;
    rule(
        (1..=limits::SHORT_NAME_BYTES).contains(&name.len())
            && name
                .split('-')
                .all(|part| !part.is_empty() && part.bytes().all(|c| c.is_ascii_alphanumeric())),
        "name has 1 to 128 letters, digits and single hyphens",
    )?;
    rule(
        is_metadata(&settings.metadata, limits::CLIENT_METADATA_ENTRIES),
        "metadata has at most 10 entries of 255 characters",
    )?;
    let profile: ConnectionProfile = from_object(&object)?;
    rule(
        profile
            .display_name
            .as_ref()
            .is_none_or(|name| name.chars().count() <= limits::CONNECTION_DISPLAY_NAME_CHARS),
        "display_name has at most 128 characters",
    )?;
    options(profile.options.as_ref().unwrap_or(&Map::new()))?;
    let mut clients = Vec::new();
    for client in settings.enabled_clients {
        let client = ClientId::new(client);
        if !clients.contains(&client) {
            clients.push(client);
        }
    }
    let connection = Connection {
        id,
        name: settings.name,
        strategy: settings.strategy,
        metadata: settings.metadata,
        enabled_clients: clients,
    };
    let changed = ManagedConnection { connection, profile };
    only_known(sent, &whole(&changed)?)?;
    Ok(changed)
}

/// The names that a database's options have in the dialect.
pub const OPTIONS: [&str; 29] = [
    "attributes",
    "authentication_methods",
    "basic_profile",
    "brute_force_protection",
    "configuration",
    "customScripts",
    "custom_password_hash",
    "disable_self_service_change_password",
    "disable_signup",
    "enableScriptContext",
    "enabledDatabaseCustomization",
    "enable_script_context",
    "ext_profile",
    "import_mode",
    "mfa",
    "non_persistent_attrs",
    "passkey_options",
    "passwordPolicy",
    "password_complexity_options",
    "password_dictionary",
    "password_history",
    "password_no_personal_info",
    "password_options",
    "precedence",
    "realm_fallback",
    "requires_username",
    "strategy_version",
    "upstream_params",
    "validation",
];

/// The form of a database's options.
fn options(options: &Object) -> Result<(), ManageError> {
    if let Some(name) = options.keys().find(|name| !OPTIONS.contains(&name.as_str())) {
        return Err(invalid(&format!("Additional properties not allowed: {name}"), "options"));
    }
    rule(
        serde_json::to_string(options).is_ok_and(|text| text.len() <= MAX_OPTIONS_BYTES),
        "options have at most 100 kB",
    )?;
    rule(
        !(options.contains_key("attributes")
            && (options.contains_key("validation") || options.contains_key("requires_username"))),
        "options.attributes excludes options.validation and options.requires_username",
    )?;
    for name in ["enabledDatabaseCustomization", "import_mode", "brute_force_protection"] {
        if let Some(value) = options.get(name) {
            read::<Option<bool>>(&format!("options.{name}"), value)?;
        }
    }
    if let Some(scripts) = options.get("customScripts") {
        read::<Option<BTreeMap<String, String>>>("options.customScripts", scripts)?;
    }
    PasswordPolicy::of(options)?.check_options()
}

/// Whether users may log in with a password: `authentication_methods.password.enabled` of a database's options.
pub(crate) fn takes_passwords(profile: &ConnectionProfile) -> bool {
    let methods = profile.options.as_ref().and_then(|options| options.get("authentication_methods"));
    methods.and_then(|methods| methods.pointer("/password/enabled")) != Some(&json!(false))
}

fn whole(known: &ManagedConnection) -> Result<Object, ServerError> {
    let mut object = as_object(&known.connection)?;
    object.remove("id");
    merge(&mut object, as_object(&known.profile)?);
    Ok(object)
}

fn shown(known: &ManagedConnection) -> Result<Map<String, Value>, ServerError> {
    let mut object = Object::new();
    object.insert("id".to_owned(), json!(known.connection.id));
    object.insert("options".to_owned(), json!({}));
    object.insert("is_domain_connection".to_owned(), json!(false));
    object.insert("realms".to_owned(), json!([known.connection.name]));
    merge(&mut object, whole(known)?);
    Ok(object)
}

fn no_connection() -> ManageError {
    ManageError::NotFound {
        error_code: Some("inexistent_connection"),
        message: "The connection does not exist".to_owned(),
    }
}
