//! A host over the real thing: its own port, its own folder of handlers, its log kept.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part of this")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

pub mod issuer;
pub mod line;
pub mod log;
pub mod redis;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Method, Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tempfile::TempDir;
use tidemill_events::{Delivery, Envelope, Event, Key, Message, Scheme, Schemes, Signer};
use tidemill_host::app::App;
use tidemill_host::config::{
    AuthMode, Config, DeadLetterConfig, DedupConfig, DedupStoreConfig, Grants, HandlerSource, HandlerValues, InFlight,
    KeyValueConfig, KeyValueStoreConfig, KeysConfig, LogConfig, LogFormat, PublishTarget, PublishingConfig, Quota,
    Unavailable, UnknownEventType, VerifyConfig,
};
use tidemill_host::metrics::Metrics;
use tidemill_host::outgoing::{OutgoingConfig, Resolve, SystemResolver};
use tidemill_host::registry::{Artifact, Handler, Registry, install};
use tidemill_host::runtime::{OutputSink, Surroundings, ThisMachine};
use tidemill_host::server::Drained;
use tidemill_host::trust::Trust;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A manifest for the scripted fixture, whose component can send HTTP and so has to be allowed to some origin.
pub const SCRIPT: &str = "events = [\"script\"]\n[permissions]\nhttp = [\"http://127.0.0.1:9\"]\n";

/// This machine without its date, and where a guest's lines go.
pub fn surroundings(sink: Arc<dyn OutputSink>) -> Surroundings {
    Surroundings { sink, machine: Arc::new(ThisMachine::new(|| UNIX_EPOCH)) }
}

/// The key that test hosts hold.
pub const KEY: &str = "k1=s3cret";

/// A host that serves. It ends with the test.
pub struct TestHost {
    pub address: SocketAddr,
    pub handlers: TempDir,
    pub registry: Arc<Registry>,
    pub metrics: Metrics,
    client: Client<HttpConnector, Full<Bytes>>,
    shutdown: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<Drained>>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub message_id: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {:?}", self.body))
    }

    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap().to_owned()
    }
}

pub fn config(handlers: &Path) -> Config {
    Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        handlers: HandlerSource::Folder(handlers.to_owned()),
        watch_interval: Duration::from_millis(20),
        auth: AuthMode::None,
        verify: VerifyConfig {
            accept: vec![Scheme::V1, Scheme::V2],
            // The tests' events are of one fixed day.
            max_event_age: Duration::MAX,
            unsigned_sources: vec![],
        },
        keys: KeysConfig {
            ring: KEY.parse::<Key>().unwrap().into(),
            fixed: vec![KEY.parse().unwrap()],
            file: None,
            reload: Duration::from_secs(10),
        },
        dead_letter: DeadLetterConfig {
            target: None,
            emulator: None,
            max_attempts: Some(20),
            unknown_event_type: UnknownEventType::DeadLetter,
        },
        dedup: DedupConfig {
            store: DedupStoreConfig::Memory { capacity: 10_000 },
            remember: Duration::from_secs(3600),
            unavailable: Unavailable::Nack,
        },
        max_body: 16 << 20,
        body_timeout: Duration::from_secs(30),
        max_connections: 1000,
        in_flight: InFlight { events: 64, per_handler: 64, body_bytes: 64 << 20 },
        quota: Quota { deadline: Duration::from_secs(60), memory: 256 << 20 },
        grants: Grants::all(),
        // The tests' providers are on this machine.
        outgoing: OutgoingConfig { allow_private: vec!["127.0.0.1".parse().unwrap()], ..OutgoingConfig::default() },
        key_value: KeyValueConfig { store: KeyValueStoreConfig::Memory, quota: 16 << 20 },
        metrics: None,
        publishing: PublishingConfig {
            target: PublishTarget::None,
            emulator: None,
            schemes: Schemes::Both,
            max_chain: 16,
            max_descendants: 1000,
        },
        grace: Duration::from_secs(20),
        log: LogConfig { format: LogFormat::Json, level: "info".parse().unwrap(), project: None },
        trust: Trust::default(),
        code_cache: None,
        handler_values: HandlerValues::default(),
        warnings: vec![],
    }
}

impl TestHost {
    /// A host with these handlers: name, the rest of the manifest, component.
    pub async fn start(handlers: &[(&str, &str, &[u8])]) -> Self {
        Self::start_with(handlers, |_| {}).await
    }

    pub async fn start_with(handlers: &[(&str, &str, &[u8])], change: impl FnOnce(&mut Config)) -> Self {
        Self::start_resolving(handlers, change, Arc::new(SystemResolver::default())).await
    }

