//! HTTP/1.1 on one connection that is kept open, with as little work as can be: for load on the machine that serves it.

use std::net::{Ipv4Addr, SocketAddr};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection to a server on this machine.
pub struct Wire {
    stream: TcpStream,
    port: u16,
    host: String,
    buffer: Vec<u8>,
}

/// What came back.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    #[track_caller]
    pub fn expect(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{}{}", self.head, self.body);
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}{}", self.head, self.body))
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

impl Wire {
    pub async fn connect(port: u16, host: &str) -> Self {
        Self { stream: open(port).await, port, host: host.to_owned(), buffer: Vec::with_capacity(16 << 10) }
    }

    /// Connects anew.
    pub async fn renew(&mut self) {
        self.stream = open(self.port).await;
    }

    /// `POST` with a form that is encoded already.
    pub async fn post(&mut self, path: &str, form: &str) -> Answer {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
            self.host,
            form.len()
        );
        self.send(&request).await
    }

    /// `GET` with this `Cookie` header.
    pub async fn get(&mut self, path: &str, cookie: &str) -> Answer {
        let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\ncookie: {cookie}\r\n\r\n", self.host);
        self.send(&request).await
    }

    async fn send(&mut self, request: &str) -> Answer {
        self.stream.write_all(request.as_bytes()).await.expect("the server reads");
        self.buffer.clear();
        let (head, body_at) = loop {
            assert!(self.stream.read_buf(&mut self.buffer).await.expect("an answer") > 0, "no whole answer");
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break (String::from_utf8_lossy(&self.buffer[..end + 2]).into_owned(), end + 4);
            }
        };
        let mut answer = Answer { status: 0, head, body: String::new() };
        answer.status = answer.head.get(9..12).and_then(|status| status.parse().ok()).expect("a status");
        let length: usize =
            answer.header("content-length").map_or(0, |value| value.parse().expect("a length"));
        while self.buffer.len() < body_at + length {
            assert!(self.stream.read_buf(&mut self.buffer).await.expect("a body") > 0, "no whole body");
        }
        answer.body = String::from_utf8_lossy(&self.buffer[body_at..body_at + length]).into_owned();
        answer
    }
}

async fn open(port: u16) -> TcpStream {
    let stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await.expect("it listens");
    stream.set_nodelay(true).expect("a socket");
    stream
}
