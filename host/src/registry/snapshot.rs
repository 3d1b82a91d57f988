use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::Digest;
use super::trial::{Side, Trial};
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
    /// Whether a rule of the operator's for it alone says which these may be.
    pub entitled: bool,
    /// How long one event may take.
    pub deadline: Duration,
    /// What it may have and do.
    pub grant: Grant,
    /// Its code.
    pub component: Component,
    /// Its manifest's text, to be judged again when values change.
    pub(super) manifest: Arc<str>,
    /// What every event of it is told to be handled by, put into words once.
    pub(super) label: Label,
}

/// A handler's name and digest as texts.
#[derive(Debug, Clone)]
pub(super) struct Label {
    address: Bytes,
    artifact: String,
}

impl Label {
    pub(super) fn new(name: &str, digest: Digest) -> Self {
        Self { address: format!("{name}@{digest}").into(), artifact: digest.to_string() }
    }
}

impl Handler {
    /// Its name and the digest of its artifact, `NAME@sha256:HEX`.
    #[must_use]
    pub fn address(&self) -> &Bytes {
        &self.label.address
    }

    /// The digest of its artifact, `sha256:HEX`.
    #[must_use]
    pub fn artifact(&self) -> &str {
        &self.label.artifact
    }
}

/// A set of handlers and the routes to them. It never changes.
#[derive(Debug, Default)]
pub struct Snapshot {
    handlers: BTreeMap<String, Arc<Handler>>,
    routes: HashMap<String, Arc<Handler>>,
    /// Canaries, by their handlers' names.
    trials: BTreeMap<String, Arc<Trial>>,
}

/// Who is to handle an event.
#[derive(Debug, Clone)]
pub struct Picked {
    /// The handler.
    pub handler: Arc<Handler>,
    /// Where two of its artifacts are compared: the trial, and which of them this is.
    pub trial: Option<(Arc<Trial>, Side)>,
    /// The stable one where this is a canary.
    stable: Option<Arc<Handler>>,
}

impl Picked {
    /// How long its event may take, whichever of the two runs in the end: its deadline, and `afterwards` where it may
    /// publish.
    #[must_use]
    pub fn longest(&self, afterwards: Duration) -> Duration {
        let of = |handler: &Handler| {
            handler.deadline + if handler.grant.publish.is_empty() { Duration::ZERO } else { afterwards }
        };
        of(&self.handler).max(self.stable.as_deref().map_or(Duration::ZERO, of))
    }

    /// The same for an attempt that is not the first: what a canary may have failed at goes to what is stable.
    #[must_use]
    pub fn at_attempt(self, attempt: Option<u32>) -> Self {
        match self.trial {
            Some((trial, Side::Canary)) if attempt.is_some_and(|attempt| attempt > 1) => {
                let handler = self.stable.unwrap_or(self.handler);
                Self { handler, trial: Some((trial, Side::Stable)), stable: None }
            }
            _ => self,
        }
    }
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
    /// Where two want the same name or event type, who has it keeps it: a newcomer takes nothing from what serves. Where
    /// several want an event type that nobody has, the one gets it to whom a rule of the operator's own gives it, and
    /// otherwise nobody does: else whoever names a folder well would get at others' events with the next start.
    pub(super) fn after(before: &Self, claims: &[Claim]) -> (Self, Vec<Conflict>) {
        let (mut next, mut conflicts) = (Self::default(), Vec::new());
        // The sort is stable: among those who have nothing yet, the order stays as given.
        let mut names: Vec<_> = claims.iter().collect();
        names.sort_by_key(|claim| !claim.succeeds(before.handlers.get(&claim.handler.name)));
        let mut types: BTreeMap<&String, Vec<&Claim>> = BTreeMap::new();
        for claim in names {
            let Handler { name, events, .. } = &*claim.handler;
            if next.handlers.contains_key(name) {
                conflicts.push(Conflict::taken("name", name, name, name));
            } else {
                next.handlers.insert(name.clone(), Arc::clone(&claim.handler));
                events.iter().for_each(|event_type| types.entry(event_type).or_default().push(claim));
            }
        }
        for (event_type, mut claims) in types {
            // One handler may list a type twice.
            claims.dedup_by(|a, b| Arc::ptr_eq(&a.handler, &b.handler));
            let Some(owner) = owner(before.routes.get(event_type), &claims) else {
                let names: Vec<_> = claims.iter().map(|claim| claim.handler.name.as_str()).collect();
                conflicts.push(Conflict::undecided(event_type, &names));
                continue;
            };
            next.routes.insert(event_type.clone(), Arc::clone(&owner.handler));
            let others = claims.iter().filter(|claim| !Arc::ptr_eq(&claim.handler, &owner.handler));
            conflicts.extend(
                others.map(|claim| Conflict::taken("event type", event_type, &owner.handler.name, &claim.handler.name)),
            );
        }
        (next, conflicts)
    }

