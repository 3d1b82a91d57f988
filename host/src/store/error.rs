use std::sync::Arc;

use super::ReleaseNumber;
use crate::artifact::Digest;

/// Why a store could not be asked, or what is wrong with it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It doesn't answer, or refuses.
    #[error("the store {store}: {doing} {object} failed: {source}")]
    Away {
        /// The store.
        store: Arc<str>,
        /// What was being done.
        doing: &'static str,
        /// With which object.
        object: String,
        /// The backend's word for it.
        source: Box<object_store::Error>,
    },
    /// An object is not what was written there.
    #[error(
        "the store {store}: {object} is not what belongs there: {problem}; it was cut short, changed, or written by \
         something else"
    )]
    Spoilt {
        /// The store.
        store: Arc<str>,
        /// The object.
        object: String,
        /// What is wrong.
        problem: String,
    },
    /// There is no such folder.
    #[error(
        "the store {store}: there is no such folder; is it misspelt? `tidemill deploy` makes a store that isn't there"
    )]
    NoFolder {
        /// The store.
        store: Arc<str>,
    },
    /// There is no such release.
    #[error("the store {store} has no release {number}; `tidemill releases` lists those that it has")]
    NoRelease {
        /// The store.
        store: Arc<str>,
        /// The number.
        number: ReleaseNumber,
    },
    /// There is no such artifact.
    #[error("the store {store} has no artifact {digest}, or only a part of it")]
    NoArtifact {
        /// The store.
        store: Arc<str>,
        /// Its digest.
        digest: Digest,
    },
    /// Somebody else was faster.
    #[error(
        "the store {store} was changed by somebody else meanwhile: {}; nothing was made live: look at it and try again",
        match .live {
            Some(number) => format!("release {number} is live now"),
            None => "nothing is live now".to_owned(),
        }
    )]
    Overtaken {
        /// The store.
        store: Arc<str>,
        /// What is live now.
        live: Option<ReleaseNumber>,
    },
    /// A folder's or registry's lock is held for too long.
    #[error("the store {store}: another process holds its lock {file}; try again, and look whether one hangs")]
    Locked {
        /// The store.
        store: Arc<str>,
        /// The file, or the tag.
        file: String,
    },
}
