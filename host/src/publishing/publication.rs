use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};
use tidemill_events::{Event, attribute};
use tidemill_publisher::Unpublishable;
use uuid::{Builder, Uuid};

use super::cause::take_in;
use super::{Cause, NewEvent, Refused};

/// Attributes that a handler may give an event: as many as a message has room for, without the two signatures, the five
/// fields that are attributes, and the four that say where it comes from.
pub const MAX_ATTRIBUTES: usize = 89;

/// Beginnings of attributes that are the host's or the broker's own, in lower case.
const NOT_THEIRS: [&str; 2] = ["tidemill-", "goog"];

/// An event that a handler has published: whole but for its time. It happens when its cause is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication(Event);

impl Publication {
    /// The event, as it happened at this time.
    #[must_use]
    pub fn at(self, time: SystemTime) -> Event {
        Event { time, ..self.0 }
    }

    /// The same, of which so many events may come.
    pub(super) fn with_descendants(mut self, descendants: u32) -> Self {
        self.0.attributes.insert(attribute::DESCENDANTS.to_owned(), descendants.to_string());
        self
    }

    /// The event, but for its time.
    #[must_use]
    pub fn event(&self) -> &Event {
        &self.0
    }

    /// The event that a handler wants to publish, marked as its cause's, and still without an id of its own.
    pub(super) fn draft(new: NewEvent, cause: &Cause) -> Result<Draft, Refused> {
        let NewEvent { event_type, data, content_type, ordering_key, attributes } = new;
        // Pub/Sub, and whoever reads an event, takes the empty text for none.
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let mut event = Event {
            id: Uuid::nil().to_string(),
            event_type,
            time: UNIX_EPOCH,
            content_type: given(content_type),
            ordering_key: given(ordering_key),
            attributes: judged(attributes)?,
            data,
        };
        cause.mark(&mut event);
        Ok(Draft(event))
    }
}

/// Its type and its id, for the log.
impl fmt::Display for Publication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0.event_type, self.0.id)
    }
}

/// A publication whose id is still to be made. It is as long as it will be.
pub(super) struct Draft(Event);

/// All that a handler says with an event, and what it says it for.
pub(super) struct Content(Sha256);

impl Draft {
    /// The bytes that count against the limits.
    ///
    /// # Errors
    /// Where nobody could publish it.
    pub(super) fn size(&self) -> Result<usize, Unpublishable> {
        Unpublishable::judge(&self.0)
    }

    /// What is said. The marks are none of it: a trace is another one each time.
    pub(super) fn content(&self, cause: &Cause) -> Content {
        let Event { event_type, ordering_key, content_type, attributes, data, .. } = &self.0;
        let [key, content_type] = [ordering_key, content_type].map(|text| text.as_deref().unwrap_or_default());
        let fields = [event_type.as_bytes(), key.as_bytes(), content_type.as_bytes(), data];
        let theirs = attributes.iter().filter(|(name, _)| !is_the_hosts(name));
        let theirs = theirs.flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
        // No count is needed: the attributes are all that is left.
        Content(take_in(cause.name(), fields.into_iter().chain(theirs)))
    }

    /// The publication, which is the cause's `occurrence`th of this content.
    ///
    /// Its id is a UUID of version 8 (RFC 9562, section 5.8): the first 128 bits of a SHA-256 over the cause, the handler,
    /// all that the handler has said, and how often it has said the same before. So a handler that is run again, since not
    /// all could be sent, publishes under the same ids, by which receivers drop what they have had. And what it says
    /// differently the second time has an id of its own, and is never taken for the first.
    pub(super) fn into_publication(self, content: Content, occurrence: u64) -> Publication {
        let hash: [u8; 32] = content.0.chain_update(occurrence.to_le_bytes()).finalize().into();
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(hash).for_each(|(byte, hashed)| *byte = hashed);
        let id = Builder::from_custom_bytes(bytes).into_uuid().to_string();
        Publication(Event { id, ..self.0 })
    }
}

impl Content {
    /// The same for all that says the same.
    pub(super) fn digest(&self) -> [u8; 32] {
        self.0.clone().finalize().into()
    }
}

/// Whether an attribute of this name, in whatever case, is the host's or the broker's own.
fn is_the_hosts(name: &str) -> bool {
    let begins = |start: &str| name.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start));
    NOT_THEIRS.into_iter().any(begins)
}

/// The attributes that a handler has given, if they are such as it may give.
fn judged(given: Vec<(String, String)>) -> Result<BTreeMap<String, String>, Refused> {
    if given.len() > MAX_ATTRIBUTES {
        return Err(Refused::TooManyAttributes(given.len()));
    }
    let mut attributes = BTreeMap::new();
    for (name, value) in given {
        // In the unwrapped form names travel as headers, in whatever case.
        if is_the_hosts(&name) || attribute::RESERVED.iter().any(|reserved| name.eq_ignore_ascii_case(reserved)) {
            return Err(Refused::Reserved(name));
        }
        match attributes.entry(name) {
            Entry::Vacant(entry) => _ = entry.insert(value),
            Entry::Occupied(entry) => return Err(Refused::Repeated(entry.key().clone())),
        }
    }
    Ok(attributes)
}
