//! What Actions did: at logins, and at their authors' hands.

use end_to_end::flow::{native_tokens, refresh};
use end_to_end::management::Api;
use end_to_end::{TestServer, seed};
use serde_json::{Value, json};

use super::actions::{bind, claims, created, deployed, new_action};
use crate::post_login::{handler, refused};

/// The id of the newest execution that the log names, of an entry of this type.
async fn execution_id(server: &TestServer, code: &str) -> String {
    let logs = server.logs().await;
    let entry = logs.iter().find(|entry| entry.code == code).expect("an entry");
    let ids = entry.details["actions"]["executions"].as_array().expect("ids");
    assert_eq!(ids.len(), 1);
    ids[0].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_execution_is_found_by_the_id_in_the_log() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    server
        .deploy_action("first", &handler("console.log('hello', event.user.email); console.error('oh');"))
        .await;
    server.deploy_action("second", &handler("api.idToken.setCustomClaim('says', 1);")).await;
    claims(&server).await;
    let id = execution_id(&server, "s").await;
    let execution = api.get(&format!("/actions/executions/{id}")).await.expect_json(200);
    assert_eq!((&execution["id"], &execution["trigger_id"]), (&json!(id), &json!("post-login")));
    assert_eq!(execution["status"], "final");
    let results = execution["results"].as_array().unwrap();
    let names: Vec<_> = results.iter().map(|result| &result["action_name"]).collect();
    assert_eq!(names, ["first", "second"]);
    assert_eq!(results[0]["error"], Value::Null);
    let logs = json!([{ "level": "log", "text": format!("hello {}", seed::ADA) }, { "level": "error", "text": "oh" }]);
    assert_eq!(results[0]["logs"], logs);
    assert!(results[0]["started_at"].as_str() <= results[0]["ended_at"].as_str());
    assert!(results[0]["stats"]["fuel"].as_i64().unwrap() > 0);
    api.get("/actions/executions/none").await.expect_api_error(404, "", "That execution does not exist.");
    let other = Api::of_tenant(&server, seed::OTHER).await;
    other.get(&format!("/actions/executions/{id}")).await.expect_api_error(
        404,
        "",
        "That execution does not exist.",
    );

    // Of a refresh as well, of one that fails, and of one that waits.
    let app = server.client();
    let tokens = native_tokens(&app, seed::ADA).await;
    refresh(&app, seed::NATIVE, tokens["refresh_token"].as_str().unwrap()).await.expect(200);
    let refreshed = execution_id(&server, "sertft").await;
    assert_ne!(refreshed, id);
    let shown = api.get(&format!("/actions/executions/{refreshed}")).await.expect_json(200);
    assert_eq!(shown["results"].as_array().unwrap().len(), 2);
    server.deploy_action("first", &handler("const x = undefined; x.y")).await;
    refused(&server, "it fails").await;
    let failed = execution_id(&server, "f").await;
    let shown = api.get(&format!("/actions/executions/{failed}")).await.expect_json(200);
    assert_eq!((&shown["status"], shown["results"].as_array().unwrap().len()), (&json!("partial"), 1));
    assert_eq!(shown["results"][0]["error"]["id"], "action_error");
    assert!(shown["results"][0]["error"]["msg"].as_str().unwrap().starts_with("TypeError: "), "{shown}");
    let logs = server.logs().await;
    let entry = logs.iter().find(|entry| entry.code == "actions_execution_failed").unwrap();
    assert_eq!(entry.details["execution_id"], failed.as_str());
}

