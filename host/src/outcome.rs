//! What became of a delivery, and what the sender is told. Nowhere else is an acknowledgement decided.

use std::time::Duration;

use hyper::StatusCode;
use tidemill_events::{EnvelopeError, VerifyError};

use crate::runtime::{Ending, Fault};

/// The longest reason that is told, in bytes.
const MAX_REASON: usize = 4 << 10;

/// What became of a delivery.
#[derive(Debug)]
pub enum Outcome {
    /// Its handler was run, and ended so.
    Ran(Ending),
    /// No handler serves its event type, and the configuration says that such events are acknowledged.
    Ignored {
        /// The event type.
        event_type: String,
    },
    /// It never reached a handler.
    Refused(Refusal),
}

/// Why a request never reached a handler.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The path is none of the host's.
    #[error("nothing is served at {0}: deliveries go to POST /events")]
    WrongPath(String),
    /// The path is right, the method is not.
    #[error("{0} is not served here: deliveries go to POST /events")]
    WrongMethod(hyper::Method),
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
    /// The body is no envelope.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The signature doesn't hold, or there is no event type under it.
    #[error(transparent)]
    Unverified(#[from] VerifyError),
    /// No handler serves the event type.
    #[error(
        "no handler serves the event type {0:?}: deploy one, or set `unknown-event-type` to \"ack\" to drop such events"
    )]
    UnknownEventType(String),
    /// As many events are in flight as the host takes.
    #[error("{0} events are in flight, which is all that `max-in-flight` allows")]
    Overloaded(usize),
    /// The host failed, not the event.
    #[error("the host failed: {0}")]
    Host(String),
}

/// An answer to a delivery, short of its wire form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status. Pub/Sub takes 102, 200, 201, 202 and 204 as acknowledgements; the emulator takes 202 as none, so
    /// an acknowledgement is always 204.
    pub status: StatusCode,
    /// The outcome in one word: done, retry, reject, fault or refused.
    pub outcome: &'static str,
    /// What exactly, for programs.
    pub code: &'static str,
    /// What exactly, for people. Empty for done.
    pub reason: String,
    /// How long to wait, where that is known.
    pub retry_after: Option<Duration>,
}

impl Outcome {
    /// What the sender is told.
    #[must_use]
    pub fn answer(&self) -> Answer {
        let (status, outcome, code, reason) = match self {
            Self::Ran(Ending::Done) => (StatusCode::NO_CONTENT, "done", "done", String::new()),
            Self::Ignored { event_type } => {
                let reason = format!("no handler serves the event type {event_type:?}; acknowledged, as configured");
                (StatusCode::NO_CONTENT, "done", "ignored", reason)
            }
            Self::Ran(Ending::Retry { reason, .. }) => {
                (StatusCode::SERVICE_UNAVAILABLE, "retry", "retry", reason.clone())
            }
            // Without a dead-letter target of the host's own, the event stays with the broker, whose policy decides.
            Self::Ran(Ending::Reject { reason }) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "reject", "reject", reason.clone())
            }
            Self::Ran(Ending::Fault(fault)) => {
                let (status, code) = fault_status(fault);
                (status, "fault", code, fault.to_string())
            }
            Self::Refused(refusal) => {
                let (status, code) = refusal_status(refusal);
                (status, "refused", code, refusal.to_string())
            }
        };
        let retry_after = match self {
            Self::Ran(Ending::Retry { delay, .. }) => *delay,
            Self::Refused(Refusal::Overloaded(_)) => Some(Duration::from_secs(1)),
            Self::Ran(Ending::Done | Ending::Reject { .. } | Ending::Fault(_))
            | Self::Ignored { .. }
            | Self::Refused(_) => None,
        };
        Answer { status, outcome, code, reason: clipped(reason), retry_after }
    }
}

/// A reason may quote what a stranger sent, and goes into the log and the answer.
fn clipped(mut reason: String) -> String {
    if reason.len() > MAX_REASON {
        reason.truncate(reason.floor_char_boundary(MAX_REASON));
        reason.push('…');
        reason.shrink_to_fit();
    }
    reason
}

