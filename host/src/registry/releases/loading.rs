use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use super::super::load::{Loader, caught};
use super::super::trial::Trial;
use super::super::watch::NICENESS;
use super::super::{ArtifactError, Digest, Handler, Snapshot};
use crate::artifact::Artifact;
use crate::store::{Release, Store, StoreError};

/// Why a release is not served.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unserved {
    /// The store doesn't give it, or not as it was written: perhaps it does the next time.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A handler lacks a value that lies in a file outside: perhaps it is there the next time.
    #[error("{handler} ({digest}): {problem}")]
    Valueless {
        /// The handler.
        handler: String,
        /// Its artifact.
        digest: Digest,
        /// What is missing.
        problem: String,
    },
    /// It can't be served by this host.
    #[error("{handler} ({digest}): {problem}")]
    Refused {
        /// The handler.
        handler: String,
        /// Its artifact.
        digest: Digest,
        /// Why.
        problem: String,
    },
    /// Its handlers don't go together.
    #[error("{0}")]
    Conflict(String),
}

impl Unserved {
    /// Whether the same release may be served the next time.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Store(_) | Self::Valueless { .. } => true,
            Self::Refused { .. } | Self::Conflict(_) => false,
        }
    }
}

/// Loads an artifact of the store's as the handler of this name.
async fn load(name: &str, digest: Digest, store: &Store, loader: &Loader) -> Result<Arc<Handler>, Unserved> {
    let artifact = store.artifact(digest).await?;
    let refused = |problem| Unserved::Refused { handler: name.to_owned(), digest, problem };
    match compiled(artifact, name, loader).await.map_err(refused)? {
        Ok(handler) => Ok(handler),
        Err(error) if error.may_pass() => {
            Err(Unserved::Valueless { handler: name.to_owned(), digest, problem: error.to_string() })
        }
        Err(error) => Err(refused(error.to_string())),
    }
}

/// Loads an artifact on a thread for it alone. The outer error is a panic of the compiler's.
async fn compiled(
    artifact: Artifact,
    name: &str,
    loader: &Loader,
) -> Result<Result<Arc<Handler>, ArtifactError>, String> {
    let (name, loader) = (name.to_owned(), loader.clone());
    let compiling = tokio::task::spawn_blocking(move || {
        // Compiling must not take processor time from events. A lower priority is a courtesy: without it, all works.
        _ = rustix::process::setpriority_process(None, NICENESS);
        caught(|| artifact.load(&loader.runtime, &name, &loader.terms))
    });
    compiling.await.unwrap_or_else(|error| Err(error.to_string()))
}

/// The handlers that are loaded, by handler and artifact: those of what serves, and of what served before it.
#[derive(Default)]
pub(super) struct Loaded(BTreeMap<(String, Digest), Arc<Handler>>);

impl Loaded {
    /// The snapshot of a release, with all that it needs: what is not loaded yet is, from the store.
    pub(super) async fn snapshot(
        &mut self,
        release: &Release,
        store: &Store,
        loader: &Loader,
        trials: &[Arc<Trial>],
    ) -> Result<Snapshot, Unserved> {
        for (name, digest) in release.artifacts() {
            if let Entry::Vacant(missing) = self.0.entry((name.to_owned(), digest)) {
                missing.insert(load(name, digest, store, loader).await?);
            }
        }
        self.assemble(release, trials)
    }

    /// The snapshot of a release whose handlers are all loaded. A trial that goes on keeps its figures.
    pub(super) fn assemble(&self, release: &Release, trials: &[Arc<Trial>]) -> Result<Snapshot, Unserved> {
        let get = |name: &str, digest: Digest| self.0.get(&(name.to_owned(), digest)).map(Arc::clone);
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
        for handler in self.0.values_mut() {
            match loader.load_values(handler) {
                Ok(Some(now)) => {
                    let keys = now.grant.config.changed_since(&handler.grant.config).join(",");
                    tracing::info!(handler = now.name, keys, "values changed");
                    (*handler, changed) = (now, true);
                }
                Ok(None) => {}
                Err(problem) => {
                    tracing::warn!(
                        handler = handler.name,
                        "its values can't be read again: {problem}; those from before go on counting"
                    );
                }
            }
        }
        changed
    }
}
