//! The real program: a process, its database on disk, its commands, and Actions in the sandbox.

use std::convert::Infallible;
use std::path::PathBuf;
use std::time::Duration;

use end_to_end::flow::{TRANSFER_COOKIE, asks_to_log_in, code_of, text};
use end_to_end::jwt;
use end_to_end::process::{App, NATIVE, Postern, WEB, free_port, run};
use reqwest::Error;
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

/// Pseudo-random numbers with a seed (xorshift64): the moments of the kills can be had again.
#[derive(Clone)]
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// The server has given the token.
    Live,
    /// The server has said that it is revoked.
    Revoked,
    /// A refresh or a revocation was under way when the server died.
    InDoubt,
}

/// A redeemed code and the refresh tokens that came of it.
#[derive(Debug)]
struct Family {
    code: String,
    spent: Vec<String>,
    token: String,
    state: State,
}

/// What the server has acknowledged.
#[derive(Default)]
struct Ledger {
    /// Codes that nobody has tried to redeem.
    codes: Vec<String>,
    families: Vec<Family>,
}

/// Logs in, refreshes and revokes until no answer comes any more.
async fn use_the_server(app: App, mut dice: Dice) -> Ledger {
    let mut ledger = Ledger::default();
    let Err(_) = work(&app, &mut dice, &mut ledger).await;
    ledger
}

async fn work(app: &App, dice: &mut Dice, ledger: &mut Ledger) -> Result<Infallible, Error> {
    loop {
        let has_session = app.cookie("auth0").is_some();
        let mut answer = app.authorize(NATIVE, &[]).await?;
        if asks_to_log_in(&answer) {
            assert!(!has_session, "a session was lost");
            answer = app.log_in(&answer).await?;
        }
        let code = code_of(&answer);
        if dice.below(4) == 0 {
            ledger.codes.push(code);
            continue;
        }
        let tokens = app.exchange(NATIVE, &code).await?.expect(200).json();
        let token = text(&tokens, "refresh_token");
        ledger.families.push(Family { code, spent: Vec::new(), token, state: State::Live });
        let family = ledger.families.last_mut().unwrap();
        for _ in 0..dice.below(3) {
            family.state = State::InDoubt;
            let next = app.refresh(&family.token).await?.expect(200).json();
            family.spent.push(std::mem::replace(&mut family.token, text(&next, "refresh_token")));
            family.state = State::Live;
        }
        if dice.below(3) == 0 {
            family.state = State::InDoubt;
            app.revoke(&family.token).await?.expect(200);
            family.state = State::Revoked;
        }
    }
}

/// Whether the token is what was acknowledged of it. A live one is refreshed.
async fn check_token(app: &App, family: &mut Family) {
    let answer = app.refresh(&family.token).await.unwrap();
    match (family.state, answer.status) {
        (State::Live | State::InDoubt, 200) => {
            let next = text(&answer.json(), "refresh_token");
            family.spent.push(std::mem::replace(&mut family.token, next));
            family.state = State::Live;
        }
        (State::Revoked | State::InDoubt, _) => {
            answer.expect_error(403, "invalid_grant");
            family.state = State::Revoked;
        }
        (State::Live, _) => panic!("a refresh token was lost: {answer:?}"),
    }
}

