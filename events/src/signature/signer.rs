use super::{Scheme, v1, v2};
use crate::{Event, Key, Message, attribute};

/// Signs events. A transport takes nothing but what a signer made, so no event leaves unsigned.
#[derive(Debug, Clone)]
pub struct Signer {
    key: Key,
    schemes: Schemes,
}

/// Which signatures a message gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schemes {
    /// v2, and v1 for hosts that know no other.
    Both,
    /// One alone.
    Only(Scheme),
}

impl Schemes {
    fn contain(self, scheme: Scheme) -> bool {
        match self {
            Self::Both => true,
            Self::Only(only) => only == scheme,
        }
    }
}

/// A message with its signature. Only a [`Signer`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedMessage(Message);

impl Signer {
    /// A signer that uses this key and signs by both schemes, v2 and v1.
    #[must_use]
    pub fn new(key: Key) -> Self {
        Self { key, schemes: Schemes::Both }
    }

    /// Sets the schemes to sign by.
    #[must_use]
    pub fn schemes(mut self, schemes: Schemes) -> Self {
        self.schemes = schemes;
        self
    }

    /// The message that carries `event`, signed.
    #[must_use]
    pub fn sign(&self, event: &Event) -> SignedMessage {
        let mut message = event.to_message();
        if self.schemes.contain(Scheme::V1) {
            let signature = v1::sign(&self.key, &message.data);
            message.attributes.insert(attribute::SIGNATURE.into(), signature);
        }
        if self.schemes.contain(Scheme::V2) {
            let signature = v2::sign(&self.key, &message);
            message.attributes.insert(attribute::SIGNATURE_V2.into(), signature);
        }
        SignedMessage(message)
    }
}

impl SignedMessage {
    /// The message, as it goes on the wire.
    #[must_use]
    pub fn message(&self) -> &Message {
        &self.0
    }

    /// The message, to be taken apart.
    #[must_use]
    pub fn into_message(self) -> Message {
        self.0
    }
}
