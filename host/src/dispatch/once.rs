use std::sync::Arc;
use std::time::Duration;

use tidemill_events::{Delivery, Received};

use crate::config::Unavailable;
use crate::dedup::{Claim, DedupKey, DedupStore, Lease, Settlement};
use crate::outcome::{Outcome, Refusal};
use crate::runtime::Ending;

/// How much longer than its handler's deadline an event is leased for: to store it with the dead letters, and to note
/// its end.
const AFTERWARDS: Duration = Duration::from_secs(15);

/// Sees to it that an event takes effect once, as far as a store remembers.
#[derive(Clone)]
pub struct Once {
    /// The store. Without one, every delivery is run.
    pub store: Option<Arc<dyn DedupStore>>,
    /// What to do while it can't be asked.
    pub unavailable: Unavailable,
}

/// The right to run an event now.
pub(super) struct Turn {
    /// `None` where there is no store, or it can't be asked.
    lease: Option<Lease>,
}

impl Turn {
    /// Which attempt at the event this is, where the store counts.
    pub(super) fn attempt(&self) -> Option<u32> {
        self.lease.as_ref().map(Lease::attempt)
    }
}

impl Once {
    /// Asks to run an event for so long, or says what became of it instead.
    pub(super) async fn begin(&self, key: &DedupKey, deadline: Duration) -> Result<Turn, Outcome> {
        let Some(store) = &self.store else { return Ok(Turn { lease: None }) };
        match store.claim(key, deadline + AFTERWARDS).await {
            Ok(Claim::Granted(lease)) => Ok(Turn { lease: Some(lease) }),
            Ok(Claim::Done) => Err(Outcome::Duplicate),
            Ok(Claim::Running { for_at_most }) => Err(Outcome::Refused(Refusal::Running(for_at_most))),
            Err(error) => match self.unavailable {
                Unavailable::Nack => Err(Outcome::Refused(Refusal::DedupUnavailable(error.to_string()))),
                Unavailable::Run => {
                    tracing::warn!(
                        "{error}; the event goes on all the same, perhaps for the second time (`dedup-unavailable` is run)"
                    );
                    Ok(Turn { lease: None })
                }
            },
        }
    }

    /// Notes how a turn ended.
    pub(super) async fn end(&self, turn: Turn, outcome: &Outcome) {
        let (Some(store), Some(lease)) = (&self.store, turn.lease) else { return };
        let end = settlement(outcome);
        if let Err(error) = store.settle(&lease, end).await {
            // The answer stays what it is: what has taken effect has to be acknowledged.
            tracing::warn!(
                "how the event ended could not be noted: {error}; delivered again, it waits for its lease to end and is run again"
            );
        }
    }
}

/// What the store is to remember of an outcome.
fn settlement(outcome: &Outcome) -> Settlement {
    match outcome {
        Outcome::Ran(Ending::Done) => Settlement::Done,
        // Not handled: when it is sent again, after whatever was amiss was mended, it has to run.
        Outcome::DeadLettered { .. } | Outcome::Ignored { .. } => Settlement::GivenUp,
        // Nor attempted: while it waits for its handler it uses none of its attempts up.
        Outcome::Refused(Refusal::UnknownEventType(_)) => Settlement::GivenUp,
        Outcome::Ran(Ending::Retry { .. } | Ending::Reject { .. } | Ending::Fault(_))
        | Outcome::Unsent(_)
        | Outcome::Duplicate
        | Outcome::Refused(_)
        | Outcome::Stuck { .. } => Settlement::Open,
    }
}

/// The name of an event: its publisher's where a signature vouches for that, else the broker's.
pub(super) fn key(received: &Received) -> DedupKey {
    match received.vouched_id() {
        Some(id) => DedupKey::event(id),
        None => message_key(&received.delivery, received.telling()),
    }
}

/// The broker's name of a message, with what else tells it from others. An id is one subscription's, or one source's.
pub(super) fn message_key(delivery: &Delivery, [first, second]: [&str; 2]) -> DedupKey {
    let source = delivery.source.as_deref().unwrap_or_default();
    DedupKey::message(&[&delivery.subscription, source, &delivery.message_id, first, second])
}
