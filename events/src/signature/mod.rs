//! Who may say that an event is genuine: signing on the way out, verifying on the way in.

mod scheme;
pub mod v1;
mod verified;

use std::time::SystemTime;

pub use scheme::{Scheme, UnknownScheme};
pub use verified::{Received, Verified};

use crate::{Envelope, Event, Key, Message};

/// Signs events. A transport takes nothing but what a signer made, so no event leaves unsigned.
#[derive(Debug, Clone)]
pub struct Signer {
    key: Key,
}

/// A message with its signature. Only a [`Signer`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedMessage(Message);

impl Signer {
    /// A signer that uses this key.
    #[must_use]
    pub fn new(key: Key) -> Self {
        Self { key }
    }

    /// The message that carries `event`, signed.
    #[must_use]
    pub fn sign(&self, event: &Event) -> SignedMessage {
        let mut message = event.to_message();
        let signature = v1::sign(&self.key, &message.data);
        message.attributes.insert(crate::attribute::SIGNATURE.into(), signature);
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

/// Verifies deliveries against a set of keys, by the schemes that it was told to accept.
#[derive(Debug, Clone)]
pub struct Verifier {
    keys: Vec<Key>,
    accept: Vec<Scheme>,
}

/// Why a delivery was not taken for genuine, or carries no event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// There is no signature of an accepted scheme.
    #[error(
        "the message has no signature of an accepted scheme: sign it (attribute `signature`) with a key the host holds"
    )]
    NotSigned,
    /// The signature is not of the scheme's form.
    #[error("the attribute `signature` is no hex text: {0}")]
    MalformedSignature(String),
    /// The signature matches under none of the keys.
    #[error("the signature matches under none of the host's keys: the data was changed, or signed with another key")]
    InvalidSignature,
    /// The signature is good, but there is no event type.
    #[error("the message has no attribute `event-type`, so no handler can be chosen for it")]
    MissingEventType,
}

impl Verifier {
    /// A verifier that holds `keys` and accepts `accept`. Without keys, or without schemes, nothing verifies.
    #[must_use]
    pub fn new(keys: Vec<Key>, accept: Vec<Scheme>) -> Self {
        Self { keys, accept }
    }

    /// Makes a verified event of an envelope. `arrival` stands in where neither publisher nor broker named a time.
    ///
    /// The signature is judged first: a stranger learns nothing about what else is wrong.
    ///
    /// # Errors
    /// See [`VerifyError`].
    pub fn verify(&self, envelope: Envelope, arrival: SystemTime) -> Result<Verified<Received>, VerifyError> {
        let Envelope { message, delivery } = envelope;
        self.verify_signature(&message)?;
        let event = Event::from_message(message, &delivery, arrival).ok_or(VerifyError::MissingEventType)?;
        Ok(Verified::new(Received { event, delivery }))
    }

    fn verify_signature(&self, message: &Message) -> Result<(), VerifyError> {
        if !self.accept.contains(&Scheme::V1) {
            return Err(VerifyError::NotSigned);
        }
        let signature = message.attributes.get(crate::attribute::SIGNATURE).ok_or(VerifyError::NotSigned)?;
        v1::verify(&self.keys, &message.data, signature)
    }
}
