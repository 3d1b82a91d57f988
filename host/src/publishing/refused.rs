use tidemill_publisher::Unpublishable;

use super::{MAX_ATTRIBUTES, MAX_BYTES, MAX_EVENTS};

/// What of a handler's text an error repeats, in characters.
const QUOTED: usize = 64;

/// Why an event is not published, in words for the operator and for who wrote the handler.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The manifest doesn't list its type.
    #[error("the handler's handler.toml doesn't list the event type {0:?} under [permissions] publish")]
    NotGranted(String),
    /// It breaks a rule.
    #[error("the event can't be published: {0}")]
    Unpublishable(#[from] Unpublishable),
    /// It has an attribute that others set.
    #[error(
        "the attribute {0:?} can't be given to an event: it is one of its own fields, or the host or the broker sets it"
    )]
    Reserved(String),
    /// It has an attribute twice.
    #[error("the attribute {0:?} is given twice")]
    Repeated(String),
    /// It has too many attributes.
    #[error("the event has {0} attributes, and a handler may give it {MAX_ATTRIBUTES}")]
    TooManyAttributes(usize),
    /// Too many events are published already.
    #[error("for one event {MAX_EVENTS} further ones may be published, and this is one more")]
    TooManyEvents,
    /// Too many events have come of the first one of all.
    #[error(
        "no further event may come of the one that the first was published for: that is how the operator bounds all of \
         them together (setting `max-descendants`)"
    )]
    TooManyDescendants,
    /// Too many bytes are published already.
    #[error("what is published for one event may have {MAX_BYTES} bytes together, and with this it has {0}")]
    TooManyBytes(usize),
    /// The handler is only tried out.
    #[error("a handler publishes nothing while it is being loaded")]
    Loading,
}

impl Refused {
    pub(super) fn not_granted(event_type: &str) -> Self {
        Self::NotGranted(quoted(event_type))
    }

    pub(super) fn reserved(name: &str) -> Self {
        Self::Reserved(quoted(name))
    }

    pub(super) fn repeated(name: &str) -> Self {
        Self::Repeated(quoted(name))
    }
}

fn quoted(text: &str) -> String {
    text.chars().take(QUOTED).collect()
}
