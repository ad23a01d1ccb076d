//! `/logs`: what happened in the tenant.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use axum::{Extension, Json};
use futures_util::stream::{self, Stream, StreamExt};
use idp::Idp;
use idp::manage::{self, Follower, LogQuery, LogSearchError, LogView};
use model::{TenantId, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use storage::{LogId, StoredLog};
use tokio::sync::OwnedSemaphorePermit;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::page::{DEFAULT, MOST, take_of};
use super::schema::{answer, list};
use super::users::only_search_engine;
use super::{ApiCaller, ApiError, ApiPath, ApiQuery, Fields, FieldsQuery, Page};
use crate::AppState;
use crate::error::log_once;
use crate::serve::Stopping;

/// How long an entry waits at most before a follower gets it.
const PAUSE: Duration = Duration::from_secs(1);
/// A follower that hears nothing else hears that the connection is alive.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// The most entries that are read at once.
const BATCH: i64 = 100;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(follow)).routes(routes!(get))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct LogPageQuery {
    /// The first page is 0. Pages reach 1,000 entries.
    page: Option<i64>,
    /// At most 100.
    per_page: Option<i64>,
    /// Whether the answer is an object with `total`, which is no more than 1,000.
    include_totals: Option<bool>,
    /// `date:-1`, the newest first, or `date:1`.
    sort: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// As `type:"f" AND date:[2026-01-01 TO *]`. Fields: type, date, log_id, client_id, client_name, user_id, user_name, ip,
    /// user_agent, hostname, connection, connection_id, organization_id, description.
    q: Option<String>,
    /// Another name of `q`.
    search: Option<String>,
    /// `v3` is the only one. Clients of Go send it with `q`, for whatever list.
    search_engine: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct FromQuery {
    /// A log_id: the entries that were written after that one, in that order, none left out. Nothing but `take`, `fields`
    /// and `include_fields` counts then.
    from: Option<String>,
    /// How many of those, at most 100. Without `from` they are the first ones.
    take: Option<i64>,
}

/// A page of entries.
pub(super) struct LogPage {
    page: Page,
    ascending: bool,
}

impl LogPageQuery {
    pub(super) fn page(&self) -> Result<LogPage, ApiError> {
        let page = Page::new(self.page, self.per_page, self.include_totals, DEFAULT)?;
        let ascending = match self.sort.as_deref() {
            None | Some("date:-1") => false,
            Some("date:1") => true,
            Some(_) => {
                return Err(ApiError::invalid_query(
                    "Query validation error: sort must be date:1 or date:-1",
                ));
            }
        };
        Ok(LogPage { page, ascending })
    }
}

impl LogPage {
    /// What is found.
    pub(super) async fn answer(
        &self,
        caller: &ApiCaller,
        query: Option<&str>,
        fields: &Fields,
    ) -> Result<Json<Value>, ApiError> {
        let query = LogQuery { query, ascending: self.ascending };
        let listed = manage::search_logs(caller.idp(), caller.tenant(), query, self.page.span()).await;
        let listed = listed.map_err(|error| match error {
            LogSearchError::Query(text) => ApiError::invalid_query(text),
            LogSearchError::Server(error) => error.into(),
        })?;
        Ok(self.page.answer_with_length("logs", listed.map(|log| fields.shown(&LogView::from(log)))))
    }
}

answer!(
    /// As `fields` says.
    SelectedLogEntry, "An entry of the log, with the fields that were asked for.", [LogView], []
);

list!(
    /// Entries.
    SelectedLogList, "Entries of the log.", SelectedLogEntry, "logs", [Rows, TotalsAndLength]
);

/// List entries of the tenant's log
#[utoipa::path(
    get, path = "/logs", operation_id = "list_logs", tag = "logs",
    params(LogPageQuery, ListQuery, FieldsQuery, FromQuery),
    security(("token" = ["read:logs"]), ("token" = ["read:logs_users"])),
    responses((
        status = 200, description = "The entries; with `include_totals` an object that has them as `logs`.",
        body = SelectedLogList
    ))
)]
async fn list(
    caller: ApiCaller,
    ApiQuery(page): ApiQuery<LogPageQuery>,
    ApiQuery(query): ApiQuery<ListQuery>,
    fields: Fields,
    ApiQuery(after): ApiQuery<FromQuery>,
) -> Result<Json<Value>, ApiError> {
    if after.from.is_some() || after.take.is_some() {
        let take = take_of(after.take, MOST)?;
        let from = after.from.as_deref().map(log_id).transpose()?;
        let logs = manage::logs_from(caller.idp(), caller.tenant(), from, take).await?;
        return Ok(Json(logs.into_iter().map(|log| fields.shown(&LogView::from(log))).collect()));
    }
    let page = page.page()?;
    only_search_engine(query.search_engine.as_deref())?;
    let q = query.q.as_deref().or(query.search.as_deref()).filter(|q| !q.trim().is_empty());
    page.answer(&caller, q, &fields).await
}

