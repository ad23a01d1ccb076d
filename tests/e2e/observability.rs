//! What the operator sees of a server: metrics, traces, and a tenant's log as it is written.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::process::Stdio;
use std::time::Duration;

use end_to_end::database::Database;
use end_to_end::flow::{exchange_web, log_in};
use end_to_end::node::Node;
use end_to_end::process::{free_port, program};
use end_to_end::receiver::Receiver;
use end_to_end::{Login, RawClient, seed};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as OtlpValue;
use opentelemetry_proto::tonic::trace::v1::Span;
use postern::metrics::{ALL, Kind};
use prost::Message;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

const DASHBOARD: &str = include_str!("../../docs/grafana-dashboard.json");
const DOCUMENT: &str = include_str!("../../docs/observability.md");

/// A series of `/metrics`: its labels and its value.
type Series = (BTreeMap<String, String>, f64);

/// `/metrics` by name.
async fn scrape(port: u16) -> BTreeMap<String, Vec<Series>> {
    let answer = reqwest::get(format!("http://127.0.0.1:{port}/metrics")).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/plain; version=0.0.4"));
    let mut found: BTreeMap<String, Vec<Series>> = BTreeMap::new();
    for line in answer.text().await.unwrap().lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let labels = labels.trim_end_matches('}').split_inclusive("\",").filter(|label| !label.is_empty());
        let labels = labels.map(|label| {
            let (name, value) = label.trim_end_matches(',').split_once('=').unwrap();
            (name.to_owned(), value.trim_matches('"').to_owned())
        });
        found.entry(name.to_owned()).or_default().push((labels.collect(), value.parse().unwrap()));
    }
    found
}

/// The sum of the series with these labels.
fn sum(metrics: &BTreeMap<String, Vec<Series>>, name: &str, labels: &[(&str, &str)]) -> f64 {
    let all = metrics.get(name).map_or(&[][..], Vec::as_slice);
    let fits = |series: &&Series| {
        labels.iter().all(|(name, value)| series.0.get(*name).is_some_and(|own| own == value))
    };
    all.iter().filter(fits).map(|series| series.1).sum()
}

/// The metric that a name of the exposition, or of a query, belongs to.
fn metric(name: &str) -> Option<&'static postern::metrics::Metric> {
    ALL.iter().find(|metric| match metric.kind {
        Kind::Histogram => {
            ["_bucket", "_sum", "_count"].iter().any(|end| name.strip_suffix(end) == Some(metric.name))
        }
        Kind::Counter | Kind::Gauge => name == metric.name,
    })
}

#[tokio::test]
async fn a_login_is_counted_with_its_action_and_its_tokens() {
    let (database, port) = (Database::fresh().await, free_port());
    let listen = format!("127.0.0.1:{port}");
    let node = Node::start_with(&database, &[("POSTERN_TELEMETRY__METRICS_LISTEN", &listen)]).await;
    node.seed().await;
    node.deploy_action(
        "greet",
        "exports.onExecutePostLogin = async (event, api) => {
            if (event.user.email.startsWith('eve')) throw new Error('no');
            api.idToken.setCustomClaim('https://acme.example/a', 1);
        };",
    )
    .await;
    node.add_users(&["eve@example.com".to_owned()]).await;
    let browser = node.client();
    let begun = Login::web().begin(&browser).await;
    log_in(&browser, begun.location(), seed::ADA, "wrong").await;
    let code = Login::web().code(&browser, seed::ADA).await;
    exchange_web(&browser, &code).await.expect(200);
    exchange_web(&browser, &code).await.expect(403);
    browser.get("/v2/logout").await.expect(200);
    let denied = Login::web().finish(&node.client(), "eve@example.com").await;
    assert_eq!(denied.location_parameter("error").as_deref(), Some("access_denied"));
    browser.get("/no/such/path").await.expect(404);

    let metrics = scrape(port).await;
    let acme = ("tenant", seed::ACME);
    for (name, labels, expected) in [
        ("postern_logins_total", vec![acme, ("protocol", "oidc-basic-profile"), ("outcome", "success")], 1.0),
        ("postern_logins_total", vec![acme, ("outcome", "denied")], 1.0),
        ("postern_logins_total", vec![acme, ("outcome", "wrong_credentials")], 1.0),
        (
            "postern_token_requests_total",
            vec![acme, ("grant", "authorization_code"), ("outcome", "success")],
            1.0,
        ),
        ("postern_token_requests_total", vec![acme, ("outcome", "invalid_grant")], 1.0),
        ("postern_revocations_total", vec![acme, ("event", "logout")], 1.0),
        ("postern_revoked_total", vec![acme, ("kind", "session")], 1.0),
        (
            "postern_action_runs_total",
            vec![acme, ("action", "greet"), ("outcome", "success"), ("blame", "none")],
            1.0,
        ),
        ("postern_action_runs_total", vec![acme, ("outcome", "action_error"), ("blame", "guest")], 1.0),
        ("postern_action_run_seconds_count", vec![acme, ("action", "greet")], 2.0),
        ("postern_action_runs_under_way", vec![], 0.0),
        ("postern_action_runs_waiting", vec![], 0.0),
        ("postern_build_info", vec![("version", env!("CARGO_PKG_VERSION"))], 1.0),
        ("postern_http_requests_total", vec![("route", "none"), ("status", "404")], 1.0),
    ] {
        assert_eq!(sum(&metrics, name, &labels), expected, "{name} {labels:?}: {:#?}", metrics.get(name));
    }
    assert!(sum(&metrics, "postern_action_fuel_total", &[acme, ("action", "greet")]) > 10_000.0);
    assert!(sum(&metrics, "postern_action_memory_bytes", &[("action", "greet")]) > 100_000.0);
    assert!(sum(&metrics, "postern_http_request_seconds_count", &[("route", "/oauth/token")]) >= 2.0);
    for kind in ["read", "write"] {
        assert!(sum(&metrics, "postern_database_wait_seconds_count", &[("kind", kind)]) > 0.0);
    }
    for (name, series) in &metrics {
        let known = metric(name).unwrap_or_else(|| panic!("{name} is not in the list"));
        for (labels, _) in series {
            let own: BTreeSet<_> = labels.keys().map(String::as_str).filter(|name| *name != "le").collect();
            assert_eq!(own, known.labels.iter().copied().collect(), "{name}");
            assert!(labels.values().all(|value| !value.contains("example.com")), "{name} {labels:?}");
        }
    }
    browser.get("/metrics").await.expect(404);
}

