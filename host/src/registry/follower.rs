use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::folder::{Stamp, Unread};
use super::load::{Loaded, Loader};
use super::snapshot::{Claim, Conflict};
use super::{Handler, Registry, Snapshot};

/// How many looks a removal waits, at most, for something new that is still arriving. A folder that is renamed is found
/// under its new name one look later at most, and has settled with the next.
const PATIENCE: u8 = 2;

/// Keeps a registry at what looks at a folder of handlers have found.
pub(super) struct Follower {
    registry: Arc<Registry>,
    loader: Loader,
    folders: BTreeMap<PathBuf, Folder>,
    /// The claims that what is live doesn't meet.
    conflicts: Vec<Conflict>,
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
    /// The version in the live snapshot, or shut out of it by a conflict.
    published: Option<Arc<Handler>>,
    /// Why it can't be looked at or read, as last logged.
    trouble: Option<String>,
    /// For how many looks its removal has waited.
    waited: u8,
    /// Why the newest version lacks values, as last logged. It is judged again when files are read again.
    lacking: Option<String>,
    /// Why the values of what serves can't be read now, as last logged.
    stale: Option<String>,
}

impl Follower {
    pub(super) fn new(registry: Arc<Registry>, loader: Loader) -> Self {
        Self { registry, loader, folders: BTreeMap::new(), conflicts: Vec::new() }
    }

    /// Takes over what has changed and settled, in one new snapshot.
    ///
    /// A state has settled once two looks have seen it, and `settled` says that one is enough. Absence is a state as
    /// any other: a folder that is replaced file by file, or renamed, is away for a moment.
    pub(super) fn apply(&mut self, mut found: BTreeMap<PathBuf, io::Result<Stamp>>, settled: bool) {
        for path in self.folders.keys().filter(|path| !found.contains_key(*path)).cloned().collect::<Vec<_>>() {
            found.insert(path, Ok(Stamp::ABSENT));
        }
        let (mut changed, mut arriving) = (false, false);
        for (path, stamp) in found {
            let folder = self.folders.entry(path.clone()).or_default();
            let stamp = match stamp {
                Ok(stamp) => stamp,
                Err(error) => {
                    folder.report(&path, format!("it can't be looked at: {error}"));
                    continue;
                }
            };
            let steady = settled || folder.seen == Some(stamp);
            folder.seen = Some(stamp);
            if stamp != Stamp::ABSENT {
                folder.waited = 0;
            }
            if folder.judged == Some(stamp) {
                folder.trouble = None;
            } else if !steady {
                arriving |= folder.judged.is_none();
            } else if stamp == Stamp::ABSENT {
                folder.waited += 1;
            } else {
                match folder.judge(&path, stamp, &self.loader) {
                    Judged::New => changed = true,
                    Judged::AsBefore => {}
                    Judged::NotYet => arriving |= folder.judged.is_none(),
                }
            }
        }
        changed |= self.remove_gone(arriving);
        if changed {
            self.publish();
        }
    }

    /// Reads again what values lie in files, and takes over what has changed, in one new snapshot. Events that are in flight
    /// keep the values that they began with.
    pub(super) fn apply_values(&mut self) {
        let mut changed = false;
        for folder in self.folders.values_mut() {
            if folder.lacking.is_some() {
                // The next look judges it as if it were new.
                folder.judged = None;
            }
            changed |= folder.read_values(&self.loader);
        }
        if changed {
            self.publish();
        }
    }

    /// Forgets the folders that are gone, and says whether that changes what is served.
    ///
    /// A renamed folder may be found missing under its old name one look before it is found under the new one. So
    /// nothing goes while something new arrives, within reason, and both then happen in one snapshot.
    fn remove_gone(&mut self, arriving: bool) -> bool {
        let patience = if arriving { PATIENCE } else { 0 };
        let mut changed = false;
        self.folders.retain(|_, folder| {
            let gone = folder.waited > patience;
            if let (true, Some(handler)) = (gone, &folder.serving) {
                changed = true;
                tracing::info!(handler = handler.name, digest = %handler.digest, "handler removed");
            }
            !gone
        });
        changed
    }

