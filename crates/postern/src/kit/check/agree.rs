//! What one part of an event says of another: each part is made by chance, and these are set right afterwards.

use action_api::schema::Flow;
use serde_json::{Map, Value, json};

/// Makes the parts of an event agree with one another and with its flow, as they do in the server's own events.
pub fn agree(event: &mut Value, flow: Flow) {
    let user_id = event["user"]["user_id"].as_str().unwrap_or_default().to_owned();
    let user_id = if user_id.contains('|') { user_id } else { format!("auth0|{user_id}") };
    let client_id = event["client"]["client_id"].clone();
    event["user"]["user_id"] = json!(user_id);
    event["user"]["identities"] = json!([{
        "connection": event["connection"]["name"],
        "provider": event["connection"]["strategy"],
        "user_id": user_id.split_once('|').map_or("", |(_, id)| id),
        "isSocial": false,
    }]);
    not_after(&mut event["user"], "created_at", "updated_at");
    if let Some(domain) = event.pointer("/custom_domain/domain").cloned() {
        event["request"]["hostname"] = domain;
    }
    if let Some(session) = event.get_mut("session") {
        session["user_id"] = json!(user_id);
        not_after(session, "idle_expires_at", "expires_at");
        let one_of = json!({ "client_id": client_id });
        if let Some(clients) = session["clients"].as_array_mut()
            && !clients.contains(&one_of)
        {
            clients.push(one_of);
        }
    }
    let session_id = event.pointer("/session/id").cloned();
    if let Some(token) = event.get_mut("refresh_token") {
        token["user_id"] = json!(user_id);
        token["client_id"] = client_id;
        token["access"] = json!(if flow == Flow::OnlineRefresh { "online" } else { "offline" });
        if let Some(id) = session_id {
            token["session_id"] = id;
        }
        if token.get("expires_at").is_some() && token.get("idle_expires_at").is_some() {
            not_after(token, "idle_expires_at", "expires_at");
        }
    }
    if let Some(methods) = event.pointer_mut("/authentication/methods").and_then(Value::as_array_mut)
        && methods.is_empty()
    {
        let at = "2026-01-02T03:04:05.678Z";
        methods.push(json!({ "name": "pwd", "timestamp": at }));
    }
    transaction_and_request(event, flow);
}

/// Sets the first moment to the second where it is later: as texts of one form they compare like moments.
fn not_after(object: &mut Value, first: &str, second: &str) {
    if object[first].as_str() > object[second].as_str() {
        object[first] = object[second].clone();
    }
}

fn transaction_and_request(event: &mut Value, flow: Flow) {
    let transaction = &mut event["transaction"];
    transaction["protocol"] = json!(flow.protocol());
    let at_authorize = matches!(flow, Flow::Login | Flow::Transfer);
    if at_authorize {
        transaction["response_type"] = json!(["code"]);
        let silent = transaction["prompt"].as_array().is_some_and(|prompt| prompt.contains(&json!("none")));
        // `none` stands alone.
        if silent {
            transaction["prompt"] = json!(["none"]);
        }
    }
    let transaction = event["transaction"].clone();
    let words = |name: &str| -> Option<Value> {
        let list: Vec<&str> = transaction[name].as_array()?.iter().filter_map(Value::as_str).collect();
        (!list.is_empty()).then(|| json!(list.join(" ")))
    };
    let mut query = Map::new();
    let mut body = Map::new();
    if at_authorize {
        query.insert("client_id".into(), event["client"]["client_id"].clone());
        query.insert("response_type".into(), json!("code"));
        for (parameter, from) in [
            ("scope", "requested_scopes"),
            ("prompt", "prompt"),
            ("ui_locales", "ui_locales"),
            ("acr_values", "acr_values"),
        ] {
            query.extend(words(from).map(|value| (parameter.to_owned(), value)));
        }
        for name in ["redirect_uri", "state", "login_hint", "response_mode", "correlation_id"] {
            query.extend(transaction.get(name).map(|value| (name.to_owned(), value.clone())));
        }
    }
    let grant = match flow {
        Flow::Password => Some("password"),
        Flow::Refresh | Flow::OnlineRefresh => Some("refresh_token"),
        Flow::Login | Flow::Transfer | Flow::Device => None,
    };
    if let Some(grant) = grant {
        body.insert("grant_type".into(), json!(grant));
        body.insert("client_id".into(), event["client"]["client_id"].clone());
        body.extend(words("requested_scopes").map(|value| ("scope".to_owned(), value)));
    }
    let request = &mut event["request"];
    request["method"] = json!(if grant.is_some() { "POST" } else { "GET" });
    request["query"] = Value::Object(query);
    request["body"] = Value::Object(body);
}
