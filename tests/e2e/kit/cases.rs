//! `postern action test`: cases as data and as code.

use std::process::Stdio;
use std::time::Duration;

use end_to_end::process::program;
use tempfile::tempdir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{ChildStdout, Command};

use super::{SETTINGS, action, handler, read, shows, write};

const CLAIM: &str = "api.idToken.setCustomClaim('plan', event.user.app_metadata.plan ?? 'none');
  console.log('plan', event.secrets.LEVEL);
  if (event.user.email === 'eve@example.com')
    throw new Error('Eve is here');
  if (event.request.query.fetch) await fetch('https://api.example/');";

#[tokio::test]
async fn a_difference_is_shown_and_update_writes_what_came_out() {
    let folder = tempdir().unwrap();
    let wrong = "# Kept.\nevent = 'ordinary-login'\n\n[secrets]\nLEVEL = '2'\n\n[expect]\ncommands = [\n  { command = 'idToken.setCustomClaim', key = 'plan', value = 'free' },\n]\nconsole = ['log: plan 1']\ndecision = { denied = 'no' }\n";
    let json = r#"{ "event": "refresh", "set": { "user.email": "eve@example.com" } }"#;
    write(
        folder.path(),
        &[
            ("action.toml", &format!("{SETTINGS}[secrets]\nLEVEL = '1'\n")),
            ("action.js", &handler(CLAIM)),
            ("tests/wrong.toml", wrong),
            ("tests/throws.json", json),
            ("tests/notes.txt", "no case"),
        ],
    );
    let ended = action(folder.path(), &["test"]).await;
    shows(
        ended.expect(5),
        &[
            "FAILED  wrong",
            "commands[0].value",
            "- \"free\"",
            "+ \"pro\"",
            "console[0]",
            "+ \"log: plan 2\"",
            "decision.denied",
            "FAILED  throws",
            "the Action failed: Error: Eve is here",
            "0 passed, 2 failed",
        ],
    );
    assert_eq!(read(folder.path(), "tests/wrong.toml"), wrong, "nothing is written without --update");
    shows(action(folder.path(), &["test", "--update"]).await.expect(0), &["updated wrong", "updated throws"]);
    let updated = read(folder.path(), "tests/wrong.toml");
    assert!(
        updated.starts_with("# Kept.\nevent = 'ordinary-login'\n") && updated.contains("value = \"pro\"")
    );
    assert!(read(folder.path(), "tests/throws.json").contains("Error: Eve is here"));
    shows(action(folder.path(), &["test"]).await.expect(0), &["2 passed, 0 failed"]);
    let before = read(folder.path(), "tests/wrong.toml");
    action(folder.path(), &["test", "--update"]).await.expect(0);
    assert_eq!(read(folder.path(), "tests/wrong.toml"), before, "a case that passes is left alone");
}

#[tokio::test]
async fn a_budget_of_fuel_holds_and_a_missing_stand_in_fails_a_case() {
    let folder = tempdir().unwrap();
    write(
        folder.path(),
        &[
            ("action.toml", SETTINGS),
            ("action.js", &handler(CLAIM)),
            ("tests/dear.toml", "event = 'silent'\nfuel = 1_000\n"),
            (
                "tests/asks.toml",
                "event = 'silent'\nset = { \"request.query.fetch\" = '1' }\nexpect.error = 'fetch failed'\n",
            ),
            ("tests/slip.toml", "event = 'silent'\nfule = 1\n"),
            ("tests/event.toml", "event = 'no.json'\n"),
            ("tests/number.toml", "event = 5\n"),
            ("tests/good.toml", "event = 'silent'\nfuel = 10_000_000\n"),
        ],
    );
    let ended = action(folder.path(), &["test"]).await;
    shows(
        ended.expect(5),
        &[
            "is more than the 1_000 of this case",
            "GET https://api.example/ has no stand-in; this would be one:",
            "line 2, column 1",
            "unknown field `fule`",
            "cannot read the event no.json",
            "`event` is a name, a file, or an object",
            "ok      good",
            "1 passed, 5 failed",
        ],
    );
    shows(action(folder.path(), &["test", "--filter", "goo"]).await.expect(0), &["1 passed, 0 failed"]);
    shows(
        action(folder.path(), &["test", "--filter", "nothing"]).await.expect(1),
        &["there is no such case"],
    );
    std::fs::remove_dir_all(folder.path().join("tests")).unwrap();
    shows(action(folder.path(), &["test"]).await.expect(1), &["cannot read the cases in ./tests"]);
}

const CODE: &str = "import assert from 'node:assert';
import { test, run } from 'postern:test';
import { EVE } from '../lib/people';