#[test]
fn the_dashboard_asks_for_what_there_is_and_the_document_lists_it() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len());
    let mut asked = BTreeSet::new();
    let texts = panels.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let texts = texts.map(|target| target["expr"].as_str().unwrap());
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let variables = variables.iter().filter_map(|variable| variable["definition"].as_str());
    for text in texts.chain(variables) {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let names: Vec<_> = words.filter(|word| word.starts_with("postern_")).collect();
        assert!(!names.is_empty(), "{text}");
        for name in names {
            let known = metric(name).unwrap_or_else(|| panic!("there is no {name}: {text}"));
            asked.insert(known.name);
            for by in text.split("by (").skip(1) {
                let labels = by.split(')').next().unwrap().split(',').map(str::trim);
                for label in labels.filter(|label| *label != "le") {
                    let of_any = text.split_inclusive(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                    let mut of_any = of_any
                        .filter_map(|word| metric(word.trim_end_matches(|c: char| !c.is_alphanumeric())));
                    assert!(of_any.any(|metric| metric.labels.contains(&label)), "{label} in {text}");
                }
            }
        }
    }
    let all: BTreeSet<_> = ALL.iter().map(|metric| metric.name).collect();
    assert_eq!(asked, all, "each is shown somewhere");
    for metric in ALL {
        let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let kind = format!("{:?}", metric.kind).to_lowercase();
        let row = format!("| `{}` | {kind} | {} | {} |", metric.name, labels.join(", "), metric.help);
        assert!(DOCUMENT.contains(&row), "{row}");
    }
}

/// All spans that came in so far.
fn spans(receiver: &Receiver, bodies: &mut Vec<Vec<u8>>) -> Vec<Span> {
    for request in receiver.requests() {
        if request.header("content-type") == Some("application/x-protobuf") {
            bodies.push(request.body);
        }
    }
    let requests = bodies.iter().map(|body| ExportTraceServiceRequest::decode(body.as_slice()).unwrap());
    let resources = requests.flat_map(|request| request.resource_spans);
    resources.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans).collect()
}

fn attribute(span: &Span, name: &str) -> Option<String> {
    let attribute = span.attributes.iter().find(|attribute| attribute.key == name)?;
    match attribute.value.as_ref()?.value.as_ref()? {
        OtlpValue::StringValue(text) => Some(text.clone()),
        OtlpValue::IntValue(number) => Some(number.to_string()),
        other => Some(format!("{other:?}")),
    }
}

