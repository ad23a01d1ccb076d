//! `postern action run`: one login through any number of Actions.

use serde_json::{Value, json};
use tempfile::tempdir;

use super::{SETTINGS, action, handler, read, shows, write};

/// The answer of `--json` without what depends on the machine.
fn decided(mut answer: Value) -> Value {
    for run in answer["runs"].as_array_mut().unwrap() {
        for measured in ["elapsed_us", "cpu_us"] {
            run["report"][measured].take();
        }
    }
    answer
}

#[tokio::test]
async fn actions_run_in_order_and_later_ones_see_what_the_server_would_show_them() {
    let folder = tempdir().unwrap();
    let first = "api.session.setExpiresAt(Date.now() + 3600000);
        api.session.setMetadata('kiosk', '7');
        api.transaction.setMetadata('first', 'was here');
        api.user.setUserMetadata('seen', true);
        api.session.setCookieMode('non-persistent');";
    let second = "console.log(JSON.stringify([event.session.metadata, event.transaction.metadata,
          event.user.user_metadata.seen, event.session.cookie.mode, event.secrets]));
        api.session.setExpiresAt(Date.now() + 1800000);
        api.idToken.setCustomClaim('sub', 'mine');";
    write(
        folder.path(),
        &[
            ("first.js", &handler(first)),
            ("second/action.js", &handler(second)),
            ("second/action.toml", &format!("{SETTINGS}[secrets]\nOWN = 'a'\n")),
        ],
    );
    let arguments =
        ["run", "first.js", "second", "--event", "ordinary-login", "--now", "2026-02-01T12:00:00Z"];
    let shown = action(folder.path(), &arguments).await;
    shows(
        shown.expect(0),
        &[
            "first.js:2",
            "second",
            "action.js:4",
            "The session ends 2026-02-01T12:30:00.000Z (in 30 min)",
            "user_metadata has seen = true",
            "custom claim `sub` was left out",
        ],
    );
    let answer = action(folder.path(), &[&arguments[..], &["--json"]].concat()).await.expect(0).json();
    let printed = answer["runs"][1]["report"]["console"][0]["text"].as_str().unwrap();
    let seen: Value = serde_json::from_str(printed).unwrap();
    let changes = json!([{ "kiosk": "7" }, { "first": "was here" }, null, "non-persistent", { "OWN": "a" }]);
    assert_eq!(seen, changes);
    assert_eq!(answer["decision"]["session_expires_at"], 1_769_949_000_000_i64, "the earliest counts");
    assert_eq!(answer["runs"][0]["places"][0], json!({ "file": "first.js", "line": 2, "column": 39 }));
}

#[tokio::test]
async fn what_ends_a_login_ends_it_for_later_actions_too() {
    let folder = tempdir().unwrap();
    write(
        folder.path(),
        &[
            ("denies.js", &handler("api.access.deny('Not today');")),
            ("throws.js", &handler("api.user.setAppMetadata('a', 1);\nthrow new Error('broken');")),
            ("asks.js", &handler("api.authentication.challengeWith({ type: 'otp' });")),
        ],
    );
    for (first, code, wanted) in [
        ("denies.js", 0, "The login is refused: Not today"),
        ("throws.js", 5, "The login is refused: broken"),
        ("asks.js", 0, "The user must show a second factor: otp"),
    ] {
        let ended = action(folder.path(), &["run", first, "denies.js", "--event", "first-login"]).await;
        shows(ended.expect(code), &[wanted, "denies.js does not run in this part of the login."]);
    }
    let answer = action(folder.path(), &["run", "throws.js", "--event", "first-login", "--json"]).await;
    let answer = answer.expect(5).json();
    assert_eq!(answer["decision"]["app_metadata"], json!({}), "nothing of a failed login is applied");
    let ended = action(folder.path(), &["run", "asks.js", "--event", "refresh"]).await;
    shows(ended.expect(0), &["this flow has no browser (interaction_required)"]);
}

