use tidemill_publisher::Unpublishable;

use super::{MAX_ATTRIBUTES, MAX_BYTES, MAX_EVENTS};

/// What of a handler's text an error repeats, in characters.
const QUOTED: usize = 64;

/// Why an event is not published, in words for the operator and for who wrote the handler.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The manifest doesn't list its type.
    #[error("the handler's handler.toml doesn't list the event type {name:?} under [permissions] publish", name = quoted(.0))]
    NotGranted(String),
    /// It breaks a rule.
    #[error("the event can't be published: {0}")]
    Unpublishable(#[from] Unpublishable),
    /// It has an attribute that others set.
    #[error(
        "the attribute {name:?} can't be given to an event: it is one of its own fields, or the host or the broker sets it",
        name = quoted(.0)
    )]
    Reserved(String),
    /// It has an attribute twice.
    #[error("the attribute {name:?} is given twice", name = quoted(.0))]
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
    /// The same with each text of the handler's as `show` shows it. What is shown of a secret has to be decided on all of
    /// the text: a quote may have half of one.
    #[must_use]
    pub fn showing(self, show: impl Fn(&str) -> String) -> Self {
        match self {
            Self::NotGranted(event_type) => Self::NotGranted(show(&event_type)),
            Self::Reserved(name) => Self::Reserved(show(&name)),
            Self::Repeated(name) => Self::Repeated(show(&name)),
            Self::Unpublishable(Unpublishable::AttributeName(name)) => Unpublishable::AttributeName(show(&name)).into(),
            Self::Unpublishable(Unpublishable::AttributeValue { name, bytes }) => {
                Unpublishable::AttributeValue { name: show(&name), bytes }.into()
            }
            Self::Unpublishable(
                Unpublishable::NoId
                | Unpublishable::Id
                | Unpublishable::NoType
                | Unpublishable::TooLong(_)
                | Unpublishable::TooManyAttributes(_)
                | Unpublishable::OrderingKey(_),
            )
            | Self::TooManyAttributes(_)
            | Self::TooManyEvents
            | Self::TooManyDescendants
            | Self::TooManyBytes(_)
            | Self::Loading => self,
        }
    }
}

fn quoted(text: &str) -> String {
    text.chars().take(QUOTED).collect()
}
