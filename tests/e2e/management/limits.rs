//! What the OpenAPI document says of values that are sent is what the server takes and refuses.

use end_to_end::TestServer;
use end_to_end::flow::{native_tokens, text};
use end_to_end::management::Api;
use end_to_end::seed;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::actions::new_action;

/// A call that works, whose body is changed in one place.
struct Call {
    operation: &'static str,
    method: Method,
    path: String,
    body: Value,
}

fn new(operation: &'static str, path: &str, body: Value) -> Call {
    Call { operation, method: Method::POST, path: path.to_owned(), body }
}

fn change(operation: &'static str, path: String) -> Call {
    Call { operation, method: Method::PATCH, path, body: json!({}) }
}

/// The members of each body, by a call that sends nothing else of them.
async fn calls(server: &TestServer, api: &Api) -> Vec<Call> {
    let tokens = native_tokens(&server.client(), seed::ADA).await;
    let user =
        end_to_end::jwt::claims(&text(&tokens, "id_token"))["sub"].as_str().unwrap().replace('|', "%7C");
    let sessions = api.get(&format!("/users/{user}/sessions")).await.expect_json(200);
    let refresh_tokens = api.get(&format!("/users/{user}/refresh-tokens")).await.expect_json(200);
    let mut calls = vec![
        new(
            "create_action",
            "/actions/actions",
            new_action("limited", "exports.onExecutePostLogin = async () => {};"),
        ),
        new("create_action_module", "/actions/modules", json!({ "name": "limited", "code": "" })),
        new("create_client", "/clients", json!({ "name": "Limited" })),
        new("create_connection", "/connections", json!({ "name": "limited", "strategy": "auth0" })),
        new(
            "create_log_stream",
            "/log-streams",
            json!({ "type": "http", "name": "limited", "sink": { "httpEndpoint": "https://logs.example/" } }),
        ),
        new("create_organization", "/organizations", json!({ "name": "limited" })),
        new(
            "create_resource_server",
            "/resource-servers",
            json!({ "identifier": "https://limited.example/" }),
        ),
        new("create_role", "/roles", json!({ "name": "limited" })),
        new(
            "create_user",
            "/users",
            json!({
                "connection": "Username-Password-Authentication", "email": "limited@acme.example",
                "password": "Trailing-7-zebras-quietly",
            }),
        ),
    ];
    let changes = [
        "update_action",
        "update_action_module",
        "update_client",
        "update_connection",
        "update_log_stream",
        "update_organization",
        "update_resource_server",
        "update_role",
        "update_user",
    ];
    for (made, operation) in
        calls.iter().map(|call| (call.path.clone(), call.body.clone())).zip(changes).collect::<Vec<_>>()
    {
        let (path, body) = made;
        let answer = api.post(&path, &body).await;
        assert!([200, 201].contains(&answer.status), "{path}: {answer:?}");
        let answer = answer.json();
        let id = ["user_id", "client_id", "id"].iter().find_map(|name| answer[name].as_str()).unwrap();
        calls.push(change(operation, format!("{path}/{}", id.replace('|', "%7C"))));
    }
    calls.push(change("update_tenant_settings", "/tenants/settings".to_owned()));
    calls.push(change("update_session", format!("/sessions/{}", text(&sessions["sessions"][0], "id"))));
    calls.push(change(
        "update_refresh_token",
        format!("/refresh-tokens/{}", text(&refresh_tokens["tokens"][0], "id")),
    ));
    calls
}

struct Document(Value);

impl Document {
    fn read() -> Self {
        Self(serde_json::to_value(web::openapi()).unwrap())
    }

