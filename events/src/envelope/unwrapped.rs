//! The unwrapped envelope with metadata: the body is the data, and headers are the rest.
//! Source: "Payload unwrapping" in the Pub/Sub documentation, and `PushConfig.NoWrapper` in its REST reference.
//!
//! Each attribute is a header of its own, so its name arrives in lower case and its value without the white space
//! around it. Pub/Sub sends no content type of its own here: the header is the publisher's attribute.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::field::{self, FieldError, MAX_ATTRIBUTES, MAX_NAME, MAX_TEXT, Place, within};
use super::form::starts_with;
use super::headers::{self, Headers};
use super::{Envelope, Form};
use crate::{Delivery, Message, attribute};

pub(super) const MESSAGE_ID: &str = "x-goog-pubsub-message-id";
pub(super) const SUBSCRIPTION: &str = "x-goog-pubsub-subscription-name";
const PUBLISH_TIME: &str = "x-goog-pubsub-publish-time";
const ORDERING_KEY: &str = "x-goog-pubsub-ordering-key";

/// Headers that are no attributes: those that HTTP has for requests (RFC 9110, 9111, 9112 and 6265), and those that
/// proxies and the platform add. Credentials are among them, which must not reach handlers or logs.
///
/// A publisher's attribute of such a name is lost in this form. `content-type`, `content-encoding` and their like are
/// not here: they describe the data, and only a publisher sets them.
const NO_ATTRIBUTES: [&str; 43] = [
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "authorization",
    "baggage",
    "cache-control",
    "cdn-loop",
    "connection",
    "content-length",
    "cookie",
    "date",
    "expect",
    "forwarded",
    "from",
    "host",
    "http2-settings",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "max-forwards",
    "pragma",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "referer",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-api-key",
    "x-client-ip",
    "x-cloud-trace-context",
    "x-real-ip",
    "x-request-id",
    "x-serverless-authorization",
];
/// Beginnings of further such names.
const NO_ATTRIBUTES_BEGIN: [&str; 6] =
    ["x-apigateway-", "x-appengine-", "x-endpoint-api-", "x-envoy-", "x-forwarded-", "x-goog-"];

/// What the emulator's HTTP client writes where the message has no attribute `content-type`.
pub(super) const EMULATORS_CONTENT_TYPE: &str = "application/x-www-form-urlencoded";

pub(super) fn decode(headers: &Headers<'_>, body: &[u8]) -> Result<Envelope, FieldError> {
    let one = |name: &'static str| {
        let value = headers.only(name)?.unwrap_or_default();
        within(value, MAX_TEXT, || Place::header(name))?;
        Ok::<_, FieldError>(value)
    };
    let delivery = Delivery {
        message_id: one(MESSAGE_ID)?.to_owned(),
        subscription: one(SUBSCRIPTION)?.to_owned(),
        publish_time: field::time(one(PUBLISH_TIME)?, || Place::header(PUBLISH_TIME))?,
        form: Form::Unwrapped,
        ..Delivery::default()
    };
    let ordering_key = Some(one(ORDERING_KEY)?.to_owned()).filter(|key| !key.is_empty());
    let message = Message { data: body.to_vec(), attributes: attributes(headers)?, ordering_key };
    Ok(Envelope { message, delivery })
}

fn attributes(headers: &Headers<'_>) -> Result<BTreeMap<String, String>, FieldError> {
    let mut attributes = BTreeMap::new();
    for (name, value) in headers.iter().filter(|(name, value)| is_attribute(name, value)) {
        within(name, MAX_NAME, || Place::header(name))?;
        let value = headers::text(name, value)?;
        within(value, MAX_TEXT, || Place::header(name))?;
        match attributes.entry(name.to_ascii_lowercase()) {
            Entry::Vacant(entry) => _ = entry.insert(value.to_owned()),
            Entry::Occupied(_) => return Err(FieldError::Repeated(Place::header(name))),
        }
        if attributes.len() > MAX_ATTRIBUTES {
            return Err(FieldError::TooMany(MAX_ATTRIBUTES));
        }
    }
    Ok(attributes)
}

/// What of a request can be kept that is no envelope: its body, and such headers as can be attributes.
pub(super) fn salvage(headers: &Headers<'_>, body: &[u8]) -> Envelope {
    let mut envelope = Envelope::default();
    for (name, value) in headers.iter().filter(|(name, value)| is_attribute(name, value)) {
        let fits =
            name.len() <= MAX_NAME && value.len() <= MAX_TEXT && envelope.message.attributes.len() < MAX_ATTRIBUTES;
        if let (true, Ok(value)) = (fits, headers::text(name, value)) {
            envelope.message.attributes.entry(name.to_ascii_lowercase()).or_insert_with(|| value.to_owned());
        }
    }
    let one = |name: &str| headers.only(name).ok().flatten().filter(|text| text.len() <= MAX_TEXT).unwrap_or_default();
    let id = [one(MESSAGE_ID), one("ce-id")].into_iter().find(|id| !id.is_empty()).unwrap_or_default();
    envelope.delivery.message_id = id.to_owned();
    envelope.delivery.subscription = one(SUBSCRIPTION).to_owned();
    envelope.message.data = body.to_vec();
    envelope
}

fn is_attribute(name: &str, value: &[u8]) -> bool {
    let of_the_emulator =
        name.eq_ignore_ascii_case(attribute::CONTENT_TYPE) && value == EMULATORS_CONTENT_TYPE.as_bytes();
    !of_the_emulator
        && !NO_ATTRIBUTES.iter().any(|other| name.eq_ignore_ascii_case(other))
        && !NO_ATTRIBUTES_BEGIN.iter().any(|start| starts_with(name, start))
}
