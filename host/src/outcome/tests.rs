use tidemill_events::VerifyError;

use super::*;
use crate::auth::AuthError;
use crate::publishing::ChainError;

fn retry() -> Outcome {
    Outcome::Ran(Ending::Retry { reason: "later".into(), delay: None })
}

fn reject() -> Outcome {
    Outcome::Ran(Ending::Reject { reason: "never".into() })
}

fn unsent() -> Outcome {
    Outcome::Unsent(Unsent { all: 2, sent: 1, problem: "the topic is away".into() })
}

fn refused(refusal: impl Into<Refusal>) -> Outcome {
    Outcome::Refused(refusal.into())
}

#[test]
fn only_a_finished_handler_a_stored_letter_or_a_configured_word_acknowledges() {
    let acknowledged = [
        Outcome::Ran(Ending::Done),
        Outcome::Duplicate,
        Outcome::Ignored { event_type: "x".into() },
        Outcome::DeadLettered { cause: Box::new(reject()), place: "the folder x".into() },
    ];
    let nacked = [
        retry(),
        reject(),
        Outcome::Ran(Ending::Fault(Fault::Trap("unreachable".into()))),
        Outcome::Ran(Ending::Fault(Fault::Deadline(Duration::from_secs(1)))),
        Outcome::Ran(Ending::Fault(Fault::Cpu(Duration::from_secs(1)))),
        Outcome::Ran(Ending::Fault(Fault::Memory(1))),
        Outcome::Ran(Ending::Fault(Fault::TableEntries(1))),
        Outcome::Ran(Ending::Fault(Fault::Stack(1))),
        Outcome::Ran(Ending::Fault(Fault::Resources(1))),
        Outcome::Ran(Ending::Fault(Fault::HostCalls(1))),
        Outcome::Ran(Ending::Fault(Fault::Data(1))),
        unsent(),
        Outcome::Stuck { cause: Box::new(reject()), problem: Some("the disk is full".into()) },
        Outcome::Stuck { cause: Box::new(reject()), problem: None },
        refused(Refusal::WrongPath("/".into())),
        refused(AuthError::NoToken),
        refused(AuthError::KeysUnavailable),
        refused(Refusal::BodyTooLong(1)),
        refused(VerifyError::NotSigned),
        refused(VerifyError::UnknownKey("k9".into())),
        refused(ChainError::TooDeep { depth: 17, max: 16 }),
        refused(ChainError::NoDepth("x".into())),
        refused(Refusal::UnknownEventType("x".into())),
        refused(Refusal::Overloaded(1)),
        refused(Refusal::HandlerOverloaded { handler: "h".into(), in_flight: 1 }),
        refused(Refusal::BodiesOverloaded(1)),
        refused(Refusal::Running(Duration::from_secs(1))),
        refused(Refusal::DedupUnavailable("down".into())),
        refused(Refusal::Host("bug".into())),
    ];
    assert!(acknowledged.iter().all(|outcome| outcome.answer().status == StatusCode::NO_CONTENT));
    for outcome in nacked {
        let answer = outcome.answer();
        assert!(answer.status.is_client_error() || answer.status.is_server_error(), "{answer:?}");
        assert!(!answer.reason.is_empty(), "{answer:?}");
    }
}

const CASE: Case = Case {
    sender: Sender::Stranger,
    attempt: Some(4),
    max_attempts: Some(5),
    unknown_event_type: UnknownEventType::DeadLetter,
};
const LAST: Case = Case { attempt: Some(5), ..CASE };

#[test]
fn an_event_is_given_up_when_it_is_rejected_or_its_attempts_are_used_up() {
    assert!(reject().gives_up(&CASE));
    assert!(!retry().gives_up(&CASE));
    assert!(retry().gives_up(&LAST));
    assert!(Outcome::Ran(Ending::Fault(Fault::Memory(1))).gives_up(&LAST));
    assert!(!unsent().gives_up(&CASE) && unsent().gives_up(&LAST));
    assert!(refused(ChainError::TooDeep { depth: 17, max: 16 }).gives_up(&CASE));
    assert!(!retry().gives_up(&Case { max_attempts: None, ..LAST }));
    assert!(!retry().gives_up(&Case { attempt: None, ..LAST }));
    assert!(!Outcome::Ran(Ending::Done).gives_up(&LAST));
    // An event that only found no place, or its like running, was not attempted.
    assert!(!refused(Refusal::Overloaded(1)).gives_up(&LAST));
    assert!(!refused(Refusal::Running(Duration::ZERO)).gives_up(&LAST));
    let unknown =
        |word| refused(Refusal::UnknownEventType("x".into())).gives_up(&Case { unknown_event_type: word, ..CASE });
    assert!(unknown(UnknownEventType::DeadLetter) && !unknown(UnknownEventType::Nack));
}

/// Else anybody could fill the place for dead letters.
#[test]
fn what_a_stranger_sends_unverified_is_never_stored() {
    let vouched = Case { sender: Sender::Vouched, ..CASE };
    for error in [VerifyError::NotSigned, VerifyError::InvalidSignature, VerifyError::MissingEventType] {
        assert!(!refused(error.clone()).gives_up(&LAST), "{error}");
        assert!(refused(error.clone()).gives_up(&vouched), "{error}");
    }
    let malformed = || refused(tidemill_events::Envelope::decode(b"{").unwrap_err());
    assert!(!malformed().gives_up(&LAST) && malformed().gives_up(&vouched));
    // The key may be on its way.
    let unknown = || refused(VerifyError::UnknownKey("k9".into()));
    assert!(!unknown().gives_up(&vouched) && unknown().gives_up(&Case { sender: Sender::Vouched, ..LAST }));
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
