use std::fmt;

use tidemill_events::{Event, SignedMessage, Signer};

/// What signs the events of a publisher: a [`Signer`] with its one key, or what picks a key anew for each event, where keys
/// change while the application runs.
pub trait Signing: fmt::Debug + Send + Sync {
    /// The message that carries `event`, signed. `None` while there is no key to sign with.
    fn sign(&self, event: &Event) -> Option<SignedMessage>;
}

impl Signing for Signer {
    fn sign(&self, event: &Event) -> Option<SignedMessage> {
        Some(Signer::sign(self, event))
    }
}
