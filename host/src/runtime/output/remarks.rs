use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::{Mask, Rate};

/// What a handler may be granted, and one run be refused of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::runtime) enum Capability {
    /// Outgoing requests.
    Http,
    /// Stores.
    KeyValue,
    /// Further events.
    Publish,
}

/// How often one run was refused what it asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Refusals {
    /// Outgoing requests, and answers to them that were cut off.
    pub http: u64,
    /// Questions to its stores.
    pub key_value: u64,
    /// Events that it would have published.
    pub publish: u64,
}

impl Refusals {
    /// The same by the capability's name in a `handler.toml`.
    #[must_use]
    pub fn by_capability(&self) -> [(&'static str, u64); 3] {
        [("http", self.http), ("key-value", self.key_value), ("publish", self.publish)]
    }
}

/// What the host itself says about one run in the log: without its handler's secrets, and within its handler's rate,
/// since it is the guest who has it said. Clones speak of, and count for, the same run.
#[derive(Clone, Default)]
pub(in crate::runtime) struct Remarks(Arc<Run>);

#[derive(Default)]
struct Run {
    rate: Arc<Rate>,
    mask: Option<Arc<Mask>>,
    refused: Refused,
}

#[derive(Default)]
struct Refused {
    http: AtomicU64,
    key_value: AtomicU64,
    publish: AtomicU64,
}

impl Remarks {
    /// Remarks on a run of a handler with this rate, without the secrets that `mask` hides.
    pub(super) fn new(rate: Arc<Rate>, mask: Option<Arc<Mask>>) -> Self {
        Self(Arc::new(Run { rate, mask, refused: Refused::default() }))
    }

    /// A text of the guest's as it may be shown, up to about so many bytes. No more of it is looked at.
    pub(in crate::runtime) fn show(&self, text: &str, most: usize) -> String {
        Mask::clip(self.0.mask.as_ref(), text, most)
    }

    /// Counts a refusal.
    pub(in crate::runtime) fn count(&self, capability: Capability) {
        let Refused { http, key_value, publish } = &self.0.refused;
        let count = match capability {
            Capability::Http => http,
            Capability::KeyValue => key_value,
            Capability::Publish => publish,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// What was refused so far.
    pub(in crate::runtime) fn refusals(&self) -> Refusals {
        let Refused { http, key_value, publish } = &self.0.refused;
        let [http, key_value, publish] = [http, key_value, publish].map(|count| count.load(Ordering::Relaxed));
        Refusals { http, key_value, publish }
    }

    /// Whether there may be one line more now. One that may not be is counted, and said with the lines of the guest's own
    /// that were dropped.
    pub(in crate::runtime) fn may_say(&self) -> bool {
        self.0.rate.allows(Instant::now())
    }
}
