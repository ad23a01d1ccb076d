use end_to_end::TestServer;
use end_to_end::management::Api;
use reqwest::Method;
use serde_json::{Value, json};

use super::Foreign;
use super::users::{new_user, path};

async fn connection_id(server: &TestServer, tenant: &str) -> String {
    let tenant = model::TenantId::new(tenant);
    let mut tx = server.idp.storage.begin_read(&tenant).await.unwrap();
    tx.connections().await.unwrap()[0].id.as_str().to_owned()
}

pub async fn foreign(other: &Api) -> Vec<Foreign> {
    let made = other.post("/organizations", &json!({ "name": "theirs" })).await.expect_json(201);
    let at = format!("/organizations/{}", made["id"].as_str().unwrap());
    let user = other.post("/users", &new_user("member@other.example")).await.expect_json(201);
    let (user_id, members) = (path(&user["user_id"]), json!({ "members": [user["user_id"]] }));
    other.post(&format!("{at}/members"), &members).await.expect(204);
    let roles = json!({ "roles": ["rol_x"] });
    let member_roles = format!("/members{}/roles", user_id.strip_prefix("/users").unwrap());
    let route = |rest: &str| -> &'static str { format!("/organizations/{{id}}{rest}").leak() };
    let mut calls =
        vec![Foreign::unknown("GET", "/organizations/name/{name}", "/organizations/name/theirs", None)];
    for (method, rest, path, body) in [
        ("GET", "", "", None),
        ("PATCH", "", "", Some(json!({ "display_name": "Mine" }))),
        ("DELETE", "", "", None),
        ("GET", "/members", "/members", None),
        ("POST", "/members", "/members", Some(members.clone())),
        ("DELETE", "/members", "/members", Some(members)),
        ("GET", "/members/{user_id}/roles", &*member_roles, None),
        ("POST", "/members/{user_id}/roles", &*member_roles, Some(roles.clone())),
        ("DELETE", "/members/{user_id}/roles", &*member_roles, Some(roles)),
        ("GET", "/enabled_connections", "/enabled_connections", None),
        ("POST", "/enabled_connections", "/enabled_connections", Some(json!({ "connection_id": "con_x" }))),
        ("PATCH", "/enabled_connections/{connection_id}", "/enabled_connections/con_x", Some(json!({}))),
        ("DELETE", "/enabled_connections/{connection_id}", "/enabled_connections/con_x", None),
        ("GET", "/client-grants", "/client-grants", None),
        ("POST", "/client-grants", "/client-grants", Some(json!({ "grant_id": "cgr_x" }))),
        ("DELETE", "/client-grants/{grant_id}", "/client-grants/cgr_x", None),
    ] {
        calls.push(Foreign::unknown(method, route(rest), format!("{at}{path}"), body));
    }
    let connections = other.get("/users?per_page=1").await.expect_json(200);
    assert!(connections[0]["identities"].is_array(), "{connections}");
    calls
}

/// A call for the one operation whose id must be there in the other tenant, which only the database knows.
pub async fn foreign_connection(server: &TestServer, other: &Api) -> Foreign {
    let id = connection_id(server, end_to_end::seed::OTHER).await;
    let new = json!({ "name": "connected", "enabled_connections": [{ "connection_id": id }] });
    let made = other.post("/organizations", &new).await.expect_json(201);
    let path = format!("/organizations/{}/enabled_connections/{id}", made["id"].as_str().unwrap());
    Foreign::unknown("GET", "/organizations/{id}/enabled_connections/{connection_id}", path, None)
}

