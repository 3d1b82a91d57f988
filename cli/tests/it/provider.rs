//! A provider's HTTP API, as handlers reach it: takes JSON, answers as told, remembers.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;

/// One request that came.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    pub(crate) path: String,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) authorization: Option<String>,
    pub(crate) body: Value,
    pub(crate) answered: StatusCode,
}

#[derive(Clone)]
pub(crate) struct Provider {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    taken: Vec<Taken>,
    failures: VecDeque<StatusCode>,
}

impl Provider {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let provider = Self { address: listener.local_addr().unwrap(), state: Arc::default() };
        let serving = provider.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let provider = serving.clone();
                let service = service_fn(move |request| {
                    let provider = provider.clone();
                    async move { Ok::<_, Infallible>(provider.answer(request).await) }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        provider
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Answers the next requests with these statuses, and those after with 200.
    pub(crate) fn fail_next(&self, statuses: &[u16]) {
        let statuses = statuses.iter().map(|status| StatusCode::from_u16(*status).unwrap());
        self.state.lock().unwrap().failures.extend(statuses);
    }

    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.state.lock().unwrap().taken.clone()
    }

    /// Waits until what was taken is as asked for.
    pub(crate) async fn until(&self, what: &str, met: impl Fn(&[Taken]) -> bool) -> Vec<Taken> {
        for _ in 0..6000 {
            let taken = self.taken();
            if met(&taken) {
                return taken;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("not seen within a minute: {what}; taken: {:?}", self.taken());
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (idempotency_key, authorization) = (header("idempotency-key"), header("authorization"));
        let path = request.uri().path().to_owned();
        let body = serde_json::from_slice(&request.into_body().collect().await.unwrap().to_bytes()).unwrap();
        let mut state = self.state.lock().unwrap();
        let answered = state.failures.pop_front().unwrap_or(StatusCode::OK);
        state.taken.push(Taken { path, idempotency_key, authorization, body, answered });
        let mut response = Response::new(Full::from("{}"));
        *response.status_mut() = answered;
        response
    }
}
