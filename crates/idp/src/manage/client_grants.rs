//! What clients may have for APIs, by themselves and for users, by objects of the Management API.

use model::{
    ClientGrant, ClientGrantProfile, ClientId, DefaultFor, ManagedClientGrant, SubjectType, TenantId,
    ordered_id,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use storage::TenantTx;
use utoipa::ToSchema;

use super::clients::no_client;
use super::object::{Object, as_object, from_object, invalid, merge, only_known, patch};
use super::validate::rule;
use super::{Listed, ManageError, Span};
use crate::management_api::{self, STORED_AUDIENCE, shown_audience, stored_audience};
use crate::{Idp, RequestContext, ServerError};

/// A client grant as it is sent: the rest is [`ClientGrantProfile`].
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ClientGrantSettings {
    /// Whose it is; absent with `default_for`. It does not change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    /// The API. It does not change.
    audience: String,
    #[serde(default)]
    scope: Vec<String>,
}

/// Which client grants. Without anything: all.
#[derive(Debug, Clone, Default)]
pub struct ClientGrantFilter {
    /// Of this client.
    pub client_id: Option<ClientId>,
    /// For this API.
    pub audience: Option<String>,
    /// For this kind of subject.
    pub subject_type: Option<SubjectType>,
    /// For any organization, or not.
    pub allow_any_organization: Option<bool>,
    /// The default for such clients.
    pub default_for: Option<DefaultFor>,
}

impl ClientGrantFilter {
    fn stored<'a>(&'a self, ctx: &RequestContext) -> storage::ClientGrantFilter<'a> {
        storage::ClientGrantFilter {
            client: self.client_id.as_ref(),
            audience: self.audience.as_deref().map(|audience| stored_audience(ctx, audience)),
            subject_type: self.subject_type,
            allow_any_organization: self.allow_any_organization,
            default_for: self.default_for,
        }
    }
}

/// Client grants in the order in which they were made.
///
/// # Errors
/// [`ServerError`].
pub async fn list_client_grants(
    idp: &Idp,
    ctx: &RequestContext,
    filter: &ClientGrantFilter,
    span: Span<'_>,
) -> Result<Listed, ServerError> {
    let stored = filter.stored(ctx);
    let mut tx = idp.storage.begin_read(&ctx.tenant.id).await?;
    let total = if span.counted { tx.count_client_grants(stored).await? } else { 0 };
    let grants = tx.client_grants(stored, span.after, span.offset, span.limit).await?;
    let rows = grants.iter().map(|grant| shown(ctx, grant).map(Value::Object));
    Ok(Listed {
        rows: rows.collect::<Result<_, _>>()?,
        total,
        last_key: grants.last().map(|last| last.id.clone()),
    })
}

/// The client grant of that id.
///
/// # Errors
/// [`ManageError::NotFound`].
pub async fn client_grant(
    idp: &Idp,
    ctx: &RequestContext,
    id: &str,
) -> Result<Map<String, Value>, ManageError> {
    let found = idp.storage.begin_read(&ctx.tenant.id).await?.client_grant_by_id(id).await?;
    Ok(shown(ctx, &found.ok_or_else(no_grant)?)?)
}

/// Lets a client, or with `default_for` all of third parties, have tokens for an API: of their own, or of users.
///
/// # Errors
/// [`ManageError::NotFound`] for the client or the API; [`ManageError::Conflict`] when it has a grant of that kind for
/// it;
/// [`ManageError::Invalid`] with the rule that is broken.
pub async fn create_client_grant(
    idp: &Idp,
    ctx: &RequestContext,
    sent: &Map<String, Value>,
) -> Result<Map<String, Value>, ManageError> {
    // A name that is unknown is told before one that is missing.
    patched(String::new(), nothing(), sent)?;
    let mut made = patched(new_id(idp), Object::new(), sent)?;
    made.grant.audience = stored_audience(ctx, &made.grant.audience).to_owned();
    let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
    tx.lock_settings().await?;
    let (client, audience) = (&made.grant.client_id, &made.grant.audience);
    if tx.client_grant(client.as_ref(), audience, made.subject_type()).await?.is_some() {
        let text = match client {
            Some(_) => "The client has a grant for this API already",
            None => "There is a default grant for this API already",
        };
        return Err(ManageError::Conflict(text.to_owned()));
    }
    put(&mut tx, &made).await?;
    tx.commit().await?;
    Ok(shown(ctx, &made)?)
}

/// Changes what a client may have for an API; the grant after it.
///
/// # Errors
/// [`ManageError::NotFound`]; [`ManageError::Invalid`] with the rule that is broken.
pub async fn update_client_grant(
    idp: &Idp,
    ctx: &RequestContext,
    id: &str,
    sent: &Map<String, Value>,
) -> Result<Map<String, Value>, ManageError> {
    let fixed = ["client_id", "audience", "default_for"];
    if let Some(name) = fixed.into_iter().find(|name| sent.contains_key(*name)) {
        return Err(invalid(&format!("Additional properties not allowed: {name}"), ""));
    }
    // What is malformed is so for whichever grant.
    patched(String::new(), nothing(), sent)?;
    let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
    tx.lock_settings().await?;
    let known = tx.client_grant_by_id(id).await?.ok_or_else(no_grant)?;
    let changed = patched(known.id.clone(), whole(&known)?, sent)?;
    rule(changed.subject_type() == known.subject_type(), "subject_type does not change")?;
    put(&mut tx, &changed).await?;
    tx.commit().await?;
    Ok(shown(ctx, &changed)?)
}

