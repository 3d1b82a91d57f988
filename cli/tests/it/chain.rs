//! What handlers publish, through the whole loop: shown by `invoke`, handled under `dev`, and over Google's emulator.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use tidemill_events::Signer;
use tidemill_publisher::{EmulatorHost, PubSub, Publisher, new_event};
use tidemill_test_artifacts as artifacts;
use tidemill_test_emulator::{Emulator, Subscription};

use crate::tidemill::{Running, free_port, place, run, stderr, stdout, tidemill};

const KEY: &str = "k1=s3cret";

/// Puts a handler into a folder that serves these event types and may publish them.
fn place_publisher(handlers: &Path, name: &str, events: &str) {
    let manifest = format!("events = {events}\n[permissions]\npublish = {events}\n");
    place(handlers, name, &manifest, artifacts::PUBLISH);
}

/// The data of an event whose handler publishes so many events of a type with this data.
fn publishing(event_type: &str, times: usize, data: &Value) -> Value {
    json!({ "publish": [{ "type": event_type, "times": times, "data": data, "key": "k" }] })
}

/// Waits until so many events of a type were handled, then ends the process. Gives the lines of all that was handled.
fn until_handled(process: Running, event_type: &str, count: usize) -> Vec<Value> {
    let seen = RefCell::new(Vec::new());
    process.line("all are handled", |line| {
        seen.borrow_mut().extend(line["outcome"].is_string().then(|| line.clone()));
        seen.borrow().iter().filter(|line| line["event_type"] == event_type && line["code"] == "done").count() == count
    });
    let mut lines = seen.into_inner();
    lines.extend(process.finish());
    lines
}

/// How many events of each type were handled, each of which is there once.
fn handled(lines: &[Value]) -> BTreeMap<&str, usize> {
    let done: Vec<_> = lines.iter().filter(|line| line["outcome"] == "done" && line["code"] == "done").collect();
    let mut types = BTreeMap::new();
    for line in &done {
        let same = done.iter().filter(|other| other["event_id"] == line["event_id"]).count();
        assert_eq!(same, 1, "handled more than once: {line}");
        *types.entry(line["event_type"].as_str().unwrap()).or_default() += 1;
    }
    types
}

#[test]
fn invoke_shows_what_would_be_published_and_sends_nothing() {
    let handlers = tempfile::tempdir().unwrap();
    place_publisher(handlers.path(), "chain", "[\"a\"]");
    let folder = handlers.path().join("chain");
    let invoke = |data: &Value, further: &[&str]| {
        let (folder, data) = (folder.to_str().unwrap(), data.to_string());
        let mut arguments = vec!["invoke", folder, "--event-type", "a", "--event-id", "e1", "--data", &data];
        arguments.extend(further);
        run(&arguments)
    };
    let data = publishing("a", 1, &json!({ "id": 7 }));
    let done = invoke(&data, &["--output", "json"]);
    let shown: Value = serde_json::from_str(stdout(&done)).unwrap_or_else(|_| panic!("{}", stderr(&done)));
    let [published] = shown["published"].as_array().unwrap().as_slice() else { panic!("{shown}") };
    assert_eq!((&published["event_type"], &published["data"]), (&json!("a"), &json!("{\"id\":7}")));
    assert_eq!((&published["ordering_key"], &published["content_type"]), (&json!("k"), &json!("application/json")));
    let marks = json!({ "tidemill-cause": "e1", "tidemill-depth": "1", "tidemill-descendants": "999" });
    assert_eq!(published["attributes"], marks);
    let text = invoke(&data, &[]);
    let line = stdout(&text).lines().find(|line| line.starts_with("> would publish a ")).unwrap();
    assert!(line.ends_with(": {\"id\":7}"), "{line}");

    let failed = json!({ "publish": [{ "type": "a" }], "end": "retry" });
    let shown: Value = serde_json::from_str(stdout(&invoke(&failed, &["--output", "json"]))).unwrap();
    assert_eq!((&shown["outcome"], &shown["published"]), (&json!("retry"), &json!([])));
}

