use std::sync::Arc;
use std::time::SystemTime;

use hyper::Request;
use hyper::body::Incoming;
use tidemill_events::{Delivery, Envelope, Message, Received, Sender, Unverified, Verified, Verifier, VerifyError};

use super::Ingress;
use super::body::Room;
use crate::auth;
use crate::dispatch::{Arrival, Entry, Refused};
use crate::keys::Keys;
use crate::outcome::Refusal;
use crate::telemetry::TraceContext;

/// What makes an event genuine.
pub struct Trust {
    /// The rules.
    pub verifier: Verifier,
    /// The keys.
    pub keys: Arc<Keys>,
}

/// An event that is to be handled.
pub(super) struct Taken {
    pub(super) arrival: Arrival,
    pub(super) entry: Entry,
    /// What it holds in memory is counted until its end.
    pub(super) room: Room,
}

/// A request that is not taken, and the id that names it.
pub(super) struct NotTaken {
    pub(super) message_id: String,
    pub(super) refused: Refused,
    /// What it holds is counted until its end too: it may yet be stored.
    pub(super) held: Option<(Entry, Room)>,
}

impl Ingress {
    /// A request's whole way to a verified event: authenticate, admit, read, decode, verify.
    pub(super) async fn receive(
        &self,
        request: Request<Incoming>,
        trace: Option<TraceContext>,
        fallback_id: &str,
    ) -> Result<Taken, Box<NotTaken>> {
        let not_taken = |refusal, sender, parcel: Option<(Message, Delivery)>| {
            let id = parcel.as_ref().map(|(_, delivery)| delivery.message_id.clone());
            let message_id = id.unwrap_or_else(|| fallback_id.to_owned());
            Box::new(NotTaken { message_id, refused: Refused { refusal, sender, parcel }, held: None })
        };
        let nameless = |refusal| not_taken(refusal, Sender::Stranger, None);
        let now = (self.clock)();
        let sender = match self.auth.authenticate(request.headers(), now).await {
            Ok(auth::Sender::Anybody) => Sender::Stranger,
            Ok(auth::Sender::Vouched { email }) => {
                tracing::Span::current().record("sender", email);
                Sender::Vouched
            }
            Err(error) => return Err(nameless(error.into())),
        };
        let entry = self.admit().map_err(nameless)?;
        let (head, body) = request.into_parts();
        let (body, room) = self.bodies.read(body, self.shutdown()).await.map_err(nameless)?;
        let headers = || head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let named = |mut envelope: Envelope| {
            if envelope.delivery.message_id.is_empty() {
                fallback_id.clone_into(&mut envelope.delivery.message_id);
            }
            envelope
        };
        let verified = match Envelope::from_request(headers(), &body) {
            Ok(envelope) => {
                drop(body);
                let verified = self.trust.verify(named(envelope), sender, now).await;
                verified.map_err(|unverified| (unverified.reason.into(), unverified.envelope))
            }
            Err(error) => Err((error.into(), named(Envelope::salvage(headers(), &body)))),
        };
        let received = match verified {
            Ok(received) => received,
            Err((refusal, Envelope { message, delivery })) => {
                let mut not_taken = not_taken(refusal, sender, Some((message, delivery)));
                not_taken.held = Some((entry, room));
                return Err(not_taken);
            }
        };
        let span = tracing::Span::current();
        span.record("event_id", &received.event.id);
        span.record("event_type", &received.event.event_type);
        span.record("attempt", received.delivery.attempt);
        span.record("form", tracing::field::display(received.delivery.form));
        Ok(Taken { arrival: Arrival { received, sender, trace }, entry, room })
    }

    /// Lets a request in, or refuses it before its body is read.
    fn admit(&self) -> Result<Entry, Refusal> {
        self.dispatcher.admit()?;
        Arc::clone(&self.receiving).try_acquire_owned().map_err(|_| Refusal::Overloaded(self.max_receiving))
    }
}

impl Trust {
    /// Verifies an envelope; where it is signed with no key of the ring, also with keys that have come since.
    async fn verify(
        &self,
        envelope: Envelope,
        sender: Sender,
        now: SystemTime,
    ) -> Result<Verified<Received>, Box<Unverified>> {
        let ring = self.keys.ring();
        let unverified = match self.verifier.verify(&ring, envelope, sender, now) {
            Ok(received) => return Ok(received),
            Err(unverified) => unverified,
        };
        match unverified.reason {
            VerifyError::UnknownKey(_) | VerifyError::InvalidSignature => match self.keys.newer_than(&ring).await {
                Some(ring) => self.verifier.verify(&ring, unverified.envelope, sender, now),
                None => Err(unverified),
            },
            _ => Err(unverified),
        }
    }
}
