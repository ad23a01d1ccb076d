//! What the OpenAPI document says of values that are sent is what the server takes and refuses.

use end_to_end::flow::{native_tokens, text};
use end_to_end::management::Api;
use end_to_end::{Response, TestServer, jwt, seed};
use jsonschema::Registry;
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

impl Call {
    /// Sends the body with this value in it.
    async fn send(&self, api: &Api, document: &Document, pointer: &str, value: &Value) -> Response {
        let mut body = self.body.clone();
        let mut schema = document.body_of(self.operation);
        let mut inner = &mut body;
        for name in pointer.split('/').skip(1) {
            schema = document.member(schema, name);
            inner = inner.as_object_mut().unwrap().entry(name).or_insert_with(|| document.example(schema));
        }
        *inner = value.clone();
        if self.operation == "create_log_stream" {
            // A tenant has ten.
            let known = api.get("/log-streams").await.expect_json(200);
            for stream in known.as_array().unwrap().iter().skip(5) {
                api.delete(&format!("/log-streams/{}", text(stream, "id"))).await.expect(204);
            }
        }
        api.call(self.method.clone(), &self.path, Some(&body)).await
    }

    /// A place in its body, for the call that makes something and the one that changes it.
    fn place(&self, pointer: &str) -> String {
        format!("{}{pointer}", self.operation.split_once('_').unwrap().1)
    }
}

const SCRIPT: &str = "exports.onExecutePostLogin = async () => {};";

