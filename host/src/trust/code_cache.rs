use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ring::hmac;
use ring::rand::SystemRandom;
use rustix::fs::{Timespec, Timestamps, UTIME_NOW, futimens};

use super::{AuthenticCode, EngineId};
use crate::artifact::Digest;

/// The seal before the code, in bytes: HMAC-SHA256.
const SEAL: usize = 32;
/// The file that holds the seals' key.
const KEY: &str = "key";
/// What files of code end with.
const ENDING: &str = "cwasm";
/// What files end with that are being written, and how old one is whose writer has ended.
const UNFINISHED: &str = "part";
const ABANDONED: Duration = Duration::from_secs(3600);
/// How many bytes of code are kept. What was not used for longest goes first.
const MOST: u64 = 1 << 30;
/// A file's times, by the machine's own clock.
const NOW: Timespec = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
const USED_NOW: Timestamps = Timestamps { last_access: NOW, last_modification: NOW };

/// Native code that this host compiled before, in a folder of its own.
///
/// Each file is sealed with a key that lies in the folder too, and that nobody but the host's user can read: what somebody
/// else puts there is not loaded, nor is what a disk has changed.
#[derive(Clone)]
pub struct CodeCache {
    folder: Arc<PathBuf>,
    key: hmac::Key,
}

/// A folder can't be a cache of code.
#[derive(Debug, thiserror::Error)]
pub enum CodeCacheError {
    /// It can't be made or read.
    #[error("{path}: {source}")]
    Io {
        /// What can't be.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// Others could put code there.
    #[error(
        "{path}: others than this process's user may write there, and code from there is run: give it to that user alone \
         (chown, chmod go-w), or name another folder"
    )]
    Shared {
        /// The folder or file.
        path: String,
    },
    /// The key is not as it was made.
    #[error("{path}: it is no key of a cache; remove the folder, and it is made anew")]
    Key {
        /// The file.
        path: String,
    },
}

impl CodeCache {
    /// Opens the cache in this folder, which is made where there is none.
    ///
    /// # Errors
    /// Where it can't be made, or others could write to it.
    pub fn open(folder: &Path) -> Result<Self, CodeCacheError> {
        let failed = |path: &Path, source| CodeCacheError::Io { path: path.display().to_string(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| failed(folder, error))?;
        check(folder, 0o022)?;
        let path = folder.join(KEY);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => make_key(folder, &path).and_then(|()| fs::read(&path)),
            read => read,
        };
        let bytes = bytes.map_err(|error| failed(&path, error))?;
        check(&path, 0o077)?;
        if bytes.len() != SEAL {
            return Err(CodeCacheError::Key { path: path.display().to_string() });
        }
        Ok(Self { folder: Arc::new(folder.to_owned()), key: hmac::Key::new(hmac::HMAC_SHA256, &bytes) })
    }

    /// What this engine made of the component before, if it is there and sealed by this cache.
    #[must_use]
    pub(crate) fn get(&self, component: Digest, engine: &EngineId) -> Option<AuthenticCode> {
        let path = self.path(component, engine);
        let bytes = fs::read(&path).ok()?;
        let (seal, code) = bytes.split_at_checked(SEAL)?;
        if hmac::verify(&self.key, &sealed(component, engine, code), seal).is_err() {
            tracing::warn!(file = %path.display(), "the code that was kept was changed since, and is compiled again");
            _ = fs::remove_file(&path);
            return None;
        }
        // Used now: others go first.
        _ = File::open(&path).map(|file| futimens(file, &USED_NOW));
        Some(AuthenticCode::checked(code.to_vec()))
    }

    /// Keeps what this engine has made of the component.
    ///
    /// # Errors
    /// Where it can't be written; the cache is then as it was.
    pub(crate) fn put(&self, component: Digest, engine: &EngineId, code: &[u8]) -> io::Result<()> {
        let seal = hmac::sign(&self.key, &sealed(component, engine, code));
        let path = self.path(component, engine);
        let unfinished = path.with_extension(format!("{}.{UNFINISHED}", uuid::Uuid::now_v7()));
        let write = || {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
            file.write_all(seal.as_ref())?;
            file.write_all(code)?;
            fs::rename(&unfinished, &path)
        };
        write().inspect_err(|_| _ = fs::remove_file(&unfinished))?;
        self.shrink(MOST)
    }

    /// Removes what was not used for longest, until all that is left has at most so many bytes.
    fn shrink(&self, most: u64) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in self.folder.read_dir()? {
            let entry = entry?;
            let path = entry.path();
            // One that is gone was removed by another process.
            let Ok(meta) = entry.metadata() else { continue };
            let modified = meta.modified()?;
            let ends_with = |wanted: &str| path.extension().is_some_and(|ending| ending == wanted);
            if ends_with(ENDING) {
                files.push((modified, meta.len(), path));
            } else if ends_with(UNFINISHED) && modified.elapsed().is_ok_and(|age| age > ABANDONED) {
                // Its writer was killed.
                remove(&path)?;
            }
        }
        files.sort();
        let mut total: u64 = files.iter().map(|(_, length, _)| length).sum();
        for (_, length, path) in files {
            if total <= most {
                break;
            }
            remove(&path)?;
            total -= length;
        }
        Ok(())
    }

    fn path(&self, component: Digest, engine: &EngineId) -> PathBuf {
        self.folder.join(format!("{}-{engine}.{ENDING}", component.hex()))
    }
}

