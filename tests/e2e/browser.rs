use std::time::Duration;

use end_to_end::{Login, TestServer, seed};
use reqwest::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Prints where the login comes from.
const LOOKS: &str =
    "exports.onExecutePostLogin = async event => console.log(JSON.stringify(event.request.ip));";

// BR1
#[tokio::test]
async fn cookies_have_the_attributes_that_plain_http_allows() {
    let server = TestServer::start().await;
    let browser = server.client();
    let begun = Login::web().begin(&browser).await;
    let binding = &begun.set_cookies()[0];
    assert!(binding.starts_with("postern_login=") && binding.contains("SameSite=Lax"), "{binding}");
    let done = end_to_end::flow::log_in(&browser, begun.location(), seed::ADA, seed::PASSWORD).await;
    let session =
        done.set_cookies().into_iter().find(|cookie| cookie.starts_with("auth0=")).expect("a session");
    assert!(session.contains("SameSite=Lax") && session.contains("Max-Age=604800"), "{session}");
}

// BR1 BR4 BR9 LO4
#[tokio::test]
async fn over_https_cookies_are_host_bound_and_secure_and_the_browser_is_told_to_stay() {
    let server = TestServer::start_behind_proxy().await;
    server.deploy_action("looks", LOOKS).await;
    let browser = server.client();
    let begun = Login::web().begin(&browser).await;
    assert_eq!(begun.header("strict-transport-security"), Some("max-age=31536000"));
    let csrf = browser.get(begun.location()).await.field("csrf");
    let form = [("csrf", csrf.as_str()), ("username", seed::ADA), ("password", seed::PASSWORD)];
    let request = browser.request(Method::POST, begun.location());
    let request = request.header("x-forwarded-for", "192.0.2.1, 198.51.100.7").form(&form);
    let done = browser.send(request).await;
    assert!(done.location_parameter("iss").expect("iss").starts_with("https://acme.localhost:"));
    for (answer, start, same_site) in [
        (&begun, "__Host-postern_login=", "SameSite=Lax"),
        // A client's page renews its tokens in a hidden frame.
        (&done, "__Host-auth0=", "SameSite=None"),
    ] {
        let cookies = answer.set_cookies();
        let cookie = cookies.iter().find(|cookie| cookie.starts_with(start)).expect(start);
        assert!(cookie.contains("; Secure") && cookie.contains(same_site), "{cookie}");
    }
    assert_eq!(server.printed().await, ["198.51.100.7"]);
    // A cookie that a neighbouring site can plant counts for nothing.
    let planted = server.client();
    planted.set_cookie("auth0", &browser.cookie("__Host-auth0").expect("a session"));
    assert!(end_to_end::flow::asks_to_log_in(&Login::web().begin(&planted).await));
}

// BR3 BR4
#[tokio::test]
async fn every_answer_has_the_headers_errors_included() {
    let server = TestServer::start().await;
    let app = server.client();
    // The client checks the headers of every response.
    for (method, path, status) in [
        (Method::GET, "/", 404),
        (Method::GET, "/nowhere", 404),
        (Method::GET, "/oauth/nowhere", 404),
        (Method::GET, "//authorize", 404),
        (Method::GET, "/AUTHORIZE", 404),
        (Method::PUT, "/authorize", 405),
        (Method::DELETE, "/u/login", 405),
        (Method::POST, "/v2/logout", 405),
        (Method::POST, "/.well-known/jwks.json", 405),
        (Method::GET, "/u/login", 400),
        (Method::GET, "/u/login?state=nothing", 400),
        (Method::GET, "/healthz", 200),
        (Method::GET, "/assets/postern.css", 200),
        (Method::HEAD, "/.well-known/jwks.json", 200),
    ] {
        let answer = app.send(app.request(method.clone(), path)).await;
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        assert!(answer.header("x-request-id").is_some_and(|id| id.len() >= 16));
        assert_eq!(answer.header("strict-transport-security"), None, "not over plain http");
        if status == 405 {
            assert!(answer.header("allow").is_some(), "{method} {path}");
        }
    }
}

// BR4
#[tokio::test]
async fn the_login_form_may_end_at_the_client_and_nowhere_else() {
    let server = TestServer::start().await;
    for (login, source) in [
        (Login::web(), "https://web.example"),
        (Login::native(), "com.example.native:"),
        (Login::native().with("redirect_uri", "http://127.0.0.1:4321/callback"), "http://127.0.0.1:4321"),
    ] {
        let browser = server.client();
        let page = browser.get(login.begin(&browser).await.location()).await;
        let policy = page.header("content-security-policy").expect("a policy");
        let form_action =
            policy.split("; ").find_map(|part| part.strip_prefix("form-action ")).expect("form-action");
        assert_eq!(form_action, format!("'self' {source}"));
    }
}

