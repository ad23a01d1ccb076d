//! `postern action check`, the hints below errors, and what is made from the command line's own definition.

use std::fs;
use std::path::Path;

use end_to_end::process::{Ended, run};
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

const SAMPLE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../samples/actions/limit-transferred-session/action.js");

/// A project with this Action, and this in its settings.
fn project(code: &str, settings: &str) -> TempDir {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("action.js"), code).unwrap();
    let settings = format!("trigger = \"post-login\"\nentry = \"action.js\"\n{settings}");
    fs::write(folder.path().join("action.toml"), settings).unwrap();
    folder
}

async fn check(path: &Path, events: &str) -> Ended {
    run(["action", "check", path.to_str().unwrap(), "--events", events, "--json"]).await
}

/// The one problem of this kind.
#[track_caller]
fn problem<'a>(found: &'a Value, kind: &str) -> &'a Value {
    let problems = found["problems"].as_array().unwrap();
    let of_kind: Vec<&Value> = problems.iter().filter(|problem| problem["kind"] == kind).collect();
    assert_eq!(of_kind.len(), 1, "{kind}: {problems:?}");
    of_kind[0]
}

#[tokio::test]
async fn nothing_is_wrong_with_the_sample_in_any_flow() {
    let ended = run(["action", "check", SAMPLE, "--events", "600"]).await;
    let said = &ended.expect(0).stdout;
    assert!(said.starts_with("600 events from seed 1, "), "{said}");
    assert!(
        said.contains("Nothing is wrong.")
            && said.contains("the redemption of a session transfer token  100"),
        "{said}"
    );
    let found = check(Path::new(SAMPLE), "600").await.expect(0).json();
    let transfer = json!({ "events": 100, "nothing": 0, "refused": 0, "failed": 0 });
    let password = json!({ "events": 100, "nothing": 100, "refused": 0, "failed": 0 });
    assert_eq!((&found["flows"]["transfer"], &found["flows"]["password"]), (&transfer, &password));
}

#[tokio::test]
async fn each_kind_of_mistake_is_found_made_small_and_saved_as_a_case() {
    let folder = project(
        "exports.onExecutePostLogin = async (event, api) => {
           if (event.session.cookie.mode === 'persistent') api.session.setExpiresAt(Date.now() / 1000 + 1800);
           if (event.request.geoip.countryCode === 'US') api.access.deny('not from there');
           api.idToken.setCustomClaim('roles', event.authorization.roles);
         };",
        "[[never_deny]]\n\"user.email\" = \"ceo@acme.example\"\n[[never_deny]]\n\"client.client_id\" = \"none\"\n\"tenant.id\" = 7\n",
    );
    let found = check(folder.path(), "600").await.expect(5).json();
    let throws = problem(&found, "throws");
    assert_eq!(throws["message"], "the login fails: TypeError at action.js:2:16");
    assert_eq!(
        throws["report"]["error"]["exception"]["message"],
        "cannot read property 'cookie' of undefined"
    );
    assert_eq!(throws["events"], 200, "all of the flows without a session");
    assert_eq!(throws["event"].get("session"), None);
    assert!(throws["event"]["user"].get("email").is_none(), "what does not matter is left out: {throws}");

    let moment = problem(&found, "moment");
    assert!(moment["message"].as_str().unwrap().contains("looks like seconds"), "{moment}");
    assert_eq!(moment["event"]["session"]["cookie"]["mode"], "persistent");
    let claim = problem(&found, "claim");
    assert!(claim["message"].as_str().unwrap().contains("\"roles\": the name is reserved"), "{claim}");
    let denied = problem(&found, "denied");
    assert_eq!(denied["event"]["user"]["email"], "ceo@acme.example");
    assert_eq!(denied["event"]["request"]["geoip"], json!({ "countryCode": "US" }));
    let met = found["never_deny"].as_array().unwrap();
    assert!(met[0].as_u64().unwrap() > 25, "{met:?}");
    assert_eq!(met[1], 0, "an event of which a tenant's name is a number there is none");

    let case = |problem: &Value| -> Value {
        let path = Path::new(problem["saved"].as_str().unwrap());
        assert_eq!(path.parent().unwrap(), folder.path().join("tests"));
        serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
    };
    assert_eq!(case(throws).get("expect"), None);
    assert_eq!(case(denied)["expect"]["decision"], json!({ "denied": null }));
    let right = &case(claim)["expect"]["commands"];
    assert!(right.as_array().unwrap().iter().all(|command| command["key"] != "roles"), "{right}");
    let saved = || fs::read_dir(folder.path().join("tests")).unwrap().count();
    assert_eq!(saved(), 4);

    // The same seed finds the same, event by event, whichever core it runs on.
    let again = check(folder.path(), "600").await.expect(5).json();
    let without_times = |mut found: Value| -> Value {
        for problem in found["problems"].as_array_mut().unwrap() {
            problem["report"] = json!(null);
        }
        found
    };
    assert_eq!(without_times(again), without_times(found));
    assert_eq!(saved(), 4);

    // They fail as cases, too, with the same hint, until the Action is mended.
    let test = async |filter: &str| {
        run(["action", "test", folder.path().to_str().unwrap(), "--filter", filter]).await
    };
    let ended = test("check-").await;
    let said = &ended.expect(5).stdout;
    assert!(said.contains("0 passed, 4 failed"), "{said}");
    assert!(said.contains("hint: event.session is not there in "), "{said}");
    let mended = "exports.onExecutePostLogin = async (event, api) => {};";
    fs::write(folder.path().join("action.js"), mended).unwrap();
    for kind in ["check-throws", "check-denied"] {
        test(kind).await.expect(0);
    }
}

