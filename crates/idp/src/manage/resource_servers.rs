//! The tenant's APIs, by objects of the Management API. The first one is the Management API itself.

use std::collections::BTreeMap;

use model::{ManagedResourceServer, ResourceServer, ResourceServerProfile};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use storage::TenantTx;
use utoipa::ToSchema;

use super::object::{Object, as_object, from_object, invalid, merge, only_known, pass_over, patch};
use super::validate::rule;
use super::{Listed, ManageError, Span, hex, limits, validate};
use crate::management_api::{STORED_AUDIENCE, stored_audience};
use crate::{Idp, RequestContext, ServerError, management_api};

/// What a token for a browser lives at most in the dialect, when nobody says.
const WEB_LIFETIME_SECS: i64 = 7_200;
const MAX_NAME_CHARS: usize = 200;

/// An API as it is sent, but for what has no effect.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ResourceServerSettings {
    /// The audience of its tokens. It does not change.
    identifier: String,
    /// What pages call it.
    name: String,
    #[serde(default)]
    scopes: Vec<Scope>,
    #[serde(default)]
    allow_offline_access: bool,
    #[serde(default)]
    allow_online_access: bool,
    #[serde(default)]
    allow_online_access_with_ephemeral_sessions: bool,
    /// Seconds.
    #[serde(default = "default_lifetime")]
    token_lifetime: i64,
    #[serde(default)]
    token_dialect: model::TokenDialect,
    /// How its access tokens are signed. `HS256` has no effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signing_alg: Option<model::SigningAlgorithm>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    proof_of_possession: Option<model::ProofOfPossession>,
    /// Whether a user's access token has only the scopes that the user has the permission for.
    #[serde(default)]
    enforce_policies: bool,
    #[serde(default)]
    subject_type_authorization: model::SubjectTypeAuthorization,
    /// Whether first-party clients have their users' access tokens for it without asking them.
    #[serde(default = "skips_consent")]
    skip_consent_for_verifiable_first_party_clients: bool,
    /// No access tokens are given for an API that has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token_encryption: Option<model::TokenEncryption>,
    /// No access tokens are given for an API that has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    consent_policy: Option<model::ConsentPolicy>,
    /// No access tokens are given for an API that has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    authorization_policy: Option<Map<String, Value>>,
}

/// What is sent for an API and not stored.
#[derive(Debug, Deserialize, ToSchema)]
pub struct UnstoredResourceServerSettings {
    /// At least 16 characters. Nothing is signed with it here.
    signing_secret: Option<String>,
}

/// A scope of an API.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Scope {
    value: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

fn skips_consent() -> bool {
    true
}

fn default_lifetime() -> i64 {
    management_api::TOKEN_LIFETIME_SECS
}

/// The tenant's APIs, the Management API first, counted.
///
/// # Errors
/// [`ServerError`].
pub async fn list_resource_servers(
    idp: &Idp,
    ctx: &RequestContext,
    Span { offset, limit, .. }: Span<'_>,
) -> Result<Listed<Map<String, Value>>, ServerError> {
    let mut tx = idp.storage.begin_read(&ctx.tenant.id).await?;
    let total = tx.count_resource_servers().await? + 1;
    let mut rows = Vec::new();
    if offset == 0 && limit > 0 {
        rows.push(system(ctx)?);
    }
    let stored = limit - i64::try_from(rows.len()).unwrap_or(limit);
    for server in tx.managed_resource_servers((offset - 1).max(0), stored).await? {
        rows.push(as_shown(&server)?);
    }
    Ok(Listed { rows, total, last_key: None })
}

/// The API of this id or identifier.
///
/// # Errors
/// [`ManageError::NotFound`].
pub async fn resource_server(
    idp: &Idp,
    ctx: &RequestContext,
    id: &str,
) -> Result<Map<String, Value>, ManageError> {
    if is_system(ctx, id) {
        return Ok(system(ctx)?);
    }
    let found = idp.storage.begin_read(&ctx.tenant.id).await?.managed_resource_server(id).await?;
    Ok(as_shown(&found.ok_or_else(no_api)?)?)
}

