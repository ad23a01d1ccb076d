use end_to_end::management::Api;
use end_to_end::{TestServer, seed};
use serde_json::{Value, json};

use super::Foreign;
use super::users::{new_user, path};

pub async fn foreign(other: &Api) -> Vec<Foreign> {
    let role = other.post("/roles", &json!({ "name": "theirs" })).await.expect_json(200);
    let at = format!("/roles/{}", role["id"].as_str().unwrap());
    let permissions =
        json!({ "permissions": [{ "resource_server_identifier": "urn:x", "permission_name": "read" }] });
    let mut calls = Vec::new();
    for (method, rest, body) in [
        ("GET", "", None),
        ("PATCH", "", Some(json!({ "name": "mine" }))),
        ("DELETE", "", None),
        ("GET", "/permissions", None),
        ("POST", "/permissions", Some(permissions.clone())),
        ("DELETE", "/permissions", Some(permissions)),
        ("GET", "/users", None),
        ("POST", "/users", Some(json!({ "users": ["auth0|x"] }))),
    ] {
        let route: &'static str = format!("/roles/{{id}}{rest}").leak();
        calls.push(Foreign::unknown(method, route, format!("{at}{rest}"), body));
    }
    calls
}

fn permission(name: &str) -> Value {
    json!({ "resource_server_identifier": seed::API, "permission_name": name })
}

#[tokio::test]
async fn a_role_is_made_given_to_users_and_taken_away_with_its_deletion() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let role =
        api.post("/roles", &json!({ "name": "Editor", "description": "edits" })).await.expect_json(200);
    let at = format!("/roles/{}", role["id"].as_str().unwrap());
    assert_eq!((&role["name"], &role["description"]), (&json!("Editor"), &json!("edits")));
    assert_eq!(api.get(&at).await.expect_json(200), role);
    api.post("/roles", &json!({ "name": "Reader" })).await.expect_json(200);
    api.post("/roles", &json!({ "name": "Editor" })).await.expect_api_error(409, "", "already exists");
    api.post("/roles", &json!({ "name": "" })).await.expect_api_error(400, "invalid_body", "a role");
    api.patch(&at, &json!({ "name": "Reader" })).await.expect_api_error(409, "", "already exists");
    let changed = api.patch(&at, &json!({ "description": null })).await.expect_json(200);
    assert_eq!((&changed["name"], &changed["description"]), (&json!("Editor"), &Value::Null));

    let list = api.get("/roles?type=tenant&include_totals=true&per_page=1&page=1").await.expect_json(200);
    assert_eq!((&list["total"], &list["roles"][0]["name"]), (&json!(2), &json!("Reader")));
    let filtered = api.get("/roles?name_filter=edit").await.expect_json(200);
    assert_eq!(filtered, json!([changed]));
    api.get("/roles?type=other").await.expect_api_error(400, "invalid_query_string", "type");

    let mut users = Vec::new();
    for name in ["ann", "bob", "cyd"] {
        let mut new = new_user(&format!("{name}@example.org"));
        new["user_id"] = json!(name);
        users.push(api.post("/users", &new).await.expect_json(201)["user_id"].clone());
    }
    api.post(&format!("{at}/users"), &json!({ "users": users })).await.expect(200);
    let unknown = json!({ "users": ["auth0|nobody"] });
    api.post(&format!("{at}/users"), &unknown).await.expect_api_error(404, "inexistent_user", "");
    api.post(&format!("{at}/users"), &json!({ "users": [] })).await.expect_api_error(
        400,
        "invalid_body",
        "1 to 200",
    );
    let first = api.get(&format!("{at}/users?take=2")).await.expect_json(200);
    assert_eq!(first["users"].as_array().unwrap().len(), 2, "{first}");
    assert_eq!(
        first["users"][0],
        json!({ "user_id": "auth0|ann", "email": "ann@example.org", "name": "ann@example.org" })
    );
    let next = first["next"].as_str().unwrap();
    let rest = api.get(&format!("{at}/users?take=2&from={next}")).await.expect_json(200);
    assert_eq!(rest["users"][0]["user_id"], "auth0|cyd");
    assert!(rest.get("next").is_none(), "{rest}");
    let totals = api.get(&format!("{at}/users?include_totals=true&per_page=1")).await.expect_json(200);
    assert_eq!((&totals["total"], &totals["limit"]), (&json!(3), &json!(1)));
    api.get(&format!("{at}/users?take=2&page=1")).await.expect_api_error(
        400,
        "invalid_query_string",
        "go with",
    );
    api.get(&format!("{at}/users?from=made-up")).await.expect_api_error(
        400,
        "invalid_query_string",
        "position",
    );

    let ann = path(&users[0]);
    let roles = json!({ "roles": [role["id"]] });
    assert_eq!(api.get(&format!("{ann}/roles")).await.expect_json(200), json!([changed]));
    api.call(reqwest::Method::DELETE, &format!("{ann}/roles"), Some(&roles)).await.expect(204);
    let none = api.get(&format!("{ann}/roles?include_totals=true")).await.expect_json(200);
    assert_eq!(none, json!({ "start": 0, "limit": 50, "total": 0, "roles": [] }));
    api.post(&format!("{ann}/roles"), &roles).await.expect(204);
    let unknown = json!({ "roles": ["rol_nobody"] });
    api.post(&format!("{ann}/roles"), &unknown).await.expect_api_error(
        404,
        "inexistent_role",
        "does not exist",
    );

    api.delete(&at).await.expect(200);
    api.get(&at).await.expect_api_error(404, "inexistent_role", "");
    assert_eq!(api.get(&format!("{ann}/roles")).await.expect_json(200), json!([]));
}

