use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use end_to_end::flow::{log_in, text};
use end_to_end::management::Api;
use end_to_end::receiver::{Answer, Receiver, Request};
use end_to_end::server::{loopback, send_all_logs};
use end_to_end::{Login, TestServer, seed};
use idp::log_streams::LogDeliveries;
use postern::outgoing::Outgoing;
use serde_json::{Value, json};

use super::Foreign;

pub async fn foreign(other: &Api) -> Vec<Foreign> {
    let new =
        json!({ "type": "http", "name": "theirs", "sink": { "httpEndpoint": "https://logs.example/" } });
    let made = other.post("/log-streams", &new).await.expect_json(200);
    let path = format!("/log-streams/{}", text(&made, "id"));
    let route = "/log-streams/{id}";
    vec![
        Foreign::unknown("GET", route, path.as_str(), None),
        Foreign::unknown("PATCH", route, path.as_str(), Some(json!({ "status": "paused" }))),
        Foreign { method: "DELETE", route, path, body: None, status: 204 },
    ]
}

/// A tenant whose log goes to a receiver.
struct Streamed {
    server: TestServer,
    api: Api,
    receiver: Receiver,
    id: String,
}

impl Streamed {
    /// With more settings of the stream.
    async fn start(more: Value, sink: Value) -> Self {
        let (server, receiver) = (TestServer::start().await, Receiver::start().await);
        let api = Api::of(&server).await;
        let mut new = json!({ "type": "http", "name": "ours", "sink": { "httpEndpoint": receiver.url() } });
        new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        new["sink"].as_object_mut().unwrap().extend(sink.as_object().unwrap().clone());
        let id = text(&api.post("/log-streams", &new).await.expect_json(200), "id");
        Self { server, api, receiver, id }
    }

    /// Writes an entry of the type `fp`.
    async fn fail_a_login(&self) {
        let browser = self.server.client();
        let begun = Login::web().begin(&browser).await;
        log_in(&browser, begun.expect(302).location(), seed::ADA, "wrong").await;
    }

    /// Sends until there were so many requests. On PostgreSQL, an entry waits for the transactions before it.
    async fn sent(&self, count: usize) -> Vec<Request> {
        let mut requests = Vec::new();
        let all = async {
            while requests.len() < count {
                self.server.send_logs().await;
                requests.extend(self.receiver.requests());
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), all).await.expect("it is sent");
        requests
    }

    /// Sends until entries of this type were among what was sent; all entries.
    async fn until(&self, log_type: &str) -> Vec<Value> {
        let mut found = Vec::new();
        while !found.iter().any(|entry: &Value| entry["data"]["type"] == log_type) {
            for request in self.sent(1).await {
                found.extend(lines(&request));
            }
        }
        found
    }

    async fn status(&self) -> String {
        // An access token of its own: the clock may have been set.
        let api = Api::of(&self.server).await;
        text(&api.get(&format!("/log-streams/{}", self.id)).await.expect_json(200), "status")
    }
}

