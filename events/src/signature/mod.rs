//! Who may say that an event is genuine: signing on the way out, verifying on the way in.

mod exemption;
mod scheme;
mod signer;
pub mod v1;
pub mod v2;
mod verified;
mod verifier;

pub use exemption::{Exemption, ExemptionError};
pub use scheme::{Scheme, UnknownScheme};
pub use signer::{Schemes, SignedMessage, Signer};
pub use verified::{Received, Verified, Voucher};
pub(crate) use verifier::is_event_id;
pub use verifier::{CLOCK_SKEW, Sender, Unverified, Verifier, VerifyError};
