//! What is built of drafts, how it is shown, and how long it stays.

use end_to_end::management::Api;
use end_to_end::{TestServer, seed};
use model::Clock;
use serde_json::{Value, json};

use super::actions::{bind, claims, created, deployed, new_action, says};

const DAY: i64 = 24 * 3600;

/// One whole sweep at the server's time.
async fn keep_house(server: &TestServer) {
    let mut sweep = server.idp.storage.sweep(server.clock.now(), 30 * DAY, 10);
    while sweep.next().await.unwrap().is_some() {}
}

#[tokio::test]
async fn what_no_draft_and_no_version_of_any_tenant_needs_is_removed_a_day_later() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let artifacts = async || server.database.count("SELECT COUNT(*) FROM artifacts").await;
    let change = async |api: &Api, path: &str, value: &str| {
        let changed = api.patch(path, &json!({ "code": says(value) })).await.expect_json(200);
        assert_eq!(changed["status"], "built", "{changed}");
    };
    let path = created(&api, &new_action("changed", &says("1"))).await;
    change(&api, &path, "2").await;
    deployed(&api, &path).await;
    change(&api, &path, "3").await;
    bind(&api, &["changed"]).await;
    // The same source is the same artifact in another tenant.
    let other = Api::of_tenant(&server, seed::OTHER).await;
    let theirs = created(&other, &new_action("theirs", &says("1"))).await;
    assert_eq!(artifacts().await, 3);
    for _ in 0..2 {
        keep_house(&server).await;
        server.clock.advance_secs(DAY);
    }
    keep_house(&server).await;
    assert_eq!(artifacts().await, 3, "each of them is needed");

    let other = Api::of_tenant(&server, seed::OTHER).await;
    other.delete(&theirs).await.expect(204);
    keep_house(&server).await;
    server.clock.advance_secs(DAY - 1);
    keep_house(&server).await;
    assert_eq!(artifacts().await, 3, "a node may be deploying it now");
    server.clock.advance_secs(1);
    keep_house(&server).await;
    assert_eq!(artifacts().await, 2);

    // The version runs, the draft is deployed, and what is gone is built again.
    let api = Api::of(&server).await;
    let node = server.beside().await;
    assert_eq!(claims(&node).await["says"], 2);
    deployed(&api, &path).await;
    assert_eq!(claims(&node).await["says"], 3);
    change(&api, &path, "1").await;
    assert_eq!(artifacts().await, 3);
    deployed(&api, &path).await;
    assert_eq!(claims(&node).await["says"], 1);
}

#[tokio::test]
async fn the_current_version_is_the_one_that_the_draft_is_or_becomes() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let path = created(&api, &new_action("current", &says("1"))).await;
    let current = async || api.get(&path).await.expect_json(200)["current_version"].clone();
    let first = current().await;
    assert_eq!(
        (&first["number"], &first["status"], &first["runtime"]),
        (&json!(1), &json!("BUILT"), &json!("node22"))
    );
    assert_eq!(first["code"], says("1"));
    let version = deployed(&api, &path).await;
    assert_eq!((&first["id"], &first["number"]), (&version["id"], &version["number"]));
    assert_eq!(current().await, first);
    let list = api.get("/actions/actions").await.expect_json(200);
    assert_eq!(list["actions"][0]["current_version"], first);

    api.patch(&path, &json!({ "code": says("2") })).await.expect_json(200);
    let second = current().await;
    assert_eq!((&second["number"], &second["code"]), (&json!(2), &json!(says("2"))));
    assert_eq!(deployed(&api, &path).await["id"], second["id"]);
    api.patch(&path, &json!({ "code": "exports.on = (" })).await.expect_json(200);
    assert_eq!(current().await, Value::Null, "it is not built");
}
