use end_to_end::flow::Login;
use end_to_end::management::Api;
use end_to_end::{TestServer, seed};
use serde_json::{Value, json};

use super::Foreign;

pub async fn foreign(other: &Api) -> Vec<Foreign> {
    let list = other.get("/connections").await.expect_json(200);
    let path = format!("/connections/{}", list[0]["id"].as_str().unwrap());
    let clients = format!("{path}/clients");
    let made = other.post("/clients", &json!({ "name": "Connected" })).await.expect_json(201);
    let client = made["client_id"].as_str().unwrap();
    vec![
        Foreign::unknown("GET", "/connections/{id}", &path, None),
        Foreign::unknown("PATCH", "/connections/{id}", &path, Some(json!({ "display_name": "Mine" }))),
        Foreign::unknown("DELETE", "/connections/{id}", &path, None),
        Foreign::unknown("GET", "/connections/{id}/clients", &clients, None),
        Foreign::unknown(
            "PATCH",
            "/connections/{id}/clients",
            &clients,
            Some(json!([{ "client_id": "x", "status": false }])),
        ),
        Foreign::unknown("GET", "/clients/{id}/connections", format!("/clients/{client}/connections"), None),
    ]
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|known| known["name"].as_str().unwrap()).collect()
}

const DEFAULT: &str = "Username-Password-Authentication";

#[tokio::test]
async fn a_database_is_made_and_users_log_in_only_where_it_is_enabled() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let sent = json!({
        "name": "Staff", "strategy": "auth0", "display_name": "Staff of Acme", "metadata": { "floor": "2" },
        "options": { "passwordPolicy": "low", "disable_signup": true, "brute_force_protection": true },
        "is_domain_connection": true, "enabled_clients": [seed::WEB], "authentication": { "active": true },
    });
    let made = api.post("/connections", &sent).await.expect_json(201);
    for (name, value) in sent.as_object().unwrap() {
        assert_eq!(made[name], *value, "{name}");
    }
    assert_eq!(made["realms"], json!(["Staff"]));
    let path = format!("/connections/{}", made["id"].as_str().unwrap());
    assert_eq!(api.get(&path).await.expect_json(200), made);
    // The id is there in any case: Terraform's provider goes on with it.
    let part =
        api.get(&format!("{path}?fields=enabled_clients,name&include_fields=true")).await.expect_json(200);
    assert_eq!(part, json!({ "id": made["id"], "name": "Staff", "enabled_clients": [seed::WEB] }));
    let all = api.get("/connections?strategy=auth0").await.expect_json(200);
    assert_eq!(names(&all), ["Staff", DEFAULT]);
    assert_eq!(names(&api.get("/connections?name=Staff").await.expect_json(200)), ["Staff"]);
    assert_eq!(api.get("/connections?strategy=samlp&include_totals=true").await.expect_json(200)["total"], 0);
    let first = api.get("/connections?take=1").await.expect_json(200);
    let next = api.get(&format!("/connections?take=1&from={}", first["next"].as_str().unwrap())).await;
    assert_eq!(names(&next.expect_json(200)["connections"]), [DEFAULT]);
    let second = api.get("/connections?page=1&per_page=1&include_totals=true").await.expect_json(200);
    assert_eq!(
        (names(&second["connections"]), &second["start"], &second["total"]),
        (vec![DEFAULT], &json!(1), &json!(2))
    );
    let named =
        api.get("/connections?name=Staff&page=1&per_page=1&include_totals=true").await.expect_json(200);
    assert_eq!((names(&named["connections"]), &named["total"]), (vec![], &json!(1)));
    let of_client = api.get(&format!("/clients/{}/connections", seed::WEB)).await.expect_json(200);
    assert_eq!(names(&of_client["connections"]), ["Staff", DEFAULT]);

    // The default database comes first; the request may name the other one, in which there is nobody.
    Login::web().code(&server.client(), seed::ADA).await;
    let refused = Login::web().with("connection", "Staff").finish(&server.client(), seed::ADA).await;
    assert!(refused.body.contains("Wrong email or password"), "{refused:?}");
    let clients = format!("{path}/clients");
    let listed = api.get(&clients).await.expect_json(200);
    assert_eq!(listed, json!({ "clients": [{ "client_id": seed::WEB }] }));
    api.patch(
        &clients,
        &json!([{ "client_id": seed::WEB, "status": false }, { "client_id": seed::SPA, "status": true }]),
    )
    .await
    .expect(204);
    assert_eq!(api.get(&clients).await.expect_json(200), json!({ "clients": [{ "client_id": seed::SPA }] }));
    let refused = Login::web().with("connection", "Staff").begin(&server.client()).await;
    let page = server.client().get(refused.location()).await;
    assert!(page.status >= 400 || page.body.contains("is not enabled"), "{page:?}");
    let default = all.as_array().unwrap().iter().find(|known| known["name"] == DEFAULT).unwrap();
    let default_path = format!("/connections/{}", default["id"].as_str().unwrap());
    api.patch(&format!("{default_path}/clients"), &json!([{ "client_id": seed::WEB, "status": false }]))
        .await
        .expect(204);
    let browser = server.client();
    let begun = Login::web().begin(&browser).await;
    let page = browser.get(begun.location()).await;
    assert!(page.body.contains("No connection is enabled for this client"), "{page:?}");

    // `options` replace those that were there, and are for who may see them.
    let changed =
        api.patch(&path, &json!({ "options": { "mfa": {} }, "display_name": null })).await.expect_json(200);
    assert_eq!((&changed["options"], &changed["display_name"]), (&json!({ "mfa": {} }), &Value::Null));
    let reader = Api::with_scopes(&server, &["read:connections", "update:connections"]).await;
    assert!(reader.get(&path).await.expect_json(200)["options"].is_null());
    let refused = reader.patch(&path, &json!({ "options": {} })).await;
    refused.expect_api_error(403, "insufficient_scope", "update:connections_options");

    api.delete(&default_path).await.expect_api_error(409, "", "it stays");
    assert_eq!(api.delete(&path).await.status, 204);
    api.get(&path).await.expect_api_error(404, "inexistent_connection", "");
}

