//! Where the request came from, and what it asked for.

use model::{AuthorizationRequest, RequestOrigin, SessionTransferToken};
use serde_json::{Map, Value, json};

use super::put;
use crate::authorize::is_correlation_id;

/// The pages have one language.
const LOCALE: &str = "en";

pub(super) fn browser_transaction(id: &str, request: &AuthorizationRequest) -> Value {
    if request.device_code_hash.is_some() {
        let mut transaction = json!({
            "id": id,
            "protocol": "oauth2-device-code",
            "requested_scopes": request.requested_scopes,
            "locale": LOCALE,
            "metadata": {},
        });
        put(&mut transaction, "correlation_id", request.correlation_id.as_deref());
        return transaction;
    }
    let mut transaction = json!({
        "id": id,
        "protocol": "oidc-basic-profile",
        "requested_scopes": request.requested_scopes,
        "acr_values": request.acr_values,
        "ui_locales": request.ui_locales,
        "redirect_uri": request.redirect_uri,
        "response_type": ["code"],
        "prompt": request.prompt,
        "locale": LOCALE,
        "metadata": {},
    });
    put(&mut transaction, "correlation_id", request.correlation_id.as_deref());
    put(&mut transaction, "state", request.state.as_deref());
    put(&mut transaction, "login_hint", request.login_hint.as_deref());
    put(&mut transaction, "response_mode", request.response_mode.as_deref());
    transaction
}

pub(super) fn token_transaction(
    protocol: &str,
    requested_scope: &[String],
    body: &Map<String, Value>,
) -> Value {
    let mut transaction = json!({
        "protocol": protocol,
        "requested_scopes": requested_scope,
        "metadata": {},
    });
    let correlation_id = body.get("correlation_id").and_then(Value::as_str);
    put(&mut transaction, "correlation_id", correlation_id.filter(|id| is_correlation_id(id)));
    transaction
}

pub(super) fn http_request(
    origin: &RequestOrigin,
    method: &str,
    query: &Map<String, Value>,
    body: &Map<String, Value>,
) -> Value {
    let mut request = json!({
        "ip": origin.ip,
        "method": method,
        "query": query,
        "body": body,
        "geoip": origin.geoip.as_ref().map_or_else(|| json!({}), |geoip| json!(geoip)),
        "hostname": origin.hostname,
    });
    put(&mut request, "asn", origin.asn.as_deref());
    put(&mut request, "language", origin.language.as_deref());
    put(&mut request, "user_agent", origin.user_agent.as_deref());
    request
}

pub(super) fn transfer_token(token: &SessionTransferToken) -> Value {
    let mut request = json!({ "ip": token.request.ip });
    put(&mut request, "asn", token.request.asn.as_deref());
    put(&mut request, "user_agent", token.request.user_agent.as_deref());
    if let Some(geoip) = &token.request.geoip {
        request["geoip"] = json!(geoip);
    }
    json!({ "client_id": token.client_id, "scope": token.scope, "request": request })
}
