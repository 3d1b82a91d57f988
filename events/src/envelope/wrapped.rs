//! The wrapped envelope, `{"message": {…}, "subscription": …}`.
//! Source: "Receive push messages" in the Pub/Sub documentation, and `PubsubMessage` in its REST reference.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use super::field::{self, FieldError, MAX_ATTRIBUTES, MAX_NAME, MAX_TEXT, Place, quoted, within};
use super::json::{JsonError, Object, Text};
use super::{Envelope, Form, in_place};
use crate::{Delivery, Message, attribute, format_rfc3339};

/// Attributes of a signed event: a list with room for so many is made at once.
const TYPICAL_ATTRIBUTES: usize = 8;

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
    #[serde(borrow, default)]
    subscription: Option<Text<'a>>,
    #[serde(default, rename = "deliveryAttempt")]
    delivery_attempt: Option<u32>,
}

#[derive(serde::Deserialize)]
struct WireMessage<'a> {
    #[serde(borrow, default)]
    data: Option<Text<'a>>,
    #[serde(borrow, default)]
    attributes: Option<Attributes<'a>>,
    #[serde(borrow, default, rename = "messageId")]
    message_id: Option<Text<'a>>,
    #[serde(borrow, default, rename = "message_id")]
    message_id_snake: Option<Text<'a>>,
    #[serde(borrow, default, rename = "publishTime")]
    publish_time: Option<Text<'a>>,
    #[serde(borrow, default, rename = "publish_time")]
    publish_time_snake: Option<Text<'a>>,
    #[serde(borrow, default, rename = "orderingKey")]
    ordering_key: Option<Text<'a>>,
}

/// A wrapped envelope as its body has it: texts are borrowed, where they have no escapes, and the data is base64 still.
pub(crate) struct Wrapped<'a> {
    pub(crate) data: Cow<'a, str>,
    pub(crate) attributes: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    pub(crate) ordering_key: Option<String>,
    pub(crate) delivery: Delivery,
}

impl<'a> Wrapped<'a> {
    /// Reads a body, in one pass.
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, WrappedError> {
        // Looked at once, and not string by string. Where it is no UTF-8 the reader of bytes knows the line.
        let parsed = match std::str::from_utf8(body) {
            Ok(text) => serde_json::from_str(text),
            Err(_) => serde_json::from_slice(body),
        };
        let Object(Body { message, subscription, delivery_attempt }) = parsed.map_err(JsonError::from)?;
        let Object(message) = message.ok_or(WrappedError::NoMessage)?;
        let message_id = one_of("messageId", message.message_id, "message_id", message.message_id_snake)?;
        let publish_time = one_of("publishTime", message.publish_time, "publish_time", message.publish_time_snake)?;
        let subscription = subscription.map(|text| text.0).unwrap_or_default();
        let ordering_key = message.ordering_key.map(|text| text.0).unwrap_or_default();
        let attributes = message.attributes.map(|a| a.0).unwrap_or_default();
        let short = |field: &'static str, text: &str, most| within(text, most, || Place::Field(field));
        short("message.messageId", &message_id, MAX_TEXT)?;
        short("subscription", &subscription, MAX_TEXT)?;
        short("message.orderingKey", &ordering_key, MAX_TEXT)?;
        for (name, value) in &attributes {
            short("message.attributes (a name)", name, MAX_NAME)?;
            short("message.attributes (a value)", value, MAX_TEXT)?;
        }
        Ok(Self {
            data: message.data.map(|text| text.0).unwrap_or_default(),
            attributes,
            ordering_key: Some(ordering_key).filter(|key| !key.is_empty()).map(Cow::into_owned),
            delivery: Delivery {
                message_id: message_id.into_owned(),
                subscription: subscription.into_owned(),
                attempt: delivery_attempt,
                publish_time: field::time(&publish_time, || Place::Field("message.publishTime"))?,
                form: Form::Wrapped,
                source: None,
            },
        })
    }

    /// Judges the length that the data will have, before it is decoded.
    pub(crate) fn fits(self) -> Result<Self, WrappedError> {
        let padding = self.data.bytes().rev().take(2).filter(|letter| *letter == b'=').count();
        field::data_fits((self.data.len() / 4 * 3).saturating_sub(padding))?;
        Ok(self)
    }

