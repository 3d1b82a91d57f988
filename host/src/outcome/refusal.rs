use std::time::Duration;

use hyper::StatusCode;
use tidemill_events::{EnvelopeError, VerifyError};

use crate::auth::AuthError;
use crate::publishing::ChainError;

/// Why a request never reached a handler.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The path is none of the host's.
    #[error("nothing is served at {0}: deliveries go to POST /events")]
    WrongPath(String),
    /// The path is right, the method is not.
    #[error("{0} is not served here: deliveries go to POST /events")]
    WrongMethod(hyper::Method),
    /// The headers don't prove a sender who may deliver.
    #[error(transparent)]
    Unauthenticated(#[from] AuthError),
    /// The body is longer than the cap.
    #[error("the body is longer than the {0} bytes that `max-body` allows")]
    BodyTooLong(usize),
    /// The body didn't arrive in time.
    #[error("the body was not here within {0:?}")]
    BodyTooSlow(Duration),
    /// The connection broke before the body's end.
    #[error("the body broke off: {0}")]
    BodyCut(String),
    /// The shutdown began before the body was here.
    #[error("the host is shutting down, and the body was not here yet")]
    ShuttingDown,
    /// The request is no envelope.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The signature doesn't hold, or there is no event type under it.
    #[error(transparent)]
    Unverified(#[from] VerifyError),
    /// Too many handlers have led to the event.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// No handler serves the event type.
    #[error(
        "no handler serves the event type {0:?}: deploy one, or set `unknown-event-type` to \"ack\" to drop such events"
    )]
    UnknownEventType(String),
    /// As many events are in flight as the host takes.
    #[error("{0} events are in flight, which is all that `max-in-flight` allows")]
    Overloaded(usize),
    /// As many events of the handler are in flight as it may have.
    #[error(
        "{in_flight} events of the handler {handler:?} are in flight, which is all that it gets beside the others \
         (`max-in-flight-per-handler`, `max-in-flight`)"
    )]
    HandlerOverloaded {
        /// The handler.
        handler: String,
        /// How many.
        in_flight: usize,
    },
    /// As many bytes of bodies are held as the host holds.
    #[error("the bodies that are in flight leave no room for this one within the {0} bytes of `max-body-in-flight`")]
    BodiesOverloaded(usize),
    /// The same event runs at this moment.
    #[error("the same event is being handled at this moment, and for {0:?} more at most")]
    Running(Duration),
    /// Nobody can tell whether the event has taken effect before.
    #[error("whether the event was handled before can't be told: {0}")]
    DedupUnavailable(String),
    /// The host failed, not the event.
    #[error("the host failed: {0}")]
    Host(String),
}

impl Refusal {
    /// Whether the same message may be taken later, of those that were refused for what they hold.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Unverified(error) if !error.is_final())
    }

    /// Its status, and its word for programs.
    pub(super) fn status(&self) -> (StatusCode, &'static str) {
        match self {
            Self::WrongPath(_) => (StatusCode::NOT_FOUND, "wrong-path"),
            Self::WrongMethod(_) => (StatusCode::METHOD_NOT_ALLOWED, "wrong-method"),
            Self::Unauthenticated(error) => auth_status(error),
            Self::BodyTooLong(_) => (StatusCode::PAYLOAD_TOO_LARGE, "body-too-long"),
            Self::BodyTooSlow(_) => (StatusCode::REQUEST_TIMEOUT, "body-too-slow"),
            Self::BodyCut(_) => (StatusCode::BAD_REQUEST, "body-cut"),
            Self::ShuttingDown => (StatusCode::SERVICE_UNAVAILABLE, "shutting-down"),
            Self::Envelope(_) => (StatusCode::BAD_REQUEST, "malformed-envelope"),
            Self::Unverified(error) => verify_status(error),
            Self::Chain(ChainError::TooDeep { .. }) => (StatusCode::UNPROCESSABLE_ENTITY, "chain-too-deep"),
            Self::Chain(ChainError::NoDepth(_) | ChainError::NoDescendants(_)) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "malformed-chain")
            }
            Self::UnknownEventType(_) => (StatusCode::NOT_FOUND, "unknown-event-type"),
            Self::Overloaded(_) | Self::BodiesOverloaded(_) => (StatusCode::TOO_MANY_REQUESTS, "overloaded"),
            Self::HandlerOverloaded { .. } => (StatusCode::TOO_MANY_REQUESTS, "handler-overloaded"),
            Self::Running(_) => (StatusCode::CONFLICT, "running"),
            Self::DedupUnavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "dedup-unavailable"),
            Self::Host(_) => (StatusCode::INTERNAL_SERVER_ERROR, "host"),
        }
    }
}

fn verify_status(error: &VerifyError) -> (StatusCode, &'static str) {
    match error {
        VerifyError::NotSigned => (StatusCode::UNAUTHORIZED, "not-signed"),
        VerifyError::MalformedSignature(_) => (StatusCode::UNAUTHORIZED, "malformed-signature"),
        VerifyError::InvalidSignature => (StatusCode::FORBIDDEN, "invalid-signature"),
        VerifyError::UnknownKey(_) => (StatusCode::FORBIDDEN, "unknown-key"),
        VerifyError::TooOld { .. } => (StatusCode::FORBIDDEN, "too-old"),
        VerifyError::FromTheFuture(_) => (StatusCode::FORBIDDEN, "from-the-future"),
        VerifyError::MissingEventType => (StatusCode::BAD_REQUEST, "missing-event-type"),
        VerifyError::MissingEventId => (StatusCode::BAD_REQUEST, "missing-event-id"),
        VerifyError::MalformedEventId => (StatusCode::BAD_REQUEST, "malformed-event-id"),
        VerifyError::MalformedEventTime(_) => (StatusCode::BAD_REQUEST, "malformed-event-time"),
    }
}

/// 401 where nothing is proven, 403 where somebody is proven who may not deliver.
fn auth_status(error: &AuthError) -> (StatusCode, &'static str) {
    match error {
        AuthError::NoToken => (StatusCode::UNAUTHORIZED, "no-token"),
        AuthError::SeveralTokens => (StatusCode::UNAUTHORIZED, "several-tokens"),
        AuthError::MalformedToken(_) => (StatusCode::UNAUTHORIZED, "malformed-token"),
        AuthError::WrongAlgorithm => (StatusCode::UNAUTHORIZED, "wrong-algorithm"),
        AuthError::NoKeyId => (StatusCode::UNAUTHORIZED, "no-key-id"),
        AuthError::UnknownKey => (StatusCode::UNAUTHORIZED, "unknown-token-key"),
        AuthError::BadSignature => (StatusCode::UNAUTHORIZED, "bad-token-signature"),
        AuthError::StrippedSignature => (StatusCode::UNAUTHORIZED, "stripped-signature"),
        AuthError::UncheckedSignature => (StatusCode::UNAUTHORIZED, "unchecked-signature"),
        AuthError::Expired => (StatusCode::UNAUTHORIZED, "expired-token"),
        AuthError::NotYetValid => (StatusCode::UNAUTHORIZED, "token-not-yet-valid"),
        AuthError::Issuer => (StatusCode::FORBIDDEN, "wrong-issuer"),
        AuthError::Audience => (StatusCode::FORBIDDEN, "wrong-audience"),
        AuthError::Email => (StatusCode::FORBIDDEN, "wrong-email"),
        AuthError::EmailNotVerified => (StatusCode::FORBIDDEN, "email-not-verified"),
        // The token may well be good: the broker shall try again.
        AuthError::KeysUnavailable => (StatusCode::SERVICE_UNAVAILABLE, "keys-unavailable"),
    }
}
