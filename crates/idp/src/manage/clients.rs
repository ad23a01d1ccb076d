//! Clients: making, changing, showing and removing them by objects of the Management API.

use model::{
    AppType, Client, ClientId, ClientProfile, Connection, ExpirationType, ManagedClient, OrganizationUsage,
    RefreshTokenSettings, RotationType, TenantId, ThirdPartySecurityMode, Timestamp, TokenEndpointAuthMethod,
    random_token,
};
use serde_json::{Map, Value, json};
use storage::{ClientFilter, TenantTx};

use super::client_authentication::{Authentication, MethodsInUse};
use super::management_client::alphanumerics;
use super::object::{Object, as_object, from_object, invalid, is_given, merge, only_known, pass_over, patch};
use super::validate::rule;
use super::{DEFAULT_CONNECTION, Listed, ManageError, Span, client_rules, validate};
use crate::revocation::{self, Event};
use crate::{Idp, ServerError, hash_credential};

/// The objects of a client that may be sent in part.
const PARTIAL: [&str; 5] =
    ["session_transfer", "refresh_token", "jwt_configuration", "oidc_logout", "client_metadata"];
/// What is in our structs and in nobody's hands.
const OURS: [&str; 4] = ["client_id", "client_secret_hashes", "credentials", "tls_credentials"];
/// What the dialect called `oidc_logout` before. Older tools know no other name.
const OLD_OIDC_LOGOUT: &str = "oidc_backchannel_logout";
/// As long as the dialect's.
const CLIENT_ID_LENGTH: usize = 32;
pub(super) const SECRET_LENGTH: usize = 64;

/// Clients in the order in which they were made.
///
/// # Errors
/// [`ManageError::Invalid`] for a place that is none.
pub async fn list_clients(
    idp: &Idp,
    tenant: &TenantId,
    filter: &ClientFilter,
    span: Span<'_>,
) -> Result<Listed, ManageError> {
    let after = span.after.map(super::place).transpose()?.map(|(moment, id)| (moment, ClientId::new(id)));
    let mut tx = idp.storage.begin_read(tenant).await?;
    let total = if span.counted { tx.count_clients(filter).await? } else { 0 };
    let clients = match &after {
        None => tx.managed_clients(filter, span.offset, span.limit).await?,
        Some((moment, id)) => tx.managed_clients_after(filter, (*moment, id), span.limit).await?,
    };
    let rows = clients.iter().map(|client| client_as_json(tenant, client).map(Value::Object));
    let last = clients.last();
    Ok(Listed {
        rows: rows.collect::<Result<_, _>>()?,
        total,
        last_key: last.map(|last| super::place_of(last.created_at, last.client.client_id.as_str())),
    })
}

/// The client of that id, as [`client_as_json`] shows it.
///
/// # Errors
/// [`ManageError::NotFound`].
pub async fn get_client(
    idp: &Idp,
    tenant: &TenantId,
    id: &ClientId,
) -> Result<Map<String, Value>, ManageError> {
    let found = idp.storage.begin_read(tenant).await?.managed_client(id).await?;
    Ok(client_as_json(tenant, &found.ok_or_else(no_client)?)?)
}

/// Makes a client. What comes back has its `client_secret`, if it has one: it is shown this once, and stored as a hash.
///
/// # Errors
/// [`ManageError::Invalid`] with the rule that is broken.
pub async fn create_client(
    idp: &Idp,
    tenant: &TenantId,
    sent: &Map<String, Value>,
) -> Result<Map<String, Value>, ManageError> {
    let now = idp.now();
    let app_type = match sent.get("app_type") {
        None | Some(Value::Null) => AppType::Unspecified,
        Some(given) => super::object::read("app_type", given)?,
    };
    let mut known = nobody(app_type, now);
    known.client.client_id = ClientId::new(alphanumerics(&*idp.random, CLIENT_ID_LENGTH));
    let (made, secret) = changed(idp, &known, sent, true)?;
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    put(idp, tenant, &mut tx, &made).await?;
    let flags = tx.tenant().await?.and_then(|(_, profile)| profile.flags).unwrap_or_default();
    if flags.enable_client_connections.unwrap_or(true) {
        enable(&mut tx, tenant, &made.client.client_id).await?;
    }
    tx.commit().await?;
    shown(tenant, &made, secret)
}