// BR8
#[tokio::test]
async fn pages_of_a_clients_origin_may_call_the_endpoints_for_programs() {
    let server = TestServer::start().await;
    let app = server.client();
    let form = [("grant_type", "refresh_token"), ("client_id", seed::SPA), ("refresh_token", "x")];
    for (origin, allowed) in [
        ("https://spa.example", true),
        ("https://web.example", false),
        ("https://evil.example", false),
        ("https://spa.example.evil.example", false),
        ("http://spa.example", false),
        ("null", false),
    ] {
        let request = app.request(Method::POST, "/oauth/token").header("origin", origin).form(&form);
        let answer = app.send(request).await;
        assert_eq!(answer.header("access-control-allow-origin"), allowed.then_some(origin), "{origin}");
        assert_eq!(answer.header("access-control-allow-credentials"), None);
        assert!(answer.header("vary").is_some());
    }
    for (path, origin, allowed) in [
        ("/oauth/token", "https://spa.example", true),
        ("/oauth/token", "https://evil.example", false),
        ("/userinfo", "https://spa.example", true),
        ("/oauth/revoke", "null", false),
    ] {
        let answer = app.send(app.request(Method::OPTIONS, path).header("origin", origin)).await;
        assert_eq!(
            answer.expect(204).header("access-control-allow-origin"),
            allowed.then_some(origin),
            "{path}"
        );
    }
    let page = app.send(app.request(Method::GET, "/authorize").header("origin", "https://spa.example")).await;
    assert_eq!(page.header("access-control-allow-origin"), None);
}

// BR9
#[tokio::test]
async fn a_forwarded_address_of_a_stranger_is_not_believed() {
    let server = TestServer::start().await;
    server.deploy_action("looks", LOOKS).await;
    let browser = server.client();
    let begun = Login::web().begin(&browser).await;
    let csrf = browser.get(begun.location()).await.field("csrf");
    let form = [("csrf", csrf.as_str()), ("username", seed::ADA), ("password", seed::PASSWORD)];
    let request = browser.request(Method::POST, begun.location()).header("x-forwarded-for", "198.51.100.7");
    browser.send(request.form(&form)).await.expect(303);
    assert_eq!(server.printed().await, ["127.0.0.1"]);
}

// BR11
#[tokio::test]
async fn what_is_too_large_is_refused() {
    let server = TestServer::start().await;
    let app = server.client();
    let long = "x".repeat(20_000);
    app.get(&format!("/authorize?state={long}")).await.expect_page(414);
    let large = "x".repeat(70_000);
    app.post_form("/oauth/token", &[("code", &large)]).await.expect_error(413, "invalid_request");
    app.post_form("/u/login?state=x", &[("password", &large)]).await.expect_page(413);
    let many = "a=1&".repeat(300);
    let request = app.request(Method::POST, "/oauth/token");
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(many);
    app.send(request).await.expect_error(400, "invalid_request");
}

// BR11
#[tokio::test]
async fn malformed_http_gets_an_answer_or_is_dropped_and_the_server_goes_on() {
    let server = TestServer::start().await;
    let host = format!("Host: acme.localhost:{}", server.port);
    for request in [
        "GET / HTTP/1.1\r\n\r\n".to_owned(),
        format!("GET /authorize HTTP/1.1\r\n{host}\r\nHost: other.localhost\r\n\r\n"),
        format!(
            "POST /oauth/token HTTP/1.1\r\n{host}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        ),
        format!(
            "POST /oauth/token HTTP/1.1\r\n{host}\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde"
        ),
        format!("GET /authorize HTTP/1.1\r\n{host}\r\nCookie: auth0=\u{1}\r\n\r\n"),
        format!("GET /\u{0}authorize HTTP/1.1\r\n{host}\r\n\r\n"),
        format!("GET /authorize HTTP/1.1\r\n{host}\r\nX: {}\r\n\r\n", "y".repeat(200_000)),
        "NONSENSE\r\n\r\n".to_owned(),
    ] {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port)).await.expect("a connection");
        let _ = stream.write_all(request.as_bytes()).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await;
        assert!(read.is_ok(), "the server waits for ever after {:?}", &request[..40.min(request.len())]);
        let answer = String::from_utf8_lossy(&answer);
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(answer.is_empty() || status.starts_with('4'), "{answer}");
    }
    server.client().get("/healthz").await.expect(200);
}