/// What is made, and by which operations it is made and changed.
fn things() -> [(&'static str, &'static str, &'static str, Value); 9] {
    [
        ("create_action", "update_action", "/actions/actions", new_action("limited", SCRIPT)),
        (
            "create_action_module",
            "update_action_module",
            "/actions/modules",
            json!({ "name": "limited", "code": "" }),
        ),
        ("create_client", "update_client", "/clients", json!({ "name": "limited" })),
        (
            "create_connection",
            "update_connection",
            "/connections",
            json!({ "name": "limited", "strategy": "auth0" }),
        ),
        (
            "create_log_stream",
            "update_log_stream",
            "/log-streams",
            json!({ "type": "http", "name": "limited", "sink": { "httpEndpoint": "https://logs.example/" } }),
        ),
        ("create_organization", "update_organization", "/organizations", json!({ "name": "limited" })),
        (
            "create_resource_server",
            "update_resource_server",
            "/resource-servers",
            json!({ "identifier": "https://limited.example/" }),
        ),
        ("create_role", "update_role", "/roles", json!({ "name": "limited" })),
        (
            "create_user",
            "update_user",
            "/users",
            json!({
                "connection": "Username-Password-Authentication", "email": "limited@acme.example",
                "password": "Trailing-7-zebras-quietly",
            }),
        ),
    ]
}

/// Calls whose bodies have many members, none of which is sent but for those that have to be.
async fn calls(server: &TestServer, api: &Api) -> Vec<Call> {
    let mut calls = Vec::new();
    for (create, update, path, body) in things() {
        // What is changed is another one, so that nothing is in the way of the first.
        let known: Value = serde_json::from_str(&body.to_string().replace("limited", "known")).unwrap();
        let made = api.post(path, &known).await;
        assert!([200, 201].contains(&made.status), "{path}: {made:?}");
        let made = made.json();
        let id = ["user_id", "client_id", "id"].iter().find_map(|name| made[name].as_str()).unwrap();
        calls.push(change(update, format!("{path}/{}", id.replace('|', "%7C"))));
        calls.push(Call { operation: create, method: Method::POST, path: path.to_owned(), body });
    }
    let tokens = native_tokens(&server.client(), seed::ADA).await;
    let claims = jwt::claims(&text(&tokens, "id_token"));
    let user = format!("/users/{}", text(&claims, "sub").replace('|', "%7C"));
    let sessions = api.get(&format!("{user}/sessions")).await.expect_json(200);
    let refresh_tokens = api.get(&format!("{user}/refresh-tokens")).await.expect_json(200);
    calls.push(change("update_session", format!("/sessions/{}", text(&sessions["sessions"][0], "id"))));
    let token = text(&refresh_tokens["tokens"][0], "id");
    calls.push(change("update_refresh_token", format!("/refresh-tokens/{token}")));
    calls.push(change("update_tenant_settings", "/tenants/settings".to_owned()));
    calls
}

fn change(operation: &'static str, path: String) -> Call {
    Call { operation, method: Method::PATCH, path, body: json!({}) }
}

struct Document {
    document: Value,
    /// Of all schemas.
    registry: Registry<'static>,
}

impl Document {
    fn read() -> Self {
        let document = serde_json::to_value(web::openapi()).unwrap();
        let registry = Registry::new().add("urn:document", document.clone()).unwrap().prepare().unwrap();
        Self { document, registry }
    }

    fn body_of(&self, operation: &str) -> &Value {
        let items = self.document["paths"].as_object().unwrap().values();
        let mut operations = items.flat_map(|item| item.as_object().unwrap().values());
        let known = operations.find(|known| known["operationId"] == operation).unwrap();
        self.whole(&known["requestBody"]["content"]["application/json"]["schema"])
    }

    /// The schema that is meant: what a reference names, and what may stand there besides `null`.
    fn whole<'a>(&'a self, schema: &'a Value) -> &'a Value {
        if let Some(reference) = schema["$ref"].as_str() {
            return self.whole(self.document.pointer(&reference[1..]).unwrap());
        }
        let not_null = schema["oneOf"].as_array().into_iter().flatten().find(|part| part["type"] != "null");
        not_null.map_or(schema, |part| self.whole(part))
    }

    /// The schema and those that it is put together from.
    fn parts<'a>(&'a self, schema: &'a Value) -> impl Iterator<Item = &'a Value> {
        let parts = schema["allOf"].as_array().into_iter().flatten();
        [schema].into_iter().chain(parts.map(|part| self.whole(part)))
    }

    fn member<'a>(&'a self, schema: &'a Value, name: &str) -> &'a Value {
        self.whole(self.parts(schema).find_map(|part| part["properties"].get(name)).unwrap())
    }

    fn takes(&self, schema: &Value, value: &Value) -> bool {
        let text = schema.to_string().replace("\"#/", "\"urn:document#/");
        let options =
            jsonschema::draft202012::options().should_validate_formats(true).with_registry(&self.registry);
        options.build(&serde_json::from_str(&text).unwrap()).unwrap().is_valid(value)
    }

    /// Something that fits.
    fn example(&self, schema: &Value) -> Value {
        let schema = self.whole(schema);
        let kind = match &schema["type"] {
            Value::Array(kinds) => kinds[0].as_str(),
            Value::Null if schema["allOf"].is_array() => Some("object"),
            kind => kind.as_str(),
        };
        match kind {
            Some("object") => {
                let required = schema["required"].as_array().into_iter().flatten();
                let members = required.map(|name| name.as_str().unwrap());
                let members =
                    members.map(|name| (name.to_owned(), self.example(&schema["properties"][name])));
                members.collect::<Map<_, _>>().into()
            }
            Some("array") => self.several(schema, schema["minItems"].as_u64().unwrap_or(0)),
            Some("integer" | "number") => json!(1),
            Some("boolean") => json!(false),
            _ => schema["enum"].get(0).cloned().unwrap_or_else(|| json!("x")),
        }
    }

    /// So many items that differ.
    fn several(&self, schema: &Value, count: u64) -> Value {
        let items = self.whole(&schema["items"]);
        let one = |at: u64| {
            let mut item = self.example(items);
            match &mut item {
                Value::String(text) if items["enum"].is_null() => text.push_str(&format!("{at}.example")),
                Value::Object(members) => {
                    for name in ["name", "value", "header"]
                        .iter()
                        .filter(|name| items["properties"][**name].is_object())
                    {
                        members.insert((*name).to_owned(), json!(format!("x{at}")));
                    }
                }
                _ => {}
            }
            item
        };
        (0..count).map(one).collect()
    }

    /// What is just too much or too little there, or of no such form.
    fn beyond(&self, schema: &Value) -> Vec<Value> {
        let number = |name: &str| schema[name].as_u64();
        let mut values = Vec::new();
        values.extend(number("maxLength").map(|most| filled("", most + 1)));
        values.extend(number("minLength").map(|least| filled("", least - 1)));
        values.extend(number("maxItems").map(|most| self.several(schema, most + 1)));
        values.extend(number("minItems").map(|least| self.several(schema, least - 1)));
        if let Some(most) = number("maxProperties") {
            let chars = schema["additionalProperties"]["maxLength"].as_u64().unwrap();
            let long = filled("", chars + 1);
            values.push(entries(most + 1));
            values.push(json!({ "key": long }));
            values.push(json!({ long.as_str().unwrap(): "x" }));
            values.push(json!({ "a b": "x" }));
        }
        if let Some(least) = schema["minimum"].as_f64() {
            let is_whole = schema["type"] == "integer" || schema["type"][0] == "integer";
            values.push(if is_whole { json!(least as i64 - 1) } else { json!(least * 0.9) });
            values.extend(schema["maximum"].as_i64().map(|most| json!(most + 1)));
        }
        let texts = ["no-such-value", "\u{7}<\t>@ /", " ", "yesterday"].map(Value::from);
        let has_form = ["enum", "pattern", "format"].iter().any(|name| schema[*name] != Value::Null);
        values.extend(texts.into_iter().filter(|_| has_form));
        values.retain(|value| !self.takes(schema, value));
        values
    }

    /// What is just allowed there, where it can be told from the schema.
    fn border(&self, schema: &Value) -> Vec<Value> {
        let number = |name: &str| schema[name].as_u64();
        let mut values = Vec::new();
        for count in ["minLength", "maxLength"].into_iter().filter_map(number).filter(|count| *count > 0) {
            let texts = ["", "x@", "https://x.example/", "+1"].map(|start| filled(start, count));
            values.extend(
                texts
                    .into_iter()
                    .chain([json!("-".repeat(usize::try_from(count).unwrap()))])
                    .find(|text| self.takes(schema, text)),
            );
        }
        let counts = ["minItems", "maxItems"].into_iter().filter_map(number);
        values.extend(counts.map(|count| self.several(schema, count)));
        values.extend(number("maxProperties").map(entries));
        values.extend(["minimum", "maximum"].iter().filter_map(|name| schema.get(*name).cloned()));
        values.extend(schema["enum"].as_array().into_iter().flatten().cloned());
        values
    }
}

/// A text of so many characters.
fn filled(start: &str, count: u64) -> Value {
    let count = usize::try_from(count).unwrap();
    let rest = if start == "+1" { "1" } else { "x" };
    json!(format!("{start}{}", rest.repeat(count.saturating_sub(start.len()))))
}

fn entries(count: u64) -> Value {
    (0..count).map(|at| (format!("key-{at}"), json!("x"))).collect::<Map<_, _>>().into()
}

/// Places whose border another rule decides, which a schema does not tell.
const OTHER_RULES: &[&str] = &[
    "action/modules",
    "action_module/code",
    "client/app_type",
    "client/oidc_logout/backchannel_logout_initiators/mode",
    "client/oidc_logout/backchannel_logout_urls",
    "client/refresh_token/rotation_type",
    "client/session_transfer/enforce_device_binding",
    "resource_server/name",
    "user/password",
];

/// All members that a schema has, in itself and in what it holds, by their places.
fn members<'a>(document: &'a Document, schema: &'a Value, at: &str, found: &mut Vec<(String, &'a Value)>) {
    for (name, member) in document.parts(schema).filter_map(|part| part["properties"].as_object()).flatten() {
        let (member, pointer) = (document.whole(member), format!("{at}/{name}"));
        members(document, member, &pointer, found);
        found.push((pointer, member));
    }
}

