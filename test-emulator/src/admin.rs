use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};

use crate::{Emulator, rest};

/// What a subscription is made of. Begin with [`Subscription::of`].
#[derive(Debug, Clone)]
pub struct Subscription<'a> {
    /// The full name of the topic.
    pub topic: &'a str,
    /// Where to push to. None makes a subscription to pull from.
    pub push_endpoint: Option<String>,
    /// How long a delivery may take before it counts as failed, in whole seconds from 10 to 600.
    pub ack_deadline: Duration,
    /// Where to put what failed too often.
    pub dead_letter: Option<DeadLetter<'a>>,
    /// The least and the greatest pause before a delivery is repeated, 0 to 600 s.
    pub retry: Option<(Duration, Duration)>,
    /// Whether messages with the same ordering key are delivered one after the other.
    pub ordering: bool,
}

/// Where a subscription puts what failed too often.
#[derive(Debug, Clone, Copy)]
pub struct DeadLetter<'a> {
    /// The full name of the topic for it.
    pub topic: &'a str,
    /// After how many deliveries, 5 to 100.
    pub attempts: u32,
}

impl<'a> Subscription<'a> {
    /// A subscription to pull from, with Pub/Sub's defaults.
    #[must_use]
    pub fn of(topic: &'a str) -> Self {
        let ack_deadline = Duration::from_secs(10);
        Self { topic, push_endpoint: None, ack_deadline, dead_letter: None, retry: None, ordering: false }
    }

    fn to_json(&self) -> Value {
        let mut body = json!({
            "topic": self.topic,
            "ackDeadlineSeconds": self.ack_deadline.as_secs(),
            "enableMessageOrdering": self.ordering,
        });
        let mut set =
            |field: &str, value: Value| _ = body.as_object_mut().and_then(|body| body.insert(field.into(), value));
        if let Some(endpoint) = &self.push_endpoint {
            set("pushConfig", json!({ "pushEndpoint": endpoint }));
        }
        if let Some(DeadLetter { topic, attempts }) = self.dead_letter {
            set("deadLetterPolicy", json!({ "deadLetterTopic": topic, "maxDeliveryAttempts": attempts }));
        }
        if let Some((least, greatest)) = self.retry {
            let seconds = |pause: Duration| format!("{}s", pause.as_secs_f64());
            set("retryPolicy", json!({ "minimumBackoff": seconds(least), "maximumBackoff": seconds(greatest) }));
        }
        body
    }
}

impl Emulator {
    /// The full name of a topic in this emulator's project, whether it exists or not. `name` has 3 characters or more.
    #[must_use]
    pub fn topic_name(&self, name: &str) -> String {
        format!("projects/{}/topics/{name}", self.project)
    }

    /// Creates a topic and gives its full name.
    ///
    /// # Panics
    /// Where there is one of that name: tests that run side by side choose different names.
    pub async fn create_topic(&self, name: &str) -> String {
        let topic = self.topic_name(name);
        rest::call(&self.host, Method::PUT, &format!("/v1/{topic}"), &json!({})).await;
        topic
    }

    /// Creates a subscription and gives its full name.
    ///
    /// # Panics
    /// Where there is one of that name, no such topic, or a value that the emulator refuses.
    pub async fn create_subscription(&self, name: &str, subscription: &Subscription<'_>) -> String {
        let full = format!("projects/{}/subscriptions/{name}", self.project);
        rest::call(&self.host, Method::PUT, &format!("/v1/{full}"), &subscription.to_json()).await;
        full
    }
}
