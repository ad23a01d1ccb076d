//! The tenant's APIs, as the Management API lists them. The first one is the Management API itself.

use model::ResourceServer;

use super::{ManageError, validate};
use crate::{Idp, RequestContext, ServerError, management_api};

/// Rows `offset` to `offset + limit` of the tenant's APIs, and how many there are.
///
/// # Errors
/// [`ServerError`].
pub async fn list_resource_servers(
    idp: &Idp,
    ctx: &RequestContext,
    offset: i64,
    limit: i64,
) -> Result<(Vec<ResourceServer>, i64), ServerError> {
    let mut tx = idp.storage.begin_read(&ctx.tenant.id).await?;
    let total = tx.count_resource_servers().await? + 1;
    let mut servers = Vec::new();
    if offset == 0 && limit > 0 {
        servers.push(management_api::resource_server(ctx));
    }
    let stored = limit - i64::try_from(servers.len()).unwrap_or(limit);
    servers.extend(tx.resource_servers((offset - 1).max(0), stored).await?);
    Ok((servers, total))
}

/// The API of this identifier.
///
/// # Errors
/// [`ManageError::NotFound`].
pub async fn resource_server(
    idp: &Idp,
    ctx: &RequestContext,
    identifier: &str,
) -> Result<ResourceServer, ManageError> {
    if management_api::stored_audience(ctx, identifier) == management_api::STORED_AUDIENCE {
        return Ok(management_api::resource_server(ctx));
    }
    let found = idp.storage.begin_read(&ctx.tenant.id).await?.resource_server(identifier).await?;
    found.ok_or_else(|| ManageError::NotFound {
        error_code: Some("inexistent_resource_server"),
        message: "The resource server does not exist".to_owned(),
    })
}

/// Stores a new API.
///
/// # Errors
/// [`ManageError::Invalid`] with the rule that it breaks; [`ManageError::Conflict`] when there is one of that identifier.
pub async fn create_resource_server(
    idp: &Idp,
    ctx: &RequestContext,
    api: &ResourceServer,
) -> Result<(), ManageError> {
    validate::resource_server(api)?;
    let exists =
        || ManageError::Conflict("A resource server with the same identifier already exists".to_owned());
    if management_api::stored_audience(ctx, &api.identifier) == management_api::STORED_AUDIENCE {
        return Err(exists());
    }
    let mut tx = idp.storage.begin(&ctx.tenant.id).await?;
    tx.lock_settings().await?;
    if tx.resource_server(&api.identifier).await?.is_some() {
        return Err(exists());
    }
    if tx.client(&model::ClientId::new(api.identifier.as_str())).await?.is_some() {
        return Err(ManageError::invalid("the identifier is a client_id"));
    }
    tx.put_resource_server(api).await?;
    Ok(tx.commit().await?)
}
