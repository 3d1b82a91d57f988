//! From a verified event to its outcome: a place to run, its turn, the run, and what happens to it if that fails for good.

mod once;
mod places;

use std::sync::Arc;
use std::time::Duration;

use tidemill_events::{Delivery, Message, Received, Sender, Verified};

use crate::bound::Taken;
use crate::config::{InFlight, UnknownEventType};
use crate::dead_letter::{Cause, DeadLetters, Letter};
use crate::metrics::Metrics;
use crate::outcome::{Case, Outcome, Refusal};
use crate::publishing::{self, Publication, Publishing};
use crate::registry::{Handler, Picked, Registry};
use crate::runtime::Surroundings;
use crate::telemetry::TraceContext;
pub use once::Once;
use once::Turn;
use places::{Full, Places};

/// Runs the handlers of events, so many at once and no more.
pub struct Dispatcher {
    registry: Arc<Registry>,
    places: Places,
    in_flight: InFlight,
    once: Once,
    giving_up: GivingUp,
    publishing: Publishing,
    surroundings: Surroundings,
    metrics: Metrics,
}

/// When an event is given up, and where it goes then.
#[derive(Clone)]
pub struct GivingUp {
    /// The place for dead letters, where there is one.
    pub letters: Option<Arc<dyn DeadLetters>>,
    /// After how many attempts.
    pub max_attempts: Option<u32>,
    /// What to do with events that no handler serves.
    pub unknown_event_type: UnknownEventType,
}

/// An event that is to be handled.
pub struct Arrival {
    /// The event, and the delivery that brought it.
    pub received: Verified<Received>,
    /// What is known of who sent it.
    pub sender: Sender,
    /// The trace that the delivery belongs to, where it names one.
    pub trace: Option<TraceContext>,
}

/// A request that carried no event, or none that could be taken.
#[derive(Debug)]
pub struct Refused {
    /// Why.
    pub refusal: Refusal,
    /// What is known of who sent it.
    pub sender: Sender,
    /// What it brought, as far as it was read; where it was no envelope, what could be made of it.
    pub parcel: Option<(Message, Delivery)>,
}

/// A right to be on the way in, of which there are so many. Who has it gives it up by dropping it.
pub type Entry = Taken;

/// What an event is called among dead letters, and what it came as.
struct Parcel {
    name: String,
    message: Message,
    delivery: Delivery,
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
    /// A dispatcher over the routes of `registry`, with so many places, for handlers that run in these surroundings.
    #[must_use]
    pub fn new(
        registry: Arc<Registry>,
        in_flight: InFlight,
        once: Once,
        giving_up: GivingUp,
        publishing: Publishing,
        surroundings: Surroundings,
        metrics: Metrics,
    ) -> Self {
        let places = Places::new(in_flight);
        Self { registry, places, in_flight, once, giving_up, publishing, surroundings, metrics }
    }

    /// Refuses while every place is taken: what comes then needs not even be read.
    ///
    /// # Errors
    /// [`Refusal::Overloaded`].
    pub fn admit(&self) -> Result<(), Refusal> {
        if self.places.are_full() { Err(Refusal::Overloaded(self.in_flight.events)) } else { Ok(()) }
    }

    /// Takes one event to its outcome. `entry` is given up once the event has a place, which is another bound.
    pub async fn dispatch(&self, arrival: Arrival, entry: Entry) -> Dispatched {
        self.registry.arrive();
        let event = &arrival.received.event;
        let chain = publishing::check(event, self.publishing.max_chain);
        let (picked, handlers) = self.registry.pick(&event.event_type, &event.id);
        match (chain, picked) {
            (Ok(()), Some(picked)) => {
                let picked = picked.at_attempt(arrival.received.delivery.attempt);
                self.handle(picked, handlers, arrival, entry).await
            }
            (Ok(()), None) => {
                let outcome = self.unrouted(&arrival.received.event.event_type);
                self.unhandled(outcome, arrival, entry).await
            }
            (Err(error), _) => self.unhandled(Outcome::Refused(error.into()), arrival, entry).await,
        }
    }

    /// Runs a handler, one of so many, on an event, if there is a place and it is the event's turn.
    async fn handle(&self, picked: Picked, handlers: usize, arrival: Arrival, entry: Entry) -> Dispatched {
        let Arrival { received, sender, trace } = arrival;
        // A place is one of the engine's instance slots, so there is no queue that an event could die in unseen: the
        // broker, which keeps the event anyway, is told to come again.
        let name = &picked.handler.name;
        let place = match self.places.take(name, handlers) {
            Ok(place) => place,
            Err(Full::All) => return Refusal::Overloaded(self.in_flight.events).into(),
            Err(Full::Handler { in_flight }) => {
                return Refusal::HandlerOverloaded { handler: name.clone(), in_flight }.into();
            }
        };
        drop(entry);
        // After the place: an event that finds none was not attempted.
        let turn = match self.once.begin(&once::key(&received), picked.longest(publishing::TIME_LIMIT)).await {
            Ok(turn) => turn,
            Err(outcome) => return Dispatched { outcome, handler: None },
        };
        let attempt = received.delivery.attempt.or(turn.attempt());
        let picked = picked.at_attempt(attempt);
        let handler = &picked.handler;
        let publishes = !handler.grant.publish.is_empty();
        let cause = publishes
            .then(|| publishing::Cause::of(&received, &handler.name, trace.as_ref(), self.publishing.max_descendants));
        let (outcome, publications) = self.run(&picked, &received, cause).await;
        let outcome = self.publish(handler, outcome, publications).await;
        // Only now, or events that wait to be sent could be any number.
        drop(place);
        let case = self.case(sender, attempt);
        let outcome = self.conclude(outcome, &case, Some(handler), || parcel(received)).await;
        self.once.end(turn, &outcome).await;
        Dispatched { outcome, handler: Some(picked.handler) }
    }

