use std::collections::{BTreeMap, BTreeSet};

use end_to_end::management::Api;
use end_to_end::{RawClient, TestServer, seed};
use idp::management_api::SCOPES;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    Foreign, actions, client_grants, clients, connections, grants, keys, log_streams, logs, organizations,
    refresh_tokens, resource_servers, roles, sessions, users,
};

/// An operation of the document.
struct Operation {
    method: Method,
    route: String,
    /// The alternatives.
    scopes: Vec<Vec<String>>,
    has_body: bool,
    /// Its body is an array.
    takes_list: bool,
    has_query: bool,
    /// Those parameters of the query that are numbers, `true` or `false`.
    typed: Vec<String>,
}

impl Operation {
    fn has_parameter(&self) -> bool {
        self.route.contains('{')
    }

    /// With these characters for each parameter.
    fn path(&self, parameter: &str) -> String {
        let parts = self.route.split('/').map(|part| if part.starts_with('{') { parameter } else { part });
        parts.collect::<Vec<_>>().join("/")
    }
}

fn operations() -> Vec<Operation> {
    let document = serde_json::to_value(web::openapi()).unwrap();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let security = operation["security"].as_array().cloned().unwrap_or_default();
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            operations.push(Operation {
                method: method.to_ascii_uppercase().parse().unwrap(),
                route: path.strip_prefix("/api/v2").unwrap().to_owned(),
                scopes: security
                    .iter()
                    .map(|entry| serde_json::from_value(entry["token"].clone()).unwrap())
                    .collect(),
                has_body: operation.get("requestBody").is_some(),
                takes_list: operation["requestBody"]["content"]["application/json"]["schema"]["type"]
                    == "array",
                has_query: parameters.iter().any(|parameter| parameter["in"] == "query"),
                typed: parameters
                    .iter()
                    .filter(|parameter| parameter["in"] == "query")
                    .filter(|parameter| {
                        let kind = parameter["schema"]["type"].to_string();
                        kind.contains("integer") || kind.contains("boolean")
                    })
                    .map(|parameter| parameter["name"].as_str().unwrap().to_owned())
                    .collect(),
            });
            assert!(
                operation["summary"].as_str().is_some_and(|text| !text.ends_with('.')),
                "{method} {path}"
            );
            assert!(operation["tags"][0].is_string(), "{method} {path}");
            assert!(!operation["responses"].as_object().unwrap().is_empty(), "{method} {path}");
        }
    }
    operations
}

async fn send(
    client: &RawClient,
    method: &Method,
    path: &str,
    token: Option<&str>,
    body: Option<&str>,
) -> end_to_end::Response {
    let mut request = client.request(method.clone(), &format!("/api/v2{path}"));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if let Some(body) = body {
        request = request.header("content-type", "application/json").body(body.to_owned());
    }
    client.send(request).await
}

#[tokio::test]
async fn every_operation_needs_a_token_of_its_own_tenant_with_its_scope() {
    let server = TestServer::start().await;
    let client = server.client();
    let known: BTreeSet<_> = SCOPES.iter().map(|(scope, _)| *scope).collect();
    let foreign = Api::of_tenant(&server, seed::OTHER).await;
    let mut lacking = BTreeMap::new();
    let operations = operations();
    for operation in &operations {
        let Operation { method, scopes, .. } = operation;
        let (path, body) = (operation.path("x"), operation.has_body.then_some("{}"));
        assert!(!scopes.is_empty(), "{method} {path} needs no scope");
        let all: BTreeSet<&str> = scopes.iter().flatten().map(String::as_str).collect();
        assert!(all.is_subset(&known), "{method} {path} needs a scope that no client can have: {all:?}");

        send(&client, method, &path, None, body).await.expect_api_error(401, "", "Missing authentication");
        send(&client, method, &path, Some("not-a-token"), body).await.expect_api_error(
            401,
            "invalid_token",
            "Invalid token",
        );
        let at_other = send(&client, method, &path, Some(foreign.token()), body).await;
        at_other.expect_api_error(401, "invalid_token", "Invalid token");
        if !lacking.contains_key(&all) {
            let others: Vec<&str> = known.difference(&all).copied().collect();
            lacking.insert(all.clone(), Api::with_scopes(&server, &others).await);
        }
        let refused = send(&client, method, &path, Some(lacking[&all].token()), body).await;
        let expected = scopes.iter().flatten().cloned().collect::<Vec<_>>().join(",");
        refused.expect_api_error(
            403,
            "insufficient_scope",
            &format!("Insufficient scope, expected any of: {expected}"),
        );
    }
}

