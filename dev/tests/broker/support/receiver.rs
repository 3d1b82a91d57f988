use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tidemill_events::Envelope;
use tokio::net::TcpListener;

use super::eventually;

/// A push as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Push {
    pub(crate) envelope: Envelope,
    pub(crate) body: Value,
    pub(crate) content_type: String,
    pub(crate) path: String,
}

impl Push {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.envelope.message.data).unwrap()
    }

    pub(crate) fn attempt(&self) -> u32 {
        self.envelope.delivery.attempt.unwrap()
    }
}

/// How a push is answered.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reply {
    Status(u16),
    Body(u16, &'static str),
    /// Later than any deadline.
    Never,
    /// The connection is closed instead.
    HangUp,
}

/// A push endpoint that answers as it is told, and remembers what came.
#[derive(Clone)]
pub(crate) struct Receiver {
    address: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    pushes: Mutex<Vec<Push>>,
    connections: AtomicUsize,
    under_way: AtomicUsize,
    most_under_way: AtomicUsize,
}

impl Receiver {
    pub(crate) async fn start(answer: impl Fn(&Push) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        tokio::spawn(accept(listener, seen.clone(), Arc::new(answer)));
        Self { address, seen }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/events", self.address)
    }

    pub(crate) fn pushes(&self) -> Vec<Push> {
        self.seen.pushes.lock().unwrap().clone()
    }

    /// The data of what came, in order.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.pushes().iter().map(|push| push.text().to_owned()).collect()
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn most_under_way(&self) -> usize {
        self.seen.most_under_way.load(Ordering::SeqCst)
    }

    /// Waits until so many pushes came.
    pub(crate) async fn has(&self, count: usize) -> Vec<Push> {
        let arrived = async || self.seen.pushes.lock().unwrap().len() >= count;
        eventually(&format!("{count} pushes"), arrived).await;
        self.pushes()
    }
}

type Answer = dyn Fn(&Push) -> Reply + Send + Sync;

async fn accept(listener: TcpListener, seen: Arc<Seen>, answer: Arc<Answer>) {
    while let Ok((stream, _)) = listener.accept().await {
        stream.set_nodelay(true).unwrap();
        seen.connections.fetch_add(1, Ordering::SeqCst);
        let (seen, answer) = (seen.clone(), answer.clone());
        let service = service_fn(move |request| respond(request, seen.clone(), answer.clone()));
        let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move { _ = connection.await });
    }
}

async fn respond(
    request: Request<Incoming>,
    seen: Arc<Seen>,
    answer: Arc<Answer>,
) -> Result<Response<Full<Bytes>>, &'static str> {
    let under_way = seen.under_way.fetch_add(1, Ordering::SeqCst) + 1;
    seen.most_under_way.fetch_max(under_way, Ordering::SeqCst);
    let (head, body) = request.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let push = Push {
        envelope: Envelope::decode(&bytes).unwrap(),
        body: serde_json::from_slice(&bytes).unwrap(),
        content_type: head.headers["content-type"].to_str().unwrap().to_owned(),
        path: head.uri.path().to_owned(),
    };
    let reply = answer(&push);
    seen.pushes.lock().unwrap().push(push);
    let (status, text) = match reply {
        Reply::Status(status) => (status, ""),
        Reply::Body(status, text) => (status, text),
        Reply::Never => match std::future::pending::<Infallible>().await {},
        Reply::HangUp => return Err("told to hang up"),
    };
    // Others get the chance to be under way at the same time.
    tokio::task::yield_now().await;
    seen.under_way.fetch_sub(1, Ordering::SeqCst);
    Ok(Response::builder().status(status).body(Full::new(Bytes::from_static(text.as_bytes()))).unwrap())
}
