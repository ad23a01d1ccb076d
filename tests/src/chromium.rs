//! A real browser: headless Chromium with a fresh profile, driven by chromedriver over the WebDriver protocol.
//!
//! The few commands that are needed are plain JSON over HTTP (W3C WebDriver 2, §7 to §15).

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::Stdio;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

/// The key under which WebDriver names an element (§11).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// How long a page may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// CSS pixels of a small phone.
const PHONE: (u32, u32) = (360, 740);

/// A browser. It ends with the value.
pub struct Chromium {
    http: Client,
    port: u16,
    session: String,
    _driver: Child,
    _profile: TempDir,
}

/// Starts chromedriver. The port that it is given must be free for IPv4 and IPv6 alike, which it finds out by trying: where
/// many tests have connections, it ends now and then.
async fn start_driver() -> (Child, u16) {
    const ATTEMPTS: usize = 10;
    for _ in 0..ATTEMPTS {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect(
                "chromedriver: `apt-get install chromium chromium-driver`, or `cargo xtask test` does it",
            );
        let mut lines = BufReader::new(driver.stdout.take().expect("its output")).lines();
        while let Some(line) = lines.next_line().await.expect("its output") {
            let port = line.split("successfully on port ").nth(1);
            let Some(port) = port.and_then(|port| port.trim_end_matches('.').parse().ok()) else { continue };
            // Somebody must read on, or the driver waits.
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return (driver, port);
        }
    }
    panic!("chromedriver ended {ATTEMPTS} times before it was ready");
}

impl Chromium {
    pub async fn start() -> Self {
        Self::start_with(json!({}), false).await
    }

    /// Of somebody who trusts the authority of `postern dev --tls`, and lets frames of other sites have their cookies. A driver
    /// cannot add one authority: it trusts all.
    pub async fn start_trusting() -> Self {
        Self::start_with(json!({ "profile.cookie_controls_mode": 0 }), true).await
    }

    /// As a reader who has switched JavaScript off.
    pub async fn start_without_javascript() -> Self {
        Self::start_with(json!({ "profile.managed_default_content_settings.javascript": 2 }), false).await
    }

