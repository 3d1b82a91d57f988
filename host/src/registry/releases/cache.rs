//! The live release, kept in a folder of this machine: a store like any other, with one release in it.

use std::collections::BTreeSet;
use std::path::Path;

use super::super::{Digest, Loader};
use crate::store::{Look, Release, Store, StoreError};
use crate::trust::EngineId;

/// Keeps a release and all that a host needs for it in the cache, and makes it what is live there. `kept` are the artifacts
/// that are known to be there already.
pub(super) async fn keep(
    folder: &Path,
    release: &Release,
    from: &Store,
    loader: &Loader,
    kept: &mut BTreeSet<Digest>,
) -> Result<(), StoreError> {
    let cache = open(folder)?;
    for (_, digest) in release.artifacts().filter(|(_, digest)| !kept.contains(digest)) {
        if cache.artifact(digest).await.is_err() {
            cache.put_artifact(&from.artifact(digest).await?).await?;
        }
        if loader.trust.has_keys() {
            copy_signatures(digest, from, &cache, loader.runtime.id()).await?;
        }
    }
    *kept = release.artifacts().map(|(_, digest)| digest).collect();
    cache.keep_live(release).await
}

/// Has an artifact's signatures, and what they vouch for, go with it: what is kept is judged again when it is used.
async fn copy_signatures(digest: Digest, from: &Store, cache: &Store, engine: &EngineId) -> Result<(), StoreError> {
    if cache.code(digest, engine).await?.is_none()
        && let Some(code) = from.code(digest, engine).await?
    {
        cache.put_code(digest, engine, code).await?;
    }
    for envelope in from.signatures(digest).await? {
        cache.put_signature(digest, &envelope).await?;
    }
    Ok(())
}

/// The release that was kept last, and the store that has its artifacts.
pub(super) async fn kept(folder: &Path) -> Result<Option<(Release, Store)>, StoreError> {
    let cache = open(folder)?;
    match cache.look(None).await? {
        Look::Live(live) => Ok(Some((cache.release(live.release).await?, cache))),
        Look::Empty | Look::Same => Ok(None),
    }
}

fn open(folder: &Path) -> Result<Store, StoreError> {
    Store::in_folder(folder)
}
