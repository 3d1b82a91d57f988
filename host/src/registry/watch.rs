use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use super::folder::{self, Stamp};
use super::{Handler, Registry, Snapshot};
use crate::config::{HandlerValues, Quota};
use crate::runtime::Runtime;

/// How far the compiling thread steps back behind the serving ones (`nice`): on busy processors it gets a third of
/// what one of them gets, so that events hardly notice, and a new version still doesn't wait for long.
const NICENESS: i32 = 5;

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
        runtime: Runtime,
        registry: Arc<Registry>,
        values: HandlerValues,
        quota: Quota,
        interval: Duration,
    ) -> Result<Self, WatchError> {
        let mut follower =
            Follower { dir, runtime, registry, values, quota, folders: BTreeMap::new(), unreadable: false };
        let found =
            folder::scan(&follower.dir).map_err(|source| WatchError::Folder { path: follower.dir.clone(), source })?;
        // What is there at the start is not in the middle of being written.
        follower.apply(found, true);
        let (stop, stopped) = channel();
        std::thread::Builder::new()
            .name("handlers".into())
            .spawn(move || follower.run(interval, &stopped))
            .map_err(WatchError::Thread)?;
        Ok(Self { _stop: stop })
    }
}

struct Follower {
    dir: PathBuf,
    runtime: Runtime,
    registry: Arc<Registry>,
    values: HandlerValues,
    quota: Quota,
    folders: BTreeMap<PathBuf, Folder>,
    unreadable: bool,
}

/// What the follower knows of one handler's folder.
#[derive(Default)]
struct Folder {
    /// As it was at the last look.
    seen: Option<Stamp>,
    /// As it was when it was last loaded, or refused.
    judged: Option<Stamp>,
    /// The last version that could be loaded.
    serving: Option<Arc<Handler>>,
}

impl Follower {
    fn run(mut self, interval: Duration, stopped: &Receiver<()>) {
        // Compiling must not take processor time from events. A lower priority is a courtesy: without it, all works.
        _ = rustix::process::setpriority_process(None, NICENESS);
        while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
            match folder::scan(&self.dir) {
                Ok(found) => {
                    self.unreadable = false;
                    self.apply(found, false);
                }
                // A folder that is away for a moment must not take all handlers with it.
                Err(error) if !self.unreadable => {
                    self.unreadable = true;
                    tracing::error!(folder = %self.dir.display(), "the handlers' folder can't be read: {error}; what was loaded goes on serving");
                }
                Err(_) => {}
            }
        }
    }

    /// Takes over what has changed and settled, in one new snapshot.
    fn apply(&mut self, found: BTreeMap<PathBuf, Stamp>, settled: bool) {
        let mut changed = false;
        self.folders.retain(|path, folder| {
            let there = found.contains_key(path);
            if let (false, Some(handler)) = (there, &folder.serving) {
                changed = true;
                tracing::info!(handler = handler.name, digest = %handler.digest, "handler removed");
            }
            there
        });
        for (path, stamp) in found {
            let folder = self.folders.entry(path.clone()).or_default();
            let steady = settled || folder.seen == Some(stamp);
            folder.seen = Some(stamp);
            if !steady || folder.judged == Some(stamp) {
                continue;
            }
            folder.judged = Some(stamp);
            if let Some(handler) = load(&path, &self.runtime, &self.values, self.quota, folder.serving.as_deref()) {
                folder.serving = Some(handler);
                changed = true;
            }
        }
        if changed {
            self.publish();
        }
    }

    fn publish(&self) {
        let serving = self.folders.values().filter_map(|folder| folder.serving.clone());
        let (snapshot, conflicts) = Snapshot::new(serving);
        for conflict in conflicts {
            tracing::error!(handler = conflict.refused, "{conflict}");
        }
        self.registry.replace(snapshot);
    }
}

/// Loads a folder, or says in one line why not and what goes on serving.
fn load(
    path: &Path,
    runtime: &Runtime,
    values: &HandlerValues,
    quota: Quota,
    serving: Option<&Handler>,
) -> Option<Arc<Handler>> {
    let start = Instant::now();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let loaded =
        folder::read(path).and_then(|artifact| artifact.load(runtime, &name, values, quota).map_err(|e| e.to_string()));
    match loaded {
        Ok(handler) => {
            tracing::info!(
                handler = handler.name,
                digest = %handler.digest,
                events = handler.events.join(","),
                compile_ms = start.elapsed().as_millis() as u64,
                "{}",
                if serving.is_some() { "handler replaced" } else { "handler loaded" }
            );
            Some(handler)
        }
        Err(reason) => {
            let meanwhile = serving.map_or_else(
                || "nothing serves in its place".to_owned(),
                |handler| format!("the version before, {}, goes on serving", handler.digest),
            );
            tracing::error!(handler = %name, folder = %path.display(), "handler refused: {reason}; {meanwhile}");
            None
        }
    }
}
