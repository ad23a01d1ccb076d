//! What is refused, what is too much, and what is listed.

use end_to_end::TestServer;
use end_to_end::management::Api;
use serde_json::{Value, json};

use super::actions::{bind, claims, created, deployed, new_action, says};

#[tokio::test]
async fn bindings_have_an_order_and_only_deployed_actions() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let mut ids = Vec::new();
    for name in ["first", "second"] {
        let path = created(&api, &new_action(name, &says(&format!("'{name}'")))).await;
        deployed(&api, &path).await;
        ids.push(path.rsplit('/').next().unwrap().to_owned());
    }
    let path = "/actions/triggers/post-login/bindings";
    let bound = bind(&api, &["first", "second"]).await;
    assert_eq!(claims(&server).await["says"], "second", "the last one has the last word");
    let binding = bound["bindings"][0]["id"].as_str().unwrap();
    assert_eq!(bound["bindings"][0]["trigger_id"], "post-login");
    server.clock.advance_secs(60);
    let by = |kind: &str, value: &str, name: Value| json!({ "ref": { "type": kind, "value": value }, "display_name": name, "secrets": [] });
    let body = json!({ "bindings": [by("action_id", &ids[1], json!("Second")), by("binding_id", binding, Value::Null)] });
    let turned = api.patch(path, &body).await.expect_json(200);
    assert_eq!(claims(&server).await["says"], "first");
    let names: Vec<_> = turned["bindings"].as_array().unwrap().iter().map(|it| &it["display_name"]).collect();
    assert_eq!(names, ["Second", "first"]);
    assert_eq!(turned["bindings"][1], bound["bindings"][0], "what stays as it was");
    assert_ne!(turned["bindings"][0]["updated_at"], bound["bindings"][1]["updated_at"]);
    assert_eq!(turned["bindings"][0]["created_at"], bound["bindings"][1]["created_at"]);
    let listed = api.get(path).await.expect_json(200);
    assert_eq!((&listed["bindings"], &listed["total"]), (&turned["bindings"], &json!(2)));
    let second_page = api.get(&format!("{path}?page=1&per_page=1")).await.expect_json(200);
    assert_eq!(second_page["bindings"], json!([turned["bindings"][1]]));
    assert_eq!((&second_page["page"], &second_page["total"]), (&json!(1), &json!(2)));
    // Terraform's provider reads on until a page has no total.
    let behind = api.get(&format!("{path}?page=2&per_page=1")).await.expect_json(200);
    assert_eq!(behind, json!({ "bindings": [], "page": 2, "per_page": 1 }));

    for (bindings, message) in [
        (json!([by("action_name", "nobody", Value::Null)]), "there is no action with the name 'nobody'"),
        (json!([by("action_id", "nobody", Value::Null)]), "there is no action with the id 'nobody'"),
        (json!([by("binding_id", "nobody", Value::Null)]), "there is no binding with the id 'nobody'"),
        (
            json!([by("action_name", "first", Value::Null), by("action_id", &ids[0], Value::Null)]),
            "the action 'first' is bound twice",
        ),
        (json!([by("action_name", "first", json!(""))]), "display_name"),
        (
            json!([{ "ref": { "type": "action_name", "value": "first" }, "secrets": [{ "name": "A", "value": "b" }] }]),
            "a binding has no secrets here",
        ),
        (json!([by("name", "first", Value::Null)]), "bindings[0].ref.type"),
        (Value::from(vec![by("action_name", "first", Value::Null); 21]), "at most 20"),
    ] {
        let refused = api.patch(path, &json!({ "bindings": bindings })).await;
        refused.expect_api_error(400, "invalid_body", message);
    }
    assert_eq!(api.get(path).await.expect_json(200), listed, "what is refused changes nothing");
    assert_eq!(bind(&api, &[]).await, json!({ "bindings": [] }));
    assert_eq!(api.get(path).await.expect_json(200), json!({ "bindings": [], "per_page": 50 }));
}

