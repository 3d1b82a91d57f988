use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::Form;
use crate::attribute;
use crate::reserved::{KeptReserved, Reserved};
use crate::timestamp::{format_rfc3339, parse_rfc3339};

/// What a publisher emits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The event's own id. The publisher chooses it, and keeps it when it publishes the same event again.
    pub id: String,
    /// What happened, such as `user.registered`.
    pub event_type: String,
    /// When it happened, by the publisher's clock.
    pub time: SystemTime,
    /// The media type of `data`.
    pub content_type: Option<String>,
    /// Events with the same key are delivered one after the other, where the topic has ordering on.
    pub ordering_key: Option<String>,
    /// Further attributes, without the reserved ones (see [`attribute::RESERVED`]): those are ignored.
    pub attributes: BTreeMap<String, String>,
    /// The event's data, at most 10 MB.
    pub data: Vec<u8>,
}

/// An event as Pub/Sub carries it: data, attributes and an ordering key, all of them strangers' words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// The data, decoded.
    pub data: Vec<u8>,
    /// All attributes, the reserved ones included.
    pub attributes: BTreeMap<String, String>,
    /// The ordering key, if any. Pub/Sub writes "none" as the empty string, which is `None` here.
    pub ordering_key: Option<String>,
}

/// What one delivery adds to a message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delivery {
    /// The broker's id of the message. Empty where the sender gave none.
    pub message_id: String,
    /// The full name of the subscription. Empty where the sender gave none.
    pub subscription: String,
    /// How often the message was delivered, this time included; only where the subscription has a dead-letter policy.
    pub attempt: Option<u32>,
    /// When the broker took the message.
    pub publish_time: Option<SystemTime>,
    /// The wire form that it came in.
    pub form: Form,
    /// What a CloudEvent names as its source, such as `//storage.googleapis.com/projects/_/buckets/b`; `None` in all other
    /// forms. An attribute `ce-source` is no sign of a CloudEvent: any publisher can set one.
    pub source: Option<String>,
}

impl Delivery {
    /// Gives it an id, where it came without one.
    pub(crate) fn or_named(&mut self, unnamed: impl FnOnce() -> String) {
        if self.message_id.is_empty() {
            self.message_id = unnamed();
        }
    }
}

impl Event {
    /// The message that carries this event, unsigned.
    ///
    /// Only the signature module makes messages of events, so none leaves without a signature.
    pub(crate) fn to_message(&self) -> Message {
        let mut attributes: BTreeMap<String, String> = self
            .attributes
            .iter()
            .filter(|(name, _)| !attribute::RESERVED.contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        attributes.insert(attribute::EVENT_TYPE.into(), self.event_type.clone());
        attributes.insert(attribute::EVENT_ID.into(), self.id.clone());
        attributes.insert(attribute::EVENT_TIME.into(), format_rfc3339(self.time));
        if let Some(content_type) = &self.content_type {
            attributes.insert(attribute::CONTENT_TYPE.into(), content_type.clone());
        }
        if let Some(ordering_key) = &self.ordering_key {
            attributes.insert(attribute::ORDERING_KEY.into(), ordering_key.clone());
        }
        Message { data: self.data.clone(), attributes, ordering_key: self.ordering_key.clone() }
    }

    /// Whether `id` can name an event: 1 to 255 visible ASCII characters.
    #[must_use]
    pub fn is_id(id: &str) -> bool {
        crate::signature::is_event_id(id)
    }

    /// The event of this type that a message carries, and its reserved attributes as they were.
    pub(crate) fn from_message(
        message: Message,
        delivery: &Delivery,
        event_type: String,
        time: Option<SystemTime>,
        arrival: SystemTime,
    ) -> (Self, KeptReserved) {
        let Message { data, mut attributes, ordering_key } = message;
        let reserved = Reserved::of(&attributes);
        let (kept, event) = (reserved.keep(), Self::of(&reserved, ordering_key, delivery, event_type, time, arrival));
        attributes.retain(|name, _| !attribute::RESERVED.contains(&name.as_str()));
        (Self { attributes, data, ..event }, kept)
    }

    /// The event of this type that has these reserved attributes and this delivered ordering key, without further
    /// attributes and without data.
    ///
    /// `time` is when it happened, where that was read before.
    /// A publisher that follows the plain scheme sends a type and nothing more: the id is then the message id, and the
    /// time the publish time, or `arrival` where the sender gave none. So it is with an `event-time` that is no RFC 3339.
    pub(crate) fn of(
        reserved: &Reserved<'_>,
        ordering_key: Option<String>,
        delivery: &Delivery,
        event_type: String,
        time: Option<SystemTime>,
        arrival: SystemTime,
    ) -> Self {
        let read = || reserved.given(attribute::EVENT_TIME).and_then(|text| parse_rfc3339(text).ok());
        Self {
            id: reserved.given(attribute::EVENT_ID).unwrap_or(&delivery.message_id).to_owned(),
            event_type,
            time: time.or_else(read).or(delivery.publish_time).unwrap_or(arrival),
            content_type: reserved.given(attribute::CONTENT_TYPE).map(str::to_owned),
            ordering_key: ordering_key.or_else(|| reserved.given(attribute::ORDERING_KEY).map(str::to_owned)),
            attributes: BTreeMap::new(),
            data: Vec::new(),
        }
    }
}