    /// The data, decoded.
    pub(crate) fn decode(&self) -> Result<Vec<u8>, WrappedError> {
        Ok(STANDARD.decode(self.data.as_bytes())?)
    }

    /// The same without the body: the texts are copied, and of the data, where it was borrowed, its place is noted.
    pub(crate) fn detach(self, body: &[u8]) -> Detached {
        let own = |(name, value): (Cow<'a, str>, Cow<'a, str>)| (name.into_owned().into(), value.into_owned().into());
        let data = match self.data {
            Cow::Owned(text) => Data::Unescaped(text),
            Cow::Borrowed(text) => {
                let begin = (text.as_ptr() as usize).saturating_sub(body.as_ptr() as usize);
                Data::Within(begin..begin + text.len())
            }
        };
        let attributes = self.attributes.into_iter().map(own).collect();
        let wrapped =
            Wrapped { data: Cow::default(), attributes, ordering_key: self.ordering_key, delivery: self.delivery };
        Detached { wrapped, data }
    }

    /// The attributes that are not reserved, and the delivery.
    pub(crate) fn into_others(self) -> (BTreeMap<String, String>, Delivery) {
        let others = self.attributes.into_iter().filter(|(name, _)| !attribute::RESERVED.contains(&&**name));
        (others.map(|(name, value)| (name.into_owned(), value.into_owned())).collect(), self.delivery)
    }

    /// The envelope, with this for data.
    pub(crate) fn into_envelope(self, data: Vec<u8>) -> Envelope {
        let own = |(name, value): (Cow<'a, str>, Cow<'a, str>)| (name.into_owned(), value.into_owned());
        let attributes = self.attributes.into_iter().map(own).collect();
        Envelope { message: Message { data, attributes, ordering_key: self.ordering_key }, delivery: self.delivery }
    }
}

/// A wrapped envelope that borrows nothing, beside the body that it was read from.
pub(crate) struct Detached {
    wrapped: Wrapped<'static>,
    data: Data,
}

/// Where the data's base64 is.
enum Data {
    Within(Range<usize>),
    /// It had escapes, which no broker writes.
    Unescaped(String),
}

impl Detached {
    /// Makes the body that it was read from its data.
    ///
    /// # Errors
    /// Where the data is no base64; the body comes back as it was.
    pub(crate) fn decode_in(self, mut body: Vec<u8>) -> Result<(Vec<u8>, Wrapped<'static>), (WrappedError, Vec<u8>)> {
        let decoded = match self.data {
            Data::Within(range) => in_place::decode(&mut body, range),
            Data::Unescaped(text) => STANDARD.decode(&text).map(|data| body = data),
        };
        match decoded {
            Ok(()) => Ok((body, self.wrapped)),
            Err(error) => Err((error.into(), body)),
        }
    }
}

pub(super) fn decode(body: &[u8]) -> Result<Envelope, WrappedError> {
    let wrapped = Wrapped::parse(body)?;
    let data = wrapped.decode()?;
    Ok(wrapped.into_envelope(data))
}

fn one_of<'a>(
    camel: &'static str,
    a: Option<Text<'a>>,
    snake: &'static str,
    b: Option<Text<'a>>,
) -> Result<Cow<'a, str>, WrappedError> {
    match (a, b) {
        (Some(a), Some(b)) if a.0 != b.0 => Err(WrappedError::Conflict(camel, snake)),
        (a, b) => Ok(a.or(b).map(|text| text.0).unwrap_or_default()),
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
struct Attributes<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Attributes<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(AttributesVisitor)
    }
}

struct AttributesVisitor;

impl<'de> Visitor<'de> for AttributesVisitor {
    type Value = Attributes<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of attribute names to texts")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Attributes<'de>, M::Error> {
        let mut attributes: Vec<(Cow<'de, str>, Cow<'de, str>)> = Vec::with_capacity(TYPICAL_ATTRIBUTES);
        while let Some((Text(name), Text(value))) = map.next_entry()? {
            // They are few, so to look through all of them is quicker than any order among them.
            if attributes.iter().any(|(other, _)| *other == name) {
                let name = quoted(&name);
                return Err(de::Error::custom(format_args!("an attribute stands twice: {name:?}")));
            }
            attributes.push((name, value));
            if attributes.len() > MAX_ATTRIBUTES {
                return Err(de::Error::custom(FieldError::TooMany(MAX_ATTRIBUTES)));
            }
        }
        Ok(Attributes(attributes))
    }
}