#[test]
fn dev_takes_what_its_handlers_publish_with_nothing_else_set() {
    let folder = tempfile::tempdir().unwrap();
    let handlers = folder.path().join("handlers");
    place_publisher(&handlers, "chain", "[\"a\", \"b\", \"c\"]");
    let (port, broker) = (free_port(), free_port());
    let mut dev = tidemill();
    // Not even a variable of another emulator's leads events away.
    dev.env("PUBSUB_EMULATOR_HOST", "127.0.0.1:9");
    dev.arg("dev").arg(folder.path()).args(["--log-format", "json", "--output", "json"]);
    for (flag, port) in [("--port", port), ("--broker-port", broker), ("--sink-port", free_port())] {
        dev.args([flag, &port.to_string()]);
    }
    dev.arg("--handlers").arg(&handlers).arg("--data").arg(folder.path().join("data"));
    let running = Running::start(dev);
    running.line("ready", |line| line["ready"] == true);
    let data = publishing("b", 1, &publishing("c", 1, &json!({}))).to_string();
    let broker = format!("127.0.0.1:{broker}");
    let target = ["--emulator-host", &broker, "--topic", "projects/dev/topics/events", "--signing-key", "dev=dev"];
    let published = run(&[&["publish"], &target[..], &["--event-type", "a", "--data", &data]].concat());
    assert!(published.status.success(), "{}", stderr(&published));
    let lines = until_handled(running, "c", 1);
    assert_eq!(handled(&lines), BTreeMap::from([("a", 1), ("b", 1), ("c", 1)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn over_the_emulator_each_event_of_a_chain_is_handled_once_and_an_endless_one_ends() {
    const EACH: usize = 20;
    let Some(emulator) = Emulator::shared().await else { return };
    let topic = emulator.create_topic("chain").await;
    let dead = emulator.create_topic("chain-dead").await;
    let dead_pull = emulator.create_subscription("chain-dead-pull", &Subscription::of(&dead)).await;
    let handlers = tempfile::tempdir().unwrap();
    place_publisher(handlers.path(), "chain", "[\"a\", \"b\", \"c\"]");
    place_publisher(handlers.path(), "loop", "[\"loop\"]");
    let port = free_port().to_string();
    let mut serve = tidemill();
    serve.args(["serve", "--port", &port, "--address", "127.0.0.1", "--auth", "none", "--signing-key", KEY]);
    serve.args(["--publish-to", &topic, "--dead-letter", &dead, "--pubsub-emulator", emulator.host()]);
    serve
        .args(["--max-chain", "3", "--grant", "* publish=*", "--log-format", "json", "--handlers"])
        .arg(handlers.path());
    let host = Running::start(serve);
    host.line("serving", |line| line["handlers"] == 2);
    let push_endpoint = Some(format!("http://127.0.0.1:{port}/events"));
    emulator.create_subscription("chain-push", &Subscription { push_endpoint, ..Subscription::of(&topic) }).await;

    let at: EmulatorHost = emulator.host().parse().unwrap();
    let publisher = PubSub::builder(topic.parse().unwrap(), Signer::new(KEY.parse().unwrap())).emulator(at);
    let publisher = publisher.build().await.unwrap();
    let endless = new_event("loop", &json!({ "end": "again" }));
    publisher.publish(&endless).await.unwrap();
    let cause = new_event("a", &publishing("b", EACH, &publishing("c", 1, &json!({}))));
    publisher.publish(&cause).await.unwrap();

    let letter = emulator.pull(&dead_pull, 1).await.remove(0);
    let attribute = |name: &str| letter.message.attributes[name].as_str();
    assert_eq!((attribute("dead-letter-code"), attribute("tidemill-depth")), ("chain-too-deep", "4"));
    assert_eq!((attribute("event-type"), letter.message.data), ("loop", endless.data));
    let lines = until_handled(host, "c", EACH);
    assert_eq!(handled(&lines), BTreeMap::from([("a", 1), ("b", EACH), ("c", EACH), ("loop", 4)]));
}
