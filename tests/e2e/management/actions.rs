//! An author's road: create, build, deploy, bind, change, go back.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use end_to_end::flow::exchange_web;
use end_to_end::management::Api;
use end_to_end::{Login, TestServer, actions, jwt, seed};
use idp::manage::{Deployment, deploy_action};
use model::{ActionId, Execution, ExecutionStatus, TenantId};
use serde_json::{Value, json};

use super::Foreign;
use crate::components::guest;
use crate::post_login::{back, handler, refused, sent_away, state_of};

pub fn new_action(name: &str, code: &str) -> Value {
    json!({ "name": name, "code": code, "supported_triggers": [{ "id": "post-login", "version": "v3" }] })
}

/// The path of a new Action that is built.
pub async fn created(api: &Api, new: &Value) -> String {
    let made = api.post("/actions/actions", new).await.expect_json(201);
    assert_eq!(made["status"], "built", "{made}");
    format!("/actions/actions/{}", made["id"].as_str().unwrap())
}

pub async fn deployed(api: &Api, path: &str) -> Value {
    api.call(reqwest::Method::POST, &format!("{path}/deploy"), None).await.expect_json(200)
}

/// Binds these Actions by their names.
pub async fn bind(api: &Api, names: &[&str]) -> Value {
    let reference = |name: &&str| json!({ "ref": { "type": "action_name", "value": name } });
    let body = json!({ "bindings": names.iter().map(reference).collect::<Vec<_>>() });
    api.patch("/actions/triggers/post-login/bindings", &body).await.expect_json(200)
}

/// The claims of the ID token of a new login.
pub async fn claims(server: &TestServer) -> Value {
    let browser = server.client();
    let code = Login::web().code(&browser, seed::ADA).await;
    let tokens = exchange_web(&browser, &code).await.expect(200).json();
    jwt::claims(tokens["id_token"].as_str().unwrap())
}

pub fn says(value: &str) -> String {
    handler(&format!("api.idToken.setCustomClaim('says', {value});"))
}

pub async fn foreign(server: &TestServer, other: &Api) -> Vec<Foreign> {
    let run = Execution {
        action_id: ActionId::new("act_1"),
        action_name: "of-other".to_owned(),
        version: 1,
        execution_id: Some("execution-of-other".to_owned()),
        status: ExecutionStatus::Final,
        report: json!({
            "commands": [], "console": [], "elapsed_us": 1, "cpu_us": 1, "fuel": 1, "memory_bytes": 1, "error": null,
        }),
        created_at: server.idp.now(),
    };
    let mut tx = server.idp.storage.begin(&TenantId::new(seed::OTHER)).await.unwrap();
    tx.insert_execution("transaction", &run).await.unwrap();
    tx.commit().await.unwrap();

    let module = json!({ "name": "shared", "code": "exports.a = 1;", "publish": true });
    let module = other.post("/actions/modules", &module).await.expect_json(201);
    let module_id = module["id"].as_str().unwrap();
    let module_version = module["latest_version"]["id"].as_str().unwrap();
    let path = created(other, &new_action("of-other", &says("1"))).await;
    let version = deployed(other, &path).await;
    let version = version["id"].as_str().unwrap();
    let modules = format!("/actions/modules/{module_id}");
    let (a, m) = ("/actions/actions/{id}", "/actions/modules/{id}");
    let event = json!({ "payload": { "event": {} } });
    let rollback = json!({ "module_version_id": module_version });
    let call = Foreign::unknown;
    let mut calls = vec![
        call("GET", a, path.clone(), None),
        call("PATCH", a, path.clone(), Some(json!({ "name": "mine" }))),
        call("DELETE", a, format!("{path}?force=true"), None),
        call("POST", "/actions/actions/{id}/deploy", format!("{path}/deploy"), None),
        call("POST", "/actions/actions/{id}/test", format!("{path}/test"), Some(event)),
        call("GET", "/actions/actions/{actionId}/versions", format!("{path}/versions"), None),
        call("GET", m, modules.clone(), None),
        call("PATCH", m, modules.clone(), Some(json!({ "code": "" }))),
        call("DELETE", m, modules.clone(), None),
        call("GET", "/actions/modules/{id}/actions", format!("{modules}/actions"), None),
        call("POST", "/actions/modules/{id}/rollback", format!("{modules}/rollback"), Some(rollback)),
        call("GET", "/actions/modules/{id}/versions", format!("{modules}/versions"), None),
        call("POST", "/actions/modules/{id}/versions", format!("{modules}/versions"), None),
    ];
    let versions = "/actions/actions/{actionId}/versions/{id}";
    let deploy = "/actions/actions/{actionId}/versions/{id}/deploy";
    let module_versions = "/actions/modules/{id}/versions/{versionId}";
    calls.push(call("GET", versions, format!("{path}/versions/{version}"), None));
    calls.push(call("POST", deploy, format!("{path}/versions/{version}/deploy"), Some(json!({}))));
    calls.push(call("GET", module_versions, format!("{modules}/versions/{module_version}"), None));
    calls.push(call(
        "GET",
        "/actions/executions/{id}",
        "/actions/executions/execution-of-other".to_owned(),
        None,
    ));
    // A trigger is no tenant's; what is bound to it is.
    for (method, body) in [("GET", None), ("PATCH", Some(json!({ "bindings": [] })))] {
        let (route, path) =
            ("/actions/triggers/{triggerId}/bindings", "/actions/triggers/post-login/bindings");
        calls.push(Foreign { status: 200, ..call(method, route, path.to_owned(), body) });
    }
    calls
}