/// Stores a new API.
///
/// # Errors
/// [`ManageError::Invalid`] with the rule that it breaks; [`ManageError::Conflict`] when there is one of that identifier.
pub async fn create_resource_server(
    idp: &Idp,
    ctx: &RequestContext,
    sent: &Map<String, Value>,
) -> Result<Map<String, Value>, ManageError> {
    // A name that is unknown is told before one that is missing.
    patched("", nothing(), sent)?;
    let mut object = Object::new();
    if let Some(identifier) = sent.get("identifier") {
        object.insert("name".to_owned(), identifier.clone());
    }
    let mut id = [0; 12];
    idp.random.fill(&mut id);
    let made = patched(&hex(&id), object, sent)?;
    let identifier = &made.server.identifier;
    let exists =
        || ManageError::Conflict("A resource server with the same identifier already exists".to_owned());
    if is_system(ctx, identifier) {
        return Err(exists());
    }
    let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
    tx.lock_settings().await?;
    if tx.resource_server(identifier).await?.is_some() {
        return Err(exists());
    }
    put(&mut tx, &made).await?;
    tx.commit().await?;
    Ok(as_shown(&made)?)
}

/// Changes an API; the API after it.
///
/// # Errors
/// [`ManageError::NotFound`]; [`ManageError::Invalid`] with the rule that is broken; [`ManageError::Forbidden`] for the
/// Management API.
pub async fn update_resource_server(
    idp: &Idp,
    ctx: &RequestContext,
    id: &str,
    sent: &Map<String, Value>,
) -> Result<Map<String, Value>, ManageError> {
    if sent.contains_key("identifier") {
        return Err(invalid("Additional properties not allowed: identifier", ""));
    }
    // What is malformed is so for whichever API.
    patched("", nothing(), sent)?;
    not_the_system(ctx, id)?;
    let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
    tx.lock_settings().await?;
    let known = tx.managed_resource_server(id).await?.ok_or_else(no_api)?;
    let changed = patched(&known.id, whole(&known)?, sent)?;
    put(&mut tx, &changed).await?;
    tx.commit().await?;
    Ok(as_shown(&changed)?)
}

/// Removes an API with the client grants and permissions for it.
///
/// # Errors
/// [`ManageError::NotFound`]; [`ManageError::Conflict`] for one that the tenant or a client needs;
/// [`ManageError::Forbidden`] for the Management API.
pub async fn delete_resource_server(idp: &Idp, ctx: &RequestContext, id: &str) -> Result<(), ManageError> {
    not_the_system(ctx, id)?;
    let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
    tx.lock_settings().await?;
    let known = tx.managed_resource_server(id).await?.ok_or_else(no_api)?;
    let identifier = &known.server.identifier;
    if tx.has_introspecting_client(identifier).await? {
        let text = "A client is the back end of this API (resource_server_identifier): delete it first";
        return Err(ManageError::Conflict(text.to_owned()));
    }
    let tenant = tx.tenant().await?.map(|(tenant, _)| tenant);
    if tenant.and_then(|tenant| tenant.default_audience).as_ref() == Some(identifier) {
        return Err(ManageError::Conflict("The API is the tenant's default_audience".to_owned()));
    }
    tx.keep_permissions(identifier, &[]).await?;
    tx.delete_resource_server(identifier).await?;
    Ok(tx.commit().await?)
}

/// Stores an API.
///
/// # Errors
/// [`ManageError::Invalid`] with the rule that it breaks.
pub async fn put_resource_server(
    idp: &Idp,
    tenant: &model::TenantId,
    api: &ResourceServer,
) -> Result<(), ManageError> {
    let mut id = [0; 12];
    idp.random.fill(&mut id);
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    let known = tx.managed_resource_server(&api.identifier).await?;
    let profile = known.map(|known| known.profile).unwrap_or_default();
    put(&mut tx, &ManagedResourceServer { id: hex(&id), server: api.clone(), profile }).await?;
    Ok(tx.commit().await?)
}

