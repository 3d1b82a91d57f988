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
}

/// A set of handlers and the routes to them. It never changes.
#[derive(Debug, Default)]
pub struct Snapshot {
    handlers: BTreeMap<String, Arc<Handler>>,
    routes: HashMap<String, Arc<Handler>>,
}

impl Snapshot {
    /// The snapshot of these handlers, and the claims in it that could not be met.
    ///
    /// Where two want the same name or event type, the first of them has it. Give them in an order that is the same
    /// on every host and after every start.
    pub fn new(handlers: impl IntoIterator<Item = Arc<Handler>>) -> (Self, Vec<Conflict>) {
        let (mut snapshot, mut conflicts) = (Self::default(), Vec::new());
        for handler in handlers {
            if snapshot.handlers.contains_key(&handler.name) {
                let name = handler.name.clone();
                conflicts.push(Conflict { claim: "name", value: name.clone(), owner: name.clone(), refused: name });
                continue;
            }
            for event_type in &handler.events {
                match snapshot.routes.get(event_type) {
                    None => _ = snapshot.routes.insert(event_type.clone(), Arc::clone(&handler)),
                    Some(owner) => conflicts.push(Conflict {
                        claim: "event type",
                        value: event_type.clone(),
                        owner: owner.name.clone(),
                        refused: handler.name.clone(),
                    }),
                }
            }
            snapshot.handlers.insert(handler.name.clone(), handler);
        }
        (snapshot, conflicts)
    }

    /// The handler that serves this event type.
    #[must_use]
    pub fn route(&self, event_type: &str) -> Option<&Arc<Handler>> {
        self.routes.get(event_type)
    }

    /// The handlers, by name.
    pub fn handlers(&self) -> impl Iterator<Item = &Arc<Handler>> {
        self.handlers.values()
    }
}

/// Two handlers want the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the {claim} {value:?} is already the handler {owner:?}'s, so {refused:?} doesn't get it: change one handler.toml"
)]
pub struct Conflict {
    /// What kind of thing both want.
    pub claim: &'static str,
    /// What both want.
    pub value: String,
    /// Who has it.
    pub owner: String,
    /// Who doesn't.
    pub refused: String,
}