#[tokio::test]
async fn triggers_that_do_not_run_here_take_nothing_and_are_not_listed() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let triggers = api.get("/actions/triggers").await.expect_json(200);
    let triggers = triggers["triggers"].as_array().unwrap().clone();
    let of = |field: &str| -> Vec<&str> { triggers.iter().map(|it| it[field].as_str().unwrap()).collect() };
    assert_eq!(of("id"), ["post-login", "post-login"]);
    assert_eq!((of("version"), of("status")), (vec!["v3", "v2"], vec!["CURRENT", "DEPRECATED"]));
    assert_eq!(triggers[0]["default_runtime"], "node22");
    assert_eq!(triggers[0]["binding_policy"], "trigger-bound");
    assert_eq!(triggers[0]["compatible_triggers"], json!([{ "id": "post-login", "version": "v2" }]));

    let mut new = new_action("machine", &says("1"));
    new["supported_triggers"] = json!([{ "id": "credentials-exchange", "version": "v2" }]);
    api.post("/actions/actions", &new).await.expect_api_error(
        400,
        "invalid_body",
        "the trigger credentials-exchange does not run on this server",
    );
    for triggers in
        [json!([{ "id": "post-login", "version": "v1" }]), json!([{ "id": "nothing", "version": "v3" }])]
    {
        new["supported_triggers"] = triggers;
        api.post("/actions/actions", &new).await.expect_api_error(400, "invalid_body", "unknown trigger");
    }
    for triggers in [json!([]), json!([{ "id": "post-login" }, { "id": "post-login" }])] {
        new["supported_triggers"] = triggers;
        api.post("/actions/actions", &new).await.expect_api_error(400, "invalid_body", "exactly one");
    }
    // A version is not needed, and what an export has besides is accepted.
    new["supported_triggers"] = json!([{ "id": "post-login", "status": "CURRENT", "runtimes": ["node18"], "default_runtime": "node18" }]);
    let path = created(&api, &new).await;
    let made = api.get(&path).await.expect_json(200);
    assert_eq!(made["supported_triggers"], json!([{ "id": "post-login", "version": "v3" }]));
    deployed(&api, &path).await;

    let other = "/actions/triggers/credentials-exchange/bindings";
    assert_eq!(api.get(other).await.expect_json(200), json!({ "bindings": [], "per_page": 50 }));
    assert_eq!(
        api.patch(other, &json!({ "bindings": [] })).await.expect_json(200),
        json!({ "bindings": [] })
    );
    let some = json!({ "bindings": [{ "ref": { "type": "action_name", "value": "machine" } }] });
    api.patch(other, &some).await.expect_api_error(400, "invalid_body", "does not run on this server");
    api.get("/actions/triggers/nothing/bindings").await.expect_api_error(
        404,
        "",
        "That trigger does not exist.",
    );
}

#[tokio::test]
async fn names_are_unique_and_lists_are_by_name_in_pages() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    for name in ["c", "a", "b"] {
        created(&api, &new_action(name, &says("1"))).await;
    }
    let a = api.get("/actions/actions?actionName=a").await.expect_json(200)["actions"][0]["id"].clone();
    let path = format!("/actions/actions/{}", a.as_str().unwrap());
    deployed(&api, &path).await;
    api.post("/actions/actions", &new_action("b", "")).await.expect_api_error(409, "", "'b' exists already");
    api.patch(&path, &json!({ "name": "b" })).await.expect_api_error(409, "", "'b' exists already");
    assert_eq!(api.patch(&path, &json!({ "name": "a" })).await.status, 200);
    for (query, names, total) in [
        ("", vec!["a", "b", "c"], 3),
        ("page=0&per_page=2", vec!["a", "b"], 3),
        ("page=1&per_page=2", vec!["c"], 3),
        // Behind the last page, see the bindings.
        ("page=2&per_page=2", vec![], 0),
        ("deployed=true", vec!["a"], 1),
        ("deployed=false", vec!["b", "c"], 2),
        ("triggerId=post-login&per_page=100", vec!["a", "b", "c"], 3),
        ("triggerId=credentials-exchange", vec![], 0),
        ("installed=true", vec![], 0),
    ] {
        let list = api.get(&format!("/actions/actions?{query}")).await.expect_json(200);
        let found: Vec<_> =
            list["actions"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
        assert_eq!(found, names, "{query}");
        assert_eq!(list["total"].as_i64().unwrap_or(0), total, "{query}");
    }
    for query in ["include_totals=true", "per_page=101", "page=-1", "deployed=maybe"] {
        let refused = api.get(&format!("/actions/actions?{query}")).await;
        refused.expect_api_error(400, "invalid_query_string", "");
    }
}