#[tokio::test]
async fn an_organization_is_made_found_changed_and_deleted() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let new = json!({
        "name": "globex", "display_name": "Globex, Inc.", "metadata": { "tier": "gold" },
        "branding": {
            "logo_url": "https://globex.example/logo.png",
            "colors": { "primary": "#112233", "page_background": "#ffffff" },
        },
    });
    let made = api.post("/organizations", &new).await.expect_json(201);
    for name in ["name", "display_name", "metadata", "branding"] {
        assert_eq!(made[name], new[name], "{name}");
    }
    let at = format!("/organizations/{}", made["id"].as_str().unwrap());
    assert_eq!(api.get(&at).await.expect_json(200), made);
    assert_eq!(api.get("/organizations/name/globex").await.expect_json(200), made);
    api.get("/organizations/name/nobody").await.expect_api_error(
        404,
        "inexistent_organization",
        "No organization",
    );
    for (body, status, message) in [
        (json!({ "name": "globex" }), 409, "already exists"),
        (json!({ "name": "Globex" }), 400, "a-z"),
        (json!({ "name": "org_x" }), 400, "look like an id"),
        (json!({ "name": "x", "branding": { "logo_url": "http://x.example/" } }), 400, "logo_url"),
        (
            json!({ "name": "x", "branding": { "colors": { "primary": "red", "page_background": "#fff" } } }),
            400,
            "colors",
        ),
        (json!({ "name": "x", "branding": { "colour": 1 } }), 400, "colour"),
        (json!({ "name": "x", "metadata": { "a": 1 } }), 400, "metadata"),
        (json!({ "name": "x", "enabled_connections": [{ "connection_id": "con_x" }] }), 404, "connection"),
    ] {
        let answer = api.post("/organizations", &body).await;
        assert_eq!(answer.status, status, "{body}: {answer:?}");
        assert!(answer.json()["message"].as_str().unwrap().contains(message), "{answer:?}");
    }
    let changed = api.patch(&at, &json!({ "display_name": null, "metadata": {} })).await.expect_json(200);
    assert_eq!((&changed["display_name"], &changed["metadata"]), (&json!("globex"), &json!({})));
    assert_eq!(changed["branding"], new["branding"]);

    for name in ["acme", "initech"] {
        api.post("/organizations", &json!({ "name": name })).await.expect_json(201);
    }
    let names = |list: &Value| {
        let all = list.as_array().unwrap().iter();
        all.map(|one| one["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&api.get("/organizations").await.expect_json(200)), ["acme", "globex", "initech"]);
    let totals = api.get("/organizations?include_totals=true&per_page=2&page=1").await.expect_json(200);
    assert_eq!((&totals["total"], names(&totals["organizations"])), (&json!(3), vec!["initech".to_owned()]));
    let first = api.get("/organizations?take=2").await.expect_json(200);
    let next = first["next"].as_str().unwrap();
    let rest = api.get(&format!("/organizations?take=2&from={next}")).await.expect_json(200);
    assert_eq!(names(&rest["organizations"]), ["initech"]);
    api.delete(&at).await.expect(204);
    api.delete(&at).await.expect_api_error(404, "inexistent_organization", "");
}

#[tokio::test]
async fn members_have_roles_in_an_organization_and_connections_are_kept_for_it() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let made = api.post("/organizations", &json!({ "name": "globex" })).await.expect_json(201);
    let at = format!("/organizations/{}", made["id"].as_str().unwrap());
    let role = api.post("/roles", &json!({ "name": "Editor" })).await.expect_json(200);
    let user = api.post("/users", &new_user("ann@example.org")).await.expect_json(201);
    let members = json!({ "members": [user["user_id"]] });
    let user_path = path(&user["user_id"]);
    let roles_path = format!("{at}/members{}/roles", user_path.strip_prefix("/users").unwrap());
    let roles = json!({ "roles": [role["id"]] });
    api.get(&roles_path).await.expect_api_error(404, "inexistent_member", "no member");
    api.post(&roles_path, &roles).await.expect_api_error(404, "inexistent_member", "no member");
    api.post(&format!("{at}/members"), &members).await.expect(204);
    let list = api.get(&format!("{at}/members?include_totals=true")).await.expect_json(200);
    assert_eq!((&list["total"], &list["members"][0]["email"]), (&json!(1), &json!("ann@example.org")));
    let list = api.get(&format!("{at}/members?take=5&fields=user_id")).await.expect_json(200);
    assert_eq!(list, json!({ "members": [{ "user_id": user["user_id"] }] }));
    api.post(&roles_path, &roles).await.expect(204);
    assert_eq!(api.get(&roles_path).await.expect_json(200), json!([role]));
    let organizations =
        api.get(&format!("{user_path}/organizations?include_totals=true")).await.expect_json(200);
    assert_eq!((&organizations["total"], &organizations["organizations"][0]), (&json!(1), &made));
    api.call(Method::DELETE, &roles_path, Some(&roles)).await.expect(204);
    assert_eq!(api.get(&roles_path).await.expect_json(200), json!([]));
    let nobody = json!({ "members": ["auth0|nobody"] });
    api.post(&format!("{at}/members"), &nobody).await.expect_api_error(404, "inexistent_user", "");
    api.call(Method::DELETE, &format!("{at}/members"), Some(&members)).await.expect(204);
    assert_eq!(api.get(&format!("{at}/members")).await.expect_json(200), json!([]));

    let connection = connection_id(&server, end_to_end::seed::ACME).await;
    let enabled = format!("{at}/enabled_connections");
    let new = json!({ "connection_id": connection, "assign_membership_on_login": true });
    let added = api.post(&enabled, &new).await.expect_json(201);
    assert_eq!((&added["show_as_button"], &added["connection"]["strategy"]), (&json!(true), &json!("auth0")));
    api.post(&enabled, &new).await.expect_api_error(409, "", "already");
    let one = format!("{enabled}/{connection}");
    let changed = api.patch(&one, &json!({ "show_as_button": false })).await.expect_json(200);
    assert_eq!(
        (&changed["show_as_button"], &changed["assign_membership_on_login"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(api.get(&one).await.expect_json(200), changed);
    assert_eq!(api.get(&enabled).await.expect_json(200), json!([changed]));
    api.delete(&one).await.expect(204);
    api.delete(&one).await.expect_api_error(404, "inexistent_connection", "");
}
