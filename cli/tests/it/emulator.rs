//! The whole loop on Google's own emulator: the example API publishes through Google's client, the emulator pushes, the
//! host runs the handler, and its effect is seen.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tempfile::TempDir;
use tidemill_events::Signer;
use tidemill_publisher::{PubSub, Publisher, new_event};
use tidemill_test_artifacts as artifacts;
use tidemill_test_emulator::{DeadLetter, Emulator, Subscription};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::provider::Provider;
use crate::tidemill::{Running, free_port, place, tidemill};

const KEY: &str = "k1=s3cret";

/// The host with the three real handlers, as `tidemill serve`, whose providers are `provider`.
struct Host {
    process: Running,
    events_url: String,
    _handlers: TempDir,
}

fn host(provider: &Provider) -> Host {
    host_with(provider, |_| {})
}

fn host_with(provider: &Provider, change: impl FnOnce(&mut Command)) -> Host {
    let handlers = tempfile::tempdir().unwrap();
    for (name, manifest, wasm) in [
        ("email-on-register", artifacts::EMAIL_ON_REGISTER_MANIFEST, artifacts::EMAIL_ON_REGISTER),
        ("user-name-changed", artifacts::USER_NAME_CHANGED_MANIFEST, artifacts::USER_NAME_CHANGED),
        ("push-on-like", artifacts::PUSH_ON_LIKE_MANIFEST, artifacts::PUSH_ON_LIKE),
    ] {
        place(handlers.path(), name, &std::fs::read_to_string(manifest).unwrap(), wasm);
    }
    let port = free_port().to_string();
    let mut serve = tidemill();
    serve.args(["serve", "--port", &port, "--address", "127.0.0.1", "--auth", "none", "--signing-key", KEY]);
    serve
        .args(["--log-format", "json", "--allow-private", "127.0.0.1", "--grant", "* all", "--handlers"])
        .arg(handlers.path());
    serve.args(["--handler-config", &format!("email-on-register.mail-url={}", provider.url("/mail"))]);
    serve.args(["--handler-config", &format!("push-on-like.push-url={}", provider.url("/push"))]);
    serve.env("TIDEMILL_HANDLER_EMAIL_ON_REGISTER__MAIL_KEY", "mail-key");
    serve.env("TIDEMILL_HANDLER_PUSH_ON_LIKE__PUSH_KEY", "push-key");
    change(&mut serve);
    let process = Running::start(serve);
    process.line("serving", |line| line["handlers"] == 3);
    Host { process, events_url: format!("http://127.0.0.1:{port}/events"), _handlers: handlers }
}

async fn publisher(emulator: &Emulator, topic: &str) -> Arc<dyn Publisher> {
    let signer = Signer::new(KEY.parse().unwrap());
    let publisher = PubSub::builder(topic.parse().unwrap(), signer).emulator(Some(emulator.host().parse().unwrap()));
    Arc::new(publisher.build().await.unwrap())
}

/// The example API, over a database of its own.
async fn api(database: &Path, publisher: Arc<dyn Publisher>) -> (SocketAddr, oneshot::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let database = database.to_owned();
    tokio::spawn(async move {
        let stopped = async { _ = stopped.await };
        user_api::serve(listener, &database, publisher, stopped).await.unwrap();
    });
    (address, stop)
}

