//! Who may call which operation. One layer decides for all of them, by the `security` of the OpenAPI document: an operation that names
//! no scope is refused.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use idp::management_api::{ApiClient, Operation, authenticate, log_operation};
use idp::{Idp, IdpError, RequestContext, ServerError};
use model::TenantId;
use serde_json::Value;

use super::error::ApiError;
use super::{BASE, rate_limit, unexpected};
use crate::AppState;
use crate::error::log_once;
use crate::extract::Caller;

/// Characters that are kept of `X-Correlation-ID`.
const CORRELATION_ID_CHARS: usize = 64;

/// A call: who calls, for which tenant, and what answers it. There is none before the guard has let the call through.
#[derive(Clone)]
pub(crate) struct ApiCaller(Arc<Inner>);

struct Inner {
    state: AppState,
    context: RequestContext,
    client: ApiClient,
}

impl ApiCaller {
    /// What the server works with.
    pub(crate) fn state(&self) -> &AppState {
        &self.0.state
    }

    /// The use cases.
    pub(crate) fn idp(&self) -> &Idp {
        &self.0.state.idp
    }

    /// The tenant's name.
    pub(crate) fn tenant(&self) -> &TenantId {
        &self.0.context.tenant.id
    }

    /// The tenant and where the request came from.
    pub(crate) fn context(&self) -> &RequestContext {
        &self.0.context
    }

    /// The client that calls, and what it may do.
    pub(crate) fn client(&self) -> &ApiClient {
        &self.0.client
    }

    /// Whether the access token has this scope, where an operation shows or does more with it.
    pub(crate) fn has_scope(&self, scope: &str) -> bool {
        self.0.client.scope.iter().any(|granted| granted == scope)
    }
}

impl FromRequestParts<AppState> for ApiCaller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(not_guarded)
    }
}

/// A handler was reached in another way than by the guard.
pub(super) fn not_guarded() -> ApiError {
    log_once(&ServerError::Inconsistent("an operation of the Management API is not guarded".into()));
    unexpected()
}

/// What the guard knows of each operation.
pub(super) struct Operations(HashMap<(String, String), Known>);

/// The names that may be in an operation's query.
#[derive(Debug, Clone)]
pub(super) struct QueryNames(Arc<[String]>);

impl QueryNames {
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|known| known == name)
    }
}

struct Known {
    summary: String,
    query: QueryNames,
    /// Alternatives; all scopes of one are needed.
    scopes: Vec<Vec<String>>,
}

impl Operations {
    /// Reads them from the document.
    pub(super) fn of(document: &utoipa::openapi::OpenApi) -> Self {
        let document = serde_json::to_value(document).unwrap_or_default();
        let paths = document["paths"].as_object().cloned().unwrap_or_default();
        let operations = paths.into_iter().flat_map(|(path, item)| {
            let item = item.as_object().cloned().unwrap_or_default();
            item.into_iter().map(move |(method, operation)| {
                let known = Known {
                    summary: operation["summary"].as_str().unwrap_or_default().to_owned(),
                    query: query(&operation),
                    scopes: security(&operation),
                };
                ((method.to_ascii_uppercase(), path.clone()), known)
            })
        });
        Self(operations.collect())
    }

    fn find(&self, method: &Method, route: &str) -> Option<&Known> {
        // axum answers HEAD with what GET answers.
        let method = if *method == Method::HEAD { "GET" } else { method.as_str() };
        self.0.get(&(method.to_owned(), route.to_owned()))
    }
}

fn security(operation: &Value) -> Vec<Vec<String>> {
    let entries = operation["security"].as_array().cloned().unwrap_or_default();
    let scopes = |entry: &Value| serde_json::from_value(entry["token"].clone()).unwrap_or_default();
    entries.iter().map(scopes).filter(|scopes: &Vec<String>| !scopes.is_empty()).collect()
}

fn query(operation: &Value) -> QueryNames {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let names = parameters.filter(|parameter| parameter["in"] == "query");
    QueryNames(names.filter_map(|parameter| parameter["name"].as_str().map(str::to_owned)).collect())
}

/// What the layer works with.
#[derive(Clone)]
pub(super) struct Guard {
    pub(super) state: AppState,
    pub(super) operations: Arc<Operations>,
}

/// Authenticates the call, counts it, checks its scopes, and logs what it wrote.
pub(super) async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let caller = match Caller::from_request_parts(&mut parts, &guard.state).await {
        Ok(caller) => caller,
        Err(response) => return response,
    };
    let client = match api_client(&guard.state, &caller.context, &parts.headers).await {
        Ok(client) => client,
        Err(error) => return error.into_response(),
    };
    let count = guard.state.management_calls.count(
        &caller.context.tenant.id,
        &client.client.client_id,
        guard.state.idp.now(),
    );
    let state = guard.state.clone();
    let caller = ApiCaller(Arc::new(Inner { state, context: caller.context, client }));
    let mut response = match count.is_allowed() {
        true => answer(&guard, &caller, parts, body, next).await,
        false => count.refusal().into_response(),
    };
    rate_limit::write_headers(&count, response.headers_mut());
    response
}

async fn answer(
    guard: &Guard,
    caller: &ApiCaller,
    mut parts: Parts,
    body: axum::body::Body,
    next: Next,
) -> Response {
    let route = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str).to_owned();
    let known = guard.operations.find(&parts.method, &route);
    if let Some(known) = known
        && !known.scopes.iter().any(|all| all.iter().all(|scope| caller.has_scope(scope)))
    {
        return ApiError::insufficient_scope(known.scopes.iter().flatten().cloned()).into_response();
    }
    // The route of what is not there has no operation.
    if known.is_none() && route != format!("{BASE}/{{*rest}}") {
        return ApiError::new(axum::http::StatusCode::METHOD_NOT_ALLOWED, None, "Method Not Allowed")
            .into_response();
    }
    let (method, path) = (parts.method.clone(), parts.uri.path().to_owned());
    let correlation_id = correlation_id(&parts.headers);
    parts.extensions.insert(caller.clone());
    if let Some(known) = known {
        parts.extensions.insert(known.query.clone());
    }
    let response = next.run(Request::from_parts(parts, body)).await;
    if let Some(known) = known.filter(|_| !method.is_safe()) {
        let operation = Operation {
            method: method.as_str(),
            route: &route,
            path: &path,
            summary: &known.summary,
            status: response.status().as_u16(),
            correlation_id,
        };
        let client = &caller.client().client;
        // It is done: that it could not be logged does not undo it.
        if let Err(error) = log_operation(&guard.state.idp, caller.context(), client, &operation).await {
            log_once(&error);
        }
    }
    response
}

async fn api_client(
    state: &AppState,
    context: &RequestContext,
    headers: &HeaderMap,
) -> Result<ApiClient, ApiError> {
    let mut values = headers.get_all(AUTHORIZATION).into_iter();
    let token = match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok().and_then(|value| value.split_once(' ')),
        _ => None,
    };
    let Some((_, token)) = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) else {
        return Err(ApiError::unauthorized(None, "Missing authentication"));
    };
    match authenticate(&state.idp, context, token.trim()).await {
        Ok(client) => Ok(client),
        Err(IdpError::OAuth(error)) => Err(ApiError::unauthorized(Some("invalid_token"), error.description)),
        Err(IdpError::Server(error)) => Err(error.into()),
    }
}

fn correlation_id(headers: &HeaderMap) -> Option<String> {
    let value = headers.get("x-correlation-id").map(HeaderValue::to_str)?.ok()?;
    Some(value.chars().take(CORRELATION_ID_CHARS).collect())
}
