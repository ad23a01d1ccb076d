//! `/log-streams`: where the tenant's log is sent.

use axum::Json;
use axum::http::StatusCode;
use idp::manage::{self, LogStreamChanges};
use model::{
    LogFormat, LogStream, LogStreamSecrets, LogStreamStatus, PiiConfig, PiiField, PiiMethod, Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{parse, present};
use super::{ApiCaller, ApiError, ApiJson, ApiPath};
use crate::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(get, update, delete))
}

/// A new log stream.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewLogStream {
    /// `http`: other kinds are not supported.
    r#type: String,
    /// Unique. Without it, the stream's id.
    name: Option<String>,
    #[schema(value_type = HttpSink)]
    sink: Value,
    /// What is sent; all when there is none.
    filters: Option<Vec<Filter>>,
    /// Kept for other tools.
    #[serde(rename = "isPriority")]
    is_priority: Option<bool>,
    pii_config: Option<Pii>,
    /// ISO 8601: entries since then are sent as well.
    #[serde(rename = "startFrom")]
    start_from: Option<String>,
}

/// What changes of a log stream.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LogStreamPatch {
    name: Option<String>,
    /// `active` or `paused`.
    status: Option<LogStreamStatus>,
    #[schema(value_type = Option<HttpSink>)]
    sink: Option<Value>,
    /// All of them; an empty list sends everything.
    filters: Option<Vec<Filter>>,
    #[serde(rename = "isPriority")]
    is_priority: Option<bool>,
    /// `null` removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Pii>)]
    pii_config: Option<Option<Pii>>,
}

/// An HTTP endpoint that takes POST.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct HttpSink {
    /// `https` to a public address, or what the server's operator allows.
    #[serde(rename = "httpEndpoint")]
    endpoint: Option<String>,
    /// `application/json` when it is not given.
    #[serde(rename = "httpContentType")]
    content_type: Option<String>,
    /// `JSONLINES` when it is not given.
    #[serde(rename = "httpContentFormat")]
    content_format: Option<LogFormat>,
    /// The header `Authorization`. An empty text removes it.
    #[serde(rename = "httpAuthorization")]
    authorization: Option<String>,
    /// Further headers.
    #[serde(rename = "httpCustomHeaders")]
    custom_headers: Option<Vec<CustomHeader>>,
}

/// A header of the requests.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CustomHeader {
    header: String,
    value: String,
}

/// A category of entries that is sent.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Filter {
    /// `category`
    r#type: FilterType,
    /// As `auth.login.fail`.
    name: String,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum FilterType {
    Category,
}

/// What happens to personal data before it is sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Pii {
    log_fields: Vec<PiiField>,
    /// `mask` when it is not given.
    method: Option<PiiMethod>,
    /// Of the method `hash`.
    algorithm: Option<Algorithm>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Algorithm {
    Xxhash,
}

/// A log stream.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LogStream)]
struct ShownLogStream {
    /// As `lst_...`.
    id: String,
    /// Unique.
    name: String,
    r#type: LogStreamType,
    /// Whether anything is sent.
    status: LogStreamStatus,
    /// Kept for other tools.
    #[serde(rename = "isPriority")]
    is_priority: bool,
    /// What is sent; all when there is none.
    filters: Vec<Filter>,
    sink: ShownHttpSink,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pii_config: Option<ShownPii>,
    /// Entries since then are sent as well.
    #[serde(rename = "startFrom", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    start_from: Option<String>,
}

/// What kinds of log streams there are.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum LogStreamType {
    Http,
}

/// The HTTP endpoint of a log stream.
#[derive(Debug, Serialize, ToSchema)]
struct ShownHttpSink {
    /// It takes POST.
    #[serde(rename = "httpEndpoint")]
    endpoint: String,
    /// What the entries are sent as.
    #[serde(rename = "httpContentType")]
    content_type: String,
    /// How several entries make one request.
    #[serde(rename = "httpContentFormat")]
    content_format: LogFormat,
    /// The header `Authorization`.
    #[serde(rename = "httpAuthorization", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    authorization: Option<String>,
    /// Further headers.
    #[serde(rename = "httpCustomHeaders")]
    custom_headers: Vec<CustomHeader>,
}

/// What happens to personal data of a log stream.
#[derive(Debug, Serialize, ToSchema)]
struct ShownPii {
    log_fields: Vec<PiiField>,
    method: PiiMethod,
    /// Of the method `hash`.
    algorithm: Algorithm,
}

/// List log streams
#[utoipa::path(
    get, path = "/log-streams", operation_id = "list_log_streams", tag = "log-streams",
    security(("token" = ["read:log_streams"])),
    responses((status = 200, description = "The streams, the oldest first.", body = Vec<ShownLogStream>))
)]
async fn list(caller: ApiCaller) -> Result<Json<Vec<ShownLogStream>>, ApiError> {
    let streams = manage::log_streams(caller.idp(), caller.tenant()).await?;
    Ok(Json(streams.into_iter().map(|(stream, secrets)| shown(stream, secrets)).collect()))
}

