//! `/refresh-tokens`: what apps renew their access with. A refresh token is one with all its rotations, by its id.

use std::collections::BTreeMap;

use axum::Json;
use idp::manage::{self, RefreshTokenSelector, RefreshTokenView};
use model::{ClientId, RefreshTokenId, UserId};
use serde::Deserialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::schema::{answer, list};
use super::sessions::Ended;
use super::{ApiCaller, ApiError, ApiJson, ApiPath, ApiQuery, Fields, FieldsQuery, PositionQuery};
use crate::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get, update, delete)).routes(routes!(revoke))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Whose.
    user_id: String,
    /// Those of this client alone.
    client_id: Option<String>,
}

/// What changes of a refresh token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RefreshTokenChanges {
    /// Replaces all of it: at most 25 pairs of 255 characters. `null` and `{}` clear it.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required = true)]
    refresh_token_metadata: Option<BTreeMap<String, String>>,
}

/// Which refresh tokens end: `ids`, or `user_id`, `user_id` and `client_id`, or these and `audience`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RevokeBody {
    /// 1 to 100. Unknown ones are passed over.
    ids: Option<Vec<String>>,
    /// All of this user.
    user_id: Option<String>,
    /// Those at this client.
    client_id: Option<String>,
    /// Those for this API.
    audience: Option<String>,
}

answer!(
    /// As `fields` says.
    SelectedRefreshToken, "A refresh token, with the fields that were asked for.", [RefreshTokenView], []
);

list!(
    /// Refresh tokens.
    SelectedRefreshTokenList, "Refresh tokens, newest first.", SelectedRefreshToken, "refresh_tokens", [Next]
);

/// List refresh tokens of a user
#[utoipa::path(
    get, path = "/refresh-tokens", tag = "refresh-tokens", operation_id = "list_refresh_tokens",
    params(ListQuery, PositionQuery, FieldsQuery),
    security(("token" = ["read:refresh_tokens"])),
    responses((
        status = 200, description = "The living refresh tokens, newest first, online ones aside.",
        body = SelectedRefreshTokenList
    ))
)]
async fn list(
    caller: ApiCaller,
    ApiQuery(query): ApiQuery<ListQuery>,
    ApiQuery(position): ApiQuery<PositionQuery>,
    fields: Fields,
) -> Result<Json<Value>, ApiError> {
    let part = position.part(&caller, "refresh_tokens")?;
    let (user, client) = (UserId::new(query.user_id), query.client_id.map(ClientId::new));
    let listed =
        manage::refresh_tokens_of_user(caller.idp(), caller.tenant(), &user, client.as_ref(), part.span());
    part.answer(&caller, listed.await?.map(|token| fields.shown(&RefreshTokenView::from(&token))))
}

/// Get a refresh token
#[utoipa::path(
    get, path = "/refresh-tokens/{id}", tag = "refresh-tokens", operation_id = "get_refresh_token",
    params(("id" = String, Path, description = "Its id; not the secret.")),
    security(("token" = ["read:refresh_tokens"])),
    responses(
        (status = 200, description = "The refresh token.", body = RefreshTokenView),
        (status = 400, description = "It is an online one, which its session manages."),
        (status = 404, description = "There is none, or it has ended.")
    )
)]
async fn get(
    caller: ApiCaller,
    ApiPath(id): ApiPath<RefreshTokenId>,
) -> Result<Json<RefreshTokenView>, ApiError> {
    let token = manage::get_refresh_token(caller.idp(), caller.tenant(), &id).await?;
    Ok(Json(RefreshTokenView::from(&token)))
}

/// Update a refresh token
#[utoipa::path(
    patch, path = "/refresh-tokens/{id}", tag = "refresh-tokens", request_body = RefreshTokenChanges,
    operation_id = "update_refresh_token",
    params(("id" = String, Path, description = "Its id; not the secret.")),
    security(("token" = ["update:refresh_tokens"])),
    responses(
        (status = 200, description = "The refresh token.", body = RefreshTokenView),
        (status = 400, description = "It is an online one, which its session manages."),
        (status = 404, description = "There is none, or it has ended.")
    )
)]
async fn update(
    caller: ApiCaller,
    ApiPath(id): ApiPath<RefreshTokenId>,
    ApiJson(changes): ApiJson<RefreshTokenChanges>,
) -> Result<Json<RefreshTokenView>, ApiError> {
    let metadata = changes.refresh_token_metadata.unwrap_or_default();
    let token = manage::set_refresh_token_metadata(caller.idp(), caller.tenant(), &id, metadata).await?;
    Ok(Json(RefreshTokenView::from(&token)))
}

/// Delete a refresh token
///
/// With what was made from it.
#[utoipa::path(
    delete, path = "/refresh-tokens/{id}", tag = "refresh-tokens", operation_id = "delete_refresh_token",
    params(("id" = String, Path, description = "Its id; not the secret.")),
    security(("token" = ["delete:refresh_tokens"])),
    responses(
        (status = 202, description = "It has ended.", body = Ended),
        (status = 400, description = "It is an online one, which its session manages."),
        (status = 404, description = "There is none.")
    )
)]
async fn delete(caller: ApiCaller, ApiPath(id): ApiPath<RefreshTokenId>) -> Result<Ended, ApiError> {
    manage::delete_refresh_token(caller.idp(), caller.tenant(), &id).await?;
    Ok(Ended {})
}

/// Revoke refresh tokens
#[utoipa::path(
    post, path = "/refresh-tokens/revoke", tag = "refresh-tokens", request_body = RevokeBody,
    operation_id = "revoke_refresh_tokens",
    security(("token" = ["delete:refresh_tokens"])),
    responses((status = 202, description = "They have ended.", body = Ended))
)]
async fn revoke(caller: ApiCaller, ApiJson(body): ApiJson<RevokeBody>) -> Result<Ended, ApiError> {
    let context = caller.context();
    let which = match (body.ids, body.user_id, body.client_id, body.audience) {
        (Some(ids), None, None, None) => {
            RefreshTokenSelector::Ids(ids.into_iter().map(RefreshTokenId::new).collect())
        }
        (None, Some(user), None, None) => RefreshTokenSelector::User(UserId::new(user)),
        (None, Some(user), Some(client), None) => {
            RefreshTokenSelector::Client(UserId::new(user), ClientId::new(client))
        }
        (None, Some(user), Some(client), Some(audience)) => RefreshTokenSelector::Grant(
            UserId::new(user),
            ClientId::new(client),
            manage::granted_audience(&audience, context).map(str::to_owned),
        ),
        _ => {
            let text = "Payload validation error: 'Send ids; or user_id; or user_id and client_id; or these and audience'.";
            return Err(ApiError::invalid_body(text));
        }
    };
    manage::revoke_refresh_tokens(caller.idp(), &context.tenant.id, &which).await?;
    Ok(Ended {})
}