    fn publish(&mut self) {
        let claims = self.folders.values_mut().filter_map(|folder| {
            let handler = folder.serving.clone()?;
            let before = folder.published.replace(Arc::clone(&handler));
            Some(Claim { handler, before })
        });
        let claims: Vec<_> = claims.collect();
        let (snapshot, conflicts) = Snapshot::after(&self.registry.snapshot(), &claims);
        for conflict in conflicts.iter().filter(|conflict| !self.conflicts.contains(conflict)) {
            tracing::error!(handler = conflict.refused, "{conflict}");
        }
        self.conflicts = conflicts;
        self.registry.replace(snapshot);
    }
}

/// What came of judging a folder.
enum Judged {
    /// It has a new version to serve.
    New,
    /// What served goes on serving.
    AsBefore,
    /// Nothing: the next look tries again.
    NotYet,
}

impl Folder {
    /// Loads what the folder holds, or says in one line why not and what goes on serving.
    fn judge(&mut self, path: &Path, stamp: Stamp, loader: &Loader) -> Judged {
        let start = Instant::now();
        let judged = match loader.load(path, &stamp, self.serving.as_ref().map(|handler| handler.digest)) {
            Ok(Loaded::New(handler)) => {
                tracing::info!(
                    handler = handler.name,
                    digest = %handler.digest,
                    interface = %handler.component.interface(),
                    events = handler.events.join(","),
                    compile_ms = start.elapsed().as_millis() as u64,
                    "{}",
                    if self.serving.is_some() { "handler replaced" } else { "handler loaded" }
                );
                self.serving = Some(handler);
                Judged::New
            }
            Ok(Loaded::Same) => Judged::AsBefore,
            Err(Unread::Refused(reason)) => {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                let meanwhile = self.meanwhile();
                tracing::error!(handler = %name, folder = %path.display(), "handler refused: {reason}; {meanwhile}");
                Judged::AsBefore
            }
            Err(Unread::Valueless(reason)) => {
                if self.lacking.as_ref() != Some(&reason) {
                    let name = path.file_name().unwrap_or_default().to_string_lossy();
                    let meanwhile = self.meanwhile();
                    tracing::error!(handler = %name, folder = %path.display(), "handler refused: {reason}; {meanwhile}, and the file is read again later");
                }
                (self.judged, self.trouble, self.lacking) = (Some(stamp), None, Some(reason));
                return Judged::AsBefore;
            }
            Err(Unread::Failed(reason)) => {
                self.report(path, reason);
                return Judged::NotYet;
            }
            Err(Unread::Changed) => return Judged::NotYet,
        };
        (self.judged, self.trouble, self.lacking) = (Some(stamp), None, None);
        judged
    }

    /// Gives what serves the values that it has now, and says whether any is another one.
    fn read_values(&mut self, loader: &Loader) -> bool {
        self.serving.as_mut().is_some_and(|handler| loader.reload_values(handler, &mut self.stale))
    }

    /// Says once that the folder can't be looked at or read, which is no verdict on what it holds.
    fn report(&mut self, path: &Path, reason: String) {
        if self.trouble.as_ref() != Some(&reason) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let meanwhile = self.meanwhile();
            tracing::error!(handler = %name, folder = %path.display(), "handler unreadable: {reason}; {meanwhile}, and each look tries again");
            self.trouble = Some(reason);
        }
    }

    fn meanwhile(&self) -> String {
        self.serving.as_ref().map_or_else(
            || "nothing serves in its place".to_owned(),
            |handler| format!("the version before, {}, goes on serving", handler.digest),
        )
    }
}

#[cfg(test)]
mod tests;
