//! Which handler serves which event type, now: one immutable snapshot, replaced whole.

mod artifact;
mod folder;
mod follower;
mod install;
mod limits;
mod load;
mod manifest;
mod permissions;
mod problem;
mod snapshot;
mod values;
mod watch;

use std::sync::Arc;

use arc_swap::ArcSwap;

pub use crate::artifact::{Artifact, Digest};
pub use artifact::ArtifactError;
pub use install::install;
pub use manifest::{Manifest, ManifestError};
pub use problem::FieldProblem;
pub use snapshot::{Handler, Snapshot};
pub use watch::{FolderWatch, WatchError};

/// The live snapshot. Who reads it keeps what was live then, whatever comes after; the last to let go frees it.
#[derive(Debug, Default)]
pub struct Registry {
    live: ArcSwap<Snapshot>,
}

impl Registry {
    /// The handler that serves this event type at this moment.
    #[must_use]
    pub fn route(&self, event_type: &str) -> Option<Arc<Handler>> {
        self.live.load().route(event_type).cloned()
    }

    /// What is live at this moment.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.live.load_full()
    }

    /// Makes another snapshot live, all its routes at once.
    pub fn replace(&self, snapshot: Snapshot) {
        self.live.store(Arc::new(snapshot));
    }
}
