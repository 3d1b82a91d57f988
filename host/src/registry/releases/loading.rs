use std::sync::Arc;

use tokio::sync::Semaphore;

use super::super::watch::NICENESS;
use super::super::{ArtifactError, Digest, Handler, Loader};
use crate::runtime::LoadError;
use crate::store::{Store, StoreError};
use crate::trust::Vouched;

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
    /// Nobody who is trusted vouches for it: perhaps somebody does the next time.
    #[error("{handler} ({digest}): {problem}")]
    Untrusted {
        /// The handler.
        handler: String,
        /// Its artifact.
        digest: Digest,
        /// Why.
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
            Self::Store(_) | Self::Valueless { .. } | Self::Untrusted { .. } => true,
            Self::Refused { .. } | Self::Conflict(_) => false,
        }
    }
}

/// Bounds how many threads compile at once, over all that is loaded.
pub(super) struct Compiling(Semaphore);

impl Compiling {
    /// While nothing serves, nobody is in the way and all processors compile; else half of them, and one at least.
    pub(super) fn while_serving(serving: bool) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self(Semaphore::new(if serving { (processors / 2).max(1) } else { processors }))
    }
}

/// Loads an artifact of the store's as the handler of this name: from code that was compiled ahead of time, where a
/// trusted key vouches for some that fits, else by compiling it.
pub(super) async fn load(
    name: &str,
    digest: Digest,
    store: &Store,
    loader: &Loader,
    compiling: &Compiling,
) -> Result<Arc<Handler>, Unserved> {
    let refused = |problem| Unserved::Refused { handler: name.to_owned(), digest, problem };
    // Where no key is trusted, nobody's word is asked for.
    let envelopes = if loader.trust.has_keys() { store.signatures(digest).await? } else { Vec::new() };
    let vouched = loader.trust.judge(name, digest, &envelopes);
    let vouched = vouched.map_err(|problem| Unserved::Untrusted {
        handler: name.to_owned(),
        digest,
        problem: problem.to_string(),
    })?;
    let made = match ready(name, digest, store, loader, &vouched).await? {
        Some(made) => made,
        None => {
            // Before it is read, so that what waits for its turn takes no memory. A semaphore that is never closed gives its
            // permits.
            let _permit = compiling.0.acquire().await;
            let artifact = store.artifact(digest).await?;
            let (name, loader) = (name.to_owned(), loader.clone());
            off_the_path(move || loader.compile(&name, &artifact)).await
        }
    };
    match made.map_err(refused)? {
        Ok(handler) => {
            tracing::info!(handler = name, %digest, interface = %handler.component.interface(), "handler loaded");
            Ok(handler)
        }
        Err(error) if error.may_pass() => {
            Err(Unserved::Valueless { handler: name.to_owned(), digest, problem: error.to_string() })
        }
        Err(error) => Err(refused(error.to_string())),
    }
}

/// The handler by code that was compiled ahead of time, if there is any for this engine that a trusted key vouches for. With
/// that, the component itself isn't needed.
async fn ready(
    name: &str,
    digest: Digest,
    store: &Store,
    loader: &Loader,
    vouched: &Vouched,
) -> Result<Option<Made>, StoreError> {
    let engine = loader.runtime.id();
    if !vouched.covers(engine) {
        return Ok(None);
    }
    let (code, manifest) = tokio::try_join!(store.code(digest, engine), store.manifest(digest))?;
    let Some(code) = code else {
        tracing::warn!(handler = name, %digest, "its code for the engine {engine} is signed, but isn't in the store");
        return Ok(None);
    };
    let (taken_name, loader, vouched) = (name.to_owned(), loader.clone(), vouched.clone());
    let made = off_the_path(move || {
        let code = vouched.code(loader.runtime.id(), &manifest, code);
        code.map(|code| loader.take(&taken_name, digest, &manifest, &code)).transpose()
    });
    match made.await {
        Ok(Some(Err(ArtifactError::Component(LoadError::Native(error))))) => {
            tracing::warn!(handler = name, %digest, "its code can't be loaded, and is compiled here: {error:#}");
            Ok(None)
        }
        Ok(Some(made)) => Ok(Some(Ok(made))),
        Ok(None) => {
            tracing::warn!(
                handler = name,
                %digest,
                "its code or its manifest is not what was signed: it was changed or cut short; the artifact is looked at as a whole"
            );
            Ok(None)
        }
        Err(panic) => Ok(Some(Err(panic))),
    }
}

/// What became of an artifact. The outer error is a panic of the compiler's.
type Made = Result<Result<Arc<Handler>, ArtifactError>, String>;

/// Runs what takes a processor for long on a thread for it alone, at a low priority.
async fn off_the_path<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let working = tokio::task::spawn_blocking(move || {
        // Compiling must not take processor time from events. A lower priority is a courtesy: without it, all works.
        _ = rustix::process::setpriority_process(None, NICENESS);
        work()
    });
    working.await.unwrap_or_else(|error| Err(error.to_string()))
}