#[tokio::test]
async fn every_operation_refuses_what_is_malformed_and_says_where() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let client = server.client();
    for operation in operations() {
        let (method, path) = (&operation.method, operation.path("x"));
        let mut calls = 0;
        if operation.has_body {
            calls += 1;
            let (unknown, cut) = match operation.takes_list {
                true => ("[{\"no_such_property\": 1}]", "["),
                false => ("{\"no_such_property\": 1}", "{"),
            };
            for (body, text) in
                [(unknown, "no_such_property"), (cut, "EOF"), ("", "EOF"), ("7", "validation error")]
            {
                let answer = send(&client, method, &path, Some(api.token()), Some(body)).await;
                answer.expect_api_error(400, "invalid_body", text);
            }
        }
        if operation.has_query {
            calls += 1;
            let body = operation.has_body.then_some("{}");
            let answer =
                send(&client, method, &format!("{path}?no_such_parameter=1"), Some(api.token()), body).await;
            answer.expect_api_error(400, "invalid_query_string", "no_such_parameter");
            // What the document names is read, too.
            for name in &operation.typed {
                let path = format!("{path}?{name}=no_such_value");
                let answer = send(&client, method, &path, Some(api.token()), body).await;
                answer.expect_api_error(400, "invalid_query_string", "");
            }
        }
        if operation.has_parameter() {
            calls += 1;
            let path = operation.path("%FF");
            let answer =
                send(&client, method, &path, Some(api.token()), operation.has_body.then_some("{}")).await;
            answer.expect_api_error(400, "invalid_uri", "UTF-8");
        }
        // What takes nothing cannot be malformed.
        assert!(calls > 0 || is_bare(&operation), "{method} {path}");
    }
}

/// Operations of the tenant as a whole without body, query or parameter.
fn is_bare(operation: &Operation) -> bool {
    ["/actions/triggers", "/keys/signing", "/keys/signing/rotate", "/log-streams"]
        .contains(&operation.route.as_str())
}

#[tokio::test]
async fn every_operation_knows_only_the_things_of_its_own_tenant() {
    let server = TestServer::start().await;
    let (api, other) = (Api::of(&server).await, Api::of_tenant(&server, seed::OTHER).await);
    let mut foreign: Vec<Foreign> = Vec::new();
    foreign.extend(client_grants::foreign(&other).await);
    foreign.extend(clients::foreign(&other).await);
    foreign.extend(connections::foreign(&other).await);
    foreign.extend(keys::foreign(&other).await);
    foreign.extend(log_streams::foreign(&other).await);
    foreign.extend(logs::foreign(&other).await);
    foreign.extend(organizations::foreign(&other).await);
    foreign.push(organizations::foreign_connection(&server, &other).await);
    foreign.extend(refresh_tokens::foreign(&server, &other).await);
    foreign.extend(resource_servers::foreign(&other).await);
    foreign.extend(actions::foreign(&server, &other).await);
    foreign.extend(roles::foreign(&other).await);
    foreign.extend(sessions::foreign(&server, &other).await);
    // It ends what was granted here.
    foreign.extend(grants::foreign(&server, &other).await);
    foreign.extend(users::foreign(&other).await);
    for operation in operations().iter().filter(|operation| operation.has_parameter()) {
        let calls =
            foreign.iter().filter(|call| call.method == operation.method && call.route == operation.route);
        let mut count = 0;
        for call in calls {
            count += 1;
            let answer = api.call(operation.method.clone(), &call.path, call.body.as_ref()).await;
            assert_eq!(answer.status, call.status, "{} {}: {answer:?}", call.method, call.path);
            // It is there.
            let there = other.call(Method::GET, &call.path, None).await;
            if call.method == "GET" {
                assert_eq!(there.status, 200, "{there:?}");
            }
        }
        assert!(count > 0, "no id of another tenant is tried at {} {}", operation.method, operation.route);
    }
    for call in &foreign {
        let is_there = operations()
            .iter()
            .any(|operation| call.method == operation.method && call.route == operation.route);
        assert!(is_there, "{} {} is no operation", call.method, call.route);
    }
}

