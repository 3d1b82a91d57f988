//! What was sent, and what is to fail.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::time::SystemTime;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use tidemill_events::format_rfc3339;

/// Which provider a message was sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The one of mail.
    Mail,
    /// The one of push notifications.
    Push,
}

impl Kind {
    /// Its name, `mail` or `push`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Push => "push",
        }
    }
}

/// A message that was sent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sent {
    /// Counts up from 1, over both kinds.
    pub id: u64,
    /// Which provider it was sent to.
    pub kind: Kind,
    /// When it came first.
    #[serde(serialize_with = "rfc3339")]
    pub received_at: SystemTime,
    /// The header `Idempotency-Key`, where there was one.
    pub idempotency_key: Option<String>,
    /// How often it was sent again with the same idempotency key.
    pub repeats: u64,
    /// What was sent.
    pub body: Map<String, Value>,
}

impl Sent {
    /// Whom it is for, as far as it says so.
    #[must_use]
    pub fn to(&self) -> &str {
        self.text(&["to"])
    }

    /// The subject of a mail, the title of a push notification.
    #[must_use]
    pub fn title(&self) -> &str {
        self.text(&["subject", "title"])
    }

    /// The text of a mail or of a push notification.
    #[must_use]
    pub fn text_body(&self) -> &str {
        self.text(&["text", "body"])
    }

    fn text(&self, names: &[&str]) -> &str {
        names.iter().find_map(|name| self.body.get(*name)?.as_str()).unwrap_or_default()
    }
}

fn rfc3339<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format_rfc3339(*time))
}

/// The latest messages, and the failures that were asked for.
#[derive(Debug)]
pub(super) struct Record {
    capacity: NonZeroUsize,
    sent: VecDeque<Sent>,
    last_id: u64,
    failures: u64,
    failure_status: u16,
}

/// What came of a send.
#[derive(Debug, PartialEq)]
pub(super) enum Outcome {
    /// It is a new message.
    New(Sent),
    /// It is one that was sent before.
    Repeat(Sent),
    /// It was asked to fail, with this status.
    Fail(u16),
}

impl Record {
    pub(super) fn new(capacity: NonZeroUsize) -> Self {
        Self { capacity, sent: VecDeque::new(), last_id: 0, failures: 0, failure_status: 0 }
    }

    /// What was sent, oldest first.
    pub(super) fn messages(&self) -> impl DoubleEndedIterator<Item = &Sent> {
        self.sent.iter()
    }

    /// Makes the next `count` sends fail with `status`, in place of what was asked for before.
    pub(super) fn fail_next(&mut self, count: u64, status: u16) {
        (self.failures, self.failure_status) = (count, status);
    }

    /// Takes a message, unless it is to fail. The oldest makes room for it, and its idempotency key is forgotten.
    pub(super) fn take(
        &mut self,
        kind: Kind,
        idempotency_key: Option<String>,
        body: Map<String, Value>,
        now: SystemTime,
    ) -> Outcome {
        if self.failures > 0 {
            self.failures -= 1;
            return Outcome::Fail(self.failure_status);
        }
        let known = |sent: &&mut Sent| sent.kind == kind && sent.idempotency_key == idempotency_key;
        if idempotency_key.is_some()
            && let Some(sent) = self.sent.iter_mut().find(known)
        {
            sent.repeats += 1;
            return Outcome::Repeat(sent.clone());
        }
        if self.sent.len() == self.capacity.get() {
            self.sent.pop_front();
        }
        self.last_id += 1;
        let sent = Sent { id: self.last_id, kind, received_at: now, idempotency_key, repeats: 0, body };
        self.sent.push_back(sent.clone());
        Outcome::New(sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    fn take(record: &mut Record, kind: Kind, key: &str) -> Outcome {
        record.take(kind, Some(key.to_owned()), Map::new(), NOW)
    }

    #[test]
    fn the_oldest_makes_room() {
        let mut record = Record::new(NonZeroUsize::new(2).unwrap());
        for key in ["a", "b", "c"] {
            assert!(matches!(take(&mut record, Kind::Mail, key), Outcome::New(_)));
        }
        assert_eq!(record.messages().map(|sent| sent.id).collect::<Vec<_>>(), [2, 3]);
    }

    #[test]
    fn a_key_counts_once_for_each_provider_and_no_key_counts_each_time() {
        let mut record = Record::new(NonZeroUsize::new(10).unwrap());
        assert!(matches!(take(&mut record, Kind::Mail, "a"), Outcome::New(_)));
        assert!(matches!(take(&mut record, Kind::Push, "a"), Outcome::New(_)));
        assert!(matches!(take(&mut record, Kind::Mail, "a"), Outcome::Repeat(Sent { id: 1, repeats: 1, .. })));
        for _ in 0..2 {
            assert!(matches!(record.take(Kind::Mail, None, Map::new(), NOW), Outcome::New(_)));
        }
    }

    #[test]
    fn failures_end_and_a_send_that_failed_is_not_known() {
        let mut record = Record::new(NonZeroUsize::new(10).unwrap());
        record.fail_next(2, 429);
        let outcomes = [(); 3].map(|()| take(&mut record, Kind::Mail, "a"));
        assert!(matches!(outcomes, [Outcome::Fail(429), Outcome::Fail(429), Outcome::New(_)]), "{outcomes:?}");
    }
}
