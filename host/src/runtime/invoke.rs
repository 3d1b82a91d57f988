use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tidemill_events::Received;

use super::instances::Guest;
use super::interface::{Failure, events};
use super::output::Mask;
use super::{Component, Fault, Grant, Refusals, Surroundings, cpu};
use crate::publishing::{Cause, Publication};

/// Bytes of a reason that are kept, and of a trap's text. A guest may hand over far more, and whatever is looked at once it
/// has ended is looked at beyond its deadline.
const MAX_REASON: usize = 4 << 10;

/// How a handler's run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// It returned ok.
    Done,
    /// It asked for the event to be delivered again.
    Retry {
        /// Its reason. One of more than 4 KiB is cut, which an ellipsis says.
        reason: String,
        /// How long it wants to wait before.
        delay: Option<Duration>,
    },
    /// It refused the event for good.
    Reject {
        /// Its reason, cut in the same way.
        reason: String,
    },
    /// It didn't return.
    Fault(Fault),
}

impl Ending {
    /// The same as it may be told: without secrets, and cut, whatever the guest has put into its reason.
    fn told(self, mask: Option<&Arc<Mask>>) -> Self {
        let told = |text: String| Mask::clip(mask, &text, MAX_REASON);
        match self {
            Self::Done => Self::Done,
            Self::Retry { reason, delay } => Self::Retry { reason: told(reason), delay },
            Self::Reject { reason } => Self::Reject { reason: told(reason) },
            // The other faults have no word of the guest's.
            Self::Fault(Fault::Trap(what)) => Self::Fault(Fault::Trap(told(what))),
            Self::Fault(fault) => Self::Fault(fault),
        }
    }
}

/// One run of a handler.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// How it ended.
    pub ending: Ending,
    /// How long it took, with instantiation where there was one.
    pub elapsed: Duration,
    /// The most memory that it had, linear memory and tables, in bytes.
    pub peak_memory: usize,
    /// How many events its instance had handled before. None: it was made for this one.
    pub handled_before: u32,
    /// How often it was refused what it asked for.
    pub refusals: Refusals,
    /// What it published, in its order. Nothing unless it is done: what failed comes again, and must not publish twice.
    pub publications: Vec<Publication>,
}

impl Component {
    /// Runs the handler on one event, in an instance that is made for it and gone when this returns. Where its grant lets it
    /// use instances again, that is one which has handled events before, if any waits; it waits for the next one if the
    /// guest has returned, within its limits and with no request under way, and is neither used up nor too old.
    ///
    /// What it publishes, it publishes for `cause`; without one it can publish nothing. The future may be dropped at any
    /// point: the instance is gone then too.
    pub async fn invoke(
        &self,
        received: &Received,
        cause: Option<Cause>,
        grant: &Grant,
        deadline: Duration,
        surroundings: &Surroundings,
    ) -> Invocation {
        let start = Instant::now();
        let mut guest = match self.idle().and_then(|idle| idle.take(grant, surroundings)) {
            Some(mut used) => {
                used.begin(grant, cause, surroundings);
                used
            }
            None => Guest::new(self.store(grant, cause, surroundings), start),
        };
        let run = async {
            let attributes = attributes(received);
            let event = to_guest(received, &attributes, deadline);
            self.run(&mut guest, event, grant, surroundings).await
        };
        let run = cpu::within(grant.limits.cpu, run);
        let ending = match tokio::time::timeout(deadline, run).await {
            Err(_) => Ending::Fault(Fault::Deadline(deadline)),
            Ok(Err(budget)) => Ending::Fault(Fault::Cpu(budget)),
            Ok(Ok(Ok(ending))) => ending,
            Ok(Ok(Err(error))) => Ending::Fault(Fault::of(&error, &grant.limits, &guest.state().meter)),
        };
        let ending = ending.told(grant.config.mask());
        let (elapsed, handled_before) = (start.elapsed(), guest.handled());
        let (peak_memory, refusals) = (guest.state().meter.peak(), guest.state().refusals());
        let publications = match &ending {
            Ending::Done => guest.take_publications(),
            Ending::Retry { .. } | Ending::Reject { .. } | Ending::Fault(_) => Vec::new(),
        };
        match (&ending, self.idle()) {
            (Ending::Done | Ending::Retry { .. } | Ending::Reject { .. }, Some(idle)) => idle.put(guest, surroundings),
            (Ending::Fault(_), _) | (_, None) => drop(guest),
        }
        Invocation { ending, elapsed, peak_memory, handled_before, refusals, publications }
    }

    async fn run(
        &self,
        Guest { store, exports, .. }: &mut Guest,
        event: events::Event<'_>,
        grant: &Grant,
        surroundings: &Surroundings,
    ) -> wasmtime::Result<Ending> {
        let exports = match exports {
            Some(exports) => exports,
            none => none.insert(self.instantiate(store, grant, surroundings).await?),
        };
        Ok(match exports.handle(store, event).await? {
            Ok(()) => Ending::Done,
            Err(Failure::Retry(retry)) => {
                Ending::Retry { reason: retry.reason, delay: retry.delay_ms.map(Duration::from_millis) }
            }
            Err(Failure::Reject(rejection)) => Ending::Reject { reason: rejection.reason },
        })
    }
}

/// The attributes of an event as the guest takes them, borrowed.
fn attributes(received: &Received) -> Vec<events::Attribute<'_>> {
    received.event.attributes.iter().map(|(name, value)| events::Attribute { name, value }).collect()
}

/// An event as the guest takes it, borrowed, with its [`attributes`].
fn to_guest<'a>(
    received: &'a Received,
    attributes: &'a [events::Attribute<'a>],
    deadline: Duration,
) -> events::Event<'a> {
    let Received { event, delivery, .. } = received;
    events::Event {
        id: &event.id,
        event_type: &event.event_type,
        time: timestamp(event.time),
        content_type: event.content_type.as_deref(),
        data: &event.data,
        attributes,
        delivery: events::Delivery {
            message_id: &delivery.message_id,
            subscription: &delivery.subscription,
            attempt: delivery.attempt,
            publish_time: delivery.publish_time.map(timestamp),
            ordering_key: event.ordering_key.as_deref(),
            time_limit_ms: u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX),
        },
    }
}

/// Times before the epoch, which no event has, come out as the epoch.
fn timestamp(time: SystemTime) -> events::Timestamp {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    events::Timestamp { seconds: since.as_secs(), nanoseconds: since.subsec_nanos() }
}