/// The entries of a request in JSON lines.
fn lines(request: &Request) -> Vec<Value> {
    let body = std::str::from_utf8(&request.body).unwrap();
    body.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn write(api: &Api, name: &str) {
    api.post("/resource-servers", &json!({ "identifier": format!("urn:{name}") })).await.expect_json(201);
}

#[tokio::test]
async fn each_entry_is_sent_once_in_the_form_that_was_asked_for() {
    let sink = json!({ "httpAuthorization": "Bearer s3cret", "httpContentType": "application/x-ndjson",
        "httpCustomHeaders": [{ "header": "X-Source", "value": "acme" }] });
    let streamed = Streamed::start(json!({}), sink).await;
    let entries = streamed.until("sapi").await;
    assert_eq!(entries.len(), 1, "the creation of the stream itself: {entries:#?}");
    write(&streamed.api, "one").await;
    let [request] = <[_; 1]>::try_from(streamed.sent(1).await).unwrap();
    assert_eq!(request.header("authorization"), Some("Bearer s3cret"));
    assert_eq!(request.header("content-type"), Some("application/x-ndjson"));
    assert_eq!(request.header("x-source"), Some("acme"));
    let [entry] = <[_; 1]>::try_from(lines(&request)).unwrap();
    let stored = streamed.api.get(&format!("/logs/{}", text(&entry, "log_id"))).await.expect_json(200);
    for name in ["log_id", "date", "type", "description", "client_id", "client_name", "ip", "details"] {
        assert_eq!(entry["data"][name], stored[name], "{name}");
    }
    assert_eq!(entry["data"]["tenant_name"], "acme");
    assert_eq!(entry["data"]["is_mobile"], false);
    assert_eq!(streamed.server.send_logs().await, 0);

    for (format, pointer) in [("JSONARRAY", "/0/data/type"), ("JSONOBJECT", "/logs/0/data/type")] {
        let patch = json!({ "sink": { "httpContentFormat": format } });
        streamed.api.patch(&format!("/log-streams/{}", streamed.id), &patch).await.expect_json(200);
        let requests = streamed.sent(1).await;
        let body: Value = serde_json::from_slice(&requests[0].body).unwrap();
        assert_eq!(body.pointer(pointer), Some(&json!("sapi")), "{body:#}");
    }
}

#[tokio::test]
async fn a_stream_with_filters_sends_these_categories_alone() {
    let filters = json!({ "filters": [{ "type": "category", "name": "auth.login.fail" }] });
    let streamed = Streamed::start(filters, json!({})).await;
    write(&streamed.api, "one").await;
    streamed.fail_a_login().await;
    write(&streamed.api, "two").await;
    let entries = streamed.until("fp").await;
    assert_eq!(entries.len(), 1, "{entries:#?}");
    assert_eq!(entries[0]["data"]["connection"], "Username-Password-Authentication");
}

#[tokio::test]
async fn nothing_is_lost_when_the_receiver_fails_or_the_node_ends() {
    let streamed = Streamed::start(json!({}), json!({})).await;
    streamed.until("sapi").await;
    streamed.receiver.answer([Answer::Status(500), Answer::Redirect, Answer::Hang]);
    write(&streamed.api, "one").await;
    for delay in [5, 10, 20] {
        let [request] = <[_; 1]>::try_from(streamed.sent(1).await).unwrap();
        assert_eq!(lines(&request).len(), 1);
        streamed.server.clock.advance_secs(delay - 1);
        assert_eq!(streamed.server.send_logs().await, 0, "too early");
        streamed.server.clock.advance_secs(1);
    }
    write(&streamed.api, "two").await;
    // Another node goes on.
    let other = streamed.server.other_node().await;
    let mut sent = BTreeSet::new();
    let all = async {
        while sent.len() < 2 {
            send_all_logs(&other).await;
            let requests = streamed.receiver.requests();
            sent.extend(requests.iter().flat_map(lines).map(|entry| text(&entry, "log_id")));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), all).await.expect("both arrive");
    assert_eq!(streamed.status().await, "active");
}

#[tokio::test]
async fn two_nodes_at_once_send_each_entry_once() {
    let streamed = Streamed::start(json!({}), json!({})).await;
    for number in 0..120 {
        write(&streamed.api, &number.to_string()).await;
    }
    let other = streamed.server.other_node().await;
    let mut sent = Vec::new();
    let all = async {
        while sent.len() < 121 {
            tokio::join!(streamed.server.send_logs(), send_all_logs(&other));
            let requests = streamed.receiver.requests();
            sent.extend(requests.iter().flat_map(lines).map(|entry| text(&entry, "log_id")));
        }
    };
    tokio::time::timeout(Duration::from_secs(60), all).await.expect("all arrive");
    let count = sent.len();
    assert!(sent.is_sorted(), "in their order");
    sent.dedup();
    assert_eq!((count, sent.len()), (121, 121));
}

#[tokio::test]
async fn a_stream_that_fails_for_a_day_is_suspended_and_goes_on_where_it_was() {
    let streamed = Streamed::start(json!({}), json!({})).await;
    streamed.receiver.answer([Answer::Status(503); 10]);
    streamed.sent(1).await;
    for _ in 0..5 {
        streamed.server.clock.advance_secs(6 * 3600);
        streamed.server.send_logs().await;
    }
    assert_eq!(streamed.status().await, "suspended");
    let warning = streamed.server.logs().await.into_iter().find(|entry| entry.code == "w").unwrap();
    assert_eq!(warning.description, "The log stream ours is suspended: it answered with status 503");
    streamed.receiver.requests();
    assert_eq!(streamed.server.send_logs().await, 0);
    streamed.receiver.answer([Answer::Status(200)]);
    let again = Receiver::start().await;
    let patch = json!({ "status": "active", "sink": { "httpEndpoint": again.url() } });
    // Its access token has ended, too.
    let api = Api::of(&streamed.server).await;
    api.patch(&format!("/log-streams/{}", streamed.id), &patch).await.expect_json(200);
    let arrived = async {
        while again.count() == 0 {
            streamed.server.send_logs().await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), arrived).await.expect("it is sent");
    let entries = lines(&again.requests()[0]);
    assert_eq!(entries[0]["data"]["type"], "sapi", "the first of all: {entries:#?}");
}

#[tokio::test]
async fn a_receiver_that_does_not_answer_holds_up_no_other_one() {
    let streamed = Streamed::start(json!({}), json!({})).await;
    streamed.until("sapi").await;
    let slow = Receiver::start().await;
    slow.answer([Answer::Hang; 10]);
    let new = json!({ "type": "http", "name": "slow", "sink": { "httpEndpoint": slow.url() } });
    streamed.api.post("/log-streams", &new).await.expect_json(200);
    let mut deliveries = LogDeliveries::new(streamed.server.idp.clone(), loopback());
    let several = async {
        for number in 0..3 {
            write(&streamed.api, &number.to_string()).await;
            while streamed.receiver.requests().is_empty() {
                deliveries.round().await.unwrap();
            }
        }
    };
    // The slow one is given up after five seconds only.
    tokio::time::timeout(Duration::from_secs(60), several).await.expect("they arrive");
    assert_eq!(slow.count(), 1);
}

// AC1
#[tokio::test]
async fn an_address_that_is_not_public_is_not_contacted() {
    let streamed = Streamed::start(json!({}), json!({})).await;
    let to_public_addresses = Arc::new(Outgoing::new([]).unwrap());
    let mut deliveries = LogDeliveries::new(streamed.server.idp.clone(), to_public_addresses);
    let refused = async {
        while deliveries.round().await.unwrap() == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), refused).await.expect("it is due");
    assert_eq!(streamed.status().await, "suspended");
    assert_eq!(streamed.receiver.count(), 0);
}

