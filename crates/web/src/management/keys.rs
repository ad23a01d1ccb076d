//! `/keys/signing`: the keys that sign the tenant's tokens.

use axum::Json;
use axum::http::StatusCode;
use idp::manage::{self, CertifiedKey, SigningKeyView};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{ApiCaller, ApiError, ApiPath};
use crate::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get))
        .routes(routes!(rotate))
        .routes(routes!(revoke))
}

/// List signing keys
#[utoipa::path(
    get, path = "/keys/signing", operation_id = "list_signing_keys", tag = "keys",
    security(("token" = ["read:signing_keys"])),
    responses((
        status = 200, description = "The keys: the current one, the next one, those before.",
        body = Vec<SigningKeyView>
    ))
)]
async fn list(caller: ApiCaller) -> Result<Json<Vec<SigningKeyView>>, ApiError> {
    Ok(Json(manage::signing_keys(caller.idp(), &caller.context().tenant).await?))
}

/// Get a signing key
#[utoipa::path(
    get, path = "/keys/signing/{kid}", operation_id = "get_signing_key", tag = "keys",
    params(("kid" = String, Path, description = "Its id.")), security(("token" = ["read:signing_keys"])),
    responses((status = 200, description = "The key.", body = SigningKeyView), (status = 404, description = "There is none."))
)]
async fn get(caller: ApiCaller, ApiPath(kid): ApiPath<String>) -> Result<Json<SigningKeyView>, ApiError> {
    Ok(Json(manage::signing_key(caller.idp(), &caller.context().tenant, &kid).await?))
}

/// Rotate the signing key
#[utoipa::path(
    post, path = "/keys/signing/rotate", operation_id = "rotate_signing_key", tag = "keys",
    security(("token" = ["create:signing_keys", "update:signing_keys"])),
    responses((
        status = 201, description = "The key that signs from now on: it was published before.", body = CertifiedKey
    ))
)]
async fn rotate(caller: ApiCaller) -> Result<(StatusCode, Json<CertifiedKey>), ApiError> {
    let key = manage::rotate_signing_key(caller.idp(), &caller.context().tenant).await?;
    Ok((StatusCode::CREATED, Json(key)))
}

/// Revoke a signing key
#[utoipa::path(
    put, path = "/keys/signing/{kid}/revoke", operation_id = "revoke_signing_key", tag = "keys",
    params(("kid" = String, Path, description = "Its id.")), security(("token" = ["update:signing_keys"])),
    responses(
        (status = 200, description = "The key. No token that it signed is accepted any more.", body = CertifiedKey),
        (status = 404, description = "There is none."), (status = 409, description = "It is the current one.")
    )
)]
async fn revoke(caller: ApiCaller, ApiPath(kid): ApiPath<String>) -> Result<Json<CertifiedKey>, ApiError> {
    Ok(Json(manage::revoke_signing_key(caller.idp(), &caller.context().tenant, &kid).await?))
}
