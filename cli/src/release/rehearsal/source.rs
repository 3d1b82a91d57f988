use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use tidemill_events::Envelope;

use super::subscription;

/// The longest file that is read, in bytes: the longest message in base64, and to spare.
const LONGEST: u64 = 32 << 20;

/// Where the events come from that a release is rehearsed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// A folder of files `*.json`, each the body of a push request.
    Folder(PathBuf),
    /// The full name of a subscription to pull from.
    Subscription(String),
}

/// What was recorded, one after the other.
pub(super) enum Records {
    /// Files, which are read when it is their turn.
    Files(std::vec::IntoIter<PathBuf>),
    /// Messages that were pulled.
    Pulled(std::vec::IntoIter<Record>),
}

/// One thing recorded, and what it is called.
pub(super) struct Record {
    /// The file's name, or the message's id.
    pub(super) name: String,
    /// The delivery, or why it can't be read.
    pub(super) envelope: Result<Envelope, String>,
}

impl Source {
    /// What a text names: a subscription by its full name, or else a folder.
    pub(super) fn of(text: &str) -> Self {
        let parts: Vec<_> = text.split('/').collect();
        match parts[..] {
            ["projects", project, "subscriptions", name] if !project.is_empty() && !name.is_empty() => {
                Self::Subscription(text.to_owned())
            }
            _ => Self::Folder(text.into()),
        }
    }

    /// What is recorded there. Of a subscription it is at most `most` messages, which stay on it.
    pub(super) async fn records(&self, most: usize, emulator: Option<&str>) -> anyhow::Result<Records> {
        match self {
            Self::Folder(folder) => Ok(Records::Files(json_files(folder)?.into_iter())),
            Self::Subscription(name) => {
                Ok(Records::Pulled(subscription::borrow(name, most, emulator).await?.into_iter()))
            }
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "{}", folder.display()),
            Self::Subscription(name) => f.write_str(name),
        }
    }
}

impl Iterator for Records {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        match self {
            Self::Files(files) => files.next().map(|path| Record {
                name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                envelope: read(&path),
            }),
            Self::Pulled(records) => records.next(),
        }
    }
}

/// The files `*.json` of a folder, in the order of their names. Hidden ones are none.
pub(super) fn json_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let unread = || format!("{}: it can't be read", folder.display());
    let mut files = Vec::new();
    for entry in folder.read_dir().with_context(unread)? {
        let entry = entry.with_context(unread)?;
        let path = entry.path();
        let json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
        if json && !entry.file_name().to_string_lossy().starts_with('.') {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<Envelope, String> {
    let unread = |error: std::io::Error| format!("it can't be read: {error}");
    let meta = fs::metadata(path).map_err(unread)?;
    if !meta.is_file() {
        return Err("it is no regular file".to_owned());
    }
    if meta.len() > LONGEST {
        return Err(format!("it has {} bytes; at most {LONGEST} are read", meta.len()));
    }
    let body = fs::read(path).map_err(unread)?;
    Envelope::decode(&body).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_is_told_from_a_folder_by_its_full_name() {
        let name = "projects/shop/subscriptions/dead";
        assert_eq!(Source::of(name), Source::Subscription(name.into()));
        for text in [
            "letters",
            "./projects/shop/subscriptions/dead",
            "projects/shop/subscriptions",
            "projects//subscriptions/x",
        ] {
            assert_eq!(Source::of(text), Source::Folder(text.into()));
        }
    }
}