#[tokio::test]
async fn what_is_not_here_is_answered_so_that_tools_go_on() {
    let server = TestServer::start().await;
    let (api, client) = (Api::of(&server).await, server.client());
    for (method, path, scope) in [
        (Method::GET, "/rules?page=0", "read:rules"),
        (Method::GET, "/emails/provider", "read:emails"),
        (Method::POST, "/self-service-profiles", "create:self_service_profiles"),
        (Method::PATCH, "/branding", "update:branding"),
        (Method::DELETE, "/network-acls/1", "delete:network_acls"),
        (Method::GET, "/", "read:"),
    ] {
        let answer = api.call(method, path, None).await;
        let text = format!("Insufficient scope, expected any of: {scope}");
        if path != "/" {
            answer.expect_api_error(403, "insufficient_scope", &text);
        }
        assert!(answer.status < 500, "{answer:?}");
    }
    send(&client, &Method::GET, "/rules", None, None).await.expect_api_error(
        401,
        "",
        "Missing authentication",
    );
    let answer = api.call(Method::PUT, "/resource-servers", Some(&json!({}))).await;
    answer.expect_api_error(405, "", "");
}

#[tokio::test]
async fn the_document_is_openapi_3_1_and_each_route_is_in_it() {
    let server = TestServer::start().await;
    let answer = server.client().get("/api/v2/openapi.json").await;
    let document = answer.expect_json(200);
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
    assert_eq!(document, serde_json::to_value(web::openapi()).unwrap());
    let references = serde_json::to_string(&document).unwrap();
    for reference in references.split("\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(document["components"]["schemas"][name].is_object(), "{name} is not described");
    }
    let ids: Vec<&Value> = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|item| item.as_object().unwrap().values().map(|operation| &operation["operationId"]))
        .collect();
    let unique: BTreeSet<_> = ids.iter().map(|id| id.as_str().unwrap()).collect();
    assert_eq!(unique.len(), ids.len(), "two operations have one id");
}

/// Members of answers that may be anything, as `SCHEMA.MEMBER`: data of the tenant, what it keeps for its tools, and arguments of
/// commands.
const FREE: &[&str] = &[
    "ActionCommand",
    "Client.addons",
    "Client.anonymous_sessions",
    "Client.b2b_integration_configuration",
    "Client.encryption_key",
    "Client.express_configuration",
    "Client.identity_assertion_authorization_grant",
    "Client.my_organization_configuration",
    "Connection.options",
    "JwtProfile.scopes",
    "LogEntry.details",
    "ResourceServer.authorization_policy",
    "SelectedClient.addons",
    "SelectedClient.anonymous_sessions",
    "SelectedClient.b2b_integration_configuration",
    "SelectedClient.encryption_key",
    "SelectedClient.express_configuration",
    "SelectedClient.identity_assertion_authorization_grant",
    "SelectedClient.my_organization_configuration",
    "SelectedConnection.options",
    "SelectedLogEntry.details",
    "SelectedResourceServer.authorization_policy",
    "SelectedTenant.country_codes",
    "SelectedTenant.security_headers",
    "SelectedTenant.universal_login",
    "SelectedUser.app_metadata",
    "SelectedUser.user_metadata",
    "SessionsProfile.anonymous",
    "SignedRequestObject.credentials",
    "Tenant.country_codes",
    "Tenant.security_headers",
    "Tenant.universal_login",
    "User.app_metadata",
    "User.user_metadata",
];