#[tokio::test]
async fn events_come_by_name_and_are_changed_by_path() {
    let folder = tempdir().unwrap();
    write(
        folder.path(),
        &[(
            "a.js",
            &handler(
                "console.log(JSON.stringify([event.transaction.protocol, event.user.email, event.session?.id, event.user.app_metadata]));",
            ),
        )],
    );
    for (event, protocol) in [
        ("native-to-web", "oidc-basic-profile"),
        ("ordinary-login", "oidc-basic-profile"),
        ("first-login", "oidc-basic-profile"),
        ("silent", "oidc-basic-profile"),
        ("refresh", "oauth2-refresh-token"),
        ("device", "oauth2-device-code"),
        ("password", "oauth2-password"),
    ] {
        let set = [
            "--set",
            "user.email=eve@example.com",
            "--set",
            "session=null",
            "--set",
            "user.app_metadata={\"a\":[1]}",
        ];
        let arguments = [&["run", "a.js", "--json", "--event", event][..], &set].concat();
        let answer = action(folder.path(), &arguments).await.expect(0).json();
        let text = answer["runs"][0]["report"]["console"][0]["text"].as_str().unwrap();
        let seen: Value = serde_json::from_str(text).unwrap();
        assert_eq!(
            (&seen[0], &seen[1], &seen[2]),
            (&json!(protocol), &json!("eve@example.com"), &Value::Null)
        );
        assert_eq!(seen[3]["a"], json!([1]));
    }
    let ended = action(folder.path(), &["run", "a.js", "--event", "refresh", "--set", "usr.email=x"]).await;
    shows(ended.expect(2), &["an event has no property \"usr\"", "transaction, user"]);
    action(folder.path(), &["run", "a.js", "--event", "refresh", "--set", "user.email"]).await.expect(2);
    shows(
        action(folder.path(), &["run", "a.js", "--event", "refreshed"]).await.expect(1),
        &["native-to-web"],
    );
    shows(
        action(folder.path(), &["run", "a.js", "--event", "refresh", "--set", "request=1"]).await.expect(1),
        &["event.request must be an object, not a number"],
    );
    write(folder.path(), &[("list.json", "[1]"), ("broken.json", "{\n\"user\": }")]);
    shows(
        action(folder.path(), &["run", "a.js", "--event", "list.json"]).await.expect(1),
        &["not a JSON object"],
    );
    shows(
        action(folder.path(), &["run", "a.js", "--event", "broken.json"]).await.expect(1),
        &["line 2 column 9"],
    );
}

#[tokio::test]
async fn a_run_with_stand_ins_asks_nobody_waits_for_nothing_and_is_the_same_each_time() {
    let folder = tempdir().unwrap();
    let body = "const started = Date.now();
        const answers = await Promise.all(['a', 'b'].map((name) =>
          fetch(`https://api.example/${name}`, { method: 'POST', body: JSON.stringify({ name, more: 1 }) })));
        console.log(answers.map((answer) => answer.status).join(), (await answers[0].json()).ok, Date.now() - started);
        await new Promise((resolve) => setTimeout(resolve, 3000));
        console.log(Date.now() - started, Math.random(), crypto.randomUUID());
        console.log(api.cache.get('plan').value, api.cache.set('x', 'y').type);
        const { roles } = await api.roles.getUserEffectiveRolesByNames(['admin', 'none']);
        const { memberships } = await api.groups.hasGroupMembership(['staff', 'others']);
        console.log(JSON.stringify([roles, memberships]));
        await fetch('https://down.example/').catch((error) => console.log(error.cause.message));";
    let world = "now = 2026-03-01T00:00:00Z
        seed = 7
        roles = [{ id = 'rol_2', name = 'admin' }, { id = 'rol_1', name = 'other' }]
        groups = [{ id = 'grp_1', name = 'staff' }]
        cache = { plan = 'gold' }
        [[http]]
        method = 'POST'
        url = 'https://*.example/*'
        body = { name = 'a' }
        json = { ok = true }
        delay_ms = 40
        [[http]]
        url = 'https://api.example/b'
        status = 503
        delay_ms = 7000
        [[http]]
        url = 'https://down.example/'
        failure = 'the line is cut'";
    write(folder.path(), &[("a.js", &handler(body)), ("world.toml", world)]);
    let arguments = ["run", "a.js", "--event", "refresh", "--stand-ins", "world.toml", "--json"];
    let began = std::time::Instant::now();
    let answer = decided(action(folder.path(), &arguments).await.expect(0).json());
    assert!(began.elapsed().as_secs() < 10, "the run is 10 seconds long by its own clock");
    let printed: Vec<_> = answer["runs"][0]["report"]["console"].as_array().unwrap().iter().collect();
    let line = |index: usize| printed[index]["text"].as_str().unwrap();
    assert_eq!(line(0), "200,503 true 7000");
    assert!(line(1).starts_with("10000 0."), "{}", line(1));
    assert_eq!(line(2), "gold success");
    let found: Value = serde_json::from_str(line(3)).unwrap();
    let staff =
        json!({ "is_member": true, "matches": [{ "id": "grp_1", "name": "staff", "group_type": "tenant" }] });
    assert_eq!(found[0], json!([{ "id": "rol_2", "name": "admin", "type": "tenant" }]));
    assert_eq!(found[1], json!({ "staff": staff, "others": { "is_member": false } }));
    assert_eq!(line(4), "the line is cut");
    assert_eq!(decided(action(folder.path(), &arguments).await.expect(0).json()), answer);
    let other = action(folder.path(), &[&arguments[..], &["--seed", "8"]].concat()).await.expect(0).json();
    assert_ne!(other["runs"][0]["report"]["console"][1], *printed[1]);
}

