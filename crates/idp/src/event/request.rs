//! Where the request came from, and what it asked for.

use model::{AuthorizationRequest, RequestOrigin, SessionTransferToken};
use serde_json::{Map, Value, json};

use super::put;

pub(super) fn browser_transaction(id: &str, request: &AuthorizationRequest) -> Value {
    if request.device_code_hash.is_some() {
        return json!({
            "id": id,
            "protocol": "oauth2-device-code",
            "requested_scopes": request.requested_scopes,
            "locale": "en",
            "metadata": {},
        });
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
        "locale": "en",
        "metadata": {},
    });
    put(&mut transaction, "state", request.state.as_deref());
    put(&mut transaction, "login_hint", request.login_hint.as_deref());
    put(&mut transaction, "response_mode", request.response_mode.as_deref());
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
        "geoip": {},
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
    json!({ "client_id": token.client_id, "scope": token.scope, "request": request })
}