/// Removes a file, unless another process has.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// What a seal covers: the code, and what it is the code of.
fn sealed(component: Digest, engine: &EngineId, code: &[u8]) -> Vec<u8> {
    [component.to_string().as_bytes(), b" ", engine.as_str().as_bytes(), b" ", code].concat()
}

/// Makes the key, unless another process does at the same time: then that one's counts.
fn make_key(folder: &Path, path: &Path) -> io::Result<()> {
    let random = ring::rand::generate::<[u8; SEAL]>(&SystemRandom::new());
    let bytes = random.map_err(|_| io::Error::other("the system gives no random numbers"))?.expose();
    let unfinished = folder.join(format!(".{}.{UNFINISHED}", uuid::Uuid::now_v7()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    let linked = fs::hard_link(&unfinished, path);
    fs::remove_file(&unfinished)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Sees to it that nobody else has those permissions of a path's, and that it is this user's.
fn check(path: &Path, forbidden: u32) -> Result<(), CodeCacheError> {
    let shown = || path.display().to_string();
    let meta = fs::metadata(path).map_err(|source| CodeCacheError::Io { path: shown(), source })?;
    if meta.uid() == rustix::process::geteuid().as_raw() && meta.mode() & forbidden == 0 {
        Ok(())
    } else {
        Err(CodeCacheError::Shared { path: shown() })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::SystemTime;

    use super::*;

    fn engine() -> EngineId {
        "e-1".parse().unwrap()
    }

    fn component(text: &str) -> Digest {
        Digest::of(text.as_bytes())
    }

    #[test]
    fn code_comes_back_as_it_was_for_the_same_component_and_engine() {
        let folder = tempfile::tempdir().unwrap();
        let cache = CodeCache::open(&folder.path().join("made")).unwrap();
        cache.put(component("a"), &engine(), b"native").unwrap();
        // Another process, with the same key.
        let cache = CodeCache::open(&folder.path().join("made")).unwrap();
        assert_eq!(cache.get(component("a"), &engine()).unwrap().bytes(), b"native");
        assert!(cache.get(component("b"), &engine()).is_none());
        assert!(cache.get(component("a"), &"e-2".parse().unwrap()).is_none());
    }

    #[test]
    fn what_was_changed_or_is_anothers_is_not_given_out() {
        let folder = tempfile::tempdir().unwrap();
        let cache = CodeCache::open(folder.path()).unwrap();
        for spoil in [
            |bytes: &mut Vec<u8>| bytes[0] ^= 1,
            |bytes: &mut Vec<u8>| *bytes.last_mut().unwrap() ^= 1,
            |bytes: &mut Vec<u8>| bytes.truncate(33),
            |bytes: &mut Vec<u8>| bytes.clear(),
        ] {
            cache.put(component("a"), &engine(), b"native").unwrap();
            let path = cache.path(component("a"), &engine());
            let mut bytes = fs::read(&path).unwrap();
            spoil(&mut bytes);
            fs::write(&path, bytes).unwrap();
            assert!(cache.get(component("a"), &engine()).is_none());
        }
        // A seal is of one component and engine: another's file under this name is none.
        cache.put(component("b"), &engine(), b"other").unwrap();
        fs::rename(cache.path(component("b"), &engine()), cache.path(component("a"), &engine())).unwrap();
        assert!(cache.get(component("a"), &engine()).is_none());
    }

    #[test]
    fn a_folder_that_others_may_write_to_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        CodeCache::open(folder.path()).unwrap();
        let set = |path: &Path, mode| fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        set(folder.path(), 0o722);
        assert!(matches!(CodeCache::open(folder.path()), Err(CodeCacheError::Shared { .. })));
        set(folder.path(), 0o700);
        set(&folder.path().join(KEY), 0o644);
        assert!(matches!(CodeCache::open(folder.path()), Err(CodeCacheError::Shared { .. })));
        set(&folder.path().join(KEY), 0o600);
        fs::write(folder.path().join(KEY), "short").unwrap();
        assert!(matches!(CodeCache::open(folder.path()), Err(CodeCacheError::Key { .. })));
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let folder = tempfile::tempdir().unwrap();
        let cache = CodeCache::open(folder.path()).unwrap();
        for (age, name) in [(3, "a"), (2, "b"), (1, "c")] {
            cache.put(component(name), &engine(), &[0; 100]).unwrap();
            let then = SystemTime::UNIX_EPOCH + Duration::from_secs(100 - age);
            File::open(cache.path(component(name), &engine())).unwrap().set_modified(then).unwrap();
        }
        assert!(cache.get(component("a"), &engine()).is_some());
        cache.shrink(2 * (100 + SEAL as u64)).unwrap();
        let there = |name: &str| cache.get(component(name), &engine()).is_some();
        assert_eq!((there("a"), there("b"), there("c")), (true, false, true));
        // Nor does what was never finished stay for ever.
        let abandoned = folder.path().join("x.part");
        for (age, stays) in [(Duration::ZERO, true), (2 * ABANDONED, false)] {
            let file = File::create(&abandoned).unwrap();
            file.set_modified(fs::metadata(&abandoned).unwrap().modified().unwrap() - age).unwrap();
            cache.shrink(MOST).unwrap();
            assert_eq!(abandoned.exists(), stays);
        }
    }
}
