//! A folder of handlers, one sub-folder a handler, as it lies on disk.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::artifact::{Artifact, MAX_COMPONENT, MAX_MANIFEST};
use crate::trust::{Envelope, EnvelopeError, MAX_ENVELOPE, SIGNATURE_FILE};

/// The manifest's file name.
pub(super) const MANIFEST: &str = "handler.toml";
/// The component's file name.
pub(super) const COMPONENT: &str = "handler.wasm";

/// What tells one state of a file from another without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FileStamp {
    Absent,
    /// A folder, a pipe, a device: reading one could block for ever or never end.
    Irregular,
    Regular {
        inode: u64,
        length: u64,
        modified: (i64, i64),
        changed: (i64, i64),
    },
}

/// What tells one state of a handler's folder from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    manifest: FileStamp,
    component: FileStamp,
    signature: FileStamp,
}

/// Why a handler's folder gave no artifact.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// It has changed since the stamp was taken, so what was read may be half of one version and half of another.
    Changed,
    /// A file can't be read now, which says nothing about its bytes.
    Failed(String),
    /// It holds no artifact, and won't until it changes.
    Refused(String),
    /// It holds an artifact whose values lie in files that can't be read.
    Valueless(String),
}

impl Stamp {
    /// The stamp of a folder that holds neither file, so that it is no handler's, or isn't there at all.
    pub(super) const ABSENT: Self =
        Self { manifest: FileStamp::Absent, component: FileStamp::Absent, signature: FileStamp::Absent };

    fn of(folder: &Path) -> io::Result<Self> {
        let (manifest, component) = (FileStamp::of(&folder.join(MANIFEST))?, FileStamp::of(&folder.join(COMPONENT))?);
        // A signature alone makes no handler.
        if (manifest, component) == (FileStamp::Absent, FileStamp::Absent) {
            return Ok(Self::ABSENT);
        }
        Ok(Self { manifest, component, signature: FileStamp::of(&folder.join(SIGNATURE_FILE))? })
    }
}

impl FileStamp {
    fn of(path: &Path) -> io::Result<Self> {
        Ok(match present(fs::metadata(path))? {
            None => Self::Absent,
            Some(meta) if !meta.is_file() => Self::Irregular,
            Some(meta) => Self::Regular {
                inode: meta.ino(),
                length: meta.len(),
                modified: (meta.mtime(), meta.mtime_nsec()),
                changed: (meta.ctime(), meta.ctime_nsec()),
            },
        })
    }

    /// Says why no artifact can have such a file.
    fn judge(&self, limit: u64) -> Result<(), String> {
        match *self {
            Self::Absent => Err("there is no such file beside the other; a handler has both".into()),
            Self::Irregular => Err("it is no regular file; put the file itself, or a link to it, there".into()),
            Self::Regular { length, .. } if length > limit => {
                Err(format!("it has {length} bytes; at most {limit} are read"))
            }
            Self::Regular { .. } => Ok(()),
        }
    }
}

/// `None` where nothing is there. Every other error leaves open whether something is: a file server that doesn't
/// answer has not removed anything.
fn present<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The handlers' folders in `dir` and their stamps, or why one of them can't be looked at. Hidden folders are left
/// out, so that a writer can prepare one and rename it into place.
pub(super) fn scan(dir: &Path) -> io::Result<BTreeMap<PathBuf, io::Result<Stamp>>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        // Of a file in place of a folder, what is "in" it is absent.
        let stamp = Stamp::of(&entry.path());
        if !matches!(stamp, Ok(Stamp::ABSENT)) {
            found.insert(entry.path(), stamp);
        }
    }
    Ok(found)
}

/// The signature beside an artifact, where there is one. It may be none that can be read.
pub(super) type Signature = Result<Vec<Envelope>, EnvelopeError>;

/// Reads a handler's folder, which had this stamp at the last look.
pub(super) fn read(folder: &Path, stamp: &Stamp) -> Result<(Artifact, Signature), Unread> {
    let read = |name: &str, file: FileStamp, limit: u64| {
        file.judge(limit).map_err(|problem| Unread::Refused(format!("{name}: {problem}")))?;
        let bytes = present(read_file(&folder.join(name), limit));
        bytes.map_err(|error| Unread::Failed(format!("{name}: {error}")))?.ok_or(Unread::Changed)
    };
    let artifact = Artifact {
        manifest: read(MANIFEST, stamp.manifest, MAX_MANIFEST)?,
        wasm: read(COMPONENT, stamp.component, MAX_COMPONENT)?,
    };
    let signature = match stamp.signature {
        FileStamp::Absent => None,
        file => Some(read(SIGNATURE_FILE, file, MAX_ENVELOPE as u64)?),
    };
    let envelopes = signature.iter().map(|bytes| Envelope::read(bytes)).collect::<Result<_, _>>();
    match Stamp::of(folder) {
        Ok(now) if now == *stamp => Ok((artifact, envelopes)),
        Ok(_) => Err(Unread::Changed),
        Err(error) => Err(Unread::Failed(error.to_string())),
    }
}

/// Reads a file that was regular and within its limit a moment ago. Should it be a pipe by now, or grow without end,
/// this returns all the same, and its stamp gives it away.
fn read_file(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file: File = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
