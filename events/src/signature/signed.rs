use crate::reserved::Reserved;
use crate::{Message, attribute};

/// What a signature is judged over, borrowed from wherever a message lies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signed<'a> {
    /// The reserved attributes.
    pub(crate) reserved: Reserved<'a>,
    /// The ordering key that the message was delivered by.
    pub(crate) ordering_key: Option<&'a str>,
    /// The data, decoded.
    pub(crate) data: &'a [u8],
}

impl<'a> Signed<'a> {
    /// What there is of a message.
    pub(crate) fn of(message: &'a Message) -> Self {
        Self {
            reserved: Reserved::of(&message.attributes),
            ordering_key: message.ordering_key.as_deref(),
            data: &message.data,
        }
    }

    /// Whether there is a signature, of whichever scheme.
    pub(crate) fn is_signed(&self) -> bool {
        [attribute::SIGNATURE_V2, attribute::SIGNATURE].iter().any(|name| self.reserved.get(name).is_some())
    }
}
