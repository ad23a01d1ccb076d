//! `actions:` modules: code that Actions share.

use end_to_end::TestServer;
use end_to_end::management::Api;
use serde_json::{Value, json};
use tempfile::tempdir;

use super::actions::{bind, claims, created, deployed, new_action};
use crate::kit;
use crate::post_login::handler;

const SHARED: &str = "exports.plan = () => ['one', actions.secrets.KEY, typeof require];";

fn uses(body: &str) -> String {
    format!("const shared = require('actions:shared');\n{}", handler(body))
}

#[tokio::test]
async fn a_module_is_published_required_pinned_and_rolled_back() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    assert_eq!(
        api.get("/actions/modules?page=0&per_page=100").await.expect_json(200),
        json!({ "modules": [], "per_page": 100 })
    );
    let new = json!({ "name": "shared", "code": SHARED, "secrets": [{ "name": "KEY", "value": "canary-1" }], "api_version": "v1" });
    let made = api.post("/actions/modules", &new).await.expect_json(201);
    assert_eq!((&made["latest_version_number"], &made["all_changes_published"]), (&json!(0), &json!(false)));
    let id = made["id"].as_str().unwrap();
    let path = format!("/actions/modules/{id}");
    let code = uses("api.idToken.setCustomClaim('says', shared.plan())");
    let mut action = new_action("uses", &code);
    action["modules"] = json!([{ "module_id": id }]);
    api.post("/actions/actions", &action).await.expect_api_error(400, "invalid_body", "publish it first");
    let first = api.call(reqwest::Method::POST, &format!("{path}/versions"), None).await.expect_json(201);
    assert_eq!((&first["version_number"], &first["code"]), (&json!(1), &json!(SHARED)));

    let action_path = created(&api, &action).await;
    let shown = api.get(&action_path).await.expect_json(200);
    let module = json!({ "module_id": id, "module_name": "shared", "module_version_id": first["id"], "module_version_number": 1 });
    assert_eq!((&shown["modules"], &shown["files"]), (&json!([module]), &Value::Null));
    deployed(&api, &action_path).await;
    bind(&api, &["uses"]).await;
    assert_eq!(claims(&server).await["says"], json!(["one", "canary-1", "function"]));

    // A change is not seen before it is published and the Action takes the new version.
    let change =
        json!({ "code": SHARED.replace("one", "two"), "secrets": [{ "name": "KEY", "value": "canary-2" }] });
    let changed = api.patch(&path, &change).await.expect_json(200);
    assert_eq!(
        (&changed["all_changes_published"], &changed["actions_using_module_total"]),
        (&json!(false), &json!(1))
    );
    let second = api.call(reqwest::Method::POST, &format!("{path}/versions"), None).await.expect_json(201);
    assert_eq!(
        claims(&server).await["says"],
        json!(["one", "canary-1", "function"]),
        "pinned, its secrets as well"
    );
    let newer = json!({ "modules": [{ "module_id": id, "module_version_id": second["id"] }] });
    assert_eq!(api.patch(&action_path, &newer).await.expect_json(200)["all_changes_deployed"], false);
    deployed(&api, &action_path).await;
    assert_eq!(claims(&server).await["says"], json!(["two", "canary-2", "function"]));

    let versions = api.get(&format!("{path}/versions")).await.expect_json(200);
    assert_eq!((&versions["total"], &versions["versions"][1]), (&json!(2), &first));
    let version = format!("{path}/versions/{}", first["id"].as_str().unwrap());
    assert_eq!(api.get(&version).await.expect_json(200), first);
    let back = api
        .post(&format!("{path}/rollback"), &json!({ "module_version_id": first["id"] }))
        .await
        .expect_json(200);
    assert_eq!(
        (&back["latest_version_number"], &back["code"], &back["all_changes_published"]),
        (&json!(3), &json!(SHARED), &json!(true))
    );
    api.post(&format!("{path}/rollback"), &json!({ "module_version_id": "x" }))
        .await
        .expect_api_error(404, "", "version");

    let used_by = api.get(&format!("{path}/actions")).await.expect_json(200);
    assert_eq!((&used_by["total"], &used_by["actions"][0]["action_name"]), (&json!(1), &json!("uses")));
    assert_eq!(used_by["actions"][0]["module_version_id"], second["id"]);
    api.delete(&path).await.expect_api_error(412, "", "in use by the action 'uses'");
    for path in [path.as_str(), "/actions/modules", &format!("{path}/versions"), &action_path] {
        let answer = api.get(path).await;
        assert!(answer.status == 200 && !answer.body.contains("canary"), "{answer:?}");
    }

    // Without it the Action does not build, and then nothing is in the way of its end.
    let without = api.patch(&action_path, &json!({ "modules": [] })).await.expect_json(200);
    assert!(
        without["errors"][0]["msg"]
            .as_str()
            .unwrap()
            .contains("'actions:shared': it is not among the modules of this Action"),
        "{without}"
    );
    api.delete(&path).await.expect_api_error(412, "", "in use");
    api.patch(&action_path, &json!({ "code": handler("") })).await.expect_json(200);
    deployed(&api, &action_path).await;
    assert_eq!(api.delete(&path).await.status, 204);
    api.get(&path).await.expect_api_error(404, "", "That module does not exist.");
    let versions = api.get(&format!("{action_path}/versions")).await.expect_json(200);
    let old = versions["versions"][1]["id"].as_str().unwrap();
    api.post(&format!("{action_path}/versions/{old}/deploy"), &json!({}))
        .await
        .expect_api_error(412, "", "'shared'");
}

