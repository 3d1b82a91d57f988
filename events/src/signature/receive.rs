//! From a request to a verified event in one go: read once, borrowed, and copied only once it is known to be genuine.

use std::borrow::Cow;
use std::time::SystemTime;

use super::verifier::Judged;
use super::{Received, Sender, Signed, Unverified, Verified, Verifier};
use crate::envelope::{Headers, Wrapped};
use crate::reserved::Reserved;
use crate::{Envelope, EnvelopeError, Event, KeyRing};

/// Why a request brought no event that is genuine.
#[derive(Debug)]
pub enum NotReceived {
    /// It is no envelope.
    NoEnvelope(Box<NoEnvelope>),
    /// It is one, and nobody vouches for it.
    Unverified(Box<Unverified>),
}

/// A request that holds no envelope.
#[derive(Debug)]
pub struct NoEnvelope {
    /// Why.
    pub error: EnvelopeError,
    /// What can be [made of it](Envelope::salvage), for whoever has to look into it.
    pub salvaged: Envelope,
}

impl Verifier {
    /// Makes a verified event of a request: what [`Envelope::from_request`] and [`Verifier::verify`] make of it one after the
    /// other, by the same rules and with the same errors, in fewer steps for the form that nearly all requests have.
    ///
    /// A body that is owned becomes the event's data: it is decoded where it lies. `unnamed` makes an id for a message that
    /// came without one.
    ///
    /// # Errors
    /// See [`NotReceived`].
    pub fn receive<'h>(
        &self,
        keys: &KeyRing,
        headers: impl Iterator<Item = (&'h str, &'h [u8])>,
        body: Cow<'_, [u8]>,
        sender: Sender,
        now: SystemTime,
        unnamed: impl Fn() -> String + Copy,
    ) -> Result<Verified<Received>, NotReceived> {
        let headers = Headers::new(headers);
        let named = |mut envelope: Envelope| {
            envelope.delivery.or_named(unnamed);
            envelope
        };
        let lost = |error: EnvelopeError, body: &[u8]| {
            let salvaged = named(Envelope::salvaged(&headers, body));
            NotReceived::NoEnvelope(Box::new(NoEnvelope { error, salvaged }))
        };
        if !Envelope::is_wrapped(&headers) {
            let envelope = Envelope::read(&headers, &body).map_err(|error| lost(error, &body))?;
            return self.verify(keys, named(envelope), sender, now).map_err(NotReceived::Unverified);
        }
        let verified = match body {
            Cow::Borrowed(body) => {
                let wrapped =
                    Wrapped::parse(body).and_then(Wrapped::fits).and_then(|wrapped| Ok((wrapped.decode()?, wrapped)));
                let (data, wrapped) = wrapped.map_err(|error| lost(EnvelopeError::wrapped(error, body), body))?;
                self.open(keys, wrapped, data, sender, now, unnamed)
            }
            Cow::Owned(body) => {
                let wrapped = Wrapped::parse(&body).and_then(Wrapped::fits).map(|wrapped| wrapped.detach(&body));
                let wrapped = wrapped.map_err(|error| lost(EnvelopeError::wrapped(error, &body), &body))?;
                let (data, wrapped) = wrapped
                    .decode_in(body)
                    .map_err(|(error, body)| lost(EnvelopeError::wrapped(error, &body), &body))?;
                self.open(keys, wrapped, data, sender, now, unnamed)
            }
        };
        verified.map_err(NotReceived::Unverified)
    }

    /// Verifies an envelope that was read, and makes an event of it.
    fn open(
        &self,
        keys: &KeyRing,
        mut wrapped: Wrapped<'_>,
        data: Vec<u8>,
        sender: Sender,
        now: SystemTime,
        unnamed: impl FnOnce() -> String,
    ) -> Result<Verified<Received>, Box<Unverified>> {
        wrapped.delivery.or_named(unnamed);
        let mut reserved = Reserved::default();
        for (name, value) in &wrapped.attributes {
            _ = reserved.put(name, value);
        }
        let signed = Signed { reserved, ordering_key: wrapped.ordering_key.as_deref(), data: &data };
        // Only its sender may vouch for what has no signature, and the rules for that look at all attributes.
        if !signed.is_signed() {
            return self.verify(keys, wrapped.into_envelope(data), sender, now);
        }
        let Judged { voucher, event_type, time } = match self.judge_signed(keys, &signed, now) {
            Ok(judged) => judged,
            Err(reason) => return Err(Box::new(Unverified { envelope: wrapped.into_envelope(data), reason })),
        };
        let kept = reserved.keep();
        let event = Event::of(&reserved, wrapped.ordering_key.clone(), &wrapped.delivery, event_type, time, now);
        let (attributes, delivery) = wrapped.into_others();
        Ok(Verified::new(Received::new(Event { attributes, data, ..event }, delivery, voucher, kept)))
    }
}
