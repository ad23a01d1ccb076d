//! The Management API as tools use it, on SQLite: lists of 100 rows, from request to answer over https on this machine, and an import
//! of 100 Actions, 50 clients and the bindings of 20 Actions by `auth0-deploy-cli`, with the tool's own waits.
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark")]

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use end_to_end::bench;
use end_to_end::outside::Outside;
use reqwest::{Certificate, Client, Method};
use serde_json::{Map, Value, json};

const ROWS: usize = 100;

/// A tool with its token.
struct Tool {
    http: Client,
    base: String,
    token: String,
}

impl Tool {
    async fn of(outside: &Outside) -> Self {
        let ca = Certificate::from_pem(&std::fs::read(outside.ca_file()).unwrap()).unwrap();
        let http = Client::builder().no_proxy().tls_certs_only([ca]).build().unwrap();
        let management = &outside.server.demo["management_client"];
        let form = json!({
            "grant_type": "client_credentials",
            "client_id": management["client_id"],
            "client_secret": management["client_secret"],
            "audience": format!("{}api/v2/", outside.issuer()),
        });
        let answer = http.post(format!("{}oauth/token", outside.issuer())).json(&form).send().await.unwrap();
        let answer: Value = answer.error_for_status().unwrap().json().await.unwrap();
        let token = answer["access_token"].as_str().unwrap().to_owned();
        Self { http, base: format!("{}api/v2", outside.issuer()), token }
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> String {
        let request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token);
        let request = match &body {
            Some(body) => request.json(body),
            None => request,
        };
        request.send().await.unwrap().error_for_status().unwrap().text().await.unwrap()
    }

    /// How many entries of the log a query finds, at most 1,000.
    async fn total(&self, query: &str) -> u64 {
        let path = format!("/logs?q={query}&per_page=1&include_totals=true");
        let found: Value = serde_json::from_str(&self.call(Method::GET, &path, None).await).unwrap();
        found["total"].as_u64().unwrap()
    }

    async fn list(&self, path: &str, runs: usize) -> Duration {
        let mut times = Vec::new();
        for _ in 0..runs {
            let started = Instant::now();
            self.call(Method::GET, path, None).await;
            times.push(started.elapsed());
        }
        bench::median(times)
    }
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let figures = runtime.block_on(measure(if bench::is_quick() { 30 } else { 300 }));
    bench::print(&figures);
    ExitCode::SUCCESS
}

async fn measure(runs: usize) -> Value {
    let outside = Outside::start().await;
    let tool = Tool::of(&outside).await;
    // The demo's Action is one too many: a tenant has 100.
    let actions: Value =
        serde_json::from_str(&tool.call(Method::GET, "/actions/actions", None).await).unwrap();
    for action in actions["actions"].as_array().unwrap() {
        let path = format!("/actions/actions/{}?force=true", action["id"].as_str().unwrap());
        tool.call(Method::DELETE, &path, None).await;
    }
    let mut figures = import(&outside, &tool).await;
    figures.insert("refused_writes".to_owned(), json!(tool.total("type:fapi").await));
    for number in 0..ROWS {
        let client = json!({ "name": format!("Another client {number}"), "app_type": "spa" });
        tool.call(Method::POST, "/clients", Some(client)).await;
        let user = json!({
            "connection": "Username-Password-Authentication",
            "email": format!("user-{number}@example.com"),
            "password": "a password for the benchmark",
        });
        tool.call(Method::POST, "/users", Some(user)).await;
    }
    for (name, path) in [
        ("clients", "/clients?per_page=100&include_totals=true"),
        ("users", "/users?per_page=100&include_totals=true"),
        ("actions", "/actions/actions?per_page=100"),
        ("logs", "/logs?per_page=100"),
        ("one_client", "/clients?per_page=1"),
    ] {
        figures.insert(format!("list_{name}_us"), json!(bench::micros(tool.list(path, runs).await)));
    }
    Value::Object(figures)
}

/// The deploy tool's import. Whatever the server takes, the tool begins eight calls in a second and no more.
async fn import(outside: &Outside, tool: &Tool) -> Map<String, Value> {
    let packages = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/node/node_modules");
    if !packages.is_dir() {
        let why = json!("the packages of tests/clients are not installed");
        return Map::from_iter([("import_secs".to_owned(), why)]);
    }
    let (writes, used) = (tool.total("type:sapi").await, outside.server.processor_time());
    let started = Instant::now();
    outside.node("deploy-many.mjs", &json!({})).await;
    let secs = started.elapsed().as_secs_f64();
    let used = (outside.server.processor_time() - used).as_secs_f64();
    let writes = tool.total("type:sapi").await - writes;
    Map::from_iter([
        ("import_secs".to_owned(), json!(secs)),
        ("import_writes".to_owned(), json!(writes)),
        ("import_secs_at_eight_calls_a_second".to_owned(), json!(writes as f64 / 8.0)),
        ("import_server_processor_secs".to_owned(), json!(used)),
    ])
}