async fn post(address: SocketAddr, path: &str, body: Value) -> (StatusCode, Value) {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let request = Request::builder().method(Method::POST).uri(format!("http://{address}{path}"));
    let response = client.request(request.body(Full::from(body.to_string())).unwrap()).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_call_becomes_a_signed_event_and_a_handlers_effect() {
    let Some(emulator) = Emulator::shared().await else { return };
    let provider = Provider::start().await;
    let host = host(&provider);
    let topic = emulator.create_topic("loop").await;
    let push = Subscription { push_endpoint: Some(host.events_url.clone()), ..Subscription::of(&topic) };
    emulator.create_subscription("loop-push", &push).await;
    let database = tempfile::tempdir().unwrap();
    let (api, _stop) = api(&database.path().join("api.db"), publisher(emulator, &topic).await).await;

    let author = json!({ "email": "ada@example.com", "name": "Ada", "device_token": "adas-phone" });
    let (status, ada) = post(api, "/register", author).await;
    assert_eq!(status, StatusCode::CREATED, "{ada}");
    let mails = provider.until("the welcome mail", |taken| taken.iter().any(|taken| taken.path == "/mail")).await;
    let mail = mails.iter().find(|taken| taken.path == "/mail").unwrap();
    assert_eq!((&mail.body["to"], mail.authorization.as_deref()), (&json!("ada@example.com"), Some("Bearer mail-key")));
    let done = host
        .process
        .line("the registration's end", |line| line["event_type"] == "user.registered" && line["outcome"] == "done");
    assert_eq!(mail.idempotency_key.as_deref(), done["event_id"].as_str());

    let change = json!({ "id": ada["id"], "name": "Countess" });
    assert_eq!(post(api, "/change-name", change).await.0, StatusCode::OK);
    let told = host
        .process
        .line("the changed name", |line| line["handler"] == "user-name-changed" && line["stream"] == "stdout");
    assert!(told["message"].as_str().unwrap().contains("Countess"), "{told}");

    let (_, bob) = post(api, "/register", json!({ "email": "bob@example.com", "name": "Bob" })).await;
    let (status, written) = post(api, "/posts", json!({ "author_id": ada["id"], "title": "Notes" })).await;
    assert_eq!(status, StatusCode::CREATED, "{written}");
    let like = format!("/posts/{}/like", written["id"].as_str().unwrap());
    assert_eq!(post(api, &like, json!({ "user_id": bob["id"] })).await.0, StatusCode::OK);
    let pushes = provider.until("the push", |taken| taken.iter().any(|taken| taken.path == "/push")).await;
    let push = pushes.iter().find(|taken| taken.path == "/push").unwrap();
    assert_eq!(push.body["to"], "adas-phone");
    assert!(push.body["body"].as_str().unwrap().contains("Bob"), "{push:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_handler_is_delivered_again_until_it_succeeds() {
    let Some(emulator) = Emulator::shared().await else { return };
    let provider = Provider::start().await;
    let host = host(&provider);
    let topic = emulator.create_topic("again").await;
    let push = Subscription { push_endpoint: Some(host.events_url.clone()), ..Subscription::of(&topic) };
    emulator.create_subscription("again-push", &push).await;
    provider.fail_next(&[503, 500]);
    let event = new_event("user.registered", &json!({ "id": "1", "email": "ada@example.com", "name": "Ada" }));
    let message_id = publisher(emulator, &topic).await.publish(&event).await.unwrap();
    for code in ["retry", "retry", "done"] {
        let end = host.process.line(code, |line| line["outcome"].is_string());
        assert_eq!((&end["code"], end["message_id"].as_str()), (&json!(code), Some(message_id.as_str())), "{end}");
    }
    // The emulator repeats a nacked message after a second: silence for longer than that is the acknowledgement.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let taken = provider.taken();
    let answered: Vec<_> = taken.iter().map(|taken| taken.answered.as_u16()).collect();
    assert_eq!(answered, [503, 500, 200]);
    assert!(taken.iter().all(|taken| taken.idempotency_key.as_ref() == Some(&event.id)), "{taken:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_place_of_the_hosts_the_brokers_policy_takes_a_poison_event() {
    let Some(emulator) = Emulator::shared().await else { return };
    let provider = Provider::start().await;
    let host = host(&provider);
    let topic = emulator.create_topic("poison").await;
    let dead = emulator.create_topic("poison-dead").await;
    let dead_pull = emulator.create_subscription("poison-dead-pull", &Subscription::of(&dead)).await;
    let push = Subscription {
        push_endpoint: Some(host.events_url.clone()),
        dead_letter: Some(DeadLetter { topic: &dead, attempts: 5 }),
        ..Subscription::of(&topic)
    };
    emulator.create_subscription("poison-push", &push).await;
    let publisher = publisher(emulator, &topic).await;
    let poison = new_event("user.registered", &json!({ "id": "1", "email": "no address", "name": "Eve" }));
    publisher.publish(&poison).await.unwrap();
    let mut good = BTreeSet::new();
    for number in 0..20 {
        let event = new_event(
            "user.registered",
            &json!({ "id": "1", "email": format!("{number}@example.com"), "name": "Ada" }),
        );
        publisher.publish(&event).await.unwrap();
        good.insert(event.id);
    }
    let dead = emulator.pull(&dead_pull, 1).await.remove(0);
    assert_eq!(dead.message.attributes["event-id"], poison.id);
    assert_eq!(dead.message.attributes["event-type"], "user.registered");
    assert_eq!(dead.message.attributes["CloudPubSubDeadLetterSourceDeliveryCount"], "5");
    assert_eq!(dead.message.data, poison.data);
    let sent = provider.until("the good mails", |taken| taken.len() >= good.len()).await;
    let sent: BTreeSet<_> = sent.into_iter().map(|taken| taken.idempotency_key.unwrap()).collect();
    assert_eq!(sent, good);
}

/// The host stores what no handler can finish in the dead-letter topic, with its reason, and only then acknowledges it:
/// one delivery each, where the broker's own policy would make five and slow the whole subscription with their nacks.
#[tokio::test(flavor = "multi_thread")]
async fn poison_events_go_to_the_dead_letter_topic_with_their_reason_and_good_ones_flow_on() {
    const EACH: usize = 100;
    let Some(emulator) = Emulator::shared().await else { return };
    let provider = Provider::start().await;
    let topic = emulator.create_topic("given-up").await;
    let dead = emulator.create_topic("given-up-dead").await;
    let dead_pull = emulator.create_subscription("given-up-dead-pull", &Subscription::of(&dead)).await;
    let host = host_with(&provider, |serve| {
        serve.args(["--dead-letter", &dead, "--pubsub-emulator", emulator.host()]);
    });
    let push = Subscription { push_endpoint: Some(host.events_url.clone()), ..Subscription::of(&topic) };
    let subscription = emulator.create_subscription("given-up-push", &push).await;
    let publisher = publisher(emulator, &topic).await;
    let registered = |email: String| new_event("user.registered", &json!({ "id": "1", "email": email, "name": "Ada" }));
    let (mut good, mut poison) = (BTreeSet::new(), BTreeMap::new());
    for number in 0..EACH {
        // Three kinds of poison: what the handler refuses, what it can't read, what no handler serves.
        let (event, code) = match number % 3 {
            0 => (registered("no address".into()), "reject"),
            1 => (new_event("user.registered", &json!({ "email": 7 })), "reject"),
            _ => (new_event("user.vanished", &json!({})), "unknown-event-type"),
        };
        publisher.publish(&event).await.unwrap();
        poison.insert(event.id, code);
        let event = registered(format!("{number}@example.com"));
        publisher.publish(&event).await.unwrap();
        good.insert(event.id);
    }
    let sent = provider.until("the good mails", |taken| taken.len() >= EACH).await;
    let sent: Vec<_> = sent.into_iter().map(|taken| taken.idempotency_key.unwrap()).collect();
    assert_eq!(sent.len(), EACH, "a good event took effect twice");
    assert_eq!(sent.into_iter().collect::<BTreeSet<_>>(), good);
    let letters = emulator.pull(&dead_pull, EACH).await;
    for letter in &letters {
        let attribute = |name: &str| letter.message.attributes.get(name).map(String::as_str).unwrap_or_default();
        assert_eq!(attribute("dead-letter-code"), poison[attribute("event-id")]);
        assert!(!attribute("dead-letter-reason").is_empty());
        assert_eq!(attribute("dead-letter-subscription"), subscription);
        let handled = attribute("dead-letter-code") == "reject";
        assert_eq!(attribute("dead-letter-handler"), if handled { "email-on-register" } else { "" });
        assert_eq!(attribute("dead-letter-artifact").starts_with("sha256:"), handled);
        // What verified once verifies again.
        assert!(!attribute("signature-v2").is_empty() && !attribute("signature").is_empty());
    }
    let stored: BTreeSet<_> = letters.iter().map(|letter| letter.message.attributes["event-id"].clone()).collect();
    assert_eq!((letters.len(), stored), (EACH, poison.into_keys().collect()), "each of them once");
    let lines = host.process.finish();
    assert_eq!(lines.iter().filter(|line| line["outcome"].is_string()).count(), 2 * EACH, "one delivery each");
}
