//! The post-login trigger, a test for each row of the reference (`post-login.md` sections 1.1, 1.4, 1.5, 1.6, 3.1, 4 and
//! 4.1). The rows that a run shows without a server are in `crates/action-build/tests/api`. Which test is whose is
//! `fixtures/post-login-rows.json`.

mod claims;
mod effects;
mod expiry;
mod failures;
mod limits;
mod runs;
mod suspension;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use end_to_end::flow::asks_to_log_in;
use end_to_end::{Login, RawClient, Response, TestServer, seed};
use serde_json::{Value, json};

/// An Action with this body.
pub(crate) fn handler(body: &str) -> String {
    format!("exports.onExecutePostLogin = async (event, api) => {{ {body} }};")
}

/// Logs in, is refused, and has no session after it. The description that the client gets.
pub(crate) async fn refused(server: &TestServer, why: &str) -> String {
    let browser = server.client();
    let done = Login::web().finish(&browser, seed::ADA).await;
    let code = done.expect(303).location_parameter("error");
    assert_eq!(code.as_deref(), Some("access_denied"), "{why}: {done:?}");
    assert_eq!(done.location_parameter("code"), None, "{why}");
    assert_eq!(browser.cookie("auth0"), None, "{why}");
    assert!(asks_to_log_in(&Login::web().begin(&browser).await), "{why}");
    done.location_parameter("error_description").expect("a description")
}

/// Where the page after a form sends the browser.
fn left_to(page: &Response) -> url::Url {
    let body = &page.expect(200).body;
    let at =
        body.find("content=\"0; url=").expect("a page that sends the browser on") + "content=\"0; url=".len();
    let url = body[at..].split('"').next().expect("a URL").replace("&amp;", "&").replace("&#38;", "&");
    url.parse().expect("a URL")
}

pub(crate) fn state_of(url: &url::Url) -> String {
    url.query_pairs().find(|(name, _)| name == "state").expect("a state").1.into_owned()
}

/// Logs in with the password; the URL to which the Action sends the user.
pub(crate) async fn sent_away(browser: &RawClient) -> url::Url {
    left_to(&Login::web().finish(browser, seed::ADA).await)
}

pub(crate) async fn back(browser: &RawClient, state: &str, answer: &str) -> Response {
    browser.get_with("/continue", &[("state", state), ("answer", answer)]).await
}

/// The warnings of the tenant's log, newest first.
async fn warnings(server: &TestServer) -> Vec<String> {
    server.logs().await.into_iter().filter(|log| log.code == "w").map(|log| log.description).collect()
}

/// Ada's `user_metadata` and `app_metadata`, as stored.
async fn metadata(server: &TestServer) -> Value {
    let id = server.user_id(seed::ADA).await;
    let mut tx = server.idp.storage.begin_read(&server.acme()).await.unwrap();
    let ada = tx.user(&id).await.unwrap().expect("Ada");
    json!([ada.user_metadata, ada.app_metadata])
}

/// The sections whose rows have tests, and how many rows each has.
const SECTIONS: [(&str, usize); 9] = [
    ("1.1", 18),
    ("1.4", 11),
    ("1.5", 12),
    ("1.6", 10),
    ("3", 72),
    ("3.1", 22),
    ("3.2", 4),
    ("4", 30),
    ("4.1", 7),
];

/// The functions of these files with a name as `s1_1_...`, those that are tests.
fn tests_in(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests_in(&path, found);
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for pair in lines.windows(2) {
            let name = pair[1].trim_start_matches("async ").strip_prefix("fn ");
            let name = name.and_then(|name| name.split('(').next()).unwrap_or_default();
            let numbered = name.strip_prefix('s').is_some_and(|rest| rest.starts_with(['1', '3', '4']));
            if numbered && ["#[test]", "#[tokio::test]"].contains(&pair[0]) {
                assert!(found.insert(name.to_owned()), "two tests are called {name}");
            }
        }
    }
}

#[test]
fn every_row_of_the_reference_has_a_test_named_after_it_or_is_absent_with_a_reason() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| -> Value {
        serde_json::from_slice(&std::fs::read(tests.join("fixtures").join(name)).unwrap()).unwrap()
    };
    let sections: BTreeMap<String, BTreeMap<String, Value>> =
        serde_json::from_value(read("post-login-rows.json")).unwrap();
    let counts: Vec<_> = SECTIONS.map(|(section, rows)| (section.to_owned(), rows)).into();
    let listed: Vec<_> = sections.iter().map(|(section, rows)| (section.clone(), rows.len())).collect();
    assert_eq!(listed.iter().collect::<BTreeSet<_>>(), counts.iter().collect::<BTreeSet<_>>());
    let methods: BTreeSet<String> = serde_json::from_value(read("post-login.json")["api"].clone()).unwrap();
    assert_eq!(sections["3"].keys().cloned().collect::<BTreeSet<_>>(), methods);

    let mut found = BTreeSet::new();
    tests_in(&tests.join("e2e"), &mut found);
    tests_in(&tests.join("../crates/action-build/tests"), &mut found);
    let mut named = BTreeSet::new();
    for (section, rows) in &sections {
        for (row, entry) in rows {
            let test = entry.get("test").map(|name| name.as_str().unwrap());
            let absent = entry.get("absent").map(|reason| reason.as_str().unwrap());
            assert!(test.is_some() || absent.is_some_and(|reason| !reason.is_empty()), "{section} {row}");
            let Some(test) = test else { continue };
            assert!(found.contains(test), "{section} {row}: there is no test {test}");
            let prefix = format!("s{}_", section.replace('.', "_"));
            assert!(test.starts_with(&prefix) || absent.is_some(), "{section} {row}: {test}");
            named.insert(test.to_owned());
        }
    }
    assert_eq!(
        found.difference(&named).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "tests that no row names"
    );
}
