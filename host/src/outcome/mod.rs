//! What became of a delivery, and what the sender is told. Nowhere else is an acknowledgement decided.

mod refusal;

use std::time::Duration;

use hyper::StatusCode;
use tidemill_events::Sender;

pub use refusal::Refusal;

use crate::config::UnknownEventType;
use crate::publishing::Unsent;
use crate::runtime::{Ending, Fault};

/// The longest reason that is told, in bytes.
const MAX_REASON: usize = 4 << 10;

/// What is said of an event that is given up and has nowhere to go.
const NO_PLACE: &str = "there is no place for dead letters (setting `dead-letter`), so the event is not acknowledged and \
                        comes again until the subscription's own policy takes it";

/// What became of a delivery.
#[derive(Debug)]
pub enum Outcome {
    /// Its handler was run, and ended so.
    Ran(Ending),
    /// Its handler is done, and not all that it published could be sent: it runs again, and publishes under the same ids.
    Unsent(Unsent),
    /// Its event has taken effect before, so nothing was run.
    Duplicate,
    /// No handler serves its event type, and the configuration says that such events are acknowledged.
    Ignored {
        /// The event type.
        event_type: String,
    },
    /// It never reached a handler.
    Refused(Refusal),
    /// It can't be handled, and is stored with the dead letters.
    DeadLettered {
        /// What it ended with.
        cause: Box<Outcome>,
        /// Where it is.
        place: String,
    },
    /// It can't be handled, and stays with the broker nevertheless, since it could not be stored with the dead letters.
    Stuck {
        /// What it ended with.
        cause: Box<Outcome>,
        /// Why it could not be stored. `None`: there is no place for dead letters.
        problem: Option<String>,
    },
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

/// What decides, beside its outcome, whether an event is given up.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// What is known of the sender. Who is a stranger can't fill the place for dead letters with what nobody signed.
    pub sender: Sender,
    /// Which attempt at the event this was, where that is known.
    pub attempt: Option<u32>,
    /// After how many attempts an event is given up.
    pub max_attempts: Option<u32>,
    /// What to do with events that no handler serves.
    pub unknown_event_type: UnknownEventType,
}

impl Case {
    fn attempts_are_used_up(&self) -> bool {
        self.attempt.zip(self.max_attempts).is_some_and(|(attempt, most)| attempt >= most)
    }
}

impl Outcome {
    /// Whether the event should be given up, stored with the dead letters, and only then acknowledged. All else is
    /// answered as it is.
    #[must_use]
    pub fn gives_up(&self, case: &Case) -> bool {
        let vouched = match case.sender {
            Sender::Vouched => true,
            Sender::Stranger => false,
        };
        match self {
            Self::Ran(Ending::Done) | Self::Duplicate | Self::Ignored { .. } => false,
            Self::Ran(Ending::Reject { .. }) => true,
            Self::Ran(Ending::Retry { .. } | Ending::Fault(_)) | Self::Unsent(_) => case.attempts_are_used_up(),
            Self::DeadLettered { .. } | Self::Stuck { .. } => false,
            Self::Refused(refusal) => match refusal {
                Refusal::UnknownEventType(_) => match case.unknown_event_type {
                    UnknownEventType::DeadLetter => true,
                    UnknownEventType::Nack | UnknownEventType::Ack => false,
                },
                // Somebody has signed it, or vouches for its source.
                Refusal::Chain(_) => true,
                Refusal::Envelope(_) => vouched,
                Refusal::Unverified(error) => vouched && (error.is_final() || case.attempts_are_used_up()),
                Refusal::WrongPath(_)
                | Refusal::WrongMethod(_)
                | Refusal::Unauthenticated(_)
                | Refusal::BodyTooLong(_)
                | Refusal::BodyTooSlow(_)
                | Refusal::BodyCut(_)
                | Refusal::ShuttingDown
                | Refusal::Overloaded(_)
                | Refusal::HandlerOverloaded { .. }
                | Refusal::BodiesOverloaded(_)
                | Refusal::Running(_)
                | Refusal::DedupUnavailable(_)
                | Refusal::Host(_) => false,
            },
        }
    }

