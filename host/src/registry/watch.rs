use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use super::follower::Follower;
use super::load::Loader;
use super::{Registry, folder};

/// How far the compiling thread steps back behind the serving ones (`nice`): on busy processors it gets a third of
/// what one of them gets, so that events hardly notice, and a new version still doesn't wait for long.
pub(super) const NICENESS: i32 = 5;

/// Follows a folder of handlers, on a thread of its own, until it is dropped.
///
/// It looks at the folder every so often. A change is taken once two looks have seen the same, so it is live after at
/// most two of these intervals and the time it takes to compile. Looking, rather than being notified, works on every
/// file system (network mounts and overlays send no notices), loses nothing, and costs two `stat` calls a handler.
#[derive(Debug)]
pub struct FolderWatch {
    _stop: Sender<()>,
}

/// The folder can't be followed.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// It can't be read.
    #[error("handlers: the folder {path} can't be read: {source}; create it, or name another with --handlers")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// No thread could be started.
    #[error("the thread that follows the handlers' folder could not be started: {0}")]
    Thread(std::io::Error),
}

impl FolderWatch {
    /// Loads what is in `dir` and keeps `registry` at what is there, until the value given back is dropped.
    ///
    /// It returns once the first load is over. It compiles, so call it off the serving threads.
    ///
    /// # Errors
    /// Where the folder can't be read at all. A handler that can't be loaded is logged, and is no error.
    pub fn start(
        dir: PathBuf,
        loader: Loader,
        registry: Arc<Registry>,
        interval: Duration,
    ) -> Result<Self, WatchError> {
        let found = folder::scan(&dir).map_err(|source| WatchError::Folder { path: dir.clone(), source })?;
        let reload = loader.terms.values.reload();
        let mut follower = Follower::new(registry, loader);
        // What is there at the start is not in the middle of being written.
        follower.apply(found, true);
        let (stop, stopped) = channel();
        std::thread::Builder::new()
            .name("handlers".into())
            .spawn(move || run(&dir, follower, interval, reload, &stopped))
            .map_err(WatchError::Thread)?;
        Ok(Self { _stop: stop })
    }
}

/// `reload` says how often values are read that lie in files; `None`: none does.
fn run(dir: &Path, mut follower: Follower, interval: Duration, reload: Option<Duration>, stopped: &Receiver<()>) {
    // Compiling must not take processor time from events. A lower priority is a courtesy: without it, all works.
    _ = rustix::process::setpriority_process(None, NICENESS);
    let mut unreadable = false;
    let mut read = Instant::now();
    while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
        // Not with each look: where the files are a mount of Secret Manager's, each reading is a request to it.
        if reload.is_some_and(|reload| read.elapsed() >= reload) {
            follower.apply_values();
            read = Instant::now();
        }
        match folder::scan(dir) {
            Ok(found) => {
                unreadable = false;
                follower.apply(found, false);
            }
            // A folder that is away for a moment must not take all handlers with it.
            Err(error) if !unreadable => {
                unreadable = true;
                tracing::error!(folder = %dir.display(), "the handlers' folder can't be read: {error}; what was loaded goes on serving");
            }
            Err(_) => {}
        }
    }
}