#[tokio::test]
async fn an_author_creates_deploys_binds_changes_and_goes_back() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let list = api.get("/actions/actions?page=0&per_page=100").await.expect_json(200);
    assert_eq!(list, json!({ "actions": [], "per_page": 100 }));

    let mut new = new_action("greets", &says("'one'"));
    new["runtime"] = json!("node18");
    new["dependencies"] = json!([{ "name": "lodash", "version": "4.17.21" }]);
    let made = api.post("/actions/actions", &new).await.expect_json(201);
    assert_eq!((&made["status"], &made["all_changes_deployed"]), (&json!("built"), &json!(false)));
    assert_eq!(made["deployed_version"], Value::Null);
    for field in ["name", "code", "runtime", "dependencies", "supported_triggers"] {
        assert_eq!(made[field], new[field], "{field}");
    }
    let id = made["id"].as_str().unwrap();
    assert_eq!((id.len(), &id[14..15]), (36, "4"), "a UUID: {id}");
    let path = format!("/actions/actions/{id}");
    assert_eq!(api.get(&path).await.expect_json(200), made);

    // Nothing runs that is not deployed and bound.
    let names = |names: &[&str]| json!({ "bindings": names.iter().map(|name| json!({ "ref": { "type": "action_name", "value": name } })).collect::<Vec<_>>() });
    let bindings = "/actions/triggers/post-login/bindings";
    api.patch(bindings, &names(&["greets"])).await.expect_api_error(400, "invalid_body", "is not deployed");
    let first = deployed(&api, &path).await;
    assert_eq!((&first["number"], &first["status"]), (&json!(1), &json!("built")));
    assert_eq!(first["digest"].as_str().unwrap().len(), 64);
    assert_eq!(claims(&server).await["says"], Value::Null);
    let bound = bind(&api, &["greets"]).await;
    assert_eq!(bound["bindings"][0]["display_name"], "greets");
    assert_eq!(bound["bindings"][0]["action"]["id"], id);
    assert_eq!(bound["bindings"][0]["action"]["all_changes_deployed"], true);
    assert_eq!(claims(&server).await["says"], "one");

    // A change of the draft changes nothing until it is deployed.
    let changed = api.patch(&path, &json!({ "code": says("'two'") })).await.expect_json(200);
    assert_eq!(changed["all_changes_deployed"], false);
    assert_eq!(changed["deployed_version"]["code"], says("'one'"));
    assert_eq!(claims(&server).await["says"], "one");
    let second = deployed(&api, &path).await;
    assert_eq!(second["number"], 2);
    assert_eq!(claims(&server).await["says"], "two");
    let action = api.get(&path).await.expect_json(200);
    assert_eq!(action["all_changes_deployed"], true);
    assert_eq!(action["deployed_version"]["id"], second["id"]);

    let versions = format!("{path}/versions");
    let list = api.get(&format!("{versions}?page=0&per_page=50")).await.expect_json(200);
    assert_eq!((&list["total"], &list["per_page"], &list["page"]), (&json!(2), &json!(50), &Value::Null));
    let rows = list["versions"].as_array().unwrap();
    let codes: Vec<_> = rows.iter().map(|row| (row["code"].clone(), row["deployed"].clone())).collect();
    assert_eq!(codes, [(json!(says("'two'")), json!(true)), (json!(says("'one'")), json!(false))]);
    let old = format!("{versions}/{}", first["id"].as_str().unwrap());
    assert_eq!(api.get(&old).await.expect_json(200), rows[1]);

    // Back to the first version, as a third one. The draft follows when it is told to.
    let third = api.post(&format!("{old}/deploy"), &json!({})).await.expect_json(200);
    assert_eq!((&third["number"], &third["code"]), (&json!(3), &json!(says("'one'"))));
    assert_eq!(third["digest"], first["digest"], "the same code is the same artifact");
    assert_eq!(claims(&server).await["says"], "one");
    assert_eq!(api.get(&path).await.expect_json(200)["code"], says("'two'"));
    api.post(&format!("{old}/deploy"), &json!({ "update_draft": true })).await.expect_json(200);
    let action = api.get(&path).await.expect_json(200);
    assert_eq!((&action["code"], &action["all_changes_deployed"]), (&json!(says("'one'")), &json!(true)));
    api.post(&format!("{versions}/none/deploy"), &Value::Null).await.expect_api_error(404, "", "version");

    // Bound, it is deleted by force only.
    api.delete(&path).await.expect_api_error(409, "", "is bound");
    assert_eq!(api.delete(&format!("{path}?force=true")).await.status, 204);
    assert_eq!(claims(&server).await["says"], Value::Null);
    api.get(&path).await.expect_api_error(404, "", "That action does not exist.");
}

