//! `/connections`: the tenant's databases of users.

use axum::Json;
use axum::http::StatusCode;
use idp::manage::{self, ConnectionFilter, ConnectionSettings};
use model::{ClientId, ConnectionId, ConnectionProfile};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::schema::{answer, body, list};
use super::{
    ApiCaller, ApiError, ApiJson, ApiPath, ApiQuery, Fields, FieldsQuery, PageQuery, PartQuery, PositionQuery,
};
use crate::AppState;

/// The most rows of the list of a connection's clients.
pub(super) const MOST_CLIENTS: i64 = 1_000;
/// The most clients for which a connection is switched on or off in one call.
pub(super) const MOST_STATUSES: usize = 50;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, update, delete))
        .routes(routes!(clients, set_clients))
        .routes(routes!(of_client))
}

body!(
    /// What a connection is made of.
    NewConnection, "A new database of users.", [ConnectionSettings, ConnectionProfile], ["name", "strategy"]
);
body!(
    /// What is changed of a connection.
    ConnectionChange, "What is to change of a connection. `options` replace those that were there.",
    [ConnectionSettings, ConnectionProfile], []
);

answer!(
    /// What is shown of a connection.
    Connection, "A connection. `options` need `read:connections_options`.",
    [ConnectionSettings, ConnectionProfile, Written],
    ["id", "name", "strategy", "metadata", "enabled_clients", "is_domain_connection", "realms"]
);
answer!(
    /// As `fields` says.
    SelectedConnection, "A connection, with the fields that were asked for. `options` need `read:connections_options`.",
    [ConnectionSettings, ConnectionProfile, Written], ["id"]
);
list!(
    /// Connections.
    ConnectionList, "Connections.", SelectedConnection, "connections", [Rows, Totals, Next]
);
list!(
    /// The connections of a client.
    ConnectionsOfClient, "The connections of a client.", Connection, "connections", [Next]
);
list!(
    /// The clients of a connection.
    ClientsOfConnection, "The clients of a connection.", EnabledClient, "clients", [Next]
);

/// What the server writes.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes what is shown")]
struct Written {
    /// As `con_...`.
    id: ConnectionId,
}

/// A client that a connection is enabled for.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes what is shown")]
struct EnabledClient {
    client_id: ClientId,
}

/// Whether a connection is enabled for a client.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ClientStatus {
    client_id: String,
    status: bool,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Of these strategies.
    #[serde(default)]
    strategy: Vec<String>,
    /// Of this name.
    name: Option<String>,
}

/// List connections
#[utoipa::path(
    get, path = "/connections", operation_id = "list_connections", tag = "connections",
    params(PageQuery, PositionQuery, ListQuery, FieldsQuery),
    security(("token" = ["read:connections"])),
    responses((status = 200, description = "The connections, by name.", body = ConnectionList))
)]
async fn list(
    caller: ApiCaller,
    part: PartQuery,
    ApiQuery(query): ApiQuery<ListQuery>,
    fields: Fields,
) -> Result<Json<Value>, ApiError> {
    let filter = ConnectionFilter { strategies: query.strategy, name: query.name, client_id: None };
    let part = part.part(&caller, "connections")?;
    let listed = manage::list_connections(caller.idp(), caller.tenant(), &filter, part.span()).await?;
    part.answer(&caller, listed.map(|row| selected(&caller, &fields, row)))
}

/// Create a connection
#[utoipa::path(
    post, path = "/connections", operation_id = "create_connection", tag = "connections",
    request_body = NewConnection, security(("token" = ["create:connections"])),
    responses((status = 201, description = "The connection.", body = Connection), (status = 409, description = "There is one of that name."))
)]
async fn create(
    caller: ApiCaller,
    ApiJson(sent): ApiJson<Map<String, Value>>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let made = manage::create_connection(caller.idp(), caller.tenant(), &sent).await?;
    Ok((StatusCode::CREATED, Json(Value::Object(made))))
}

/// Get a connection
#[utoipa::path(
    get, path = "/connections/{id}", operation_id = "get_connection", tag = "connections",
    params(("id" = String, Path, description = "Its id."), FieldsQuery),
    security(("token" = ["read:connections"])),
    responses((status = 200, description = "The connection.", body = SelectedConnection), (status = 404, description = "There is none."))
)]
async fn get(
    caller: ApiCaller,
    ApiPath(id): ApiPath<ConnectionId>,
    fields: Fields,
) -> Result<Json<Value>, ApiError> {
    let found = manage::get_connection(caller.idp(), caller.tenant(), &id).await?;
    Ok(Json(selected(&caller, &fields, Value::Object(found))))
}

