//! Whether an event may run: a lease while a handler runs it, a mark once one has finished it.
//!
//! Pub/Sub delivers at least once: an event comes again after a slow answer, while its handler still runs, and at times
//! for no reason that shows. A [`DedupStore`] is asked before each run and told of each end. [`MemoryStore`] knows what
//! one process did, [`RedisStore`] what all did that ask the same server.
//!
//! What it can't do: where a process dies between a handler's effect and its mark, the event runs again once the lease
//! is over. A handler's own idempotency key, the event's id, is for that.

mod asking;
mod error;
mod key;
mod memory;
mod redis_store;
mod shard;

use std::time::Duration;

pub use asking::Asking;
pub use error::DedupError;
pub use key::DedupKey;
pub use memory::MemoryStore;
pub use redis_store::RedisStore;

/// A longer lease than this is cut to it: Pub/Sub keeps no message for longer, and clocks can count it.
const LONGEST_LEASE: Duration = Duration::from_secs(31 * 24 * 3600);

/// Remembers which events run now and which were handled.
///
/// It can be a trait object, so that the composition root picks the implementation.
pub trait DedupStore: Send + Sync + 'static {
    /// Asks to run an event. `lease` is the longest that the run may take, at most 31 days: after it the next who asks is granted the
    /// event, whether this run still goes on or its process is gone.
    ///
    /// After an error, or when it is dropped, the event may have been granted nevertheless; then it is free again when
    /// `lease` is over.
    fn claim<'a>(&'a self, key: &'a DedupKey, lease: Duration) -> Asking<'a, Claim>;

    /// Ends a lease that this store granted. Asking twice changes nothing more.
    ///
    /// Where the lease was over and the event granted to another meanwhile, [`Settlement::Done`] still marks it as
    /// handled, because it was, and all else leaves the other's lease alone.
    fn settle<'a>(&'a self, lease: &'a Lease, end: Settlement) -> Asking<'a, ()>;
}

/// The answer to a claim.
#[derive(Debug)]
pub enum Claim {
    /// The event may run, under this lease.
    Granted(Lease),
    /// It runs now, or whoever ran it is gone without a word.
    Running {
        /// How long at most until the next claim is granted.
        for_at_most: Duration,
    },
    /// It was handled.
    Done,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// The event was handled: no claim is granted for as long as the store remembers.
    Done,
    /// It was not: it may run again at once, and the count of its attempts goes on.
    Open,
    /// It was given up: should it be sent again, it may run, as if it had never come.
    GivenUp,
}

/// The right to run an event, for a time. Dropped without a settlement, as after a panic, it lasts until that time is over.
#[derive(Debug)]
#[must_use = "an event whose lease is not settled stays leased until the lease's time is over"]
pub struct Lease {
    key: DedupKey,
    /// Which of the store's grants this is. No two of them are the same.
    grant: u64,
    attempt: u32,
}

impl Lease {
    /// How many claims were granted for this event so far, this one included. It begins anew once the store has
    /// forgotten the event.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }
}
