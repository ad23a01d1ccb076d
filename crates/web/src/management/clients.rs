//! `/clients`: the tenant's applications.

use axum::Json;
use axum::http::StatusCode;
use idp::manage::{self, ClientSigningKey, GivenMethods, Listed, MethodsInUse};
use model::{ClientId, ClientProfile};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use storage::ClientFilter;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::schema::{answer, body, list};
use super::{
    ApiCaller, ApiError, ApiJson, ApiPath, ApiQuery, Fields, FieldsQuery, PageQuery, PartQuery, PositionQuery,
};
use crate::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, update, delete))
        .routes(routes!(rotate_secret))
}

body!(
    /// What a client is made of.
    NewClient, "A new client. What is not sent has a default.", [model::Client, ClientProfile, Sent], ["name"]
);
body!(
    /// What is changed of a client.
    ClientChange, "What is to change of a client. `null` puts the default back.", [model::Client, ClientProfile, Sent], []
);

answer!(
    /// What is shown of a client.
    Client, "A client.", [model::Client, ClientProfile, Written], [
        "client_id", "tenant", "global", "name", "callbacks", "allowed_logout_urls", "grant_types", "is_first_party",
        "oidc_conformant", "sso_disabled", "cross_origin_authentication", "custom_login_page_on", "jwt_configuration",
        "refresh_token", "is_token_endpoint_ip_header_trusted", "require_pushed_authorization_requests",
        "require_proof_of_possession", "created_at", "updated_at"
    ]
);
answer!(
    /// As the scopes and `fields` say.
    SelectedClient, "A client, with what the caller may see and asked for.",
    [model::Client, ClientProfile, Written], []
);
list!(
    /// Clients.
    ClientList, "Clients.", SelectedClient, "clients", [Rows, Totals, Next]
);

/// What is sent and not shown, or not in this way.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "it describes what is sent")]
struct Sent {
    /// 32 to 512 visible characters; needs `update:client_keys`.
    client_secret: Option<String>,
    /// The public keys that it authenticates with; excludes `token_endpoint_auth_method`.
    client_authentication_methods: Option<GivenMethods>,
}

/// What the server writes, or shows in another way than it is sent.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "it describes what is shown")]
struct Written {
    client_id: ClientId,
    /// Whose client it is.
    tenant: String,
    /// `false`: this server has no client of all tenants.
    global: bool,
    /// Where it was made: it is in no other answer.
    #[schema(nullable = false)]
    client_secret: Option<String>,
    /// The public keys that it authenticates with, by their ids.
    #[schema(nullable = false)]
    client_authentication_methods: Option<MethodsInUse>,
    /// The certificates of the tenant's keys; needs `read:client_keys`.
    #[schema(nullable = false)]
    signing_keys: Option<Vec<ClientSigningKey>>,
    /// `oidc_logout` by its older name.
    #[schema(nullable = false)]
    oidc_backchannel_logout: Option<OlderOidcLogout>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
}

/// What older tools read.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "it describes what is shown")]
struct OlderOidcLogout {
    backchannel_logout_urls: Vec<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// There is no global client here: `true` is answered as what this server does not have.
    is_global: Option<bool>,
    /// Whether they belong to the tenant's owner; all do.
    is_first_party: Option<bool>,
    /// Kinds of clients, with commas between them.
    app_type: Option<String>,
    /// There are no external ids here: it finds none.
    external_client_id: Option<String>,
    /// `name:TEXT` or `TEXT`: clients with this in their name.
    q: Option<String>,
}

/// List clients
#[utoipa::path(
    get, path = "/clients", operation_id = "list_clients", tag = "clients",
    params(PageQuery, PositionQuery, FieldsQuery, ListQuery),
    security(
        ("token" = ["read:clients"]), ("token" = ["read:client_keys"]), ("token" = ["read:client_credentials"]),
        ("token" = ["read:client_summary"])
    ),
    responses((status = 200, description = "The clients, in the order in which they were made.", body = ClientList))
)]
async fn list(
    caller: ApiCaller,
    part: PartQuery,
    fields: Fields,
    ApiQuery(query): ApiQuery<ListQuery>,
) -> Result<Json<Value>, ApiError> {
    let shows = Shows::to(&caller, fields).await?;
    // An export takes an empty list for a broken tenant, and goes on after this.
    if query.is_global == Some(true) {
        return Err(ApiError::insufficient_scope(["read:global_clients".to_owned()]));
    }
    let filter = ClientFilter {
        app_types: query.app_type.iter().flat_map(|types| types.split(',')).map(str::to_owned).collect(),
        is_first_party: query.is_first_party,
        name_part: query.q.as_deref().map(name_part).transpose()?,
    };
    let part = part.part(&caller, "clients")?;
    let listed = match query.external_client_id {
        Some(_) => Listed::default(),
        None => manage::list_clients(caller.idp(), caller.tenant(), &filter, part.span()).await?,
    };
    part.answer(&caller, listed.map(|client| shows.of(client)))
}

/// Create a client
#[utoipa::path(
    post, path = "/clients", operation_id = "create_client", tag = "clients", request_body = NewClient,
    security(("token" = ["create:clients"])),
    responses((status = 201, description = "The client. Its `client_secret` is in no other answer.", body = Client))
)]
async fn create(
    caller: ApiCaller,
    ApiJson(sent): ApiJson<Map<String, Value>>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let tenant = &caller.context().tenant;
    let mut client = manage::create_client(caller.idp(), &tenant.id, &sent).await?;
    client.insert(SIGNING_KEYS.to_owned(), manage::client_signing_keys(caller.idp(), tenant).await?);
    Ok((StatusCode::CREATED, Json(Value::Object(client))))
}