#[tokio::test]
async fn requests_are_answered_by_chance_and_by_the_projects_stand_ins_first() {
    let code = "exports.onExecutePostLogin = async (event, api) => {
           const answer = await fetch('https://api.example/score/' + event.user.user_id).catch(() => undefined);
           if (!answer?.ok) return;
           const { score } = await answer.json().catch(() => ({})) ?? {};
           if (score > 90) throw new RangeError('over');
         };";
    let by_chance = project(code, "");
    let found = check(by_chance.path(), "900").await.expect(5).json();
    let over = problem(&found, "throws");
    assert_eq!(over["report"]["error"]["exception"]["message"], "over");
    let answers = over["stand_ins"]["http"].as_array().unwrap();
    let score = answers[0]["json"]["score"].as_f64().unwrap();
    assert!(score > 90.0 && answers[0]["url"] == "https://api.example/score/*", "{answers:?}");

    let settled =
        project(code, "[[stand_ins.http]]\nurl = \"https://api.example/*\"\njson = { score = 3 }\n");
    check(settled.path(), "600").await.expect(0);

    // The answer that leads to the problem is a part of its case.
    let careless =
        "exports.onExecutePostLogin = async (event, api) => { await fetch('https://api.example/a'); };";
    let folder = project(careless, "");
    let found = check(folder.path(), "60").await.expect(5).json();
    let failure = &problem(&found, "throws")["stand_ins"]["http"][0]["failure"];
    assert_eq!(failure, "the connection was closed");
    let path = folder.path().to_str().unwrap();
    let ended = run(["action", "test", path]).await;
    assert!(ended.expect(5).stdout.contains("hint: a request can fail at any login"), "{ended:?}");
    let mended = careless.replace("a');", "a').catch(() => undefined);");
    fs::write(folder.path().join("action.js"), mended).unwrap();
    run(["action", "test", path]).await.expect(0);
}

#[tokio::test]
async fn an_endless_loop_ends_the_check_early() {
    let code = "exports.onExecutePostLogin = async (event) => { while (!event.session) {} };";
    let folder = project(code, "[limits]\nfuel = 2_000_000\n");
    let found = check(folder.path(), "100000").await.expect(5).json();
    assert_eq!(found["cut_short"], true);
    let limit = problem(&found, "limit");
    assert!(limit["message"].as_str().unwrap().starts_with("the login fails: the fuel limit"), "{limit}");
    let events: u64 =
        found["flows"].as_object().unwrap().values().filter_map(|flow| flow["events"].as_u64()).sum();
    assert!(events < 200, "{events}");
}