    fn body_of(&self, operation: &str) -> &Value {
        let operations =
            self.0["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values());
        let known = operations.into_iter().find(|known| known["operationId"] == operation).unwrap();
        self.whole(&known["requestBody"]["content"]["application/json"]["schema"])
    }

    /// The schema that is meant: what a reference names, and what may stand there besides `null`.
    fn whole<'a>(&'a self, schema: &'a Value) -> &'a Value {
        if let Some(reference) = schema["$ref"].as_str() {
            return self.whole(self.0.pointer(&reference[1..]).unwrap());
        }
        let not_null = schema["oneOf"].as_array().into_iter().flatten().find(|part| part["type"] != "null");
        not_null.map_or(schema, |part| self.whole(part))
    }

    /// Something that fits.
    fn example(&self, schema: &Value) -> Value {
        let schema = self.whole(schema);
        let kind = match &schema["type"] {
            Value::Array(kinds) => kinds[0].clone(),
            kind => kind.clone(),
        };
        match kind.as_str() {
            Some("object") => {
                let members =
                    schema["required"].as_array().into_iter().flatten().map(|name| name.as_str().unwrap());
                members
                    .map(|name| (name.to_owned(), self.example(&schema["properties"][name])))
                    .collect::<Map<_, _>>()
                    .into()
            }
            Some("array") => json!([]),
            Some("integer" | "number") => json!(1),
            Some("boolean") => json!(false),
            _ => schema["enum"].get(0).cloned().unwrap_or_else(|| json!("x")),
        }
    }
}

/// What is just too much or too little there.
fn beyond(document: &Document, schema: &Value) -> Vec<Value> {
    let number = |name: &str| schema[name].as_u64().map(|number| usize::try_from(number).unwrap());
    let several =
        |count: usize| (0..count).map(|at| document.example_number(&schema["items"], at)).collect::<Value>();
    let mut values = Vec::new();
    values.extend(number("maxLength").map(|most| json!("x".repeat(most + 1))));
    values.extend(number("minLength").map(|least| json!("x".repeat(least - 1))));
    values.extend(number("maxItems").map(|most| several(most + 1)));
    values.extend(number("minItems").map(|least| several(least - 1)));
    values.extend(number("maxProperties").map(|most| entries(most + 1, "x")));
    if schema.get("maxProperties").is_some() {
        let most = usize::try_from(schema["additionalProperties"]["maxLength"].as_u64().unwrap()).unwrap();
        values.push(entries(1, &"x".repeat(most + 1)));
        values.push(json!({ "x".repeat(most + 1): "x" }));
        values.extend(schema["propertyNames"]["pattern"].is_string().then(|| json!({ "a b": "x" })));
    }
    if schema["type"] == "integer" || schema["type"] == json!(["integer", "null"]) {
        values.extend(schema["minimum"].as_i64().map(|least| json!(least - 1)));
        values.extend(schema["maximum"].as_i64().map(|most| json!(most + 1)));
    } else {
        values.extend(schema["minimum"].as_f64().map(|least| json!(least * 0.9)));
        values.extend(schema["maximum"].as_f64().map(|most| json!(most + 1.0)));
    }
    values.extend(schema.get("enum").map(|_| json!("no-such-value")));
    values.extend((schema["format"] == "date-time").then(|| json!("yesterday")));
    values.extend(schema.get("pattern").map(|_| json!("\u{7}<\t>@ /")));
    values
}

/// What is just allowed there, when it is of a kind that can be made from a schema.
fn border(document: &Document, schema: &Value) -> Vec<Value> {
    let number = |name: &str| schema[name].as_u64().map(|number| usize::try_from(number).unwrap());
    let several =
        |count: usize| (0..count).map(|at| document.example_number(&schema["items"], at)).collect::<Value>();
    let mut values = Vec::new();
    for count in [number("minLength"), number("maxLength")].into_iter().flatten().filter(|count| *count > 0) {
        let filled = |start: &str, end: &str| {
            format!("{start}{}{end}", "x".repeat(count.saturating_sub(start.len() + end.len())))
        };
        let texts = [
            filled("", ""),
            filled("x@", "x"),
            filled("https://x.example/", ""),
            format!("+{}", "1".repeat(count - 1)),
            "-".repeat(count),
        ];
        let matches = jsonschema::validator_for(schema).unwrap();
        values.extend(texts.into_iter().map(Value::String).find(|text| matches.is_valid(text)));
    }
    values.extend([number("minItems"), number("maxItems")].into_iter().flatten().map(several));
    values.extend(number("maxProperties").map(|most| entries(most, "x")));
    values.extend(schema.get("minimum").cloned());
    values.extend(schema.get("maximum").cloned());
    values.extend(schema["enum"].as_array().into_iter().flatten().cloned());
    values
}

fn entries(count: usize, value: &str) -> Value {
    (0..count).map(|at| (format!("key-{at}"), json!(value))).collect::<Map<_, _>>().into()
}

impl Document {
    /// Something that fits, another one for each number.
    fn example_number(&self, schema: &Value, at: usize) -> Value {
        let mut example = self.example(schema);
        match &mut example {
            Value::String(text) => text.push_str(&format!("{at}.example")),
            Value::Object(members) => {
                // The members that name it.
                for name in ["name", "value", "header"] {
                    if let Some(Value::String(text)) = members.get_mut(name) {
                        text.push_str(&at.to_string());
                    }
                }
            }
            _ => {}
        }
        example
    }
}

/// Places whose border is another rule's, too.
const NOT_AT_THE_BORDER: &[&str] = &[];

/// Sends every value beyond and at the borders of every member below this schema.
async fn try_members(
    api: &Api,
    document: &Document,
    call: &Call,
    (schema, at): (&Value, &str),
    tried: &mut usize,
) {
    let Some(members) = schema["properties"].as_object() else { return };
    for (name, member) in members {
        let member = document.whole(member);
        let pointer = format!("{at}/{name}");
        let place = format!("{}{pointer}", call.operation);
        for value in beyond(document, member) {
            let body = with(document, call, &pointer, &value);
            let answer = api.call(call.method.clone(), &call.path, Some(&body)).await;
            assert_eq!(answer.status, 400, "{place} takes {value}: {answer:?}");
            *tried += 1;
        }
        if NOT_AT_THE_BORDER.contains(&place.as_str()) {
            continue;
        }
        for value in border(document, member) {
            let body = with(document, call, &pointer, &value);
            let answer = api.call(call.method.clone(), &call.path, Some(&body)).await;
            assert!(answer.status < 300 || answer.status == 409, "{place} refuses {value}: {answer:?}");
            *tried += 1;
        }
        Box::pin(try_members(api, document, call, (member, &pointer), tried)).await;
    }
}

/// The body of the call with this value in it.
fn with(document: &Document, call: &Call, pointer: &str, value: &Value) -> Value {
    let mut body = call.body.clone();
    let mut schema = document.body_of(call.operation);
    let mut inner = &mut body;
    for name in pointer.split('/').skip(1) {
        schema = document.whole(&schema["properties"][name]);
        let members = inner.as_object_mut().unwrap();
        inner = members.entry(name).or_insert_with(|| document.example(schema));
    }
    *inner = value.clone();
    body
}

#[tokio::test]
async fn what_the_document_says_of_values_is_so() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let document = Document::read();
    let mut tried = 0;
    for call in calls(&server, &api).await {
        let schema = document.body_of(call.operation);
        try_members(&api, &document, &call, (schema, ""), &mut tried).await;
    }
    assert!(tried > 200, "{tried}");
}

