//! What the host answers: deliveries on `POST /events`, and the two health paths.

mod body;
mod receive;
mod respond;
mod to_the_end;

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use tracing::Instrument;
use tracing::field::Empty;

pub use body::BodyLimits;
pub use receive::Trust;
pub use respond::{CODE_HEADER, HANDLER_HEADER, Response};

use body::Bodies;
use receive::{NotTaken, Taken};
use to_the_end::ToTheEnd;

use crate::auth::Authenticator;
use crate::bound::Bound;
use crate::dispatch::{Dispatched, Dispatcher};
use crate::metrics::{InFlight, Metrics};
use crate::outcome::Refusal;
use crate::telemetry::{self, TraceContext};

/// Where deliveries go.
const EVENTS: &str = "/events";
/// Where Eventarc sends its CloudEvents unless it is told another path. Nothing else is taken there.
const ROOT: &str = "/";
/// Whether the process is alive. Not `/healthz`: Cloud Run's front end keeps that for itself.
const LIVENESS: &str = "/livez";
/// Whether events may be sent: the handlers are loaded, and no shutdown has begun.
const READINESS: &str = "/readyz";

/// Takes requests and answers them.
pub struct Ingress {
    auth: Authenticator,
    trust: Trust,
    bodies: Bodies,
    /// Requests that are on their way to a verified event.
    receiving: Arc<Bound>,
    max_receiving: usize,
    dispatcher: Arc<Dispatcher>,
    stage: watch::Sender<Stage>,
    runs: TaskTracker,
    clock: fn() -> SystemTime,
    metrics: Metrics,
}

/// How far the host has come, as `/readyz` tells it. Deliveries are taken at every stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Not serving yet.
    Starting,
    /// Serving.
    Ready,
    /// Finishing what it holds.
    ShuttingDown,
}

impl Ingress {
    /// An ingress that is starting; see [`Self::enter`]. It receives up to `max_receiving` requests at once; `clock` is the
    /// wall clock, `metrics` counts.
    #[must_use]
    pub fn new(
        auth: Authenticator,
        trust: Trust,
        body: BodyLimits,
        max_receiving: usize,
        dispatcher: Arc<Dispatcher>,
        clock: fn() -> SystemTime,
        metrics: Metrics,
    ) -> Self {
        Self {
            auth,
            trust,
            bodies: Bodies::new(body),
            receiving: Bound::new(max_receiving),
            max_receiving,
            dispatcher,
            stage: watch::Sender::new(Stage::Starting),
            runs: TaskTracker::new(),
            clock,
            metrics,
        }
    }

    /// Says that the host has come to this stage.
    pub fn enter(&self, stage: Stage) {
        self.stage.send_replace(stage);
    }

    async fn shutdown(&self) {
        // The sender is this very ingress, so the channel is open for as long as anybody waits.
        _ = self.stage.subscribe().wait_for(|stage| *stage == Stage::ShuttingDown).await;
    }

    /// Answers one request. A query is passed over: Eventarc and others add their own.
    pub async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response {
        match (request.method(), request.uri().path()) {
            (&Method::POST, EVENTS) => self.deliver(request).await,
            (&Method::POST, ROOT) if is_cloud_event(request.headers()) => self.deliver(request).await,
            (&Method::GET | &Method::HEAD, LIVENESS) => respond::health(true, "alive"),
            (&Method::GET | &Method::HEAD, READINESS) => match *self.stage.borrow() {
                Stage::Ready => respond::health(true, "ready"),
                Stage::Starting => respond::health(false, "starting"),
                Stage::ShuttingDown => respond::health(false, "shutting down"),
            },
            (method, EVENTS) => respond::refused(Refusal::WrongMethod(method.clone()), Some("POST")),
            (method, LIVENESS | READINESS) => respond::refused(Refusal::WrongMethod(method.clone()), Some("GET, HEAD")),
            (_, path) => respond::refused(Refusal::WrongPath(path.to_owned()), None),
        }
    }