#[tokio::test]
async fn a_module_is_checked_when_it_is_written() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    for (name, code, message) in [
        ("a b", "", "a module's name"),
        ("a/b", "", "a module's name"),
        ("", "", "a module's name"),
        ("broken", "\nconst = 1", "actions:broken:2:"),
        ("throws", "throw new Error('no')", "no"),
        ("early", "exports.key = actions.secrets.KEY", "can be read while the Action runs"),
        ("nested", "require('actions:other')", "a module cannot use other modules"),
        ("reads", "require('./action.js')", "Cannot find module './action.js'"),
        ("npm", "require('axios')", "npm packages are not available"),
        ("long", &"/".repeat(65_537), "at most 65,536 characters"),
    ] {
        let refused = api.post("/actions/modules", &json!({ "name": name, "code": code })).await;
        refused.expect_api_error(400, "invalid_body", message);
    }
    let shared =
        json!({ "name": "shared", "code": "'use strict'; exports.a = function () { return this; }" });
    let made = api.post("/actions/modules", &shared).await.expect_json(201);
    api.post("/actions/modules", &shared).await.expect_api_error(409, "", "'shared' exists already");
    let path = format!("/actions/modules/{}", made["id"].as_str().unwrap());
    api.patch(&path, &json!({ "code": "export const a = 1; export const = 2" })).await.expect_api_error(
        400,
        "invalid_body",
        "actions:shared:1:",
    );
    let es = json!({ "code": "import { createHash } from 'crypto';\nexport const key = () => actions.secrets.KEY ?? createHash('sha256').update('a').digest('hex').length;" });
    api.patch(&path, &es).await.expect_json(200);
    api.call(reqwest::Method::POST, &format!("{path}/versions"), None).await.expect_json(201);

    // An ES module, from TypeScript; another module's secrets are not there.
    let code = "import { key } from 'actions:shared';\nexport const onExecutePostLogin = async (event: unknown, api: any) => { api.idToken.setCustomClaim('says', [key(), typeof actions, Object.keys(event as object).includes('moduleSecrets')]); };\ndeclare const actions: unknown;";
    let mut new = new_action("typed", code);
    new["file_name"] = json!("action.ts");
    new["modules"] = json!([{ "module_id": made["id"] }]);
    let action = created(&api, &new).await;
    deployed(&api, &action).await;
    bind(&api, &["typed"]).await;
    assert_eq!(claims(&server).await["says"], json!([64, "undefined", false]));
    let test = json!({ "payload": { "event": {} } });
    let tested = api.post(&format!("{action}/test"), &test).await.expect_json(200);
    assert_eq!(tested["payload"]["commands"][0]["value"], json!([64, "undefined", false]), "{tested}");
}

