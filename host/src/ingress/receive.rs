use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use hyper::body::Incoming;
use hyper::{HeaderMap, Request};
use tidemill_events::{Envelope, NotReceived, Received, Sender, Verified, Verifier, VerifyError};
use uuid::Uuid;

use super::Ingress;
use super::body::{Room, Whole};
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
    /// Who sent it, where that was proved.
    pub(super) email: Option<String>,
}

/// A request that is not taken, and the id that names it.
pub(super) struct NotTaken {
    pub(super) message_id: String,
    pub(super) refused: Refused,
    /// Who sent it, where that was proved.
    pub(super) email: Option<String>,
    /// What it holds is counted until its end too: it may yet be stored.
    pub(super) held: Option<(Entry, Room)>,
}

impl Ingress {
    /// A request's whole way to a verified event: authenticate, admit, read, decode, verify.
    pub(super) async fn receive(
        &self,
        request: Request<Incoming>,
        trace: Option<&TraceContext>,
    ) -> Result<Taken, Box<NotTaken>> {
        let now = (self.clock)();
        let (sender, email) = match self.auth.authenticate(request.headers(), now).await {
            Ok(auth::Sender::Anybody) => (Sender::Stranger, None),
            Ok(auth::Sender::Vouched { email }) => (Sender::Vouched, Some(email)),
            Err(error) => return Err(NotTaken::nameless(error.into(), None)),
        };
        let nameless = |refusal| NotTaken::nameless(refusal, email.clone());
        let entry = self.admit().map_err(nameless)?;
        let (head, body) = request.into_parts();
        let (body, room) = self.bodies.read(body, self.shutdown()).await.map_err(nameless)?;
        match self.trust.receive(&head.headers, body, sender, now).await {
            Ok(received) => {
                let arrival = Arrival { received, sender, trace: trace.cloned() };
                Ok(Taken { arrival, entry, room, email })
            }
            Err((refusal, Envelope { message, delivery })) => {
                let message_id = delivery.message_id.clone();
                let refused = Refused { refusal, sender, parcel: Some((message, delivery)) };
                Err(Box::new(NotTaken { message_id, refused, email, held: Some((entry, room)) }))
            }
        }
    }

    /// Lets a request in, or refuses it before its body is read.
    fn admit(&self) -> Result<Entry, Refusal> {
        self.dispatcher.admit()?;
        self.receiving.take(1).ok_or(Refusal::Overloaded(self.max_receiving))
    }
}

impl NotTaken {
    /// A request of which not even an envelope was read.
    fn nameless(refusal: Refusal, email: Option<String>) -> Box<Self> {
        let refused = Refused { refusal, sender: Sender::Stranger, parcel: None };
        Box::new(Self { message_id: local_id(), refused, email, held: None })
    }
}

fn local_id() -> String {
    format!("local-{}", Uuid::now_v7())
}

impl Trust {
    /// Makes a verified event of a request; where it is signed with no key of the ring, also with keys that have come since.
    async fn receive(
        &self,
        headers: &HeaderMap,
        body: Whole,
        sender: Sender,
        now: SystemTime,
    ) -> Result<Verified<Received>, (Refusal, Envelope)> {
        let ring = self.keys.ring();
        let texts = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        // What came in one piece is still held by the connection's buffer, and can't be used again; it is let go before
        // anybody is waited for.
        let received = match body {
            Whole::Own(body) => self.verifier.receive(&ring, texts, Cow::Owned(body), sender, now, local_id),
            Whole::Piece(body) => self.verifier.receive(&ring, texts, Cow::Borrowed(&body), sender, now, local_id),
        };
        let unverified = match received {
            Ok(received) => return Ok(received),
            Err(NotReceived::NoEnvelope(no)) => return Err((no.error.into(), no.salvaged)),
            Err(NotReceived::Unverified(unverified)) => unverified,
        };
        let newer = match unverified.reason {
            VerifyError::UnknownKey(_) | VerifyError::InvalidSignature => self.keys.newer_than(&ring).await,
            _ => None,
        };
        let verified = match newer {
            Some(ring) => self.verifier.verify(&ring, unverified.envelope, sender, now),
            None => Err(unverified),
        };
        verified.map_err(|unverified| (unverified.reason.into(), unverified.envelope))
    }
}