#[tokio::test]
async fn permissions_are_scopes_of_apis_that_roles_and_users_have() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let role = api.post("/roles", &json!({ "name": "Reader" })).await.expect_json(200);
    let of_role = format!("/roles/{}/permissions", role["id"].as_str().unwrap());
    let user = api.post("/users", &new_user("ann@example.org")).await.expect_json(201);
    let ann = path(&user["user_id"]);
    let of_user = format!("{ann}/permissions");
    let scopes = seed::api().scopes;
    let (one, two) = (permission(scopes[0].as_ref()), permission(scopes[1].as_ref()));
    let body = |permissions: &[&Value]| json!({ "permissions": permissions });
    api.post(&of_role, &body(&[&one, &two])).await.expect(201);
    api.post(&of_user, &body(&[&one])).await.expect(201);
    let roles = json!({ "roles": [role["id"]] });
    api.post(&format!("{ann}/roles"), &roles).await.expect(204);

    let list = api.get(&format!("{of_role}?include_totals=true&per_page=1")).await.expect_json(200);
    assert_eq!((&list["total"], list["permissions"].as_array().unwrap().len()), (&json!(2), 1));
    assert_eq!(list["permissions"][0]["resource_server_name"], seed::api().name);
    let list = api.get(&of_user).await.expect_json(200);
    let sources = |permission: &Value| {
        let list = permission["sources"].as_array().unwrap();
        list.iter().map(|source| source["source_type"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let mut all: Vec<_> = list.as_array().unwrap().iter().map(sources).collect();
    all.sort();
    assert_eq!(all, [vec!["DIRECT", "ROLE"], vec!["ROLE"]]);
    assert_eq!(list[0]["sources"].as_array().unwrap().last().unwrap()["source_name"], "Reader");

    let delete = reqwest::Method::DELETE;
    api.call(delete.clone(), &of_user, Some(&body(&[&one]))).await.expect(204);
    api.call(delete.clone(), &of_role, Some(&body(&[&one]))).await.expect(200);
    let list = api.get(&of_user).await.expect_json(200);
    assert_eq!(list.as_array().unwrap().len(), 1, "{list}");
    let (unknown, nowhere) =
        (permission("no:such"), json!({ "resource_server_identifier": "urn:x", "permission_name": "a" }));
    for (path, wrong) in [(&of_role, &unknown), (&of_role, &nowhere), (&of_user, &unknown)] {
        let answer = api.post(path, &body(&[&two, wrong])).await;
        answer.expect_api_error(404, "inexistent_permission", "No permission found");
    }
    api.post(&of_role, &body(&[])).await.expect_api_error(400, "invalid_body", "1 to 200");
    let extra = json!({ "permissions": [{ "resource_server_identifier": seed::API, "permission_name": "a", "b": 1 }] });
    api.post(&of_role, &extra).await.expect_api_error(400, "invalid_body", "permissions[0]");
}

#[tokio::test]
async fn a_permission_ends_with_its_scope_and_its_api() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let scopes = json!([{ "value": "read", "description": "Reads notes" }, { "value": "write" }]);
    api.post("/resource-servers", &json!({ "identifier": "urn:notes", "scopes": scopes }))
        .await
        .expect_json(201);
    let role = api.post("/roles", &json!({ "name": "Writer" })).await.expect_json(200);
    let at = format!("/roles/{}/permissions", role["id"].as_str().unwrap());
    let all = ["read", "write"]
        .map(|name| json!({ "resource_server_identifier": "urn:notes", "permission_name": name }));
    api.post(&at, &json!({ "permissions": all })).await.expect(201);
    let list = api.get(&at).await.expect_json(200);
    let names = |list: &Value| {
        let rows = list.as_array().unwrap().iter();
        rows.map(|row| row["permission_name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&list), ["read", "write"]);
    assert_eq!((&list[0]["description"], &list[1]["description"]), (&json!("Reads notes"), &json!("")));
    let changes = json!({ "scopes": [{ "value": "write" }, { "value": "delete" }] });
    assert!(api.patch("/resource-servers/urn%3Anotes", &changes).await.status < 300);
    assert_eq!(names(&api.get(&at).await.expect_json(200)), ["write"]);
    api.delete("/resource-servers/urn%3Anotes").await.expect(204);
    assert_eq!(api.get(&at).await.expect_json(200), json!([]));
}
