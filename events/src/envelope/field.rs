//! What the readers of all forms share: where a text stood, how long it may be, and how much of it an error repeats.

use std::fmt;
use std::time::SystemTime;

use crate::{TimestampError, limits, parse_rfc3339};

/// Bytes of an attribute's name.
pub(super) const MAX_NAME: usize = limits::NAME_BYTES;
/// Bytes of an attribute's value, of an ordering key, and more than of any id.
pub(super) const MAX_TEXT: usize = limits::VALUE_BYTES;
/// Attributes of a message. Pub/Sub takes 100 from a publisher, and its dead-letter policy adds some of its own.
pub(super) const MAX_ATTRIBUTES: usize = 128;
/// Bytes of data. Pub/Sub's documentation says 10 MB. It may count them as MiB, so what lies between is taken.
const MAX_DATA: usize = 10 << 20;

/// What of a stranger's text an error repeats, in characters.
const QUOTED: usize = 64;

/// Where in a request something stood. What strangers named is cut to 64 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The body as a whole.
    Body,
    /// The data, in whichever form.
    Data,
    /// A field of the wrapped form.
    Field(&'static str),
    /// A header.
    Header(String),
    /// A member of a CloudEvent in JSON.
    Member(String),
}

impl Place {
    pub(super) fn header(name: &str) -> Self {
        Self::Header(quoted(name))
    }

    pub(super) fn member(name: &str) -> Self {
        Self::Member(quoted(name))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body => f.write_str("the body"),
            Self::Data => f.write_str("the event's data"),
            Self::Field(name) => write!(f, "the field `{name}`"),
            Self::Header(name) => write!(f, "the header {name:?}"),
            Self::Member(name) => write!(f, "the member {name:?}"),
        }
    }
}

/// What is wrong with one part of an envelope, whichever its form. The part itself is not repeated.
#[derive(Debug, thiserror::Error)]
pub enum FieldError {
    /// Something is longer than it may be.
    #[error("{place} has {found} bytes, and may have {most} at most")]
    TooLong {
        /// Where it stood.
        place: Place,
        /// How many bytes it has.
        found: usize,
        /// How many it may have.
        most: usize,
    },
    /// There are more attributes than a message of Pub/Sub's has.
    #[error("there are more than {0} attributes")]
    TooMany(usize),
    /// Something stands twice: of two values, two readers could take different ones.
    #[error("{0} stands twice")]
    Repeated(Place),
    /// The bytes are no text.
    #[error("{0} is no UTF-8")]
    NotUtf8(Place),
    /// The text is no time.
    #[error("{place}: {source}")]
    Time {
        /// Where it stood.
        place: Place,
        /// What is wrong with it.
        source: TimestampError,
    },
}

/// Ids, names and attributes go into logs, headers and answers, so a stranger must not make them megabytes.
pub(super) fn within(text: &str, most: usize, place: impl FnOnce() -> Place) -> Result<(), FieldError> {
    match text.len() {
        found if found > most => Err(FieldError::TooLong { place: place(), found, most }),
        _ => Ok(()),
    }
}

/// What no broker delivers no handler need be ready for, though a body has room for more.
pub(super) fn data_fits(bytes: usize) -> Result<(), FieldError> {
    match bytes {
        found if found > MAX_DATA => Err(FieldError::TooLong { place: Place::Data, found, most: MAX_DATA }),
        _ => Ok(()),
    }
}

/// Reads a time; the empty text is none.
pub(super) fn time(text: &str, place: impl FnOnce() -> Place) -> Result<Option<SystemTime>, FieldError> {
    if text.is_empty() {
        return Ok(None);
    }
    parse_rfc3339(text).map(Some).map_err(|source| FieldError::Time { place: place(), source })
}

/// The part of a stranger's text that an error may repeat.
pub(super) fn quoted(text: &str) -> String {
    text.chars().take(QUOTED).collect()
}
