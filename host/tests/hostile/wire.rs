//! Requests as they go over a connection, and the answers that come back on it.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Ends a test that waits in vain.
const NEVER: Duration = Duration::from_secs(120);
/// Between two bytes of a sender that drips.
const DRIP: Duration = Duration::from_millis(50);

/// What is sent.
pub(crate) enum Sent {
    /// These bytes, on a connection of their own.
    Bytes(Vec<u8>),
    /// These, and then this one byte again and again.
    Dripping(Vec<u8>, u8),
    /// A request over HTTP/2 without TLS. The host has another address.
    Http2(Box<Request<Full<Bytes>>>),
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Whether it names a handler that ran.
    pub(crate) ran: bool,
    /// The host's code, in the header where there is no body.
    pub(crate) code: Option<String>,
}

/// A request of HTTP/1.1 in the making.
#[derive(Clone)]
pub(crate) struct Http {
    line: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    framed: bool,
}

impl From<Vec<u8>> for Sent {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<Http> for Sent {
    fn from(http: Http) -> Self {
        Self::Bytes(http.bytes())
    }
}

impl Http {
    pub(crate) fn post(body: impl Into<Vec<u8>>) -> Self {
        Self::new("POST /events HTTP/1.1", body)
    }

    pub(crate) fn new(line: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { line: line.to_owned(), headers: vec![], body: body.into(), framed: true }
    }

    pub(crate) fn line(self, line: &str) -> Self {
        Self { line: line.to_owned(), ..self }
    }

    pub(crate) fn header(mut self, name: impl Into<String>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.into(), value.as_ref().to_vec()));
        self
    }

    pub(crate) fn headers<'a>(self, headers: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        headers.into_iter().fold(self, |http, (name, value)| http.header(name, value))
    }

    pub(crate) fn body(self, body: Vec<u8>) -> Self {
        Self { body, ..self }
    }

    /// Leaves out what says where the body ends, for a row that says it in a way of its own.
    pub(crate) fn unframed(self) -> Self {
        Self { framed: false, ..self }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{}\r\nHost: events.example.com\r\n", self.line).into_bytes();
        if self.framed {
            bytes.extend(format!("Connection: close\r\nContent-Length: {}\r\n", self.body.len()).into_bytes());
        }
        for (name, value) in &self.headers {
            bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        [&bytes, b"\r\n".as_slice(), &self.body].concat()
    }
}

impl Sent {
    /// Sends it, and gives all answers that come until the host closes the connection.
    pub(crate) async fn exchange(self, host: SocketAddr) -> Vec<Reply> {
        let exchange = async {
            match self {
                Self::Bytes(bytes) => over_a_connection(host, &bytes, None).await,
                Self::Dripping(bytes, drop) => over_a_connection(host, &bytes, Some(drop)).await,
                Self::Http2(request) => over_http2(host, *request).await,
            }
        };
        tokio::time::timeout(NEVER, exchange).await.expect("the host neither answered nor closed the connection")
    }
}

async fn over_a_connection(host: SocketAddr, bytes: &[u8], drop: Option<u8>) -> Vec<Reply> {
    let (mut from, mut to) = TcpStream::connect(host).await.unwrap().into_split();
    let mut answer = Vec::new();
    let write = async {
        // A host that has refused may have closed before all was sent.
        let mut written = to.write_all(bytes).await;
        while let (Ok(()), Some(byte)) = (&written, drop) {
            tokio::time::sleep(DRIP).await;
            written = to.write_all(&[byte]).await;
        }
        // To close this end as well would end what the host is about to answer.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        // An end by a reset, since there was more to read, is an end.
        _ = from.read_to_end(&mut answer) => {}
        () = write => {}
    }
    replies(&answer)
}

/// The answers of HTTP/1.1 that bytes consist of, those apart that only say that the body is awaited. Bytes that are
/// none, as HTTP/2 speaks, are no answer.
fn replies(mut bytes: &[u8]) -> Vec<Reply> {
    let mut replies = Vec::new();
    while bytes.starts_with(b"HTTP/1.1 ") {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a head without an end");
        let head = std::str::from_utf8(&bytes[..end]).unwrap().to_ascii_lowercase();
        let status: u16 = head[9..12].parse().unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(0, |length| length.parse().unwrap());
        let (body, rest) = bytes[end + 4..].split_at(length);
        if status >= 200 {
            let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            let ran = header("tidemill-handler").is_some();
            replies.push(Reply { status, ran, code: code(header("tidemill-code"), body) });
        }
        bytes = rest;
    }
    replies
}

async fn over_http2(host: SocketAddr, mut request: Request<Full<Bytes>>) -> Vec<Reply> {
    let path = request.uri().path();
    *request.uri_mut() = format!("http://{host}{path}").parse().unwrap();
    let Ok(response) = crate::common::client(true).request(request).await else { return vec![] };
    let status = response.status().as_u16();
    let ran = response.headers().contains_key("tidemill-handler");
    let header = response.headers().get("tidemill-code").map(|code| code.to_str().unwrap().to_owned());
    let body = response.into_body().collect().await.unwrap().to_bytes();
    vec![Reply { status, ran, code: code(header.as_deref(), &body) }]
}

/// The code of an answer: in its header, in its body, or in both and the same.
fn code(header: Option<&str>, body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let (header, body) = (header.map(str::to_owned), body["code"].as_str().map(str::to_owned));
    if let (Some(header), Some(body)) = (&header, &body) {
        assert_eq!(header, body);
    }
    header.or(body)
}