#[tokio::test]
async fn what_is_too_much_or_wrong_is_refused_with_its_name() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let path = created(&api, &new_action("x", &says("1"))).await;
    let secret = |number: usize| json!({ "name": format!("S{number}"), "value": "x" });
    let dependency = |number: usize| json!({ "name": format!("d{number}"), "version": "1" });
    let many = |make: &dyn Fn(usize) -> Value, count: usize| (0..count).map(make).collect::<Vec<_>>();
    for (update, message) in [
        (json!({ "code": " ".repeat(102_401) }), "at most 100 kB"),
        (json!({ "name": "" }), "1 to 128 bytes"),
        (json!({ "name": "a".repeat(129) }), "1 to 128 bytes"),
        (json!({ "name": "a\nb" }), "1 to 128 bytes"),
        (json!({ "secrets": many(&secret, 31) }), "at most 30 secrets"),
        (json!({ "secrets": [secret(1), secret(1)] }), "the secret S1 is there twice"),
        (json!({ "secrets": [{ "name": "a".repeat(129), "value": "" }] }), "1 to 128 characters"),
        (json!({ "secrets": [{ "name": "A", "value": "é".repeat(4097) }] }), "more than 4,096 characters"),
        (json!({ "dependencies": many(&dependency, 11) }), "at most 10 dependencies"),
        (json!({ "dependencies": [{ "name": "", "version": "1" }] }), "a dependency has a name"),
        (json!({ "files": { "a.js": " ".repeat(8 << 20) } }), "at most 8 MiB"),
        (json!({ "file_name": "../x.js" }), "file_name"),
        (json!({ "runtime": "node" }), "unknown runtime"),
        (json!({ "runtime": "node22; rm" }), "unknown runtime"),
        (json!({ "allowed_hosts": ["https://a.example/"] }), "is no host"),
        (json!({ "modules": [{ "module_id": "none" }] }), "there is no module"),
        (
            json!({ "modules": [{ "module_id": "a" }, { "module_id": "b" }, { "module_id": "c" }, { "module_id": "d" }] }),
            "at most 3 modules",
        ),
        (json!({ "supported_triggers": [] }), "exactly one"),
        (json!({ "code": 1 }), "on property code"),
        (json!({ "secrets": [{ "value": "x" }] }), "Missing required property: name"),
        (json!({ "colour": "red" }), "Additional properties not allowed: colour"),
    ] {
        api.patch(&path, &update).await.expect_api_error(400, "invalid_body", message);
    }
    let made = json!({ "code": " ".repeat(102_400 - says("1").len()) + &says("1"), "secrets": many(&secret, 30), "dependencies": many(&dependency, 10) });
    assert_eq!(api.patch(&path, &made).await.expect_json(200)["status"], "built");
    for name in ["node12", "node16", "node18", "node18-actions", "node22"] {
        assert_eq!(api.patch(&path, &json!({ "runtime": name })).await.expect_json(200)["runtime"], name);
    }
    // `auth0 actions create` sends this for an option that was not given.
    assert_eq!(api.patch(&path, &json!({ "runtime": "" })).await.expect_json(200)["runtime"], "node22");
    api.post("/actions/actions", &json!({ "name": "y" })).await.expect_api_error(
        400,
        "invalid_body",
        "Missing required property: supported_triggers",
    );
    for number in 1..100 {
        let made = api.post("/actions/actions", &new_action(&format!("a{number}"), "")).await;
        assert_eq!(made.status, 201, "{number}: {made:?}");
    }
    let refused = api.post("/actions/actions", &new_action("one-more", "")).await;
    refused.expect_api_error(400, "invalid_body", "at most 100 Actions");
}

#[tokio::test]
async fn two_changes_at_once_do_not_undo_each_other() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let path = created(&api, &new_action("x", &says("1"))).await;
    let (code, runtime) = (json!({ "code": says("2") }), json!({ "runtime": "node18" }));
    let (one, two) = tokio::join!(api.patch(&path, &code), api.patch(&path, &runtime));
    let mut count = 0;
    for (answer, body) in [(&one, &code), (&two, &runtime)] {
        match answer.status {
            200 => count += 1,
            409 => {
                assert_eq!(api.patch(&path, body).await.status, 200, "a second try");
            }
            other => panic!("{other}: {answer:?}"),
        }
    }
    assert!(count > 0);
    let action = api.get(&path).await.expect_json(200);
    assert_eq!((&action["code"], &action["runtime"]), (&json!(says("2")), &json!("node18")));
}
