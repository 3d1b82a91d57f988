use std::collections::HashMap;

use super::{Cause, Publication, Refused};

/// Events that one event's handler may publish.
pub const MAX_EVENTS: usize = 100;
/// Bytes that they may have together, counted as a message's.
pub const MAX_BYTES: usize = 10_000_000;

/// An event as a handler asks for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewEvent {
    /// What happened.
    pub event_type: String,
    /// Its data.
    pub data: Vec<u8>,
    /// The media type of the data.
    pub content_type: Option<String>,
    /// What it is ordered by.
    pub ordering_key: Option<String>,
    /// Further attributes, as they were given.
    pub attributes: Vec<(String, String)>,
}

/// What the run of one handler publishes. It leaves when the handler is done, or never.
#[derive(Debug)]
pub struct Outbox {
    /// The event types that it may publish.
    granted: Vec<String>,
    /// What it publishes for; nothing while it is only tried out.
    cause: Option<Cause>,
    publications: Vec<Publication>,
    bytes: usize,
    /// How often each content was published.
    occurrences: HashMap<[u8; 32], u64>,
}

impl Outbox {
    /// An empty one, for events of these types that `cause` brings about.
    #[must_use]
    pub fn new(granted: Vec<String>, cause: Option<Cause>) -> Self {
        Self { granted, cause, publications: Vec::new(), bytes: 0, occurrences: HashMap::new() }
    }

    /// Puts an event in, and gives its id.
    ///
    /// # Errors
    /// Where the handler may not publish it, or nobody could. What is there stays.
    pub fn put(&mut self, new: NewEvent) -> Result<String, Refused> {
        let cause = self.cause.as_ref().ok_or(Refused::Loading)?;
        if !self.granted.contains(&new.event_type) {
            return Err(Refused::NotGranted(new.event_type));
        }
        if self.publications.len() == MAX_EVENTS {
            return Err(Refused::TooManyEvents);
        }
        if self.publications.len() >= cause.descendants() as usize {
            return Err(Refused::TooManyDescendants);
        }
        let draft = Publication::draft(new, cause)?;
        // Before anything is made of its data, of which a hostile handler could hand over too much again and again.
        let bytes = self.bytes.saturating_add(draft.size()?);
        if bytes > MAX_BYTES {
            return Err(Refused::TooManyBytes(bytes));
        }
        let content = draft.content(cause);
        let occurrences = self.occurrences.entry(content.digest()).or_default();
        let publication = draft.into_publication(content, *occurrences);
        *occurrences = occurrences.saturating_add(1);
        self.bytes = bytes;
        let id = publication.event().id.clone();
        self.publications.push(publication);
        Ok(id)
    }

    /// What nothing was published for yet.
    #[must_use]
    pub fn into_cause(self) -> Option<Cause> {
        self.cause
    }

    /// What was put in, in this order. What may come of the cause beside is parted among them: so of one event from
    /// outside there come no more than the operator allows, however its descendants spread.
    #[must_use]
    pub fn into_publications(self) -> Vec<Publication> {
        let count = u32::try_from(self.publications.len()).unwrap_or(u32::MAX);
        let all = self.cause.as_ref().map_or(0, Cause::descendants);
        let each = all.saturating_sub(count).checked_div(count).unwrap_or(0);
        self.publications.into_iter().map(|publication| publication.with_descendants(each)).collect()
    }
}

#[cfg(test)]
mod tests;
