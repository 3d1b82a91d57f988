use std::time::{Duration, SystemTime};

use super::{Exemption, Received, Scheme, Signed, Verified, Voucher, v1, v2};
use crate::reserved::Reserved;
use crate::{Envelope, Event, KeyRing, attribute, format_rfc3339, parse_rfc3339};

/// How far a publisher's clock may be ahead of the host's.
pub const CLOCK_SKEW: Duration = Duration::from_secs(5 * 60);
/// The longest event id, in bytes.
pub(crate) const MAX_EVENT_ID: usize = 255;

/// Judges deliveries: by the schemes that it was told to accept, and by rules for the sources that can't sign.
#[derive(Debug, Clone)]
pub struct Verifier {
    accept: Vec<Scheme>,
    max_age: Duration,
    exemptions: Vec<Exemption>,
}

/// What is known of who sent a request, apart from what it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// Nothing: only a signature can vouch for what it sends.
    Stranger,
    /// It proved to be the one that may deliver.
    Vouched,
}

/// A delivery that was not taken for genuine, whole, with the reason.
#[derive(Debug)]
pub struct Unverified {
    /// What was delivered.
    pub envelope: Envelope,
    /// Why it was not taken.
    pub reason: VerifyError,
}

/// Why a delivery was not taken for genuine, or carries no event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// There is no signature of an accepted scheme.
    #[error(
        "the message has no signature of an accepted scheme: sign it (attribute `signature-v2`, or `signature` where \
         the host accepts v1) with a key that the host holds"
    )]
    NotSigned,
    /// The signature is not of the scheme's form.
    #[error("{0}")]
    MalformedSignature(String),
    /// The signature matches under none of the keys.
    #[error(
        "the signature doesn't match under the host's keys: the message was changed, or signed with another secret"
    )]
    InvalidSignature,
    /// The signature names a key that isn't there.
    #[error(
        "the signature was made with the key {0:?}, which this host doesn't hold: give it to the host, or sign with another"
    )]
    UnknownKey(String),
    /// The signature is good, but there is no event type.
    #[error("the message has no attribute `event-type`, so no handler can be chosen for it")]
    MissingEventType,
    /// The signature is good, but there is no event id.
    #[error("the message has no attribute `event-id`: its publisher gives each event one, such as a UUIDv7")]
    MissingEventId,
    /// The event id has another form.
    #[error("the attribute `event-id` is no id: it has 1 to {MAX_EVENT_ID} visible ASCII characters")]
    MalformedEventId,
    /// The event time is missing or has another form.
    #[error("the attribute `event-time`: {0}")]
    MalformedEventTime(String),
    /// The event happened too long ago.
    #[error(
        "the event is of {time}, longer ago than the {max_age:?} that `max-event-age` allows: it was held up, or is \
         being replayed"
    )]
    TooOld {
        /// When it happened.
        time: String,
        /// How old an event may be.
        max_age: Duration,
    },
    /// The event has not happened yet.
    #[error(
        "the event is of {0}, which is yet to come: one of the two clocks, the publisher's or the host's, is wrong"
    )]
    FromTheFuture(String),
}

impl VerifyError {
    /// Whether the same message can never be taken, whatever else changes.
    ///
    /// A key may be on its way to the host, and a clock may be set right; all else is final.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self {
            Self::UnknownKey(_) | Self::FromTheFuture(_) => false,
            Self::NotSigned
            | Self::MalformedSignature(_)
            | Self::InvalidSignature
            | Self::MissingEventType
            | Self::MissingEventId
            | Self::MalformedEventId
            | Self::MalformedEventTime(_)
            | Self::TooOld { .. } => true,
        }
    }
}

impl Verifier {
    /// A verifier that accepts `accept`. Without schemes nothing that is signed verifies.
    #[must_use]
    pub fn new(accept: Vec<Scheme>) -> Self {
        Self { accept, max_age: Duration::MAX, exemptions: Vec::new() }
    }