/// Operations whose answers with these statuses have no body, or none in JSON.
const WITHOUT_JSON: &[(&str, &str)] = &[
    ("add_permissions_to_role", "201"),
    ("assign_permissions_to_user", "201"),
    ("assign_users_to_role", "200"),
    ("delete_role", "200"),
    ("follow_logs", "200"),
    ("remove_permissions_from_role", "200"),
];

#[test]
fn every_answer_has_a_schema() {
    let document = serde_json::to_value(web::openapi()).unwrap();
    let mut seen = BTreeSet::new();
    let mut free = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.keys().any(|status| status.starts_with('2')), "{method} {path}");
            for (status, response) in responses {
                let schema = response["content"]["application/json"].get("schema");
                let place = operation["operationId"].as_str().unwrap();
                let is_without = status == "204" || WITHOUT_JSON.contains(&(place, status.as_str()));
                assert_eq!(schema.is_none(), is_without, "{method} {path} {status}");
                if let Some(schema) = schema {
                    look_through(&document, place, schema, &mut seen, &mut free);
                }
            }
        }
    }
    assert_eq!(free, FREE.iter().map(|place| (*place).to_owned()).collect());
    for name in seen {
        let schema = &document["components"]["schemas"][&name];
        assert!(jsonschema::draft202012::meta::is_valid(schema), "{name}: {schema:#}");
    }
}

/// Collects the names of all schemas that this one needs, and the places where anything may be.
fn look_through(
    document: &Value,
    place: &str,
    schema: &Value,
    seen: &mut BTreeSet<String>,
    free: &mut BTreeSet<String>,
) {
    if *schema == json!(false) {
        return;
    }
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.strip_prefix("#/components/schemas/").unwrap();
        let named = &document["components"]["schemas"][name];
        assert!(named.is_object(), "{place}: {name} is not described");
        if seen.insert(name.to_owned()) {
            look_through(document, name, named, seen, free);
        }
        return;
    }
    let parts = ["oneOf", "anyOf", "allOf"].iter().filter_map(|name| schema[name].as_array()).flatten();
    let inner: Vec<&Value> =
        parts.chain(schema.get("items")).chain(schema.get("additionalProperties")).collect();
    for part in &inner {
        look_through(document, place, part, seen, free);
    }
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        look_through(document, &format!("{place}.{name}"), member, seen, free);
    }
    let is_object = schema["type"] == "object"
        || schema["type"].as_array().is_some_and(|types| types.contains(&json!("object")));
    let says_something = schema.get("type").is_some() || schema.get("enum").is_some();
    let is_free = if is_object { schema.get("properties").is_none() } else { !says_something };
    if is_free && inner.is_empty() {
        free.insert(place.to_owned());
    }
}

#[tokio::test]
async fn calls_are_counted_and_what_was_written_is_logged() {
    let server = TestServer::start().await;
    let (api, client) = (Api::of(&server).await, server.client());
    let body = json!({ "identifier": "https://counted.example/" }).to_string();
    let request = client.request(Method::POST, "/api/v2/resource-servers").bearer_auth(api.token());
    let request =
        request.header("content-type", "application/json").header("x-correlation-id", "c-1").body(body);
    let answer = client.send(request).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let number = |name| answer.header(name).unwrap().parse::<i64>().unwrap();
    assert_eq!(number("x-ratelimit-limit") - number("x-ratelimit-remaining"), 1);
    assert!(number("x-ratelimit-reset") > 0);
    api.post("/resource-servers", &json!({ "identifier": "https://counted.example/" }))
        .await
        .expect_api_error(409, "", "already exists");
    let logs = server.logs().await;
    let of_type = |code: &str| logs.iter().find(|entry| entry.code == code).unwrap();
    assert_eq!(of_type("sapi").description, "Create an API");
    assert_eq!(of_type("sapi").more.correlation_id.as_deref(), Some("c-1"));
    assert_eq!(of_type("sapi").details["request"]["path"], "/api/v2/resource-servers");
    assert_eq!(of_type("fapi").details["response"]["statusCode"], 409);
}