#[tokio::test]
async fn what_the_document_says_of_values_is_so() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let document = Document::read();
    let calls = calls(&server, &api).await;
    let (mut refused, mut taken, mut wrong) = (0, 0, Vec::new());
    for is_beyond in [true, false] {
        for call in &calls {
            let mut places = Vec::new();
            members(&document, document.body_of(call.operation), "", &mut places);
            for (pointer, schema) in places {
                let place = call.place(&pointer);
                if is_beyond {
                    for value in document.beyond(schema) {
                        refused += 1;
                        let answer = call.send(&api, &document, &pointer, &value).await;
                        if answer.status != 400 {
                            wrong.push(format!("{} takes {place} {value}: {answer:?}", call.operation));
                        }
                    }
                } else if !OTHER_RULES.contains(&place.as_str()) {
                    for value in document.border(schema) {
                        taken += 1;
                        let answer = call.send(&api, &document, &pointer, &value).await;
                        if answer.status >= 300 && answer.status != 409 {
                            wrong.push(format!("{} refuses {place} {value}: {answer:?}", call.operation));
                        }
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(refused > 200 && taken > 100, "{refused} {taken}");
}

#[tokio::test]
async fn null_is_taken_where_the_document_has_it() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let document = Document::read();
    let mut wrong = Vec::new();
    for call in calls(&server, &api).await {
        for (name, member) in document.body_of(call.operation)["properties"].as_object().unwrap() {
            let answer = call.send(&api, &document, &format!("/{name}"), &Value::Null).await;
            let is_taken = answer.status < 300 || answer.status == 409;
            if is_taken != document.takes(member, &Value::Null) {
                wrong.push(format!("{}.{name}: {answer:?}", call.operation));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_list_of_nothing_is_taken_where_no_item_is_needed() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let document = Document::read();
    let (mut tried, mut wrong) = (0, Vec::new());
    for call in calls(&server, &api).await {
        for (name, member) in document.body_of(call.operation)["properties"].as_object().unwrap() {
            let nothing = json!([]);
            if document.takes(member, &nothing) {
                tried += 1;
                let answer = call.send(&api, &document, &format!("/{name}"), &nothing).await;
                if answer.status >= 300 && answer.status != 409 {
                    wrong.push(format!("{}.{name}: {answer:?}", call.operation));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(tried > 20, "{tried}");
}

#[tokio::test]
async fn an_old_version_is_deployed_without_a_body_too() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let mut action = new_action("deployed", SCRIPT);
    action["deploy"] = json!(true);
    let made = api.post("/actions/actions", &action).await.expect_json(201);
    let path = format!("/actions/actions/{}/versions", text(&made, "id"));
    let versions = api.get(&path).await.expect_json(200);
    let path = format!("{path}/{}/deploy", text(&versions["versions"][0], "id"));
    for (body, number) in [(None, 2), (Some(json!(null)), 3), (Some(json!({ "update_draft": true })), 4)] {
        let deployed = api.call(Method::POST, &path, body.as_ref()).await.expect_json(200);
        assert_eq!(deployed["number"], number);
    }
}

#[tokio::test]
async fn lists_are_asked_for_in_the_parts_that_the_document_says() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let document = Document::read();
    let mut tried = 0;
    api.get("/roles?type=other").await.expect_api_error(400, "invalid_query_string", "type");
    api.get("/users?search_engine=v2").await.expect_api_error(400, "invalid_query_string", "search_engine");
    for (path, item) in document.document["paths"].as_object().unwrap() {
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
    let mut action = new_action("nested", SCRIPT);
    action["secrets"] = json!([["NAME", null, "value"]]);
    api.post("/actions/actions", &action).await.expect_api_error(
        400,
        "invalid_body",
        "invalid type: sequence",
    );
}