    /// What the sender is told.
    #[must_use]
    pub fn answer(&self) -> Answer {
        let (status, outcome, code, reason) = match self {
            Self::Ran(Ending::Done) => (StatusCode::NO_CONTENT, "done", "done", String::new()),
            Self::Duplicate => {
                let reason = "the event was handled before; acknowledged without running anything".to_owned();
                (StatusCode::NO_CONTENT, "done", "duplicate", reason)
            }
            Self::Ignored { event_type } => {
                let reason = format!("no handler serves the event type {event_type:?}; acknowledged, as configured");
                (StatusCode::NO_CONTENT, "done", "ignored", reason)
            }
            Self::Ran(Ending::Retry { reason, .. }) => {
                (StatusCode::SERVICE_UNAVAILABLE, "retry", "retry", reason.clone())
            }
            Self::Unsent(unsent) => (StatusCode::SERVICE_UNAVAILABLE, "retry", "publish-failed", unsent.to_string()),
            // Not stored, so it stays with the broker, whose policy decides.
            Self::Ran(Ending::Reject { reason }) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "reject", "reject", reason.clone())
            }
            Self::Ran(Ending::Fault(fault)) => {
                let (status, code) = fault_status(fault);
                (status, "fault", code, fault.to_string())
            }
            Self::Refused(refusal) => {
                let (status, code) = refusal.status();
                (status, "refused", code, refusal.to_string())
            }
            Self::DeadLettered { cause, place } => {
                let Answer { outcome, code, reason, .. } = cause.answer();
                (StatusCode::NO_CONTENT, outcome, code, format!("{reason}; stored in {place} and acknowledged"))
            }
            Self::Stuck { cause, problem: None } => {
                let Answer { status, outcome, code, reason, .. } = cause.answer();
                (status, outcome, code, format!("{reason}; {NO_PLACE}"))
            }
            Self::Stuck { cause, problem: Some(problem) } => {
                let Answer { outcome, reason, .. } = cause.answer();
                let reason = format!("{reason}; it is given up, but could not be stored: {problem}");
                (StatusCode::SERVICE_UNAVAILABLE, outcome, "dead-letter-failed", reason)
            }
        };
        let retry_after = match self {
            Self::Ran(Ending::Retry { delay, .. }) => *delay,
            Self::Refused(
                Refusal::Overloaded(_) | Refusal::HandlerOverloaded { .. } | Refusal::BodiesOverloaded(_),
            ) => Some(Duration::from_secs(1)),
            Self::Refused(Refusal::Running(rest)) => Some(*rest),
            Self::Ran(Ending::Done | Ending::Reject { .. } | Ending::Fault(_))
            | Self::Unsent(_)
            | Self::Duplicate
            | Self::Ignored { .. }
            | Self::Refused(_)
            | Self::DeadLettered { .. }
            | Self::Stuck { .. } => None,
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
        Fault::Cpu(_) => (StatusCode::GATEWAY_TIMEOUT, "cpu"),
        Fault::Memory(_) => (StatusCode::INSUFFICIENT_STORAGE, "memory"),
        Fault::TableEntries(_) => (StatusCode::INSUFFICIENT_STORAGE, "table-entries"),
        Fault::Stack(_) => (StatusCode::INSUFFICIENT_STORAGE, "stack"),
        Fault::Resources(_) => (StatusCode::INSUFFICIENT_STORAGE, "resources"),
        Fault::HostCalls(_) => (StatusCode::INTERNAL_SERVER_ERROR, "host-calls"),
        Fault::Data(_) => (StatusCode::INSUFFICIENT_STORAGE, "data"),
    }
}

#[cfg(test)]
mod tests;