/// Get an entry of the tenant's log
#[utoipa::path(
    get, path = "/logs/{id}", operation_id = "get_log", tag = "logs",
    params(("id" = String, Path, description = "Its log_id.")),
    security(("token" = ["read:logs"]), ("token" = ["read:logs_users"])),
    responses((status = 200, description = "The entry.", body = LogView), (status = 404, description = "There is none."))
)]
async fn get(caller: ApiCaller, ApiPath(id): ApiPath<String>) -> Result<Json<LogView>, ApiError> {
    let log = manage::log(caller.idp(), caller.tenant(), &id).await?;
    Ok(Json(log.into()))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct FollowQuery {
    /// A log_id: begin with what was written after that entry. The header `Last-Event-ID`, which says the same, comes first.
    from: Option<String>,
}

/// Follow the tenant's log
///
/// Server-sent events: each entry as the `data` of an event whose `id` is its log_id, in the order in which they were written, none
/// left out. Without `from` and `Last-Event-ID` it begins now. It ends when the access token does, or the server.
#[utoipa::path(
    get, path = "/logs/stream", operation_id = "follow_logs", tag = "logs", params(FollowQuery),
    security(("token" = ["read:logs"])),
    responses(
        (status = 200, description = "The events. The `data` of each is a `LogEntry`.", body = String, content_type = "text/event-stream"),
        (status = 429, description = "Too many follow already.")
    )
)]
async fn follow(
    caller: ApiCaller,
    Extension(stopping): Extension<Stopping>,
    headers: HeaderMap,
    ApiQuery(query): ApiQuery<FollowQuery>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let from = last.or(query.from.as_deref()).filter(|id| !id.is_empty()).map(log_id).transpose()?;
    let tenant = caller.context().tenant.id.clone();
    let Some(places) = caller.state().log_followers.place(&tenant) else {
        let text = "Too many follow the log already";
        return Err(ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", text));
    };
    let follower = Follower::begin(caller.idp(), &tenant, from).await?;
    let following = Following {
        idp: Arc::clone(&caller.state().idp),
        tenant,
        follower,
        until: caller.client().expires_at,
        stopping,
        _places: places,
    };
    let events = stream::unfold(following, Following::next).flat_map(stream::iter);
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT)))
}

/// One who follows the log.
struct Following {
    idp: Arc<Idp>,
    tenant: TenantId,
    follower: Follower,
    until: Timestamp,
    stopping: Stopping,
    _places: [OwnedSemaphorePermit; 2],
}

impl Following {
    /// Waits for the next events. `None`: it is over.
    async fn next(mut self) -> Option<(Vec<Result<Event, Infallible>>, Self)> {
        loop {
            if self.idp.now() >= self.until {
                return None;
            }
            let found = match self.follower.next(&self.idp, &self.tenant, BATCH).await {
                Ok(found) => found,
                Err(error) => {
                    log_once(&error);
                    return None;
                }
            };
            if !found.is_empty() {
                let events = found.into_iter().map(|log| Ok(event(log))).collect();
                return Some((events, self));
            }
            tokio::select! {
                () = self.stopping.begun() => return None,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }
}

fn event(log: StoredLog) -> Event {
    let log = LogView::from(log);
    let data = json!(log).to_string();
    Event::default().id(log.log_id).event("log").data(data)
}

fn log_id(text: &str) -> Result<LogId, ApiError> {
    LogId::parse(text).ok_or_else(|| ApiError::invalid_query("Query validation error: from is no log_id"))
}
