//! The real program: a process, its database on disk, its commands, and Actions in the sandbox.

use std::path::PathBuf;

use end_to_end::flow::{TRANSFER_COOKIE, asks_to_log_in, code_of, text};
use end_to_end::jwt;
use end_to_end::process::{NATIVE, Postern, WEB, free_port, run};
use tempfile::tempdir;

// The reason for all this: Native to Web SSO, and the Action that the demo deploys.
#[tokio::test]
async fn the_deployed_action_limits_a_transferred_session() {
    let folder = tempdir().unwrap();
    let server = Postern::start(folder.path(), free_port()).await;
    let app = server.app();
    let begun = app.authorize(NATIVE, &[]).await.unwrap();
    let code = code_of(&app.log_in(&begun).await.unwrap());
    let tokens = app.exchange(NATIVE, &code).await.unwrap().expect(200).json();
    let native_sid = text(&jwt::claims(&text(&tokens, "id_token")), "sid");
    let answer = app.transfer(&text(&tokens, "refresh_token")).await.unwrap().expect(200).json();

    let browser = server.app();
    browser.set_cookie(TRANSFER_COOKIE, &text(&answer, "access_token"));
    let code = code_of(&browser.authorize(WEB, &[]).await.unwrap());
    let web = browser.exchange(WEB, &code).await.unwrap().expect(200).json();
    let sid = text(&jwt::claims(&text(&web, "id_token")), "sid");
    let show = async |sid: &str| {
        // An id may begin with a hyphen.
        let arguments = ["session", "show", sid, "--tenant", "demo", "--json"];
        server.command(&arguments).await.expect(0).json()
    };
    let session = show(&sid).await;
    let (all, idle) = (session["lifetime_secs"].as_i64().unwrap(), session["idle_lifetime_secs"].as_i64());
    // The Action reads the clock a moment before or after the session begins.
    assert!((all - 1_800).abs() <= 5 && (idle.unwrap() - 900).abs() <= 5, "{session}");
    assert!(session["parent_refresh_token"].is_string(), "{session}");
    assert!(show(&native_sid).await["lifetime_secs"].as_i64().unwrap() > 86_400, "that one is not limited");

    // The log has the run and what it asked for.
    let logs = server.command(&["logs", "--tenant", "demo", "--json"]).await.expect(0).json();
    let newest = &logs["executions"][0];
    assert_eq!(newest["action_name"], "limit-transferred-session", "{logs}");
    let commands = newest["report"]["commands"].as_array().unwrap();
    let names: Vec<_> = commands.iter().map(|command| command["command"].as_str().unwrap()).collect();
    assert_eq!(names, ["session.setExpiresAt", "session.setIdleExpiresAt"]);

    let second = server.app();
    second.set_cookie(TRANSFER_COOKIE, &text(&answer, "access_token"));
    assert!(asks_to_log_in(&second.authorize(WEB, &[]).await.unwrap()), "the token is spent");

    code_of(&browser.authorize(WEB, &[("prompt", "none")]).await.unwrap());
    app.revoke(&text(&answer, "refresh_token")).await.unwrap().expect(200);
    let silent = browser.authorize(WEB, &[("prompt", "none")]).await.unwrap();
    assert_eq!(silent.location_parameter("error").as_deref(), Some("login_required"), "{silent:?}");
}

