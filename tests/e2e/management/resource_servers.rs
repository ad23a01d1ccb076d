use end_to_end::TestServer;
use end_to_end::management::Api;
use serde_json::json;

use super::Foreign;

pub async fn foreign(other: &Api) -> Vec<Foreign> {
    other.post("/resource-servers", &json!({ "identifier": "urn:of-other" })).await.expect_json(201);
    vec![Foreign::unknown("GET", "/resource-servers/{id}", "/resource-servers/urn:of-other", None)]
}

#[tokio::test]
async fn an_api_is_made_found_and_listed_after_the_management_api() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let new = json!({ "identifier": "https://notes.example/", "name": "Notes", "scopes": [{ "value": "read:notes" }] });
    let made = api.post("/resource-servers", &new).await.expect_json(201);
    assert_eq!(made["name"], "Notes");
    let found = api.get("/resource-servers/https%3A%2F%2Fnotes.example%2F").await.expect_json(200);
    assert_eq!(found, made);
    let list = api.get("/resource-servers?page=0&per_page=100&include_totals=true").await.expect_json(200);
    assert_eq!(list["resource_servers"][0]["name"], "Auth0 Management API");
    assert_eq!(list["resource_servers"].as_array().unwrap().len(), list["total"]);
    assert!(list["resource_servers"].as_array().unwrap().contains(&made));
}
