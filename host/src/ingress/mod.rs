//! What the host answers: deliveries on `POST /events`, and the two health paths.

mod body;
mod respond;

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use hyper::body::Incoming;
use hyper::{Method, Request};
use tidemill_events::{Envelope, Received, Verified, Verifier};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use tracing::Instrument;
use tracing::field::Empty;
use uuid::Uuid;

pub use body::BodyLimits;
pub use respond::{HANDLER_HEADER, Response};

use crate::auth::Authenticator;
use crate::dispatch::{Dispatched, Dispatcher};
use crate::outcome::Refusal;
use crate::telemetry::TraceContext;

/// Where deliveries go.
const EVENTS: &str = "/events";
/// Whether the process is alive. Not `/healthz`: Cloud Run's front end keeps that for itself.
const LIVENESS: &str = "/livez";
/// Whether events may be sent: the handlers are loaded, and no shutdown has begun.
const READINESS: &str = "/readyz";

/// Takes requests and answers them.
pub struct Ingress {
    auth: Authenticator,
    verifier: Verifier,
    body: BodyLimits,
    dispatcher: Arc<Dispatcher>,
    stage: watch::Sender<Stage>,
    runs: TaskTracker,
    clock: fn() -> SystemTime,
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
    /// An ingress that is starting; see [`Self::enter`]. `clock` is the wall clock.
    #[must_use]
    pub fn new(
        auth: Authenticator,
        verifier: Verifier,
        body: BodyLimits,
        dispatcher: Arc<Dispatcher>,
        clock: fn() -> SystemTime,
    ) -> Self {
        Self {
            auth,
            verifier,
            body,
            dispatcher,
            stage: watch::Sender::new(Stage::Starting),
            runs: TaskTracker::new(),
            clock,
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
        let span = delivery_span(request.headers());
        // The id that names this delivery until its envelope does, and for good where it doesn't.
        let fallback_id = format!("local-{}", Uuid::now_v7());
        let received = self.receive(request, &fallback_id).instrument(span.clone()).await;
        let (message_id, received) = match received {
            Ok(received) => (received.delivery.message_id.clone(), Ok(received)),
            Err((message_id, refusal)) => (message_id, Err(refusal)),
        };
        span.record("message_id", &message_id);
        // A task of its own, since this one ends with the connection.
        let (ingress, id) = (Arc::clone(&self), message_id.clone());
        let run = async move {
            let dispatched = match received {
                Ok(received) => ingress.dispatcher.dispatch(received).await,
                Err(refusal) => refusal.into(),
            };
            respond::log(&dispatched, start.elapsed());
            respond::delivery(&dispatched, &id)
        };
        self.runs.spawn(run.instrument(span.clone())).await.unwrap_or_else(|error| {
            // A panic of the host's own is this event's outcome, and nobody else's.
            let failed: Dispatched = Refusal::Host(error.to_string()).into();
            span.in_scope(|| respond::log(&failed, start.elapsed()));
            respond::delivery(&failed, &message_id)
        })
    }

    /// Waits until every delivery that was taken has its outcome, those included whose sender is gone.
    pub async fn finished(&self) {
        self.runs.close();
        self.runs.wait().await;
    }

    /// A request's whole way to a verified event: authenticate, read, decode, verify.
    async fn receive(
        &self,
        request: Request<Incoming>,
        fallback_id: &str,
    ) -> Result<Verified<Received>, (String, Refusal)> {
        let nameless = |refusal| (fallback_id.to_owned(), refusal);
        self.auth.authenticate(request.headers()).map_err(nameless)?;
        let body = self.body.read(request, self.shutdown()).await.map_err(nameless)?;
        let mut envelope = Envelope::decode(&body).map_err(|error| nameless(error.into()))?;
        if envelope.delivery.message_id.is_empty() {
            fallback_id.clone_into(&mut envelope.delivery.message_id);
        }
        let message_id = envelope.delivery.message_id.clone();
        let verified = self.verifier.verify(envelope, (self.clock)()).map_err(|error| (message_id, error.into()))?;
        let span = tracing::Span::current();
        span.record("event_id", &verified.event.id);
        span.record("event_type", &verified.event.event_type);
        span.record("attempt", verified.delivery.attempt);
        Ok(verified)
    }
}

/// The span around a delivery: its fields are on every log line of it, a guest's own lines included.
fn delivery_span(headers: &hyper::HeaderMap) -> tracing::Span {
    let span = tracing::info_span!(
        "delivery",
        message_id = Empty,
        event_id = Empty,
        event_type = Empty,
        attempt = Empty,
        handler = Empty,
        run_us = Empty,
        trace_id = Empty,
        span_id = Empty,
        trace_sampled = Empty,
    );
    if let Some(trace) = TraceContext::from_headers(headers) {
        span.record("trace_id", trace.trace_id);
        span.record("span_id", trace.span_id);
        span.record("trace_sampled", trace.sampled);
    }
    span
}
