//! Where artifacts and releases live: a folder, a bucket or a registry, which hosts follow and commands change.
//!
//! ```text
//! artifacts/HEX/handler.wasm       by digest; written once
//! artifacts/HEX/handler.toml       written after the component, so where it is the artifact is whole
//! artifacts/HEX/signatures/….json  who vouches for it, in envelopes; written once
//! artifacts/HEX/code/ENGINE.cwasm  what an engine has made of the component; a signature says whether it is that
//! releases/0000000042.json         a [`Release`]; written once
//! live.json                        {"release": 42}: the one object that changes, by compare-and-swap
//! hosts/ID.json                    what a host says of itself, a [`Report`]
//! ```
//!
//! A release is written before it is made live, so nobody ever sees half of one. Of two writers who have seen the same
//! live release one wins; the other is told what is live now, and its release, which never was, stays as a number that
//! is passed over.

mod artifacts;
mod error;
mod folder;
mod live;
mod oci;
mod open;
mod release;
mod report;
mod trust;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};

pub use error::StoreError;
pub use live::{Live, Look};
pub use oci::{Component, ComponentError, ComponentUrl, ComponentUrlError, HANDLER_MANIFEST};
pub use open::{StoreUrl, StoreUrlError};
pub use release::{Action, Canary, Release, ReleaseNumber, Served};
pub use report::Report;

use folder::Folder;

/// A store. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    /// What everything is below.
    root: Path,
    turns: Turns,
    /// As people are told of it.
    name: Arc<str>,
}

/// What keeps writers apart between comparing what is live and swapping it.
#[derive(Debug, Clone)]
enum Turns {
    /// The store itself, which compares and swaps at once.
    Store,
    /// A folder's lock: a file system has no compare-and-swap.
    Folder(Folder),
    /// A registry's lock: it has none either.
    Registry(oci::Lock),
}

impl Store {
    fn path(&self, name: &str) -> Path {
        Path::from(format!("{}/{name}", self.root))
    }

    /// The bytes of an object, at most `limit` of them. `None` where there is no such object.
    async fn read(&self, name: &str, limit: u64) -> Result<Option<Bytes>, StoreError> {
        Ok(self.read_dated(name, limit).await?.map(|(bytes, _)| bytes))
    }

    /// The same, and when it was written, by the store's clock: in seconds since 1970-01-01T00:00:00Z, where the store
    /// keeps that.
    async fn read_dated(&self, name: &str, limit: u64) -> Result<Option<(Bytes, Option<u64>)>, StoreError> {
        match self.objects.get_opts(&self.path(name), GetOptions::default()).await {
            Ok(found) if found.meta.size > limit => {
                Err(self.spoilt(name, format_args!("it has {} bytes; at most {limit} are read", found.meta.size)))
            }
            Ok(found) => {
                let modified = u64::try_from(found.meta.last_modified.timestamp()).ok().filter(|seconds| *seconds > 0);
                let bytes = found.bytes().await.map_err(|error| self.away("reading", name, error))?;
                Ok(Some((bytes, modified)))
            }
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.away("reading", name, error)),
        }
    }

    /// Writes an object that is never changed, and says whether it is new: where it was there already, it stays.
    async fn create(&self, name: &str, bytes: Bytes) -> Result<bool, StoreError> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.objects.put_opts(&self.path(name), bytes.into(), options).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(error) => Err(self.away("writing", name, error)),
        }
    }

    /// Writes an object in the place of any other.
    async fn write(&self, name: &str, bytes: Bytes) -> Result<(), StoreError> {
        let written = self.objects.put(&self.path(name), PutPayload::from(bytes)).await;
        written.map(drop).map_err(|error| self.away("writing", name, error))
    }

    fn away(&self, doing: &'static str, object: &str, source: object_store::Error) -> StoreError {
        StoreError::Away { store: Arc::clone(&self.name), doing, object: object.to_owned(), source: source.into() }
    }

    fn spoilt(&self, object: &str, problem: impl fmt::Display) -> StoreError {
        StoreError::Spoilt { store: Arc::clone(&self.name), object: object.to_owned(), problem: problem.to_string() }
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store").field(&self.name).finish()
    }
}