/// Takes from a client what it may have for an API. Tokens that it has end by expiry; those for the Management API at once.
///
/// # Errors
/// [`ManageError::NotFound`].
pub async fn delete_client_grant(idp: &Idp, ctx: &RequestContext, id: &str) -> Result<(), ManageError> {
    let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
    tx.lock_settings().await?;
    if !tx.delete_client_grant(id).await? {
        return Err(no_grant());
    }
    Ok(tx.commit().await?)
}

/// Stores what a client may have for an API by itself, in the place of what it had.
///
/// # Errors
/// [`ManageError::NotFound`] when client or API are unknown; [`ManageError::Invalid`] when the API has no such scope.
pub async fn put_client_grant(idp: &Idp, tenant: &TenantId, grant: &ClientGrant) -> Result<(), ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    tx.lock_settings().await?;
    let profile = ClientGrantProfile::default();
    put(&mut tx, &ManagedClientGrant { id: new_id(idp), grant: grant.clone(), profile }).await?;
    Ok(tx.commit().await?)
}

/// In the order of their creation.
fn new_id(idp: &Idp) -> String {
    format!("cgr_{}", ordered_id(&*idp.random, idp.now(), 12))
}

/// Checks the grant and stores it.
async fn put(tx: &mut TenantTx, changed: &ManagedClientGrant) -> Result<(), ManageError> {
    let grant = &changed.grant;
    rules(changed)?;
    if let Some(id) = &grant.client_id {
        let client = tx.client(id).await?.ok_or_else(no_client)?;
        rule(
            !client.is_strict() || grant.audience != STORED_AUDIENCE,
            "a third party's client in strict mode has no access to the Management API",
        )?;
    }
    let scopes: Vec<String> = match grant.audience == STORED_AUDIENCE {
        true => management_api::SCOPES.iter().map(|(scope, _)| (*scope).to_owned()).collect(),
        false => match tx.resource_server(&grant.audience).await? {
            Some(api) => api.scopes,
            None => {
                return Err(ManageError::NotFound {
                    error_code: Some("inexistent_resource_server"),
                    message: format!("The resource server {} does not exist", grant.audience),
                });
            }
        },
    };
    if let Some(unknown) = grant.scope.iter().find(|scope| !scopes.contains(scope)) {
        return Err(ManageError::invalid(format!("the API has no scope {unknown}")));
    }
    Ok(tx.put_client_grant(changed).await?)
}

/// What a grant has in any case.
fn nothing() -> Object {
    Object::from_iter([("audience".to_owned(), json!(""))])
}

fn patched(id: String, mut object: Object, sent: &Object) -> Result<ManagedClientGrant, ManageError> {
    patch(&mut object, sent, &[]);
    let settings: ClientGrantSettings = from_object(&object)?;
    let grant = ClientGrant {
        client_id: settings.client_id.map(ClientId::new),
        audience: settings.audience,
        scope: settings.scope,
    };
    let changed = ManagedClientGrant { id, grant, profile: from_object(&object)? };
    only_known(sent, &whole(&changed)?)?;
    Ok(changed)
}

fn rules(changed: &ManagedClientGrant) -> Result<(), ManageError> {
    let profile = &changed.profile;
    rule(
        changed.grant.client_id.is_some() != profile.default_for.is_some(),
        "a client grant has a client_id or default_for, and not both",
    )?;
    rule(
        profile.default_for.is_none() || changed.grant.audience != STORED_AUDIENCE,
        "third parties' clients have no default grant for the Management API",
    )?;
    let types = profile.authorization_details_types.iter().flatten();
    rule(
        types.into_iter().all(|name| (1..=255).contains(&name.chars().count())),
        "an entry of authorization_details_types has 1 to 255 characters",
    )
}

fn whole(grant: &ManagedClientGrant) -> Result<Object, ServerError> {
    let mut object = as_object(&grant.grant)?;
    merge(&mut object, as_object(&grant.profile)?);
    Ok(object)
}

pub(super) fn shown(
    ctx: &RequestContext,
    grant: &ManagedClientGrant,
) -> Result<Map<String, Value>, ServerError> {
    let mut object = Object::new();
    object.insert("id".to_owned(), json!(grant.id));
    object.insert("subject_type".to_owned(), json!(grant.subject_type()));
    merge(&mut object, whole(grant)?);
    object.insert("audience".to_owned(), json!(shown_audience(ctx, &grant.grant.audience)));
    Ok(object)
}

pub(super) fn no_grant() -> ManageError {
    ManageError::NotFound {
        error_code: Some("inexistent_client_grant"),
        message: "The client grant does not exist".to_owned(),
    }
}
