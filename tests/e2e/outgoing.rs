//! What Actions fetch, through the server: what they may reach, and what becomes of the login when they wait too long.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use action_api::RunError;
use end_to_end::process::run;
use end_to_end::{Login, TestServer, seed};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A service on this machine: it answers by the path, and keeps what it was asked.
pub(crate) struct Service {
    address: String,
    requests: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

impl Service {
    pub(crate) async fn start() -> Self {
        Self::start_at(Ipv4Addr::LOCALHOST).await
    }

    async fn start_at(ip: Ipv4Addr) -> Self {
        let listener = TcpListener::bind((IpAddr::V4(ip), 0)).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let service = Self { address, requests: Arc::default(), connections: Arc::default() };
        let (requests, connections) = (service.requests.clone(), service.connections.clone());
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(connection, requests.clone()));
            }
        });
        service
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The requests since the last call, with head and body.
    pub(crate) fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }
}

/// `/echo` tells the method and the body; `/to?URL` leads there, `/see-other?URL` and `/keep?URL` with 303
/// and 307, `/around` to itself; `/slow` says nothing;
/// `/large` sends 64 KiB; `/endless` never ends.
async fn serve(connection: TcpStream, requests: Arc<Mutex<Vec<String>>>) -> Option<()> {
    let mut connection = BufReader::new(connection);
    loop {
        let (mut request, mut length) = (String::new(), 0);
        loop {
            let start = request.len();
            if connection.read_line(&mut request).await.ok()? == 0 {
                return None;
            }
            let line = request[start..].trim().to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        connection.read_exact(&mut body).await.ok()?;
        let body = String::from_utf8(body).ok()?;
        let mut first = request.split(' ');
        let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
        requests.lock().unwrap().push(format!("{request}{body}"));
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let (head, text) = match path {
            "/to" => (format!("302 Found\r\nLocation: {query}"), String::new()),
            "/see-other" => (format!("303 See Other\r\nLocation: {query}"), String::new()),
            "/around" => ("302 Found\r\nLocation: /around".to_owned(), String::new()),
            "/keep" => (format!("307 Temporary Redirect\r\nLocation: {query}"), String::new()),
            "/slow" => {
                tokio::time::sleep(Duration::from_secs(60)).await;
                return None;
            }
            "/large" => ("200 OK".to_owned(), "x".repeat(1 << 16)),
            "/endless" => {
                connection.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok()?;
                loop {
                    connection.write_all(&[b'x'; 65536]).await.ok()?;
                }
            }
            _ => (
                "200 OK\r\nX-A: 1\r\nX-A: 2\r\nContent-Type: text/plain".to_owned(),
                format!("{method} {body}"),
            ),
        };
        let answer = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{text}", text.len());
        connection.write_all(answer.as_bytes()).await.ok()?;
    }
}

/// Logs in with this body as the handler; what it printed, line by line.
async fn printed(server: &TestServer, body: &str) -> Vec<String> {
    let tell = "const tell = async (promise) => { try { console.log(await promise) } \
                catch (error) { console.log('refused: ' + (error.cause?.message ?? error.message)) } };";
    let script = format!("{tell}\nexports.onExecutePostLogin = async (event, api) => {{ {body} }};");
    server.deploy_action("fetches", &script).await;
    Login::web().code(&server.client(), seed::ADA).await;
    let report = server.reports().await.pop().expect("a run");
    assert_eq!(report.error, None, "{body}");
    report.console.into_iter().map(|line| line.text).collect()
}

#[tokio::test]
async fn an_action_sees_the_answer_of_an_allowed_address() {
    let (server, service) = (TestServer::start().await, Service::start().await);
    let url = service.url("/echo?a=1");
    let lines = printed(
        &server,
        &format!(
            "const answer = await fetch('{url}#part', {{ method: 'POST', body: JSON.stringify({{ a: 'ü' }}),
                 headers: {{ Authorization: 'Bearer x', Host: 'evil.example', 'Content-Length': '1',
                             Connection: 'x', 'Transfer-Encoding': 'chunked', 'Proxy-Authorization': 'p' }} }});
             console.log(answer.status, answer.ok, answer.url, answer.headers.get('x-a'), await answer.text());
             api.idToken.setCustomClaim('done', true);"
        ),
    )
    .await;
    assert_eq!(lines, [format!("200 true {url} 1, 2 POST {{\"a\":\"ü\"}}")]);
    let request = service.requests().remove(0).to_ascii_lowercase();
    assert!(request.starts_with("post /echo?a=1 http/1.1\r\n"), "{request}");
    assert!(request.contains("authorization: bearer x\r\n"), "{request}");
    assert!(request.contains(&format!("host: {}\r\n", service.address)), "{request}");
    assert!(request.contains("content-length: 10\r\n"), "{request}");
    for never in ["evil.example", "connection:", "transfer-encoding:", "proxy-authorization:", "part"] {
        assert!(!request.contains(never), "{never}: {request}");
    }
}

