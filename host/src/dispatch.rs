//! From a verified event to its outcome: the route, a place to run, the run.

use std::sync::Arc;

use tidemill_events::{Received, Verified};
use tokio::sync::Semaphore;

use crate::config::UnknownEventType;
use crate::outcome::{Outcome, Refusal};
use crate::registry::{Handler, Registry};
use crate::runtime::{LogLines, OutputSink};

/// Runs the handlers of events, so many at once and no more.
pub struct Dispatcher {
    registry: Arc<Registry>,
    places: Semaphore,
    max_in_flight: usize,
    unknown: UnknownEventType,
    sink: Arc<dyn OutputSink>,
}

/// What became of an event, and which handler decided it.
#[derive(Debug)]
pub struct Dispatched {
    /// The outcome.
    pub outcome: Outcome,
    /// The handler that ran, in the version that was live when the event began.
    pub handler: Option<Arc<Handler>>,
}

impl From<Refusal> for Dispatched {
    fn from(refusal: Refusal) -> Self {
        Self { outcome: Outcome::Refused(refusal), handler: None }
    }
}

impl Dispatcher {
    /// A dispatcher over the routes of `registry`, with `max_in_flight` places.
    #[must_use]
    pub fn new(registry: Arc<Registry>, max_in_flight: usize, unknown: UnknownEventType) -> Self {
        let places = Semaphore::new(max_in_flight);
        Self { registry, places, max_in_flight, unknown, sink: Arc::new(LogLines) }
    }

    /// Runs the handler of one event.
    pub async fn dispatch(&self, received: Verified<Received>) -> Dispatched {
        let Some(handler) = self.registry.route(&received.event.event_type) else {
            return self.unrouted(received.into_inner().event.event_type);
        };
        // A place is one of the engine's instance slots, so there is no queue that an event could die in unseen: the
        // broker, which keeps the event anyway, is told to come again.
        let Ok(_place) = self.places.try_acquire() else {
            return Refusal::Overloaded(self.max_in_flight).into();
        };
        let span = tracing::Span::current();
        span.record("handler", &handler.name);
        let ran = handler.component.invoke(&received, &handler.grant, handler.deadline, Arc::clone(&self.sink)).await;
        span.record("run_us", u64::try_from(ran.elapsed.as_micros()).unwrap_or(u64::MAX));
        Dispatched { outcome: Outcome::Ran(ran.ending), handler: Some(handler) }
    }

    fn unrouted(&self, event_type: String) -> Dispatched {
        match self.unknown {
            UnknownEventType::Nack => Refusal::UnknownEventType(event_type).into(),
            UnknownEventType::Ack => Dispatched { outcome: Outcome::Ignored { event_type }, handler: None },
        }
    }
}
