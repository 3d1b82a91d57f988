use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, anyhow, bail};
use futures_util::{StreamExt, TryStreamExt, stream};
use tidemill_host::artifact::Digest;
use tidemill_host::config::HandlerValues;
use tidemill_host::registry::Manifest;
use tidemill_host::store::{Served, Store};

use super::artifacts::Candidate;
use super::change::short;
use crate::build::{terms, with_values};

/// Manifests that are read at once.
const AT_ONCE: usize = 16;

/// The event types of each artifact that would serve, by handler and digest.
pub(super) struct Routes(BTreeMap<(String, Digest), BTreeSet<String>>);

impl Routes {
    /// Those of the candidates, which are at hand, and of everything else, whose manifests the store has.
    pub(super) async fn of(
        handlers: &BTreeMap<String, Served>,
        candidates: &[Candidate],
        store: &Store,
    ) -> anyhow::Result<Self> {
        let at_hand = candidates.iter().map(|candidate| {
            let Candidate { handler, digest, .. } = candidate;
            ((handler.name.clone(), *digest), handler.events.iter().cloned().collect())
        });
        let mut routes: BTreeMap<_, BTreeSet<_>> = at_hand.collect();
        let wanted = handlers.iter().flat_map(|(handler, served)| {
            let canary = served.canary.map(|canary| canary.artifact);
            [Some(served.artifact), canary].into_iter().flatten().map(move |digest| (handler.clone(), digest))
        });
        let missing: BTreeSet<_> = wanted.filter(|key| !routes.contains_key(key)).collect();
        let read = stream::iter(missing).map(|key| async move {
            let events = stored(store, &key.0, key.1).await?;
            anyhow::Ok((key, events))
        });
        routes.extend(read.buffer_unordered(AT_ONCE).try_collect::<Vec<_>>().await?);
        Ok(Self(routes))
    }

    /// The event types of one artifact.
    pub(super) fn events(&self, handler: &str, digest: Digest) -> impl Iterator<Item = &str> {
        self.0.get(&(handler.to_owned(), digest)).into_iter().flatten().map(String::as_str)
    }

    /// Whether anybody serves this event type.
    pub(super) fn serve(&self, event_type: &str) -> bool {
        self.0.values().any(|events| events.contains(event_type))
    }

    /// Refuses where two handlers want the same event type.
    pub(super) fn apart(&self) -> anyhow::Result<()> {
        let mut wanted: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for ((handler, _), events) in &self.0 {
            events.iter().for_each(|event_type| _ = wanted.entry(event_type).or_default().insert(handler));
        }
        let clashes = wanted.iter().filter(|(_, handlers)| handlers.len() > 1).map(|(event_type, handlers)| {
            let handlers: Vec<_> = handlers.iter().copied().collect();
            format!("the event type {event_type:?} is wanted by the handlers {}", handlers.join(" and "))
        });
        let clashes: Vec<_> = clashes.collect();
        if clashes.is_empty() {
            return Ok(());
        }
        bail!(
            "{}: only one can serve it; take it out of the handler.toml of the others, or take a handler back with \
             `tidemill remove`",
            clashes.join("; ")
        )
    }

    /// Refuses a canary that serves other event types than what it is tried beside: a share of them would find no handler.
    pub(super) fn same(&self, handler: &str, present: Digest, canary: Digest) -> anyhow::Result<()> {
        let events = |digest| self.0.get(&(handler.to_owned(), digest));
        let (Some(present), Some(canary)) = (events(present), events(canary)) else { return Ok(()) };
        if present == canary {
            return Ok(());
        }
        let list = |events: &BTreeSet<String>| events.iter().cloned().collect::<Vec<_>>().join(", ");
        bail!(
            "{handler}: its handler.toml lists {}, and what serves now lists {}: a canary takes a share of the same event \
             types; deploy it without --canary",
            list(canary),
            list(present)
        )
    }
}

/// The event types in a manifest of the store's.
async fn stored(store: &Store, handler: &str, digest: Digest) -> anyhow::Result<BTreeSet<String>> {
    let manifest = store.manifest(digest).await?;
    let parse = || -> anyhow::Result<Manifest> {
        // What only the operator has is of no matter here.
        let manifest = String::from_utf8(with_values(&manifest)?)?;
        Ok(Manifest::parse(&manifest, handler, &terms(HandlerValues::default()))?)
    };
    let parsed = parse().with_context(|| {
        let advice = format!("deploy it anew, or take it back with `tidemill remove {handler}`");
        anyhow!("the handler {handler} ({}) in the store {store} can't be judged: {advice}", short(digest))
    });
    Ok(parsed?.events.into_iter().collect())
}
