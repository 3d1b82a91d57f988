//! The load: a fixed number of events over kept connections, each answer of them checked.

mod closed;
mod open;

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use hdrhistogram::Histogram;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The longest latency that is told from longer ones, in nanoseconds, and how exactly, in decimal digits.
const HIGHEST: u64 = TIMEOUT.as_nanos() as u64;
const DIGITS: u8 = 3;

/// Latencies in nanoseconds.
pub(crate) type Latencies = Histogram<u64>;

/// What a run of events gave.
pub(crate) struct Run {
    /// One for each event.
    pub(crate) latencies: Latencies,
    /// From before the first event to after the last answer.
    pub(crate) elapsed: Duration,
}

/// How a server says that an event was handled.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Success {
    /// By the status 204.
    Status,
    /// By that and by the code `done`, which tells an event that was handled from one that was known, or dropped.
    Code,
}

/// Connections to one server, and the threads that drive them.
pub(crate) struct Generator {
    runtime: Runtime,
    connections: Vec<Connection>,
}

struct Connection {
    sender: SendRequest<Full<Bytes>>,
    success: Success,
}

impl Generator {
    /// Opens so many connections to a port of this machine. One thread drives them all: the rest of the machine is the
    /// server's.
    ///
    /// # Errors
    /// Where the server takes no connection.
    pub(crate) fn connect(port: u16, connections: usize, success: Success) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let connections = runtime.block_on(async {
            let mut opened = Vec::with_capacity(connections);
            for _ in 0..connections {
                opened.push(Connection::open(port, success).await?);
            }
            Ok::<_, anyhow::Error>(opened)
        })?;
        Ok(Self { runtime, connections })
    }

    /// Sends these events as fast as they are answered: each connection has one in flight, and the next right after.
    ///
    /// # Errors
    /// Where one is answered by anything but success.
    pub(crate) fn closed(&mut self, events: Vec<Bytes>) -> Result<Run> {
        let connections = std::mem::take(&mut self.connections);
        let (run, connections) = self.runtime.block_on(closed::run(connections, events.into()))?;
        self.connections = connections;
        Ok(run)
    }

    /// Sends these events at a rate, so many a second, whether those before were answered or not. A latency counts from
    /// when an event was due, so that a server which stalls is charged for all that had to wait meanwhile.
    ///
    /// # Errors
    /// As [`Self::closed`].
    pub(crate) fn open(&mut self, events: Vec<Bytes>, rate: f64) -> Result<Run> {
        let connections = std::mem::take(&mut self.connections);
        let (run, connections) = self.runtime.block_on(open::run(connections, events, rate))?;
        self.connections = connections;
        Ok(run)
    }
}

impl Connection {
    async fn open(port: u16, success: Success) -> Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.context("the server takes no connection")?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Whatever ends a connection fails the event that is on it.
        tokio::spawn(connection);
        Ok(Self { sender, success })
    }

    async fn send(&mut self, body: Bytes) -> Result<()> {
        let request = Request::post("/events")
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)")
            .body(Full::new(body))?;
        let exchange = async {
            let answer = self.sender.send_request(request).await?;
            let (head, body) = answer.into_parts();
            Ok::<_, hyper::Error>((head, body.collect().await?.to_bytes()))
        };
        let (head, body) = tokio::time::timeout(TIMEOUT, exchange).await.context("no answer came")??;
        let code = head.headers.get("tidemill-code").map_or(&b""[..], |code| code.as_bytes());
        let done = matches!(self.success, Success::Status) || code == b"done";
        if head.status != StatusCode::NO_CONTENT || !done {
            let (code, body) = (String::from_utf8_lossy(code), String::from_utf8_lossy(&body));
            bail!("an event was answered {} {code} {body}", head.status);
        }
        self.sender.ready().await.context("the server closed the connection")
    }
}

/// None yet.
pub(crate) fn latencies() -> Result<Latencies> {
    Ok(Histogram::new_with_max(HIGHEST, DIGITS)?)
}

fn record(latencies: &mut Latencies, since: Instant) {
    latencies.saturating_record(u64::try_from(since.elapsed().as_nanos()).unwrap_or(HIGHEST));
}

/// Waits for the tasks that drove connections, and puts together what they measured.
async fn join(
    tasks: Vec<tokio::task::JoinHandle<Result<(Connection, Latencies)>>>,
) -> Result<(Latencies, Vec<Connection>)> {
    let (mut all, mut connections) = (latencies()?, Vec::with_capacity(tasks.len()));
    for task in tasks {
        let (connection, latencies) = task.await??;
        all.add(latencies)?;
        connections.push(connection);
    }
    Ok((all, connections))
}