    /// Sets how old an event signed by v2 may be. Without this call, as old as it likes.
    ///
    /// The time is what ends a replay: an event id is remembered for a while, and nothing may be played again after it.
    #[must_use]
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = max_age;
        self
    }

    /// Sets the rules for sources that can't sign. The first that covers a message counts.
    #[must_use]
    pub fn exemptions(mut self, exemptions: Vec<Exemption>) -> Self {
        self.exemptions = exemptions;
        self
    }

    /// Makes a verified event of an envelope. `now` is the wall clock; it also stands in where neither publisher nor
    /// broker named a time.
    ///
    /// The signature is judged first: a stranger learns nothing about what else is wrong. Where there is a v2 signature
    /// it decides, whatever the host accepts: a bad one is never rescued by a good v1.
    ///
    /// # Errors
    /// See [`VerifyError`]; the envelope comes back with it.
    pub fn verify(
        &self,
        keys: &KeyRing,
        envelope: Envelope,
        sender: Sender,
        now: SystemTime,
    ) -> Result<Verified<Received>, Box<Unverified>> {
        let mut envelope = envelope;
        let mut judged = self.judge(keys, &envelope, sender, now);
        if judged == Err(VerifyError::InvalidSignature) && envelope.put_back_what_the_emulator_writes_too() {
            judged = self.judge(keys, &envelope, sender, now);
            if judged.is_err() {
                envelope.take_out_what_was_put_back();
            }
        }
        match judged {
            Ok(Judged { voucher, event_type, time }) => {
                let Envelope { message, delivery, .. } = envelope;
                let (event, reserved) = Event::from_message(message, &delivery, event_type, time, now);
                Ok(Verified::new(Received::new(event, delivery, voucher, reserved)))
            }
            Err(reason) => Err(Box::new(Unverified { envelope, reason })),
        }
    }

    fn judge(
        &self,
        keys: &KeyRing,
        envelope: &Envelope,
        sender: Sender,
        now: SystemTime,
    ) -> Result<Judged, VerifyError> {
        let signed = Signed::of(&envelope.message);
        if signed.is_signed() { self.judge_signed(keys, &signed, now) } else { self.exempt(envelope, sender) }
    }

    /// The same of a message that has a signature.
    pub(super) fn judge_signed(
        &self,
        keys: &KeyRing,
        signed: &Signed<'_>,
        now: SystemTime,
    ) -> Result<Judged, VerifyError> {
        let reserved = &signed.reserved;
        let (v2, v1) = (reserved.get(attribute::SIGNATURE_V2), reserved.get(attribute::SIGNATURE));
        let v1 = v1.filter(|_| self.accept.contains(&Scheme::V1));
        let (scheme, key) = match (v2, v1) {
            (Some(v2), v1) => {
                let key = v2::verify(keys, signed, v2)?;
                match v1 {
                    _ if self.accept.contains(&Scheme::V2) => (Scheme::V2, key),
                    Some(v1) => (Scheme::V1, v1::verify(keys, signed.data, v1)?),
                    None => return Err(VerifyError::NotSigned),
                }
            }
            (None, Some(v1)) => (Scheme::V1, v1::verify(keys, signed.data, v1)?),
            (None, None) => return Err(VerifyError::NotSigned),
        };
        let event_type = reserved.given(attribute::EVENT_TYPE).ok_or(VerifyError::MissingEventType)?;
        let time = match scheme {
            Scheme::V2 => Some(self.judge_identity(reserved, now)?),
            Scheme::V1 => None,
        };
        let voucher = Voucher::Signature { scheme, key_id: key.id().to_owned() };
        Ok(Judged { voucher, event_type: event_type.to_owned(), time })
    }

    fn exempt(&self, envelope: &Envelope, sender: Sender) -> Result<Judged, VerifyError> {
        let rule = match sender {
            Sender::Vouched => self.exemptions.iter().find(|rule| rule.covers(envelope)),
            Sender::Stranger => None,
        };
        let rule = rule.ok_or(VerifyError::NotSigned)?;
        let voucher = Voucher::Exemption { source: rule.source().to_owned() };
        Ok(Judged { voucher, event_type: rule.event_type().to_owned(), time: None })
    }

    /// What names the event and its moment, which v2 asks for; it gives the latter.
    fn judge_identity(&self, reserved: &Reserved<'_>, now: SystemTime) -> Result<SystemTime, VerifyError> {
        let id = reserved.given(attribute::EVENT_ID).ok_or(VerifyError::MissingEventId)?;
        if !is_event_id(id) {
            return Err(VerifyError::MalformedEventId);
        }
        let malformed = |problem: String| VerifyError::MalformedEventTime(problem);
        let time = reserved
            .given(attribute::EVENT_TIME)
            .ok_or_else(|| malformed("it is missing: write the event's time, as RFC 3339".into()))?;
        let time = parse_rfc3339(time).map_err(|error| malformed(error.to_string()))?;
        if now.duration_since(time).is_ok_and(|age| age > self.max_age) {
            return Err(VerifyError::TooOld { time: format_rfc3339(time), max_age: self.max_age });
        }
        if time.duration_since(now).is_ok_and(|ahead| ahead > CLOCK_SKEW) {
            return Err(VerifyError::FromTheFuture(format_rfc3339(time)));
        }
        Ok(time)
    }
}

/// What a delivery was taken for.
#[derive(PartialEq, Eq)]
pub(super) struct Judged {
    pub(super) voucher: Voucher,
    pub(super) event_type: String,
    /// When the event happened, where that had to be read to judge it.
    pub(super) time: Option<SystemTime>,
}

/// Whether a text can be an event's id.
#[must_use]
pub(crate) fn is_event_id(text: &str) -> bool {
    (1..=MAX_EVENT_ID).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}