#[tokio::test]
async fn a_build_that_fails_says_where_and_is_not_deployed() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    for (number, (code, id, msg)) in [
        ("const a = 1;\nexports.onExecutePostLogin = async (event) => { ) };", "SyntaxError", "action.js:2:"),
        ("const a = 1;\n\n  a.b.c();", "TypeError", "action.js:3:"),
        ("exports.onExecutePostLogin = () => {};", "no_handler", "async function"),
        ("", "no_handler", "onExecutePostLogin"),
        (
            "const axios = require('axios'); exports.onExecutePostLogin = async () => {};",
            "Error",
            "npm packages are not available",
        ),
        ("for (;;);", "fuel_limit", "fuel limit"),
    ]
    .into_iter()
    .enumerate()
    {
        let new = new_action(&format!("broken-{number}"), code);
        let made = api.post("/actions/actions", &new).await.expect_json(201);
        assert_eq!(made["status"], "failed", "{made}");
        let error = &made["errors"][0];
        assert_eq!(error["id"], id, "{error}");
        assert!(error["msg"].as_str().unwrap().contains(msg), "{error}");
        assert_eq!(error["url"], Value::Null);
        let path = format!("/actions/actions/{}", made["id"].as_str().unwrap());
        let deploy = api.call(reqwest::Method::POST, &format!("{path}/deploy"), None).await;
        deploy.expect_api_error(400, "invalid_body", "must be in the 'built' state");
        deploy.expect_api_error(400, "invalid_body", error["msg"].as_str().unwrap());
        let mended = api.patch(&path, &json!({ "code": says("1") })).await.expect_json(200);
        assert_eq!((&mended["status"], &mended["errors"]), (&json!("built"), &Value::Null));
        let broken = api.patch(&path, &json!({ "code": code })).await.expect_json(200);
        assert_eq!(broken["status"], "failed");
    }
    // What is to be deployed when it is built stays a draft.
    let mut new = new_action("never", "no code");
    new["deploy"] = json!(true);
    let made = api.post("/actions/actions", &new).await.expect_json(201);
    assert_eq!((&made["status"], &made["deployed_version"]), (&json!("failed"), &Value::Null));
    new = new_action("at-once", &says("1"));
    new["deploy"] = json!(true);
    let made = api.post("/actions/actions", &new).await.expect_json(201);
    assert_eq!(
        (&made["deployed_version"]["number"], &made["all_changes_deployed"]),
        (&json!(1), &json!(true))
    );
}

