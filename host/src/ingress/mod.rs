//! What the host answers: deliveries on `POST /events`, and the two health paths.

mod body;
mod respond;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, SystemTime};

use hyper::body::Incoming;
use hyper::{Method, Request};
use tidemill_events::{Envelope, Received, Verified, Verifier};
use tracing::Instrument;
use tracing::field::Empty;
use uuid::Uuid;

pub use body::BodyLimits;
pub use respond::{HANDLER_HEADER, Response};

use crate::auth::Authenticator;
use crate::dispatch::Dispatcher;
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
    ready: AtomicBool,
    clock: fn() -> SystemTime,
}

impl Ingress {
    /// An ingress that is not ready yet; see [`Self::set_ready`]. `clock` is the wall clock.
    #[must_use]
    pub fn new(
        auth: Authenticator,
        verifier: Verifier,
        body: BodyLimits,
        dispatcher: Arc<Dispatcher>,
        clock: fn() -> SystemTime,
    ) -> Self {
        Self { auth, verifier, body, dispatcher, ready: AtomicBool::new(false), clock }
    }

    /// Says what `/readyz` is to answer. Deliveries are taken either way.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Relaxed);
    }

    /// Answers one request. A query is passed over: Eventarc and others add their own.
    pub async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response {
        match (request.method(), request.uri().path()) {
            (&Method::POST, EVENTS) => self.deliver(request).await,
            (&Method::GET | &Method::HEAD, LIVENESS) => respond::health(true, "alive"),
            (&Method::GET | &Method::HEAD, READINESS) => {
                let ready = self.ready.load(Ordering::Relaxed);
                respond::health(ready, if ready { "ready" } else { "not ready: starting or shutting down" })
            }
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
        let (message_id, dispatched) = match received {
            Err((message_id, refusal)) => (message_id, refusal.into()),
            Ok(received) => {
                let message_id = received.delivery.message_id.clone();
                let ingress = Arc::clone(&self);
                let run = async move { ingress.dispatcher.dispatch(received).await };
                let ran = tokio::spawn(run.instrument(span.clone())).await;
                (message_id, ran.unwrap_or_else(|error| Refusal::Host(error.to_string()).into()))
            }
        };
        span.record("message_id", &message_id);
        span.in_scope(|| respond::log(&dispatched, start.elapsed()));
        respond::delivery(&dispatched, &message_id)
    }

    /// A request's whole way to a verified event: authenticate, read, decode, verify.
    async fn receive(
        &self,
        request: Request<Incoming>,
        fallback_id: &str,
    ) -> Result<Verified<Received>, (String, Refusal)> {
        let nameless = |refusal| (fallback_id.to_owned(), refusal);
        self.auth.authenticate(request.headers()).map_err(nameless)?;
        let body = self.body.read(request).await.map_err(nameless)?;
        let mut envelope = Envelope::decode(&body).map_err(|error| nameless(error.into()))?;
        if envelope.delivery.message_id.is_empty() {
            fallback_id.clone_into(&mut envelope.delivery.message_id);
        }
        let message_id = envelope.delivery.message_id.clone();
        let verified = self.verifier.verify(envelope, (self.clock)()).map_err(|error| (message_id, error.into()))?;
        let span = tracing::Span::current();
        span.record("message_id", &verified.delivery.message_id);
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