/// Changes a client; the client after it. It has a `client_secret` when the change made one.
///
/// # Errors
/// [`ManageError::NotFound`]; [`ManageError::Invalid`] for an unknown name, a wrong type, or a rule that is broken.
pub async fn update_client(
    idp: &Idp,
    tenant: &TenantId,
    id: &ClientId,
    sent: &Map<String, Value>,
) -> Result<Map<String, Value>, ManageError> {
    // What is malformed is so for whichever client.
    patched(&nobody(AppType::Unspecified, idp.now()), sent, false)?;
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    let known = tx.managed_client(id).await?.ok_or_else(no_client)?;
    let (changed, secret) = changed(idp, &known, sent, false)?;
    put(idp, tenant, &mut tx, &changed).await?;
    tx.commit().await?;
    shown(tenant, &changed, secret)
}

/// Gives the client a new secret; the old ones are no good from now on. The client with its `client_secret`.
///
/// # Errors
/// [`ManageError::NotFound`]; [`ManageError::Invalid`] for a client that does not authenticate with a secret.
pub async fn rotate_client_secret(
    idp: &Idp,
    tenant: &TenantId,
    id: &ClientId,
) -> Result<Map<String, Value>, ManageError> {
    let secret = random_token(&*idp.random, SECRET_LENGTH);
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    let mut client = tx.managed_client(id).await?.ok_or_else(no_client)?;
    if client.client.client_secret_hashes.is_empty() {
        return Err(ManageError::invalid("The client does not authenticate with a secret"));
    }
    client.client.client_secret_hashes = vec![hash_credential(&secret)];
    client.updated_at = idp.now();
    put(idp, tenant, &mut tx, &client).await?;
    tx.commit().await?;
    shown(tenant, &client, Some(secret))
}

/// Removes the client: its refresh tokens end, with what was made from them, and what it may have for APIs.
///
/// # Errors
/// [`ManageError::NotFound`].
pub async fn delete_client(idp: &Idp, tenant: &TenantId, id: &ClientId) -> Result<(), ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    revocation::apply(&mut tx, Event::ClientDeleted(id), idp.now()).await?;
    if !tx.delete_client(id).await? {
        return Err(no_client());
    }
    for mut connection in tx.connections().await? {
        if connection.enabled_clients.contains(id) {
            connection.enabled_clients.retain(|known| known != id);
            tx.put_connection(&connection).await?;
        }
    }
    Ok(tx.commit().await?)
}

/// Stores a client and enables it on the default connection.
///
/// # Errors
/// [`ManageError::Invalid`] with the rule that it breaks.
pub async fn put_client(idp: &Idp, tenant: &TenantId, client: &Client) -> Result<(), ManageError> {
    let now = idp.now();
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    let known = tx.managed_client(&client.client_id).await?;
    let (profile, created_at) =
        known.map_or((ClientProfile::default(), now), |known| (known.profile, known.created_at));
    let client = client.clone();
    let id = client.client_id.clone();
    put(idp, tenant, &mut tx, &ManagedClient { client, profile, created_at, updated_at: now }).await?;
    enable(&mut tx, tenant, &id).await?;
    Ok(tx.commit().await?)
}

