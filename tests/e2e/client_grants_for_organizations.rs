//! Clients' own tokens in the name of an organization.

use end_to_end::flow::text;
use end_to_end::management::Api;
use end_to_end::{Response, TestServer, jwt, seed};
use serde_json::{Value, json};

async fn ask(server: &TestServer, organization: Option<&str>) -> Response {
    let mut form = vec![
        ("grant_type", "client_credentials"),
        ("client_id", seed::MACHINE),
        ("client_secret", seed::MACHINE_SECRET),
        ("audience", seed::API),
    ];
    form.extend(organization.map(|name| ("organization", name)));
    server.client().post_form("/oauth/token", &form).await
}

async fn organization(api: &Api, name: &str) -> String {
    text(&api.post("/organizations", &json!({ "name": name })).await.expect_json(201), "id")
}

/// The machine's client grant: its id and its path.
async fn machines_grant(api: &Api) -> (String, String) {
    let list = api.get(&format!("/client-grants?client_id={}", seed::MACHINE)).await.expect_json(200);
    let id = text(&list[0], "id");
    let path = format!("/client-grants/{id}");
    (id, path)
}

fn organization_of(answer: &Response) -> Value {
    jwt::claims(&text(&answer.expect(200).json(), "access_token"))["org_id"].clone()
}

#[tokio::test]
async fn a_grant_says_whether_and_for_which_organizations() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let (globex, initech) = (organization(&api, "globex").await, organization(&api, "initech").await);
    let (grant, path) = machines_grant(&api).await;
    // As long as nobody has allowed it, there is none.
    ask(&server, Some(&globex)).await.expect_error(400, "invalid_request");
    assert_eq!(organization_of(&ask(&server, None).await), Value::Null);

    let changed = api.patch(&path, &json!({ "organization_usage": "allow" })).await.expect_json(200);
    assert_eq!(changed["organization_usage"], "allow");
    ask(&server, Some(&globex)).await.expect_error(403, "unauthorized_client");
    let at = format!("/organizations/{globex}/client-grants");
    let sent = json!({ "grant_id": grant });
    assert_eq!(api.post(&at, &sent).await.expect_json(201), changed);
    api.post(&at, &sent).await.expect_api_error(409, "", "has this client grant");
    let answer = ask(&server, Some(&globex)).await;
    let claims = jwt::claims(&text(&answer.expect(200).json(), "access_token"));
    assert_eq!((&claims["org_id"], &claims["org_name"]), (&json!(globex), &Value::Null));
    assert_eq!(claims["sub"], format!("{}@clients", seed::MACHINE));
    ask(&server, Some(&initech)).await.expect_error(403, "unauthorized_client");
    ask(&server, Some("org_nowhere")).await.expect_error(400, "invalid_request");
    assert_eq!(organization_of(&ask(&server, None).await), Value::Null);
    let logs = server.logs().await;
    let with = logs.iter().find(|entry| entry.organization_id.is_some()).unwrap();
    assert_eq!((with.code.as_str(), with.organization_id.as_ref().unwrap().as_str()), ("seccft", &*globex));

    // By name where the tenant allows names, and then the token has it.
    ask(&server, Some("globex")).await.expect_error(400, "invalid_request");
    let names = json!({ "allow_organization_name_in_authentication_api": true });
    api.patch("/tenants/settings", &names).await.expect_json(200);
    let claims = jwt::claims(&text(&ask(&server, Some("globex")).await.expect(200).json(), "access_token"));
    assert_eq!((&claims["org_id"], &claims["org_name"]), (&json!(globex), &json!("globex")));

    api.patch(&path, &json!({ "organization_usage": "require" })).await.expect_json(200);
    let without = ask(&server, None).await;
    without.expect_error(400, "invalid_request");
    assert_eq!(without.json()["error_description"], "parameter organization is required for this client");
    api.patch(&path, &json!({ "allow_any_organization": true })).await.expect_json(200);
    assert_eq!(organization_of(&ask(&server, Some(&initech)).await), json!(initech));
    let any = api.get("/client-grants?allow_any_organization=true").await.expect_json(200);
    assert_eq!((any.as_array().unwrap().len(), &any[0]["id"]), (1, &json!(grant)));
    api.patch(&path, &json!({ "allow_any_organization": null })).await.expect_json(200);

    assert_eq!(api.delete(&format!("{at}/{grant}")).await.status, 204);
    api.delete(&format!("{at}/{grant}")).await.expect_api_error(404, "inexistent_client_grant", "");
    ask(&server, Some(&globex)).await.expect_error(403, "unauthorized_client");
}