// AC1
#[tokio::test]
async fn what_is_not_allowed_is_refused_with_an_error_that_an_action_can_catch() {
    let (server, other) = (TestServer::start().await, Service::start_at(Ipv4Addr::new(127, 0, 0, 2)).await);
    let urls = [
        other.url("/"),
        "http://169.254.169.254/latest/meta-data/".into(),
        "https://10.0.0.1/".into(),
        "https://[::ffff:127.0.0.1]/".into(),
        "http://8.8.8.8/".into(),
        "http://127.0.0.1:25/".into(),
        "ftp://127.0.0.1/".into(),
    ];
    let body: String = urls.iter().map(|url| format!("await tell(fetch('{url}'));")).collect();
    let lines = printed(&server, &body).await;
    assert_eq!(lines.len(), urls.len());
    for (url, line) in urls.iter().zip(lines) {
        assert!(line.starts_with("refused: "), "{url}: {line}");
        assert!(!line.contains("os error"), "nothing internal: {line}");
    }
    assert!(other.requests().is_empty());
}

// AC1
#[tokio::test]
async fn each_redirect_is_checked_and_takes_no_credentials_to_another_origin() {
    let server = TestServer::start().await;
    let (service, second) = (Service::start().await, Service::start().await);
    let private = Service::start_at(Ipv4Addr::new(127, 0, 0, 2)).await;
    let lines = printed(
        &server,
        &format!(
            "const headers = {{ Authorization: 'Bearer x', Cookie: 'a=b', 'Content-Type': 'text/x' }};
             const text = async (answer) => {{ const got = await answer; return got.redirected + ' ' + await got.text() }};
             await tell(fetch('{to_private}'));
             await tell(text(fetch('{to_second}', {{ method: 'PUT', headers, body: 'b' }})));
             await tell(text(fetch('{see_other}', {{ method: 'POST', headers, body: 'b' }})));
             await tell(text(fetch('{keep}', {{ method: 'POST', headers, body: 'b' }})));
             await tell(fetch('{see_other}', {{ redirect: 'error' }}));
             await tell(fetch('{see_other}', {{ redirect: 'manual' }}).then((answer) => answer.status));
             await tell(fetch('{around}'));",
            to_private = service.url(&format!("/to?{}", private.url("/echo"))),
            to_second = service.url(&format!("/to?{}", second.url("/echo"))),
            see_other = service.url("/see-other?/echo"),
            keep = service.url("/keep?/echo"),
            around = service.url("/around"),
        ),
    )
    .await;
    assert!(lines[0].starts_with("refused: "), "{lines:?}");
    assert_eq!(lines[1..4], ["true PUT b", "true GET ", "true POST b"]);
    assert!(lines[4].starts_with("refused: "), "{lines:?}");
    assert_eq!(lines[5], "303");
    assert!(lines[6].contains("redirects"), "{lines:?}");
    assert!(private.requests().is_empty());
    let redirected = second.requests().remove(0).to_ascii_lowercase();
    assert!(!redirected.contains("authorization") && !redirected.contains("cookie"), "{redirected}");
    let to_same =
        service.requests().into_iter().rfind(|request| request.starts_with("GET /echo")).expect("one");
    assert!(to_same.to_ascii_lowercase().contains("authorization: bearer x"), "{to_same}");
    assert!(!to_same.to_ascii_lowercase().contains("content-type"), "the body is gone: {to_same}");
}

// AC3
#[tokio::test]
async fn requests_and_answers_are_limited_for_a_run() {
    let (server, service) = (TestServer::start().await, Service::start().await);
    let lines = printed(
        &server,
        &format!(
            "await tell(fetch('{}'));
             await tell(fetch('{}').then((answer) => answer.status));
             for (let i = 0; i < 3; i++) await tell(fetch('{}'));",
            service.url("/endless"),
            service.url("/echo"),
            service.url("/around"),
        ),
    )
    .await;
    assert!(lines[0].contains("http_answer_bytes"), "{lines:?}");
    assert!(lines[1].contains("http_answer_bytes"), "the limit is the run's: {lines:?}");
    assert!(lines.last().expect("lines").contains("http_requests"), "{lines:?}");
    assert_eq!(service.requests().len(), 50, "each redirect counts");
    // The next run has its own.
    let lines = printed(
        &server,
        &format!(
            "await tell(fetch('{}').then((a) => a.text()).then((t) => t.length))",
            service.url("/large")
        ),
    )
    .await;
    assert_eq!(lines, ["65536"]);
}

