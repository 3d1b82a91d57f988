use sha2::{Digest, Sha256};
use tidemill_events::{Event, Received, attribute};

use super::chain;
use crate::telemetry::TraceContext;

/// Keeps these hashes apart from any others that are made of the same texts.
const DOMAIN: &[u8] = b"tidemill-published-event-v1:";

/// The event that a handler publishes further ones for.
#[derive(Debug, Clone)]
pub struct Cause {
    /// What has taken in the name of the event and that of its handler: the ids of what is published go on from there.
    name: Sha256,
    id: String,
    depth: u32,
    /// How many events may come of it, directly and by what these lead to.
    descendants: u32,
    trace: Option<TraceContext>,
}

impl Cause {
    /// An event and the handler that it is handled by. It belongs to the trace that its own attribute names, else to that
    /// of its delivery, if any. Where it came from outside, `most` events may come of it, all in all.
    #[must_use]
    pub fn of(received: &Received, handler: &str, delivery: Option<&TraceContext>, most: u32) -> Self {
        let event = &received.event;
        let trace = event.attributes.get(attribute::TRACEPARENT).and_then(|text| TraceContext::from_traceparent(text));
        // What can't be read was refused before any handler ran; a tool that runs one nevertheless begins a new chain.
        let depth = chain::depth(event).unwrap_or(0).saturating_add(1);
        let descendants = chain::descendants(event).unwrap_or(0).min(most);
        let descendants = if depth == 1 { most } else { descendants };
        let (name, id, trace) = (name(received, handler), event.id.clone(), trace.or_else(|| delivery.cloned()));
        Self { name, id, depth, descendants, trace }
    }

    /// How many events may come of it, directly and by what these lead to.
    pub(super) fn descendants(&self) -> u32 {
        self.descendants
    }

    /// What names the cause, for the ids of what it causes.
    pub(super) fn name(&self) -> Sha256 {
        self.name.clone()
    }

    /// Writes into an event where it comes from.
    pub(super) fn mark(&self, event: &mut Event) {
        let mut set = |name: &str, value: String| event.attributes.insert(name.to_owned(), value);
        set(attribute::CAUSE, self.id.clone());
        set(attribute::DEPTH, self.depth.to_string());
        // Less in the end, when it is known how many there are to part it among.
        set(attribute::DESCENDANTS, self.descendants.to_string());
        if let Some(trace) = &self.trace {
            set(attribute::TRACEPARENT, trace.to_traceparent());
        }
    }
}

/// An event by the name under which it is the same in each of its deliveries: its publisher's where a signature vouches for
/// that, else the broker's.
fn name(received: &Received, handler: &str) -> Sha256 {
    let hash = match received.vouched_id() {
        Some(id) => take_in(Sha256::new_with_prefix(DOMAIN), [b"event", id.as_bytes()]),
        None => {
            let delivery = &received.delivery;
            let source = delivery.source.as_deref().unwrap_or_default();
            let [first, second] = received.telling();
            let texts = ["message", &delivery.subscription, source, &delivery.message_id, first, second];
            take_in(Sha256::new_with_prefix(DOMAIN), texts.map(str::as_bytes))
        }
    };
    take_in(hash, [handler.as_bytes()])
}

/// Takes in texts, each with its length before it, which keeps them apart.
pub(super) fn take_in<'a>(hash: Sha256, texts: impl IntoIterator<Item = &'a [u8]>) -> Sha256 {
    texts.into_iter().fold(hash, |hash, text| hash.chain_update((text.len() as u64).to_le_bytes()).chain_update(text))
}
