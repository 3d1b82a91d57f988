//! Events, the envelopes they travel in, and the signatures that vouch for them.
//!
//! Nothing here does I/O and nothing reads a clock, so publishers and the host share it without sharing anything else.
//!
//! The way in: [`Verifier::receive`] makes a [`Verified`] event of a request. It is the same as two steps, which tools take:
//! [`Envelope::from_request`] makes an [`Envelope`] of the request, [`Verifier::verify`] the event of the envelope. The way out: [`Signer::sign`] makes a [`SignedMessage`] of an [`Event`], which is what a transport sends.

pub mod attribute;
mod envelope;
mod event;
mod key;
mod key_ring;
pub mod limits;
mod reserved;
pub mod signature;
mod timestamp;

pub use envelope::{CloudEventError, Envelope, EnvelopeError, FieldError, Form, JsonError, Place, WrappedError};
pub use event::{Delivery, Event, Message};
pub use key::{Key, KeyError};
pub use key_ring::{KeyRing, KeyRingError};
pub use signature::{
    CLOCK_SKEW, Exemption, ExemptionError, NoEnvelope, NotReceived, Received, Scheme, Schemes, Sender, SignedMessage,
    Signer, UnknownScheme, Unverified, Verified, Verifier, VerifyError, Voucher,
};
pub use timestamp::{TimestampError, format_rfc3339, parse_rfc3339};
