use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::bindings::tidemill::handler::events as wit;
use crate::text::bounded;

/// What of a reason reaches the host: enough for a person, and no body of megabytes by accident.
const MAX_REASON: usize = 4096;

/// Why a handler could not finish an event.
///
/// `?` makes any [`std::error::Error`] a **retry**, with the error and its sources as the reason: whether it passes is
/// not for the SDK to know, and to deliver the event again loses nothing, whereas a rejection is final. Where an error
/// can't pass, say so: `.map_err(Failure::reject)?`.
///
/// ```
/// # use tidemill_sdk::Failure;
/// # fn f(text: &str) -> Result<u64, Failure> {
/// let count: u64 = text.parse().map_err(Failure::reject)?;
/// # Ok(count) }
/// # assert!(matches!(f("x"), Err(Failure::Reject { .. })));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Not now: deliver the event again.
    Retry {
        /// Why, for the person who reads the log. What is past 4 KiB is cut.
        reason: String,
        /// How long to wait before. `None` leaves it to the broker's backoff, and so does a broker that can't be told.
        delay: Option<Duration>,
    },
    /// Never: this event can't be handled, however often it comes.
    Reject {
        /// Why, for the person who reads the log. What is past 4 KiB is cut.
        reason: String,
    },
}

impl Failure {
    /// Not now: deliver the event again. For what may pass, such as a provider that doesn't answer.
    pub fn retry(reason: impl fmt::Display) -> Self {
        Self::Retry { reason: reason.to_string(), delay: None }
    }

    /// Never: this event can't be handled, however often it comes. For data that makes no sense, for example.
    pub fn reject(reason: impl fmt::Display) -> Self {
        Self::Reject { reason: reason.to_string() }
    }

    /// The same failure, with a wish how long to wait before the event comes again. A rejection stays as it is.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        match self {
            Self::Retry { reason, .. } => Self::Retry { reason, delay: Some(wait) },
            Self::Reject { .. } => self,
        }
    }

    /// Why, whichever it is.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Retry { reason, .. } | Self::Reject { reason } => reason,
        }
    }
}

impl<E: Error> From<E> for Failure {
    /// A retry, with the error and its sources as the reason.
    fn from(error: E) -> Self {
        let mut reason = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            reason = format!("{reason}: {cause}");
            source = cause.source();
        }
        Self::Retry { reason, delay: None }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Retry { reason, delay: None } => write!(f, "retry: {reason}"),
            Self::Retry { reason, delay: Some(delay) } => write!(f, "retry after {delay:?}: {reason}"),
            Self::Reject { reason } => write!(f, "reject: {reason}"),
        }
    }
}

impl From<Failure> for wit::Failure {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Retry { reason, delay } => Self::Retry(wit::Retry {
                reason: bounded(&reason, MAX_REASON),
                delay_ms: delay.map(|delay| u64::try_from(delay.as_millis()).unwrap_or(u64::MAX)),
            }),
            Failure::Reject { reason } => Self::Reject(wit::Rejection { reason: bounded(&reason, MAX_REASON) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Outer(std::num::ParseIntError);

    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the count can't be read")
        }
    }

    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn a_question_mark_makes_a_retry_that_tells_the_sources() {
        let count = || -> Result<u64, Failure> { Ok("x".parse().map_err(Outer)?) };
        assert_eq!(count().unwrap_err(), Failure::retry("the count can't be read: invalid digit found in string"));
    }

    #[test]
    fn only_a_retry_has_a_delay() {
        let wait = Duration::from_secs(3);
        assert_eq!(Failure::retry("r").after(wait), Failure::Retry { reason: "r".into(), delay: Some(wait) });
        assert_eq!(Failure::reject("r").after(wait), Failure::reject("r"));
    }

    #[test]
    fn the_host_gets_milliseconds_and_a_bounded_reason() {
        let wit::Failure::Retry(retry) = Failure::retry("x".repeat(9000)).after(Duration::MAX).into() else {
            panic!("a retry is a retry");
        };
        assert_eq!(retry.delay_ms, Some(u64::MAX));
        assert_eq!(retry.reason.len(), MAX_REASON + "…".len());
        let wit::Failure::Reject(rejection) = Failure::reject("no").into() else { panic!("a rejection is one") };
        assert_eq!(rejection.reason, "no");
    }
}
