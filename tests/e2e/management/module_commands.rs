//! `postern action deploy` and `diff` of Actions with `actions:` modules.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use end_to_end::management::Api;
use end_to_end::operator::Operator;
use end_to_end::process::Ended;
use end_to_end::{TestServer, seed};
use serde_json::{Value, json};

use super::action_commands::Terminal;
use super::actions::claims;
use crate::kit;
use crate::post_login::handler;

const SHARED: &str = "exports.plan = () => ['one', actions.secrets.KEY ?? 'no key'];\n";

/// An Action that puts what its module says into a claim of this name.
fn uses(claim: &str) -> String {
    let body = handler(&format!("api.idToken.setCustomClaim('{claim}', shared.plan());"));
    format!("const shared = require('actions:shared');\n{body}")
}

/// Numbers of versions, newest first.
async fn versions(api: &Api, path: &str, number: &str) -> Vec<i64> {
    let list = api.get(&format!("{path}/versions")).await.expect_json(200);
    list["versions"].as_array().unwrap().iter().map(|version| version[number].as_i64().unwrap()).collect()
}

async fn module_versions(api: &Api, name: &str) -> Vec<i64> {
    let modules = api.get("/actions/modules").await.expect_json(200);
    let all = modules["modules"].as_array().unwrap();
    let Some(module) = all.iter().find(|module| module["name"] == name) else { return Vec::new() };
    versions(api, &format!("/actions/modules/{}", module["id"].as_str().unwrap()), "version_number").await
}

async fn action_versions(api: &Api, name: &str) -> Vec<i64> {
    let actions = api.get(&format!("/actions/actions?actionName={name}")).await.expect_json(200);
    let Some(id) = actions["actions"][0]["id"].as_str() else { return Vec::new() };
    versions(api, &format!("/actions/actions/{id}"), "number").await
}

#[track_caller]
fn says(ended: &Ended, lines: &[&str]) {
    for line in lines {
        assert!(ended.stdout.contains(line), "{line:?} is missing: {ended:?}");
    }
    assert!(!format!("{ended:?}").contains("canary"), "{ended:?}");
}

