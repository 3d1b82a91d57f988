use std::fs;
use std::os::unix::fs::symlink;

use super::*;

/// Not hidden, as a temporary folder is by default.
fn folder(manifest: &[u8], wasm: &[u8]) -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix("handler").tempdir().unwrap();
    fs::write(folder.path().join(MANIFEST), manifest).unwrap();
    fs::write(folder.path().join(COMPONENT), wasm).unwrap();
    folder
}

fn read_now(folder: &Path) -> Result<Artifact, Unread> {
    read(folder, &Stamp::of(folder).unwrap()).map(|(artifact, _)| artifact)
}

/// The manifest of one version beside the component of another is no version.
#[test]
fn what_changes_after_its_stamp_is_left_for_the_next_look() {
    let folder = folder(b"v2", b"v2");
    let stamp = Stamp::of(folder.path()).unwrap();
    assert_eq!(read(folder.path(), &stamp).unwrap().0.manifest, b"v2");
    fs::write(folder.path().join(MANIFEST), b"v3, longer").unwrap();
    assert_eq!(read(folder.path(), &stamp).unwrap_err(), Unread::Changed);
    fs::remove_file(folder.path().join(MANIFEST)).unwrap();
    assert_eq!(read(folder.path(), &stamp).unwrap_err(), Unread::Changed);
}

/// A pipe that took the file's place after the stamp must not block the reader.
#[test]
fn a_pipe_is_no_file_and_blocks_nobody() {
    let folder = folder(b"v1", b"v1");
    let stamp = Stamp::of(folder.path()).unwrap();
    let pipe = folder.path().join(COMPONENT);
    fs::remove_file(&pipe).unwrap();
    let mode = rustix::fs::Mode::RUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    assert_eq!(read(folder.path(), &stamp).unwrap_err(), Unread::Changed);
    let refused = read_now(folder.path()).unwrap_err();
    assert!(
        matches!(&refused, Unread::Refused(why) if why.contains("handler.wasm: it is no regular file")),
        "{refused:?}"
    );
}

#[test]
fn what_is_too_long_is_refused_unread() {
    for (name, limit) in [(MANIFEST, MAX_MANIFEST), (COMPONENT, MAX_COMPONENT)] {
        let folder = folder(b"v1", b"v1");
        // A sparse file: it takes no space.
        File::create(folder.path().join(name)).unwrap().set_len(limit + 1).unwrap();
        let refused = read_now(folder.path()).unwrap_err();
        let says = format!("{name}: it has {} bytes; at most {limit} are read", limit + 1);
        assert_eq!(refused, Unread::Refused(says));
    }
}

#[test]
fn an_error_is_not_absence() {
    let folder = folder(b"v1", b"v1");
    let manifest = folder.path().join(MANIFEST);
    fs::remove_file(&manifest).unwrap();
    symlink(&manifest, &manifest).unwrap();
    Stamp::of(folder.path()).unwrap_err();
    let found = scan(folder.path().parent().unwrap()).unwrap();
    assert!(found[folder.path()].is_err());
}
