use std::sync::Arc;
use std::time::SystemTime;

use hyper::Request;
use hyper::body::Incoming;
use tidemill_events::{Delivery, Envelope, Message, Received, Sender, Unverified, Verified, Verifier, VerifyError};
use tokio::sync::SemaphorePermit;

use super::Ingress;
use super::body::Room;
use crate::auth;
use crate::dispatch::Refused;
use crate::keys::Keys;
use crate::outcome::Refusal;

/// What makes an event genuine.
pub struct Trust {
    /// The rules.
    pub verifier: Verifier,
    /// The keys.
    pub keys: Arc<Keys>,
}

/// An event that is to be handled.
pub(super) struct Taken {
    pub(super) received: Verified<Received>,
    pub(super) sender: Sender,
    /// What it holds in memory is counted until its end.
    pub(super) room: Room,
}

/// A request that is not taken, and the id that names it.
pub(super) struct NotTaken {
    pub(super) message_id: String,
    pub(super) refused: Refused,
}

impl Ingress {
    /// A request's whole way to a verified event: authenticate, admit, read, decode, verify.
    pub(super) async fn receive(&self, request: Request<Incoming>, fallback_id: &str) -> Result<Taken, Box<NotTaken>> {
        let not_taken = |refusal, sender, parcel| {
            Box::new(NotTaken { message_id: fallback_id.to_owned(), refused: Refused { refusal, sender, parcel } })
        };
        let nameless = |refusal| not_taken(refusal, Sender::Stranger, None);
        let now = (self.clock)();
        let sender = match self.auth.authenticate(request.headers(), now).await {
            Ok(auth::Sender::Anybody) => Sender::Stranger,
            Ok(auth::Sender::Vouched { .. }) => Sender::Vouched,
            Err(error) => return Err(nameless(error.into())),
        };
        let _receiving = self.admit().map_err(nameless)?;
        let (head, body) = request.into_parts();
        let (body, room) = self.bodies.read(body, self.shutdown()).await.map_err(nameless)?;
        let headers = head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let mut envelope = Envelope::from_request(headers, &body).map_err(|error| {
            let delivery = Delivery { message_id: fallback_id.to_owned(), ..Delivery::default() };
            let message = Message { data: body.to_vec(), ..Message::default() };
            not_taken(error.into(), sender, Some((message, delivery)))
        })?;
        drop((head, body));
        if envelope.delivery.message_id.is_empty() {
            fallback_id.clone_into(&mut envelope.delivery.message_id);
        }
        let received = self.trust.verify(envelope, sender, now).await.map_err(|unverified| {
            let Unverified { envelope: Envelope { message, delivery, .. }, reason } = *unverified;
            let message_id = delivery.message_id.clone();
            Box::new(NotTaken { message_id, ..*not_taken(reason.into(), sender, Some((message, delivery))) })
        })?;
        let span = tracing::Span::current();
        span.record("event_id", &received.event.id);
        span.record("event_type", &received.event.event_type);
        span.record("attempt", received.delivery.attempt);
        span.record("form", tracing::field::display(received.delivery.form));
        Ok(Taken { received, sender, room })
    }

    /// Lets a request in, or refuses it before its body is read.
    fn admit(&self) -> Result<SemaphorePermit<'_>, Refusal> {
        self.dispatcher.admit()?;
        self.receiving.try_acquire().map_err(|_| Refusal::Overloaded(self.max_receiving))
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