#[tokio::test]
async fn an_action_is_deployed_with_its_modules_and_nothing_twice() {
    let server = TestServer::start().await;
    let (api, terminal) = (Api::of(&server).await, Terminal::at(&server).await);
    let other = terminal.file("other/action.js", uses("other"));
    terminal.file("other/modules/shared.js", SHARED);
    let secret = ["--module-secret", "shared.KEY=canary-1"];
    let deploy_other = ["deploy", &other, "--name", "other"];
    let ended = terminal.run(&[&deploy_other[..], &secret].concat()).await;
    says(ended.expect(0), &["module shared: version 1 is published\n", "deployed  other version 1 at"]);
    assert_eq!(claims(&server).await["other"], json!(["one", "canary-1"]));

    // Another one with the same module, from a folder: there is nothing to publish, and nothing to say of secrets.
    let folder = terminal.file("mine/action.js", uses("mine")).replace("/action.js", "");
    terminal.file("mine/modules/shared.js", SHARED);
    terminal.file("mine/modules/unused.js", "exports.a = 1;");
    let settings = format!("{}[secrets]\nOWN = 'x'\n[module_secrets.shared]\nKEY = 'k'\n", kit::SETTINGS);
    terminal.file("mine/action.toml", settings);
    let deploy = ["deploy", folder.as_str()];
    let ended = terminal.run(&deploy).await;
    says(ended.expect(0), &["module shared: version 1 is as it is here\n", "deployed  mine version 1 at"]);
    let missing = "action.toml has a secret OWN, and the deploy has none: --secret OWN=VALUE";
    assert!(ended.stderr.contains(missing) && !ended.stderr.contains("KEY"), "{ended:?}");
    assert_eq!(claims(&server).await["mine"], json!(["one", "canary-1"]));
    let diff = ["diff", "mine", "--file", &folder];
    assert_eq!(terminal.run(&diff).await.expect(0).stdout, "");

    // The module alone changes. The other Action keeps what it has.
    terminal.file("mine/modules/shared.js", SHARED.replace("one", "two"));
    let ended = terminal.run(&diff).await;
    says(
        ended.expect(1),
        &[
            "--- version 1, module version 1: actions:shared\n+++ ",
            "-exports.plan = () => ['one'",
            "+exports.plan = () => ['two'",
        ],
    );
    assert!(!ended.stdout.contains("setCustomClaim"), "{ended:?}");
    let ended = terminal.run(&deploy).await;
    says(
        ended.expect(0),
        &["module shared: version 2 is published, after version 1\n", "deployed  mine version 2 at"],
    );
    let after = claims(&server).await;
    assert_eq!((&after["mine"], &after["other"]), (&json!(["two", "canary-1"]), &json!(["one", "canary-1"])));
    assert_eq!(terminal.run(&diff).await.expect(0).stdout, "");
    let shown = terminal.run(&["diff", "mine", "1", "2"]).await;
    says(
        shown.expect(1),
        &["--- version 1, module version 1: actions:shared\n+++ version 2, module version 2: "],
    );

    // Again, and from the folder whose module is older: nothing changes.
    let ended = terminal.run(&deploy).await;
    says(
        ended.expect(0),
        &["module shared: version 2 is as it is here\n", "unchanged  mine version 2 at", "runs already"],
    );
    let ended = terminal.run(&[&deploy_other[..], &["--json"]].concat()).await.expect(0).json();
    assert_eq!(
        (&ended["changed"], &ended["version"], &ended["modules"]),
        (&json!(false), &json!(1), &json!([{ "name": "shared", "version": 1, "published": false }]))
    );
    let all = (module_versions(&api, "shared").await, action_versions(&api, "mine").await);
    assert_eq!(all, (vec![2, 1], vec![2, 1]));
    assert_eq!(action_versions(&api, "other").await, [1]);
    assert!(module_versions(&api, "unused").await.is_empty(), "nobody requires it");

    // A secret with another value is a version; the same once more is none. So it is with the Action's own.
    let secrets = ["--module-secret", "shared.KEY=canary-2", "--secret", "OWN=canary-3", "--json"];
    for (changed, version) in [(true, 3), (false, 3)] {
        let ended = terminal.run(&[&deploy[..], &secrets].concat()).await;
        assert_eq!(ended.expect(0).stderr, "", "no secret is missing");
        let answer = ended.json();
        assert_eq!((&answer["changed"], &answer["version"]), (&json!(changed), &json!(version)));
        let module = json!({ "name": "shared", "version": 3, "published": changed });
        assert_eq!(answer["modules"], json!([module]));
    }
    let after = claims(&server).await;
    assert_eq!((&after["mine"], &after["other"]), (&json!(["two", "canary-2"]), &json!(["one", "canary-1"])));

    // What went back has the modules of then.
    terminal.run(&["rollback", "mine", "1"]).await.expect(0);
    assert_eq!(claims(&server).await["mine"], json!(["one", "canary-1"]));

    // An Action that requires it no more lets go of it.
    terminal.file("mine/action.js", handler(""));
    says(
        &terminal.run(&diff).await,
        &["-const shared = require('actions:shared');", "-exports.plan = () =>"],
    );
    let ended = terminal.run(&deploy).await;
    says(ended.expect(0), &["module shared: not required any more\n", "deployed  mine version 5"]);
    assert_eq!(terminal.run(&diff).await.expect(0).stdout, "");
}