    /// What becomes of a request that could not be taken.
    pub async fn refuse(&self, refused: Refused) -> Dispatched {
        let Refused { refusal, sender, parcel } = refused;
        let waits = refusal.may_pass() && sender == Sender::Vouched;
        let mut outcome = Outcome::Refused(refusal);
        if let Some((message, delivery)) = parcel {
            // Of what may yet be taken the attempts are counted; of a stranger's nothing is noted.
            let key = once::message_key(&delivery, ["", ""]);
            let turn = if waits { self.once.begin(&key, Duration::ZERO).await.ok() } else { None };
            let case = self.case(sender, delivery.attempt.or(turn.as_ref().and_then(Turn::attempt)));
            outcome = self.conclude(outcome, &case, None, || Parcel { name: name(&delivery), message, delivery }).await;
            if let Some(turn) = turn {
                self.once.end(turn, &outcome).await;
            }
        }
        Dispatched { outcome, handler: None }
    }

    async fn run(
        &self,
        picked: &Picked,
        received: &Received,
        cause: Option<publishing::Cause>,
    ) -> (Outcome, Vec<Publication>) {
        let handler = &picked.handler;
        let span = tracing::Span::current();
        if !span.is_disabled() {
            span.record("handler", &handler.name);
            span.record("artifact", handler.artifact());
        }
        let ran = handler.component.invoke(received, cause, &handler.grant, handler.deadline, &self.surroundings).await;
        self.metrics.ran(&handler.name, &ran);
        if let Some((trial, side)) = &picked.trial
            && let Some(verdict) = trial.note(*side, &ran)
        {
            self.registry.dropped(verdict);
        }
        span.record("run_us", u64::try_from(ran.elapsed.as_micros()).unwrap_or(u64::MAX));
        (Outcome::Ran(ran.ending), ran.publications)
    }

    /// Sends what a handler has published that is done. Before it is sent, the event is not handled.
    async fn publish(&self, handler: &Handler, outcome: Outcome, publications: Vec<Publication>) -> Outcome {
        if publications.is_empty() {
            return outcome;
        }
        let published: Vec<_> = publications.iter().map(Publication::to_string).collect();
        match self.publishing.send(publications).await {
            Ok(()) => {
                self.metrics.published(&handler.name, published.len());
                tracing::info!(published = published.len(), "published {}", published.join(", "));
                outcome
            }
            Err(unsent) => {
                self.metrics.published(&handler.name, unsent.sent);
                Outcome::Unsent(unsent)
            }
        }
    }

    /// What to do with an event that no handler serves.
    fn unrouted(&self, event_type: &str) -> Outcome {
        let event_type = event_type.to_owned();
        match self.giving_up.unknown_event_type {
            UnknownEventType::Ack => Outcome::Ignored { event_type },
            UnknownEventType::DeadLetter | UnknownEventType::Nack => {
                Outcome::Refused(Refusal::UnknownEventType(event_type))
            }
        }
    }

    /// What becomes of an event for which no handler is run. It may have been handled before, by one that is gone.
    async fn unhandled(&self, outcome: Outcome, arrival: Arrival, entry: Entry) -> Dispatched {
        let Arrival { received, sender, .. } = arrival;
        let turn = match self.once.begin(&once::key(&received), Duration::ZERO).await {
            Ok(turn) => turn,
            Err(outcome) => return Dispatched { outcome, handler: None },
        };
        let case = self.case(sender, received.delivery.attempt);
        let outcome = self.conclude(outcome, &case, None, || parcel(received)).await;
        self.once.end(turn, &outcome).await;
        drop(entry);
        Dispatched { outcome, handler: None }
    }

    fn case(&self, sender: Sender, attempt: Option<u32>) -> Case {
        let GivingUp { max_attempts, unknown_event_type, .. } = self.giving_up;
        Case { sender, attempt, max_attempts, unknown_event_type }
    }

    /// Stores an event that is given up, and only then lets it be acknowledged.
    async fn conclude(
        &self,
        outcome: Outcome,
        case: &Case,
        handler: Option<&Handler>,
        parcel: impl FnOnce() -> Parcel,
    ) -> Outcome {
        if !outcome.gives_up(case) {
            return outcome;
        }
        let cause = Box::new(outcome);
        let Some(letters) = &self.giving_up.letters else { return Outcome::Stuck { cause, problem: None } };
        let answer = cause.answer();
        let Parcel { name, message, delivery } = parcel();
        let why = Cause {
            code: answer.code,
            reason: answer.reason,
            handler: handler.map(|handler| handler.name.clone()),
            artifact: handler.map(|handler| handler.digest.to_string()),
            attempt: case.attempt,
        };
        match letters.store(Letter { name, message, delivery, cause: why }).await {
            Ok(()) => Outcome::DeadLettered { cause, place: letters.name().to_owned() },
            Err(error) => Outcome::Stuck { cause, problem: Some(error.to_string()) },
        }
    }
}

/// What an event came as. An id that a signature vouches for names it, so that it is one letter however often it came.
fn parcel(received: Verified<Received>) -> Parcel {
    let id = received.vouched_id().map(str::to_owned);
    let (message, delivery) = received.into_inner().into_message();
    Parcel { name: id.unwrap_or_else(|| name(&delivery)), message, delivery }
}

/// The broker's name of a message: an id is one subscription's, or one source's.
fn name(delivery: &Delivery) -> String {
    let origin = delivery.source.as_deref().unwrap_or(&delivery.subscription);
    if origin.is_empty() { delivery.message_id.clone() } else { format!("{} of {origin}", delivery.message_id) }
}