#[tokio::test]
async fn secrets_go_in_and_never_come_back() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let mut new = new_action("keeps", &says("[event.secrets.A ?? null, event.secrets.B ?? null]"));
    new["secrets"] = json!([{ "name": "A", "value": "canary-a" }, { "name": "B", "value": "canary-b" }]);
    let path = created(&api, &new).await;
    deployed(&api, &path).await;
    bind(&api, &["keeps"]).await;
    let database = String::from_utf8_lossy(&server.database.bytes()).into_owned();
    assert!(!database.contains("canary"), "secrets are sealed");
    assert_eq!(claims(&server).await["says"], json!(["canary-a", "canary-b"]));
    let before = api.get(&path).await.expect_json(200);
    let names: Vec<_> = before["secrets"].as_array().unwrap().iter().map(|secret| &secret["name"]).collect();
    assert_eq!(names, ["A", "B"]);
    assert!(before["secrets"][0]["updated_at"].is_string());

    // The values that they have: nothing changes.
    server.clock.advance_secs(60);
    let same = api.patch(&path, &json!({ "secrets": new["secrets"] })).await.expect_json(200);
    assert_eq!(
        (&same["secrets"], &same["all_changes_deployed"]),
        (&before["secrets"], &json!(true)),
        "there is nothing to deploy"
    );

    // One without a value keeps what is stored; one that is not named goes. Another name of the Action changes nothing.
    server.clock.advance_secs(60);
    let update =
        json!({ "name": "renamed", "secrets": [{ "name": "B" }, { "name": "C", "value": "canary-c" }] });
    let after = api.patch(&path, &update).await.expect_json(200);
    assert_eq!(after["secrets"][0], before["secrets"][1], "B is as old as before");
    assert_eq!(claims(&server).await["says"], json!(["canary-a", "canary-b"]), "secrets belong to versions");
    api.patch(&path, &json!({ "code": says("[event.secrets.B, event.secrets.C, event.secrets.A ?? null]") }))
        .await
        .expect_json(200);
    deployed(&api, &path).await;
    assert_eq!(claims(&server).await["says"], json!(["canary-b", "canary-c", null]));
    let versions = api.get(&format!("{path}/versions")).await.expect_json(200);
    let first = format!("{path}/versions/{}", versions["versions"][1]["id"].as_str().unwrap());
    api.post(&format!("{first}/deploy"), &json!({ "update_draft": true })).await.expect_json(200);
    assert_eq!(claims(&server).await["says"], json!(["canary-a", "canary-b"]), "also after the renaming");
    api.patch(&path, &json!({ "secrets": [{ "name": "D" }] })).await.expect_api_error(
        400,
        "invalid_body",
        "the secret D has no value",
    );
    for path in [
        path.as_str(),
        "/actions/actions",
        &format!("{path}/versions"),
        "/actions/triggers/post-login/bindings",
    ] {
        let answer = api.get(path).await;
        assert_eq!(answer.status, 200);
        assert!(!answer.body.contains("canary"), "{answer:?}");
    }
}

