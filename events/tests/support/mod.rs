//! Senders of each form, as small as they can be, and messages for them to send.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part of this")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use serde_json::{Value, json};
use tidemill_events::{Delivery, Envelope, EnvelopeError, Form, Message, format_rfc3339};

pub const MESSAGE_PUBLISHED: &str = "google.cloud.pubsub.topic.v1.messagePublished";
pub const TOPIC: &str = "//pubsub.googleapis.com/projects/my-project/topics/my-topic";

/// The parts of a request that an envelope is read from.
#[derive(Debug, Clone, Default)]
pub struct Request {
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn new(headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Self {
        let request = Self { headers: Vec::new(), body: body.into() };
        headers.iter().fold(request, |request, (name, value)| request.with(name, value))
    }

    pub fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(other, _)| other != name);
        self
    }

    pub fn read(&self) -> Result<Envelope, EnvelopeError> {
        let headers = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
        Envelope::from_request(headers, &self.body)
    }

    pub fn refused(&self) -> String {
        self.read().expect_err("this request should be refused").to_string()
    }
}

/// What Pub/Sub sends for a subscription that wraps.
pub fn wrapped(envelope: &Envelope) -> Request {
    Request::new(&[("content-type", "application/json"), ("user-agent", "CloudPubSub-Google")], envelope.encode())
}

/// What Pub/Sub sends for a subscription that doesn't wrap, and writes metadata.
pub fn unwrapped(envelope: &Envelope) -> Request {
    let Envelope { message, delivery } = envelope;
    let mut request = Request::new(
        &[
            ("host", "tidemill.example"),
            ("user-agent", "CloudPubSub-Google"),
            ("authorization", "Bearer secret"),
            ("x-goog-pubsub-message-id", &delivery.message_id),
            ("x-goog-pubsub-subscription-name", &delivery.subscription),
        ],
        message.data.clone(),
    );
    if let Some(time) = delivery.publish_time {
        request = request.with("x-goog-pubsub-publish-time", format_rfc3339(time));
    }
    if let Some(key) = &message.ordering_key {
        request = request.with("x-goog-pubsub-ordering-key", key);
    }
    message.attributes.iter().fold(request, |request, (name, value)| request.with(name, value))
}

/// What Eventarc sends for a Pub/Sub message.
pub fn binary(envelope: &Envelope) -> Request {
    let mut request = Request::new(
        &[
            ("ce-id", &percent(&envelope.delivery.message_id)),
            ("ce-source", TOPIC),
            ("ce-specversion", "1.0"),
            ("ce-type", MESSAGE_PUBLISHED),
            ("content-type", "application/json"),
            ("authorization", "Bearer secret"),
        ],
        envelope.encode(),
    );
    if let Some(time) = envelope.delivery.publish_time {
        request = request.with("ce-time", format_rfc3339(time));
    }
    request
}

/// The same as [`binary`], in structured mode.
pub fn structured(envelope: &Envelope) -> Request {
    let data: Value = serde_json::from_slice(&envelope.encode()).unwrap();
    event(&json!({
        "data": data,
        "datacontenttype": "application/json",
        "id": envelope.delivery.message_id,
        "source": TOPIC,
        "specversion": "1.0",
        "time": envelope.delivery.publish_time.map(format_rfc3339),
        "type": MESSAGE_PUBLISHED,
    }))
}

/// A CloudEvent in structured mode.
pub fn event(body: &Value) -> Request {
    Request::new(&[("content-type", "application/cloudevents+json; charset=utf-8")], body.to_string())
}

/// The encoding of a context attribute's value in a header.
pub fn percent(value: &str) -> String {
    let encode = |byte: u8| match byte {
        b'!' | b'#'..=b'$' | b'&'..=b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    value.bytes().map(encode).collect()
}

/// The envelope as it comes out of a form: the same but for the form's name.
pub fn came_as(envelope: &Envelope, form: Form, source: Option<&str>) -> Envelope {
    let delivery = Delivery { form, source: source.map(str::to_owned), ..envelope.delivery.clone() };
    Envelope { delivery, ..envelope.clone() }
}

prop_compose! {
    /// Envelopes that every form can carry: attributes whose names are headers' names, in lower case.
    pub fn any_envelope()(
        data in any::<Vec<u8>>(),
        attributes in prop::collection::btree_map(
            prop_oneof![
                prop::sample::select(vec!["event-type", "event-id", "event-time", "content-type", "signature"])
                    .prop_map(str::to_owned),
                "[a-z]{1,4}_[a-z0-9.!#$%&'*+^`|~-]{0,20}",
            ],
            "\\PC{0,60}",
            0..6,
        ),
        ordering_key in prop::option::of("\\PC{1,20}"),
        message_id in "\\PC{1,40}",
        subscription in "\\PC{0,60}",
        publish_nanos in prop::option::of(0..4_000_000_000_000_000_000u64),
    ) -> Envelope {
        let publish_time = publish_nanos.map(|n| SystemTime::UNIX_EPOCH + Duration::from_nanos(n));
        Envelope {
            message: Message { data, attributes, ordering_key },
            delivery: Delivery { message_id, subscription, publish_time, ..Delivery::default() },
        }
    }
}
