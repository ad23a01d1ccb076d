//! Which origins of browsers may call the endpoints for programs. No answer ever allows credentials: cookies play no
//! part at these endpoints.

use axum::extract::State;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use idp::ServerError;
use model::{Client, ClientId, TenantId};
use url::Url;

use crate::AppState;
use crate::extract::Caller;

/// Answers the preflight of discovery and the JWKS.
pub(crate) async fn preflight_public() -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    allow_everyone(&mut response);
    add_preflight(response.headers_mut(), "GET");
    response
}

/// Public documents are for everyone.
pub(crate) fn allow_everyone(response: &mut Response) {
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
}

/// Answers the preflight of the other endpoints. It names no client, so that the origin of any client of the tenant
/// will do; the request itself is looked at again.
pub(crate) async fn preflight(State(state): State<AppState>, caller: Caller, headers: HeaderMap) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    allow_client(&state, &caller.context.tenant.id, &headers, None, &mut response).await;
    if response.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
        add_preflight(response.headers_mut(), "GET, POST, DELETE");
    }
    response
}

/// Lets the page that sent this request read the answer when its origin is that of a registered callback or allowed: of the
/// client that the request names, or of any client where it names none.
pub(crate) async fn allow_client(
    state: &AppState,
    tenant: &TenantId,
    headers: &HeaderMap,
    client_id: Option<&str>,
    response: &mut Response,
) {
    response.headers_mut().append(VARY, HeaderValue::from_static("Origin"));
    let Some(value) = headers.get(ORIGIN) else { return };
    let Ok(origin) = value.to_str() else { return };
    match is_a_clients_origin(state, tenant, origin, client_id).await {
        Ok(true) => {
            let headers = response.headers_mut();
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, value.clone());
            headers.insert(
                ACCESS_CONTROL_EXPOSE_HEADERS,
                HeaderValue::from_static("WWW-Authenticate, DPoP-Nonce"),
            );
        }
        Ok(false) => {}
        Err(error) => tracing::error!(%error, "the origins of a client could not be read"),
    }
}

async fn is_a_clients_origin(
    state: &AppState,
    tenant: &TenantId,
    origin: &str,
    client_id: Option<&str>,
) -> Result<bool, ServerError> {
    let mut tx = state.idp.storage.begin_read(tenant).await?;
    let clients = match client_id {
        Some(id) => tx.client(&ClientId::new(id)).await?.into_iter().collect(),
        None => tx.clients().await?,
    };
    Ok(clients.iter().any(|client| has_origin(client, origin)))
}

fn has_origin(client: &Client, origin: &str) -> bool {
    client.callbacks.iter().filter_map(|callback| Url::parse(callback).ok()).any(|callback| {
        let registered = callback.origin();
        registered.is_tuple() && registered.ascii_serialization() == origin
    }) || client.allowed_origins.iter().any(|allowed| is_allowed(allowed, origin))
}

/// Whether the origin is this one; a `*` stands for one label, the first of the host.
fn is_allowed(allowed: &str, origin: &str) -> bool {
    let Some((scheme, domain)) = allowed.split_once("://*.") else { return allowed == origin };
    let host = origin.strip_prefix(scheme).and_then(|rest| rest.strip_prefix("://"));
    let rest = host.and_then(|host| host.split_once('.'));
    rest.is_some_and(|(label, rest)| !label.is_empty() && rest == domain && domain.contains('.'))
}

fn add_preflight(headers: &mut HeaderMap, methods: &'static str) {
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
    let allowed = HeaderValue::from_static("authorization, content-type, auth0-client, dpop");
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed);
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_one_label() {
        for (allowed, origin, is) in [
            ("https://a.example", "https://a.example", true),
            ("https://a.example", "https://b.a.example", false),
            ("https://*.a.example", "https://b.a.example", true),
            ("https://*.a.example:8443", "https://b.a.example:8443", true),
            ("https://*.a.example", "https://c.b.a.example", false),
            ("https://*.a.example", "https://.a.example", false),
            ("https://*.a.example", "https://a.example", false),
            ("https://*.a.example", "http://b.a.example", false),
            ("https://*.a.example", "https://b.a.example:444", false),
            ("https://*.example", "https://evil.example", false),
            ("*", "https://a.example", false),
        ] {
            assert_eq!(is_allowed(allowed, origin), is, "{allowed} {origin}");
        }
    }
}