fn fault_status(fault: &Fault) -> (StatusCode, &'static str) {
    match fault {
        Fault::Trap(_) => (StatusCode::INTERNAL_SERVER_ERROR, "trap"),
        Fault::Deadline(_) => (StatusCode::GATEWAY_TIMEOUT, "deadline"),
        Fault::Memory(_) => (StatusCode::INSUFFICIENT_STORAGE, "memory"),
    }
}

fn refusal_status(refusal: &Refusal) -> (StatusCode, &'static str) {
    match refusal {
        Refusal::WrongPath(_) => (StatusCode::NOT_FOUND, "wrong-path"),
        Refusal::WrongMethod(_) => (StatusCode::METHOD_NOT_ALLOWED, "wrong-method"),
        Refusal::BodyTooLong(_) => (StatusCode::PAYLOAD_TOO_LARGE, "body-too-long"),
        Refusal::BodyTooSlow(_) => (StatusCode::REQUEST_TIMEOUT, "body-too-slow"),
        Refusal::BodyCut(_) => (StatusCode::BAD_REQUEST, "body-cut"),
        Refusal::ShuttingDown => (StatusCode::SERVICE_UNAVAILABLE, "shutting-down"),
        Refusal::Envelope(_) => (StatusCode::BAD_REQUEST, "malformed-envelope"),
        Refusal::Unverified(VerifyError::NotSigned) => (StatusCode::UNAUTHORIZED, "not-signed"),
        Refusal::Unverified(VerifyError::MalformedSignature(_)) => (StatusCode::UNAUTHORIZED, "malformed-signature"),
        Refusal::Unverified(VerifyError::InvalidSignature) => (StatusCode::FORBIDDEN, "invalid-signature"),
        Refusal::Unverified(VerifyError::MissingEventType) => (StatusCode::BAD_REQUEST, "missing-event-type"),
        Refusal::UnknownEventType(_) => (StatusCode::NOT_FOUND, "unknown-event-type"),
        Refusal::Overloaded(_) => (StatusCode::TOO_MANY_REQUESTS, "overloaded"),
        Refusal::Host(_) => (StatusCode::INTERNAL_SERVER_ERROR, "host"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_finished_handler_or_a_configured_word_acknowledges() {
        let acknowledged = [Outcome::Ran(Ending::Done), Outcome::Ignored { event_type: "x".into() }];
        let nacked = [
            Outcome::Ran(Ending::Retry { reason: "later".into(), delay: None }),
            Outcome::Ran(Ending::Reject { reason: "never".into() }),
            Outcome::Ran(Ending::Fault(Fault::Trap("unreachable".into()))),
            Outcome::Ran(Ending::Fault(Fault::Deadline(Duration::from_secs(1)))),
            Outcome::Ran(Ending::Fault(Fault::Memory(1))),
            Outcome::Refused(Refusal::WrongPath("/".into())),
            Outcome::Refused(Refusal::BodyTooLong(1)),
            Outcome::Refused(Refusal::Unverified(VerifyError::NotSigned)),
            Outcome::Refused(Refusal::UnknownEventType("x".into())),
            Outcome::Refused(Refusal::Overloaded(1)),
            Outcome::Refused(Refusal::Host("bug".into())),
        ];
        assert!(acknowledged.iter().all(|outcome| outcome.answer().status == StatusCode::NO_CONTENT));
        for outcome in nacked {
            let answer = outcome.answer();
            assert!(answer.status.is_client_error() || answer.status.is_server_error(), "{answer:?}");
            assert!(!answer.reason.is_empty(), "{answer:?}");
        }
    }

    #[test]
    fn a_long_reason_is_cut_between_two_characters() {
        assert_eq!(clipped("short".into()), "short");
        let cut = clipped("ä".repeat(MAX_REASON));
        assert!(cut.ends_with("ä…") && cut.len() <= MAX_REASON + "…".len(), "{} bytes", cut.len());
    }

    #[test]
    fn a_wished_delay_is_passed_on() {
        let outcome = Outcome::Ran(Ending::Retry { reason: "busy".into(), delay: Some(Duration::from_secs(7)) });
        assert_eq!(outcome.answer().retry_after, Some(Duration::from_secs(7)));
    }
}
