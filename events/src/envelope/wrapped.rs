//! The wrapped envelope, `{"message": {…}, "subscription": …}`.
//! Source: "Receive push messages" in the Pub/Sub documentation, and `PubsubMessage` in its REST reference.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use super::field::{self, FieldError, MAX_ATTRIBUTES, MAX_NAME, MAX_TEXT, Place, quoted, within};
use super::json::{JsonError, Object, Text};
use super::{Envelope, Form};
use crate::{Delivery, Message, format_rfc3339};

/// Why a body is no wrapped envelope.
#[derive(Debug, thiserror::Error)]
pub enum WrappedError {
    /// The body is no JSON, or a field has another type or stands twice.
    #[error("the body is no push envelope: {0}")]
    Json(#[from] JsonError),
    /// The body is a JSON object of another kind.
    #[error("the body is no push envelope: missing field `message`")]
    NoMessage,
    /// The data is no base64.
    #[error("the field `message.data` is no base64: {0}")]
    Data(#[from] base64::DecodeError),
    /// A field is too long, or no time.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The two spellings of a field say different things, so that two readers could disagree.
    #[error("the fields `message.{0}` and `message.{1}` differ")]
    Conflict(&'static str, &'static str),
}

impl WrappedError {
    /// Whether the body is something else altogether, and not a wrapped envelope with a fault.
    pub(super) fn is_of_another_form(&self, body: &[u8]) -> bool {
        match self {
            Self::NoMessage => true,
            Self::Json(error) => !error.is_data() || !body.trim_ascii_start().starts_with(b"{"),
            Self::Data(_) | Self::Field(_) | Self::Conflict(..) => false,
        }
    }
}

#[derive(serde::Deserialize)]
struct Body<'a> {
    #[serde(borrow, default)]
    message: Option<Object<WireMessage<'a>>>,
    #[serde(default)]
    subscription: Option<String>,
    #[serde(default, rename = "deliveryAttempt")]
    delivery_attempt: Option<u32>,
}

#[derive(serde::Deserialize)]
struct WireMessage<'a> {
    #[serde(borrow, default)]
    data: Option<Text<'a>>,
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
    let Object(Body { message, subscription, delivery_attempt }) =
        serde_json::from_slice(body).map_err(JsonError::from)?;
    let Object(message) = message.ok_or(WrappedError::NoMessage)?;
    let message_id = one_of("messageId", message.message_id, "message_id", message.message_id_snake)?;
    let publish_time = one_of("publishTime", message.publish_time, "publish_time", message.publish_time_snake)?;
    let attributes = message.attributes.map(|a| a.0).unwrap_or_default();
    let short =
        |field: &'static str, text: Option<&str>, most| within(text.unwrap_or_default(), most, || Place::Field(field));
    short("message.messageId", message_id.as_deref(), MAX_TEXT)?;
    short("subscription", subscription.as_deref(), MAX_TEXT)?;
    short("message.orderingKey", message.ordering_key.as_deref(), MAX_TEXT)?;
    for (name, value) in &attributes {
        short("message.attributes (a name)", Some(name), MAX_NAME)?;
        short("message.attributes (a value)", Some(value), MAX_TEXT)?;
    }
    Ok(Envelope {
        message: Message {
            data: message.data.map_or_else(|| Ok(Vec::new()), |text| STANDARD.decode(text.0.as_bytes()))?,
            attributes,
            ordering_key: message.ordering_key.filter(|key| !key.is_empty()),
        },
        delivery: Delivery {
            message_id: message_id.unwrap_or_default(),
            subscription: subscription.unwrap_or_default(),
            attempt: delivery_attempt,
            publish_time: field::time(&publish_time.unwrap_or_default(), || Place::Field("message.publishTime"))?,
            form: Form::Wrapped,
            source: None,
        },
    })
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
                    let name = quoted(entry.key());
                    return Err(de::Error::custom(format_args!("an attribute stands twice: {name:?}")));
                }
            }
            if attributes.len() > MAX_ATTRIBUTES {
                return Err(de::Error::custom(FieldError::TooMany(MAX_ATTRIBUTES)));
            }
        }
        Ok(Attributes(attributes))
    }
}
