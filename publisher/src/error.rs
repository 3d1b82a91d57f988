use std::error::Error;
use std::time::Duration;

use crate::Unpublishable;

/// Why an event was not published, or why nobody knows whether it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The event itself breaks a rule; nothing was sent.
    #[error("the event {event_id:?} can't be published: {reason}")]
    Unpublishable {
        /// The event's id.
        event_id: String,
        /// The rule.
        #[source]
        reason: Unpublishable,
    },
    /// What signs the events has no key at this moment; nothing was sent.
    #[error("there is no key to sign the event with")]
    NoKey,
    /// A message that is to be sent on breaks a rule; nothing was sent.
    #[error("the message can't be sent on: {0}")]
    Unforwardable(#[source] Unpublishable),
    /// No answer in time. The event may have arrived, or may still arrive.
    #[error("{destination} gave no answer within {limit:?}")]
    Timeout {
        /// The topic or the URL.
        destination: String,
        /// The limit that passed.
        limit: Duration,
    },
    /// No connection, or one that broke. The event may have arrived.
    #[error("{destination} can't be reached: {source}")]
    Unreachable {
        /// The topic or the URL.
        destination: String,
        /// What the client says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// There are no credentials to publish with.
    #[error(
        "no credentials for {topic}: {reason}; set GOOGLE_APPLICATION_CREDENTIALS, or PUBSUB_EMULATOR_HOST to use the emulator"
    )]
    Credentials {
        /// The topic.
        topic: String,
        /// What the client says.
        reason: String,
        /// Whether the client holds that it may pass.
        retryable: bool,
    },
    /// Pub/Sub answered, and did not take the event.
    #[error("{topic} refused the event with {code}: {reason}{}", advice(.code))]
    Topic {
        /// The topic.
        topic: String,
        /// The status, as gRPC names it, such as `NOT_FOUND`.
        code: &'static str,
        /// What Pub/Sub says.
        reason: String,
        /// Whether the same publish may succeed later.
        retryable: bool,
    },
    /// An earlier event with the same ordering key failed; this one was not sent, or it would have overtaken that one.
    #[error(
        "{topic} holds the event back, since an earlier one with the ordering key {ordering_key:?} failed; publish them again, in order"
    )]
    HeldBack {
        /// The topic.
        topic: String,
        /// The key.
        ordering_key: String,
    },
    /// A host answered, and did not acknowledge the event.
    #[error("{url} answered {status}{}: {reason}", code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default())]
    Host {
        /// The URL that the event was posted to.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The host's own word for what is wrong, where it sent one.
        code: Option<String>,
        /// The host's sentence, or the beginning of the body where it is no answer of a host.
        reason: String,
    },
}

impl PublishError {
    /// Whether publishing the same event again may succeed without anybody changing anything.
    ///
    /// Where it may not, a person has to act: on the event, on a name, on a permission.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unpublishable { .. } | Self::Unforwardable(_) => false,
            Self::NoKey | Self::Timeout { .. } | Self::Unreachable { .. } | Self::HeldBack { .. } => true,
            Self::Credentials { retryable, .. } | Self::Topic { retryable, .. } => *retryable,
            // RFC 9110: request timeout, too early, too many requests, and whatever the server blames on itself.
            Self::Host { status, .. } => matches!(status, 408 | 425 | 429 | 500..),
        }
    }
}

/// What to do about a status that a person has to clear.
fn advice(code: &str) -> &'static str {
    match code {
        "NOT_FOUND" => " (create the topic, or correct its name)",
        "PERMISSION_DENIED" => " (give the service account the role roles/pubsub.publisher on the topic)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_blames_itself_may_be_asked_again() {
        let host = |status| PublishError::Host { url: "u".into(), status, code: None, reason: String::new() };
        assert!([408, 425, 429, 500, 503].into_iter().all(|status| host(status).is_retryable()));
        assert!(![302, 400, 401, 404, 422].into_iter().any(|status| host(status).is_retryable()));
    }
}
