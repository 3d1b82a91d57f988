//! The wire forms of a delivery. So far one: the JSON that a push subscription wraps a message in.

mod wrapped;

pub use wrapped::WrappedError;

use std::time::SystemTime;

use crate::{Delivery, Event, Message, Received, Voucher, attribute};

/// One delivery, taken out of its wire form. Nothing in it is verified.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Envelope {
    /// What the publisher sent.
    pub message: Message,
    /// What the broker added.
    pub delivery: Delivery,
}

/// Why bytes are no envelope.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct EnvelopeError(#[from] WrappedError);

impl Envelope {
    /// Reads the wrapped form: the JSON body of a push request.
    ///
    /// Fields that it doesn't know are passed over. The id and the time may be in either spelling (`messageId`,
    /// `message_id`). Absent attributes are no attributes; absent data is no data.
    ///
    /// # Errors
    /// Where the body is no JSON, lacks `message`, or has a field of another form; the error names the field.
    pub fn decode(body: &[u8]) -> Result<Self, EnvelopeError> {
        Ok(wrapped::decode(body)?)
    }

    /// The event, with nobody's word that it is genuine: for tools that show or try events, never for a host.
    /// `arrival` stands in where neither publisher nor broker named a time. `None` where there is no event type.
    #[must_use]
    pub fn into_unverified(self, arrival: SystemTime) -> Option<Received> {
        let Self { message, delivery } = self;
        let event_type = message.attributes.get(attribute::EVENT_TYPE).filter(|text| !text.is_empty())?.clone();
        let (event, reserved) = Event::from_message(message, &delivery, event_type, arrival);
        Some(Received::new(event, delivery, Voucher::Nobody, reserved))
    }

    /// Writes the wrapped form, id and time in both spellings, as a push request has it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        wrapped::encode(self)
    }
}
