//! The API under test, a client for it, and a publisher that notes what it is given.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Method, Request};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tidemill_events::Event;
use tidemill_publisher::{MessageId, PublishError, Publisher, Publishing};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// What a [`Recorder`] does with events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broker {
    Up,
    /// Refuses every event for now.
    Down,
    /// Refuses every third event for now.
    Shaky,
    /// Never answers.
    Silent,
}

/// A publisher that notes events instead of sending them.
#[derive(Debug)]
pub(crate) struct Recorder {
    broker: Mutex<Broker>,
    attempted: Mutex<Vec<Event>>,
    published: Mutex<Vec<Event>>,
}

impl Recorder {
    pub(crate) fn new(broker: Broker) -> Arc<Self> {
        Arc::new(Self { broker: Mutex::new(broker), attempted: Mutex::default(), published: Mutex::default() })
    }

    pub(crate) fn turn(&self, broker: Broker) {
        *self.broker.lock().unwrap() = broker;
    }

    /// All events that came, in order.
    pub(crate) fn attempted(&self) -> Vec<Event> {
        self.attempted.lock().unwrap().clone()
    }

    /// The events that were taken, in order.
    pub(crate) fn published(&self) -> Vec<Event> {
        self.published.lock().unwrap().clone()
    }

    /// Waits until so many events were taken, and gives them.
    pub(crate) async fn published_in_time(&self, count: usize) -> Vec<Event> {
        eventually(|| self.published().len() >= count).await;
        self.published()
    }
}

impl Publisher for Recorder {
    fn publish<'a>(&'a self, event: &'a Event) -> Publishing<'a> {
        Box::pin(async move {
            let number = {
                let mut attempted = self.attempted.lock().unwrap();
                attempted.push(event.clone());
                attempted.len()
            };
            // As a broker would, it takes its time, so that what overlaps does overlap.
            tokio::task::yield_now().await;
            let broker = *self.broker.lock().unwrap();
            match broker {
                Broker::Silent => std::future::pending().await,
                Broker::Down => Err(refusal()),
                Broker::Shaky if number.is_multiple_of(3) => Err(refusal()),
                Broker::Up | Broker::Shaky => {
                    self.published.lock().unwrap().push(event.clone());
                    Ok(MessageId::new(number.to_string()))
                }
            }
        })
    }
}

fn refusal() -> PublishError {
    PublishError::Timeout { destination: "the test's broker".into(), limit: Duration::ZERO }
}

/// Waits until something holds, for as long as a busy machine may need.
pub(crate) async fn eventually(mut holds: impl FnMut() -> bool) {
    for _ in 0..3000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("what the test waits for did not happen");
}

/// An API that runs within the test.
pub(crate) struct App {
    pub(crate) api: Remote,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<Result<(), user_api::DatabaseError>>,
}

impl App {
    /// Starts the API on a database in `folder`.
    pub(crate) async fn start(folder: &Path, publisher: Arc<dyn Publisher>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = Remote::new(&listener.local_addr().unwrap().to_string());
        let (stop, stopped) = oneshot::channel();
        let database = folder.join("test.db");
        let serving = tokio::spawn(async move {
            let shutdown = async { _ = stopped.await };
            user_api::serve(listener, &database, publisher, shutdown).await
        });
        Self { api, stop, serving }
    }

    /// Stops it as SIGTERM would.
    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        self.serving.await.unwrap().unwrap();
    }

    /// Stops it as kill -9 would, as far as a task can be: nothing is finished.
    pub(crate) async fn kill(self) {
        self.serving.abort();
        assert!(self.serving.await.unwrap_err().is_cancelled());
    }
}

/// A client of an API, wherever it runs.
#[derive(Debug, Clone)]
pub(crate) struct Remote {
    client: Client<hyper_util::client::legacy::connect::HttpConnector, Full<Bytes>>,
    base: String,
}

impl Remote {
    pub(crate) fn new(address: &str) -> Self {
        Self { client: Client::builder(TokioExecutor::new()).build_http(), base: format!("http://{address}") }
    }

    /// Sends a request and gives status and JSON of the answer.
    pub(crate) async fn send(&self, method: Method, path: &str, body: impl Into<Bytes>) -> (u16, Value) {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        let response = self.client.request(request.body(Full::new(body.into())).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap())
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.send(Method::POST, path, body.to_string()).await
    }

    /// Registers a user and gives the id.
    pub(crate) async fn register(&self, email: &str, name: &str) -> String {
        let (status, body) = self.post("/register", serde_json::json!({ "email": email, "name": name })).await;
        assert_eq!(status, 201, "{body}");
        body["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn change_name(&self, id: &str, name: &str) {
        let (status, body) = self.post("/change-name", serde_json::json!({ "id": id, "name": name })).await;
        assert_eq!(status, 200, "{body}");
    }
}

/// The data of an event, as JSON.
pub(crate) fn data(event: &Event) -> Value {
    serde_json::from_slice(&event.data).unwrap()
}

/// The ids of events, in their order.
pub(crate) fn ids(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.id.as_str()).collect()
}