    /// Takes one delivery to its end, which comes even where the sender hangs up meanwhile: what a handler began it
    /// finishes, and its outcome stands in the log.
    async fn deliver(self: Arc<Self>, request: Request<Incoming>) -> Response {
        let start = Instant::now();
        let in_flight = UnderWay(self.metrics.begin());
        let trace = TraceContext::from_headers(request.headers());
        let taken = self.receive(request, trace.as_ref()).await;
        let span = delivery_span(&taken, trace.as_ref());
        let message_id = match &taken {
            Ok(taken) => taken.arrival.received.delivery.message_id.clone(),
            Err(not_taken) => not_taken.message_id.clone(),
        };
        let (ingress, id) = (Arc::clone(&self), message_id.clone());
        let run = async move {
            let dispatched = match taken {
                Ok(Taken { arrival, entry, room, .. }) => {
                    let _room = room;
                    ingress.dispatcher.dispatch(arrival, entry).await
                }
                Err(not_taken) => {
                    let _held = not_taken.held;
                    ingress.dispatcher.refuse(not_taken.refused).await
                }
            };
            let response = ingress.end(&dispatched, &id, start);
            drop(in_flight);
            response
        };
        let run = self.runs.track_future(run.instrument(span.clone()));
        let panicked = move |panic| {
            // A panic of the host's own is this event's outcome, and nobody else's.
            let failed: Dispatched = Refusal::Host(panic).into();
            let response = span.in_scope(|| self.end(&failed, &message_id, start));
            telemetry::flush();
            response
        };
        ToTheEnd::new(run, panicked).await
    }

    /// Says what became of a delivery: to the log, to who counts, and to who sent it.
    fn end(&self, dispatched: &Dispatched, message_id: &str, start: Instant) -> Response {
        let answer = dispatched.outcome.answer();
        let handler = dispatched.handler.as_ref().map(|handler| handler.name.as_str());
        self.metrics.answered(&answer, handler);
        respond::log(&dispatched.outcome, &answer, start.elapsed());
        respond::delivery(dispatched, answer, message_id)
    }

    /// Waits until every delivery that was taken has its outcome, those included whose sender is gone.
    pub async fn finished(&self) {
        self.runs.close();
        self.runs.wait().await;
    }
}

/// A delivery that has no answer yet. With the last one, however it ends, the log is written: the processor may stop then.
struct UnderWay(InFlight);

impl Drop for UnderWay {
    fn drop(&mut self) {
        if self.0.end() {
            telemetry::flush();
        }
    }
}

/// Whether a request says of itself that it is a CloudEvent, in whichever mode.
fn is_cloud_event(headers: &hyper::HeaderMap) -> bool {
    let structured = |value: &HeaderValue| value.as_bytes().starts_with(b"application/cloudevents");
    headers.contains_key("ce-specversion") || headers.get(CONTENT_TYPE).is_some_and(structured)
}

/// The span around a delivery: its fields are on every log line of it, a guest's own lines included.
fn delivery_span(taken: &Result<Taken, Box<NotTaken>>, trace: Option<&TraceContext>) -> tracing::Span {
    let (received, not_taken) = match taken {
        Ok(taken) => (Some(&*taken.arrival.received), None),
        Err(not_taken) => (None, Some(not_taken)),
    };
    let message_id = received.map(|received| &*received.delivery.message_id);
    let sender = match taken {
        Ok(taken) => taken.email.as_deref(),
        Err(not_taken) => not_taken.email.as_deref(),
    };
    tracing::info_span!(
        "delivery",
        message_id = message_id.or(not_taken.map(|not_taken| &*not_taken.message_id)),
        event_id = received.map(|received| &*received.event.id),
        event_type = received.map(|received| &*received.event.event_type),
        attempt = received.and_then(|received| received.delivery.attempt),
        form = received.map(|received| display(received.delivery.form)),
        sender,
        handler = Empty,
        artifact = Empty,
        run_us = Empty,
        trace_id = trace.map(|trace| &*trace.trace_id),
        span_id = trace.map(|trace| &*trace.span_id),
        trace_sampled = trace.map(|trace| trace.sampled),
    )
}