#[tokio::test]
async fn runs_are_followed_in_their_order() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let empty = api.get("/actions/executions").await.expect_json(200);
    assert_eq!(empty["runs"], json!([]));
    server.deploy_action("one", &handler("console.log('1')")).await;
    server.deploy_action("two", &handler("console.log('2')")).await;
    claims(&server).await;
    let names = |list: &Value| -> Vec<String> {
        let runs = list["runs"].as_array().unwrap().iter();
        runs.map(|run| run["action_name"].as_str().unwrap().to_owned()).collect()
    };
    let from = |list: &Value| format!("/actions/executions?from={}", list["next"].as_str().unwrap());
    let newest = api.get("/actions/executions?take=1").await.expect_json(200);
    assert_eq!(names(&newest), ["two"]);
    claims(&server).await;
    let after = api.get(&from(&newest)).await.expect_json(200);
    assert_eq!(names(&after), ["one", "two"]);
    assert_eq!(after["runs"][0]["logs"][0]["text"], "1");
    assert_eq!(after["runs"][0]["execution_id"], after["runs"][1]["execution_id"]);
    let nothing = api.get(&from(&after)).await.expect_json(200);
    assert!(names(&nothing).is_empty());
    let still = api.get(&from(&nothing)).await.expect_json(200);
    assert!(names(&still).is_empty(), "it goes on where it was");
    assert_eq!(names(&api.get(&from(&empty)).await.expect_json(200)), ["one", "two", "one", "two"]);
    // Of one Action, in pages.
    let (mut next, mut seen) = (empty["next"].clone(), 0);
    loop {
        let page = api
            .get(&format!("{}&action_name=two&take=1", from(&json!({ "next": next }))))
            .await
            .expect_json(200);
        if names(&page).is_empty() {
            break;
        }
        assert_eq!(names(&page), ["two"]);
        (next, seen) = (page["next"].clone(), seen + 1);
    }
    assert_eq!(seen, 2);
    for query in ["take=0", "take=101", "from=x"] {
        let refused = api.get(&format!("/actions/executions?{query}")).await;
        refused.expect_api_error(400, "invalid_query_string", "");
    }
}

#[tokio::test]
async fn a_draft_is_tested_on_a_made_up_event() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let code = handler(
        "console.log(event.user.name, event.secrets.KEY, event.tenant.id); api.access.deny('No'); api.user.setAppMetadata('a', 1);",
    );
    let mut new = new_action("tested", &code);
    new["secrets"] = json!([{ "name": "KEY", "value": "s3cret" }]);
    let path = created(&api, &new).await;
    let event = json!({ "payload": { "event": { "user": { "name": "Grace" }, "tenant": { "id": "other" }, "secrets": { "KEY": "mine" } } } });
    let tested = api.post(&format!("{path}/test"), &event).await.expect_json(200);
    let payload = &tested["payload"];
    assert_eq!(payload["error"], Value::Null, "{payload}");
    assert_eq!(payload["logs"][0]["text"], "Grace s3cret acme", "its own secrets, its own tenant");
    assert_eq!(payload["decision"]["outcome"], "deny");
    assert_eq!(payload["decision"]["reason"], "No");
    assert_eq!(payload["commands"][1]["command"], "user.setAppMetadata");
    for name in [
        "total_request_duration_ms",
        "total_runtime_execution_duration_ms",
        "runtime_processing_duration_ms",
        "action_duration_ms",
        "runtime_external_call_duration_ms",
        "boot_duration_ms",
        "network_duration_ms",
    ] {
        assert!(payload["stats"][name].as_f64().is_some_and(|ms| ms >= 0.0), "{name}: {payload}");
    }
    // What throws is an answer as well, and what cannot be run is none.
    api.patch(&path, &json!({ "code": handler("\nthrow new TypeError('no such thing')") }))
        .await
        .expect_json(200);
    let payload = &api.post(&format!("{path}/test"), &event).await.expect_json(200)["payload"];
    assert_eq!(
        (&payload["error"]["name"], &payload["error"]["message"]),
        (&json!("TypeError"), &json!("no such thing"))
    );
    assert!(payload["error"]["stack"].as_str().unwrap().contains("action.js:2:"), "{payload}");
    api.patch(&path, &json!({ "code": handler("for (;;);") })).await.expect_json(200);
    let payload = &api.post(&format!("{path}/test"), &event).await.expect_json(200)["payload"];
    assert_eq!(payload["error"]["name"], "action_error");
    assert!(payload["error"]["message"].as_str().unwrap().contains("fuel"), "{payload}");
    api.post(&format!("{path}/test"), &json!({ "payload": { "event": 7 } })).await.expect_api_error(
        400,
        "invalid_body",
        "must be an object",
    );
    api.patch(&path, &json!({ "code": "no code" })).await.expect_json(200);
    api.post(&format!("{path}/test"), &event).await.expect_api_error(400, "invalid_body", "'built' state");

    // Nothing of it is left: it is no login.
    assert!(server.reports().await.is_empty());
    let path =
        created(&api, &new_action("leaves", &handler("api.redirect.sendUserTo('https://a.example/')"))).await;
    let payload = &api.post(&format!("{path}/test"), &event).await.expect_json(200)["payload"];
    assert_eq!(payload["decision"]["url"], "https://a.example/", "{payload}");
    deployed(&api, &path).await;
    bind(&api, &["leaves"]).await;
}
