//! `/refresh-tokens`: what apps renew their access with. A refresh token is one with all its rotations, by its id.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use idp::manage::{self, RefreshTokenSelector, RefreshTokenView};
use model::{ClientId, RefreshTokenId, UserId};
use serde::Deserialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::schema::{answer, list};
use super::sessions::Ended;
use super::{ApiCaller, ApiError, ApiJson, ApiPath, ApiQuery, Checkpoint, Fields};
use crate::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get, update, delete)).routes(routes!(revoke))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Whose.
    user_id: String,
    /// Those of this client alone.
    client_id: Option<String>,
    /// The `next` of the answer before.
    from: Option<String>,
    /// 1 to 100; absent: 50.
    take: Option<i64>,
    /// Names of the fields that are shown, with commas between them.
    fields: Option<String>,
    /// `false`: those are the ones that are left out.
    include_fields: Option<bool>,
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
    get, path = "/refresh-tokens", tag = "refresh-tokens", params(ListQuery), operation_id = "list_refresh_tokens",
    security(("token" = ["read:refresh_tokens"])),
    responses((
        status = 200, description = "The living refresh tokens, newest first, online ones aside.",
        body = SelectedRefreshTokenList
    ))
)]
async fn list(
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiQuery(query): ApiQuery<ListQuery>,
) -> Result<Json<Value>, ApiError> {
    let fields = Fields::new(query.fields.as_deref(), query.include_fields);
    let checkpoint = Checkpoint::new(&state, &caller, "refresh_tokens", query.from.as_deref(), query.take)?;
    let client = query.client_id.map(ClientId::new);
    let (tokens, _) = manage::refresh_tokens_of_user(
        &state.idp,
        &caller.context().tenant.id,
        &UserId::new(query.user_id),
        client.as_ref(),
        checkpoint.after.as_deref(),
        checkpoint.take,
        false,
    )
    .await?;
    let last = tokens.last().map(manage::refresh_token_key);
    let rows = tokens.iter().map(|token| fields.shown(&RefreshTokenView::from(token))).collect();
    Ok(Json(checkpoint.answer(&state, &caller, rows, last.as_deref())?))
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
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiPath(id): ApiPath<String>,
) -> Result<Json<RefreshTokenView>, ApiError> {
    let id = RefreshTokenId::new(id);
    let token = manage::get_refresh_token(&state.idp, &caller.context().tenant.id, &id).await?;
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
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiPath(id): ApiPath<String>,
    ApiJson(changes): ApiJson<RefreshTokenChanges>,
) -> Result<Json<RefreshTokenView>, ApiError> {
    let metadata = changes.refresh_token_metadata.unwrap_or_default();
    let (tenant, id) = (&caller.context().tenant.id, RefreshTokenId::new(id));
    let token = manage::set_refresh_token_metadata(&state.idp, tenant, &id, metadata).await?;
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
async fn delete(
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiPath(id): ApiPath<String>,
) -> Result<(StatusCode, Json<Ended>), ApiError> {
    let id = RefreshTokenId::new(id);
    manage::delete_refresh_token(&state.idp, &caller.context().tenant.id, &id).await?;
    Ok((StatusCode::ACCEPTED, Json(Ended {})))
}

/// Revoke refresh tokens
#[utoipa::path(
    post, path = "/refresh-tokens/revoke", tag = "refresh-tokens", request_body = RevokeBody,
    operation_id = "revoke_refresh_tokens",
    security(("token" = ["delete:refresh_tokens"])),
    responses((status = 202, description = "They have ended.", body = Ended))
)]
async fn revoke(
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiJson(body): ApiJson<RevokeBody>,
) -> Result<(StatusCode, Json<Ended>), ApiError> {
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
    manage::revoke_refresh_tokens(&state.idp, &context.tenant.id, &which).await?;
    Ok((StatusCode::ACCEPTED, Json(Ended {})))
}