#[tokio::test]
async fn a_component_travels_as_base64() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let action_build::Program::Component(bytes) = guest("terms.c").program else { panic!("a component") };
    let encoded = STANDARD.encode(&bytes);
    let wrapped: String =
        encoded.as_bytes().chunks(76).map(|line| format!("{}\n", String::from_utf8_lossy(line))).collect();
    for (name, code) in [("plain", &encoded), ("wrapped", &wrapped)] {
        let mut new = new_action(name, code);
        new["runtime"] = json!("wasm-component-v1");
        new["secrets"] = json!([{ "name": "SHARED", "value": "x" }]);
        let path = created(&api, &new).await;
        let version = deployed(&api, &path).await;
        let action = api.get(&path).await.expect_json(200);
        for shown in [&version, &action, &action["deployed_version"]] {
            assert_eq!(shown["code"].as_str(), Some(code.as_str()), "byte for byte");
            assert_eq!(shown["runtime"], "wasm-component-v1");
        }
        // Without its code it need not be built again.
        let renamed = api.patch(&path, &json!({ "name": format!("{name}-2") })).await.expect_json(200);
        assert_eq!(renamed["status"], "built");
    }
    bind(&api, &["plain-2"]).await;
    let url = sent_away(&server.client()).await;
    assert_eq!(url.host_str(), Some("profile.example"));

    let mut new = new_action("garbage", "no base64");
    new["runtime"] = json!("wasm-component-v1");
    let made = api.post("/actions/actions", &new).await.expect_json(201);
    assert_eq!((&made["status"], &made["errors"][0]["id"]), (&json!("failed"), &json!("invalid_code")));
    let path = format!("/actions/actions/{}", made["id"].as_str().unwrap());
    let update = json!({ "code": STANDARD.encode(b"no component") });
    let made = api.patch(&path, &update).await.expect_json(200);
    assert!(made["errors"][0]["msg"].as_str().unwrap().contains("not a Wasm component"), "{made}");
    let made = api.patch(&path, &json!({ "code": says("1"), "runtime": "node22" })).await.expect_json(200);
    assert_eq!(made["status"], "built");
    api.patch(&path, &json!({ "runtime": "deno" })).await.expect_api_error(
        400,
        "invalid_body",
        "unknown runtime: deno",
    );
}

#[tokio::test]
async fn a_script_may_be_typescript_with_files() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let code = "import { plan } from './lib/plan';
        export const onExecutePostLogin = async (event: { user: unknown }, api: any): Promise<void> => {
            api.idToken.setCustomClaim('says', plan);
        };";
    let mut new = new_action("typed", code);
    new["file_name"] = json!("action.ts");
    new["files"] = json!({ "lib/plan.ts": "export const plan: string = 'gold';" });
    let path = created(&api, &new).await;
    let made = api.get(&path).await.expect_json(200);
    assert_eq!((&made["file_name"], &made["files"]), (&new["file_name"], &new["files"]));
    deployed(&api, &path).await;
    bind(&api, &["typed"]).await;
    assert_eq!(claims(&server).await["says"], "gold");
    let wrong = json!({ "files": { "lib/plan.ts": "export const = 1" } });
    let made = api.patch(&path, &wrong).await.expect_json(200);
    assert!(made["errors"][0]["msg"].as_str().unwrap().starts_with("lib/plan.ts:1:"), "{made}");
    for name in ["../a.js", "/a.js", "a//b", "", "action.ts"] {
        let update = json!({ "files": { name: "" } });
        api.patch(&path, &update).await.expect_api_error(400, "invalid_body", "the name of a file");
    }
}

#[tokio::test]
async fn what_the_program_deploys_is_an_action_like_any_other() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    server.deploy_action("by-hand", &says("'one'")).await;
    let list = api.get("/actions/actions?actionName=by-hand").await.expect_json(200);
    let action = &list["actions"][0];
    assert_eq!((&list["total"], &action["all_changes_deployed"]), (&json!(1), &json!(true)));
    assert_eq!((&action["code"], &action["runtime"]), (&json!(says("'one'")), &json!("node22")));
    let path = format!("/actions/actions/{}", action["id"].as_str().unwrap());
    api.patch(&path, &json!({ "code": says("'two'"), "allowed_hosts": ["api.example"] }))
        .await
        .expect_json(200);
    assert_eq!(claims(&server).await["says"], "one");
    deployed(&api, &path).await;
    assert_eq!(claims(&server).await["says"], "two");
    server.deploy_action("by-hand", &says("'three'")).await;
    let action = api.get(&path).await.expect_json(200);
    assert_eq!(
        (&action["deployed_version"]["number"], &action["code"]),
        (&json!(3), &json!(says("'three'")))
    );
    assert_eq!(action["allowed_hosts"], json!(["api.example"]), "a deploy keeps them");
    let action = api.patch(&path, &json!({ "allowed_hosts": null })).await.expect_json(200);
    assert_eq!(action["allowed_hosts"], Value::Null);
    assert_eq!(claims(&server).await["says"], "three");
    let bound = api.get("/actions/triggers/post-login/bindings?page=0&per_page=50").await.expect_json(200);
    assert_eq!((&bound["total"], &bound["bindings"][0]["action"]["id"]), (&json!(1), &action["id"]));
}

