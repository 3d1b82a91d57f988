//! Who may say that an event is genuine: signing on the way out, verifying on the way in.

mod exemption;
mod receive;
mod scheme;
mod signed;
mod signer;
pub mod v1;
pub mod v2;
mod verified;
mod verifier;

pub use exemption::{Exemption, ExemptionError};
pub use receive::{NoEnvelope, NotReceived};
pub use scheme::{Scheme, UnknownScheme};
pub(crate) use signed::Signed;
pub use signer::{Schemes, SignedMessage, Signer};
pub use verified::{Received, Verified, Voucher};
pub(crate) use verifier::is_event_id;
pub use verifier::{CLOCK_SKEW, Sender, Unverified, Verifier, VerifyError};
