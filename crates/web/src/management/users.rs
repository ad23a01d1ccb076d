//! `/users`: who logs in.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use idp::manage::{self, NewUser, UserChanges, UserPage, UserView};
use model::UserId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::schema::{answer, list};
use super::{ApiCaller, ApiError, ApiJson, ApiPath, ApiQuery, Fields, Page};
use crate::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, update, delete))
        .routes(routes!(by_email))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// The first page is 0.
    page: Option<i64>,
    /// At most 100.
    per_page: Option<i64>,
    /// Whether the answer is an object with `total`.
    include_totals: Option<bool>,
    /// Names of the fields that are shown, with commas between them.
    fields: Option<String>,
    /// `false`: those are the ones that are left out.
    include_fields: Option<bool>,
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
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct FieldsQuery {
    /// Names of the fields that are shown, with commas between them.
    fields: Option<String>,
    /// `false`: those are the ones that are left out.
    include_fields: Option<bool>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ByEmailQuery {
    /// The address, in whatever case.
    email: String,
    /// Names of the fields that are shown, with commas between them.
    fields: Option<String>,
    /// `false`: those are the ones that are left out.
    include_fields: Option<bool>,
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
    get, path = "/users", tag = "users", params(ListQuery), operation_id = "list_users",
    security(("token" = ["read:users"])),
    responses((status = 200, description = "The users, by id unless `sort` says otherwise.", body = UserList))
)]
async fn list(
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiQuery(query): ApiQuery<ListQuery>,
) -> Result<Json<Value>, ApiError> {
    let page = Page::new(query.page, query.per_page, query.include_totals, 50)?;
    let fields = Fields::new(query.fields.as_deref(), query.include_fields);
    if query.search_engine.as_ref().is_some_and(|engine| engine != "v3") {
        return Err(ApiError::invalid_query("Query validation error: search_engine must be v3"));
    }
    let part = UserPage {
        query: query.q.as_deref().filter(|q| !q.trim().is_empty()),
        connection: query.connection.as_deref(),
        sort: query.sort.as_deref(),
        offset: page.offset(),
        limit: page.limit(),
        counted: page.has_total(),
    };
    let (users, total) = manage::list_users(&state.idp, &caller.context().tenant.id, &part).await?;
    let rows = users.iter().map(|user| fields.shown(user)).collect();
    Ok(Json(page.answer_with_length("users", total.unwrap_or_default(), rows)))
}

/// Find users by their address
#[utoipa::path(
    get, path = "/users-by-email", tag = "users", params(ByEmailQuery), operation_id = "users_by_email",
    security(("token" = ["read:users"])),
    responses((
        status = 200, description = "The users with that address, one for each connection at most.",
        body = Vec<SelectedUser>
    ))
)]
async fn by_email(
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiQuery(query): ApiQuery<ByEmailQuery>,
) -> Result<Json<Value>, ApiError> {
    let fields = Fields::new(query.fields.as_deref(), query.include_fields);
    let users = manage::users_by_email(&state.idp, &caller.context().tenant.id, &query.email).await?;
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
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiJson(new): ApiJson<NewUser>,
) -> Result<(StatusCode, Json<UserView>), ApiError> {
    if new.connection.is_none() {
        let text = "Payload validation error: 'Missing required property: connection'.";
        return Err(ApiError::invalid_body(text));
    }
    let tenant = &caller.context().tenant.id;
    let user = manage::create_user(&state.idp, tenant, new).await?;
    let made = manage::get_user(&state.idp, tenant, &user.user_id).await?;
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
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiPath(id): ApiPath<String>,
    ApiQuery(query): ApiQuery<FieldsQuery>,
) -> Result<Json<Value>, ApiError> {
    let fields = Fields::new(query.fields.as_deref(), query.include_fields);
    let user = manage::get_user(&state.idp, &caller.context().tenant.id, &UserId::new(id)).await?;
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
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiPath(id): ApiPath<String>,
    ApiJson(changes): ApiJson<UserChanges>,
) -> Result<Json<UserView>, ApiError> {
    if !caller.has_scope("update:users") && !changes.is_app_metadata_only() {
        return Err(ApiError::insufficient_scope(["update:users".to_owned()]));
    }
    let tenant = &caller.context().tenant.id;
    let user = manage::update_user(&state.idp, tenant, &UserId::new(id), changes).await?;
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
async fn delete(
    State(state): State<AppState>,
    caller: ApiCaller,
    ApiPath(id): ApiPath<String>,
) -> Result<StatusCode, ApiError> {
    manage::delete_user(&state.idp, &caller.context().tenant.id, &UserId::new(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
