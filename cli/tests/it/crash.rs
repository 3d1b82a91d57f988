//! `kill -9` in the middle of a thousand events loses none of them.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tidemill_events::{Event, Signer};
use tidemill_publisher::{PubSub, Publisher, new_event};
use tidemill_test_artifacts::SCRIPTED;
use tokio::task::JoinSet;

use crate::provider::Provider;
use crate::tidemill::{Running, free_port, place, tidemill};

const EVENTS: usize = 1000;
const PUBLISHERS: usize = 8;

fn dev(handlers: &Path, data: &Path, ports: [u16; 3]) -> Running {
    let [port, broker, sink] = ports.map(|port| port.to_string());
    let mut command = tidemill();
    command.arg("dev").arg(handlers).args(["--port", &port, "--broker-port", &broker, "--sink-port", &sink]);
    command.args(["--output", "json", "--log-format", "json", "--log-level", "error", "--handlers"]).arg(handlers);
    command.arg("--data").arg(data);
    let dev = Running::start(command);
    dev.line("ready", |line| line["ready"] == true);
    dev
}

fn seen(provider: &Provider) -> BTreeSet<String> {
    provider.taken().iter().map(|taken| taken.body["event_id"].as_str().unwrap().to_owned()).collect()
}

/// Publishes these events through Google's client, each until the broker has it: a crash in between is an error that
/// a publisher retries, with the same event id.
async fn publish(publisher: Arc<dyn Publisher>, events: Vec<Event>) {
    for event in events {
        while let Err(error) = publisher.publish(&event).await {
            assert!(error.is_retryable(), "{error}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_in_the_middle_of_a_thousand_events_loses_none() {
    let provider = Provider::start().await;
    let (handlers, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let manifest = format!("events = [\"script\"]\n[permissions]\nhttp = [\"http://{}\"]\n", provider.address);
    place(handlers.path(), "scripted", &manifest, SCRIPTED);
    let ports = [free_port(), free_port(), free_port()];
    let running = dev(handlers.path(), data.path(), ports);

    let script = json!([{ "effect": { "url": provider.url("/effect") } }]);
    let events: Vec<_> = (0..EVENTS).map(|_| new_event("script", &script)).collect();
    let ids: BTreeSet<_> = events.iter().map(|event| event.id.clone()).collect();
    let publisher: Arc<dyn Publisher> = Arc::new(
        PubSub::builder("projects/dev/topics/events".parse().unwrap(), Signer::new("dev=dev".parse().unwrap()))
            .emulator(Some(format!("127.0.0.1:{}", ports[1]).parse().unwrap()))
            .build()
            .await
            .unwrap(),
    );
    let mut publishers = JoinSet::new();
    for events in events.chunks(EVENTS / PUBLISHERS) {
        publishers.spawn(publish(Arc::clone(&publisher), events.to_vec()));
    }

    provider.until("a third of the effects", |taken| taken.len() >= EVENTS / 3).await;
    running.kill();
    let at_kill = seen(&provider).len();
    assert!(at_kill < EVENTS, "everything was over before the kill, so it proves nothing");

    let running = dev(handlers.path(), data.path(), ports);
    publishers.join_all().await;
    provider
        .until("every effect", |taken| {
            let seen: BTreeSet<_> = taken.iter().map(|taken| taken.body["event_id"].as_str().unwrap()).collect();
            seen.len() >= EVENTS
        })
        .await;
    assert_eq!(seen(&provider), ids);
    println!("{at_kill} of {EVENTS} effects seen before the kill, {} sends in all", provider.taken().len());
    assert_eq!(running.terminate(), Some(0));
}
