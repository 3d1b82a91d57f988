use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use tidemill_events::Event;
use tidemill_publisher::{PublishError, Publisher};
use tokio::task::JoinSet;

use super::{Publication, TIME_LIMIT};

/// The way out for what handlers publish, and the depth at which a chain ends.
#[derive(Clone)]
pub struct Publishing {
    /// Where events go. Without one, no handler is loaded that asks to publish.
    pub publisher: Option<Arc<dyn Publisher>>,
    /// How many handlers, one after the other, may have led to an event that is handled.
    pub max_chain: u32,
    /// How many events may come of one from outside, all together.
    pub max_descendants: u32,
    /// The wall clock.
    pub clock: fn() -> SystemTime,
}

/// Not all that a handler has published could be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("of the {all} events that the handler published, {sent} were sent: {problem}")]
pub struct Unsent {
    /// How many there are.
    pub all: usize,
    /// How many of them were sent for certain.
    pub sent: usize,
    /// What was in the way of the first that was not.
    pub problem: String,
}

impl Publishing {
    /// Sends what a handler has published, all that there is at once, and events of one ordering key one after the other.
    ///
    /// # Errors
    /// Where not all of it was sent within [`TIME_LIMIT`]. What was not may yet arrive.
    pub async fn send(&self, publications: Vec<Publication>) -> Result<(), Unsent> {
        let all = publications.len();
        let Some(publisher) = &self.publisher else {
            return Err(Unsent {
                all,
                sent: 0,
                problem: "there is nowhere to send them (setting `publish-to`)".into(),
            });
        };
        let now = (self.clock)();
        let mut sending = JoinSet::new();
        for lane in lanes(publications.into_iter().map(|publication| publication.at(now))) {
            sending.spawn(send_in_order(Arc::clone(publisher), lane));
        }
        let (mut sent, mut problem) = (0, None);
        let finished = tokio::time::timeout(TIME_LIMIT, async {
            while let Some(lane) = sending.join_next().await {
                match lane {
                    Ok((arrived, ended)) => {
                        sent += arrived;
                        problem = problem.take().or(ended.err().map(|error| error.to_string()));
                    }
                    Err(error) => problem = problem.take().or(Some(error.to_string())),
                }
            }
        })
        .await;
        let late = finished.err().map(|_| format!("the {TIME_LIMIT:?} that all of it may take were over"));
        match problem.or(late) {
            None => Ok(()),
            Some(problem) => Err(Unsent { all, sent, problem }),
        }
    }
}

/// Events that have to wait for each other, together; each of the others by itself.
fn lanes(events: impl Iterator<Item = Event>) -> impl Iterator<Item = Vec<Event>> {
    let (mut ordered, mut others) = (BTreeMap::<String, Vec<Event>>::new(), Vec::new());
    for event in events {
        match &event.ordering_key {
            Some(key) => ordered.entry(key.clone()).or_default().push(event),
            None => others.push(vec![event]),
        }
    }
    ordered.into_values().chain(others)
}

/// Sends events up to the first that can't be sent, and says how many were.
async fn send_in_order(publisher: Arc<dyn Publisher>, events: Vec<Event>) -> (usize, Result<(), PublishError>) {
    for (sent, event) in events.iter().enumerate() {
        if let Err(error) = publisher.publish(event).await {
            return (sent, Err(error));
        }
    }
    (events.len(), Ok(()))
}
