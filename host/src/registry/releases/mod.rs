//! Following a store: whatever release is live there is served here, whole, or the one before it goes on serving.

mod cache;
mod dropping;
mod follow;
mod loaded;
mod loading;
mod report;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{Notify, oneshot};

use super::{Loader, Registry};
use crate::store::Store;

use follow::Following;

/// What is needed to follow a store.
pub struct Releases {
    /// The store.
    pub store: Store,
    /// Where the live release is kept for a start without the store.
    pub cache: Option<PathBuf>,
    /// What makes handlers of artifacts.
    pub loader: Loader,
    /// How often the store is asked what is live.
    pub poll: Duration,
    /// This host's name in its reports.
    pub host: String,
    /// The wall clock.
    pub clock: fn() -> SystemTime,
}

/// Follows a store, on a thread of its own, until it is dropped.
#[derive(Debug)]
pub struct ReleaseWatch {
    stop: Arc<Notify>,
    ended: Option<oneshot::Receiver<()>>,
}

impl ReleaseWatch {
    /// Serves what is live, and then whatever becomes live, in `registry`. It returns once the first try is over, whether
    /// or not it found anything: a host without its store goes on with what it has, and says so.
    ///
    /// # Errors
    /// Where no thread can be started.
    pub async fn start(releases: Releases, registry: Arc<Registry>) -> std::io::Result<Self> {
        let (stop, (begun, first), (end, ended)) = (Arc::new(Notify::new()), oneshot::channel(), oneshot::channel());
        let stopped = Arc::clone(&stop);
        let executor = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new().name("releases".into()).spawn(move || {
            executor.block_on(Following::new(releases, registry).run(begun, &stopped));
            _ = end.send(());
        })?;
        // An error is the thread's end, which then has nothing to wait for.
        _ = first.await;
        Ok(Self { stop, ended: Some(ended) })
    }

    /// Stops, and takes the host's report out of the store.
    pub async fn stop(mut self) {
        self.stop.notify_one();
        if let Some(ended) = self.ended.take() {
            _ = ended.await;
        }
    }
}

impl Drop for ReleaseWatch {
    fn drop(&mut self) {
        self.stop.notify_one();
    }
}
