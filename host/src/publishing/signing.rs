use std::sync::Arc;

use tidemill_events::{Event, Schemes, SignedMessage, Signer};
use tidemill_publisher::Signing;

use crate::keys::Keys;

/// Signs with the first key of the host's ring as it is at that moment, so that a key counts as soon as it is the first.
#[derive(Debug, Clone)]
pub struct RingSigner {
    keys: Arc<Keys>,
    schemes: Schemes,
}

impl RingSigner {
    /// A signer by these schemes.
    #[must_use]
    pub fn new(keys: Arc<Keys>, schemes: Schemes) -> Self {
        Self { keys, schemes }
    }
}

impl Signing for RingSigner {
    fn sign(&self, event: &Event) -> Option<SignedMessage> {
        let ring = self.keys.ring();
        let key = ring.keys().first()?;
        Some(Signer::new(key.clone()).schemes(self.schemes).sign(event))
    }
}
