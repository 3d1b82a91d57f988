//! What handlers publish: further events, each with the id of its cause, its trace, and how deep in a chain it is. They
//! leave once the handler of their cause is done, signed with the host's own key.

mod cause;
mod chain;
mod outbox;
mod publication;
mod refused;
mod sending;
mod signing;

use std::time::Duration;

pub use cause::Cause;
pub use chain::{ChainError, check};
pub use outbox::{MAX_BYTES, MAX_EVENTS, NewEvent, Outbox};
pub use publication::{MAX_ATTRIBUTES, Publication};
pub use refused::Refused;
pub use sending::{Publishing, Unsent};
pub use signing::RingSigner;

/// How long it may take until all that one event's handler has published is sent. The delivery waits for it, within the
/// subscription's ack deadline and the lease of its event.
pub const TIME_LIMIT: Duration = Duration::from_secs(10);

/// How long one of these events may take: less, so that what is in its way is told before the time of all is over.
pub const EVENT_TIME_LIMIT: Duration = Duration::from_secs(8);
