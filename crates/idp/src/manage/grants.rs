//! What users have granted clients, and on which devices. Where users are asked, a grant is their consent; else it is what
//! lives of the refresh tokens of one user, client and API. A device credential is one such token.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::{ClientId, OrganizationId, RefreshToken, RefreshTokenId, TenantId, UserId};
use serde::Serialize;
use serde_json::json;
use storage::{TokenFilter, UserGrant};
use utoipa::ToSchema;

use super::revoke::of_user;
use super::{Listed, ManageError, Span};
use crate::revocation::{Ended, Event};
use crate::tokens::userinfo_audience;
use crate::{Idp, RequestContext};

/// The grants that the filter names, by user and client.
///
/// # Errors
/// [`ManageError::Server`].
pub async fn list_grants(
    idp: &Idp,
    tenant: &TenantId,
    filter: TokenFilter<'_>,
    span: Span<'_>,
) -> Result<Listed<UserGrant>, ManageError> {
    let now = idp.now();
    let mut tx = idp.storage.begin_read(tenant).await?;
    let rows = tx.user_grants(filter, span.limit, span.offset, now).await?;
    let total = if span.counted { tx.count_user_grants(filter, now).await? } else { 0 };
    Ok(Listed { rows, total, last_key: None })
}

/// Ends all refresh tokens of a grant, online ones among them, and withdraws the consent
/// (`DELETE /api/v2/grants/{id}`): those of the user, the client and the API, in whoever's name.
///
/// # Errors
/// [`ManageError::NotFound`] for an id that is none, or of which nothing is left.
pub async fn delete_grant(idp: &Idp, tenant: &TenantId, id: &str) -> Result<Ended, ManageError> {
    let (user, client, audience) = named(id).ok_or_else(no_grant)?;
    let mut tx = idp.storage.begin(tenant).await?;
    let event = Event::GrantRevoked(&user, &client, audience.as_deref());
    let ended = of_user(&mut tx, event, &user, idp.now()).await?;
    if !ended.any() {
        return Err(no_grant());
    }
    tx.commit().await?;
    Ok(ended)
}

/// Ends all refresh tokens of a user, online ones among them, and withdraws all consents
/// (`DELETE /api/v2/grants?user_id=`). Their sessions go on.
///
/// # Errors
/// [`ManageError::Server`].
pub async fn delete_grants_of_user(
    idp: &Idp,
    tenant: &TenantId,
    user: &UserId,
) -> Result<Ended, ManageError> {
    let mut tx = idp.storage.begin(tenant).await?;
    let ended = of_user(&mut tx, Event::UserGrantsRevoked(user), user, idp.now()).await?;
    tx.commit().await?;
    Ok(ended)
}

/// The living refresh tokens that the filter names, online ones aside, by user and client
/// (`GET /api/v2/device-credentials`).
///
/// # Errors
/// [`ManageError::Server`].
pub async fn list_device_credentials(
    idp: &Idp,
    tenant: &TenantId,
    filter: TokenFilter<'_>,
    span: Span<'_>,
) -> Result<Listed<RefreshToken>, ManageError> {
    let now = idp.now();
    let mut tx = idp.storage.begin_read(tenant).await?;
    let rows = tx.offline_refresh_tokens(filter, span.limit, span.offset, now).await?;
    let total = if span.counted { tx.count_offline_refresh_tokens(filter, now).await? } else { 0 };
    Ok(Listed { rows, total, last_key: None })
}

/// A grant as the Management API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Grant)]
pub struct GrantView {
    /// The same as long as the grant lives.
    pub id: String,
    /// To whom; the odd name is the dialect's.
    #[serde(rename = "clientID")]
    pub client_id: ClientId,
    /// Whose.
    pub user_id: UserId,
    /// For which API. What is for none is for the issuer's `/userinfo`.
    pub audience: String,
    /// What the user agreed to, or, where nobody was asked, what any of its refresh tokens has.
    pub scope: Vec<String>,
    /// In the name of which organization.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub organization_id: Option<OrganizationId>,
}

impl GrantView {
    /// The grant as the issuer of this request shows it.
    #[must_use]
    pub fn new(grant: UserGrant, ctx: &RequestContext) -> Self {
        let parts = (&grant.user_id, &grant.client_id, &grant.audience);
        let parts = match &grant.organization_id {
            None => json!(parts),
            Some(organization) => json!((parts.0, parts.1, parts.2, organization)),
        };
        Self {
            // A text of JSON cannot fail to be written.
            id: URL_SAFE_NO_PAD.encode(parts.to_string()),
            client_id: grant.client_id,
            user_id: grant.user_id,
            audience: grant.audience.unwrap_or_else(|| userinfo_audience(ctx)),
            scope: grant.scope,
            organization_id: grant.organization_id,
        }
    }
}

/// A refresh token as the Management API shows it among the device credentials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = DeviceCredential)]
pub struct DeviceCredentialView {
    /// Of the refresh token.
    pub id: RefreshTokenId,
    /// Whether each exchange replaces its secret.
    #[serde(rename = "type")]
    pub kind: DeviceCredentialType,
    /// Whose it is.
    pub user_id: UserId,
    /// The client that it was issued to.
    pub client_id: ClientId,
    /// What was first used there: the `User-Agent`.
    pub device_name: String,
}

/// The kinds of refresh tokens among the device credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeviceCredentialType {
    /// Its secret stays.
    RefreshToken,
    /// Each exchange replaces its secret.
    RotatingRefreshToken,
}

impl From<RefreshToken> for DeviceCredentialView {
    fn from(token: RefreshToken) -> Self {
        Self {
            id: token.id,
            kind: match token.rotating {
                true => DeviceCredentialType::RotatingRefreshToken,
                false => DeviceCredentialType::RefreshToken,
            },
            user_id: token.user_id,
            client_id: token.client_id,
            device_name: token.device.initial_user_agent.unwrap_or_default(),
        }
    }
}

/// The API that an `audience` of a filter means; `None`: none but `/userinfo`.
#[must_use]
pub fn granted_audience<'a>(audience: &'a str, ctx: &RequestContext) -> Option<&'a str> {
    (audience != userinfo_audience(ctx)).then_some(audience)
}

/// Whose grant it is. The id says it itself, and stays the same as long as the grant lives.
fn named(id: &str) -> Option<(UserId, ClientId, Option<String>)> {
    let id = URL_SAFE_NO_PAD.decode(id).ok()?;
    if let Ok((user, client, audience, _)) =
        serde_json::from_slice::<(UserId, ClientId, Option<String>, OrganizationId)>(&id)
    {
        return Some((user, client, audience));
    }
    serde_json::from_slice(&id).ok()
}

fn no_grant() -> ManageError {
    ManageError::not_found("inexistent_grant", "The grant does not exist.")
}