    async fn start_with(preferences: Value, trusting: bool) -> Self {
        let (driver, port) = start_driver().await;
        let profile = tempfile::tempdir().expect("a folder");
        let http = Client::builder().no_proxy().build().expect("a client");
        let options = json!({
            "args": [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
                "--disable-component-update", "--no-first-run",
                format!("--user-data-dir={}", profile.path().display()),
            ],
            "prefs": preferences,
        });
        let capabilities = json!({
            "capabilities": { "alwaysMatch": {
                "browserName": "chrome", "acceptInsecureCerts": trusting, "goog:chromeOptions": options,
            } },
        });
        let mut browser = Self { http, port, session: String::new(), _driver: driver, _profile: profile };
        let made = browser.call(Method::POST, "", &capabilities).await;
        browser.session = format!("/{}", made["sessionId"].as_str().expect("a session"));
        let patience = json!({ "implicit": PATIENCE.as_millis(), "pageLoad": PATIENCE.as_millis() });
        browser.call(Method::POST, "/timeouts", &patience).await;
        let (width, height) = PHONE;
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 2, "mobile": true });
        browser.devtools("Emulation.setDeviceMetricsOverride", &metrics).await;
        browser
    }

    async fn call(&self, method: Method, path: &str, body: &Value) -> Value {
        let url = format!("http://127.0.0.1:{}/session{}{path}", self.port, self.session);
        let mut request = self.http.request(method.clone(), url);
        if method == Method::POST {
            request = request.json(body);
        }
        let answer = request.send().await.expect("the driver answers");
        let status = answer.status();
        let mut answer: Value = answer.json().await.expect("JSON");
        assert!(status.is_success(), "{method} {path} {body}: {answer}");
        answer["value"].take()
    }

    async fn devtools(&self, command: &str, parameters: &Value) -> Value {
        self.call(Method::POST, "/goog/cdp/execute", &json!({ "cmd": command, "params": parameters })).await
    }

    /// Goes there as if it were typed, and waits until the page is loaded.
    pub async fn open(&self, url: &str) {
        self.call(Method::POST, "/url", &json!({ "url": url })).await;
    }

    /// Waits until the browser is at an address that starts so: a form is sent after the click returned.
    pub async fn arrives_at(&self, start: &str) -> String {
        let mut url = String::new();
        let arrives = async {
            while !url.starts_with(start) {
                tokio::time::sleep(Duration::from_millis(20)).await;
                url = self
                    .call(Method::GET, "/url", &Value::Null)
                    .await
                    .as_str()
                    .expect("an address")
                    .to_owned();
            }
        };
        let arrived = tokio::time::timeout(PATIENCE, arrives).await;
        assert!(arrived.is_ok(), "the browser is at {url}, not at {start}");
        url
    }

    /// The first element, as soon as there is one.
    async fn element(&self, selector: &str) -> String {
        let wanted = json!({ "using": "css selector", "value": selector });
        let found = self.call(Method::POST, "/element", &wanted).await;
        found[ELEMENT].as_str().expect("an element").to_owned()
    }

    /// The text of the first element, as it is shown.
    pub async fn text(&self, selector: &str) -> String {
        let path = format!("/element/{}/text", self.element(selector).await);
        self.call(Method::GET, &path, &Value::Null).await.as_str().expect("text").to_owned()
    }

    /// Waits until the first such element shows this text, or one that begins so.
    pub async fn shows(&self, selector: &str, text: &str) {
        let mut shown = String::new();
        let shows = async {
            loop {
                shown = self.text_content(selector).await;
                if shown.starts_with(text) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, shows).await;
        assert!(in_time.is_ok(), "{selector} shows {shown}, not {text}");
    }

    /// Empty while there is no such element: the page may be another one at any time.
    async fn text_content(&self, selector: &str) -> String {
        let script = "return document.querySelector(arguments[0])?.textContent ?? ''";
        let body = json!({ "script": script, "args": [selector] });
        self.call(Method::POST, "/execute/sync", &body).await.as_str().unwrap_or_default().to_owned()
    }

    /// What stands in the field now.
    pub async fn value(&self, selector: &str) -> String {
        let path = format!("/element/{}/property/value", self.element(selector).await);
        self.call(Method::GET, &path, &Value::Null).await.as_str().expect("a value").to_owned()
    }

    /// Types into the element that has the focus on its own.
    pub async fn type_where_the_focus_is(&self, text: &str) {
        let active = self.call(Method::GET, "/element/active", &Value::Null).await;
        let path = format!("/element/{}/value", active[ELEMENT].as_str().expect("an element"));
        self.call(Method::POST, &path, &json!({ "text": text })).await;
    }

    pub async fn type_into(&self, selector: &str, text: &str) {
        let path = format!("/element/{}/value", self.element(selector).await);
        self.call(Method::POST, &path, &json!({ "text": text })).await;
    }

    pub async fn click(&self, selector: &str) {
        let path = format!("/element/{}/click", self.element(selector).await);
        self.call(Method::POST, &path, &json!({})).await;
    }

    /// Sets a cookie of the page that is open.
    pub async fn set_cookie(&self, cookie: &Value) {
        self.call(Method::POST, "/cookie", &json!({ "cookie": cookie })).await;
    }

    /// A cookie that the page that is open would send.
    pub async fn cookie(&self, name: &str) -> Option<Value> {
        let cookies = self.call(Method::GET, "/cookie", &Value::Null).await;
        cookies.as_array().expect("cookies").iter().find(|cookie| cookie["name"] == name).cloned()
    }

    /// The page as it is seen, as PNG.
    pub async fn screenshot(&self) -> Vec<u8> {
        let picture = self.call(Method::GET, "/screenshot", &Value::Null).await;
        STANDARD.decode(picture.as_str().expect("a picture")).expect("base64")
    }

    /// Fails when a reader with a small phone would have to scroll sideways.
    pub async fn assert_fits_a_phone(&self) {
        let metrics = self.devtools("Page.getLayoutMetrics", &json!({})).await;
        let seen = &metrics["cssVisualViewport"]["clientWidth"];
        let all = &metrics["cssContentSize"]["width"];
        assert_eq!((seen.as_f64(), all.as_f64()), (Some(PHONE.0.into()), Some(PHONE.0.into())), "{metrics}");
    }
}

impl Drop for Chromium {
    /// Without this, Chromium would outlive its driver.
    fn drop(&mut self) {
        let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)) else { return };
        let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
        let request = format!(
            "DELETE /session{} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            self.session
        );
        let _ = stream.write_all(request.as_bytes());
        let _ = stream.read(&mut [0; 1024]);
    }
}

/// The client's side: it shows a page at every address, which says whether JavaScript runs, and what was posted to it, as it
/// was encoded.
pub async fn relying_party() -> String {
    const PAGE: &str = "<!doctype html><meta name=viewport content='width=device-width'><title>The client</title>\
        <p id=mode>without JavaScript</p><script>mode.textContent = 'with JavaScript'</script><p id=posted>";
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a socket");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    match stream.read_u8().await {
                        Ok(byte) => head.push(byte),
                        Err(_) => return,
                    }
                }
                let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
                let length = head.split("\r\n").find_map(|line| line.strip_prefix("content-length: "));
                let mut posted = vec![0; length.map_or(0, |length| length.parse().expect("a length"))];
                if stream.read_exact(&mut posted).await.is_err() {
                    return;
                }
                // Of an encoded form, only this character means something in HTML.
                let posted = String::from_utf8_lossy(&posted).replace('&', "&amp;");
                let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n";
                let _ = stream.write_all(format!("{head}{PAGE}{posted}").as_bytes()).await;
            });
        }
    });
    format!("http://127.0.0.1:{port}")
}