/// What an older version of the program stored is read, changed and deployed.
#[tokio::test]
async fn an_action_of_before_has_an_id_versions_and_secrets() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let script = says("event.secrets.A");
    let secrets = [("A".to_owned(), "canary".to_owned())].into();
    let (source, artifact) = (&actions::kept(&script), &actions::build(&script));
    let deployment = Deployment { source, artifact, secrets: &secrets, hosts: None, modules: None };
    deploy_action(&server.idp, &server.acme(), "old", deployment).await.unwrap();
    for sql in [
        "INSERT INTO actions (tenant_id, id, name, created_at, deployed_version)
         SELECT tenant_id, 'act_old', 'other', created_at, deployed_version FROM actions WHERE name = 'old'",
        "UPDATE action_bindings SET action_id = 'act_old', display_name = NULL, created_at = NULL, updated_at = NULL",
        "UPDATE action_versions SET action_id = 'act_old', settings = NULL",
        "DELETE FROM actions WHERE name = 'old'",
        "UPDATE actions SET name = 'old'",
    ] {
        assert_eq!(server.database.execute(sql.to_owned()).await, 1);
    }
    let path = "/actions/actions/act_old";
    let old = api.get(path).await.expect_json(200);
    assert_eq!((&old["status"], &old["all_changes_deployed"]), (&json!("built"), &json!(true)));
    assert_eq!((&old["secrets"][0]["name"], &old["runtime"]), (&json!("A"), &json!("node22")));
    assert_eq!(old["supported_triggers"], json!([{ "id": "post-login", "version": "v3" }]));
    let versions = api.get(&format!("{path}/versions")).await.expect_json(200);
    let version = versions["versions"][0]["id"].as_str().unwrap();
    assert_eq!(api.get(&format!("{path}/versions/{version}")).await.expect_json(200)["number"], 1);
    let bound = api.get("/actions/triggers/post-login/bindings").await.expect_json(200);
    assert_eq!(bound["bindings"][0]["display_name"], "old");
    let update = json!({ "name": "new", "code": says("[event.secrets.A]"), "secrets": [{ "name": "A" }] });
    api.patch(path, &update).await.expect_json(200);
    assert_eq!(claims(&server).await["says"], "canary");
    deployed(&api, path).await;
    assert_eq!(claims(&server).await["says"], json!(["canary"]));
}

// HD5
#[tokio::test]
async fn a_login_that_waits_in_an_action_that_is_deleted_is_refused() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let leaves = "exports.onExecutePostLogin = async (event, api) => api.redirect.sendUserTo('https://profile.example/');
        exports.onContinuePostLogin = async () => {};";
    let path = created(&api, &new_action("asks", leaves)).await;
    deployed(&api, &path).await;
    bind(&api, &["asks"]).await;
    let browser = server.client();
    let state = state_of(&sent_away(&browser).await);
    assert_eq!(api.delete(&format!("{path}?force=true")).await.status, 204);
    let done = back(&browser, &state, "yes").await;
    assert_eq!(done.location_parameter("error").as_deref(), Some("access_denied"), "{done:?}");
    assert_eq!(
        done.location_parameter("error_description").as_deref(),
        Some("An Action of this login was removed meanwhile.")
    );
    assert_eq!(claims(&server).await["says"], Value::Null, "the next login has no Action");

    let path = created(&api, &new_action("denies", &handler("api.access.deny('No')"))).await;
    deployed(&api, &path).await;
    bind(&api, &["denies"]).await;
    assert_eq!(refused(&server, "denied").await, "No");
    bind(&api, &[]).await;
    assert_eq!(api.delete(&path).await.status, 204, "unbound, it needs no force");
}
