//! The wrapped envelope, `{"message": {…}, "subscription": …}`.
//! Source: "Receive push messages" in the Pub/Sub documentation, and `PubsubMessage` in its REST reference.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use super::Envelope;
use crate::{Delivery, Message, TimestampError, format_rfc3339, parse_rfc3339};

/// Why a body is no wrapped envelope.
#[derive(Debug, thiserror::Error)]
pub enum WrappedError {
    /// The body is no JSON, or a field has another type or stands twice.
    #[error("the body is no push envelope: {0}")]
    Json(#[from] serde_json::Error),
    /// The data is no base64.
    #[error("the field `message.data` is no base64: {0}")]
    Data(#[from] base64::DecodeError),
    /// The publish time is no time.
    #[error("the field `message.publishTime`: {0}")]
    PublishTime(#[from] TimestampError),
    /// A field is longer than Pub/Sub makes it. Its text is not repeated.
    #[error("the field `{field}` has {found} bytes, and Pub/Sub's has {most} at most")]
    TooLong {
        /// The field.
        field: &'static str,
        /// How long it is.
        found: usize,
        /// How long it may be.
        most: usize,
    },
    /// The two spellings of a field say different things, so that two readers could disagree.
    #[error("the fields `message.{0}` and `message.{1}` differ")]
    Conflict(&'static str, &'static str),
}

/// Bytes of an attribute's name. Source: "Quotas and limits" in the Pub/Sub documentation, as the next.
const MAX_NAME: usize = 256;
/// Bytes of an attribute's value, of an ordering key, and more than of any id.
const MAX_TEXT: usize = 1024;

#[derive(serde::Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    message: WireMessage<'a>,
    #[serde(default)]
    subscription: Option<String>,
    #[serde(default, rename = "deliveryAttempt")]
    delivery_attempt: Option<u32>,
}

#[derive(serde::Deserialize)]
struct WireMessage<'a> {
    #[serde(borrow, default)]
    data: Option<Cow<'a, str>>,
    #[serde(default)]
    attributes: Option<Attributes>,
    #[serde(default, rename = "messageId")]
    message_id: Option<String>,
    #[serde(default, rename = "message_id")]
    message_id_snake: Option<String>,
    #[serde(default, rename = "publishTime")]
    publish_time: Option<String>,
    #[serde(default, rename = "publish_time")]
    publish_time_snake: Option<String>,
    #[serde(default, rename = "orderingKey")]
    ordering_key: Option<String>,
}

pub(super) fn decode(body: &[u8]) -> Result<Envelope, WrappedError> {
    let Body { message, subscription, delivery_attempt } = serde_json::from_slice(body)?;
    let message_id = one_of("messageId", message.message_id, "message_id", message.message_id_snake)?;
    let publish_time = one_of("publishTime", message.publish_time, "publish_time", message.publish_time_snake)?;
    let attributes = message.attributes.map(|a| a.0).unwrap_or_default();
    within("message.messageId", message_id.as_deref(), MAX_TEXT)?;
    within("subscription", subscription.as_deref(), MAX_TEXT)?;
    within("message.orderingKey", message.ordering_key.as_deref(), MAX_TEXT)?;
    for (name, value) in &attributes {
        within("message.attributes (a name)", Some(name), MAX_NAME)?;
        within("message.attributes (a value)", Some(value), MAX_TEXT)?;
    }
    Ok(Envelope {
        message: Message {
            data: message.data.map_or_else(|| Ok(Vec::new()), |text| STANDARD.decode(text.as_bytes()))?,
            attributes,
            ordering_key: message.ordering_key.filter(|key| !key.is_empty()),
        },
        delivery: Delivery {
            message_id: message_id.unwrap_or_default(),
            subscription: subscription.unwrap_or_default(),
            source: None,
            attempt: delivery_attempt,
            publish_time: publish_time.filter(|t| !t.is_empty()).map(|t| parse_rfc3339(&t)).transpose()?,
        },
    })
}

/// Ids, names and attributes go into logs, headers and answers, so a stranger must not make them megabytes.
fn within(field: &'static str, text: Option<&str>, most: usize) -> Result<(), WrappedError> {
    match text.map(str::len) {
        Some(found) if found > most => Err(WrappedError::TooLong { field, found, most }),
        _ => Ok(()),
    }
}

fn one_of(
    camel: &'static str,
    a: Option<String>,
    snake: &'static str,
    b: Option<String>,
) -> Result<Option<String>, WrappedError> {
    match (a, b) {
        (Some(a), Some(b)) if a != b => Err(WrappedError::Conflict(camel, snake)),
        (a, b) => Ok(a.or(b)),
    }
}

pub(super) fn encode(envelope: &Envelope) -> Vec<u8> {
    let Envelope { message, delivery } = envelope;
    let mut fields = serde_json::Map::new();
    if !message.attributes.is_empty() {
        fields.insert("attributes".into(), message.attributes.clone().into_iter().collect());
    }
    if !message.data.is_empty() {
        fields.insert("data".into(), STANDARD.encode(&message.data).into());
    }
    if !delivery.message_id.is_empty() {
        fields.insert("messageId".into(), delivery.message_id.clone().into());
        fields.insert("message_id".into(), delivery.message_id.clone().into());
    }
    if let Some(key) = &message.ordering_key {
        fields.insert("orderingKey".into(), key.clone().into());
    }
    if let Some(time) = delivery.publish_time {
        let time = format_rfc3339(time);
        fields.insert("publishTime".into(), time.clone().into());
        fields.insert("publish_time".into(), time.into());
    }
    let mut body = serde_json::Map::new();
    body.insert("message".into(), fields.into());
    body.insert("subscription".into(), delivery.subscription.clone().into());
    if let Some(attempt) = delivery.attempt {
        body.insert("deliveryAttempt".into(), attempt.into());
    }
    serde_json::Value::Object(body).to_string().into_bytes()
}

/// A map in which no name stands twice: of two values, two readers could take different ones for the signed one.
struct Attributes(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Attributes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(AttributesVisitor)
    }
}

struct AttributesVisitor;

impl<'de> Visitor<'de> for AttributesVisitor {
    type Value = Attributes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of attribute names to texts")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Attributes, M::Error> {
        let mut attributes = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<String, String>()? {
            match attributes.entry(name) {
                Entry::Vacant(entry) => _ = entry.insert(value),
                Entry::Occupied(entry) => {
                    return Err(de::Error::custom(format_args!("the attribute {:.64?} stands twice", entry.key())));
                }
            }
        }
        Ok(Attributes(attributes))
    }
}