/// Update a connection
#[utoipa::path(
    patch, path = "/connections/{id}", operation_id = "update_connection", tag = "connections",
    params(("id" = String, Path, description = "Its id.")), request_body = ConnectionChange,
    security(("token" = ["update:connections"])),
    responses((status = 200, description = "The connection.", body = Connection), (status = 404, description = "There is none."))
)]
async fn update(
    caller: ApiCaller,
    ApiPath(id): ApiPath<ConnectionId>,
    ApiJson(sent): ApiJson<Map<String, Value>>,
) -> Result<Json<Value>, ApiError> {
    if sent.contains_key("options") && !caller.has_scope("update:connections_options") {
        return Err(ApiError::insufficient_scope(["update:connections_options".to_owned()]));
    }
    let changed = manage::update_connection(caller.idp(), caller.tenant(), &id, &sent).await?;
    Ok(Json(selected(&caller, &Fields::default(), Value::Object(changed))))
}

/// Delete a connection
#[utoipa::path(
    delete, path = "/connections/{id}", operation_id = "delete_connection", tag = "connections",
    params(("id" = String, Path, description = "Its id.")), security(("token" = ["delete:connections"])),
    responses(
        (status = 204, description = "It is gone."), (status = 404, description = "There is none."),
        (status = 409, description = "It has users, or is the one that each tenant has.")
    )
)]
async fn delete(caller: ApiCaller, ApiPath(id): ApiPath<ConnectionId>) -> Result<StatusCode, ApiError> {
    manage::delete_connection(caller.idp(), caller.tenant(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List the clients of a connection
#[utoipa::path(
    get, path = "/connections/{id}/clients", operation_id = "list_clients_of_connection", tag = "connections",
    params(("id" = String, Path, description = "Its id."), PositionQuery),
    security(("token" = ["read:connections"])),
    responses(
        (
            status = 200, description = "The clients that it is enabled for, by id; at most 1000.",
            body = ClientsOfConnection
        ),
        (status = 404, description = "There is none.")
    )
)]
async fn clients(
    caller: ApiCaller,
    ApiPath(id): ApiPath<ConnectionId>,
    ApiQuery(position): ApiQuery<PositionQuery>,
) -> Result<Json<Value>, ApiError> {
    let part = position.part_with_most(&caller, "clients", MOST_CLIENTS)?;
    let listed = manage::clients_of_connection(caller.idp(), caller.tenant(), &id, part.span()).await?;
    part.answer(&caller, listed)
}

/// Enable or disable a connection for clients
#[utoipa::path(
    patch, path = "/connections/{id}/clients", operation_id = "set_clients_of_connection", tag = "connections",
    params(("id" = String, Path, description = "Its id.")), request_body = Vec<ClientStatus>,
    security(("token" = ["update:connections"])),
    responses((status = 204, description = "It is so."), (status = 404, description = "No such connection or client."))
)]
async fn set_clients(
    caller: ApiCaller,
    ApiPath(id): ApiPath<ConnectionId>,
    ApiJson(changes): ApiJson<Vec<ClientStatus>>,
) -> Result<StatusCode, ApiError> {
    if !(1..=MOST_STATUSES).contains(&changes.len()) {
        let text = format!("Payload validation error: '1 to {MOST_STATUSES} clients are expected'.");
        return Err(ApiError::invalid_body(text));
    }
    let changes: Vec<_> =
        changes.into_iter().map(|change| (ClientId::new(change.client_id), change.status)).collect();
    manage::set_clients_of_connection(caller.idp(), caller.tenant(), &id, &changes).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List the connections of a client
#[utoipa::path(
    get, path = "/clients/{id}/connections", operation_id = "list_connections_of_client", tag = "clients",
    params(("id" = String, Path, description = "Its `client_id`."), PositionQuery),
    security(
        ("token" = ["read:connections", "read:clients"]), ("token" = ["read:connections", "read:client_keys"]),
        ("token" = ["read:connections", "read:client_summary"])
    ),
    responses(
        (status = 200, description = "The connections that are enabled for it, by name.", body = ConnectionsOfClient),
        (status = 404, description = "There is none.")
    )
)]
async fn of_client(
    caller: ApiCaller,
    ApiPath(id): ApiPath<ClientId>,
    ApiQuery(position): ApiQuery<PositionQuery>,
) -> Result<Json<Value>, ApiError> {
    let part = position.part(&caller, "connections")?;
    let listed = manage::connections_of_client(caller.idp(), caller.tenant(), &id, part.span()).await?;
    part.answer(&caller, listed.map(|row| selected(&caller, &Fields::default(), row)))
}

/// What the caller sees: options have a scope of their own. The id is there whatever the fields are, as in the dialect.
fn selected(caller: &ApiCaller, fields: &Fields, row: Value) -> Value {
    let Value::Object(mut row) = row else { return row };
    if !caller.has_scope("read:connections_options") {
        row.remove("options");
    }
    // Terraform's provider asks for other fields, and goes on with the id of the answer.
    let id = row.get("id").cloned().unwrap_or_default();
    let mut shown = fields.select(row);
    shown.insert("id".to_owned(), id);
    Value::Object(shown)
}
