//! Takes events as a host would, keeps them, and answers as it is told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tidemill_events::Envelope;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

pub(crate) struct Receiver {
    pub(crate) url: String,
    state: Arc<State>,
}

struct State {
    taken: Mutex<Vec<Envelope>>,
    /// The next answers; 0 breaks the connection. After them, 204.
    answers: Mutex<VecDeque<u16>>,
    /// One permit an answer, where they are held back.
    gate: Semaphore,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/events", listener.local_addr().unwrap());
        let gate = Semaphore::new(Semaphore::MAX_PERMITS);
        let state = Arc::new(State { taken: Mutex::default(), answers: Mutex::default(), gate });
        let serving = Arc::clone(&state);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let state = Arc::clone(&serving);
                tokio::spawn(async move {
                    let answer = service_fn(move |request| answer(Arc::clone(&state), request));
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await
                });
            }
        });
        Self { url, state }
    }

    /// Sets what is answered next.
    pub(crate) fn answer_next(&self, statuses: &[u16]) {
        self.state.answers.lock().unwrap().extend(statuses);
    }

    /// Holds answers back from now on.
    pub(crate) fn hold(&self) {
        self.state.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    /// Lets so many answers go.
    pub(crate) fn release(&self, answers: usize) {
        self.state.gate.add_permits(answers);
    }

    /// What has come, in this order.
    pub(crate) fn taken(&self) -> Vec<Envelope> {
        self.state.taken.lock().unwrap().clone()
    }

    /// The same, to be forgotten here.
    pub(crate) fn take(&self) -> Vec<Envelope> {
        std::mem::take(&mut *self.state.taken.lock().unwrap())
    }
}

#[derive(Debug, thiserror::Error)]
#[error("told to break the connection")]
struct Broken;

async fn answer(state: Arc<State>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Broken> {
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let envelope = Envelope::decode(&body).unwrap();
    let status = {
        let mut taken = state.taken.lock().unwrap();
        taken.push(envelope);
        state.answers.lock().unwrap().pop_front().unwrap_or(204)
    };
    state.gate.acquire().await.unwrap().forget();
    if status == 0 {
        return Err(Broken);
    }
    Ok(Response::builder().status(status).body(Full::default()).unwrap())
}