#[tokio::test]
async fn connections_are_kept_for_the_tenants_next_run() {
    let (server, service) = (TestServer::start().await, Service::start().await);
    let body = format!("await tell(fetch('{}').then((answer) => answer.text()))", service.url("/echo"));
    for _ in 0..3 {
        assert_eq!(printed(&server, &body).await, ["GET "]);
    }
    assert_eq!((service.requests().len(), service.connections.load(Ordering::SeqCst)), (3, 1));
}

// AC6, HT5
#[tokio::test]
async fn a_slow_answer_ends_with_the_wall_clock_and_the_login_is_denied() {
    let (server, service) = (TestServer::start().await, Service::start().await);
    let script =
        format!("exports.onExecutePostLogin = async () => {{ await fetch('{}') }};", service.url("/slow"));
    server.deploy_action("slow", &script).await;
    let before = Instant::now();
    let done = Login::web().finish(&server.client(), seed::ADA).await;
    assert_eq!(done.expect(303).location_parameter("error").as_deref(), Some("access_denied"));
    let limit = Duration::from_millis(end_to_end::actions::LIMITS.wall_clock_ms);
    assert!(before.elapsed() >= limit && before.elapsed() < limit + Duration::from_secs(5));
    let report = server.reports().await.remove(0);
    assert!(
        matches!(&report.error, Some(RunError::Limit { limit, .. }) if limit == "wall_clock_ms"),
        "{report:?}"
    );
    // The next login is unaffected.
    server.deploy_action("slow", "exports.onExecutePostLogin = async () => {};").await;
    Login::web().code(&server.client(), seed::ADA).await;
}

// post-login.md section 3, api.cache
#[tokio::test]
async fn a_cached_value_is_seen_by_the_next_login_and_bad_input_never_throws() {
    let server = TestServer::start().await;
    let body = "const seen = api.cache.get('seen');
        console.log(seen?.value);
        const set = api.cache.set('seen', (seen?.value ?? '') + 'x', { ttl: 60000.7 });
        console.log(set.type, set.record.value, set.record.expires_at - Date.now());
        const codes = [api.cache.set(1, 'x'), api.cache.set('k', 1), api.cache.set('k', 'v', { ttl: NaN }),
            api.cache.set('k', 'v', { expires_at: Infinity }), api.cache.set('k', 'v', { ttl: -1 }),
            api.cache.set('k', 'v', { ttl: '5' }), api.cache.set('k'.repeat(65), 'v'),
            api.cache.set('k', 'v'.repeat(4097)), api.cache.delete('none'), api.cache.delete()];
        console.log(codes.map((answer) => answer.code).join());
        console.log(api.cache.get(), api.cache.get('none'));";
    let codes = "FailedToSetCacheRecord,FailedToSetCacheRecord,InvalidExpiry,InvalidExpiry,ItemAlreadyExpired,\
                 InvalidExpiry,CacheKeySizeExceeded,CacheValueSizeExceeded,CacheKeyDoesNotExist,CacheKeyDoesNotExist";
    let first = printed(&server, body).await;
    assert_eq!(first, ["undefined", "success x 60000", codes, "undefined undefined"]);
    let second = printed(&server, body).await;
    assert_eq!(second[..2], ["x", "success xx 60000"]);
}

#[tokio::test]
async fn the_runner_fetches_and_caches_as_the_server_does() {
    let service = Service::start().await;
    let folder = tempfile::tempdir().unwrap();
    let (config, file) = (folder.path().join("postern.toml"), folder.path().join("fetches.js"));
    std::fs::write(&config, "[outgoing]\nallowed_networks = [\"127.0.0.1\"]\n").unwrap();
    let script = format!(
        "exports.onExecutePostLogin = async (event, api) => {{
             api.cache.set('k', await (await fetch('{}')).text());
             console.log(api.cache.get('k').value);
             await fetch('http://127.0.0.2/').catch((error) => console.log(error.cause.message));
         }};",
        service.url("/echo")
    );
    std::fs::write(&file, script).unwrap();
    let event = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../samples/actions/limit-transferred-session/events/native-to-web.json"
    );
    let (config, file) = (config.to_str().unwrap(), file.to_str().unwrap());
    let ended = run(["--config", config, "action", "run", file, "--event", event, "--json"]).await;
    let report = ended.expect(0).json()["runs"][0]["report"].clone();
    assert_eq!(report["console"][0]["text"], "GET ", "{report}");
    assert!(report["console"][1]["text"].as_str().unwrap().contains("not an address"), "{report}");
}