/// Checks the client and stores it.
pub(super) async fn put(
    idp: &Idp,
    tenant: &TenantId,
    tx: &mut TenantTx,
    changed: &ManagedClient,
) -> Result<(), ManageError> {
    let client = &changed.client;
    validate::client(client, idp.network.has_asn())?;
    client_rules::check(client, &changed.profile)?;
    if tx.resource_server(client.client_id.as_str()).await?.is_some() {
        return Err(ManageError::invalid("client_id is the identifier of an API"));
    }
    if let Some(api) = &client.resource_server_identifier
        && tx.resource_server(api).await?.is_none()
    {
        return Err(ManageError::invalid(format!("unknown API: {api}")));
    }
    tracing::debug!(%tenant, client = %client.client_id, "client stored");
    tx.put_client(client).await?;
    Ok(tx.put_client_profile(&client.client_id, &changed.profile, changed.updated_at).await?)
}

/// Enables the client on the default connection, where there is one.
async fn enable(tx: &mut TenantTx, tenant: &TenantId, id: &ClientId) -> Result<(), ManageError> {
    let connection: Option<Connection> = tx.connection_by_name(DEFAULT_CONNECTION).await?;
    let Some(mut connection) = connection else {
        tracing::info!(%tenant, client = %id, "the client has no connection: there is no default one");
        return Ok(());
    };
    if !connection.enabled_clients.contains(id) {
        connection.enabled_clients.push(id.clone());
        tx.put_connection(&connection).await?;
    }
    Ok(())
}

fn shown(
    tenant: &TenantId,
    client: &ManagedClient,
    secret: Option<String>,
) -> Result<Map<String, Value>, ManageError> {
    let mut object = client_as_json(tenant, client)?;
    if let Some(secret) = secret {
        object.insert("client_secret".to_owned(), json!(secret));
    }
    Ok(object)
}

/// The client as the Management API shows it: without its secrets.
///
/// # Errors
/// [`ServerError`] when it cannot be written as JSON.
pub fn client_as_json(tenant: &TenantId, managed: &ManagedClient) -> Result<Map<String, Value>, ServerError> {
    let client = &managed.client;
    let mut object = Map::new();
    for (name, default) in
        [("oidc_conformant", false), ("cross_origin_authentication", false), ("custom_login_page_on", true)]
    {
        object.insert(name.to_owned(), json!(default));
    }
    object.insert("jwt_configuration".to_owned(), json!({ "secret_encoded": false }));
    merge(&mut object, whole(managed)?);
    for name in OURS.iter().filter(|name| **name != "client_id") {
        object.remove(*name);
    }
    if client.app_type == AppType::Unspecified {
        object.remove("app_type");
    }
    if client.metadata.is_empty() {
        object.remove("client_metadata");
    }
    // As in the dialect, where nobody has set it: to Terraform's provider all else is a change to undo.
    if client.organization_usage == OrganizationUsage::default() {
        object.remove("organization_usage");
    }
    let urls = client.oidc_logout.as_ref().map(|settings| &settings.backchannel_logout_urls);
    if let Some(urls) = urls.filter(|urls| !urls.is_empty()) {
        object.insert(OLD_OIDC_LOGOUT.to_owned(), json!({ "backchannel_logout_urls": urls }));
    }
    if client.refresh_token.policies.is_empty()
        && let Some(Value::Object(settings)) = object.get_mut("refresh_token")
    {
        settings.remove("policies");
    }
    if let Some(methods) = MethodsInUse::of(managed) {
        object.remove("token_endpoint_auth_method");
        object.insert("client_authentication_methods".to_owned(), json!(methods));
    }
    object.insert("tenant".to_owned(), json!(tenant));
    object.insert("global".to_owned(), json!(false));
    object.insert("created_at".to_owned(), json!(managed.created_at.to_iso()));
    object.insert("updated_at".to_owned(), json!(managed.updated_at.to_iso()));
    Ok(object)
}

/// All that is stored of a client, as one object.
fn whole(managed: &ManagedClient) -> Result<Object, ServerError> {
    let mut object = as_object(&managed.client)?;
    merge(&mut object, as_object(&managed.profile)?);
    Ok(object)
}

