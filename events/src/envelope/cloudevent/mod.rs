//! CloudEvents 1.0, as Eventarc sends them. Sources: the CloudEvents specification 1.0.2, its HTTP binding and its JSON
//! format; "CloudEvents format" in the Eventarc documentation.
//!
//! An event that says that a Pub/Sub message was published holds the wrapped envelope as its data, and is read as that
//! message. Any other is a message of its own: its data as they stand, and each context attribute as `ce-NAME`, for
//! rules to match on. Such an event has no signature.

mod binary;
mod context;
mod error;
mod structured;

use std::borrow::Cow;

pub use error::CloudEventError;

use self::context::Context;
use super::field::{self, MAX_TEXT, within};
use super::headers::Headers;
use super::{Envelope, Form, wrapped};
use crate::{Delivery, Message, attribute};

/// The type of an event whose data is a wrapped envelope.
const MESSAGE_PUBLISHED: &str = "google.cloud.pubsub.topic.v1.messagePublished";

/// An event taken out of either mode.
struct CloudEvent<'a> {
    context: Context,
    content_type: Option<String>,
    data: Cow<'a, [u8]>,
}

pub(super) fn binary(headers: &Headers<'_>, body: &[u8]) -> Result<Envelope, CloudEventError> {
    binary::read(headers, body)?.into_envelope()
}

pub(super) fn structured(body: &[u8]) -> Result<Envelope, CloudEventError> {
    structured::read(body)?.into_envelope()
}

impl CloudEvent<'_> {
    /// Where the message within has an id or a time of its own, that one counts: it is what the same message has in the
    /// other forms, so that a second delivery of it is known for one. Eventarc documents that its `id` is the
    /// message's; that they differ is no error, since nobody vouches for either, and a refusal would have the event
    /// come again for a week.
    fn into_envelope(self) -> Result<Envelope, CloudEventError> {
        let Self { context, content_type, data } = self;
        let version = context.required("specversion")?;
        if version != "1.0" {
            return Err(CloudEventError::Version(field::quoted(version)));
        }
        let id = context.required("id")?.to_owned();
        within(&id, MAX_TEXT, || context.place("id"))?;
        let source = context.required("source")?.to_owned();
        let time = field::time(context.get("time").unwrap_or_default(), || context.place("time"))?;
        let Envelope { message, delivery } = if context.required("type")? == MESSAGE_PUBLISHED {
            wrapped::decode(&data).map_err(CloudEventError::Message)?
        } else {
            let mut attributes = context.into_attributes();
            attributes.extend(content_type.map(|media| (attribute::CONTENT_TYPE.to_owned(), media)));
            let message = Message { data: data.into_owned(), attributes, ordering_key: None };
            Envelope { message, delivery: Delivery::default() }
        };
        let delivery = Delivery {
            message_id: if delivery.message_id.is_empty() { id } else { delivery.message_id },
            publish_time: delivery.publish_time.or(time),
            form: Form::CloudEvent,
            source: Some(source),
            ..delivery
        };
        Ok(Envelope { message, delivery })
    }
}
