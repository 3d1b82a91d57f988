use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use tidemill_publisher::{PublishError, Publisher};

use crate::outbox::{Entry, Position};

/// Events to publish: lanes go side by side, and within a lane one goes after the other.
///
/// A lane has the events of one ordering key, or one event without a key. So no event overtakes one with the same key,
/// and none waits for strangers.
#[derive(Debug)]
pub(crate) struct Batch {
    lanes: Vec<Lane>,
}

#[derive(Debug)]
struct Lane {
    name: String,
    entries: Vec<Entry>,
}

/// What became of a batch.
#[derive(Debug, Default)]
pub(crate) struct Published {
    /// The events that the broker has.
    pub(crate) published: Vec<Position>,
    /// The lanes that came to a halt: what stands in them later in the outbox may not go out before.
    pub(crate) failed: Vec<String>,
}

impl Batch {
    /// A batch of these events, in their order, without those of the lanes that are `blocked`.
    pub(crate) fn new(entries: Vec<Entry>, blocked: &BTreeSet<String>) -> Self {
        let mut lanes: Vec<Lane> = Vec::new();
        let mut place: BTreeMap<String, usize> = BTreeMap::new();
        for entry in entries {
            let name = entry.event.ordering_key.as_ref().unwrap_or(&entry.event.id).clone();
            if blocked.contains(&name) {
                continue;
            }
            let place = *place.entry(name.clone()).or_insert(lanes.len());
            match lanes.get_mut(place) {
                Some(lane) => lane.entries.push(entry),
                None => lanes.push(Lane { name, entries: vec![entry] }),
            }
        }
        Self { lanes }
    }

    /// Publishes the batch, begun in order, and waits until all of it was tried or held back.
    pub(crate) async fn publish(self, publisher: &dyn Publisher) -> Published {
        let results = join_all(self.lanes.iter().map(|lane| lane.publish(publisher))).await;
        let mut outcome = Published::default();
        let mut errors = Vec::new();
        for (lane, (count, error)) in self.lanes.iter().zip(results) {
            outcome.published.extend(lane.entries.iter().take(count).map(|entry| entry.position));
            if let Some(error) = error {
                outcome.failed.push(lane.name.clone());
                errors.push(error);
            }
        }
        report(outcome.published.len(), &errors);
        outcome
    }
}

impl Lane {
    /// Publishes up to the first event that fails. Gives how many went out, and the failure.
    async fn publish(&self, publisher: &dyn Publisher) -> (usize, Option<PublishError>) {
        for (count, Entry { event, .. }) in self.entries.iter().enumerate() {
            match publisher.publish(event).await {
                Ok(message_id) => {
                    tracing::info!(event_id = event.id, event_type = event.event_type, %message_id, "published");
                }
                Err(error) => return (count, Some(error)),
            }
        }
        (self.entries.len(), None)
    }
}

/// Tells of failures in one line a batch: in an outage every event fails, and for the same reason.
fn report(published: usize, errors: &[PublishError]) {
    let failed = errors.len();
    // Nothing is given up in either case: a topic can be created, a permission given. But that takes somebody.
    if let Some(error) = errors.iter().find(|error| !error.is_retryable()) {
        tracing::error!(failed, published, %error, "events can't be published, and stay in the outbox");
    } else if let Some(error) = errors.first() {
        tracing::warn!(failed, published, %error, "events are not published yet, and stay in the outbox");
    }
}