/// Get a client
#[utoipa::path(
    get, path = "/clients/{id}", operation_id = "get_client", tag = "clients",
    params(("id" = String, Path, description = "Its `client_id`."), FieldsQuery),
    security(
        ("token" = ["read:clients"]), ("token" = ["read:client_keys"]), ("token" = ["read:client_credentials"]),
        ("token" = ["read:client_summary"])
    ),
    responses((status = 200, description = "The client.", body = SelectedClient), (status = 404, description = "There is none."))
)]
async fn get(
    caller: ApiCaller,
    ApiPath(id): ApiPath<ClientId>,
    fields: Fields,
) -> Result<Json<Value>, ApiError> {
    let shows = Shows::to(&caller, fields).await?;
    let client = manage::get_client(caller.idp(), caller.tenant(), &id).await?;
    Ok(Json(shows.of(Value::Object(client))))
}

/// Update a client
#[utoipa::path(
    patch, path = "/clients/{id}", operation_id = "update_client", tag = "clients", request_body = ClientChange,
    params(("id" = String, Path, description = "Its `client_id`.")),
    security(
        ("token" = ["update:clients"]), ("token" = ["update:client_keys"]),
        ("token" = ["update:client_credentials"])
    ),
    responses((status = 200, description = "The client.", body = Client), (status = 404, description = "There is none."))
)]
async fn update(
    caller: ApiCaller,
    ApiPath(id): ApiPath<ClientId>,
    ApiJson(sent): ApiJson<Map<String, Value>>,
) -> Result<Json<Value>, ApiError> {
    may_change(&caller, &sent)?;
    let mut client = manage::update_client(caller.idp(), caller.tenant(), &id, &sent).await?;
    if let Some(keys) = signing_keys(&caller).await? {
        client.insert(SIGNING_KEYS.to_owned(), keys);
    }
    Ok(Json(Value::Object(client)))
}

/// Delete a client
#[utoipa::path(
    delete, path = "/clients/{id}", operation_id = "delete_client", tag = "clients",
    params(("id" = String, Path, description = "Its `client_id`.")),
    security(("token" = ["delete:clients"])),
    responses(
        (status = 204, description = "It is gone, and its refresh tokens with what was made from them."),
        (status = 404, description = "There is none.")
    )
)]
async fn delete(caller: ApiCaller, ApiPath(id): ApiPath<ClientId>) -> Result<StatusCode, ApiError> {
    manage::delete_client(caller.idp(), caller.tenant(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Rotate a client's secret
#[utoipa::path(
    post, path = "/clients/{id}/rotate-secret", operation_id = "rotate_client_secret", tag = "clients",
    params(("id" = String, Path, description = "Its `client_id`.")),
    security(("token" = ["update:client_keys"])),
    responses(
        (status = 200, description = "The client. Its `client_secret` is in no other answer.", body = Client),
        (status = 404, description = "There is none.")
    )
)]
async fn rotate_secret(caller: ApiCaller, ApiPath(id): ApiPath<ClientId>) -> Result<Json<Value>, ApiError> {
    let client = manage::rotate_client_secret(caller.idp(), caller.tenant(), &id).await?;
    Ok(Json(Value::Object(client)))
}

/// Secrets and keys have scopes of their own.
fn may_change(caller: &ApiCaller, sent: &Map<String, Value>) -> Result<(), ApiError> {
    for name in sent.keys() {
        let scope = match name.as_str() {
            "client_secret" => "update:client_keys",
            "client_authentication_methods" => "update:client_credentials",
            _ => "update:clients",
        };
        if !caller.has_scope(scope) {
            return Err(ApiError::insufficient_scope([scope.to_owned()]));
        }
    }
    Ok(())
}

/// The part of a name that `q` asks for.
fn name_part(q: &str) -> Result<String, ApiError> {
    let text = q.strip_prefix("name:").unwrap_or(q);
    let text = text.trim().trim_matches('"').trim_matches('*');
    if text.contains([':', '"', '(', ')', '*']) {
        return Err(ApiError::invalid_query("Query validation error: q is TEXT or name:TEXT"));
    }
    Ok(text.to_owned())
}

/// The tenant's certificates, if the caller may see them.
async fn signing_keys(caller: &ApiCaller) -> Result<Option<Value>, ApiError> {
    if !caller.has_scope("read:client_keys") {
        return Ok(None);
    }
    Ok(Some(manage::client_signing_keys(caller.idp(), &caller.context().tenant).await?))
}

/// What the caller sees of a client.
struct Shows {
    fields: Fields,
    only_summary: bool,
    signing_keys: Option<Value>,
}

/// What `read:client_summary` shows.
const SUMMARY: [&str; 4] = ["client_id", "name", "app_type", "logo_uri"];
const SIGNING_KEYS: &str = "signing_keys";

impl Shows {
    async fn to(caller: &ApiCaller, fields: Fields) -> Result<Self, ApiError> {
        let all = ["read:clients", "read:client_keys", "read:client_credentials"];
        let signing_keys = match fields.has(SIGNING_KEYS) {
            true => signing_keys(caller).await?,
            false => None,
        };
        Ok(Self { fields, only_summary: !all.iter().any(|scope| caller.has_scope(scope)), signing_keys })
    }

    fn of(&self, client: Value) -> Value {
        let Value::Object(mut client) = client else { return json!({}) };
        if self.only_summary {
            client.retain(|name, _| SUMMARY.contains(&name.as_str()));
        }
        if let Some(keys) = &self.signing_keys {
            client.insert(SIGNING_KEYS.to_owned(), keys.clone());
        }
        Value::Object(self.fields.select(client))
    }
}
