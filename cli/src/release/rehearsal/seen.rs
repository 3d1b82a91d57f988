use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tidemill_host::key_value::{Key, KeyValue, KeyValueError, Space};
use tidemill_host::outcome::Outcome;
use tidemill_host::publishing::Publication;
use tidemill_host::runtime::{Ending, Invocation, Line, Refusals};

use super::prompter::Sent;

/// Data, by what tells it from other data. The data itself may be anybody's, and is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Content {
    bytes: usize,
    sha256: [u8; 32],
}

/// How a run ended, the best first: what comes later is worse.
///
/// Done is what is wanted. A rejection is an answer as well: the event is given up after one delivery, and kept with its
/// reason. A retry is none yet: the event comes again and again, which slows its whole subscription, and is given up in the
/// end if nothing changes. A fault is the same without a word of the handler's. Worst is an event type that was served and
/// then isn't: nothing even begins. Hosts judge canaries in the same spirit, where a retry and a fault count as failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    Done,
    Rejected,
    Retried,
    Faulted,
    Unserved,
}

/// What one run came to, and what it would have had for effects.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) standing: Standing,
    /// Its word for programs: `done`, `retry`, `reject`, or which fault.
    pub(super) code: &'static str,
    pub(super) reason: String,
    pub(super) retry_after: Option<Duration>,
    pub(super) sent: Vec<Sent>,
    pub(super) published: Vec<Published>,
    /// What is under each key, by store and key.
    pub(super) kept: BTreeMap<(String, String), Content>,
    pub(super) refusals: Refusals,
    pub(super) log: Vec<Line>,
}

/// An event that would have been published. Its id and its time follow from the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Published {
    pub(super) event_type: String,
    pub(super) data: Content,
    pub(super) content_type: Option<String>,
    pub(super) ordering_key: Option<String>,
    pub(super) attributes: BTreeMap<String, String>,
}

impl Content {
    pub(super) fn of(data: &[u8]) -> Self {
        Self { bytes: data.len(), sha256: Sha256::digest(data).into() }
    }

    fn as_json(self) -> Value {
        json!({ "bytes": self.bytes, "sha256": hex::encode(self.sha256) })
    }
}

impl Seen {
    /// What an invocation came to. `hide` takes a handler's secrets out of a text.
    pub(super) fn of(
        invocation: Invocation,
        sent: Vec<Sent>,
        kept: BTreeMap<(String, String), Content>,
        log: Vec<Line>,
        hide: impl Fn(&str) -> String,
    ) -> Self {
        let Invocation { ending, publications, refusals, .. } = invocation;
        let standing = match &ending {
            Ending::Done => Standing::Done,
            Ending::Reject { .. } => Standing::Rejected,
            Ending::Retry { .. } => Standing::Retried,
            Ending::Fault(_) => Standing::Faulted,
        };
        let answer = Outcome::Ran(ending).answer();
        let sent = sent.into_iter().map(|sent| Sent { url: hide(&sent.url), ..sent });
        Self {
            standing,
            code: answer.code,
            reason: answer.reason,
            retry_after: answer.retry_after,
            sent: sent.collect(),
            published: publications.iter().map(|publication| Published::of(publication, &hide)).collect(),
            kept: kept.into_iter().map(|((store, key), value)| ((store, hide(&key)), value)).collect(),
            refusals,
            log,
        }
    }

    /// Of an event that nobody would serve any more.
    pub(super) fn unserved() -> Self {
        Self {
            standing: Standing::Unserved,
            code: "unserved",
            reason: "no handler would serve its event type any more".to_owned(),
            retry_after: None,
            sent: Vec::new(),
            published: Vec::new(),
            kept: BTreeMap::new(),
            refusals: Refusals::default(),
            log: Vec::new(),
        }
    }

    /// As data. Contents are there by their length and digest, headers by their names: they may hold secrets.
    pub(super) fn as_json(&self) -> Value {
        let sent = self.sent.iter().map(|sent| {
            json!({
                "method": sent.method.as_str(),
                "url": sent.url,
                "headers": sent.headers.keys().map(|name| name.as_str()).collect::<Vec<_>>(),
                "body": sent.body.as_json(),
                "answered_by": if sent.recorded { "recording" } else { "stub" },
            })
        });
        let published = self.published.iter().map(|published| {
            json!({
                "event_type": published.event_type,
                "content_type": published.content_type,
                "ordering_key": published.ordering_key,
                "attributes": published.attributes,
                "data": published.data.as_json(),
            })
        });
        let kept = self
            .kept
            .iter()
            .map(|((store, key), value)| json!({ "store": store, "key": key, "value": value.as_json() }));
        json!({
            "outcome": self.standing.word(),
            "code": self.code,
            "reason": self.reason,
            "retry_after_ms": self.retry_after.map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
            "requests": sent.collect::<Vec<_>>(),
            "published": published.collect::<Vec<_>>(),
            "kept": kept.collect::<Vec<_>>(),
            "refused": self.refusals.by_capability().into_iter().collect::<BTreeMap<_, _>>(),
            "log": self.log.iter().map(crate::invoke::logged).collect::<Vec<_>>(),
        })
    }
}

impl Standing {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Rejected => "reject",
            Self::Retried => "retry",
            Self::Faulted => "fault",
            Self::Unserved => "unserved",
        }
    }
}

impl Published {
    fn of(publication: &Publication, hide: impl Fn(&str) -> String) -> Self {
        let event = publication.event();
        let hidden = |text: &Option<String>| text.as_deref().map(&hide);
        Self {
            event_type: hide(&event.event_type),
            data: Content::of(&event.data),
            content_type: hidden(&event.content_type),
            ordering_key: hidden(&event.ordering_key),
            attributes: event.attributes.iter().map(|(name, value)| (hide(name), hide(value))).collect(),
        }
    }
}

/// What lies in these stores, which nobody changes meanwhile.
pub(super) async fn kept(
    store: &dyn KeyValue,
    spaces: &[Space],
) -> Result<BTreeMap<(String, String), Content>, KeyValueError> {
    let mut kept = BTreeMap::new();
    for space in spaces {
        let mut after = None;
        loop {
            let page = store.keys(space, after.as_deref()).await?;
            for name in page.keys {
                if let Some(value) = store.get(space, &Key::new(name.clone())?).await? {
                    kept.insert((space.store().to_owned(), name), Content::of(&value));
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
    Ok(kept)
}