#[tokio::test]
async fn a_clients_default_organization_counts_where_it_names_none() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let globex = organization(&api, "globex").await;
    let (grant, path) = machines_grant(&api).await;
    let client = format!("/clients/{}", seed::MACHINE);
    let default = json!({ "organization_id": globex, "flows": ["client_credentials"] });
    let changed = api.patch(&client, &json!({ "default_organization": default })).await.expect_json(200);
    assert_eq!(changed["default_organization"], default);
    let renamed = api.patch(&client, &json!({ "name": "The machine" })).await.expect_json(200);
    assert_eq!(renamed["default_organization"], default);
    // The grant has the last word.
    assert_eq!(organization_of(&ask(&server, None).await), Value::Null);
    api.patch(&path, &json!({ "organization_usage": "require" })).await.expect_json(200);
    ask(&server, None).await.expect_error(403, "unauthorized_client");
    let sent = json!({ "grant_id": grant });
    api.post(&format!("/organizations/{globex}/client-grants"), &sent).await.expect_json(201);
    assert_eq!(organization_of(&ask(&server, None).await), json!(globex));
    // It is gone, and with it what counted in its name.
    assert_eq!(api.delete(&format!("/organizations/{globex}")).await.status, 204);
    ask(&server, None).await.expect_error(400, "invalid_request");
}

#[tokio::test]
async fn an_organizations_grants_are_listed_and_go_with_the_grant() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let globex = organization(&api, "globex").await;
    let at = format!("/organizations/{globex}/client-grants");
    let (first, path) = machines_grant(&api).await;
    api.post("/resource-servers", &json!({ "identifier": "urn:other" })).await.expect_json(201);
    // Grants of one millisecond are in no order.
    server.clock.advance_secs(1);
    let new = json!({ "client_id": seed::MACHINE, "audience": "urn:other", "scope": [] });
    let second = text(&api.post("/client-grants", &new).await.expect_json(201), "id");
    for grant in [&first, &second] {
        api.post(&at, &json!({ "grant_id": grant })).await.expect_json(201);
    }
    let ids = async |query: &str| -> Vec<String> {
        let list = api.get(&format!("{at}{query}")).await.expect_json(200);
        list.as_array().unwrap().iter().map(|grant| text(grant, "id")).collect()
    };
    assert_eq!(ids("").await, [&*first, &*second]);
    assert_eq!(ids("?audience=urn:other").await, [&*second]);
    assert_eq!(ids("?client_id=nobody").await, [""; 0]);
    assert_eq!(ids("?per_page=1&page=1").await, [&*second]);
    let page = api.get(&format!("{at}?include_totals=true&per_page=1")).await.expect_json(200);
    assert_eq!((&page["total"], page["client_grants"].as_array().unwrap().len()), (&json!(2), 1));
    assert_eq!(api.delete(&path).await.status, 204);
    assert_eq!(ids("").await, [&*second]);
    assert_eq!(api.delete("/resource-servers/urn:other").await.status, 204);
    assert_eq!(ids("").await, [""; 0]);
    api.post(&at, &json!({ "grant_id": first })).await.expect_api_error(404, "inexistent_client_grant", "");
    let nowhere = api.get("/organizations/org_x/client-grants").await;
    nowhere.expect_api_error(404, "inexistent_organization", "");
}
