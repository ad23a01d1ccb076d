use std::net::Ipv4Addr;

use end_to_end::RawClient;
use end_to_end::database::Database;
use end_to_end::operator::Operator;
use end_to_end::process::{Postern, free_port};
use serde_json::{Value, json};

/// The names of the tenant's APIs, as the client finds them.
async fn apis(client: &RawClient, issuer: &str, management: &Value) -> Value {
    let form = json!({
        "grant_type": "client_credentials",
        "client_id": management["client_id"],
        "client_secret": management["client_secret"],
        "audience": management["audience"],
    });
    let answer = client.post_json(&format!("{issuer}oauth/token"), &form).await;
    let token = answer.expect_json(200)["access_token"].as_str().unwrap().to_owned();
    let request = client.request(reqwest::Method::GET, &format!("{issuer}api/v2/resource-servers"));
    client.send(request.bearer_auth(token)).await.expect_json(200)
}

#[tokio::test]
async fn a_new_tenant_has_a_client_that_manages_it_whose_secret_is_shown_once() {
    let database = Database::fresh().await;
    let operator = Operator::of(&database);
    let made = operator.run(&["tenant", "create", "acme", "--json"]).await.expect(0).json();
    let secret = made["management_client"]["client_secret"].as_str().unwrap();
    let shown = operator.run(&["client", "list", "--tenant", "acme"]).await;
    assert!(shown.expect(0).stdout.contains("Management") && !shown.stdout.contains(secret), "{shown:?}");

    let _server = operator.serve().await.expect("it serves");
    let client = RawClient::new(operator.port(), Ipv4Addr::LOCALHOST);
    let issuer = made["issuer"].as_str().unwrap().replace("https://", "http://");
    let apis = apis(&client, &issuer, &made["management_client"]).await;
    assert_eq!(apis[0]["name"], "Auth0 Management API", "{apis}");
}

#[tokio::test]
async fn the_demo_tenant_has_one_ready() {
    let folder = tempfile::tempdir().unwrap();
    let postern = Postern::start(folder.path(), free_port()).await;
    let client = RawClient::new(postern.port, Ipv4Addr::LOCALHOST);
    let origin = client.url_of("demo", "/");
    let apis = apis(&client, &origin, &postern.demo["management_client"]).await;
    assert!(apis.as_array().unwrap().iter().any(|api| api["name"] == "Demo API"), "{apis}");
}