/// Checks the API and stores it.
async fn put(tx: &mut TenantTx, api: &ManagedResourceServer) -> Result<(), ManageError> {
    let server = &api.server;
    validate::resource_server(server)?;
    rules(&api.profile)?;
    // An access token for the API would look like an ID token for the client.
    if tx.client(&model::ClientId::new(server.identifier.as_str())).await?.is_some() {
        return Err(ManageError::invalid("the identifier is a client_id"));
    }
    tx.put_resource_server(server).await?;
    // Nobody keeps a permission for what is not there any more.
    tx.keep_permissions(&server.identifier, &server.scopes).await?;
    Ok(tx.put_resource_server_profile(&server.identifier, &api.id, &api.profile).await?)
}

/// What an API has in any case.
fn nothing() -> Object {
    Object::from_iter([("identifier".to_owned(), json!("x")), ("name".to_owned(), json!("x"))])
}

fn patched(id: &str, mut object: Object, sent: &Object) -> Result<ManagedResourceServer, ManageError> {
    let mut sent = sent.clone();
    // Tools send back what they have read.
    if sent.get("is_system") == Some(&json!(false)) {
        pass_over(&mut sent, &["is_system"]);
    }
    signing_secret(&mut sent)?;
    // A part that is not sent stays: a policy that denies is not lost by setting the other one.
    patch(&mut object, &sent, &["subject_type_authorization"]);
    let settings: ResourceServerSettings = from_object(&object)?;
    // Without a name of its own, its identifier is the name, which may be longer.
    rule(
        settings.name == settings.identifier || settings.name.chars().count() <= MAX_NAME_CHARS,
        "name has at most 200 characters",
    )?;
    rule(!settings.name.contains(['<', '>']), "name may not have < or >")?;
    rule(settings.scopes.len() <= limits::SCOPES, "an API has at most 1000 scopes")?;
    let mut descriptions = BTreeMap::new();
    let mut scopes = Vec::new();
    for scope in &settings.scopes {
        rule(!scopes.contains(&scope.value), format!("scope {} is there twice", scope.value))?;
        scopes.push(scope.value.clone());
        if let Some(text) = &scope.description {
            rule(
                text.chars().count() <= limits::SCOPE_DESCRIPTION_CHARS,
                "a scope's description has at most 500 characters",
            )?;
            descriptions.insert(scope.value.clone(), text.clone());
        }
    }
    let mut profile: ResourceServerProfile = from_object(&object)?;
    profile.scope_descriptions = (!descriptions.is_empty()).then_some(descriptions);
    let changed = ManagedResourceServer {
        id: id.to_owned(),
        server: ResourceServer {
            identifier: settings.identifier,
            name: settings.name,
            scopes,
            allow_offline_access: settings.allow_offline_access,
            allow_online_access: settings.allow_online_access,
            allow_online_access_with_ephemeral_sessions: settings.allow_online_access_with_ephemeral_sessions,
            token_lifetime_secs: settings.token_lifetime,
            token_dialect: settings.token_dialect,
            signing_alg: settings.signing_alg,
            proof_of_possession: settings.proof_of_possession,
            enforce_policies: settings.enforce_policies,
            subject_type_authorization: settings.subject_type_authorization,
            token_encryption: settings.token_encryption,
            consent_policy: settings.consent_policy,
            authorization_policy: settings.authorization_policy,
            skip_consent_for_verifiable_first_party_clients: settings
                .skip_consent_for_verifiable_first_party_clients,
        },
        profile,
    };
    only_known(&sent, &whole(&changed)?)?;
    Ok(changed)
}

/// Checks the secret of an API, and leaves it out.
fn signing_secret(sent: &mut Object) -> Result<(), ManageError> {
    let UnstoredResourceServerSettings { signing_secret } = from_object(sent)?;
    sent.remove("signing_secret");
    rule(
        signing_secret.is_none_or(|secret| secret.len() >= limits::SIGNING_SECRET_BYTES),
        "signing_secret has at least 16 characters",
    )
}

