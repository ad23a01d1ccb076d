//! `/clients/{client_id}/credentials`: the public keys that a client authenticates with.

use axum::Json;
use axum::http::StatusCode;
use idp::manage::{self, CredentialView, GivenCredential};
use model::ClientId;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{ApiCaller, ApiError, ApiJson, ApiPath};
use crate::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(get, update, delete))
}

/// What is changed of a credential.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CredentialChange {
    /// ISO 8601; `null`: it does not expire.
    expires_at: Option<String>,
}

/// List the keys of a client
#[utoipa::path(
    get, path = "/clients/{client_id}/credentials", operation_id = "list_client_credentials", tag = "clients",
    params(("client_id" = String, Path, description = "Whose keys.")),
    security(("token" = ["read:client_credentials"])),
    responses((status = 200, description = "The keys, those in use first.", body = Vec<CredentialView>), (status = 404, description = "No such client."))
)]
async fn list(
    caller: ApiCaller,
    ApiPath(id): ApiPath<ClientId>,
) -> Result<Json<Vec<CredentialView>>, ApiError> {
    Ok(Json(manage::client_credentials(caller.idp(), caller.tenant(), &id).await?))
}

/// Add a key to a client
#[utoipa::path(
    post, path = "/clients/{client_id}/credentials", operation_id = "create_client_credential", tag = "clients",
    params(("client_id" = String, Path, description = "Whose key.")), request_body = GivenCredential,
    security(("token" = ["create:client_credentials"])),
    responses(
        (
            status = 201, body = CredentialView,
            description = "The key. It is in use when `client_authentication_methods` of the client name it."
        ),
        (status = 404, description = "No such client."), (status = 409, description = "The client has this key.")
    )
)]
async fn create(
    caller: ApiCaller,
    ApiPath(id): ApiPath<ClientId>,
    ApiJson(given): ApiJson<GivenCredential>,
) -> Result<(StatusCode, Json<CredentialView>), ApiError> {
    let made = manage::create_client_credential(caller.idp(), caller.tenant(), &id, given).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// Get a key of a client
#[utoipa::path(
    get, path = "/clients/{client_id}/credentials/{credential_id}", operation_id = "get_client_credential",
    tag = "clients",
    params(
        ("client_id" = String, Path, description = "Whose key."),
        ("credential_id" = String, Path, description = "Its id.")
    ),
    security(("token" = ["read:client_credentials"])),
    responses((status = 200, description = "The key.", body = CredentialView), (status = 404, description = "There is none."))
)]
async fn get(
    caller: ApiCaller,
    ApiPath((id, credential)): ApiPath<(ClientId, String)>,
) -> Result<Json<CredentialView>, ApiError> {
    let found = manage::client_credential(caller.idp(), caller.tenant(), &id, &credential).await?;
    Ok(Json(found))
}

/// Change when a key of a client expires
#[utoipa::path(
    patch, path = "/clients/{client_id}/credentials/{credential_id}", operation_id = "update_client_credential",
    tag = "clients", request_body = CredentialChange,
    params(
        ("client_id" = String, Path, description = "Whose key."),
        ("credential_id" = String, Path, description = "Its id.")
    ),
    security(("token" = ["update:client_credentials"])),
    responses((status = 200, description = "The key.", body = CredentialView), (status = 404, description = "There is none."))
)]
async fn update(
    caller: ApiCaller,
    ApiPath((id, credential)): ApiPath<(ClientId, String)>,
    ApiJson(change): ApiJson<CredentialChange>,
) -> Result<Json<CredentialView>, ApiError> {
    let expires_at = change.expires_at.as_deref();
    let changed =
        manage::update_client_credential(caller.idp(), caller.tenant(), &id, &credential, expires_at).await?;
    Ok(Json(changed))
}

/// Remove a key from a client
#[utoipa::path(
    delete, path = "/clients/{client_id}/credentials/{credential_id}", operation_id = "delete_client_credential",
    tag = "clients",
    params(
        ("client_id" = String, Path, description = "Whose key."),
        ("credential_id" = String, Path, description = "Its id.")
    ),
    security(("token" = ["delete:client_credentials"])),
    responses(
        (status = 204, description = "It is gone."), (status = 404, description = "There is none."),
        (status = 409, description = "It is in use.")
    )
)]
async fn delete(
    caller: ApiCaller,
    ApiPath((id, credential)): ApiPath<(ClientId, String)>,
) -> Result<StatusCode, ApiError> {
    manage::delete_client_credential(caller.idp(), caller.tenant(), &id, &credential).await?;
    Ok(StatusCode::NO_CONTENT)
}
