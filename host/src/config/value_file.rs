//! A value for a handler that lies in a file of its own, such as one that Secret Manager mounts.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;
use zeroize::Zeroizing;

/// The longest value that is read, in bytes. A version of a secret has as many at most.
/// Source: "Quotas and limits" in the Secret Manager documentation.
const MAX_VALUE: usize = 64 << 10;

/// Reads a value, without the end of its last line, which editors put there.
///
/// # Errors
/// A sentence that says what is wrong with the file, and shows nothing of what is in it.
pub(super) fn read(path: &Path) -> Result<Zeroizing<String>, String> {
    let bytes = read_bytes(path)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| "it is no UTF-8 text, which every value is".to_owned())?;
    let text = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
    if text.is_empty() {
        return Err("it is empty; a value that is meant to be empty can be given without a file".into());
    }
    Ok(Zeroizing::new(text.to_owned()))
}

fn read_bytes(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let unreadable = |error: io::Error| {
        format!(
            "it can't be read: {error}; put the value there, where the host's user may read it, or name another file"
        )
    };
    // Else opening a pipe that nobody writes to never ends.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(unreadable)?;
    if !file.metadata().map_err(unreadable)?.is_file() {
        return Err("it is no regular file; name the file itself, or a link to it".into());
    }
    // With room for all of it from the start: growing would leave copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_VALUE + 1));
    file.take(MAX_VALUE as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > MAX_VALUE {
        return Err(format!("it has more than {MAX_VALUE} bytes, which is the longest value that is read"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn one_line_end_is_taken_off_and_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("value");
        for (written, read_as) in [("a", "a"), ("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), (" a\nb \n", " a\nb ")] {
            fs::write(&path, written).unwrap();
            assert_eq!(read(&path).unwrap().as_str(), read_as, "{written:?}");
        }
    }

    /// As Secret Manager's mount is: a link to a folder of a version, which is replaced.
    #[test]
    fn what_links_lead_to_is_read() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("version")).unwrap();
        fs::write(folder.path().join("version/key"), "abc").unwrap();
        symlink("version", folder.path().join("data")).unwrap();
        symlink("data/key", folder.path().join("key")).unwrap();
        assert_eq!(read(&folder.path().join("key")).unwrap().as_str(), "abc");
    }

    #[test]
    fn what_gives_no_value_is_told_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("longest"), "x".repeat(MAX_VALUE)).unwrap();
        assert_eq!(read(&path("longest")).unwrap().len(), MAX_VALUE);
        fs::write(path("long"), "hunter2".repeat(10_000)).unwrap();
        fs::write(path("bytes"), b"hunter2\xff").unwrap();
        fs::write(path("empty"), "\n").unwrap();
        fs::create_dir(path("folder")).unwrap();
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, path("pipe"), rustix::fs::FileType::Fifo, mode, 0).unwrap();
        symlink("/dev/zero", path("device")).unwrap();
        for (name, told) in [
            ("missing", "can't be read: No such file"),
            ("folder", "no regular file"),
            ("pipe", "no regular file"),
            ("device", "no regular file"),
            ("long", "more than 65536 bytes"),
            ("bytes", "no UTF-8"),
            ("empty", "is empty"),
        ] {
            let error = read(&path(name)).unwrap_err();
            assert!(error.contains(told) && !error.contains("hunter2"), "{name}: {error}");
        }
    }
}