fn rules(profile: &ResourceServerProfile) -> Result<(), ManageError> {
    let types = profile.authorization_details.iter().flatten();
    rule(
        types
            .into_iter()
            .all(|of| of.r#type.as_ref().is_none_or(|name| (1..=255).contains(&name.chars().count()))),
        "a type of authorization_details has 1 to 255 characters",
    )?;
    rule(
        profile.token_lifetime_for_web.is_none_or(|secs| (0..=2_592_000).contains(&secs)),
        "token_lifetime_for_web must be 0 to 2592000 seconds",
    )
}

/// All that is stored of an API, in the form in which it is sent.
fn whole(api: &ManagedResourceServer) -> Result<Object, ServerError> {
    let server = &api.server;
    let describe =
        |scope: &String| api.profile.scope_descriptions.as_ref().and_then(|texts| texts.get(scope)).cloned();
    let scopes = server.scopes.iter();
    let settings = ResourceServerSettings {
        identifier: server.identifier.clone(),
        name: server.name.clone(),
        scopes: scopes.map(|value| Scope { value: value.clone(), description: describe(value) }).collect(),
        allow_offline_access: server.allow_offline_access,
        allow_online_access: server.allow_online_access,
        allow_online_access_with_ephemeral_sessions: server.allow_online_access_with_ephemeral_sessions,
        token_lifetime: server.token_lifetime_secs,
        token_dialect: server.token_dialect,
        signing_alg: server.signing_alg,
        proof_of_possession: server.proof_of_possession.clone(),
        enforce_policies: server.enforce_policies,
        subject_type_authorization: server.subject_type_authorization,
        token_encryption: server.token_encryption.clone(),
        consent_policy: server.consent_policy,
        authorization_policy: server.authorization_policy.clone(),
        skip_consent_for_verifiable_first_party_clients: server
            .skip_consent_for_verifiable_first_party_clients,
    };
    let mut object = as_object(&settings)?;
    merge(&mut object, as_object(&api.profile)?);
    object.remove("scope_descriptions");
    Ok(object)
}

/// The API as it is shown.
fn as_shown(api: &ManagedResourceServer) -> Result<Map<String, Value>, ServerError> {
    let web = WEB_LIFETIME_SECS.min(api.server.token_lifetime_secs);
    let mut object = Object::new();
    for (name, value) in [
        ("id", json!(api.id)),
        ("is_system", json!(false)),
        ("signing_alg", json!("RS256")),
        ("token_lifetime_for_web", json!(web)),
    ] {
        object.insert(name.to_owned(), value);
    }
    merge(&mut object, whole(api)?);
    // As in the dialect, where nobody has set it: to Terraform's provider all else is a change to undo.
    if api.server.token_dialect == model::TokenDialect::default() {
        object.remove("token_dialect");
    }
    Ok(object)
}

/// The Management API, as the caller's host shows it.
fn system(ctx: &RequestContext) -> Result<Map<String, Value>, ServerError> {
    let server = management_api::resource_server(ctx);
    let id = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, ctx.tenant.id.as_str().as_bytes());
    let texts = management_api::SCOPES.iter().map(|(scope, text)| ((*scope).to_owned(), (*text).to_owned()));
    let profile = ResourceServerProfile {
        scope_descriptions: Some(texts.collect()),
        ..ResourceServerProfile::default()
    };
    let mut object = as_shown(&ManagedResourceServer { id: system_id(id.as_ref()), server, profile })?;
    object.insert("is_system".to_owned(), json!(true));
    Ok(object)
}

fn system_id(digest: &[u8]) -> String {
    hex(digest).chars().take(24).collect()
}

/// Whether that is the Management API, by its id or by its audience at any host of the tenant.
fn is_system(ctx: &RequestContext, id: &str) -> bool {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, ctx.tenant.id.as_str().as_bytes());
    stored_audience(ctx, id) == STORED_AUDIENCE || id == system_id(digest.as_ref())
}

fn not_the_system(ctx: &RequestContext, id: &str) -> Result<(), ManageError> {
    if is_system(ctx, id) {
        return Err(ManageError::Forbidden {
            error_code: "operation_not_supported",
            message: "The Management API itself cannot be changed or deleted".to_owned(),
        });
    }
    Ok(())
}

fn no_api() -> ManageError {
    ManageError::NotFound {
        error_code: Some("inexistent_resource_server"),
        message: "The resource server does not exist".to_owned(),
    }
}