/// Create a log stream
#[utoipa::path(
    post, path = "/log-streams", operation_id = "create_log_stream", tag = "log-streams", request_body = NewLogStream,
    security(("token" = ["create:log_streams"])),
    responses(
        (status = 200, description = "The stream.", body = ShownLogStream),
        (status = 409, description = "There is one of that name.")
    )
)]
async fn create(
    caller: ApiCaller,
    ApiJson(new): ApiJson<NewLogStream>,
) -> Result<Json<ShownLogStream>, ApiError> {
    if new.r#type != "http" {
        let text = format!("Log streams of the type {} are not supported here: only http is", new.r#type);
        return Err(ApiError::invalid_body(text));
    }
    let start_from = new.start_from.as_deref().map(|date| {
        Timestamp::parse_iso(date)
            .ok_or_else(|| ApiError::invalid_body("startFrom must be a date with time, ISO 8601"))
    });
    let changes = LogStreamChanges {
        name: new.name,
        categories: new.filters.map(categories),
        is_priority: new.is_priority,
        pii: new.pii_config.map(|pii| Some(pii.into())),
        start_from: start_from.transpose()?,
        ..with_sink(Some(&new.sink))?
    };
    let (stream, secrets) = manage::create_log_stream(caller.idp(), caller.tenant(), &changes).await?;
    Ok(Json(shown(stream, secrets)))
}

/// Get a log stream
#[utoipa::path(
    get, path = "/log-streams/{id}", operation_id = "get_log_stream", tag = "log-streams", params(("id" = String, Path, description = "Its id.")),
    security(("token" = ["read:log_streams"])),
    responses((status = 200, description = "The stream.", body = ShownLogStream), (status = 404, description = "There is none."))
)]
async fn get(caller: ApiCaller, ApiPath(id): ApiPath<String>) -> Result<Json<ShownLogStream>, ApiError> {
    let (stream, secrets) = manage::log_stream(caller.idp(), caller.tenant(), &id).await?;
    Ok(Json(shown(stream, secrets)))
}

/// Update a log stream
///
/// One that was paused or suspended and is active again goes on where it was.
#[utoipa::path(
    patch, path = "/log-streams/{id}", operation_id = "update_log_stream", tag = "log-streams", params(("id" = String, Path, description = "Its id.")),
    request_body = LogStreamPatch, security(("token" = ["update:log_streams"])),
    responses((status = 200, description = "The stream.", body = ShownLogStream), (status = 404, description = "There is none."))
)]
async fn update(
    caller: ApiCaller,
    ApiPath(id): ApiPath<String>,
    ApiJson(patch): ApiJson<LogStreamPatch>,
) -> Result<Json<ShownLogStream>, ApiError> {
    let changes = LogStreamChanges {
        name: patch.name,
        status: patch.status,
        categories: patch.filters.map(categories),
        is_priority: patch.is_priority,
        pii: patch.pii_config.map(|pii| pii.map(Into::into)),
        ..with_sink(patch.sink.as_ref())?
    };
    let (stream, secrets) = manage::update_log_stream(caller.idp(), caller.tenant(), &id, &changes).await?;
    Ok(Json(shown(stream, secrets)))
}

/// Delete a log stream
#[utoipa::path(
    delete, path = "/log-streams/{id}", operation_id = "delete_log_stream", tag = "log-streams", params(("id" = String, Path, description = "Its id.")),
    security(("token" = ["delete:log_streams"])),
    responses((status = 204, description = "It is not there any more."))
)]
async fn delete(caller: ApiCaller, ApiPath(id): ApiPath<String>) -> Result<StatusCode, ApiError> {
    manage::delete_log_stream(caller.idp(), caller.tenant(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn categories(filters: Vec<Filter>) -> Vec<String> {
    filters.into_iter().map(|Filter { r#type: FilterType::Category, name }| name).collect()
}

/// The sink is read by itself, so that one of another type is refused for its type.
fn with_sink(sink: Option<&Value>) -> Result<LogStreamChanges, ApiError> {
    let Some(sink) = sink else { return Ok(LogStreamChanges::default()) };
    let sink: HttpSink = parse(sink.to_string().as_bytes())?;
    Ok(LogStreamChanges {
        endpoint: sink.endpoint,
        content_type: sink.content_type,
        content_format: sink.content_format,
        authorization: sink.authorization,
        headers: sink.custom_headers.map(|headers| {
            headers.into_iter().map(|CustomHeader { header, value }| (header, value)).collect()
        }),
        ..LogStreamChanges::default()
    })
}

impl From<Pii> for PiiConfig {
    fn from(Pii { log_fields, method, algorithm }: Pii) -> Self {
        // There is one algorithm, and the method says whether it is used.
        let (None | Some(Algorithm::Xxhash)) = algorithm;
        Self { log_fields, method: method.unwrap_or(PiiMethod::Mask) }
    }
}

fn shown(stream: LogStream, secrets: LogStreamSecrets) -> ShownLogStream {
    let settings = stream.settings;
    let header = |(header, value)| CustomHeader { header, value };
    let filter = |name| Filter { r#type: FilterType::Category, name };
    ShownLogStream {
        id: stream.id,
        name: stream.name,
        r#type: LogStreamType::Http,
        status: stream.status,
        is_priority: settings.is_priority,
        filters: settings.categories.into_iter().map(filter).collect(),
        sink: ShownHttpSink {
            endpoint: settings.endpoint,
            content_type: settings.content_type,
            content_format: settings.content_format,
            authorization: secrets.authorization,
            custom_headers: secrets.headers.into_iter().map(header).collect(),
        },
        pii_config: settings.pii.map(|PiiConfig { log_fields, method }| ShownPii {
            log_fields,
            method,
            algorithm: Algorithm::Xxhash,
        }),
        start_from: settings.start_from.map(Timestamp::to_iso),
    }
}