#[tokio::test]
async fn bad_connections_are_refused() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let with = |more: Value| {
        let mut all = json!({ "name": "Good", "strategy": "auth0" });
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    for (sent, message) in [
        (json!({ "x": 1 }), "not allowed: x"),
        (json!({ "strategy": "samlp" }), "databases of users"),
        (json!({ "name": "a--b" }), "single hyphens"),
        (json!({ "name": "" }), "single hyphens"),
        (json!({ "name": "x".repeat(129) }), "1 to 128"),
        (json!({ "enabled_clients": ["nobody"] }), "there is no client nobody"),
        (json!({ "metadata": { "a": 1 } }), "on property metadata"),
        (json!({ "options": { "x": 1 } }), "not allowed: x' on property options."),
        (json!({ "options": { "attributes": {}, "requires_username": true } }), "excludes"),
        (json!({ "options": { "import_mode": 1 } }), "on property options.import_mode."),
        (
            json!({ "options": { "enabledDatabaseCustomization": "yes" } }),
            "options.enabledDatabaseCustomization.",
        ),
        (
            json!({ "options": { "customScripts": { "login": 1 } } }),
            "on property options.customScripts.login.",
        ),
        (json!({ "options": { "brute_force_protection": "no" } }), "options.brute_force_protection."),
    ] {
        api.post("/connections", &with(sent)).await.expect_api_error(400, "invalid_body", message);
    }
    let made = api.post("/connections", &with(json!({}))).await.expect_json(201);
    api.post("/connections", &with(json!({}))).await.expect_api_error(409, "", "already exists");
    let path = format!("/connections/{}", made["id"].as_str().unwrap());
    api.patch(&path, &json!({ "name": "Other" })).await.expect_api_error(
        400,
        "invalid_body",
        "not allowed: name",
    );
    let nobody =
        api.patch(&format!("{path}/clients"), &json!([{ "client_id": "nobody", "status": true }])).await;
    nobody.expect_api_error(404, "inexistent_client", "");
    api.patch(&format!("{path}/clients"), &json!([])).await.expect_api_error(400, "invalid_body", "1 to 50");
}
