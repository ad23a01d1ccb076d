use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use end_to_end::flow::{exchange_web, text};
use end_to_end::management::Api;
use end_to_end::{Login, TestServer, seed};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Foreign;

pub async fn foreign(other: &Api) -> Vec<Foreign> {
    other.post("/resource-servers", &json!({ "identifier": "urn:logged" })).await.expect_json(201);
    let logs = other.get("/logs").await.expect_json(200);
    let path = format!("/logs/{}", text(&logs[0], "log_id"));
    vec![Foreign::unknown("GET", "/logs/{id}", path, None)]
}

fn types(logs: &Value) -> Vec<&str> {
    logs.as_array().unwrap().iter().map(|log| log["type"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_entry_says_all_that_the_server_knows() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let browser = server.client().calls_itself("Mozilla/5.0 (iPhone) Mobile/15E148");
    let code = Login::web().code(&browser, seed::ADA).await;
    exchange_web(&browser, &code).await.expect(200);
    let ada = server.user_id(seed::ADA).await;

    let found = api.get("/logs?q=type%3As").await.expect_json(200);
    let [login] = <[_; 1]>::try_from(found.as_array().unwrap().clone()).unwrap();
    let expected = json!({
        "type": "s", "description": "Successful login", "connection": "Username-Password-Authentication",
        "strategy": "auth0", "strategy_type": "database", "client_id": seed::WEB, "ip": "127.0.0.1",
        "hostname": format!("acme.localhost"), "user_id": ada, "user_name": seed::ADA, "isMobile": true,
        "user_agent": "Mozilla/5.0 (iPhone) Mobile/15E148",
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&login[name], value, "{name} of {login:#}");
    }
    for name in ["_id", "log_id", "date", "client_name", "connection_id", "scope", "details"] {
        assert!(!login[name].is_null(), "{name} of {login:#}");
    }
    assert_eq!(login["_id"], login["log_id"]);
    let id = text(&login, "log_id");
    assert_eq!(api.get(&format!("/logs/{id}")).await.expect_json(200), login);
    for unknown in ["900202601020304050060000000000000000009", "x"] {
        let answer = api.get(&format!("/logs/{unknown}")).await;
        answer.expect_api_error(404, "inexistent_log", "does not exist");
    }
    let shown = api.get("/logs?q=type%3Aseacft&fields=type,user_name,scope").await.expect_json(200);
    assert_eq!(shown[0]["user_name"], seed::ADA);
    assert_eq!(shown[0].as_object().unwrap().len(), 3, "{shown}");
    let users = Api::with_scopes(&server, &["read:logs_users"]).await;
    users.get("/logs").await.expect_json(200);
}

#[tokio::test]
async fn the_log_is_read_by_page_and_from_an_entry_on() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    for number in 0..7 {
        api.post("/resource-servers", &json!({ "identifier": format!("urn:{number}") }))
            .await
            .expect_json(201);
        server.clock.advance_secs(1);
    }
    let all = api.get("/logs?per_page=100&q=type:sapi").await.expect_json(200);
    let ids: Vec<_> = all.as_array().unwrap().iter().map(|log| text(log, "log_id")).collect();
    assert_eq!(ids.len(), 7);
    assert!(ids.is_sorted_by(|a, b| a > b), "the newest first: {ids:?}");
    let page =
        api.get("/logs?page=1&per_page=3&sort=date:1&include_totals=true&q=type:sapi").await.expect_json(200);
    let names: Vec<_> = page["logs"].as_array().unwrap().iter().map(|log| text(log, "log_id")).collect();
    assert_eq!(names, [&ids[3], &ids[2], &ids[1]].map(String::clone));
    assert_eq!(
        [&page["start"], &page["limit"], &page["length"], &page["total"]],
        [&json!(3), &json!(3), &json!(3), &json!(7)]
    );
    // As `auth0 logs tail` asks.
    let tail = format!("/logs?page=0&per_page=100&sort=date:-1&q=log_id:%5B{}%20TO%20*%5D", ids[2]);
    let tailed = api.get(&tail).await.expect_json(200);
    assert_eq!(types(&tailed), ["sapi"; 3]);
    let from = format!("/logs?from={}&take=3", ids[6]);
    let next = async {
        loop {
            let next = api.get(&from).await.expect_json(200);
            if next.as_array().unwrap().len() == 3 {
                return next;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let next = tokio::time::timeout(Duration::from_secs(60), next).await.unwrap();
    let names: Vec<_> = next.as_array().unwrap().iter().map(|log| text(log, "log_id")).collect();
    assert_eq!(names, [&ids[5], &ids[4], &ids[3]].map(String::clone));
}

#[tokio::test]
async fn a_search_that_is_not_understood_is_refused() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    for (query, text) in [
        ("q=type:", "value is expected"),
        ("q=type:f%20type:s", "AND, OR"),
        ("q=tenant_id:other", "tenant_id cannot be searched"),
        ("q=f", "needs a field"),
        ("q=date:%5Byesterday%20TO%20*%5D", "no date"),
        ("q=log_id:%5B5%20TO%20*%5D", "no log_id"),
        ("q=user_name:*ada", "at the end"),
        ("sort=type:1", "sort"),
        ("page=10&per_page=100", "1000"),
        ("per_page=101", "per_page"),
        ("from=x", "log_id"),
        ("take=101", "take"),
        ("page=x", "invalid"),
        ("q=type:s&search_engine=v2", "search_engine"),
    ] {
        api.get(&format!("/logs?{query}")).await.expect_api_error(400, "invalid_query_string", text);
    }
    api.get("/logs?page=9&per_page=100").await.expect_json(200);
    // As the SDK of Go sends a search of the command line's.
    api.get("/logs?page=0&per_page=100&q=type%3As&search_engine=v3&sort=date%3A-1").await.expect_json(200);
}

/// A connection to `/logs/stream`.
struct Events {
    response: reqwest::Response,
    text: String,
}

impl Events {
    async fn open(server: &TestServer, api: &Api, last: Option<&str>) -> Self {
        let mut request =
            server.client().request(Method::GET, "/api/v2/logs/stream").bearer_auth(api.token());
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, text: String::new() }
    }

    /// The next entry, with the event's id. `None`: the server has ended it.
    async fn next(&mut self) -> Option<(String, Value)> {
        let found = async {
            loop {
                if let Some((event, rest)) = self.text.split_once("\n\n") {
                    let field = |name: &str| {
                        event.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
                    };
                    let found = field("id").zip(field("data"));
                    let found = found.map(|(id, data)| (id.to_owned(), serde_json::from_str(data).unwrap()));
                    self.text = rest.to_owned();
                    match found {
                        // A heartbeat has neither.
                        None => continue,
                        found => return found,
                    }
                }
                let chunk = self.response.chunk().await.unwrap()?;
                self.text.push_str(std::str::from_utf8(&chunk).unwrap());
            }
        };
        tokio::time::timeout(Duration::from_secs(60), found).await.expect("an event, or the end")
    }
}

#[tokio::test]
async fn whoever_follows_the_log_goes_on_where_the_connection_broke() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let write = async |name: &str| {
        api.post("/resource-servers", &json!({ "identifier": format!("urn:{name}") })).await.expect_json(201);
    };
    write("before").await;
    let mut events = Events::open(&server, &api, None).await;
    write("one").await;
    write("two").await;
    let (first, entry) = events.next().await.unwrap();
    assert_eq!(entry["log_id"], json!(first));
    assert_eq!(entry["type"], "sapi");
    drop(events);
    write("three").await;
    let mut events = Events::open(&server, &api, Some(&first)).await;
    let mut ids = BTreeSet::from([first]);
    for _ in 0..2 {
        ids.insert(events.next().await.unwrap().0);
    }
    assert_eq!(ids.len(), 3);
    let known = api.get("/logs?q=type:sapi&sort=date:1").await.expect_json(200);
    let known: BTreeSet<_> = known.as_array().unwrap()[1..].iter().map(|log| text(log, "log_id")).collect();
    assert_eq!(ids, known, "and none of before it began");
    // The access token lives for a day.
    server.clock.advance_secs(86_401);
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn only_so_many_follow_the_log_of_a_tenant() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let mut following = Vec::new();
    for _ in 0..16 {
        following.push(Events::open(&server, &api, None).await);
    }
    api.get("/logs/stream").await.expect_api_error(429, "too_many_requests", "Too many");
    following.clear();
    let again = async {
        loop {
            let request =
                server.client().request(Method::GET, "/api/v2/logs/stream").bearer_auth(api.token());
            if request.send().await.unwrap().status() == 200 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), again).await.expect("a place is free");
}

/// Requests under way may take 10 s to end at shutdown. Streams, which do not end by themselves, end before.
#[tokio::test]
async fn followers_do_not_hold_up_a_shutdown() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let mut following = Vec::new();
    for _ in 0..3 {
        following.push(Events::open(&server, &api, None).await);
    }
    // Half of a request: it is under way for as long as we please, and no longer than the grace.
    let mut slow = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port)).await.unwrap();
    let body = "grant_type=nothing";
    let head = format!(
        "POST /oauth/token HTTP/1.1\r\nHost: acme.localhost:{}\r\nContent-Length: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nExpect: 100-continue\r\n\r\n",
        server.port,
        body.len()
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    // The server asks for the rest when it reads the body: so it has begun.
    let mut continues = [0; 25];
    slow.read_exact(&mut continues).await.unwrap();
    assert_eq!(continues, *b"HTTP/1.1 100 Continue\r\n\r\n");

    let ended = server.shut_down();
    for events in &mut following {
        assert_eq!(events.next().await, None, "ended, and not broken off");
    }
    assert!(!ended.is_finished(), "one request is under way");
    slow.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 4"), "the grace was not over yet: {answer}");
    ended.await.unwrap().unwrap();
}
