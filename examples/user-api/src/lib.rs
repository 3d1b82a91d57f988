//! The example: an API that answers fast, and leaves the slow work to handlers.
//!
//! Each request that changes something commits the change together with an event in the outbox, in one transaction.
//! The relay publishes the outbox in order, within the request that filled it where that is quick; what a crash or an
//! outage left there goes out with the next start, the next request, or a retry of the relay's own. An event may be
//! published twice, with the same id, and is never lost.
//!
//! ```text
//! request ─▶ server ─▶ routes ─▶ users, posts ── one transaction ──▶ change + outbox row
//!                        │                                                   │
//!                        └── waits a moment ──▶ relay ── publishes, then deletes the row
//! ```

mod batch;
mod database;
mod fields;
mod outbox;
mod posts;
mod relay;
mod reply;
mod routes;
mod server;
mod users;

pub use database::DatabaseError;
pub use server::serve;