test('a plan is told', async () => {
  const login = await run('refresh', { set: { 'user.app_metadata.plan': 'gold' }, secrets: { LEVEL: '9' } });
  assert.deepEqual(login.decision.id_token_claims, { plan: 'gold' });
  assert.deepEqual(login.console, ['log: plan 9']);
  assert.ok(login.fuel > 1000);
});
test('Eve fails', async () => {
  const login = await run('refresh', { set: { user: { email: EVE } } });
  assert.equal(login.error, 'Error: Eve is here');
});
test('is wrong', async () => {
  const login = await run('refresh');
  assert.equal(login.commands.length, 5 as number);
});
test('asks for what is not there', () => run('refresh', { set: { 'request.query.fetch': '1' } }));
test('has a budget', () => run('refresh', { fuel: 5 }));
test('says what it expects', () => run('refresh', { expect: { commands: [] } }));
test('knows no such event', () => run('refreshed'));
test('sends no requests itself', () => fetch('https://api.example/'));
";

#[tokio::test]
async fn cases_can_be_code() {
    let folder = tempdir().unwrap();
    write(
        folder.path(),
        &[
            ("action.toml", SETTINGS),
            ("action.js", &handler(CLAIM)),
            ("lib/people.ts", "export const EVE: string = 'eve@example.com';"),
            ("tests/plans.test.ts", CODE),
            ("tests/broken.test.js", "const { test } = require('postern:test');\ntest('x', async () => {\n"),
            ("tests/hangs.test.js", "require('postern:test').test('hangs', () => new Promise(() => {}));"),
        ],
    );
    let ended = action(folder.path(), &["test"]).await;
    shows(
        ended.expect(5),
        &[
            "ok      plans: a plan is told",
            "ok      plans: Eve fails",
            "FAILED  plans: is wrong",
            "(tests/plans.test.ts:17:",
            "FAILED  plans: asks for what is not there",
            "GET https://api.example/ has no stand-in",
            "is more than the 5 of this case",
            "FAILED  plans: says what it expects",
            "cannot read the event refreshed",
            "a case sends no requests",
            "FAILED  broken",
            "tests/broken.test.js:",
            "FAILED  hangs",
            "never settled",
        ],
    );
    let some = action(folder.path(), &["test", "--filter", "plans: Eve", "--tap"]).await;
    assert_eq!(
        some.expect(5).stdout.lines().nth(1),
        Some("1..2"),
        "a file that does not build fails: {some:?}"
    );
    std::fs::remove_file(folder.path().join("tests/broken.test.js")).unwrap();
    std::fs::remove_file(folder.path().join("tests/hangs.test.js")).unwrap();
    let some = action(folder.path(), &["test", "--filter", "plans: Eve", "--tap"]).await;
    assert_eq!(some.expect(0).stdout, "TAP version 14\n1..1\nok 1 - plans: Eve fails\n");
}

#[tokio::test]
async fn reports_and_coverage_say_what_ran() {
    let folder = tempdir().unwrap();
    write(
        folder.path(),
        &[
            ("action.toml", SETTINGS),
            ("action.js", &handler(CLAIM)),
            ("tests/good.toml", "event = 'silent'\n"),
            ("tests/bad.toml", "event = 'silent'\n[expect]\ncommands = []\n"),
        ],
    );
    let ended = action(folder.path(), &["test", "--coverage", "--junit", "report.xml"]).await;
    shows(ended.expect(5), &["action.js  80 %  4/5  never ran: 5"]);
    let report = read(folder.path(), "report.xml");
    assert!(report.contains("tests=\"2\" failures=\"1\""), "{report}");
    assert!(
        report.contains("name=\"good\"/>") && report.contains("<failure message=\"commands\">"),
        "{report}"
    );
    let tap = action(folder.path(), &["test", "--tap"]).await;
    shows(tap.expect(5), &["not ok 1 - bad\n  ---\n  message: |\n    commands", "ok 2 - good"]);
}

async fn next_summary(lines: &mut Lines<BufReader<ChildStdout>>) -> String {
    let summary = async {
        loop {
            let line = lines.next_line().await.unwrap().expect("it goes on");
            if line.contains(" passed, ") {
                return line;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), summary).await.expect("a summary")
}

#[tokio::test]
async fn watch_runs_again_at_each_change() {
    let folder = tempdir().unwrap();
    let denies = "event = 'silent'\n[expect.decision]\ndenied = 'no'\n";
    write(
        folder.path(),
        &[("action.toml", SETTINGS), ("action.js", &handler("")), ("tests/denies.toml", denies)],
    );
    let mut watching = Command::new(program())
        .args(["action", "test", "--watch", "--junit", "report.xml"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    assert!(next_summary(&mut lines).await.starts_with("0 passed, 1 failed"));
    // A source that does not build and broken settings do not end it.
    write(folder.path(), &[("action.js", "exports.")]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    write(folder.path(), &[("action.toml", "trigger")]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    write(folder.path(), &[("action.js", &handler("api.access.deny('no');")), ("action.toml", SETTINGS)]);
    assert!(next_summary(&mut lines).await.starts_with("1 passed, 0 failed"));
    assert!(watching.try_wait().unwrap().is_none(), "it goes on");
}