#[tokio::test]
async fn what_cannot_be_checked_is_said() {
    let folder = project("exports.onExecutePostlogin = async () => {};", "");
    let ended = run(["action", "check", folder.path().to_str().unwrap()]).await;
    let said = &ended.expect(5).stdout;
    assert!(
        said.contains("hint: the file says onExecutePostlogin; the handler's name is onExecutePostLogin"),
        "{said}"
    );
    let broken = project("", "never_deny = 7\n");
    let ended = run(["action", "check", broken.path().to_str().unwrap()]).await;
    assert!(ended.expect(3).stderr.contains("never_deny"), "{ended:?}");
    run(["action", "check", "nowhere.js"]).await.expect(5);
    run(["action", "check", SAMPLE, "--events", "many"]).await.expect(2);
}

#[tokio::test]
async fn an_error_in_a_module_of_a_subfolder_is_shown_with_its_line_and_a_hint() {
    let folder = project(
        "const { sees } = require('./lib/deep/sees');\nexports.onExecutePostLogin = async (event, api) => sees(event);",
        "",
    );
    let deep = folder.path().join("lib/deep");
    fs::create_dir_all(&deep).unwrap();
    let typed = "type Seen = { session: { id: string } };\n\nexport const sees = (event: Seen): string =>\n  event.session.id;\n";
    fs::write(deep.join("sees.ts"), typed).unwrap();
    let event = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/postern/src/kit/events/refresh.json");
    let main = folder.path().join("action.js");
    let ended = run(["action", "run", main.to_str().unwrap(), "--event", event]).await;
    let said = &ended.expect(5).stdout;
    for shown in [
        "at lib/deep/sees.ts:4:",
        "  3 | export const sees = (event: Seen): string =>\n  4 |   event.session.id;\n",
        "hint: event.session is not there in the exchange of an offline refresh token: ask `if (event.session)` first",
    ] {
        assert!(said.contains(shown), "{shown}\n{said}");
    }
}

#[tokio::test]
async fn what_an_action_asks_for_in_vain_has_a_hint() {
    let folder = project(
        "exports.onExecutePostLogin = async (event, api) => {
           api.session.setExpiresAt(30 * 60 * 1000);
           api.idToken.setCustomClaim('sub', 'eve');
         };",
        "",
    );
    let event = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/postern/src/kit/events/native-to-web.json");
    let main = folder.path().join("action.js");
    let ended = run(["action", "run", main.to_str().unwrap(), "--event", event]).await;
    let said = &ended.expect(0).stdout;
    for hint in [
        "hint: session.setExpiresAt: the moment is in the 1970s: it takes a moment, and this looks like a duration",
        "hint: idToken.setCustomClaim: the token will not have this claim: the name is reserved",
    ] {
        assert!(said.contains(hint), "{hint}\n{said}");
    }
}

#[tokio::test]
async fn the_manual_and_the_completions_have_every_command() {
    let folder = tempdir().unwrap();
    let pages = folder.path().join("share/man1");
    run(["man", pages.to_str().unwrap()]).await.expect(0);
    let page = fs::read_to_string(pages.join("postern-action-check.1")).unwrap();
    assert!(page.contains("[[never_deny]]") && page.contains("\\-\\-events"), "{page}");
    for name in ["postern.1", "postern-action-run.1", "postern-refresh-token-revoke.1"] {
        assert!(fs::read_to_string(pages.join(name)).unwrap().starts_with(".ie"), "{name}");
    }
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ended = run(["completions", shell]).await;
        let script = &ended.expect(0).stdout;
        assert!(
            ["refresh-token", "organization", "action"].iter().all(|word| script.contains(word)),
            "{shell}"
        );
    }
    let ended = run(["completions", "tcsh"]).await;
    assert!(ended.expect(2).stderr.contains("bash, elvish, fish, powershell, zsh"), "{ended:?}");
    let ended = run(["man", "/dev/null/man"]).await;
    assert!(ended.expect(1).stderr.contains("/dev/null/man"), "{ended:?}");
}
