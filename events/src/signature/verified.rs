use std::ops::Deref;

use super::Scheme;
use crate::reserved::KeptReserved;
use crate::{Delivery, Event, Message, attribute};

/// A value that somebody vouches for. Only this crate makes one, so to hold one is the proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<T>(T);

/// An event together with the delivery that brought it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// What the publisher emitted.
    pub event: Event,
    /// What this delivery adds.
    pub delivery: Delivery,
    /// Who vouches for it.
    pub voucher: Voucher,
    /// The reserved attributes as they came.
    reserved: KeptReserved,
}

/// Who vouches for an event, and so for how much of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Voucher {
    /// Nobody: a tool made it up, or reads it from a file.
    Nobody,
    /// A signature.
    Signature {
        /// Its scheme. Version 1 vouches for the data alone.
        scheme: Scheme,
        /// The key that it was made with.
        key_id: String,
    },
    /// The sender's token, and a rule that takes this source without a signature.
    Exemption {
        /// The subscription or source that the rule names.
        source: String,
    },
}

impl Received {
    /// An event that nobody vouches for, for tools that show or try events.
    #[must_use]
    pub fn unverified(event: Event, delivery: Delivery) -> Self {
        Self { event, delivery, voucher: Voucher::Nobody, reserved: KeptReserved::default() }
    }

    pub(crate) fn new(event: Event, delivery: Delivery, voucher: Voucher, reserved: KeptReserved) -> Self {
        Self { event, delivery, voucher, reserved }
    }

    /// The id that the publisher gave the event, where a signature vouches for it: the name under which the event is the
    /// same, however often it was published or delivered.
    #[must_use]
    pub fn vouched_id(&self) -> Option<&str> {
        match &self.voucher {
            Voucher::Signature { scheme: Scheme::V2, .. } => Some(&self.event.id),
            Voucher::Signature { scheme: Scheme::V1, .. } | Voucher::Exemption { .. } | Voucher::Nobody => None,
        }
    }

    /// What else tells the message from others where its id alone is nobody's word: under version 1 a stranger can put any
    /// id on a message that was signed once, but can't sign another.
    #[must_use]
    pub fn telling(&self) -> [&str; 2] {
        match &self.voucher {
            Voucher::Signature { scheme: Scheme::V1, .. } => {
                [&self.event.event_type, self.reserved.get(attribute::SIGNATURE).unwrap_or_default()]
            }
            Voucher::Signature { scheme: Scheme::V2, .. } | Voucher::Exemption { .. } | Voucher::Nobody => ["", ""],
        }
    }

    /// The message and the delivery as they came, to be kept or sent on: with all attributes, the signatures included.
    #[must_use]
    pub fn into_message(self) -> (Message, Delivery) {
        let Event { ordering_key, mut attributes, data, .. } = self.event;
        attributes.extend(self.reserved.iter().map(|(name, value)| (name.to_owned(), value.to_owned())));
        (Message { data, attributes, ordering_key }, self.delivery)
    }
}

impl<T> Verified<T> {
    pub(super) fn new(value: T) -> Self {
        Self(value)
    }

    /// The value. It is no longer marked as verified.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