#[tokio::test]
async fn personal_data_is_made_unreadable_before_it_is_sent() {
    for (method, expected) in [("mask", "*".repeat(seed::ADA.len())), ("hash", String::new())] {
        let more = json!({ "pii_config": { "log_fields": ["email"], "method": method } });
        let streamed = Streamed::start(more, json!({})).await;
        let browser = streamed.server.client();
        Login::web().code(&browser, seed::ADA).await;
        let entries = streamed.until("s").await;
        let name = entries.iter().find_map(|entry| entry["data"]["user_name"].as_str()).unwrap();
        match method {
            "mask" => assert_eq!(name, expected),
            _ => assert!(name.len() == 16 && name.bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}"),
        }
    }
}

#[tokio::test]
async fn settings_are_checked_stored_and_shown() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let sink = json!({ "httpEndpoint": "https://logs.example/x?y=1" });
    for (body, text) in [
        (json!({ "type": "splunk", "sink": { "splunkDomain": "x" } }), "type splunk are not supported"),
        (json!({ "type": "http", "sink": {} }), "httpEndpoint is missing"),
        (
            json!({ "type": "http", "sink": { "httpEndpoint": "ftp://logs.example/" } }),
            "httpEndpoint must be",
        ),
        (
            json!({ "type": "http", "sink": { "httpEndpoint": "https://a:b@logs.example/" } }),
            "without credentials",
        ),
        (json!({ "type": "http", "sink": { "httpEndpoint": 5 } }), "httpEndpoint"),
        (json!({ "type": "http", "sink": { "splunkDomain": "x" } }), "splunkDomain"),
        (
            json!({ "type": "http", "sink": sink, "filters": [{ "type": "category", "name": "x" }] }),
            "no category x",
        ),
        (json!({ "type": "http", "sink": sink, "startFrom": "yesterday" }), "startFrom"),
        (json!({ "type": "http", "sink": sink, "name": " " }), "name"),
        (json!({ "type": "http", "sink": sink, "pii_config": { "log_fields": [] } }), "log_fields"),
        (
            json!({ "type": "http", "sink": { "httpEndpoint": "https://logs.example/",
                "httpCustomHeaders": [{ "header": "Host", "value": "x" }] } }),
            "cannot be set",
        ),
        (
            json!({ "type": "http", "sink": { "httpEndpoint": "https://logs.example/", "httpAuthorization": "a\nb" } }),
            "httpAuthorization",
        ),
    ] {
        api.post("/log-streams", &body).await.expect_api_error(400, "invalid_body", text);
    }
    let full = json!({
        "type": "http", "name": "full", "isPriority": true,
        "filters": [{ "type": "category", "name": "actions" }],
        "pii_config": { "log_fields": ["email", "phone"], "method": "hash", "algorithm": "xxhash" },
        "startFrom": "2026-01-02T03:04:05.000Z",
        "sink": { "httpEndpoint": "https://logs.example/", "httpContentType": "text/plain", "httpContentFormat": "JSONARRAY",
            "httpAuthorization": "s3cret", "httpCustomHeaders": [{ "header": "X-A", "value": "v4lue" }] },
    });
    let made = api.post("/log-streams", &full).await.expect_json(200);
    for (name, value) in full.as_object().unwrap() {
        assert_eq!(&made[name], value, "{name}");
    }
    assert_eq!(made["status"], "active");
    let stored = {
        let mut tx = server.idp.storage.begin_read(&server.acme()).await.unwrap();
        format!("{:?}", tx.log_streams().await.unwrap())
    };
    assert!(!stored.contains("s3cret") && !stored.contains("v4lue"), "{stored}");
    let path = format!("/log-streams/{}", text(&made, "id"));
    assert_eq!(api.get(&path).await.expect_json(200), made);
    assert_eq!(api.get("/log-streams").await.expect_json(200), json!([made]));
    let again = json!({ "type": "http", "name": "full", "sink": sink });
    api.post("/log-streams", &again).await.expect_api_error(409, "", "already exists");
    let other = json!({ "type": "http", "sink": sink });
    let other = api.post("/log-streams", &other).await.expect_json(200);
    let rename = json!({ "name": "full" });
    let other = format!("/log-streams/{}", text(&other, "id"));
    api.patch(&other, &rename).await.expect_api_error(409, "", "already exists");
    api.patch(&other, &json!({ "status": "suspended" })).await.expect_api_error(
        400,
        "invalid_body",
        "status",
    );

    let patch = json!({ "name": "less", "status": "paused", "filters": [], "pii_config": null,
        "sink": { "httpAuthorization": "" } });
    let changed = api.patch(&path, &patch).await.expect_json(200);
    assert_eq!([&changed["name"], &changed["status"]], [&json!("less"), &json!("paused")]);
    assert_eq!(changed["filters"], json!([]));
    assert!(changed["pii_config"].is_null() && changed["sink"]["httpAuthorization"].is_null(), "{changed:#}");
    assert_eq!(changed["sink"]["httpCustomHeaders"], full["sink"]["httpCustomHeaders"], "the rest stays");
    for number in 0..8 {
        let more = json!({ "type": "http", "name": number.to_string(), "sink": sink });
        api.post("/log-streams", &more).await.expect_json(200);
    }
    let one_more = json!({ "type": "http", "sink": sink });
    api.post("/log-streams", &one_more).await.expect_api_error(403, "too_many_entities", "10");
    assert_eq!(api.delete(&path).await.status, 204);
    api.get(&path).await.expect_api_error(404, "inexistent_log_stream", "does not exist");
}

#[tokio::test]
async fn a_stream_that_starts_in_the_past_sends_what_was_written_since() {
    let (server, receiver) = (TestServer::start().await, Receiver::start().await);
    let api = Api::of(&server).await;
    write(&api, "before").await;
    server.clock.advance_secs(60);
    let since = server.idp.now().to_iso();
    write(&api, "after").await;
    server.clock.advance_secs(60);
    let sink = json!({ "httpEndpoint": receiver.url() });
    let new = json!({ "type": "http", "sink": sink, "startFrom": since });
    let id = text(&api.post("/log-streams", &new).await.expect_json(200), "id");
    let streamed = Streamed { server, api, receiver, id };
    let mut entries = Vec::new();
    while entries.len() < 2 {
        for request in streamed.sent(1).await {
            entries.extend(lines(&request));
        }
    }
    let dates: Vec<_> = entries.iter().map(|entry| text(&entry["data"], "date")).collect();
    assert_eq!(dates[0], since, "{entries:#?}");
}
