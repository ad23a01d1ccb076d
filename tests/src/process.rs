//! The program as a process of its own, and an app that talks to it and survives its death.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{Read, Seek};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use reqwest::header::{COOKIE, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder, Error, RequestBuilder};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use url::Url;

use crate::flow::{CHALLENGE, VERIFIER, text};
use crate::html::Form;
use crate::node::Node;
use crate::{Response, jwt, seed};

pub const NATIVE: &str = "demo-native";
/// Any port will do (RFC 8252 §7.3).
pub const NATIVE_CALLBACK: &str = "http://127.0.0.1:8765/callback";
pub const WEB: &str = "demo-web";
pub const WEB_CALLBACK: &str = "http://127.0.0.1:3001/callback";

/// The path of the program, built from the sources as they are: `cargo test` builds it for no test but its own.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let this = std::env::current_exe().unwrap();
        let folder = this.parent().unwrap().parent().unwrap();
        let mut build = std::process::Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--workspace", "--bin", "postern"]);
        build.current_dir(env!("CARGO_MANIFEST_DIR")).env("CARGO_TARGET_DIR", folder.parent().unwrap());
        if folder.file_name() == Some(OsStr::new("release")) {
            build.arg("--release");
        }
        assert!(build.status().unwrap().success(), "postern does not build");
        folder.join("postern")
    })
}

/// How a command ended, and what it said.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    #[track_caller]
    pub fn expect(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }
}

/// Runs `postern` with these arguments to its end.
pub async fn run<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Ended {
    run_in(&[], arguments).await
}

/// The same, with these variables in its environment.
pub async fn run_in<A: AsRef<OsStr>>(
    variables: &[(&str, &str)],
    arguments: impl IntoIterator<Item = A>,
) -> Ended {
    let mut command = Command::new(program());
    command.args(arguments).envs(variables.iter().copied()).stdin(Stdio::null());
    let output = command.output().await.unwrap();
    Ended {
        code: output.status.code().expect("no signal ended it"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A port that nobody listens at, and that no outgoing connection takes while its server restarts.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 10_000).unwrap();
    let candidates = (0..2_000).map(|_| 20_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000);
    let mut free = candidates.filter(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok());
    free.next().expect("a free port")
}

/// A running `postern dev`. It is killed with the value.
pub struct Postern {
    pub port: u16,
    /// What `--print-json` said.
    pub demo: Value,
    child: Child,
}

impl Postern {
    /// Starts the server on the folder and waits until it is ready.
    pub async fn start(folder: &Path, port: u16) -> Self {
        Self::start_with(folder, port, &[]).await
    }

    /// The same by https, with a certificate of the folder's own authority.
    pub async fn start_tls(folder: &Path, port: u16) -> Self {
        Self::start_with(folder, port, &["--tls"]).await
    }

    async fn start_with(folder: &Path, port: u16, options: &[&str]) -> Self {
        let log = folder.join("stderr.log");
        let mut child = Command::new(program())
            .args(["dev", "--print-json", "--port", &port.to_string(), "--dir"])
            .arg(folder)
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log).unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = tokio::time::timeout(Duration::from_secs(120), lines.next_line()).await;
        let Ok(Ok(Some(line))) = ready else {
            panic!("the server does not start: {}", std::fs::read_to_string(log).unwrap());
        };
        Self { port, demo: serde_json::from_str(&line).unwrap(), child }
    }

    /// The processor time that it has used.
    pub fn processor_time(&self) -> Duration {
        processor_time(&self.child.id().expect("it runs").to_string())
    }

    /// SIGKILL.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Runs another command on the server's database.
    pub async fn command(&self, arguments: &[&str]) -> Ended {
        let config = text(&self.demo, "config_file");
        run(["--config", &config].iter().chain(arguments)).await
    }

    /// A fresh browser or app, which trusts the server's own authority where it has one.
    pub fn app(&self) -> App {
        match self.ca() {
            None => App::new("http", self.port, Client::builder(), &self.demo),
            Some(ca) => {
                let http = Client::builder().tls_certs_only([ca]).https_only(true);
                App::new("https", self.port, http, &self.demo)
            }
        }
    }

    /// The authority of `--tls`.
    pub fn ca(&self) -> Option<Certificate> {
        let pem = std::fs::read(self.demo["ca_file"].as_str()?).expect("the authority");
        Some(Certificate::from_pem(&pem).expect("a certificate"))
    }
}

/// A running `postern serve`. It is killed with the value.
pub struct Serve {
    child: Child,
}

