use end_to_end::management::Api;
use end_to_end::{TestServer, seed};
use serde_json::{Value, json};

use super::Foreign;

pub async fn foreign(other: &Api) -> Vec<Foreign> {
    let grants = other.get("/client-grants").await.expect_json(200);
    let path = format!("/client-grants/{}", grants[0]["id"].as_str().unwrap());
    vec![
        Foreign::unknown("GET", "/client-grants/{id}", &path, None),
        Foreign::unknown("PATCH", "/client-grants/{id}", &path, Some(json!({ "scope": [] }))),
        Foreign::unknown("DELETE", "/client-grants/{id}", &path, None),
    ]
}

async fn token(server: &TestServer) -> end_to_end::Response {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", seed::MACHINE),
        ("client_secret", seed::MACHINE_SECRET),
        ("audience", "urn:granted"),
    ];
    server.client().post_form("/oauth/token", &form).await
}

#[tokio::test]
async fn a_grant_lets_a_client_have_tokens_until_it_is_taken_away() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let scopes = json!([{ "value": "a" }, { "value": "b" }]);
    api.post("/resource-servers", &json!({ "identifier": "urn:granted", "scopes": scopes }))
        .await
        .expect_json(201);
    token(&server).await.expect_error(403, "unauthorized_client");
    let sent = json!({ "client_id": seed::MACHINE, "audience": "urn:granted", "scope": ["a"], "subject_type": "client" });
    let made = api.post("/client-grants", &sent).await.expect_json(201);
    assert_eq!((&made["scope"], &made["subject_type"]), (&json!(["a"]), &json!("client")));
    assert_eq!(token(&server).await.expect(200).json()["scope"], "a");
    let path = format!("/client-grants/{}", made["id"].as_str().unwrap());
    assert_eq!(api.get(&path).await.expect_json(200), made);
    api.patch(&path, &json!({ "scope": ["b"] })).await.expect_json(200);
    assert_eq!(token(&server).await.expect(200).json()["scope"], "b");
    api.post("/client-grants", &sent).await.expect_api_error(409, "", "already");

    let of_client = format!("/client-grants?client_id={}", seed::MACHINE);
    let all = api.get("/client-grants").await.expect_json(200);
    let mut by_position = Vec::new();
    let mut from = String::new();
    loop {
        let part = api.get(&format!("/client-grants?take=1{from}")).await.expect_json(200);
        by_position.extend(part["client_grants"].as_array().unwrap().clone());
        let Some(next) = part["next"].as_str() else { break };
        from = format!("&from={next}");
    }
    assert_eq!(Value::Array(by_position), all);
    let page = api.get("/client-grants?page=0&per_page=2&include_totals=true").await.expect_json(200);
    assert_eq!(
        (page["client_grants"].as_array().unwrap().len(), &page["total"]),
        (2, &json!(all.as_array().unwrap().len()))
    );
    // Numbered pages are parts of the same list, and a filter counts in the total.
    for (number, grant) in all.as_array().unwrap().iter().enumerate() {
        let page = api.get(&format!("/client-grants?page={number}&per_page=1")).await.expect_json(200);
        assert_eq!(page, json!([grant]));
    }
    let page = api
        .get("/client-grants?audience=urn:granted&per_page=1&page=1&include_totals=true")
        .await
        .expect_json(200);
    assert_eq!(page, json!({ "start": 1, "limit": 1, "total": 1, "client_grants": [] }));
    let part = api.get("/client-grants?audience=urn:granted&take=1").await.expect_json(200);
    assert_eq!(part["client_grants"], json!([api.get(&path).await.expect_json(200)]));
    let next = format!("/client-grants?audience=urn:granted&take=1&from={}", part["next"].as_str().unwrap());
    assert_eq!(api.get(&next).await.expect_json(200), json!({ "client_grants": [] }));
    for (query, found) in
        [("audience=urn:granted", 1), ("subject_type=user", 0), ("default_for=third_party_clients", 0)]
    {
        let list = api.get(&format!("{of_client}&{query}")).await.expect_json(200);
        assert_eq!(list.as_array().unwrap().len(), found, "{query}");
    }

    // The one for the Management API is found and shown by its audience at this host.
    let audience = server.issuer(seed::ACME) + "api/v2/";
    let list = api
        .get(&format!("/client-grants?audience={}", audience.replace(':', "%3A").replace('/', "%2F")))
        .await;
    assert_eq!(list.expect_json(200)[0]["audience"], audience);

    assert_eq!(api.delete(&path).await.status, 204);
    token(&server).await.expect_error(403, "unauthorized_client");
    api.delete(&path).await.expect_api_error(404, "inexistent_client_grant", "");
}

#[tokio::test]
async fn bad_grants_are_refused() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    api.post("/resource-servers", &json!({ "identifier": "urn:granted" })).await.expect_json(201);
    let with = |more: Value| {
        let mut all = json!({ "client_id": seed::MACHINE, "audience": "urn:granted", "scope": [] });
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    for (sent, message) in [
        (json!({ "x": 1 }), "not allowed: x"),
        (json!({ "scope": ["nothing"] }), "has no scope nothing"),
        (json!({ "scope": "a" }), "on property scope."),
        (json!({ "subject_type": "robot" }), "on property subject_type."),
        (json!({ "organization_usage": "perhaps" }), "on property organization_usage."),
        (json!({ "allow_any_organization": 1 }), "on property allow_any_organization."),
        (json!({ "allow_all_scopes": "yes" }), "on property allow_all_scopes."),
        (json!({ "authorization_details_types": [""] }), "1 to 255 characters"),
        (json!({ "default_for": "third_party_clients" }), "and not both"),
        (json!({ "default_for": "everybody" }), "unknown variant `everybody`"),
        (json!({ "client_id": null }), "a client_id or default_for"),
    ] {
        api.post("/client-grants", &with(sent)).await.expect_api_error(400, "invalid_body", message);
    }
    let nobody = with(json!({ "client_id": "nobody" }));
    api.post("/client-grants", &nobody).await.expect_api_error(404, "inexistent_client", "");
    let nothing = with(json!({ "audience": "urn:nothing" }));
    api.post("/client-grants", &nothing).await.expect_api_error(404, "inexistent_resource_server", "");
    let made = api.post("/client-grants", &with(json!({}))).await.expect_json(201);
    let path = format!("/client-grants/{}", made["id"].as_str().unwrap());
    let moved = api.patch(&path, &json!({ "audience": "urn:other" })).await;
    moved.expect_api_error(400, "invalid_body", "not allowed: audience");
}
