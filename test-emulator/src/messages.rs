use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};
use tidemill_events::Envelope;

use crate::{Emulator, rest};

/// How often a subscription is asked for messages, and how long between: a minute together.
const PULLS: u32 = 600;
const PAUSE: Duration = Duration::from_millis(100);

impl Emulator {
    /// Pulls messages from a subscription, and acknowledges them, until `count` different ones have come.
    /// They come in the order in which the emulator gave them, as the envelopes that a push would have brought.
    ///
    /// # Panics
    /// Where fewer come within a minute, or more.
    pub async fn pull(&self, subscription: &str, count: usize) -> Vec<Envelope> {
        let mut seen = BTreeSet::new();
        let mut envelopes = Vec::new();
        for _ in 0..PULLS {
            for envelope in self.pull_once(subscription).await {
                // At least once: a message may come again.
                if seen.insert(envelope.delivery.message_id.clone()) {
                    envelopes.push(envelope);
                }
            }
            if envelopes.len() >= count {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        assert!(envelopes.len() == count, "{count} messages expected from {subscription}, {} came", envelopes.len());
        envelopes
    }

    /// Pulls what a subscription has now, and acknowledges it.
    ///
    /// # Panics
    /// Where the emulator gives an answer that is none.
    pub async fn pull_once(&self, subscription: &str) -> Vec<Envelope> {
        let path = |verb: &str| format!("/v1/{subscription}:{verb}");
        let request = json!({ "maxMessages": 1000, "returnImmediately": true });
        let mut answer = rest::call(&self.host, Method::POST, &path("pull"), &request).await;
        let received: Vec<Value> = match answer.get_mut("receivedMessages").map(Value::take) {
            Some(Value::Array(received)) => received,
            _ => return Vec::new(),
        };
        let ack_ids: Vec<&Value> = received.iter().filter_map(|message| message.get("ackId")).collect();
        rest::call(&self.host, Method::POST, &path("acknowledge"), &json!({ "ackIds": ack_ids })).await;
        received.iter().map(|message| envelope(subscription, message)).collect()
    }

    /// Publishes a message by hand, as a stranger might: unsigned, unless `attributes` hold a signature.
    /// Gives its message id.
    ///
    /// # Panics
    /// Where there is no such topic.
    pub async fn publish_raw(&self, topic: &str, data_base64: &str, attributes: &BTreeMap<String, String>) -> String {
        let body = json!({ "messages": [{ "data": data_base64, "attributes": attributes }] });
        let answer = rest::call(&self.host, Method::POST, &format!("/v1/{topic}:publish"), &body).await;
        let id = answer.pointer("/messageIds/0").and_then(Value::as_str);
        id.unwrap_or_else(|| panic!("no message id in {answer}")).to_owned()
    }
}

fn envelope(subscription: &str, received: &Value) -> Envelope {
    let mut body = json!({ "message": received.get("message"), "subscription": subscription });
    if let (Some(body), Some(attempt)) = (body.as_object_mut(), received.get("deliveryAttempt")) {
        body.insert("deliveryAttempt".into(), attempt.clone());
    }
    Envelope::decode(body.to_string().as_bytes()).unwrap_or_else(|error| panic!("no envelope in {received}: {error}"))
}
