//! A folder of handlers, one sub-folder a handler, as it lies on disk.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Artifact;

/// The manifest's file name.
pub(super) const MANIFEST: &str = "handler.toml";
/// The component's file name.
pub(super) const COMPONENT: &str = "handler.wasm";

/// What tells one state of a file from another without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileStamp {
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// What tells one state of a handler's folder from another. `None`: the file isn't there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    manifest: Option<FileStamp>,
    component: Option<FileStamp>,
}

impl Stamp {
    fn of(folder: &Path) -> Self {
        Self { manifest: file_stamp(&folder.join(MANIFEST)), component: file_stamp(&folder.join(COMPONENT)) }
    }

    /// Whether the folder holds neither file, so that it is no handler's.
    fn is_empty(&self) -> bool {
        self.manifest.is_none() && self.component.is_none()
    }
}

fn file_stamp(path: &Path) -> Option<FileStamp> {
    let meta = fs::metadata(path).ok()?;
    Some(FileStamp {
        inode: meta.ino(),
        length: meta.len(),
        modified: (meta.mtime(), meta.mtime_nsec()),
        changed: (meta.ctime(), meta.ctime_nsec()),
    })
}

/// The handlers' folders in `dir` and their stamps. Hidden folders are left out, so that a writer can prepare one and
/// rename it into place.
pub(super) fn scan(dir: &Path) -> io::Result<BTreeMap<PathBuf, Stamp>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') || !path.is_dir() {
            continue;
        }
        let stamp = Stamp::of(&path);
        if !stamp.is_empty() {
            found.insert(path, stamp);
        }
    }
    Ok(found)
}

/// Reads a handler's folder, or says which file can't be read.
pub(super) fn read(folder: &Path) -> Result<Artifact, String> {
    let read = |name: &str| {
        fs::read(folder.join(name)).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => format!("{name}: there is no such file beside the other; a handler has both"),
            _ => format!("{name}: {e}"),
        })
    };
    Ok(Artifact { manifest: read(MANIFEST)?, wasm: read(COMPONENT)? })
}