    /// The handler that serves this event type.
    #[must_use]
    pub fn route(&self, event_type: &str) -> Option<&Arc<Handler>> {
        self.routes.get(event_type)
    }

    /// Who is to handle the event of this type and id, in its first attempt.
    #[must_use]
    pub fn pick(&self, event_type: &str, event_id: &str) -> Option<Picked> {
        let stable = Arc::clone(self.route(event_type)?);
        let Some(trial) = self.trials.get(&stable.name).filter(|trial| !trial.dropped()) else {
            return Some(Picked { handler: stable, trial: None, stable: None });
        };
        // What the canary doesn't serve says nothing about it.
        if !trial.canary.events.iter().any(|served| served == event_type) {
            return Some(Picked { handler: stable, trial: None, stable: None });
        }
        let (handler, side, stable) = if trial.chooses(event_id) {
            (Arc::clone(&trial.canary), Side::Canary, Some(stable))
        } else {
            (stable, Side::Stable, None)
        };
        Some(Picked { handler, trial: Some((Arc::clone(trial), side)), stable })
    }

    /// The canaries on trial, by their handlers' names.
    pub fn trials(&self) -> impl Iterator<Item = &Arc<Trial>> {
        self.trials.values()
    }

    /// A snapshot of a release: its handlers and, of some, the canaries.
    ///
    /// # Errors
    /// Where two want the same event type: the release is wrong, and is not taken in part.
    pub(super) fn of_release(
        handlers: impl IntoIterator<Item = Arc<Handler>>,
        trials: impl IntoIterator<Item = Arc<Trial>>,
    ) -> Result<Self, Conflict> {
        let claims: Vec<_> = handlers.into_iter().map(|handler| Claim { handler, before: None }).collect();
        let (mut snapshot, mut conflicts) = Self::after(&Self::default(), &claims);
        if let Some(conflict) = conflicts.pop() {
            return Err(conflict);
        }
        snapshot.trials = trials.into_iter().map(|trial| (trial.canary.name.clone(), trial)).collect();
        Ok(snapshot)
    }

    /// The handlers, by name.
    pub fn handlers(&self) -> impl ExactSizeIterator<Item = &Arc<Handler>> {
        self.handlers.values()
    }
}

/// Which of several that want an event type gets it. `had` is who had it before.
fn owner<'a>(had: Option<&Arc<Handler>>, claims: &[&'a Claim]) -> Option<&'a Claim> {
    let only = |claims: Vec<&'a Claim>| match claims[..] {
        [claim] => Some(claim),
        _ => None,
    };
    let entitled = || claims.iter().copied().filter(|claim| claim.handler.entitled).collect();
    let heir = claims.iter().copied().find(|claim| claim.succeeds(had));
    heir.or_else(|| only(claims.to_vec())).or_else(|| only(entitled()))
}

/// Two handlers want the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub(super) struct Conflict {
    problem: String,
    /// Who doesn't have it.
    pub(super) refused: String,
}

impl Conflict {
    fn taken(claim: &str, value: &str, owner: &str, refused: &str) -> Self {
        let problem = format!(
            "the {claim} {value:?} is already the handler {owner:?}'s, so {refused:?} doesn't get it: change one \
             handler.toml"
        );
        Self { problem, refused: refused.into() }
    }

    fn undecided(event_type: &str, names: &[&str]) -> Self {
        let names = names.join(", ");
        let problem = format!(
            "the handlers {names} all want the event type {event_type:?}, so none of them gets it: change handler.toml \
             of all but one, or say which by a rule of its own, 'HANDLER events={event_type}' (setting `grants`)"
        );
        Self { problem, refused: names }
    }
}
