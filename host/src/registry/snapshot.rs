use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::Digest;
use crate::runtime::{Component, Grant};

/// A handler, loaded and ready to run.
#[derive(Debug)]
pub struct Handler {
    /// Its name.
    pub name: String,
    /// The digest of the artifact that it was loaded from.
    pub digest: Digest,
    /// The event types that it serves.
    pub events: Vec<String>,
    /// How long one event may take.
    pub deadline: Duration,
    /// What it may have and do.
    pub grant: Grant,
    /// Its code.
    pub component: Component,
    /// Its manifest's text, to be judged again when values change.
    pub(super) manifest: Arc<str>,
}

/// A set of handlers and the routes to them. It never changes.
#[derive(Debug, Default)]
pub struct Snapshot {
    handlers: BTreeMap<String, Arc<Handler>>,
    routes: HashMap<String, Arc<Handler>>,
}

/// A handler that wants to be in the next snapshot.
#[derive(Debug)]
pub(super) struct Claim {
    /// The handler.
    pub(super) handler: Arc<Handler>,
    /// The version of it that is in the snapshot before.
    pub(super) before: Option<Arc<Handler>>,
}

impl Claim {
    /// Whether what this handler has would go to a version of the same.
    fn succeeds(&self, owner: Option<&Arc<Handler>>) -> bool {
        self.before.as_ref().zip(owner).is_some_and(|(before, owner)| Arc::ptr_eq(before, owner))
    }
}

impl Snapshot {
    /// The snapshot that follows `before`, and the claims that it could not meet.
    ///
    /// Where two want the same name or event type, who has it keeps it: a newcomer takes nothing from what serves.
    /// Where nobody has it, the first gets it: give them in an order that is the same on every host.
    pub(super) fn after(before: &Self, claims: &[Claim]) -> (Self, Vec<Conflict>) {
        let (mut next, mut conflicts) = (Self::default(), Vec::new());
        // The sorts are stable: among those who have nothing yet, the order stays as given.
        let mut names: Vec<_> = claims.iter().collect();
        names.sort_by_key(|claim| !claim.succeeds(before.handlers.get(&claim.handler.name)));
        let mut types = Vec::new();
        for claim in names {
            let Handler { name, events, .. } = &*claim.handler;
            if next.handlers.contains_key(name) {
                conflicts.push(Conflict::new("name", name, name, name));
            } else {
                next.handlers.insert(name.clone(), Arc::clone(&claim.handler));
                types.extend(events.iter().map(|event_type| (event_type, claim)));
            }
        }
        types.sort_by_key(|(event_type, claim)| !claim.succeeds(before.routes.get(*event_type)));
        for (event_type, claim) in types {
            match next.routes.get(event_type) {
                None => _ = next.routes.insert(event_type.clone(), Arc::clone(&claim.handler)),
                Some(owner) => {
                    conflicts.push(Conflict::new("event type", event_type, &owner.name, &claim.handler.name));
                }
            }
        }
        (next, conflicts)
    }

    /// The handler that serves this event type.
    #[must_use]
    pub fn route(&self, event_type: &str) -> Option<&Arc<Handler>> {
        self.routes.get(event_type)
    }

    /// The handlers, by name.
    pub fn handlers(&self) -> impl ExactSizeIterator<Item = &Arc<Handler>> {
        self.handlers.values()
    }
}

/// Two handlers want the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the {claim} {value:?} is already the handler {owner:?}'s, so {refused:?} doesn't get it: change one handler.toml"
)]
pub(super) struct Conflict {
    /// What kind of thing both want.
    claim: &'static str,
    /// What both want.
    value: String,
    /// Who has it.
    owner: String,
    /// Who doesn't.
    pub(super) refused: String,
}

impl Conflict {
    fn new(claim: &'static str, value: &str, owner: &str, refused: &str) -> Self {
        Self { claim, value: value.into(), owner: owner.into(), refused: refused.into() }
    }
}