#[tokio::test]
async fn a_module_of_the_tenant_need_not_be_in_the_folder() {
    let server = TestServer::start().await;
    let (api, terminal) = (Api::of(&server).await, Terminal::at(&server).await);
    let file = terminal.file("action.js", uses("says"));
    let deploy = ["deploy", &file, "--name", "uses"];
    let ended = terminal.run(&deploy).await;
    let text = "the Action requires actions:shared, and there is neither modules/shared.js with it nor a published module shared";
    assert!(ended.expect(5).stderr.contains(text), "{ended:?}");
    // A draft is not published.
    let made = json!({ "name": "shared", "code": SHARED });
    let module = api.post("/actions/modules", &made).await.expect_json(201);
    assert!(terminal.run(&deploy).await.expect(5).stderr.contains(text));
    let path = format!("/actions/modules/{}", module["id"].as_str().unwrap());
    let publish = async || api.call(reqwest::Method::POST, &format!("{path}/versions"), None).await;
    publish().await.expect_json(201);
    let ended = terminal.run(&deploy).await;
    says(ended.expect(0), &["module shared: version 1 is the tenant's, and not here\n"]);
    assert_eq!(claims(&server).await["says"], json!(["one", "no key"]));

    // What the Action has is what it keeps.
    api.patch(&path, &json!({ "code": SHARED.replace("one", "two") })).await.expect_json(200);
    publish().await.expect_json(201);
    terminal.file("action.js", format!("{}// a remark\n", uses("says")));
    let ended = terminal.run(&deploy).await;
    says(ended.expect(0), &["module shared: version 1 is the tenant's", "deployed  uses version 2"]);
    assert_eq!(claims(&server).await["says"], json!(["one", "no key"]));
    assert_eq!(terminal.run(&["diff", "uses", "--file", &file]).await.expect(0).stdout, "");

    // In the folder it is the newest version, which has that code.
    terminal.file("modules/shared.js", SHARED.replace("one", "two"));
    let ended = terminal.run(&deploy).await;
    says(ended.expect(0), &["module shared: version 2 is as it is here, after version 1\n"]);
    assert_eq!(claims(&server).await["says"], json!(["two", "no key"]));

    // A version with the same code, and secrets that somebody else set.
    api.patch(&path, &json!({ "secrets": [{ "name": "KEY", "value": "canary" }] })).await.expect_json(200);
    publish().await.expect_json(201);
    let diff = terminal.run(&["diff", "uses", "--file", &file]).await;
    says(diff.expect(1), &["actions:shared: another version, with the same code\n"]);
    says(
        terminal.run(&deploy).await.expect(0),
        &["module shared: version 3 is as it is here, after version 2\n"],
    );
    assert_eq!(claims(&server).await["says"], json!(["two", "canary"]));
}

#[tokio::test]
async fn where_a_module_fails_nothing_is_deployed_or_published() {
    let server = TestServer::start().await;
    let (api, terminal) = (Api::of(&server).await, Terminal::at(&server).await);
    let two = format!("require('actions:also');\n{}", uses("says"));
    let file = terminal.file("action.js", &two);
    terminal.file("modules/also.js", "exports.a = 1;\n");
    let deploy = ["deploy", &file, "--name", "uses"];
    let nothing = async || {
        for name in ["also", "shared"] {
            assert_eq!(module_versions(&api, name).await, [0_i64; 0], "{name}");
        }
        assert!(action_versions(&api, "uses").await.is_empty());
    };

    // What this machine sees is said with its place, as by `action run`.
    terminal.file("modules/shared.js", "\n  throw new Error('no');\n");
    let ended = terminal.run(&deploy).await;
    says(ended.expect(5), &["actions:shared:2:", "throw new Error('no');"]);
    assert_eq!(api.get("/actions/modules").await.expect_json(200)["modules"], json!([]));
    // An Action that does not build leaves no module behind.
    terminal.file("modules/shared.js", SHARED);
    terminal.file("action.js", two.replace("exports.on", "exports.un"));
    assert_eq!(terminal.run(&deploy).await.code, 5);
    nothing().await;
    terminal.file("action.js", &two);
    // The server has rules of its own.
    terminal.file("modules/shared.js", format!("{SHARED}//{}", "x".repeat(65_536)));
    let ended = terminal.run(&deploy).await;
    let text = "the module shared was refused; nothing of the Action is deployed\n  because: the server refused (400 invalid_body)";
    assert!(ended.expect(1).stderr.contains(text), "{ended:?}");
    assert!(ended.stderr.contains("a module's code has at most 65,536 characters"), "{ended:?}");
    nothing().await;
    terminal.file("modules/shared.js", SHARED);
    let more: String = ["b", "c"].map(|name| format!("require('actions:{name}');\n")).concat();
    terminal.file("action.js", format!("{more}{two}"));
    let ended = terminal.run(&deploy).await;
    let text = "an Action has at most 3 modules, and this one requires also, b, c, shared";
    assert!(ended.expect(5).stderr.contains(text), "{ended:?}");
    terminal.file("action.js", &two);
    for module in ["gone", "Shared"] {
        let secret = format!("{module}.KEY=canary");
        let ended = terminal.run(&[&deploy[..], &["--module-secret", &secret]].concat()).await;
        assert!(ended.expect(2).stderr.contains(&format!("this deploys no module {module}")), "{ended:?}");
    }
    nothing().await;

    // Which scope is missing, and which are needed.
    for (scopes, missing) in [
        (&["create:actions", "update:actions"][..], "expected any of: read:actions"),
        (&["read:actions", "update:actions"], "expected any of: create:actions"),
    ] {
        let few = Terminal::with(&server, &Api::with_scopes(&server, scopes).await);
        let ended = few.run(&deploy).await;
        assert!(ended.expect(1).stderr.contains(missing), "{ended:?}");
        let needed = "(this command needs read:actions, create:actions and update:actions)";
        assert!(ended.stderr.contains(needed), "{ended:?}");
        nothing().await;
    }
    let ended = terminal.run(&deploy).await;
    says(
        ended.expect(0),
        &[
            "module also: version 1 is published\nmodule shared: version 1 is published\ndeployed  uses version 1",
        ],
    );
    terminal.file("modules/shared.js", SHARED.replace("one", "two"));
    let few = Terminal::with(&server, &Api::with_scopes(&server, &["read:actions", "create:actions"]).await);
    let ended = few.run(&deploy).await;
    let text = "the module shared was refused; nothing of the Action is deployed";
    assert!(ended.expect(1).stderr.contains(text) && ended.stderr.contains("update:actions"), "{ended:?}");
    assert_eq!(claims(&server).await["says"], json!(["one", "no key"]));
}

