//! The wire forms of a delivery: wrapped JSON, unwrapped with metadata, CloudEvents. One message comes out the same,
//! whichever it travelled in.

mod cloudevent;
mod field;
mod form;
mod headers;
mod in_place;
mod json;
mod unwrapped;
mod wrapped;

pub use cloudevent::CloudEventError;
pub use field::{FieldError, Place};
pub use form::Form;
pub use json::JsonError;
pub(crate) use wrapped::Wrapped;
pub use wrapped::WrappedError;

use std::time::SystemTime;

use self::form::Claim;
pub(crate) use self::headers::Headers;
use crate::{Delivery, Event, Message, Received, Voucher, attribute};

/// One delivery, taken out of its wire form. Nothing in it is verified.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Envelope {
    /// What the publisher sent.
    pub message: Message,
    /// What the broker added.
    pub delivery: Delivery,
}

/// Why a request holds no envelope. Errors name the field or header, and repeat 64 characters of it at most.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// The body is no wrapped envelope.
    #[error(transparent)]
    Wrapped(#[from] WrappedError),
    /// The body is none, and the headers of the other forms are absent: most likely data without its metadata.
    #[error(
        "{0}; nor are there headers of another form, `x-goog-pubsub-…` or `ce-…` (a subscription that doesn't wrap its \
         messages needs --push-no-wrapper-write-metadata)"
    )]
    NoForm(WrappedError),
    /// A header of the unwrapped form is wrong, or the data are longer than any broker delivers.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The request is no CloudEvent that can be read here.
    #[error(transparent)]
    CloudEvent(#[from] CloudEventError),
    /// The headers claim two forms at once, so that two readers could disagree.
    #[error("the headers `{0}` and `{1}` claim two forms of envelope at once: send one")]
    TwoForms(&'static str, &'static str),
}

impl EnvelopeError {
    /// What is wrong with a body that should be a wrapped envelope.
    pub(crate) fn wrapped(error: WrappedError, body: &[u8]) -> Self {
        if error.is_of_another_form(body) { Self::NoForm(error) } else { error.into() }
    }
}

impl Envelope {
    /// Reads the envelope of a request, in whichever form it is.
    ///
    /// `headers` are the request's, in order and repeated where they are; names in any case. The headers alone say which
    /// form it is: `content-type: application/cloudevents+json` is a CloudEvent in structured mode, any header `ce-…`
    /// one in binary mode; `x-goog-pubsub-message-id` or `x-goog-pubsub-subscription-name` is the unwrapped form; all
    /// else is wrapped. [`Delivery::form`] says which it was.
    ///
    /// # Errors
    /// Where the headers claim two forms, or the request breaks the rules of the one that it claims, or has more than
    /// 10 MiB of data.
    pub fn from_request<'a>(
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
        body: &[u8],
    ) -> Result<Self, EnvelopeError> {
        Self::read(&Headers::new(headers), body)
    }

    pub(crate) fn read(headers: &Headers<'_>, body: &[u8]) -> Result<Self, EnvelopeError> {
        let envelope = match Claim::of(headers)? {
            Claim::Wrapped => wrapped::decode(body).map_err(|error| EnvelopeError::wrapped(error, body))?,
            Claim::Unwrapped => unwrapped::decode(headers, body)?,
            Claim::Binary => cloudevent::binary(headers, body)?,
            Claim::Structured => cloudevent::structured(body)?,
        };
        field::data_fits(envelope.message.data.len())?;
        Ok(envelope)
    }

    /// Whether the headers claim the wrapped form.
    pub(crate) fn is_wrapped(headers: &Headers<'_>) -> bool {
        matches!(Claim::of(headers), Ok(Claim::Wrapped))
    }

    /// Makes what it can of a request that [holds no envelope](Self::from_request), for whoever has to look into it: the
    /// body as data, the headers that may be attributes as such, credentials never among them, and what ids there are.
    #[must_use]
    pub fn salvage<'a>(headers: impl IntoIterator<Item = (&'a str, &'a [u8])>, body: &[u8]) -> Self {
        Self::salvaged(&Headers::new(headers), body)
    }

    pub(crate) fn salvaged(headers: &Headers<'_>, body: &[u8]) -> Self {
        unwrapped::salvage(headers, body)
    }

    /// In the unwrapped form, one value of `content-type` may be the publisher's or the emulator's own, and is read as the
    /// latter's. Takes it for the publisher's instead, and says whether that is possible.
    pub(crate) fn put_back_what_the_emulator_writes_too(&mut self) -> bool {
        let attributes = &mut self.message.attributes;
        let possible = self.delivery.form == Form::Unwrapped && !attributes.contains_key(attribute::CONTENT_TYPE);
        if possible {
            attributes.insert(attribute::CONTENT_TYPE.to_owned(), unwrapped::EMULATORS_CONTENT_TYPE.to_owned());
        }
        possible
    }

    /// Undoes [`Self::put_back_what_the_emulator_writes_too`].
    pub(crate) fn take_out_what_was_put_back(&mut self) {
        self.message.attributes.remove(attribute::CONTENT_TYPE);
    }

    /// Reads the wrapped form alone: the JSON body of a push request.
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
        let (event, reserved) = Event::from_message(message, &delivery, event_type, None, arrival);
        Some(Received::new(event, delivery, Voucher::Nobody, reserved))
    }

    /// Writes the wrapped form, id and time in both spellings, as a push request has it. The form that the envelope came
    /// in, and a CloudEvent's source, have no place there.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        wrapped::encode(self)
    }
}