#[tokio::test]
async fn a_folder_with_modules_runs_as_it_does_on_the_server() {
    let shared = "const born = 'shared';\nexports.label = () => [born, actions.secrets.KEY, Object.keys(actions.secrets)];\n";
    let code = handler(
        "const { label } = require('actions:shared');
         api.idToken.setCustomClaim('says', [...label(), event.secrets, typeof actions, 'moduleSecrets' in event]);",
    );
    let says = |own: &str, key: &str| json!(["shared", key, ["KEY"], { "OWN": own }, "undefined", false]);
    let folder = tempdir().unwrap();
    let secrets = "[secrets]\nOWN = 'mine'\n[module_secrets.shared]\nKEY = 'a key'\n";
    let case = "event = 'ordinary-login'\nsecrets = { OWN = 'the case' }\nmodule_secrets = { shared = { KEY = 'of a case' } }\n";
    let expected =
        json!({ "command": "idToken.setCustomClaim", "key": "says", "value": says("mine", "in code") });
    let in_code = format!(
        "const {{ assert, test, run }} = require('postern:test');
         test('in code', async () => {{
           const login = await run('silent', {{ module_secrets: {{ shared: {{ KEY: 'in code' }} }} }});
           assert.deepEqual(login.commands, [{expected}]);
         }});"
    );
    kit::write(
        folder.path(),
        &[
            ("action.js", &code),
            ("action.toml", &format!("{}{secrets}", kit::SETTINGS)),
            ("modules/shared.js", shared),
            ("tests/of-a-case.toml", case),
            ("tests/more.test.js", &in_code),
        ],
    );
    let claim = async |arguments: &[&str]| {
        let all = [&["run", ".", "--event", "ordinary-login", "--json"], arguments].concat();
        kit::action(folder.path(), &all).await.expect(0).json()["decision"]["id_token_claims"]["says"].clone()
    };
    assert_eq!(claim(&[]).await, says("mine", "a key"));
    let given = ["--module-secret", "shared.KEY=of the.line=", "--secret", "OWN=given"];
    assert_eq!(claim(&given).await, says("given", "of the.line="));
    let refused =
        kit::action(folder.path(), &["run", ".", "--event", "silent", "--module-secret", "KEY=x"]).await;
    assert!(refused.expect(2).stderr.contains("expected MODULE.NAME=VALUE"), "{refused:?}");
    kit::action(folder.path(), &["test", "--update"]).await.expect(0);
    kit::action(folder.path(), &["test"]).await.expect(0);
    let case = std::fs::read_to_string(folder.path().join("tests/of-a-case.toml")).unwrap();
    assert!(case.contains("\"of a case\""), "{case}");

    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let module = json!({ "name": "shared", "code": shared, "secrets": [{ "name": "KEY", "value": "a key" }], "publish": true });
    let module = api.post("/actions/modules", &module).await.expect_json(201);
    let mut new = new_action("uses", &code);
    new["secrets"] = json!([{ "name": "OWN", "value": "mine" }]);
    new["modules"] = json!([{ "module_id": module["id"] }]);
    let path = created(&api, &new).await;
    deployed(&api, &path).await;
    bind(&api, &["uses"]).await;
    assert_eq!(claims(&server).await["says"], says("mine", "a key"));

    // What is wrong in a module has its place there, and one that is not there is asked for by its file.
    kit::write(
        folder.path(),
        &[("modules/shared.js", "\n  exports.label = () => actions.secrets.NONE.length;\n")],
    );
    let failed = kit::action(folder.path(), &["run", ".", "--event", "ordinary-login"]).await;
    let shown = &failed.expect(5).stdout;
    assert!(
        shown.contains("actions:shared:2:") && shown.contains("exports.label = () => actions"),
        "{shown}"
    );
    std::fs::remove_dir_all(folder.path().join("modules")).unwrap();
    let failed = kit::action(folder.path(), &["run", ".", "--event", "ordinary-login"]).await;
    assert!(failed.expect(5).stdout.contains("modules/shared.js"), "{failed:?}");
}
