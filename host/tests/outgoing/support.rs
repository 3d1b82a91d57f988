//! A server that behaves as told, and a resolver that answers as told.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::ServerConfig;
use serde_json::{Value, json};
use tidemill_host::outgoing::{Resolve, Resolving};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::common::{Answer, TestHost, log};

/// What a server does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// A status, further header lines, and a body. The connection stays.
    Status(u16, String, String),
    /// These bytes, and the end of the connection.
    Raw(Vec<u8>),
    /// A reset, in place of an answer.
    Reset,
    /// These bytes, and nothing more. The connection stays; without any it is silence.
    Stall(&'static str),
    /// A head, and then a byte now and again without end.
    Drip,
    /// A head, and then as much as is taken without end.
    Bomb,
}

impl Reply {
    pub(crate) fn ok(body: &str) -> Self {
        Self::Status(200, String::new(), body.to_owned())
    }
}

/// A server that has counted what came. It ends with the test.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    heads: Mutex<Vec<String>>,
    sent: AtomicUsize,
    parted: AtomicUsize,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Server {
    /// A server on this machine that answers each request so.
    pub(crate) async fn start(reply: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_at("127.0.0.1:0", None, reply).await
    }

    pub(crate) async fn start_tls(
        tls: Arc<ServerConfig>,
        reply: impl Fn(&str) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::start_at("127.0.0.1:0", Some(tls), reply).await
    }

    pub(crate) async fn start_at(
        address: &str,
        tls: Option<Arc<ServerConfig>>,
        reply: impl Fn(&str) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let server = Self { address: listener.local_addr().unwrap(), seen: Arc::default() };
        let (seen, reply) = (Arc::clone(&server.seen), Arc::new(reply));
        let acceptor = tls.map(TlsAcceptor::from);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                seen.connections.fetch_add(1, Ordering::SeqCst);
                let (seen, reply, acceptor) = (Arc::clone(&seen), Arc::clone(&reply), acceptor.clone());
                tokio::spawn(async move {
                    let Some(acceptor) = acceptor else {
                        let mut stream = stream;
                        if let Ok(true) = converse(&mut stream, &seen, &*reply).await {
                            stream.set_zero_linger().unwrap();
                        }
                        return;
                    };
                    // A client that doesn't trust the certificate has left by then.
                    if let Ok(mut stream) = acceptor.accept(stream).await {
                        _ = converse(&mut stream, &seen, &*reply).await;
                    }
                });
            }
        });
        server
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    /// The heads of the requests so far.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.seen.heads.lock().unwrap().clone()
    }

    /// Waits until so many connections that it ended were ended by the other side too.
    pub(crate) async fn parted(&self, count: usize) {
        while self.seen.parted.load(Ordering::SeqCst) < count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Bytes of endless bodies that were taken off its hands.
    pub(crate) fn sent(&self) -> usize {
        self.seen.sent.load(Ordering::SeqCst)
    }
}

/// Answers until the other side leaves, or the reply ends it. Says whether it is to be ended by a reset.
async fn converse(
    stream: &mut dyn Stream,
    seen: &Seen,
    reply: &(dyn Fn(&str) -> Reply + Send + Sync),
) -> io::Result<bool> {
    loop {
        let Some(head) = read_request(stream).await? else { return Ok(false) };
        let answer = reply(&head);
        seen.heads.lock().unwrap().push(head);
        match answer {
            Reply::Status(status, headers, body) => {
                let head = format!("HTTP/1.1 {status} -\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
                stream.write_all(format!("{head}{body}").as_bytes()).await?;
            }
            Reply::Raw(bytes) => {
                stream.write_all(&bytes).await?;
                stream.shutdown().await?;
                while stream.read(&mut [0; 1024]).await? > 0 {}
                seen.parted.fetch_add(1, Ordering::SeqCst);
                return Ok(false);
            }
            Reply::Reset => return Ok(true),
            Reply::Stall(bytes) => {
                stream.write_all(bytes.as_bytes()).await?;
                std::future::pending().await
            }
            Reply::Drip => {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n").await?;
                loop {
                    stream.write_all(b".").await?;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
            Reply::Bomb => {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n").await?;
                let piece = vec![b'x'; 64 << 10];
                loop {
                    stream.write_all(&piece).await?;
                    seen.sent.fetch_add(piece.len(), Ordering::SeqCst);
                }
            }
        }
    }
}

/// The head of the next request, its body passed over; `None` where none comes.
async fn read_request(stream: &mut dyn Stream) -> io::Result<Option<String>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return Ok(None),
        }
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await?;
    Ok(Some(head))
}

/// Names and their addresses, each answer in its turn and the last for ever. All other names have none.
#[derive(Default)]
pub(crate) struct Names {
    answers: BTreeMap<&'static str, Vec<Vec<IpAddr>>>,
    asked: Mutex<Vec<String>>,
}

impl Names {
    pub(crate) fn new(answers: &[(&'static str, &[&[&str]])]) -> Arc<Self> {
        let parse = |answer: &&[&str]| answer.iter().map(|address| address.parse().unwrap()).collect();
        let answers = answers.iter().map(|(name, answers)| (*name, answers.iter().map(parse).collect())).collect();
        Arc::new(Self { answers, asked: Mutex::default() })
    }

    /// How often a name was asked for.
    pub(crate) fn asked(&self, name: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| *asked == name).count()
    }
}

impl Resolve for Names {
    fn resolve(&self, name: &str) -> Resolving {
        let before = self.asked(name);
        self.asked.lock().unwrap().push(name.to_owned());
        let answers = self.answers.get(name);
        let answer = answers.and_then(|answers| answers.get(before).or(answers.last())).cloned();
        Box::pin(std::future::ready(answer.ok_or_else(|| io::Error::other("no such name"))))
    }
}

/// A manifest for the scripted fixture that lists these origins.
pub(crate) fn manifest(origins: &[String]) -> String {
    format!("events = [\"script\"]\n[limits]\ndeadline = \"20s\"\n[permissions]\nhttp = {}\n", json!(origins))
}

/// A step that asks for a URL.
pub(crate) fn get(url: impl Into<String>) -> Value {
    json!({ "get": { "url": url.into() } })
}

/// The lines that a handler printed.
pub(crate) fn printed(answer: &Answer) -> Vec<String> {
    let lines = log::of_message(&answer.message_id).into_iter().filter(|line| line["stream"] == "stdout");
    lines.map(|line| line["message"].as_str().unwrap().to_owned()).collect()
}

/// The reason that a handler gave for a retry.
pub(crate) fn retried(answer: &Answer) -> String {
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (503, "retry"), "{answer:?}");
    answer.json()["reason"].as_str().unwrap().to_owned()
}

/// The origins of the requests that the host refused, with its words.
pub(crate) fn refusals(answer: &Answer) -> Vec<(String, String)> {
    let text = |line: &Value, field: &str| line[field].as_str().unwrap_or_default().to_owned();
    let lines = log::of_message(&answer.message_id);
    let lines = lines.iter().filter(|line| text(line, "message").starts_with("refused an outgoing request"));
    lines
        .inspect(|line| assert_eq!((&line["severity"], &line["handler"]), (&json!("WARNING"), &json!("scripted"))))
        .map(|line| (text(line, "origin"), text(line, "message")))
        .collect()
}

/// The host goes on as if nothing had happened.
pub(crate) async fn assert_well(host: &TestHost, after: &str) {
    let answer = host.script(json!(["done"])).await;
    assert_eq!(answer.status.as_u16(), 204, "after {after}: {answer:?}");
}