/// What a client is of which nothing is said.
fn new_client(client_id: ClientId, app_type: AppType) -> Client {
    let method = default_method(app_type);
    let mut grants = vec!["authorization_code", "implicit", "refresh_token"];
    if method != TokenEndpointAuthMethod::None {
        grants.push("client_credentials");
    }
    Client {
        grant_types: grants.into_iter().map(str::to_owned).collect(),
        refresh_token: default_refresh_token(app_type),
        ..Client::new(client_id, "", app_type, method)
    }
}

/// The same, with no id yet.
fn nobody(app_type: AppType, now: Timestamp) -> ManagedClient {
    ManagedClient {
        client: new_client(ClientId::new(""), app_type),
        profile: ClientProfile::default(),
        created_at: now,
        updated_at: now,
    }
}

/// How a client of this kind authenticates when nobody says how.
fn default_method(app_type: AppType) -> TokenEndpointAuthMethod {
    match app_type {
        AppType::Native | AppType::Spa => TokenEndpointAuthMethod::None,
        AppType::RegularWeb | AppType::NonInteractive | AppType::ResourceServer | AppType::Unspecified => {
            TokenEndpointAuthMethod::ClientSecretPost
        }
    }
}

/// As tools see them on a client that was made with a name alone. Those of a single-page application must expire, so they
/// are the ones of a careful client.
fn default_refresh_token(app_type: AppType) -> RefreshTokenSettings {
    let careful = RefreshTokenSettings::default();
    if app_type == AppType::Spa {
        return careful;
    }
    RefreshTokenSettings {
        rotation_type: RotationType::NonRotating,
        expiration_type: ExpirationType::NonExpiring,
        infinite_token_lifetime: true,
        infinite_idle_token_lifetime: true,
        ..careful
    }
}

/// The client after the change, and the secret that it made.
fn changed(
    idp: &Idp,
    known: &ManagedClient,
    sent: &Object,
    is_new: bool,
) -> Result<(ManagedClient, Option<String>), ManageError> {
    let random = |length| random_token(&*idp.random, length);
    let (mut changed, authentication) = patched(known, sent, is_new)?;
    changed.updated_at = idp.now();
    let secret = authentication.apply(&mut changed, default_method, random, idp.now())?;
    Ok((changed, secret))
}

/// The client with what was sent, but for how it authenticates.
fn patched(
    known: &ManagedClient,
    sent: &Object,
    is_new: bool,
) -> Result<(ManagedClient, Authentication), ManageError> {
    let mut sent = sent.clone();
    // Tools send back what they have read.
    pass_over(&mut sent, &["created_at", "updated_at", "signing_keys"]);
    if let Some(old) = sent.remove(OLD_OIDC_LOGOUT) {
        sent.entry("oidc_logout").or_insert(old);
    }
    let authentication = Authentication::take(&mut sent)?;
    let mut ours = OURS.iter().copied().chain((!is_new).then_some("resource_server_identifier"));
    if let Some(name) = ours.find(|name| sent.contains_key(*name)) {
        return Err(invalid(&format!("Additional properties not allowed: {name}"), ""));
    }
    if sent.get("app_type") == Some(&json!(AppType::Unspecified.as_str())) {
        return Err(invalid("unknown variant `unspecified`", "app_type"));
    }
    let mut object = whole(known)?;
    let metadata = sent.get_mut("client_metadata").and_then(Value::as_object_mut);
    let removed: Vec<String> = metadata.map(nulls).unwrap_or_default();
    patch(&mut object, &sent, &PARTIAL);
    if let Some(Value::Object(metadata)) = object.get_mut("client_metadata") {
        removed.iter().for_each(|name| drop(metadata.remove(name)));
    }
    let app_type = match object.get("app_type") {
        None => AppType::Unspecified,
        Some(given) => super::object::read("app_type", given)?,
    };
    defaults(&mut object, app_type)?;
    if is_given(&sent, "refresh_token")
        && let (Some(part), Some(Value::Object(settings))) =
            (sent.get("refresh_token"), object.get_mut("refresh_token"))
    {
        if known.client.refresh_token.expiration_type == ExpirationType::NonExpiring {
            end_what_was_endless(settings, part);
        }
        fit_idle_lifetime(settings, part);
    }
    let mut changed = ManagedClient {
        client: from_object(&object)?,
        profile: from_object(&object)?,
        created_at: known.created_at,
        updated_at: known.updated_at,
    };
    let mut became = whole(&changed)?;
    // A client without origins does not have the members; lists of nothing are sent all the same.
    for name in ["allowed_origins", "web_origins"] {
        became.entry(name).or_insert_with(|| json!([]));
    }
    only_known(&sent, &became)?;
    third_party(&known.client, &mut changed.client, &sent, is_new)?;
    Ok((changed, authentication))
}

