use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::{StreamExt, stream};

use super::super::trial::Trial;
use super::super::{Digest, Handler, Loader, Snapshot};
use super::loading::{Compiling, Unserved, load};
use crate::store::{Release, Store};

/// Artifacts that are fetched at once: a bucket takes some 30 ms for each of the three answers that code takes, and each may
/// be 40 MB of an interpreter's.
const FETCHED_AT_ONCE: usize = 8;

/// The handlers that are loaded, by handler and artifact: those of what serves, and of what served before it.
#[derive(Default)]
pub(super) struct Loaded(BTreeMap<(String, Digest), Kept>);

struct Kept {
    handler: Arc<Handler>,
    /// Why its values can't be read now, as last logged.
    stale: Option<String>,
}

impl Loaded {
    /// The snapshot of a release, with all that it needs: what is not loaded yet is, from the store.
    pub(super) async fn snapshot(
        &mut self,
        release: &Release,
        store: &Store,
        loader: &Loader,
        trials: &[Arc<Trial>],
    ) -> Result<Snapshot, Unserved> {
        let missing: BTreeSet<_> = release
            .artifacts()
            .map(|(name, digest)| (name.to_owned(), digest))
            .filter(|needed| !self.0.contains_key(needed))
            .collect();
        let compiling = &Compiling::while_serving(!self.0.is_empty());
        let loading = stream::iter(missing).map(|(name, digest)| async move {
            let handler = load(&name, digest, store, loader, compiling).await?;
            Ok::<_, Unserved>(((name, digest), handler))
        });
        // What was loaded stays, also where another can't be: it needn't be loaded again.
        let mut loading = loading.buffered(FETCHED_AT_ONCE);
        let mut unserved = None;
        while let Some(loaded) = loading.next().await {
            match loaded {
                Ok((key, handler)) => _ = self.0.insert(key, Kept { handler, stale: None }),
                Err(error) => {
                    unserved.get_or_insert(error);
                }
            }
        }
        match unserved {
            Some(unserved) => Err(unserved),
            None => self.assemble(release, trials),
        }
    }

    /// The snapshot of a release whose handlers are all loaded. A trial that goes on keeps its figures.
    pub(super) fn assemble(&self, release: &Release, trials: &[Arc<Trial>]) -> Result<Snapshot, Unserved> {
        let get =
            |name: &str, digest: Digest| self.0.get(&(name.to_owned(), digest)).map(|kept| Arc::clone(&kept.handler));
        let handlers = release.handlers.iter().filter_map(|(name, served)| get(name, served.artifact));
        let tried = release.handlers.iter().filter_map(|(name, served)| {
            let canary = served.canary?;
            let handler = get(name, canary.artifact)?;
            let goes_on = trials.iter().find(|trial| trial.goes_on(&handler, canary.per_ten_thousand));
            Some(goes_on.map_or_else(|| Arc::new(Trial::new(handler, canary.per_ten_thousand)), Arc::clone))
        });
        Snapshot::of_release(handlers, tried).map_err(|conflict| Unserved::Conflict(conflict.to_string()))
    }

    /// Forgets what neither release needs.
    pub(super) fn keep(&mut self, releases: [Option<&Release>; 2]) {
        self.0.retain(|(name, digest), _| {
            releases
                .iter()
                .flatten()
                .any(|release| release.artifacts().any(|needed| needed == (name.as_str(), *digest)))
        });
    }

    /// Takes over values that have changed in the files that they lie in, and says whether any has.
    pub(super) fn reload_values(&mut self, loader: &Loader) -> bool {
        let mut changed = false;
        for Kept { handler, stale } in self.0.values_mut() {
            changed |= loader.reload_values(handler, stale);
        }
        changed
    }
}
