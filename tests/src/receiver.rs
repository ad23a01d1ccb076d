//! Somebody's endpoint for what the server sends (logout tokens, logs, traces), on loopback: it keeps what it gets, and answers what the
//! test wants.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

/// What the receiver does with a request.
#[derive(Debug, Clone, Copy)]
pub enum Answer {
    Status(u16),
    /// 302 to itself.
    Redirect,
    /// Nothing, with the connection open.
    Hang,
}

#[derive(Default)]
struct State {
    answers: VecDeque<Answer>,
    requests: Vec<Request>,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    /// The first line and the headers.
    pub head: String,
    pub body: Vec<u8>,
}

impl Request {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// A running receiver. It ends with the value.
pub struct Receiver {
    pub port: u16,
    scheme: &'static str,
    state: Arc<Mutex<State>>,
    server: JoinHandle<()>,
}

impl Receiver {
    /// Plain HTTP.
    pub async fn start() -> Self {
        Self::start_with(None).await
    }

    /// With TLS; and its certificate, as PEM.
    pub async fn start_with_tls() -> (Self, String) {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![cert.der().clone()],
                PrivatePkcs8KeyDer::from(signing_key.serialize_der()).into(),
            )
            .unwrap();
        (Self::start_with(Some(TlsAcceptor::from(Arc::new(config)))).await, cert.pem())
    }

    async fn start_with(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        let server = tokio::spawn(async move {
            loop {
                let (connection, _) = listener.accept().await.unwrap();
                let (tls, state) = (tls.clone(), shared.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(connection, state).await,
                        Some(tls) => serve(tls.accept(connection).await.unwrap(), state).await,
                    }
                });
            }
        });
        Self { port, scheme, state, server }
    }

    pub fn url(&self) -> String {
        format!("{}://localhost:{}/logged-out?kept=1", self.scheme, self.port)
    }

    /// The answers to the next requests; then 200.
    pub fn answer(&self, answers: impl IntoIterator<Item = Answer>) {
        self.state.lock().unwrap().answers.extend(answers);
    }

    /// The logout tokens since the last call, in the order of their arrival.
    #[track_caller]
    pub fn tokens(&self) -> Vec<String> {
        self.requests().iter().map(logout_token).collect()
    }

    /// The requests since the last call, in the order of their arrival.
    pub fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.state.lock().unwrap().requests)
    }

    /// How many requests there were since the last call of [`Receiver::tokens`].
    pub fn count(&self) -> usize {
        self.state.lock().unwrap().requests.len()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Reads the one request of the connection, and answers it.
async fn serve(connection: impl AsyncRead + AsyncWrite + Unpin, state: Arc<Mutex<State>>) {
    let mut connection = BufReader::new(connection);
    let (mut request, mut length) = (String::new(), 0);
    loop {
        let start = request.len();
        if connection.read_line(&mut request).await.unwrap() == 0 {
            return;
        }
        let line = request[start..].trim().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body).await.unwrap();
    let request = Request { head: request, body };
    let answer = {
        let mut state = state.lock().unwrap();
        state.requests.push(request);
        state.answers.pop_front().unwrap_or(Answer::Status(200))
    };
    let head = match answer {
        Answer::Status(status) => format!("HTTP/1.1 {status} Whatever\r\n"),
        Answer::Redirect => "HTTP/1.1 302 Found\r\nLocation: /logged-out\r\n".to_owned(),
        Answer::Hang => {
            // Until the other side gives up.
            let _ = connection.read(&mut [0]).await;
            return;
        }
    };
    let answer = format!("{head}Content-Length: 0\r\nConnection: close\r\n\r\n");
    connection.write_all(answer.as_bytes()).await.unwrap();
    // The other side may have gone with the head of the answer.
    let _ = connection.shutdown().await;
}

/// OpenID Connect Back-Channel Logout §2.5: a form with one field.
#[track_caller]
fn logout_token(request: &Request) -> String {
    assert_eq!(request.head.lines().next(), Some("POST /logged-out?kept=1 HTTP/1.1"), "{request:?}");
    assert_eq!(request.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert!(request.header("cookie").is_none() && request.header("authorization").is_none(), "{request:?}");
    let fields: Vec<_> = form_urlencoded::parse(&request.body).into_owned().collect();
    let [(name, token)] = <[_; 1]>::try_from(fields).unwrap();
    assert_eq!(name, "logout_token");
    token
}