/// What was used once stays used. This is the end of the family: a replay revokes it.
async fn check_that_the_spent_stays_spent(app: &App, family: &Family) {
    // Either replay revokes the rest, so that the first of them is the one that tells.
    if let Some(spent) = family.spent.first().filter(|_| family.spent.len() % 2 == 1) {
        app.refresh(spent).await.unwrap().expect_error(403, "invalid_grant");
    }
    app.exchange(NATIVE, &family.code).await.unwrap().expect_error(403, "invalid_grant");
    app.refresh(&family.token).await.unwrap().expect_error(403, "invalid_grant");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_killed_server_loses_nothing_that_it_acknowledged() {
    const ROUNDS: u64 = 12;
    const WORKERS: u64 = 6;
    let mut dice = Dice(0x5eed_0f90_57e2_2026);
    let folder = tempdir().unwrap();
    let port = free_port();
    let mut server = Postern::start(folder.path(), port).await;
    let workers: Vec<App> = (0..WORKERS).map(|_| server.app()).collect();
    for app in &workers {
        app.id_token_of_login(NATIVE).await.unwrap();
    }
    let (mut live, mut revoked, mut in_doubt, mut codes) = (0, 0, 0, 0);
    let mut kept: Vec<Family> = Vec::new();
    for round in 0..ROUNDS {
        let tasks: Vec<_> = (0..)
            .zip(&workers)
            .map(|(index, app)| {
                // One logs in with the password, the others have the session of an earlier life of the server.
                if round % WORKERS == index {
                    app.forget_cookies();
                }
                tokio::spawn(use_the_server(app.clone(), Dice(dice.below(u64::MAX) | 1)))
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(100 + dice.below(700))).await;
        let ended_before = tasks.iter().filter(|task| task.is_finished()).count();
        server.kill().await;
        let mut ledgers = Vec::new();
        for task in tasks {
            ledgers.push(task.await.expect("all answers were good"));
        }
        assert_eq!(ended_before, 0, "the server answered until it was killed");

        server = Postern::start(folder.path(), port).await;
        let app = server.app();
        // A good login: the attempts that were killed do not add up to a lock-out.
        app.id_token_of_login(NATIVE).await.unwrap();
        for family in &mut kept {
            check_token(&app, family).await;
        }
        for ledger in ledgers {
            for code in ledger.codes {
                app.exchange(NATIVE, &code).await.unwrap().expect(200);
                app.exchange(NATIVE, &code).await.unwrap().expect_error(403, "invalid_grant");
                codes += 1;
            }
            for (index, mut family) in ledger.families.into_iter().enumerate() {
                match family.state {
                    State::Live => live += 1,
                    State::Revoked => revoked += 1,
                    State::InDoubt => in_doubt += 1,
                }
                check_token(&app, &mut family).await;
                // One of each worker has to survive all the kills that are to come.
                if index == 0 {
                    kept.push(family);
                } else {
                    check_that_the_spent_stays_spent(&app, &family).await;
                }
            }
        }
    }
    let app = server.app();
    for family in &kept {
        check_that_the_spent_stays_spent(&app, family).await;
    }
    println!("{live} live, {revoked} revoked, {in_doubt} in doubt, {codes} codes, {} kept", kept.len());
    assert!(live > 0 && revoked > 0 && codes > 0 && !kept.is_empty(), "the load was none");
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
    // One that does not build changes nothing.
    std::fs::write(&file, "exports.onExecutePostLogin = async (event, api) => {\n").unwrap();
    let deploy = ["action", "deploy", file.to_str().unwrap(), "--tenant", "demo", "--name"];
    server.command(&[&deploy[..], &["limit-transferred-session"]].concat()).await.expect(5);
    assert_eq!(app.id_token_of_login(WEB).await.unwrap()[CLAIM], "3-3");
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
    assert!(
        ended.stdout.contains("The login is refused:") && ended.stdout.contains("access.deny: Not today.")
    );

    let report = run(arguments.into_iter().chain(["--json".as_ref()])).await.expect(0).json();
    let commands = report["commands"].as_array().unwrap();
    assert_eq!(commands.last().unwrap()["command"], "access.deny", "{report}");

    let throws = TUTORIAL.replace("api.access.deny('Not today.')", "event.no_such.field");
    std::fs::write(&file, throws).unwrap();
    let ended = run(arguments).await;
    assert!(ended.expect(5).stdout.contains("tutorial.js:19:"), "{ended:?}");
    assert!(ended.stdout.contains("19 |     event.no_such.field;"), "{ended:?}");
}
