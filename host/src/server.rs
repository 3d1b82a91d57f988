//! Connections: accepting them, bounding them, and letting them finish. It knows nothing of events.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::ingress::Response;

/// How long to wait before accepting again when the system has no descriptors or memory for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long, once the shutdown has begun, a connection may go without a request being answered before it is closed: a
/// sender that has stopped in the middle of a request's head must not hold the end up.
const IDLE_AT_END: Duration = Duration::from_secs(1);
/// Requests at once on one HTTP/2 connection.
const MAX_STREAMS: u32 = 1000;
/// Headers of one request over HTTP/1. In the unwrapped form each attribute is one, of which an envelope may have 128;
/// the rest is for the broker's own, the platform's and HTTP's. (HTTP/2 knows no count: there the bytes bound it.)
const MAX_HEADERS: usize = 160;
/// Bytes of one request's headers. 128 attributes at their longest have 160 KiB, and HTTP/2 counts 32 bytes more for each.
const MAX_HEAD: u32 = 256 << 10;

/// Bounds of the server.
#[derive(Debug, Clone, Copy)]
pub struct ServerLimits {
    /// Connections open at once. Further ones wait in the system's queue.
    pub max_connections: usize,
    /// How long a request's head may take to arrive.
    pub head_timeout: Duration,
    /// How long connections may take to finish once the shutdown has begun.
    pub grace: Duration,
}

/// How serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Every request had its answer.
    Fully,
    /// The grace time was over first; so many connections were cut.
    Cut(usize),
}

/// Serves HTTP/1 and HTTP/2 without TLS on `listener` until `shutdown` comes, then takes nothing new, finishes what it
/// has, waits for `finished` too, and returns.
pub async fn serve<A, F>(
    listener: TcpListener,
    limits: ServerLimits,
    answer: A,
    shutdown: impl Future<Output = ()>,
    finished: impl Future<Output = ()>,
) -> Drained
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    let (closing, closed) = watch::channel(false);
    let places = Arc::new(Semaphore::new(limits.max_connections));
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = accept(&listener, &places) => accepted,
        };
        match accepted {
            Ok((stream, place)) => {
                let connection = connection(stream, limits, answer.clone(), closed.clone());
                connections.spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            // The listener itself is well: one connection failed, or the system is short of something for a while.
            Err(error) => {
                tracing::warn!("a connection could not be accepted: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    // Closed first, so that the platform sends elsewhere what comes from now on.
    drop(listener);
    _ = closing.send(true);
    let ended = tokio::time::timeout(limits.grace, async {
        while connections.join_next().await.is_some() {}
        finished.await;
    });
    match ended.await {
        Ok(()) => Drained::Fully,
        Err(_) => Drained::Cut(connections.len()),
    }
}

/// Counts a request from its head to its answer, also where the connection breaks in between.
struct UnderWay(Arc<AtomicUsize>);

impl UnderWay {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

type Place = Option<tokio::sync::OwnedSemaphorePermit>;

async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> io::Result<(TcpStream, Place)> {
    // The semaphore is never closed, so there always is a place sooner or later.
    let place = Arc::clone(places).acquire_owned().await.ok();
    let (stream, _) = listener.accept().await?;
    Ok((stream, place))
}

async fn connection<A, F>(stream: TcpStream, limits: ServerLimits, answer: A, mut closed: watch::Receiver<bool>)
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    // An answer is small and whole: waiting to fill a packet (Nagle) would only add the peer's delayed ACK to it.
    _ = stream.set_nodelay(true);
    let requests = Arc::new(AtomicUsize::new(0));
    let (counted, spoken) = (Arc::clone(&requests), Arc::new(AtomicBool::new(false)));
    let has_spoken = Arc::clone(&spoken);
    let service = service_fn(move |request| {
        spoken.store(true, Ordering::Relaxed);
        let request_under_way = UnderWay::new(&counted);
        let answering = answer(request);
        async move {
            let response = answering.await;
            drop(request_under_way);
            Ok::<_, Infallible>(response)
        }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_headers(MAX_HEADERS)
        // What of a request is held before it is understood, hence of its head at most.
        .max_buf_size(MAX_HEAD as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEAD)
        .keep_alive_interval(Some(limits.head_timeout))
        .keep_alive_timeout(limits.head_timeout);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    // hyper begins to count once it knows which HTTP is spoken: who says nothing, or half of a preface, is silent here.
    let silent = async {
        tokio::time::sleep(limits.head_timeout).await;
        if has_spoken.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    };
    // The guard that `wait_for` gives must not live on across the next await.
    let closing = async { _ = closed.wait_for(|closed| *closed).await };
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = silent => return,
        () = closing => {
            connection.as_mut().graceful_shutdown();
            let mut was_idle = false;
            loop {
                match tokio::time::timeout(IDLE_AT_END / 2, connection.as_mut()).await {
                    Ok(served) => break served,
                    // Idle twice in a row: an answer that was made just before the first look is sent by the second.
                    Err(_) if was_idle && requests.load(Ordering::Relaxed) == 0 => return,
                    Err(_) => was_idle = requests.load(Ordering::Relaxed) == 0,
                }
            }
        }
    };
    if let Err(error) = served {
        tracing::debug!("a connection ended early: {error}");
    }
}