#[tokio::test]
async fn a_new_version_of_an_action_is_used_at_the_next_login() {
    const CLAIM: &str = "https://demo.example/version";
    let folder = tempdir().unwrap();
    let server = Postern::start(folder.path(), free_port()).await;
    let app = server.app();
    assert!(app.id_token_of_login(WEB).await.unwrap()[CLAIM].is_null());
    let file = folder.path().join("versions.js");
    for version in [2, 3] {
        let code = format!(
            "exports.onExecutePostLogin = async (event, api) => {{\n  \
             api.idToken.setCustomClaim('{CLAIM}', {version} + event.secrets.SUFFIX);\n}};\n"
        );
        std::fs::write(&file, code).unwrap();
        let secret = format!("SUFFIX=-{version}");
        let deploy = ["action", "deploy", file.to_str().unwrap(), "--tenant", "demo", "--name"];
        let options = ["limit-transferred-session", "--secret", &secret, "--json"];
        let deployed = server.command(&[&deploy[..], &options].concat()).await.expect(0).json();
        assert_eq!(deployed["version"], version, "{deployed}");
        let claims = app.id_token_of_login(WEB).await.unwrap();
        assert_eq!(claims[CLAIM], format!("{version}-{version}"), "{claims}");
    }
    // The next one is TypeScript, with a module beside it.
    let typed = folder.path().join("versions.ts");
    let module = format!("export type Version = number;\nexport const CLAIM: string = '{CLAIM}';\n");
    std::fs::write(folder.path().join("claim.ts"), module).unwrap();
    let code = "import { CLAIM, type Version } from './claim';
        interface Api { idToken: { setCustomClaim(name: string, value: unknown): Api } }
        export const onExecutePostLogin = async (event: object, api: Api): Promise<void> => {
          const version = 4 as Version;
          api.idToken.setCustomClaim(CLAIM, `${version!}`);
        };\n";
    std::fs::write(&typed, code).unwrap();
    let deploy = ["action", "deploy", typed.to_str().unwrap(), "--tenant", "demo", "--name"];
    server.command(&[&deploy[..], &["limit-transferred-session"]].concat()).await.expect(0);
    assert_eq!(app.id_token_of_login(WEB).await.unwrap()[CLAIM], "4");
    // One that does not build changes nothing.
    std::fs::write(&file, "exports.onExecutePostLogin = async (event, api) => {\n").unwrap();
    let deploy = ["action", "deploy", file.to_str().unwrap(), "--tenant", "demo", "--name"];
    server.command(&[&deploy[..], &["limit-transferred-session"]].concat()).await.expect(5);
    assert_eq!(app.id_token_of_login(WEB).await.unwrap()[CLAIM], "4");
}

fn sample_event() -> PathBuf {
    let events = "../samples/actions/limit-transferred-session/events/native-to-web.json";
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(events)
}

/// As tutorials write it.
const TUTORIAL: &str = "\
/**
* Handler that will be called during the execution of a PostLogin flow.
*
* @param {Event} event - Details about the user and the context in which they are logging in.
* @param {PostLoginAPI} api - Interface whose methods can be used to change the behavior of the login.
*/
exports.onExecutePostLogin = async (event, api) => {
  const namespace = 'https://my-app.example.com';
  if (event.authorization) {
    api.idToken.setCustomClaim(`${namespace}/roles`, event.authorization.roles);
    api.accessToken.setCustomClaim(`${namespace}/roles`, event.authorization.roles);
  }
  if (event.session_transfer_token) {
    api.session.setExpiresAt(new Date().getTime() + 30 * 60 * 1000);
  }
  api.user.setAppMetadata('last_tenant', event.tenant?.id ?? 'none');
  console.log(`client ${event.client.client_id}`);
  if (event.transaction.requested_scopes.includes('email')) {
    api.access.deny('Not today.');
  }
};
";

#[tokio::test]
async fn an_action_of_someone_elses_prints_its_commands() {
    let folder = tempdir().unwrap();
    let (file, event) = (folder.path().join("tutorial.js"), sample_event());
    std::fs::write(&file, TUTORIAL).unwrap();
    let arguments =
        ["action".as_ref(), "run".as_ref(), file.as_os_str(), "--event".as_ref(), event.as_os_str()];
    let ended = run(arguments).await;
    for shown in [
        "session.setExpiresAt: ",
        "(in 30 min)",
        "user.setAppMetadata: last_tenant = ",
        "console.log: client abc",
    ] {
        assert!(ended.expect(0).stdout.contains(shown), "{shown}: {ended:?}");
    }
    assert!(ended.stdout.contains("The login is refused: Not today."));
    let denies = ended.stdout.lines().find(|line| line.contains("access.deny: Not today.")).unwrap();
    assert!(denies.ends_with("tutorial.js:19"), "{denies}");

    let report = run(arguments.into_iter().chain(["--json".as_ref()])).await.expect(0).json();
    let commands = report["runs"][0]["report"]["commands"].as_array().unwrap();
    assert_eq!(commands.last().unwrap()["command"], "access.deny", "{report}");

    let throws = TUTORIAL.replace("api.access.deny('Not today.')", "event.no_such.field");
    std::fs::write(&file, throws).unwrap();
    let ended = run(arguments).await;
    assert!(ended.expect(5).stdout.contains("tutorial.js:19:"), "{ended:?}");
    assert!(ended.stdout.contains("19 |     event.no_such.field;"), "{ended:?}");
}
