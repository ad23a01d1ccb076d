//! `/users`: who logs in.

use axum::Json;
use axum::http::StatusCode;
use idp::manage::{self, NewUser, UserChanges, UserSearch, UserView};
use model::UserId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::schema::{answer, list};
use super::{ApiCaller, ApiError, ApiJson, ApiPath, ApiQuery, Fields, FieldsQuery, Page, PageQuery};
use crate::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, update, delete))
        .routes(routes!(by_email))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// As `email:"ann@acme.test" OR name:ann* AND logins_count:[3 TO *]`. Fields: user_id, email, username, name, given_name,
    /// family_name, nickname, phone_number, email_verified, phone_verified, blocked, logins_count, last_login, last_ip, created_at,
    /// updated_at, identities.connection, identities.provider, identities.user_id, app_metadata.*, user_metadata.*.
    q: Option<String>,
    /// A field, a colon, and 1 or -1.
    sort: Option<String>,
    /// The name of a connection: its users alone.
    connection: Option<String>,
    /// `v3` is the only one that there is.
    search_engine: Option<String>,
    /// There is one order: it makes no difference.
    #[serde(rename = "primary_order")]
    _primary_order: Option<bool>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ByEmailQuery {
    /// The address, in whatever case.
    email: String,
}

/// What lists of members show of a user.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Member {
    user_id: UserId,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    picture: Option<String>,
}

impl From<&UserView> for Member {
    fn from(user: &UserView) -> Self {
        Self {
            user_id: user.user_id.clone(),
            email: user.email.clone(),
            name: user.name.clone(),
            picture: user.picture.clone(),
        }
    }
}

answer!(
    /// As `fields` says.
    SelectedUser, "A user, with the fields that were asked for.", [UserView], []
);

answer!(
    /// As `fields` says.
    SelectedMember, "A user in a list of members, with the fields that were asked for.", [Member], []
);

list!(
    /// Users.
    UserList, "Users.", SelectedUser, "users", [Rows, TotalsAndLength]
);

/// List or search users
#[utoipa::path(
    get, path = "/users", tag = "users", params(PageQuery, FieldsQuery, ListQuery), operation_id = "list_users",
    security(("token" = ["read:users"])),
    responses((status = 200, description = "The users, by id unless `sort` says otherwise.", body = UserList))
)]
async fn list(
    caller: ApiCaller,
    page: Page,
    fields: Fields,
    ApiQuery(query): ApiQuery<ListQuery>,
) -> Result<Json<Value>, ApiError> {
    only_search_engine(query.search_engine.as_deref())?;
    let search = UserSearch {
        query: query.q.as_deref().filter(|q| !q.trim().is_empty()),
        connection: query.connection.as_deref(),
        sort: query.sort.as_deref(),
    };
    let listed = manage::list_users(caller.idp(), caller.tenant(), search, page.span()).await?;
    Ok(page.answer_with_length("users", listed.map(|user| fields.shown(&user))))
}

/// There is one.
pub(super) fn only_search_engine(named: Option<&str>) -> Result<(), ApiError> {
    match named {
        None | Some("v3") => Ok(()),
        Some(_) => Err(ApiError::invalid_query("Query validation error: search_engine must be v3")),
    }
}

/// Find users by their address
#[utoipa::path(
    get, path = "/users-by-email", tag = "users", params(ByEmailQuery, FieldsQuery), operation_id = "users_by_email",
    security(("token" = ["read:users"])),
    responses((
        status = 200, description = "The users with that address, one for each connection at most.",
        body = Vec<SelectedUser>
    ))
)]
async fn by_email(
    caller: ApiCaller,
    ApiQuery(query): ApiQuery<ByEmailQuery>,
    fields: Fields,
) -> Result<Json<Value>, ApiError> {
    let users = manage::users_by_email(caller.idp(), caller.tenant(), &query.email).await?;
    Ok(Json(users.iter().map(|user| fields.shown(user)).collect()))
}

/// Create a user
#[utoipa::path(
    post, path = "/users", tag = "users", request_body = NewUser, operation_id = "create_user",
    security(("token" = ["create:users"])),
    responses(
        (status = 201, description = "The user.", body = UserView),
        (status = 404, description = "There is no such connection."),
        (status = 409, description = "Another user of the connection has the address or the user name.")
    )
)]
async fn create(
    caller: ApiCaller,
    ApiJson(new): ApiJson<NewUser>,
) -> Result<(StatusCode, Json<UserView>), ApiError> {
    if new.connection.is_none() {
        let text = "Payload validation error: 'Missing required property: connection'.";
        return Err(ApiError::invalid_body(text));
    }
    let user = manage::create_user(caller.idp(), caller.tenant(), new).await?;
    let made = manage::get_user(caller.idp(), caller.tenant(), &user.user_id).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// Get a user
#[utoipa::path(
    get, path = "/users/{id}", tag = "users", operation_id = "get_user",
    params(("id" = String, Path, description = "Its `user_id`."), FieldsQuery),
    security(("token" = ["read:users"])),
    responses(
        (status = 200, description = "The user.", body = SelectedUser),
        (status = 404, description = "There is none.")
    )
)]
async fn get(
    caller: ApiCaller,
    ApiPath(id): ApiPath<UserId>,
    fields: Fields,
) -> Result<Json<Value>, ApiError> {
    let user = manage::get_user(caller.idp(), caller.tenant(), &id).await?;
    Ok(Json(fields.shown(&user)))
}

/// Update a user
///
/// The members of `user_metadata` and `app_metadata` are set, `null` removes one, `{}` all. Other fields are replaced. A new
/// password ends the user's sessions and refresh tokens. With the scope `update:users_app_metadata` alone, nothing but
/// `app_metadata` may be sent.
#[utoipa::path(
    patch, path = "/users/{id}", tag = "users", request_body = UserChanges, operation_id = "update_user",
    params(("id" = String, Path, description = "Its `user_id`.")),
    security(("token" = ["update:users"]), ("token" = ["update:users_app_metadata"])),
    responses(
        (status = 200, description = "The user.", body = UserView),
        (status = 404, description = "There is none."),
        (status = 409, description = "Another user of the connection has the address or the user name.")
    )
)]
async fn update(
    caller: ApiCaller,
    ApiPath(id): ApiPath<UserId>,
    ApiJson(changes): ApiJson<UserChanges>,
) -> Result<Json<UserView>, ApiError> {
    if !caller.has_scope("update:users") && !changes.is_app_metadata_only() {
        return Err(ApiError::insufficient_scope(["update:users".to_owned()]));
    }
    let user = manage::update_user(caller.idp(), caller.tenant(), &id, changes).await?;
    Ok(Json(user))
}

/// Delete a user
///
/// Ends all that is theirs.
#[utoipa::path(
    delete, path = "/users/{id}", tag = "users", operation_id = "delete_user",
    params(("id" = String, Path, description = "Its `user_id`.")),
    security(("token" = ["delete:users"])),
    responses((status = 204, description = "There is none any more."), (status = 404, description = "There was none."))
)]
async fn delete(caller: ApiCaller, ApiPath(id): ApiPath<UserId>) -> Result<StatusCode, ApiError> {
    manage::delete_user(caller.idp(), caller.tenant(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