#[tokio::test]
async fn null_is_taken_where_the_document_has_it() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let document = Document::read();
    for call in calls(&server, &api).await {
        let schema = document.body_of(call.operation);
        for (name, member) in schema["properties"].as_object().unwrap() {
            let is_nullable = jsonschema::validator_for(&json!({
                "$ref": "#/components/member", "components": { "member": member, "schemas": document.0["components"]["schemas"] },
            }))
            .unwrap()
            .is_valid(&Value::Null);
            let mut body = call.body.clone();
            body[name] = Value::Null;
            let answer = api.call(call.method.clone(), &call.path, Some(&body)).await;
            let place = format!("{}.{name}", call.operation);
            match is_nullable {
                true => {
                    assert!(answer.status < 300 || answer.status == 409, "{place} refuses null: {answer:?}")
                }
                false => assert_eq!(answer.status, 400, "{place} takes null: {answer:?}"),
            }
        }
    }
}

#[tokio::test]
async fn lists_are_asked_for_in_the_parts_that_the_document_says() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let document = Document::read();
    let mut tried = 0;
    for (path, item) in document.0["paths"].as_object().unwrap() {
        let path = path.strip_prefix("/api/v2").unwrap();
        if path.contains('{') || item["get"].is_null() {
            continue;
        }
        for parameter in item["get"]["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap();
            let required = match path {
                "/refresh-tokens" => "&user_id=auth0%7Cnobody",
                _ => "",
            };
            for (border, step) in [("minimum", -1), ("maximum", 1)] {
                let Some(border) = parameter["schema"][border].as_i64() else {
                    assert!(!["page", "per_page", "take"].contains(&name), "{path} {name}");
                    continue;
                };
                tried += 1;
                let beyond = api.get(&format!("{path}?{name}={}{required}", border + step)).await;
                beyond.expect_api_error(400, "invalid_query_string", "");
                let there = api.get(&format!("{path}?{name}={border}{required}")).await;
                let is_deep = name == "page" && path == "/logs" && step == 1;
                assert!(there.status == 200 || is_deep, "{path} {name}={border}: {there:?}");
            }
        }
    }
    assert!(tried > 40, "{tried}");
}

#[tokio::test]
async fn a_list_is_no_object() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    for call in calls(&server, &api).await {
        for length in 0..8 {
            let body = Value::Array(vec![Value::Null; length]);
            let answer = api.call(call.method.clone(), &call.path, Some(&body)).await;
            answer.expect_api_error(400, "invalid_body", "invalid type: sequence");
        }
    }
    let nested = json!({ "name": "Nested", "jwt_configuration": [36_000] });
    api.post("/clients", &nested).await.expect_api_error(400, "invalid_body", "invalid type: sequence");
    let mut action = new_action("nested", "exports.onExecutePostLogin = async () => {};");
    action["secrets"] = json!([["NAME", null, "value"]]);
    api.post("/actions/actions", &action).await.expect_api_error(
        400,
        "invalid_body",
        "invalid type: sequence",
    );
}