#[tokio::test]
async fn a_request_is_traced_down_to_what_its_action_asks_for_and_nothing_personal_is_told() {
    let (database, collector, service) =
        (Database::fresh().await, Receiver::start().await, Receiver::start().await);
    let endpoint = format!("http://127.0.0.1:{}/v1/traces", collector.port);
    let node = Node::start_with(
        &database,
        &[
            ("POSTERN_TELEMETRY__TRACES_ENDPOINT", &endpoint),
            ("POSTERN_SERVER__TRUSTED_PROXIES", r#"["127.0.0.1"]"#),
            ("POSTERN_OUTGOING__ALLOWED_NETWORKS", r#"["127.0.0.1"]"#),
        ],
    )
    .await;
    node.seed().await;
    let script = format!(
        "exports.onExecutePostLogin = async (event, api) => {{
            await fetch('http://127.0.0.1:{}/a-secret-path?a-secret-query');
            api.cache.get('a-secret-key');
        }};",
        service.port
    );
    node.deploy_action("fetches", &script).await;
    let (trace, parent) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    let browser = node.client();
    let begun = Login::web().begin(&browser).await;
    let page = begun.location().to_owned();
    let csrf = browser.get(&page).await.expect(200).field("csrf");
    let form = [("csrf", csrf.as_str()), ("username", seed::ADA), ("password", seed::PASSWORD)];
    let request = browser.request(reqwest::Method::POST, &page).form(&form);
    let request = request.header("traceparent", format!("00-{trace}-{parent}-01"));
    let done = browser.send(request).await;
    let code = done.location_parameter("code").unwrap();
    // No proxy of ours: it cannot write into our traces.
    let stranger = RawClient::new(node.port, Ipv4Addr::new(127, 0, 0, 2));
    let request = stranger.request(reqwest::Method::GET, "/.well-known/jwks.json");
    let request = request.header("traceparent", format!("00-{trace}-{parent}-01"));
    stranger.send(request).await.expect(200);

    let mut bodies = Vec::new();
    let arrived = async {
        loop {
            let found = spans(&collector, &mut bodies);
            if found.iter().any(|span| span.name == "GET /.well-known/jwks.json") {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let spans = tokio::time::timeout(Duration::from_secs(60), arrived).await.expect("spans");
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let of_trace: Vec<_> = spans.iter().filter(|span| hex(&span.trace_id) == trace).collect();
    let named = |name: &str| of_trace.iter().filter(|span| span.name == name).collect::<Vec<_>>();
    let [request] = named("POST /u/login")[..] else { panic!("{of_trace:#?}") };
    assert_eq!(hex(&request.parent_span_id), parent);
    assert_eq!(attribute(request, "http.response.status_code").as_deref(), Some("303"));
    let [run] = named("action.run")[..] else { panic!("{of_trace:#?}") };
    assert_eq!(run.parent_span_id, request.span_id);
    assert_eq!(attribute(run, "action").as_deref(), Some("fetches"));
    assert_eq!(attribute(run, "outcome").as_deref(), Some("success"));
    let calls = named("action.call");
    assert!(calls.iter().all(|call| call.parent_span_id == run.span_id), "{calls:#?}");
    let fetch = calls.iter().find(|call| attribute(call, "kind").as_deref() == Some("http.fetch")).unwrap();
    assert_eq!(attribute(fetch, "origin"), Some(format!("http://127.0.0.1:{}", service.port)));
    assert!(calls.iter().any(|call| attribute(call, "kind").as_deref() == Some("cache.get")), "{calls:#?}");
    assert!(!named("database.write").is_empty());
    let jwks = spans.iter().find(|span| span.name == "GET /.well-known/jwks.json").unwrap();
    assert_ne!(hex(&jwks.trace_id), trace);

    let told = String::from_utf8_lossy(&bodies.concat()).into_owned();
    for secret in [
        seed::ADA,
        seed::PASSWORD,
        &csrf,
        &code,
        "a-secret-path",
        "a-secret-query",
        "a-secret-key",
        "the-state",
        "auth0|",
    ] {
        assert!(!told.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn the_log_is_printed_as_it_is_written_by_the_database_and_by_the_server() {
    let database = Database::fresh().await;
    let node = Node::start(&database).await;
    node.seed().await;
    let token = node.management_token().await;
    let url = format!("http://{}", node.host());
    let config = node.config();
    let tail = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = Command::new(program());
        command.args(["--config", config.to_str().unwrap(), "logs", "tail", "--json"]).args(arguments);
        command
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        (child, lines)
    };
    let (_by_database, mut from_database) = tail(&["--tenant", seed::ACME], &[]);
    let (_by_server, mut from_server) = tail(&[], &[("POSTERN_URL", &url), ("POSTERN_TOKEN", &token)]);
    let mut seen = Vec::new();
    for lines in [&mut from_database, &mut from_server] {
        // It begins at some moment after it was started.
        let entry = loop {
            Login::web().code(&node.client(), seed::ADA).await;
            if let Ok(line) = tokio::time::timeout(Duration::from_secs(2), lines.next_line()).await {
                break serde_json::from_str::<Value>(&line.unwrap().expect("a line")).unwrap();
            }
        };
        assert_eq!(entry["user_name"], seed::ADA, "{entry:#}");
        seen.push(entry);
    }
    let from = seen[0]["log_id"].as_str().unwrap();
    let (_again, mut again) = tail(&["--tenant", seed::ACME, "--from", from], &[]);
    let next = tokio::time::timeout(Duration::from_secs(60), again.next_line()).await.expect("the next one");
    let next: Value = serde_json::from_str(&next.unwrap().unwrap()).unwrap();
    assert!(next["log_id"].as_str().unwrap() > from);

    let wrong = node.command(&["logs", "tail"]).await;
    wrong.expect(2);
    // The old command line.
    let shown = node.command(&["logs", "--tenant", seed::ACME, "--limit", "1", "--json"]).await;
    assert_eq!(shown.expect(0).json()["logs"].as_array().unwrap().len(), 1);
}