#[tokio::test]
async fn a_call_without_a_stand_in_is_named_with_what_would_be_one() {
    let folder = tempdir().unwrap();
    // Even when the Action makes nothing of it.
    let body = "await fetch('https://api.example/x?y=1').catch(() => {});
        await api.roles.getUserEffectiveRoles().catch(() => {});";
    write(folder.path(), &[("a.js", &handler(body)), ("none.toml", "")]);
    let arguments = ["run", "a.js", "--event", "refresh", "--stand-ins", "none.toml"];
    let ended = action(folder.path(), &arguments).await;
    shows(
        ended.expect(5),
        &[
            "GET https://api.example/x?y=1 has no stand-in",
            "[[stand_ins.http]]\nmethod = \"GET\"\nurl = \"https://api.example/x?y=1\"",
            "roles.effective has no stand-in",
        ],
    );
    write(folder.path(), &[("none.toml", "[[http]]\nuri = 'x'\n")]);
    shows(
        action(folder.path(), &arguments).await.expect(3),
        &["line 2, column 1", "unknown field `uri`", "`url`"],
    );
}

#[tokio::test]
async fn a_browser_that_is_back_goes_on_in_the_other_handler() {
    let folder = tempdir().unwrap();
    let code = handler("api.redirect.sendUserTo('https://a.example/');")
        + "exports.onContinuePostLogin = async (event, api) => {
             api.idToken.setCustomClaim('answer', event.request.query.answer);
           };";
    write(folder.path(), &[("a.js", &code), ("b.js", &handler("console.log('b runs');"))]);
    let leaves = action(folder.path(), &["run", "a.js", "b.js", "--event", "ordinary-login"]).await;
    shows(leaves.expect(0), &["The browser is sent to https://a.example/", "b.js does not run"]);
    let arguments = ["run", "a.js", "b.js", "--event", "ordinary-login", "--continue", "answer=yes"];
    shows(
        action(folder.path(), &arguments).await.expect(0),
        &["answer = \"yes\"", "b runs", "The login goes on"],
    );
}

#[tokio::test]
async fn wrong_settings_and_guests_that_hang_end_with_what_is_wrong() {
    let folder = tempdir().unwrap();
    let run = async |settings: &str| {
        write(folder.path(), &[("p/action.toml", settings), ("p/action.js", &handler("for (;;);"))]);
        action(folder.path(), &["run", "p", "--event", "refresh"]).await
    };
    shows(run("trigger = 'post-login\n").await.expect(3), &["p/action.toml", "line 1, column"]);
    shows(run("trigger = 'post-login'\nentry = 'x.js'\n").await.expect(3), &["`entry` names p/x.js"]);
    shows(run(&format!("{SETTINGS}entri = 1\n")).await.expect(3), &["line 3, column 1", "`entry`"]);
    let loose = format!("{SETTINGS}[limits]\nfuel = 1_000_000_000_000\n");
    shows(run(&loose).await.expect(3), &["limits.fuel = 1000000000000 is more than the server allows"]);
    let built = format!("{SETTINGS}build = 'echo building; exit 3'\n");
    shows(run(&built).await.expect(5), &["`build` ended with exit status: 3"]);
    let tight = format!("{SETTINGS}[limits]\nfuel = 50_000_000\n");
    shows(run(&tight).await.expect(5), &["the fuel limit was reached at action.js:2"]);
    shows(run("").await.expect(3), &["missing field `trigger`"]);
    std::fs::remove_file(folder.path().join("p/action.toml")).unwrap();
    shows(
        action(folder.path(), &["run", "p", "--event", "refresh"]).await.expect(3),
        &["there is no action.toml in p: `postern action new"],
    );
    shows(action(folder.path(), &["test", "nowhere"]).await.expect(3), &["cannot read nowhere/action.toml"]);
    // A component, and what is none.
    write(folder.path(), &[("x.wasm", "no component")]);
    action(folder.path(), &["run", "x.wasm", "--event", "refresh"]).await.expect(5);
    assert!(read(folder.path(), "x.wasm").starts_with("no"));
}
