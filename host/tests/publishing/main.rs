//! What handlers publish: over real sockets, to a receiver that the test controls and to other hosts.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../common/mod.rs"]
mod common;

mod chain;
mod failed;
mod published;
mod receiver;
mod refused;
mod sending;

use std::time::Duration;

use common::{Answer, TestHost, delivery, log, sign, wasm};
use receiver::Receiver;
use serde_json::{Value, json};
use tidemill_events::Envelope;
use tidemill_host::config::{Config, PublishTarget};
use tidemill_test_artifacts::PUBLISH;

/// What the handler `chain` serves, which may publish the same.
const CHAIN: &str = r#"
events = ["a", "b", "c"]
[limits]
data = "12MiB"
[permissions]
publish = ["a", "b", "c"]
"#;

/// A host of that handler, which publishes to this receiver.
async fn host_with(receiver: &Receiver, change: impl FnOnce(&mut Config)) -> TestHost {
    TestHost::start_with(&[("chain", CHAIN, &wasm(PUBLISH))], |config| {
        config.publishing.target = PublishTarget::Host(receiver.url.parse().unwrap());
        config.quota.memory = 64 << 20;
        change(config);
    })
    .await
}

async fn host(receiver: &Receiver) -> TestHost {
    host_with(receiver, |_| {}).await
}

/// An event of type `a` whose handler does this.
fn cause(script: &Value) -> Envelope {
    sign(&common::event("a", script.to_string().as_bytes()))
}

/// An event of type `b` that says this, as a script asks for it.
fn publish_b(data: Value) -> Value {
    json!({ "type": "b", "data": data })
}

/// The same event in another delivery.
fn again(envelope: &Envelope, attempt: u32) -> Envelope {
    let mut again = Envelope { message: envelope.message.clone(), delivery: delivery() };
    again.delivery.attempt = Some(attempt);
    again
}

fn attribute<'a>(envelope: &'a Envelope, name: &str) -> &'a str {
    envelope.message.attributes.get(name).unwrap_or_else(|| panic!("no {name}: {envelope:?}"))
}

fn ids(envelopes: &[Envelope]) -> Vec<&str> {
    envelopes.iter().map(|envelope| attribute(envelope, "event-id")).collect()
}

/// What the handler printed, but for the attributes of its event.
fn printed(answer: &Answer) -> Vec<String> {
    let lines = log::of_message(&answer.message_id).into_iter().filter(|line| line["stream"].is_string());
    let lines = lines.map(|line| line["message"].as_str().unwrap().to_owned());
    lines.filter(|line| !line.starts_with("attributes ")).collect()
}

/// Waits until something is so. A test that waits in vain is ended by this, not by a guess at speed.
async fn until(what: &str, met: impl Fn() -> bool) {
    for _ in 0..3000 {
        if met() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not seen within 30 s: {what}");
}
