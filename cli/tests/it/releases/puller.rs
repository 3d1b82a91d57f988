use std::collections::BTreeSet;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// A server that speaks as Pub/Sub does where it is pulled from. Each pull gives all the messages again under new leases,
/// `PULL-MESSAGE` by number; the first time that leases are to end it fails.
pub(super) struct Puller {
    pub(super) address: SocketAddr,
    pub(super) log: Arc<Mutex<Log>>,
}

/// What it was asked for.
#[derive(Default)]
pub(super) struct Log {
    pub(super) pulls: usize,
    /// The bodies of the requests to modify leases.
    modified: Vec<Value>,
    failed: bool,
}

impl Puller {
    pub(super) async fn start(messages: Vec<Value>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, log) = (listener.local_addr().unwrap(), Arc::<Mutex<Log>>::default());
        let (messages, noted) = (Arc::new(messages), Arc::clone(&log));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (messages, log) = (Arc::clone(&messages), Arc::clone(&noted));
                let service = service_fn(move |request| {
                    let (messages, log) = (Arc::clone(&messages), Arc::clone(&log));
                    async move { Ok::<_, Infallible>(answer(request, &messages, &log).await) }
                });
                let connection = hyper::server::conn::http1::Builder::new();
                tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, log }
    }
}

impl Log {
    /// The leases that were set to end after so many seconds.
    pub(super) fn leases(&self, seconds: u64) -> BTreeSet<String> {
        let set = self.modified.iter().filter(|body| body["ackDeadlineSeconds"] == seconds);
        let leases = set.flat_map(|body| body["ackIds"].as_array().unwrap());
        leases.map(|lease| lease.as_str().unwrap().to_owned()).collect()
    }
}

async fn answer(request: Request<Incoming>, messages: &[Value], log: &Mutex<Log>) -> Response<Full<Bytes>> {
    let pull = request.uri().path().ends_with(":pull");
    let body: Value = serde_json::from_slice(&request.into_body().collect().await.unwrap().to_bytes()).unwrap();
    let mut log = log.lock().unwrap();
    if pull {
        let received = messages
            .iter()
            .enumerate()
            .map(|(number, message)| json!({ "ackId": format!("{}-{number}", log.pulls), "message": message }));
        let answer = json!({ "receivedMessages": received.collect::<Vec<_>>() });
        log.pulls += 1;
        return Response::new(Full::from(answer.to_string()));
    }
    let fails = body["ackDeadlineSeconds"] == 0 && !std::mem::replace(&mut log.failed, true);
    log.modified.push(body);
    let mut response = Response::new(Full::from(if fails { "no" } else { "{}" }));
    if fails {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    response
}