impl Serve {
    /// The process.
    pub fn id(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// The processor time that it has used.
    pub fn processor_time(&self) -> Duration {
        processor_time(&self.id().to_string())
    }

    /// SIGKILL.
    pub async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Serves with this configuration file and settings on top of it, as `POSTERN_SERVER__SCHEME`, and waits until the
    /// port is open. An error is how the program ended instead.
    pub async fn start(config: &str, settings: &[(&str, &str)], port: u16) -> Result<Self, Ended> {
        // A file: to read a pipe would be work for each line of the log.
        let mut log = tempfile::tempfile().unwrap();
        let mut child = Command::new(program())
            .args(["--config", config, "serve"])
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.try_clone().unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let is_open = async {
            while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let status = tokio::select! {
            () = is_open => return Ok(Self { child }),
            status = child.wait() => status.unwrap(),
            () = tokio::time::sleep(Duration::from_secs(120)) => panic!("the server neither serves nor ends"),
        };
        let code = status.code().expect("no signal ended it");
        let mut stderr = String::new();
        log.rewind().unwrap();
        log.read_to_string(&mut stderr).unwrap();
        Err(Ended { code, stdout: String::new(), stderr })
    }
}

/// The processor time, user and system, of the process that `/proc` has under this name.
pub fn processor_time(process: &str) -> Duration {
    /// A clock tick: `sysconf(_SC_CLK_TCK)` is 100 on Linux.
    const TICK: Duration = Duration::from_millis(10);
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("it runs");
    let fields = stat.rsplit_once(')').expect("a name").1.split(' ');
    // `utime` and `stime`, the 14th and 15th of all (proc_pid_stat(5)).
    fields.skip(12).take(2).map(|ticks| TICK * ticks.parse::<u32>().expect("ticks")).sum()
}

/// A browser and an app in one. An error means that no whole answer came; clones share the cookies.
#[derive(Clone)]
pub struct App {
    http: Client,
    origin: String,
    user: (String, String),
    native: Registration,
    web: Registration,
    jar: Arc<Mutex<BTreeMap<String, String>>>,
    answers: Arc<AtomicU64>,
}

/// Where the browser would leave the server.
#[derive(Debug)]
pub struct Arrival {
    pub url: String,
    /// What it would post there; `None`: it follows a redirect.
    pub form: Option<Vec<(String, String)>>,
}

/// A client as the app knows it.
#[derive(Clone)]
struct Registration {
    id: &'static str,
    callback: &'static str,
    /// For HTTP Basic.
    secret: Option<String>,
}

impl App {
    /// At the demo tenant, by this scheme.
    pub fn new(scheme: &str, port: u16, http: ClientBuilder, demo: &Value) -> Self {
        Self {
            http: connect(http, "demo.localhost", port),
            origin: format!("{scheme}://demo.localhost:{port}"),
            user: (text(&demo["user"], "email"), text(&demo["user"], "password")),
            native: Registration { id: NATIVE, callback: NATIVE_CALLBACK, secret: None },
            web: Registration {
                id: WEB,
                callback: WEB_CALLBACK,
                secret: Some(text(&demo["web_client"], "client_secret")),
            },
            jar: Arc::default(),
            answers: Arc::default(),
        }
    }

    /// At the tenant `acme` of a node, from an address of this machine. It redeems no code of the web client.
    pub fn at(node: &Node, user: &str, from: Ipv4Addr) -> Self {
        let http = Client::builder().local_address(IpAddr::V4(from));
        Self {
            http: connect(http, "acme.localhost", node.port),
            origin: format!("http://{}", node.host()),
            user: (user.to_owned(), seed::PASSWORD.to_owned()),
            native: Registration { id: seed::NATIVE, callback: seed::NATIVE_CALLBACK, secret: None },
            web: Registration { id: seed::WEB, callback: seed::WEB_CALLBACK, secret: None },
            jar: Arc::default(),
            answers: Arc::default(),
        }
    }

    /// The same browser and user, from now on at this node and from this address.
    #[must_use]
    pub fn moved_to(&self, node: &Node, from: Ipv4Addr) -> Self {
        Self { jar: self.jar.clone(), answers: self.answers.clone(), ..Self::at(node, &self.user.0, from) }
    }

    /// The same connections, in a browser of this user without cookies.
    #[must_use]
    pub fn of_user(&self, email: &str, password: &str) -> Self {
        Self { user: (email.to_owned(), password.to_owned()), ..self.without_cookies() }
    }

    /// The same connections and user, in a browser without cookies.
    #[must_use]
    pub fn without_cookies(&self) -> Self {
        Self { jar: Arc::default(), ..self.clone() }
    }

    /// How many whole answers came to this app and those that were made from it.
    pub fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }

    pub fn cookie(&self, name: &str) -> Option<String> {
        self.jar.lock().unwrap().get(name).cloned()
    }

    pub fn set_cookie(&self, name: &str, value: &str) {
        self.jar.lock().unwrap().insert(name.to_owned(), value.to_owned());
    }

    pub fn forget_cookies(&self) {
        self.jar.lock().unwrap().clear();
    }

    /// `GET /authorize`.
    pub async fn authorize(&self, client: &str, more: &[(&str, &str)]) -> Result<Response, Error> {
        let client = self.registration(client);
        let scope =
            if client.id == self.native.id { "openid profile offline_access" } else { "openid profile" };
        let query = [
            ("response_type", "code"),
            ("client_id", client.id),
            ("redirect_uri", client.callback),
            ("scope", scope),
            ("state", "the-state"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        self.send(self.http.get(self.url("/authorize")).query(&query).query(more)).await
    }

    /// Fills the login page that `/authorize` leads to.
    pub async fn log_in(&self, begun: &Response) -> Result<Response, Error> {
        let page = self.url(begun.location());
        let csrf = self.send(self.http.get(&page)).await?.expect(200).field("csrf");
        let form = [("csrf", csrf.as_str()), ("username", &self.user.0), ("password", &self.user.1)];
        self.send(self.http.post(&page).form(&form)).await
    }

    /// The token request of either client.
    pub async fn exchange(&self, client: &str, code: &str) -> Result<Response, Error> {
        let client = self.registration(client);
        let callback = client.callback;
        let grant = ("grant_type", "authorization_code");
        let form = [grant, ("code", code), ("redirect_uri", callback), ("code_verifier", VERIFIER)];
        self.post(client, "/oauth/token", &form).await
    }

    pub async fn refresh(&self, token: &str) -> Result<Response, Error> {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.post(&self.native, "/oauth/token", &form).await
    }

    /// Trades a refresh token for a session transfer token.
    pub async fn transfer(&self, token: &str) -> Result<Response, Error> {
        let grant = ("grant_type", "refresh_token");
        let host = self.origin.split(['/', ':']).nth(3).unwrap();
        let audience = format!("urn:{host}:session_transfer");
        let form = [grant, ("refresh_token", token), ("audience", &audience)];
        self.post(&self.native, "/oauth/token", &form).await
    }

    pub async fn revoke(&self, token: &str) -> Result<Response, Error> {
        self.post(&self.native, "/oauth/revoke", &[("token", token)]).await
    }

    /// The tokens of a whole login with the password.
    pub async fn tokens_of_login(&self, client: &str) -> Result<Value, Error> {
        let begun = self.authorize(client, &[("prompt", "login")]).await?;
        let code = crate::flow::code_of(&self.log_in(&begun).await?);
        Ok(self.exchange(client, &code).await?.expect(200).json())
    }

    /// The claims of the ID token among them.
    pub async fn id_token_of_login(&self, client: &str) -> Result<Value, Error> {
        let tokens = self.tokens_of_login(client).await?;
        Ok(jwt::claims(&text(&tokens, "id_token")))
    }

    /// Goes where somebody else's program sends the browser, and sends the forms that it comes to, as the user would. Ends at
    /// the first address that starts so: the address, and what a form would post to it.
    pub async fn walk(&self, start: &str, until: &str) -> Result<Arrival, Error> {
        const STEPS: usize = 12;
        let mut request = self.http.get(start);
        for _ in 0..STEPS {
            let response = self.send(request).await?;
            let here = Url::parse(&response.url).expect("an address");
            if let Some(location) = response.header("location") {
                let next = here.join(location).expect("an address");
                if next.as_str().starts_with(until) {
                    return Ok(Arrival { url: next.into(), form: None });
                }
                request = self.http.get(next);
                continue;
            }
            let Some(mut form) = Form::first_of(&response.expect(200).body) else {
                panic!("a page without a form: {response:?}");
            };
            form.fill("username", &self.user.0);
            form.fill("password", &self.user.1);
            let action = here.join(form.action.as_deref().unwrap_or_default()).expect("an address");
            if action.as_str().starts_with(until) {
                return Ok(Arrival { url: action.into(), form: Some(form.fields) });
            }
            request = self.http.post(action).form(&form.fields);
        }
        panic!("{start} does not lead to {until} in {STEPS} steps");
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    fn registration(&self, client: &str) -> &Registration {
        [&self.native, &self.web].into_iter().find(|known| known.id == client).expect("one of the two")
    }

    async fn post(
        &self,
        client: &Registration,
        path: &str,
        form: &[(&str, &str)],
    ) -> Result<Response, Error> {
        let mut form = form.to_vec();
        let mut request = self.http.post(self.url(path));
        match &client.secret {
            Some(secret) => request = request.basic_auth(client.id, Some(secret)),
            None => form.push(("client_id", client.id)),
        }
        self.send(request.form(&form)).await
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, Error> {
        let cookies = {
            let jar = self.jar.lock().unwrap();
            jar.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
        };
        let response = request.header(COOKIE, cookies).send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let url = response.url().to_string();
        let body = response.text().await?;
        self.answers.fetch_add(1, Ordering::Relaxed);
        let mut jar = self.jar.lock().unwrap();
        for cookie in headers.get_all(SET_COOKIE) {
            let (pair, attributes) = cookie.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            match attributes.contains("Max-Age=0") {
                true => jar.remove(name),
                false => jar.insert(name.to_owned(), value.to_owned()),
            };
        }
        Ok(Response { status, headers, body, url })
    }
}

/// Finds the host at this port of this machine; follows no redirect, waits for no answer that does not come.
fn connect(http: ClientBuilder, host: &str, port: u16) -> Client {
    http.redirect(Policy::none())
        .no_proxy()
        .timeout(Duration::from_secs(30))
        .resolve(host, SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .build()
        .unwrap()
}