#[tokio::test]
async fn modules_are_deployed_to_the_database_as_well() {
    let server = TestServer::start().await;
    let (api, operator) = (Api::of(&server).await, Operator::of(&server.database));
    // The server's key.
    let key = operator.folder.path().join("key");
    fs::write(&key, [7; 32]).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let folder = operator.folder.path().join("limit");
    kit::write(
        &folder,
        &[("action.js", &uses("says")), ("action.toml", kit::SETTINGS), ("modules/shared.js", SHARED)],
    );
    let deploy = async |more: &[&str]| {
        let words = ["action", "deploy", folder.to_str().unwrap(), "--tenant", seed::ACME];
        operator.run(&[&words[..], more].concat()).await
    };
    let secrets = ["--module-secret", "shared.KEY=canary", "--secret", "OWN=canary"];
    let ended = deploy(&secrets).await;
    says(ended.expect(0), &["module shared: version 1 is published\n", "deployed   limit version 1 of acme"]);
    assert_eq!(claims(&server).await["says"], json!(["one", "canary"]));
    let ended = deploy(&secrets).await;
    says(
        ended.expect(0),
        &["module shared: version 1 is as it is here\n", "unchanged  limit version 1 of acme"],
    );

    kit::write(&folder, &[("modules/shared.js", &SHARED.replace("one", "two"))]);
    let ended = deploy(&["--json"]).await.expect(0).json();
    assert_eq!(
        (&ended["version"], &ended["modules"]),
        (&json!(2), &json!([{ "name": "shared", "version": 2, "published": true }]))
    );
    assert_eq!(claims(&server).await["says"], json!(["two", "canary"]));
    assert_eq!(module_versions(&api, "shared").await, [2, 1]);

    // Over the API it is the same Action with the same modules.
    let terminal = Terminal::with(&server, &api);
    let ended = terminal.run(&["deploy", folder.to_str().unwrap()]).await;
    says(ended.expect(0), &["module shared: version 2 is as it is here\n", "unchanged  limit version 2 at"]);
    // One that is not in the folder is the tenant's here, too.
    fs::remove_dir_all(folder.join("modules")).unwrap();
    says(
        deploy(&[]).await.expect(0),
        &["module shared: version 2 is the tenant's, and not here\n", "unchanged"],
    );
    kit::write(&folder, &[("action.js", &uses("says").replace("actions:shared", "actions:gone"))]);
    assert!(deploy(&[]).await.expect(5).stderr.contains("neither modules/gone.js"));
    let bound: Value = api.get("/actions/triggers/post-login/bindings").await.expect_json(200);
    assert_eq!(bound["bindings"].as_array().map(Vec::len), Some(1));
}