    /// A host whose handlers' requests go where this resolver says.
    pub async fn start_resolving(
        handlers: &[(&str, &str, &[u8])],
        change: impl FnOnce(&mut Config),
        resolver: Arc<dyn Resolve>,
    ) -> Self {
        log::capture();
        let folder = tempfile::tempdir().unwrap();
        for (name, manifest, wasm) in handlers {
            install_in(folder.path(), name, manifest, wasm);
        }
        let mut config = config(folder.path());
        change(&mut config);
        let app = App::build_with(&config, resolver).await.unwrap();
        let (registry, metrics) = (Arc::clone(app.registry()), app.metrics());
        let listener = TcpListener::bind(config.listen).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (shutdown, stop) = oneshot::channel::<()>();
        let serving = tokio::spawn(app.serve(listener, async { _ = stop.await }));
        Self {
            address,
            handlers: folder,
            registry,
            metrics,
            client: client(false),
            shutdown: Some(shutdown),
            serving: Some(serving),
        }
    }

    pub fn install(&self, name: &str, manifest: &str, wasm: &[u8]) {
        install_in(self.handlers.path(), name, manifest, wasm);
    }

    pub fn live(&self, name: &str) -> Option<Arc<Handler>> {
        self.registry.snapshot().handlers().find(|handler| handler.name == name).cloned()
    }

    /// Waits until what is live is as asked for. A test that waits in vain is ended by this, not by a guess at speed.
    pub async fn until(&self, what: &str, met: impl Fn(&Registry) -> bool) {
        for _ in 0..3000 {
            if met(&self.registry) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("not seen within 30 s: {what}");
    }

    pub async fn deliver(&self, event_type: &str, data: impl AsRef<[u8]>) -> Answer {
        self.post(&signed(event_type, data.as_ref())).await
    }

    pub async fn script(&self, script: Value) -> Answer {
        self.deliver("script", script.to_string()).await
    }

    pub async fn post(&self, envelope: &Envelope) -> Answer {
        let mut answer = self.request(Method::POST, "/events", envelope.encode()).await;
        answer.message_id.clone_from(&envelope.delivery.message_id);
        answer
    }

    pub async fn request(&self, method: Method, path: &str, body: Vec<u8>) -> Answer {
        send(&self.client, self.address, method, path, body).await.unwrap()
    }

    pub fn begin_shutdown(&mut self) {
        _ = self.shutdown.take().unwrap().send(());
    }

    pub async fn drained(&mut self) -> Drained {
        self.serving.take().unwrap().await.unwrap()
    }
}

pub fn client(http2: bool) -> Client<HttpConnector, Full<Bytes>> {
    let mut builder = Client::builder(TokioExecutor::new());
    builder.http2_only(http2);
    builder.build_http()
}

pub async fn send(
    client: &Client<HttpConnector, Full<Bytes>>,
    address: SocketAddr,
    method: Method,
    path: &str,
    body: Vec<u8>,
) -> Result<Answer, hyper_util::client::legacy::Error> {
    let uri = format!("http://{address}{path}");
    let request = Request::builder().method(method).uri(uri).body(Full::from(body)).unwrap();
    Ok(read(client.request(request).await?).await)
}

async fn read(response: hyper::Response<hyper::body::Incoming>) -> Answer {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer { status: parts.status, headers: parts.headers, body, message_id: String::new() }
}

pub fn install_in(folder: &Path, name: &str, manifest: &str, wasm: &[u8]) {
    install(folder, name, &Artifact { manifest: manifest.as_bytes().to_vec(), wasm: wasm.to_vec() }).unwrap();
}

pub fn wasm(path: &str) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

/// The same component under another digest: a custom section more changes nothing else.
pub fn version(wasm: &[u8], number: u32) -> Vec<u8> {
    let mut version = wasm.to_vec();
    let payload = number.to_le_bytes();
    // Section id 0 (custom), the size of what follows, the name's length, the name, the payload.
    version.extend_from_slice(&[0, 1 + 4 + 4, 4]);
    version.extend_from_slice(b"test");
    version.extend_from_slice(&payload);
    version
}

/// A fresh message id, so that a log line can be told from all others.
pub fn fresh_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("m{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

pub fn delivery() -> Delivery {
    Delivery {
        message_id: fresh_id(),
        subscription: "projects/p/subscriptions/s".into(),
        attempt: Some(1),
        publish_time: Some(std::time::UNIX_EPOCH + Duration::from_secs(1_764_000_000)),
        ..Delivery::default()
    }
}

pub fn signed(event_type: &str, data: &[u8]) -> Envelope {
    sign(&event(event_type, data))
}

pub fn event(event_type: &str, data: &[u8]) -> Event {
    Event {
        id: fresh_id(),
        event_type: event_type.into(),
        time: std::time::UNIX_EPOCH + Duration::from_secs(1_764_000_000),
        content_type: Some("application/json".into()),
        ordering_key: None,
        attributes: Default::default(),
        data: data.to_vec(),
    }
}

pub fn sign(event: &Event) -> Envelope {
    let message = Signer::new(KEY.parse::<Key>().unwrap()).sign(event).into_message();
    Envelope { message, delivery: delivery() }
}

pub fn unsigned(attributes: &[(&str, &str)], data: &[u8]) -> Envelope {
    let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Envelope { message: Message { data: data.to_vec(), attributes, ordering_key: None }, delivery: delivery() }
}