/// A client that becomes a third party's has a mode from then on, `strict` unless it was sent another. A new strict one has
/// the defaults of such.
fn third_party(known: &Client, changed: &mut Client, sent: &Object, is_new: bool) -> Result<(), ManageError> {
    if changed.is_first_party {
        return Ok(());
    }
    changed.third_party_security_mode.get_or_insert(ThirdPartySecurityMode::Strict);
    rule(
        known.is_first_party || known.is_strict() == changed.is_strict(),
        "third_party_security_mode does not change",
    )?;
    if is_new && changed.is_strict() {
        if !is_given(sent, "grant_types") {
            changed.grant_types.retain(|grant| Client::STRICT_GRANT_TYPES.contains(&grant.as_str()));
        }
        if !is_given(sent, "refresh_token") {
            changed.refresh_token = RefreshTokenSettings::default();
        }
    }
    Ok(())
}

/// Takes out the names whose value is `null`.
fn nulls(object: &mut Object) -> Vec<String> {
    let names: Vec<String> =
        object.iter().filter(|(_, value)| value.is_null()).map(|(name, _)| name.clone()).collect();
    names.iter().for_each(|name| drop(object.remove(name)));
    names
}

/// Puts back what was set to `null` and has a default that depends on the kind of client.
fn defaults(object: &mut Object, app_type: AppType) -> Result<(), ServerError> {
    let default = as_object(&new_client(ClientId::new(""), app_type))?;
    for name in ["app_type", "grant_types", "refresh_token", "token_endpoint_auth_method"] {
        if let (false, Some(value)) = (object.contains_key(name), default.get(name)) {
            object.insert(name.to_owned(), value.clone());
        }
    }
    Ok(())
}

/// Whoever lets refresh tokens expire that did not means their lifetimes to count: nothing is endless that was not sent so.
fn end_what_was_endless(settings: &mut Object, part: &Value) {
    if settings.get("expiration_type") == Some(&json!(ExpirationType::Expiring)) {
        for name in ["infinite_token_lifetime", "infinite_idle_token_lifetime"] {
            if part.get(name).is_none() {
                settings.insert(name.to_owned(), json!(false));
            }
        }
    }
}

/// An idle lifetime that was not sent follows a shorter absolute one.
fn fit_idle_lifetime(settings: &mut Object, part: &Value) {
    if part.get("idle_token_lifetime").is_none()
        && let Some(absolute) = settings.get("token_lifetime").and_then(Value::as_i64)
        && settings.get("idle_token_lifetime").and_then(Value::as_i64).is_none_or(|idle| idle > absolute)
        && settings.get("infinite_token_lifetime") != Some(&json!(true))
    {
        let default = RefreshTokenSettings::default().idle_token_lifetime;
        settings.insert("idle_token_lifetime".to_owned(), json!(default.min(absolute)));
    }
}

pub(super) fn no_client() -> ManageError {
    ManageError::NotFound {
        error_code: Some("inexistent_client"),
        message: "The client does not exist".to_owned(),
    }
}

#[cfg(test)]
mod tests;
