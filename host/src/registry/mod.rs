//! Which handler serves which event type, now: one immutable snapshot, replaced whole.

mod artifact;
mod due;
mod folder;
mod follower;
mod install;
mod instances;
mod limits;
mod load;
mod manifest;
mod permissions;
mod problem;
mod releases;
mod snapshot;
mod trial;
mod values;
mod watch;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Notify;

pub use crate::artifact::{Artifact, Digest};
pub use artifact::ArtifactError;
use due::Due;
pub use install::install;
pub use load::Loader;
pub use manifest::{Manifest, ManifestError};
pub use problem::FieldProblem;
pub use releases::{ReleaseWatch, Releases};
pub use snapshot::{Handler, Picked, Snapshot};
pub use trial::{Side, Trial, Verdict};
pub use watch::{FolderWatch, WatchError};

/// The live snapshot. Who reads it keeps what was live then, whatever comes after; the last to let go frees it.
#[derive(Debug, Default)]
pub struct Registry {
    live: ArcSwap<Snapshot>,
    /// Canaries that were dropped here, for who can have all hosts drop them.
    verdicts: Mutex<Vec<Verdict>>,
    /// Told whenever there is something to do before the next look at what should be live.
    stirred: Notify,
    /// When what should be live is to be looked at, at the latest.
    due: Due,
}

impl Registry {
    /// The handler that serves this event type at this moment.
    #[must_use]
    pub fn route(&self, event_type: &str) -> Option<Arc<Handler>> {
        self.live.load().route(event_type).cloned()
    }

    /// Who is to handle an event of this type and id, in its first attempt, at this moment; and how many handlers there are.
    #[must_use]
    pub fn pick(&self, event_type: &str, event_id: &str) -> (Option<Picked>, usize) {
        // What is live is only looked at: to hold it, as `snapshot` does, would have all processors write to one place.
        let live = self.live.load();
        (live.pick(event_type, event_id), live.handlers().len())
    }

    /// What is live at this moment.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.live.load_full()
    }

    /// Sees to it, where an event is there, that what should be live is looked at soon if it wasn't for long: where the
    /// processor stops between requests, a timer comes late. The event itself doesn't wait for it.
    pub fn arrive(&self) {
        if self.due.is_over() {
            self.stirred.notify_one();
        }
    }

    /// From now on a look is due after so long without one.
    fn stale_after(&self, time: Duration) {
        self.due.after_each(time);
    }

    /// Notes a look.
    fn looked(&self) {
        self.due.begin();
    }

    /// Waits until there is something to do before the next look.
    async fn stirred(&self) {
        self.stirred.notified().await;
    }

    /// The verdicts that nobody has acted on.
    fn verdicts(&self) -> Vec<Verdict> {
        std::mem::take(&mut self.verdicts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Gives back a verdict that could not be acted on.
    fn undecided(&self, verdict: Verdict) {
        self.verdicts.lock().unwrap_or_else(PoisonError::into_inner).push(verdict);
    }

    /// Notes that a canary was dropped.
    pub fn dropped(&self, verdict: Verdict) {
        tracing::error!(
            handler = verdict.handler,
            canary = %verdict.canary,
            "the canary is dropped, its events go to the stable artifact: {}",
            verdict.evidence
        );
        self.verdicts.lock().unwrap_or_else(PoisonError::into_inner).push(verdict);
        self.stirred.notify_one();
    }

    /// Makes another snapshot live, all its routes at once.
    pub fn replace(&self, snapshot: Snapshot) {
        self.live.store(Arc::new(snapshot));
    }
}
