//! What surrounds every route: the request id, the log line, limits, panics and headers.

use std::any::Any;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use model::random_token;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::trace::{DefaultOnResponse, TraceLayer};
use tracing::Level;

use crate::error::{oauth_json, server_error_json_unlogged, server_error_page};
use crate::management::{self, ApiError};
use crate::measure::measured;
use crate::pages::error::{ErrorText, render};
use crate::{AppState, headers};

/// The longest path with query. `state` of 1 kB and a session transfer token fit many times.
const MAX_URL_BYTES: usize = 16 * 1024;
/// How long one request may take, Actions included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

tokio::task_local! {
    static REQUEST: RequestInfo;
}

struct RequestInfo {
    id: String,
    surface: Surface,
}

/// Who reads the errors of a path, and so their form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Surface {
    /// People.
    Pages,
    /// OAuth clients.
    OAuth,
    /// Tools.
    Management,
}

impl Surface {
    /// By the path.
    pub(crate) fn of(path: &str) -> Self {
        let oauth = ["/oauth/", "/mfa/", "/.well-known/"];
        if path.strip_prefix(management::BASE).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
            Self::Management
        } else if oauth.iter().any(|folder| path.starts_with(folder)) || path == "/userinfo" {
            Self::OAuth
        } else {
            Self::Pages
        }
    }

    fn of_current() -> Self {
        REQUEST.try_with(|request| request.surface).unwrap_or(Self::Pages)
    }
}

/// The id of the request under way: in the log, in the header `x-request-id` and on error pages.
pub(crate) fn current_request_id() -> String {
    REQUEST.try_with(|request| request.id.clone()).unwrap_or_default()
}

/// Wraps the routes. The last layer added is the first to see a request.
pub(crate) fn wrap(routes: Router<AppState>, state: &AppState) -> Router<AppState> {
    let trace = TraceLayer::new_for_http()
        // The path alone: a query may hold a code, a state or a session transfer token.
        .make_span_with(|request: &Request| {
            tracing::info_span!(
                "request",
                id = %current_request_id(),
                method = %request.method(),
                path = request.uri().path(),
            )
        })
        .on_response(DefaultOnResponse::new().level(Level::INFO))
        .on_failure(());
    routes
        .layer(CatchPanicLayer::custom(panicked))
        .layer(trace)
        .layer(from_fn_with_state(state.clone(), around))
}

async fn around(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let info =
        RequestInfo { id: random_token(&*state.idp.random, 22), surface: Surface::of(request.uri().path()) };
    let id = HeaderValue::from_str(&info.id);
    let path = request.uri().path().to_owned();
    let mut response = REQUEST
        .scope(info, measured(&state.trusted_proxies, request, |request| within_limits(request, next)))
        .await;
    if let Ok(id) = id {
        response.headers_mut().insert("x-request-id", id);
    }
    headers::complete(&mut response, &path, state.hosts.scheme());
    response
}

async fn within_limits(request: Request, next: Next) -> Response {
    let url = request.uri().path_and_query().map_or(0, |url| url.as_str().len());
    if url > MAX_URL_BYTES {
        return refuse(StatusCode::URI_TOO_LONG, "The address of this request is too long.");
    }
    match tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            tracing::error!(request_id = %current_request_id(), "a request took too long");
            refuse(
                StatusCode::SERVICE_UNAVAILABLE,
                "This took too long. Go back to the application and try again.",
            )
        }
    }
}

/// A refusal that belongs to no endpoint, in the form that fits the path.
pub(crate) fn refuse(status: StatusCode, text: &str) -> Response {
    match Surface::of_current() {
        Surface::Pages => render(status, &ErrorText { title: "This did not work", text, code: None }),
        Surface::OAuth => {
            let code = if status.is_server_error() { "temporarily_unavailable" } else { "invalid_request" };
            oauth_json(status, code, text)
        }
        Surface::Management => ApiError::new(status, None, text).into_response(),
    }
}

/// The message of a panic may hold anything and is not logged here; the panic hook has written its place.
fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    tracing::error!(request_id = %current_request_id(), "a handler panicked");
    match Surface::of_current() {
        Surface::Pages => server_error_page(),
        Surface::OAuth => server_error_json_unlogged(),
        Surface::Management => management::unexpected().into_response(),
    }
}
