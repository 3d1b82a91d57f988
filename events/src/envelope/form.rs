//! Which form a request claims to have. It may claim one: where it claims two, two readers could disagree.

use std::fmt;

use super::cloudevent::CloudEventError;
use super::headers::Headers;
use super::{EnvelopeError, unwrapped};

/// The wire form that a delivery came in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Form {
    /// JSON around the message, as a push subscription sends it unless told otherwise.
    #[default]
    Wrapped,
    /// The data as the body, all else in headers (`--push-no-wrapper --push-no-wrapper-write-metadata`).
    Unwrapped,
    /// A CloudEvent, as Eventarc sends it, in binary or structured mode.
    CloudEvent,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wrapped => "wrapped",
            Self::Unwrapped => "unwrapped",
            Self::CloudEvent => "cloudevent",
        })
    }
}

/// How a request is to be read.
pub(super) enum Claim {
    Wrapped,
    Unwrapped,
    Binary,
    Structured,
}

impl Claim {
    /// Reads the claim off the headers. The body has no say in it.
    ///
    /// Any header that begins with `ce-` claims binary mode, so that half of a CloudEvent's headers is an error and
    /// not another form. A sender of structured mode may repeat its attributes as such headers (HTTP binding 1.0.2,
    /// section 3.2.3); that is refused too, since then each stands twice.
    pub(super) fn of(headers: &Headers<'_>) -> Result<Self, EnvelopeError> {
        let content_type = headers.only("content-type")?.map(media_type);
        let structured = content_type.filter(|media| starts_with(media, "application/cloudevents"));
        let binary = headers.iter().any(|(name, _)| starts_with(name, "ce-"));
        let unwrapped = headers.has(unwrapped::MESSAGE_ID) || headers.has(unwrapped::SUBSCRIPTION);
        match (structured, binary, unwrapped) {
            (None, false, false) => Ok(Self::Wrapped),
            (None, false, true) => Ok(Self::Unwrapped),
            (None, true, false) => Ok(Self::Binary),
            (Some(media), false, false) if media.eq_ignore_ascii_case("application/cloudevents+json") => {
                Ok(Self::Structured)
            }
            (Some(media), false, false) => Err(CloudEventError::format(media).into()),
            (Some(_), true, _) => Err(EnvelopeError::TwoForms("content-type: application/cloudevents…", "ce-…")),
            (Some(_), false, true) => {
                Err(EnvelopeError::TwoForms("content-type: application/cloudevents…", "x-goog-pubsub-…"))
            }
            (None, true, true) => Err(EnvelopeError::TwoForms("ce-…", "x-goog-pubsub-…")),
        }
    }
}

/// A content type without its parameters.
pub(super) fn media_type(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim_ascii()
}

/// Whether `text` begins with `start`, which is ASCII, in whatever case.
pub(super) fn starts_with(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
}
