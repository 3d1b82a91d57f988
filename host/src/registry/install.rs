use std::fs;
use std::io;
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::Artifact;
use super::folder::{COMPONENT, MANIFEST};

/// Puts an artifact into a folder of handlers as `dir/name`, in place of the one that was there.
///
/// Who looks meanwhile sees the one or the other, whole. Not so on the few file systems that can't exchange two
/// folders: there the handler is missing for a moment.
///
/// # Errors
/// Where a file can't be written; what was there before is then still there.
pub fn install(dir: &Path, name: &str, artifact: &Artifact) -> io::Result<()> {
    let target = dir.join(name);
    // Hidden, so that a watcher passes it over; named by process, so that two writers don't meet in it.
    let staging = dir.join(format!(".{name}.{}", std::process::id()));
    fs::create_dir_all(dir)?;
    remove(&staging)?;
    let staged = write(&staging, artifact).and_then(|()| put(&staging, &target));
    // After an exchange it holds the version before; after a failure, the new one.
    let removed = remove(&staging);
    staged.and(removed)
}

fn write(folder: &Path, artifact: &Artifact) -> io::Result<()> {
    fs::create_dir(folder)?;
    fs::write(folder.join(COMPONENT), &artifact.wasm)?;
    fs::write(folder.join(MANIFEST), &artifact.manifest)
}

fn put(staging: &Path, target: &Path) -> io::Result<()> {
    if !target.exists() {
        return fs::rename(staging, target);
    }
    match renameat_with(CWD, staging, CWD, target, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(()),
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            fs::remove_dir_all(target)?;
            fs::rename(staging, target)
        }
        Err(error) => Err(error.into()),
    }
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
